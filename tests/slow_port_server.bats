# A slow port server delays a program by at most one second in all, and delays nothing that does not need it.
load helper
load serve

setup() {
    cd "$(test_dir)"
    own_pool 120
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

# seconds COMMAND...: sets $took to how many whole seconds it took.
seconds() {
    local begin
    begin=$(date +%s%N)
    "$@"
    took=$((($(date +%s%N) - begin) / 1000000000))
}

# one_of_five COMMAND...: the command, whose last word decides, succeeds at least once in five times: the machine may stop in
# the middle of others.
# $attempt counts them.
one_of_five() {
    for attempt in 1 2 3 4 5; do
        ! "$@" || return 0
    done
    return 1
}

begins_early() {
    seconds by_hand 8001-8020 "$attempt.env" true 2>err
    ((took < 4))
}

@test "a program of twenty ports begins in two seconds, and says that the server was too slow" {
    serve_slowly 0.75
    one_of_five begins_early || fail "$took seconds"
    assert_equal "$(grep -c ^PORTSHIM_PORT_ "$attempt.env")" 20
    grep -qx "portshim: warning: $PWD/socket: .*: ports are leased without this port server; .*" err
}

# The other one waits for a second at most: what has to be seen before must be seen by then.
does_not_wait() {
    start slow env PORTSERVER_ADDRESS="$PWD/socket" PORTSHIM_PORTS=8080 "PORTSHIM_MAP_FILE=slow$attempt.env" \
        LD_PRELOAD="$PORTSHIM_LIB" sleep infinity
    within 10 asked "$attempt"
    env PORTSHIM_PORTS=8080 "PORTSHIM_MAP_FILE=other$attempt.env" LD_PRELOAD="$PORTSHIM_LIB" true
    [[ -e other$attempt.env && ! -e slow$attempt.env ]]
}

@test "who begins by hand does not wait for another run's server" {
    serve_slowly 300
    one_of_five does_not_wait
    within 10 test -e "slow$attempt.env"
}

# The one that adds waits for a second at most.
joins_at_once() {
    start holder portshim run -p 8080 -m "$attempt.env" -- sleep infinity
    within 10 test -e "$attempt.env"
    start slow env PORTSERVER_ADDRESS="$PWD/socket" PORTSHIM_PORTS=8080,9090 "PORTSHIM_MAP_FILE=$attempt.env" \
        LD_PRELOAD="$PORTSHIM_LIB" sleep infinity
    within 10 asked "$attempt"
    by_hand 8080 "$attempt.env" true
    (($(grep -c ^PORTSHIM_PORT_ "$attempt.env") == 1))
}

@test "who joins a run that is there does not wait for one that adds a port to it" {
    serve_slowly 300
    one_of_five joins_at_once
}

binds_quickly() {
    by_hand all "$attempt.env" /usr/bin/python3 bind.py >out 2>err
    [[ $(<out) == '20 quick '* ]]
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
    one_of_five binds_quickly || fail "$(<out)"
}

asks_quickly() {
    seconds portshim port m.env 9001
    ((took < 4))
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
    one_of_five asks_quickly || fail "$took seconds"
}

@test "where a run requires the server, who adds a port by hand gets none without it" {
    portshim serve --address "$PWD/good" --pool "$PORTSHIM_POOL"
    adopt "$PWD/good"
    PORTSERVER_ADDRESS=$PWD/good start run portshim run --require-portserver -p 8080 -m m.env -- sleep infinity
    within 10 test -e m.env
    serve_slowly 300
    run by_hand 8080,9090 m.env true
    assert_failure 125
    assert_output --partial 'placeholder 9090'
    by_hand 8080 m.env true
}
