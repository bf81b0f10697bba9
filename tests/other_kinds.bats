# Sockets of neither TCP nor UDP are left alone: the numbers in their addresses are not placeholders.
load helper
load network

setup() {
    cd "$(test_dir)"
    make_namespace network
    export PORTSHIM_HOME=$PWD/home
}

# Nobody may make a ping socket in a new network until this is said.
allow_ping_sockets() {
    "${in_network[@]}" sysctl -qw net.ipv4.ping_group_range="0 0"
}

# same HOW KIND PORT [OPTION...]: the kernel shows the same sockets in a run with that placeholder (`-p PORT` or the
# options) as without a run.
same() {
    local status=0 words=("$ROOT/build/tests/other_kinds" "$1" "$2" "${3%/*}")
    "${in_network[@]}" "${words[@]}" >bare.out 2>bare.err || status=$?
    if grep -q 'cannot be made' bare.err; then
        echo "# no socket of the kind $2: $(tail -n 1 bare.err)" >&3
        return
    fi
    assert_equal "$status" 0
    "${in_network[@]}" portshim run -p "$3" "${@:4}" -- "${words[@]}" >wrapped.out 2>&1 || status=$?
    run diff bare.out wrapped.out
    assert_success
    assert_equal "$status" 0
    grep -q ':' bare.out # the kernel's table showed the socket
}

@test "ping -6 works where 58, its protocol, is a placeholder, and ping where 1 is" {
    # ping uses a raw socket.
    "${in_network[@]}" portshim run -p 58 -- ping -6 -c 1 -W 60 ::1
    "${in_network[@]}" portshim run -p 1 -- ping -4 -c 1 -W 60 127.0.0.1
    # And here it uses a ping socket.
    allow_ping_sockets
    "${in_network[@]}" portshim run -p 58 -- ping -6 -c 1 -W 60 ::1
    "${in_network[@]}" portshim run -p 1 -- ping -4 -c 1 -W 60 127.0.0.1
}

@test "raw sockets, ping sockets and UDP-Lite keep the number they were given, in every call" {
    allow_ping_sockets
    for kind in raw raw6 header ping ping6 udplite udplite6; do
        same made "$kind" 58
        same made "$kind" 8080
        same made "$kind" 8080 --reveal
    done
}

@test "also where the socket was made by syscall(), inherited, or received in a message" {
    allow_ping_sockets
    for how in syscall inherited recvmsg recvmmsg; do
        same "$how" udplite 8080
        same "$how" raw6 58
        same "$how" udplite 8080 --reveal
    done
}

@test "also for a placeholder of one protocol, and for one that gets its port late" {
    allow_ping_sockets
    for kind in raw raw6 ping udplite udplite6; do
        same made "$kind" 8080/udp
        same made "$kind" 8080/tcp
        same made "$kind" 8080 -p all
    done
}

@test "TCP, MPTCP and UDP beside them are translated as ever" {
    "${in_network[@]}" portshim run -p 8080-8082,8083/udp,8084/tcp -- /usr/bin/python3 - <<'EOF'
import socket

held = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_UDPLITE)]
UDP, TCP, MPTCP = socket.SOCK_DGRAM, socket.SOCK_STREAM, 262


def kernel_has(port):
    tables = [open(f"/proc/net/{name}").read() for name in ("tcp", "udp")]
    return any(f":{port:04X} " in table for table in tables)


for kind, protocol, port in (UDP, 0, 8080), (TCP, 0, 8081), (TCP, MPTCP, 8082), (UDP, 0, 8083), (TCP, 0, 8084):
    try:
        held.append(socket.socket(socket.AF_INET, kind, protocol))
    except OSError as error:
        assert protocol == MPTCP, error
        continue
    held[-1].bind(("127.0.0.1", port))
    if kind == TCP:
        held[-1].listen()
    assert held[-1].getsockname() == ("127.0.0.1", port)
    assert not kernel_has(port), port
for kind, port in (TCP, 8083), (UDP, 8084):
    held.append(socket.socket(socket.AF_INET, kind))
    held[-1].bind(("127.0.0.1", port))
    if kind == TCP:
        held[-1].listen()
    assert kernel_has(port), port
EOF
}

@test "what they bind is not taken for a port that somebody forgot to list" {
    allow_ping_sockets
    local program=$ROOT/build/tests/other_kinds
    # shellcheck disable=SC2016 # expanded by the inner shell
    "${in_network[@]}" portshim ports -- sh -c '"$0" made udplite 9090 >out; "$0" made raw 9091 >>out' "$program" >listed 2>&1
    grep -q udplite: out || skip "no such socket can be made"
    run cat listed
    refute_line --regexp '^ +909[01] '
    rm out
    # shellcheck disable=SC2016
    start run portshim run -n other -p 8080 -- "${in_network[@]}" sh -c '"$0" made udplite 9090 >out; exec sleep infinity' "$program"
    within 10 grep -qs udplite: out
    run -0 portshim ls other
    refute_line --regexp '^ +9090 '
}
