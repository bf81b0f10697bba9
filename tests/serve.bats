# portshim serve in place of portpicker's server: the same clients, options and signals; and as a daemon.
load helper
load serve

setup() {
    cd "$(test_dir)"
    own_pool 10
}

# of_pool PORT...: all are ports of the pool, and no two are the same.
of_pool() {
    local port
    for port; do
        [[ ,$PORTSHIM_POOL, == *",$port,"* ]]
    done
    are_different "$@"
}

# ranges: prints the pool as portpicker's server wants it.
ranges() {
    sed -E 's/[0-9]+/&-&/g' <<<"$PORTSHIM_POOL"
}

# answers ADDRESS: portpicker's client gets a port from the server there.
answers() {
    ADDRESS=$1
    of_pool "$(portpicker)"
}

@test "portpicker's client is served by a server that was started with the options of portpicker's" {
    portshim serve --portserver_static_pool "$(ranges)" --portserver_address "$ADDRESS" --verbose
    adopt "$ADDRESS"
    for _ in {1..7}; do
        ports+=("$(portpicker $$)")
    done
    of_pool "${ports[@]}"
    run statistic total-allocations
    assert_output 7
}

@test "a server at a path is found by every spelling of its option, and takes its socket file with it" {
    for option in --address --portserver_address --portserver_unix_socket_address; do
        portshim serve "$option" ./socket
        adopt ./socket
        assert_equal "$(stat -c '%F %a' socket)" 'socket 666'
        answers "$PWD/socket"
        kill "$server"
        within 5 gone "$server"
        [[ ! -e socket ]]
    done
}

@test "without an address the server is where PORTSERVER_ADDRESS says, where the clients look" {
    PORTSERVER_ADDRESS=$ADDRESS portshim serve
    adopt "$ADDRESS"
    answers "$ADDRESS"
}

@test "pick leases from the server for the shell that asks, and release gives back" {
    serve
    export PORTSERVER_ADDRESS=$ADDRESS
    port=$(portshim pick --require-portserver $$)
    of_pool "$port"
    run statistic leases
    assert_output 1
    portshim release "$port"
    run statistic leases
    assert_output 0
}

@test "a run leases from the server, and gives back when it ends" {
    serve
    PORTSERVER_ADDRESS=$ADDRESS start run portshim run --require-portserver -p 1-3 -m map.env -- sleep infinity
    within 5 test -e map.env
    mapfile -t ports < <(sed -n 's/^PORTSHIM_PORT_.*=//p' map.env)
    of_pool "${ports[@]}"
    assert_equal "$(statistic leases)" 3
    stop "$pid"
    within 5 statistic_is leases 0
}

@test "a program with the preloaded library by hand leases from the server" {
    serve
    start server env PORTSERVER_ADDRESS="$ADDRESS" PORTSHIM_PORTS=8080 LD_PRELOAD="$PORTSHIM_LIB" \
        /usr/bin/python3 -m http.server --bind 127.0.0.1 8080
    within 10 statistic_is leases 1
    stop "$pid"
    within 5 statistic_is leases 0
}

@test "starting a server returns as soon as it serves, and does not keep whoever reads what it prints" {
    # shellcheck disable=SC2016 # the shell that is meant expands it
    run timeout 60 bash -c 'exec 7>seven; printed=$(portshim serve --address "$1" 2>&1); echo "printed: $printed"' - "$ADDRESS"
    assert_output 'printed: '
    assert_success
    adopt "$ADDRESS"
    answers "$ADDRESS"
}

@test "the daemon has nothing of who started it: no descriptor, no directory, no terminal, no session" {
    exec 7>seven
    mkfifo pipe
    exec 8<>pipe
    serve
    exec 7>&- 8>&-
    run ls -l "/proc/$server/fd"
    refute_output --regexp "seven|/pipe|pipe:|/dev/(pts|tty)"
    assert_equal "$(readlink "/proc/$server/cwd")" /
    assert_equal "$(ps -o tty=,sid= -p "$server" | tr -s ' ')" "? $server"
}

