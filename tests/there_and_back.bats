# What a program calls port P is one port of the kernel, which the program sees as P again, and vice versa: for any mix
# of placeholders, given real ports, ephemeral ports and pools.
load helper
load network

setup() {
    cd "$(test_dir)"
    make_namespace network
    PORTSHIM_HOME=$PWD/home
    export PORTSHIM_HOME
}

# binds PORT...: binds all, and prints each port that getsockname(2) names otherwise, at once or when all are bound.
binds() {
    /usr/bin/python3 -c '
import socket, sys
sockets = {}
for port in map(int, sys.argv[1:]):
    sockets[port] = socket.socket()
    sockets[port].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sockets[port].bind(("127.0.0.1", port))
    sockets[port].listen()
    if sockets[port].getsockname()[1] != port:
        print(port, "is called", sockets[port].getsockname()[1], "at once")
for port, server in sockets.items():
    if server.getsockname()[1] != port:
        print(port, "is called", server.getsockname()[1])
    with socket.create_connection(("127.0.0.1", port)) as client:
        if client.getpeername()[1] != port:
            print(port, "as a peer is called", client.getpeername()[1])
print(len(sockets), "ports")' "$@"
}

# in_run OPTION... -- PORT...: `binds` in a run with these options.
in_run() {
    local options=()
    while [[ $1 != -- ]]; do
        options+=("$1")
        shift
    done
    shift
    export -f binds
    "${in_network[@]}" portshim run "${options[@]}" -- bash -c 'binds "$@"' bash "$@"
}

# ephemeral: prints a port in the middle of the kernel's ephemeral range.
ephemeral() {
    local first last
    read -r first last < <("${in_network[@]}" cat /proc/sys/net/ipv4/ip_local_port_range)
    printf '%s\n' $(((first + last) / 2))
}

@test "random specifications and pools, runs inside runs, ports that are added, and threads that bind late" {
    run -0 timeout 120 "${in_network[@]}" "$ROOT/build/tests/there_and_back" $((RANDOM * 100)) 25
    assert_output --regexp '^[1-9][0-9]+ runs, .* [1-9][0-9]* added to, [1-9][0-9]* nested, [1-9][0-9]* late binds, [1-9][0-9]+ aliases, [1-9][0-9]* given, [1-9]'
}

@test "a listed placeholder is nobody's real port, however many are listed and given" {
    middle=$(ephemeral)
    # Exactly the ports that the run needs, and one that it must not use.
    export PORTSHIM_POOL=$middle,20000-21015
    run -0 --separate-stderr in_run -p "2000-2999,$middle=24001" -- "$middle" {2000..2998}
    assert_output '1000 ports'
}

@test "ephemeral placeholders whose numbers are real ports of others keep their names" {
    middle=$(ephemeral)
    export PORTSHIM_POOL=$middle-$((middle + 59))
    run -0 --separate-stderr in_run -p all -- 2000 2001 2002 2003 2004 $(seq "$middle" $((middle + 9))) 2005
    assert_output '16 ports'
    run -0 --separate-stderr in_run -p "$((middle + 70))=$((middle + 71)),$((middle + 71))" -- $((middle + 70)) $((middle + 71))
    assert_output '2 ports'
    run -0 --separate-stderr in_run -p "$((middle + 72))=$((middle + 71)),$((middle + 71))" -- $((middle + 72)) $((middle + 71))
    assert_output '2 ports'
}

@test "in a run inside a run, a placeholder is not the alias that the outer one has" {
    middle=$(ephemeral)
    # One of the two is the outer run's real port, the other its alias.
    export PORTSHIM_POOL=20000-20001
    start outer "${in_network[@]}" portshim run -p "$middle" -- env PORTSHIM_POOL=20010-20030 portshim run -n inner \
        -p 20000,20001 -- /usr/bin/python3 -c '
import signal, socket
sockets = [socket.create_server(("", port)) for port in (20000, 20001)]
signal.pause()'
    run -0 --separate-stderr "${in_network[@]}" portshim wait -t 60 inner 20000 20001
    assert_equal "${#lines[@]}" 2
    [[ $output != *2000[01]* ]]
}
