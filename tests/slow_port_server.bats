# A slow port server delays a program by at most one second in all, and delays nothing that does not need it.
load helper
load serve

setup() {
    cd "$(test_dir)"
    own_pool 60
}

# serve_slowly SECONDS: starts a server of the pool's ports that takes so long for an answer.
serve_slowly() {
    start server /usr/bin/python3 "$PROGRAMS/fake_portserver.py" "$PWD/socket" slow "$1" "$PORTSHIM_POOL"
    within 10 grep -qsx ready server.out
}

# by_hand PORTS FILE COMMAND...: runs it by hand with that server.
by_hand() {
    env PORTSERVER_ADDRESS="$PWD/socket" PORTSHIM_PORTS="$1" PORTSHIM_MAP_FILE="$2" LD_PRELOAD="$PORTSHIM_LIB" "${@:3}"
}

asked() {
    (($(wc -l <server.out) > ${1:-1}))
}

# seconds COMMAND...: prints how many whole seconds it took.
seconds() {
    local begin
    begin=$(date +%s%N)
    "$@"
    took=$((($(date +%s%N) - begin) / 1000000000))
}

@test "a program of twenty ports begins in two seconds, and says that the server was too slow" {
    serve_slowly 0.75
    seconds by_hand 8001-8020 m.env true 2>err
    assert_equal "$(grep -c ^PORTSHIM_PORT_ m.env)" 20
    grep -qx "portshim: warning: $PWD/socket: .*: ports are leased without this port server; .*" err
    ((took < 4)) || fail "$took seconds"
}

@test "who begins by hand does not wait for another run's server" {
    serve_slowly 30
    start slow env PORTSERVER_ADDRESS="$PWD/socket" PORTSHIM_PORTS=8080 PORTSHIM_MAP_FILE=slow.env \
        LD_PRELOAD="$PORTSHIM_LIB" sleep infinity
    within 10 asked
    env PORTSHIM_PORTS=8080 PORTSHIM_MAP_FILE=other.env LD_PRELOAD="$PORTSHIM_LIB" true
    [[ -e other.env && ! -e slow.env ]]
    within 10 test -e slow.env
}

@test "who joins a run that is there does not wait for one that adds a port to it" {
    start server portshim run -p 8080 -m m.env -- sleep infinity
    within 10 test -e m.env
    serve_slowly 30
    start slow env PORTSERVER_ADDRESS="$PWD/socket" PORTSHIM_PORTS=8080,9090 PORTSHIM_MAP_FILE=m.env \
        LD_PRELOAD="$PORTSHIM_LIB" sleep infinity
    within 10 asked
    by_hand 8080 m.env true
    run grep -c ^PORTSHIM_PORT_ m.env
    assert_output 1
}

@test "a late bind waits for a second, and the next ones do not wait at all" {
    serve_slowly 0.75
    cat >bind.py <<'END'
import socket, time
servers, longest = [], 0
for number in range(9001, 9021):
    begin = time.monotonic()
    servers.append(socket.create_server(('127.0.0.1', number)))
    longest = max(longest, time.monotonic() - begin)
print(len(servers), 'slow' if longest > 3 else 'quick', longest)
END
    by_hand all m.env /usr/bin/python3 bind.py >out 2>err
    [[ $(<out) == '20 quick '* ]] || fail "$(<out)"
}

@test "portshim port does not wait for the stock to be filled" {
    serve_slowly 0.75
    start run portshim run -p all -m m.env -- /usr/bin/python3 -c "
import socket, signal
servers = [socket.create_server(('127.0.0.1', number)) for number in range(9001, 9017)]
print('ready', flush=True)
signal.pause()"
    within 10 grep -qsx ready run.out
    export PORTSERVER_ADDRESS=$PWD/socket
    seconds portshim port m.env 9001
    ((took < 4)) || fail "$took seconds"
}

@test "where a run requires the server, who adds a port by hand gets none without it" {
    portshim serve --address "$PWD/good" --pool "$PORTSHIM_POOL"
    adopt "$PWD/good"
    PORTSERVER_ADDRESS=$PWD/good start run portshim run --require-portserver -p 8080 -m m.env -- sleep infinity
    within 10 test -e m.env
    serve_slowly 30
    run by_hand 8080,9090 m.env true
    assert_failure 125
    assert_output --partial 'placeholder 9090'
    by_hand 8080 m.env true
}
