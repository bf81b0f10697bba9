# Tests that end in all ways, each with a server and with a daemon in its run.
bats_require_minimum_version 1.8.0
bats_load_library portshim

serve() {
    portshim_start web 8080 -- socat TCP4-LISTEN:8080,bind=127.0.0.1,fork SYSTEM:"echo hello"
    portshim_in web setsid -f sleep 1000 3>&-
    portshim_wait web 8080
}

teardown() {
    printf '%s: %s\n' "$BATS_TEST_DESCRIPTION" "$(portshim_in web socat -u TCP4:127.0.0.1:8080 -)" >>"$HERE/said"
    [[ $BATS_TEST_DESCRIPTION != 'has a teardown that skips' ]] || skip 'so that its teardown is ended by that'
    [[ $BATS_TEST_DESCRIPTION != 'has a bad teardown' ]]
}

@test "passes" { serve; }

@test "fails" {
    serve
    false
}

@test "is skipped" {
    serve
    skip 'so that what it has started is ended all the same'
}

@test "has a bad teardown" { serve; }

@test "has a teardown that skips" { serve; }

@test "has ended its own before" {
    serve
    portshim_stop web INT
    [[ $(portshim_port web 8080) == '' ]]
    serve
}

@test "takes too long" {
    serve
    sleep 1000
}
