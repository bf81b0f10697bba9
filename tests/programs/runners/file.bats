# Tests that share a server which setup_file has started.
bats_require_minimum_version 1.8.0
bats_load_library portshim

setup_file() {
    portshim_start shared 8080 -- socat TCP4-LISTEN:8080,bind=127.0.0.1,fork SYSTEM:"echo shared"
    portshim_wait shared 8080
}

teardown_file() {
    portshim_in shared socat -u TCP4:127.0.0.1:8080 - >>"$HERE/said"
}

@test "one" {
    portshim_start web 8080 -- sleep 1000
    [[ $(portshim_in shared socat -u TCP4:127.0.0.1:8080 -) == shared ]]
    [[ $(portshim_in suite socat -u TCP4:127.0.0.1:8080 -) == suite ]]
    run -0 portshim_port web 8080
    [[ $output != "$(portshim_port shared 8080)" ]]
}

@test "two" {
    portshim_start shared 8080 -- sleep 1000 # the test's own goes before the file's
    [[ $(portshim_port shared 8080) == "$(sed 's/.*"real": \([0-9]*\).*/\1/' "$BATS_TEST_TMPDIR/shared.json")" ]]
}