@test "in the foreground the server stays, logs to stderr, and ends with status 0 at SIGTERM" {
    start server portshim serve --foreground --verbose --address "$ADDRESS"
    within 5 grep -q ' serving 10 ports on ' server.err
    assert_equal "$(statistic pid)" "$pid"
    asking=$BASHPID
    port=$(portpicker "$asking")
    grep -q "port $port for process $asking of user $EUID\$" server.err
    kill -USR1 "$pid"
    within 5 grep -q 'total-allocations 1$' server.err
    stop "$pid"
    assert_equal "$status" 0
    assert_equal "$(cat server.out)" ''
}

@test "a server whose log nobody reads any more goes on serving" {
    mkfifo log
    start reader head -n 1 log
    reader=$pid
    # shellcheck disable=SC2016 # the shell that is meant expands it
    start server bash -c 'exec portshim serve --foreground --debug --address "$1" 2>log' - "$ADDRESS"
    within 5 gone "$reader"
    answers "$ADDRESS"
    answers "$ADDRESS"
}

# unread_terminal COMMAND...: runs it with a terminal as stderr from which nobody reads.
unread_terminal() {
    python3 -c 'import os, pty, sys
ours, theirs = pty.openpty()
if os.fork():
    os.close(theirs)
    os.wait()
else:
    os.dup2(theirs, 2)
    os.execvp(sys.argv[1], sys.argv[1:])' "$@"
}

@test "a server whose log is a terminal that nobody looks at goes on serving" {
    start terminal bash -c "$(declare -f unread_terminal); unread_terminal \"\$@\"" - \
        portshim serve --foreground --debug --address "$ADDRESS"
    within 10 portshim serve --address "$ADDRESS" --status >status
    adopt "$ADDRESS"
    fill_log
    answers "$ADDRESS"
}

# fill_log: makes the server log two thousand refusals.
fill_log() {
    timeout 60 python3 -c 'import socket, sys
for _ in range(2000):
    client = socket.socket(socket.AF_UNIX)
    client.connect("\0" + sys.argv[1][1:])
    client.send(b"x\n")
    client.recv(9)' "$ADDRESS"
}

@test "a server whose syslog daemon has stopped goes on serving" {
    as_root && unshare -m true 2>/dev/null || skip 'needs the right to make a mount namespace'
    mkdir dev
    cp -a /dev/{null,zero,urandom} dev
    # shellcheck disable=SC2016 # the shell that is meant expands it
    start syslog unshare -m bash -c 'mount --bind dev /dev && exec python3 -c "$@"' - 'import socket, subprocess, sys, time
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.bind("/dev/log")
subprocess.run(sys.argv[1:], check=True)
print(log.recv(500), flush=True)
time.sleep(1000)' portshim serve --verbose --address "$ADDRESS"
    within 10 grep -qs serving syslog.out
    adopt "$ADDRESS"
    run cat syslog.out
    assert_output --regexp "^b'<29>[A-Z][a-z]{2} [ 1-3][0-9] [0-9:]{8} portshim-serve\[$server\]: serving 10 ports on $ADDRESS'\$"
    fill_log
    answers "$ADDRESS"
}

@test "connections that say nothing do not take the descriptors that a request needs" {
    (ulimit -n 64 && portshim serve --address "$ADDRESS")
    adopt "$ADDRESS"
    start silent python3 -c 'import socket, sys, time
silent = [socket.socket(socket.AF_UNIX) for _ in range(100)]
for client in silent:
    client.connect("\0" + sys.argv[1][1:])
print("connected", flush=True)
time.sleep(1000)' "$ADDRESS"
    within 10 grep -qs connected silent.out
    answers "$ADDRESS"
    assert_equal "$(statistic denied-failed)" 0
}

@test "a server that is started without stdin, stdout and stderr serves" {
    portshim serve --address "$ADDRESS" <&- >&- 2>&-
    adopt "$ADDRESS"
    answers "$ADDRESS"
}

@test "a directory that somebody keeps locked does not keep a server from starting there" {
    start locker flock --no-fork . sleep infinity
    until ! flock -n . true; do :; done
    timeout 60 portshim serve --address socket
    adopt socket
    answers "$PWD/socket"
}

