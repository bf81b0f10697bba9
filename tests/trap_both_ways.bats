# Servers and clients of every kind, the library's and the trap's, reach each other over TCP and UDP at the placeholder,
# and see no other port.
load helper
load trap

setup() {
    cd "$(test_dir)"
    own_pool 40
}

# of KIND ask|tell: the program's file. The kinds are those of the directories below build/tests, `plain` and `go`.
of() {
    if [[ $1 == go ]]; then
        [[ $2 == ask ]] && echo "$GO_CLIENT" || echo "$GO_SERVER"
    elif [[ $1 == plain ]]; then
        echo "$ROOT/build/tests/$2"
    else
        echo "$ROOT/build/tests/$1/$2"
    fi
}

# What every client prints of a server that calls itself $1.
expected() {
    local host way
    for host in 127.0.0.1 ::1; do
        local shown=$host
        [[ $host != ::1 ]] || shown='[::1]'
        echo "tcp [$host]:8080 $1 at $shown:8080"
        for way in sendto sendmsg sendmmsg sendmmsg connected; do
            echo "$way [$host]:8080 $1 to $shown:8081"
        done
    done
}

# reached KIND: a server of this kind is reached by clients of every kind that can be built.
reached() {
    local kind
    needs_programs "$(of "$1" tell)"
    expected "a server" >expected.out
    start server portshim run -p 8080,8081 -n reached -- "$(of "$1" tell)" 'a server' 8080
    within 10 portshim ls reached >ls.out 2>&1
    portshim wait -t 60 reached 8080/tcp 8080/udp
    for kind in plain go static narrow narrow_static musl musl_dynamic; do
        if [[ ! -x $(of "$kind" ask) ]]; then
            echo "# no client: $(of "$kind" ask) is not built" >&3
            continue
        fi
        timeout 60 portshim run -j reached -- "$(of "$kind" ask)" 8080 8081 >"$kind.out" 2>&1 || :
        run diff expected.out "$kind.out"
        assert_equal "$kind: $output" "$kind: "
        # And with the library's own process between, which starts it.
        timeout 60 portshim run -j reached -- sh -c '"$@"; exit $?' - "$(of "$kind" ask)" 8080 8081 >"$kind.out" 2>&1 || :
        run diff expected.out "$kind.out"
        assert_equal "$kind by sh: $output" "$kind by sh: "
    done
    stop "$pid"
    run cat server.out server.err
    assert_output ''
}

@test "a dynamic C server is reached by every client" {
    reached plain
}

@test "a Go server is reached by every client" {
    reached go
}

@test "a static server is reached by every client" {
    reached static
}

@test "a static server of musl is reached by every client" {
    reached musl
}

@test "a dynamic server of musl is reached by every client" {
    reached musl_dynamic
}

@test "a 32-bit server is reached by every client" {
    reached narrow
}

@test "a static 32-bit server is reached by every client" {
    reached narrow_static
}

@test "a port that nobody listed is rewritten in a trapped program, too, when all are" {
    needs_programs "$GO_SERVER" "$GO_CLIENT"
    expected "a server" >expected.out
    start server portshim run -p all -n late -- "$GO_SERVER" 'a server'
    within 10 portshim ls late >ls.out 2>&1
    assert_not_equal "$(real late 8080/tcp)" 8080 # it serves UDP before
    for kind in go static; do
        run -0 --separate-stderr portshim run -j late -- "$(of "$kind" ask)" 8080 8081
        assert_output "$(<expected.out)"
        assert_equal "$stderr" ''
    done
}

@test "sh, make and sh start a Go server: it is on the real port" {
    needs_programs "$GO_SERVER"
    # shellcheck disable=SC2016 # make expands it
    printf 'serve:\n\t@sh -c '"'"'echo $$$$ >server.pid; exec "$(SERVER)" made'"'"'\n' >Makefile
    # shellcheck disable=SC2016 # expanded there
    start made portshim run -p 8080 -n made -- sh -c 'make SERVER="$1"; exit $?' - "$GO_SERVER"
    within 10 portshim ls made >ls.out 2>&1
    port=$(real made 8080/tcp)
    assert_equal "$(curl -s "http://127.0.0.1:$port/")" 'made at 127.0.0.1:8080'
    assert_equal "$(inside made curl -s http://127.0.0.1:8080/)" 'made at 127.0.0.1:8080'
    kill -TERM "$(<server.pid)"
    status=0
    wait "$pid" || status=$?
    assert_equal "$status" 2 # make's
}

@test "the go test of a package with a hard-coded port passes four times at once" {
    type -P go >/dev/null || skip 'golang-go is not installed'
    cp "$PROGRAMS/go_package/"*.go .
    export GO111MODULE=off GOFLAGS='' GOCACHE=$ROOT/build/go-cache GOPATH=$PWD/gopath CGO_ENABLED=0
    [[ -w $GOCACHE ]] || GOCACHE=$PWD/go-cache
    local i pids=()
    for i in 1 2 3 4; do
        start "test$i" timeout 200 portshim run -p 8080 -- go test -vet=off -count=1 .
        pids[i]=$pid
    done
    for i in 1 2 3 4; do
        status=0
        wait "${pids[i]}" || status=$?
        assert_equal "$status $(cat "test$i.err")" '0 '
        grep -q '^ok' "test$i.out"
    done
}
