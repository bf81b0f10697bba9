# Whatever is killed at any moment, without a port server: no port is lost and none ever has two living owners.
# observer.py checks.
load helper
load observer

pool_size=900

setup() {
    cd "$(test_dir)"
    own_pool "$pool_size"
    picker=$ROOT/build/tests/picker
    observe
}

@test "two hundred processes pick a hundred times each and are killed, and no port is lost or owned twice" {
    "$picker" sock 200 100 >picker.out 2>picker.err
    cat picker.out
    judgement
    assert_equal "$(grep -v 'no such process' picker.err)" ''
    assert_equal "$doubles" 0
    read -r _ picks _ killed <picker.out
    ((picks > 15000 && picks <= seen && seen <= 20000 && killed > 1000))
    run --separate-stderr portshim pick -n "$pool_size"
    assert_success
    assert_equal "$(sort -u <<<"$output" | wc -l)" "$pool_size"
}

@test "the same judge finds two owners when the claim is broken on purpose" {
    PATH=$ROOT/build/tests/broken:$PATH
    "$picker" sock 200 10 >picker.out 2>picker.err
    judgement
    ((doubles > 0))
}