@test "the socket file of a server is for every user, whatever the umask" {
    (umask 077 && portshim serve --address socket)
    adopt socket
    assert_equal "$(stat -c %a socket)" 666
}

@test "the statistics have portpicker's names, and count" {
    serve
    portpicker
    say 'rubbish\n'
    say '1\n'
    run portshim serve --address "$ADDRESS" --status
    assert_success
    for line in 'client-request-errors 1' 'denied-allocations 1' 'num-ports-managed 10' \
        'num-ports-checked-for-last-request 1' 'total-allocations 1' "pid $server" "address $ADDRESS" 'leases 1'; do
        assert_line "$line"
    done
}

@test "asking for statistics where no server is, or portpicker's, is one line and status 125" {
    fails_with 'Connection refused' portshim serve --address "$ADDRESS" --status
    fails_with 'No such file' portshim serve --address ./nowhere --status
    start other portserver --portserver_address "$ADDRESS" --portserver_static_pool "$(ranges)"
    within 10 grep -q Serving other.err
    fails_with 'portshim serve' portshim serve --address "$ADDRESS" --status
}

@test "a second server is refused the address of a living one, which goes on" {
    for address in "$ADDRESS" "$PWD/socket"; do
        portshim serve --address "$address"
        adopt "$address"
        fails_with 'a server has it already' portshim serve --address "$address"
        answers "$address"
    done
}

@test "of two servers that are started at once exactly one serves" {
    for address in "$ADDRESS" socket; do
        rm -f socket
        start one portshim serve --address "$address"
        one=$pid
        start other portshim serve --address "$address"
        statuses=()
        for pid in "$one" "$pid"; do
            wait "$pid" && statuses+=(0) || statuses+=($?)
        done
        run sort -n <(printf '%s\n' "${statuses[@]}")
        assert_output $'0\n125'
        adopt "$address"
        assert_equal "$(cat one.err other.err | wc -l)" 1
    done
}

@test "of ten servers that find the socket file of a dead one exactly one replaces it" {
    portshim serve --address socket
    adopt socket
    kill -KILL "$server"
    within 5 gone "$server"
    [[ -S socket ]]
    for i in {0..9}; do
        start "$i" portshim serve --address socket
        all+=("$pid")
    done
    won=0
    for pid in "${all[@]}"; do
        wait "$pid" && ((won += 1))
    done
    assert_equal "$won" 1
    adopt socket
    answers "$PWD/socket"
}

@test "a server does not touch what is no socket" {
    echo precious >file
    ln -s file link
    for path in file link .; do
        fails_with "address $path: something else than a socket" portshim serve --address "$path"
    done
    assert_equal "$(cat file)" precious
}

@test "a server that ends leaves a socket file alone that another has put there" {
    portshim serve --address socket
    adopt socket
    first=$server
    rm socket
    portshim serve --address socket
    adopt socket
    kill "$first"
    within 5 gone "$first"
    answers "$PWD/socket"
}

# is_listening PATH: a Unix socket listens there.
is_listening() {
    ss -Hlx | grep -qF " $1 "
}

@test "a server takes the socket that systemd opened for it" {
    type -P systemd-socket-activate >/dev/null || skip 'no systemd-socket-activate'
    start server systemd-socket-activate -l "$PWD/socket" -E PORTSHIM_HOME -E PORTSHIM_POOL \
        "$(type -P portshim)" serve
    within 10 is_listening "$PWD/socket"
    answers "$PWD/socket"
    ADDRESS=$PWD/socket
    assert_equal "$(statistic pid)" "$pid"
    stop "$pid"
    assert_equal "$status" 0
}

@test "what a server cannot do with its options is one line and status 125" {
    while read -ra words; do
        fails_with "${words[-1]}" portshim serve --address "$ADDRESS" "${words[@]}"
    done <<'END'
--pool rubbish
--pool 0
--pool 70000
--pool 20-10
--per-user 0
--per-user -1
--per-user many
--unknown
--pool
surplus
--address /no/such/directory/socket
END
    fails_with 'File name too long' portshim serve --address "$(printf 'x%.0s' {1..200})"
    fails_with 'address : Invalid argument' portshim serve --address ''
}
