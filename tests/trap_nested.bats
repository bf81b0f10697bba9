# A run inside a run, where one or both have trapped programs.
load helper
load trap

setup() {
    cd "$(test_dir)"
    own_pool 40
    needs_programs "$GO_SERVER" "$STATIC/ask"
}

# answers RUN PORT NAME: the server is reached from outside, from inside that run, and by a static client there.
answers() {
    local port
    within 10 portshim ls "$1" >ls.out 2>&1 || fail "$(cat ls.out ./*.err)"
    port=$(real "$1" "$2/tcp")
    assert_not_equal "$port" "$2"
    assert_equal "$(curl -s "http://127.0.0.1:$port/")" "$3 at 127.0.0.1:$2"
    assert_equal "$(inside "$1" curl -s "http://127.0.0.1:$2/")" "$3 at 127.0.0.1:$2"
    assert_equal "$(inside "$1" "$STATIC/ask" "$2" 8081 2>&1 | head -n 1)" "tcp [127.0.0.1]:$2 $3 at 127.0.0.1:$2"
}

@test "a Go server in a run in a run, at the inner run's placeholder" {
    start nested portshim run -p 8080 -n outer -- portshim run -p 9090,8081 -n inner -- "$GO_SERVER" nested 9090
    answers inner 9090 nested
}

@test "a Go server in a run in a run, at the outer run's placeholder" {
    start nested portshim run -p 8080,8081 -n outer -- portshim run -p 9090 -n inner -- "$GO_SERVER" nested 8080
    answers outer 8080 nested
    assert_equal "$(inside inner curl -s http://127.0.0.1:8080/)" 'nested at 127.0.0.1:8080'
}

@test "a run that a trapped program makes has placeholders of its own" {
    needs_busybox
    # busybox is a trapped shell here.
    # shellcheck disable=SC2016 # expanded there
    start nested portshim run -p 8080,8081 -n outer -- "$busybox" sh -c \
        '"$@"; exit $?' - portshim run -p 9090,8081 -n inner -- "$GO_SERVER" nested 9090
    answers inner 9090 nested
    start beside portshim run -j outer -- "$GO_SERVER" beside 8080
    answers outer 8080 beside
    # In the inner run, the outer's placeholder is the outer's server.
    assert_equal "$(inside inner curl -s http://127.0.0.1:8080/)" 'beside at 127.0.0.1:8080'
    assert_equal "$(inside inner "$STATIC/ask" 8080 8081 2>&1 | head -n 1)" \
        'tcp [127.0.0.1]:8080 beside at 127.0.0.1:8080'
    kill -TERM "$(portshim ls -q inner 9090 | head -n 1)"
}

@test "two runs in one trapped program are kept apart" {
    needs_busybox
    # shellcheck disable=SC2016 # expanded there
    start nested portshim run -p 7070 -n outer -- "$busybox" sh -c \
        'portshim run -p 8080,8081 -n one -- "$1" one & portshim run -p 8080,8081 -n two -- "$1" two & wait' - "$GO_SERVER"
    answers one 8080 one
    answers two 8080 two
    for name in one two; do
        kill -TERM "$(portshim ls -q "$name" 8080 | head -n 1)"
    done
    wait "$pid"
}

@test "twenty runs in one trapped program are kept apart" {
    needs_busybox
    # shellcheck disable=SC2016 # expanded there
    start nested portshim run -p 7070 -n outer -- "$busybox" sh -c \
        'for i in $(seq 20); do portshim run -p 8080 -n "n$i" -- "$1" httpd -f -p 127.0.0.1:8080 & done; wait' - "$busybox"
    for i in $(seq 20); do
        within 20 portshim ls "n$i" >ls.out 2>&1
        assert_not_equal "$(real "n$i" 8080)" 8080
    done
    for i in $(seq 20); do
        kill -TERM "$(portshim ls -q "n$i" 8080 | head -n 1)"
    done
    wait "$pid"
}

has_ended() {
    ! portshim ls "$1" >ended.out 2>&1
}

# one_holds RUN PORT: one process listens there. It is $holder.
one_holds() {
    holder=$(portshim ls -q "$1" "$2") && [[ $holder && $holder != *$'\n'* ]]
}

@test "a run in a trapped program ends with its own processes" {
    needs_busybox
    # The first server starts the second one, which lives on.
    # shellcheck disable=SC2016 # expanded there
    start nested portshim run -p 7070 -n outer -- "$busybox" sh -c \
        'portshim run -p 8080,8081 -n inner -- "$1" sh -c "\$0 httpd -p 127.0.0.1:8080; \$0 httpd -p 127.0.0.1:8081" "$1"
        exec "$1" sleep infinity' - "$busybox"
    within 10 portshim ls inner >ls.out 2>&1
    real inner 8080
    real inner 8081
    kill "$(portshim ls -q inner 8080)"
    refute [ "$(real inner 8081)" = 8081 ]
    within 10 one_holds inner 8081 # httpd's first process ends a moment after it listens
    kill "$holder"
    within 10 has_ended inner
    portshim ls outer
}
