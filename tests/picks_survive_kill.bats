# Whoever is killed, whenever, and without any server: no port is lost, and none ever has two living owners.
# observer.py judges.
load helper

pool_size=900

setup() {
    cd "$(test_dir)"
    own_pool "$pool_size"
    picker=$ROOT/build/tests/picker
    start observer "$PROGRAMS/observer.py" sock
    observer=$pid
    within 10 grep -qs ready observer.out
}

# judgement: ends the observer, which this shell alone can wait for, and reads its summary into $seen and $doubles.
judgement() {
    stop "$observer"
    read -r seen doubles < <(sed -n 's/^seen \([0-9]*\) doubles \([0-9]*\)$/\1 \2/p' observer.out)
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
    mkdir source broken
    cp -r "$ROOT/portmap" "$ROOT/shim" "$ROOT/Makefile" source
    sed -i 's/return atomic_compare_exchange_strong(&table->file->owner\[port\], &from, to);/(void)table, (void)port, (void)from, (void)to; return true;/' \
        source/portmap/lease/table.c
    run diff "$ROOT/portmap/lease/table.c" source/portmap/lease.c
    assert_failure
    make -s -C source B="$PWD/broken" "$PWD/broken/portshim"
    PATH=$PWD/broken:$PATH
    "$picker" sock 200 10 >picker.out 2>picker.err
    judgement
    ((doubles > 0))
}
