# portshim ports runs a command without rewriting, and lists the fixed ports of this host that it and its children use.
# shellcheck disable=SC2016 # expanded by the shells that are started
load helper
load nginx
load network

setup() {
    cd "$(test_dir)"
}

# discovered COMMAND...: runs it by portshim ports. $status is the command's; ./table has the list, with a line
# "PORT TYPE USE PROGRAM REMARK" for each port.
discovered() {
    run "${in_network[@]}" portshim ports -o found -- "$@"
    sed 1d found | tr -s ' ' | sed 's/^ //; s/ $//' >table
}

# found LINE...: ./table has exactly these lines, in any order.
found() {
    (($# == 0)) || printf '%s\n' "$@" | sort >expected
    (($# > 0)) || : >expected
    sort table | diff expected -
}

# fixed COUNT: picks port numbers for a test to use as fixed ones, as other tests run at the same time.
fixed() {
    portshim pick -n "$1" $$
}

server_and_client='
import socket, sys
port = int(sys.argv[1])
server = socket.create_server(("127.0.0.1", port))
client = socket.create_connection(("127.0.0.1", port))
server.accept()[0].sendall(b"hello")
assert client.recv(5) == b"hello" and client.getpeername()[1] == port == server.getsockname()[1]'

@test "the ports that are bound and connected to are said, with protocol and program" {
    port=$(fixed 1)
    discovered /usr/bin/python3 -c "$server_and_client" "$port"
    assert_equal "$status $output" '0 '
    found "$port tcp bind python3" "$port tcp connect python3"
}

@test "UDP is told from TCP, for sending as for binding" {
    port=$(fixed 1)
    discovered /usr/bin/python3 -c '
import socket, sys
address = "127.0.0.1", int(sys.argv[1])
server, client = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
server.bind(address)
client.sendto(b"x", address)
assert server.recv(1) == b"x"' "$port"
    assert_equal "$status $output" '0 '
    found "$port udp bind python3" "$port udp connect python3"
}

@test "IPv6 is no other port" {
    has_ipv6 || skip 'no IPv6 here'
    port=$(fixed 1)
    discovered /usr/bin/python3 -c '
import socket, sys
port = int(sys.argv[1])
for family, host in (socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"):
    server = socket.create_server((host, port), family=family)
    socket.create_connection((host, port))' "$port"
    assert_equal "$status $output" '0 '
    found "$port tcp bind python3" "$port tcp connect python3"
}

@test "unix sockets, ports that the kernel chose and other hosts are left out" {
    discovered /usr/bin/python3 -c '
import socket
unix = socket.socket(socket.AF_UNIX)
unix.bind("socket")
unix.listen()
socket.socket(socket.AF_UNIX).connect("socket")
server = socket.create_server(("127.0.0.1", 0))
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
try:
    datagrams.sendto(b"x", ("192.0.2.1", 9))
except OSError:
    pass # no route'
    assert_equal "$status $output" '0 '
    found
}

@test "a server and its clients are told apart, and each is said once" {
    port=$(fixed 1)
    discovered sh -c 'redis-server --port "$0" --save "" --logfile redis.log &
        until redis-cli -p "$0" ping >/dev/null 2>&1; do sleep 0.05; done # in no run: nothing tells when it answers
        redis-cli -p "$0" shutdown nosave; wait' "$port"
    assert_equal "$status $output" '0 '
    found "$port tcp bind redis-server" "$port tcp connect redis-cli"
}

@test "a daemon with workers, and what children of children do, is in the list" {
    read -ra ports < <(fixed 2 | paste -sd ' ')
    nginx_copy one "127.0.0.1:${ports[0]}" "127.0.0.1:${ports[1]}"
    nginx_command one
    start nginx portshim ports -o found -- sh -c '"$@"; exit 5' - "${nginx[@]}"
    within 20 curl -s -o page "http://127.0.0.1:${ports[1]}/"
    kill -QUIT "$(cat one/nginx.pid)"
    status=0
    wait "$pid" || status=$?
    assert_equal "$status" 5
    sed 1d found | tr -s ' ' | sed 's/^ //; s/ $//' >table
    found "${ports[0]} tcp bind nginx" "${ports[1]} tcp bind nginx"
}

@test "no port is rewritten: the server is where it says, and nothing is leased" {
    port=$(fixed 1)
    own_pool 1
    start server portshim ports -o found -- /usr/bin/python3 -m http.server --bind 127.0.0.1 "$port"
    within 20 curl -s -o page "http://127.0.0.1:$port/"
    portshim run -p 1 -- true
    stop "$pid"
    grep -qE "^ *$port +tcp +bind +python3" found
}

@test "the list is printed although a signal ends the command" {
    port=$(fixed 1)
    start server portshim ports -- /usr/bin/python3 -m http.server --bind 127.0.0.1 "$port"
    within 20 curl -s -o page "http://127.0.0.1:$port/"
    stop "$pid" TERM
    assert_equal "$status" 143
    grep -qE "^ *$port +tcp +bind +python3" server.err
    start server setsid portshim ports -- /usr/bin/python3 -c "
import socket, signal
signal.signal(signal.SIGINT, signal.SIG_DFL)
server = socket.create_server(('127.0.0.1', $port))
print('ready', flush=True)
signal.pause()"
    within 20 grep -qsx ready server.out
    kill -INT -- "-$pid" # as the terminal's key does
    wait "$pid" || :
    grep -qE "^ *$port +tcp +bind +python3" server.err
}

@test "a port that is in use is said" {
    port=$(fixed 1)
    start other socat "TCP-LISTEN:$port,bind=127.0.0.1" /dev/null
    within 10 listens "$port"
    discovered /usr/bin/python3 -m http.server --bind 127.0.0.1 "$port"
    assert_equal "$status" 1
    found "$port tcp bind, in use python3"
}

@test "ephemeral ports are marked" {
    make_namespace network # on this host, others get such ports all the time
    read -r first last < <("${in_network[@]}" cat /proc/sys/net/ipv4/ip_local_port_range)
    ephemeral=$((first + RANDOM % (last - first)))
    discovered /usr/bin/python3 -c "$server_and_client" "$ephemeral"
    found "$ephemeral tcp bind python3 ephemeral" "$ephemeral tcp connect python3 ephemeral"
}

@test "privileged ports are marked" {
    as_root || skip 'only root may bind a privileged port'
    make_namespace network
    privileged=$((600 + RANDOM % 300))
    discovered /usr/bin/python3 -c "$server_and_client" "$privileged"
    found "$privileged tcp bind python3 privileged" "$privileged tcp connect python3 privileged"
}

@test "the exit status is the command's, or as portshim run's" {
    for expected in 0 1 77 255; do
        run portshim ports -o found -- sh -c "exit $expected"
        assert_equal "$status" "$expected"
    done
    run portshim ports -o found -- sh -c 'kill -KILL $$'
    assert_equal "$status" 137
    rm found
    ends_with 127 './none: No such file' portshim ports -o found -- ./none
    echo text >text
    ends_with 126 './text: ' portshim ports -o found -- ./text
    printf '#!/no/such\n' >script
    chmod 755 script
    ends_with 127 'No such file' portshim ports -o found -- ./script
    fails_with 'nothing to run' portshim ports
    fails_with --frob portshim ports --frob -- true
    fails_with 'none/found: No such file' portshim ports -o none/found -- touch started
    PORTSHIM_LIB=$PWD/none.so fails_with 'none.so: No such file' portshim ports -o found -- touch started
    [[ ! -e found && ! -e started ]]
}

@test "the command has its own stdin, stdout, arguments and environment" {
    run -0 --separate-stderr portshim ports -- sh -c 'cat; echo "$0 $1 $WORD"' 'a b' c <<<input
    assert_output "$(printf 'input\na b c ')"
    WORD=w run -0 --separate-stderr portshim ports -- sh -c 'echo "$WORD"; [ -z "$PORTSHIM_PORT_8080" ]'
    assert_output w
    assert_equal "${#stderr_lines[@]}" 1
}

@test "a program that cannot be looked into is named, be it the command or another" {
    echo 'int main(void) { return 3; }' | cc -static -x c -o static -
    export PORTSHIM_TRAP=off
    discovered ./static
    assert_equal "$status" 3
    found '# static could not be looked into: see portshim doctor'
    discovered sh -c './static; true'
    found '# static could not be looked into: see portshim doctor'
}

@test "nothing is left of it but what was asked for" {
    mkdir -m 700 home
    export PORTSHIM_HOME=$PWD/home
    portshim ports -- true
    find . >before
    portshim ports -- /usr/bin/python3 -c "$server_and_client" "$(PORTSHIM_HOME=$SUITE_DIR/home fixed 1)"
    run -127 portshim ports -- ./none
    find . ! -name before | diff <(grep -vx ./before before) -
    [[ -z $(find home/runs home/names -mindepth 1) ]]
}

@test "what is connected to leaves room for what is bound, and what there is no room for is said" {
    port=$(fixed 1)
    run -0 --separate-stderr portshim ports -o found -- /usr/bin/python3 -c 'import socket, sys
client = socket.socket(type=socket.SOCK_DGRAM)
for port in range(20000, 21500):
    client.connect(("127.0.0.1", port))
socket.socket().bind(("127.0.0.1", int(sys.argv[1])))' "$port"
    grep -qE "^ *$port +tcp +bind " found
    assert_equal "${#stderr_lines[@]}" 1
    assert_equal "$stderr" 'portshim: warning: some of the ports that were connected to may be missing:'\
' there was no room for more: run its parts one by one'
}

@test "a list or a .portshim that cannot be written leaves no run behind" {
    export PORTSHIM_HOME=$PWD/home
    run -125 portshim ports --write -o found -- sh -c 'touch .portshim; /usr/bin/python3 -c "$0" "$1"' \
        "$server_and_client" "$(PORTSHIM_HOME=$SUITE_DIR/home fixed 1)"
    assert_output 'portshim: .portshim: File exists: remove it, or go to another directory'
    [[ -z $(find "$PORTSHIM_HOME/runs" -mindepth 1) ]]
}

@test "--write makes a .portshim of what was bound, for portshim run" {
    read -ra ports < <(fixed 2 | paste -sd ' ')
    start other socat "TCP-LISTEN:${ports[1]},bind=127.0.0.1,fork" /dev/null
    within 10 listens "${ports[1]}"
    run -0 portshim ports --write -- sh -c '/usr/bin/python3 -c "$0" "$1" && socat -u /dev/null "TCP:127.0.0.1:$2" &&
        socat -u /dev/null "UDP:127.0.0.1:$1,sourceport=$2"' "$server_and_client" "${ports[@]}"
    assert_equal "$(cat .portshim)" "$(echo '# fixed ports that portshim ports has seen bound' &&
        printf 'ports %s\n' "${ports[0]}/tcp" "${ports[1]}/udp" | sort -n -k 2)"
    run -0 portshim run --require-bind -- sh -c '/usr/bin/python3 -c "$0" "$1"' "$server_and_client" "${ports[0]}"
    run -0 portshim run -c
    assert_line --index 0 --partial "${ports[0]}/tcp"
}

@test "--write touches no .portshim that is there, and says so before the command is started" {
    echo 'ports 8080' >.portshim
    run -125 portshim ports --write -- touch started
    assert_output 'portshim: .portshim: it is there already: remove it, or leave --write away'
    [[ ! -e started ]]
    assert_equal "$(cat .portshim)" 'ports 8080'
    rm .portshim
    run -4 portshim ports --write -o found -- sh -c 'exit 4'
    assert_output --partial '.portshim is not written: no fixed port was bound'
    [[ ! -e .portshim ]]
}

@test "inside a run, portshim ports still shows what its command names, and rewrites nothing" {
    port=$(fixed 1)
    run -0 portshim run -p "$port" -- portshim ports -o found -- /usr/bin/python3 -c "$server_and_client" "$port"
    assert_output ''
    grep -qE "^ *$port +tcp +bind +python3" found
    start server portshim run -p "$port" -- portshim ports -- /usr/bin/python3 -m http.server --bind 127.0.0.1 "$port"
    within 20 curl -s -o page "http://127.0.0.1:$port/"
}
