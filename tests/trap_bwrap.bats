# bwrap's sandboxes: inside a run, and with a run inside.
load helper
load trap

setup() {
    cd "$(test_dir)"
    type -P bwrap >/dev/null || skip 'bubblewrap is not installed'
    needs_programs "$GO_SERVER" "$STATIC/ask"
    own_pool 40
    bwrap=(bwrap --ro-bind / / --dev /dev --proc /proc)
    "${bwrap[@]}" true 2>bwrap.err || skip "bwrap does not work here: $(head -n 1 bwrap.err)"
}

# answers RUN NAME: the server is reached from outside and inside.
answers() {
    local port
    port=$(real "$1" 8080/tcp)
    assert_not_equal "$port" 8080
    assert_equal "$(curl -s "http://127.0.0.1:$port/")" "$2 at 127.0.0.1:8080"
    assert_equal "$(inside "$1" curl -s http://127.0.0.1:8080/)" "$2 at 127.0.0.1:8080"
    run -0 inside "$1" "$STATIC/ask" 8080 8081
    assert_line "sendmsg [127.0.0.1]:8080 $2 to 127.0.0.1:8081"
}

@test "a Go server in a sandbox in a run, also with processes of its own, is at the real port" {
    for unshared in --unshare-ipc --unshare-pid; do
        start "server$unshared" portshim run -p 8080,8081 -n "boxed$unshared" -- "${bwrap[@]}" $unshared \
            --die-with-parent -- "$GO_SERVER" boxed
        within 10 portshim ls "boxed$unshared" >ls.out 2>&1
        answers "boxed$unshared" boxed
        run -0 inside "boxed$unshared" "${bwrap[@]}" $unshared "$STATIC/ask" 8080 8081
        assert_line 'tcp [127.0.0.1]:8080 boxed at 127.0.0.1:8080'
    done
}

@test "a run inside a sandbox" {
    for unshared in --unshare-ipc --unshare-pid; do
        start "server$unshared" "${bwrap[@]}" --bind "$PWD" "$PWD" $unshared --die-with-parent -- \
            portshim run -p 8080,8081 -n "run$unshared" -- "$GO_SERVER" inner
        within 10 portshim ls "run$unshared" >ls.out 2>&1 || fail "$(cat ls.out "server$unshared.err")"
        answers "run$unshared" inner
    done
}

@test "the first process of a pid namespace does not wait for its supervisor" {
    needs_programs "$STATIC/reaps"
    unshare -pf true || skip 'no pid namespace can be made here'
    run -0 timeout 100 unshare -pf "$STATIC/reaps"
    assert_output 'process 1: 1'
    run -0 timeout 100 portshim run -p 8080 -- timeout -s KILL 60 unshare -pf "$STATIC/reaps"
    assert_output 'process 1: 1'
    run -0 timeout 100 unshare -pf timeout -s KILL 60 portshim run -p 8080 -- "$STATIC/reaps"
    assert_output --regexp '^process [0-9]+: 1$'
    run -0 timeout -s KILL 60 unshare -pf portshim run -p 8080 -- "$STATIC/reaps"
    assert_output 'process 1: 1'
}
