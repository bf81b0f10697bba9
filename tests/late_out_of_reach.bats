# A daemon that has changed its user or its root, or has no descriptor left, can still bind ports that nobody listed. It
# gets the ports that were leased beforehand; after those, the kernel chooses.
load helper
load network

setup() {
    cd "$(test_dir)"
    own_pool 100
}

# Such ports are the kernel's ephemeral ones. On this host, other tests' clients would have some of them for one protocol
# or family, so these tests have a network of their own.

# binds NAME WHERE [DIRECTORY]: a program binds forty placeholders in the run of NAME.json; ${reals[@]} are its ports.
binds() {
    local name=$1 numbers
    mapfile -t numbers < <(seq 9001 9040)
    start "$name" "${in_network[@]}" portshim run -p all -m "$name.json" -- \
        /usr/bin/python3 "$PROGRAMS/out_of_reach.py" "${@:2}" 9001 40
    within 30 grep -qsx ready "$name.out"
    assert_equal "$(cat "$name.out" "$name.err")" ready
    run "${in_network[@]}" portshim wait -t 20 "$name.json" "${numbers[@]}"
    assert_success
    mapfile -t reals <<<"$output"
    assert_equal "$(sort -u <<<"$output" | wc -l)" 40
    assert_equal "$("${in_network[@]}" portshim port "$name.json" "${numbers[@]}")" "$output"
    assert_equal "$(jq '[.ports[].real] | unique | length' "$name.json")" 40
}

# Only the sixteen ports that were leased beforehand are from the pool.
assert_chosen() {
    run comm -12 <(tr , '\n' <<<"$PORTSHIM_POOL" | sort) <(printf '%s\n' "${reals[@]}" | sort)
    assert_equal "${#lines[@]}" 16
}

@test "after it has changed its user" {
    as_root || skip 'only root can change its user'
    make_namespace network
    binds 1 user
    assert_chosen
}

@test "after it has changed its root" {
    as_root || skip 'only root can change its root'
    make_namespace network
    mkdir root
    binds 1 chroot "$PWD/root"
    assert_chosen
}

@test "with no descriptor left" {
    make_namespace network
    binds 1 descriptors
    assert_chosen
}

@test "where the home is in reach, all are leased" {
    binds 1 nothing
    run comm -12 <(tr , '\n' <<<"$PORTSHIM_POOL" | sort) <(printf '%s\n' "${reals[@]}" | sort)
    assert_equal "${#lines[@]}" 40
}

@test "two such daemons have ports of their own, and a client that joins one reaches it" {
    as_root || skip 'only root can change its user'
    make_namespace network
    binds 1 user
    first=("${reals[@]}")
    binds 2 user
    run comm -12 <(printf '%s\n' "${first[@]}" | sort) <(printf '%s\n' "${reals[@]}" | sort)
    assert_output ''
    inside 1.json "${in_network[@]}" /usr/bin/python3 -c "import socket
assert socket.create_connection(('127.0.0.1', 9040)).getpeername()[1] == 9040"
}

# Here the pool is the kernel's range. The lease table does not have ports that the kernel chose, and might lease them.
@test "a port that the kernel chose is leased for no other placeholder of the run, also when its socket is gone" {
    as_root || skip 'only root can change its user'
    make_namespace network
    "${in_network[@]}" sh -c 'echo 50000 50059 >/proc/sys/net/ipv4/ip_local_port_range'
    export PORTSHIM_POOL=50000-50059
    cat >bind.py <<'END'
import os, socket, sys
if sys.argv[1] == 'user':
    os.setuid(65534)
servers = [socket.create_server(('127.0.0.1', number)) for number in range(int(sys.argv[2]), int(sys.argv[3]))]
END
    start run "${in_network[@]}" portshim run -p all -m 1.json -- sleep infinity
    within 10 test -e 1.json
    "${in_network[@]}" portshim run -j 1.json -- setpriv --no-new-privs /usr/bin/python3 bind.py user 9001 9031
    "${in_network[@]}" portshim run -j 1.json -- /usr/bin/python3 bind.py same 9101 9121
    "${in_network[@]}" portshim port 1.json 9001 >/dev/null
    assert_equal "$(jq '.ports | length' 1.json)" 50
    assert_equal "$(jq '[.ports[].real] | unique | length' 1.json)" 50
}

# Half of the ports that the kernel can choose are listed placeholders.
@test "with no descriptor left, a number that means something in the run is not taken" {
    make_namespace network
    "${in_network[@]}" sh -c 'echo 50000 50039 >/proc/sys/net/ipv4/ip_local_port_range'
    unset PORTSHIM_POOL
    cat >bind.py <<'END'
import resource, socket
servers = [socket.socket() for _ in range(21)]
resource.setrlimit(resource.RLIMIT_NOFILE, (0, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
for number, server in enumerate(servers, 9001):
    server.bind(('127.0.0.1', number))
    assert server.getsockname()[1] == number
END
    "${in_network[@]}" portshim run -p all,8001-9000,50000-50019 -m 1.json -- /usr/bin/python3 bind.py
}

@test "where the run requires a port server, the kernel does not choose" {
    as_root || skip 'only root can change its user'
    portshim serve --address "$PWD/socket" --pool "$PORTSHIM_POOL"
    STARTED+=("$(portshim serve --address "$PWD/socket" --status | sed -n 's/^pid //p')")
    export PORTSERVER_ADDRESS=$PWD/socket
    start program portshim run --require-portserver -p all -- /usr/bin/python3 "$PROGRAMS/out_of_reach.py" user 9001 20
    within 30 grep -qsx ready program.out
    assert_equal "$(grep -c 'AF_INET SOCK_STREAM Address already in use' program.out)" 4
}
