# When a run's list of ports lacks one, portshim says so and names the option to add.
load helper

setup() {
    cd "$(test_dir)"
    port=$(portshim pick $$)
    run_name=unlisted-$$-$BATS_SUITE_TEST_NUMBER # all tests share a home
}

# unlisted [RUN]: prints what ls says of ports that nobody listed.
unlisted() {
    portshim ls "$@" | sed -n 's/^ *not listed: //p'
}

says() {
    unlisted "$run_name" | grep -qxF "$1"
}

# serve ADDRESS...: a program binds these in a run that lists 8080 only; they are bound when this returns.
serve() {
    start web portshim run -p 8080 -n "$run_name" -- /usr/bin/python3 -c '
import socket, sys, signal
sockets = []
for word in sys.argv[1:]:
    kind, host, port = word.split(",")
    sockets.append(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET,
                                 socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM))
    try:
        sockets[-1].bind((host, int(port)))
    except OSError as error:
        print(error.strerror, flush=True)
print("ready", flush=True)
signal.pause()' "$@"
    within 20 grep -q ready web.out
}

@test "a fixed port that nobody listed is in ls, with the program that bound it and the option to add" {
    serve tcp,127.0.0.1,8080 "tcp,127.0.0.1,$port"
    assert_equal "$(unlisted "$run_name")" "$port: bound by python3: add -p $port"
    assert_equal "$(unlisted)" "$(unlisted "$run_name")" || [[ $(unlisted) == *"$(unlisted "$run_name")"* ]]
    run portshim ls --json "$run_name"
    assert_equal "$(jq -c '.runs[0].not_listed' <<<"$output")" \
        "[{\"port\":$port,\"program\":\"python3\",\"bound\":true,\"remedy\":\"-p $port\"}]"
}

@test "one that could not be bound is named, too" {
    start other socat "TCP-LISTEN:$port,bind=127.0.0.1" /dev/null
    within 10 listens "$port"
    serve "tcp,127.0.0.1,$port"
    grep -q 'Address already in use' web.out
    assert_equal "$(unlisted "$run_name")" "$port: in use, wanted by python3: add -p $port"
}

@test "UDP and IPv6 are no exception" {
    second=$(portshim pick $$)
    serve "udp,127.0.0.1,$port" "tcp,::1,$second"
    grep -q 'Cannot assign' web.out && skip 'no IPv6 here'
    says "$port: bound by python3: add -p $port"
    says "$second: bound by python3: add -p $second"
}

@test "listed ports, ports that the kernel chose and failures of another kind are not in it" {
    serve tcp,127.0.0.1,8080 tcp,127.0.0.1,8080 tcp,127.0.0.1,0 udp,127.0.0.1,0 "tcp,192.0.2.1,$port"
    assert_equal "$(unlisted "$run_name")" ''
}

@test "with the option that is named, the suite runs" {
    start other socat "TCP-LISTEN:$port,bind=127.0.0.1" /dev/null
    within 10 listens "$port"
    suite=(/usr/bin/python3 -c "import socket
socket.create_server(('127.0.0.1', 8080)); socket.create_server(('127.0.0.1', $port))")
    run -1 portshim run --require-bind -p 8080 -- "${suite[@]}"
    advice=$(grep '^portshim:' <<<"$output")
    assert_equal "$advice" "portshim: warning: port $port, wanted by python3: in use, and not listed: add -p $port"
    read -ra option <<<"${advice##*add }"
    run -0 portshim run --require-bind -p 8080 "${option[@]}" -- "${suite[@]}"
    assert_output ''
}

@test "with --require-bind the missing port is said at the end of the run, unless -q" {
    start other socat "TCP-LISTEN:$port,bind=127.0.0.1" /dev/null
    within 10 listens "$port"
    run -125 --separate-stderr portshim run --require-bind -p 8080 -- \
        /usr/bin/python3 -c "import socket; socket.socket().connect_ex(('127.0.0.1', 8080))
try: socket.socket().bind(('127.0.0.1', $port))
except OSError: pass"
    assert_equal "${stderr_lines[0]}" \
        "portshim: warning: port $port, wanted by python3: in use, and not listed: add -p $port"
    [[ ${stderr_lines[1]} == 'portshim: placeholders 8080: none of them was bound: '* ]]
    run -0 portshim run -q --require-bind -p 8080 -- \
        /usr/bin/python3 -c "import socket; socket.create_server(('127.0.0.1', 8080))
try: socket.socket().bind(('127.0.0.1', $port))
except OSError: pass"
    assert_output ''
}

@test "a program is named as it is, a child's too" {
    serve tcp,127.0.0.1,8080
    start child portshim run -j "$run_name" -- sh -c "setpriv --pdeathsig TERM socat TCP-LISTEN:$port,bind=127.0.0.1 /dev/null; true"
    within 10 says "$port: bound by socat: add -p $port"
}

@test "the run's log tells attaching, late assignment and refusal" {
    start other portshim run -p all -n "$run_name" -- /usr/bin/python3 -c "
import socket, signal
server = socket.create_server(('127.0.0.1', 8080))
second = socket.socket()
try: second.bind(('127.0.0.1', 8080))
except OSError: pass
print('ready', flush=True)
signal.pause()"
    within 20 grep -q ready other.out
    real=$(portshim port "$run_name" 8080)
    portshim ls --log "$run_name" >log
    grep -qE "^ +[0-9.]+  pid $pid +attached$" log
    grep -qE "pid $pid +late assignment: 8080 -> $real$" log
    grep -qE "pid $pid +refused: 8080 -> $real: Address already in use$" log
}
