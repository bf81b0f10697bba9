# Late placeholders, which nobody listed or which are too many to lease at start, get a real port at their first bind.
load helper
load bare
load peer
load network

setup() {
    cd "$(test_dir)"
}

in_first=(portshim run -j 1.json --)
in_second=(portshim run -j 2.json --)

@test "-p all isolates and publishes three servers that nobody listed, and leaves the host's to clients" {
    bare_ports 4
    strangers
    servers=("${bare_ports[@]:0:3}") foreign=${bare_ports[3]}
    serve 1 "${servers[*]}" portshim run -p all -m 1.json --
    serve 2 "${servers[*]}" portshim run -p all -m 2.json --
    answers 1 "${servers[*]}" "${in_first[@]}"
    answers 2 "${servers[*]}" "${in_second[@]}"
    nobody_visited_strangers
    answers stranger "$foreign" "${in_first[@]}"

    run portshim port 1.json "${servers[@]}"
    assert_success
    assert_equal "$(portshim wait -t 60 1.json "${servers[@]}")" "$output"
    answers 1 "$output"
    for port in "${servers[@]}"; do
        assert_equal "$(jq ".ports[] | select(.placeholder == $port) | .real" 1.json)" "$(portshim port 1.json "$port")"
    done
    answers 2 "$(portshim port 2.json "${servers[@]}" | xargs)"
}

# far_number: bare_ports 1, where no number of the thousand and hundred below is an ephemeral port: each of those would need a
# second lease, for its alias.
far_number() {
    local first last SUITE_NUMBERS=$SUITE_NUMBERS
    read -r first last </proc/sys/net/ipv4/ip_local_port_range
    if ((first >= 30000)); then
        SUITE_NUMBERS=14000-$((first - 1))
    elif ((last <= 60000)); then
        SUITE_NUMBERS=$((last + 1100))-65535
    fi
    bare_ports 1
}

@test "of more than a thousand placeholders the last are kept apart as well, and refuse while nobody has bound them" {
    far_number
    last=${bare_ports[0]} first=$((bare_ports[0] - 1010))
    own_pool 2100
    strangers
    for i in 1 2; do
        start "keeper$i" portshim run -p "$first-$last" -m "$i.json" -- sleep infinity
        within 20 test -e "$i.json"
    done
    answers 'Connection refused' "$last" "${in_first[@]}"
    serve 1 "$first $last" "${in_first[@]}"
    answers 1 "$first $last" "${in_first[@]}"
    answers 'Connection refused' "$first $last" "${in_second[@]}"
    serve 2 "$first $last" "${in_second[@]}"
    answers 2 "$first $last" "${in_second[@]}"
    answers 1 "$first $last" "${in_first[@]}"
    assert_equal "$(portshim wait -t 60 1.json "$last")" "$(portshim port 1.json "$last")"
    nobody_visited_strangers
}

# Forty servers are more than the ports leased beforehand. First they are in one process, then each in its own.
@test "forty ports that are bound late get forty real ports" {
    own_pool 150
    serve one "$(seq -s ' ' 9001 9040)" portshim run -p all -m 1.json --
    refute [ "$(grep -c : one.out)" -gt 0 ]
    answers one "$(seq -s ' ' 9001 9040)" "${in_first[@]}"
    # shellcheck disable=SC2016 # expanded by that shell
    start many portshim run -p all -m 2.json -- bash -c 'trap "kill \$(jobs -p)" TERM; for ((port = 9001; port <= 9040; port++)); do
        "$@" "$port" "$port" & done; wait' bash "${peer[@]}" serve
    # shellcheck disable=SC2046 # words are meant
    run portshim wait -t 90 2.json $(printf '%s/tcp %s/udp ' {9001..9040}{,})
    assert_success
    assert_equal "$(sort -u <<<"$output" | wc -l)" 40
    for port in 9001 9020 9040; do
        answers "$port" "$port" "${in_second[@]}"
    done
    stop "$pid"
}

@test "a late bind for which no port is left is an address in use" {
    own_pool 20 # sixteen are leased beforehand, four are left
    serve one "$(seq -s ' ' 9001 9030)" portshim run -p all -m 1.json --
    assert_equal "$(grep -c 'Address already in use' one.out)" 10
    answers one "$(seq -s ' ' 9001 9020)" "${in_first[@]}"
}

@test "a cancelled thread with a stack of 16 KiB binds late ports as any other" {
    own_pool 50
    run portshim run -p all -- "$ROOT/build/tests/late" thread 9001 30
    assert_success
    assert_output 30
}

# Below the new root, the home's path would name another home, with a lease table that nobody else uses.
@test "a program that has changed its root binds more ports than were leased beforehand, and makes no home of its own" {
    as_root || skip 'only root can change its root'
    own_pool 50
    mkdir -p "root$PWD"
    run portshim run -p all -- "$ROOT/build/tests/late" jail root 9001 30
    assert_output 30
    assert_equal "$(find "root$PWD" -mindepth 1)" ''
}

@test "a datagram for a late placeholder for which no port is left is refused, not sent to the host's" {
    far_number
    own_pool 1100
    last=${bare_ports[0]}
    strangers
    run portshim run -p "$((last - 1050))-$last" -- "$ROOT/build/tests/late" refused "$((last - 40))" "$last"
    assert_output "$(printf '%s\n' 'all bound' 'Connection refused' 'Connection refused')"
    nobody_visited_strangers
}

@test "a pool with too few ports for late placeholders is said" {
    own_pool 10
    run portshim run -p all -- true
    assert_failure 125
    assert_output --partial 'no real port for placeholders to come: pool exhausted: it has 10 ports, the run needs 16'
}

@test "a number that the kernel gave stays its socket's while that is there, and is a placeholder after" {
    cat >given.py <<'EOF'
import errno, socket

listener = socket.create_server(('127.0.0.1', 0))
number = listener.getsockname()[1]
# UDP gets the same number and a second listener is refused, as without portshim.
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagrams.bind(('127.0.0.1', number))
assert datagrams.getsockname()[1] == number == listener.getsockname()[1]
try:
    socket.socket().bind(('127.0.0.1', number))
    raise AssertionError('bound twice')
except OSError as error:
    assert error.errno == errno.EADDRINUSE
client = socket.create_connection(('127.0.0.1', number))
listener.accept()
assert client.getpeername()[1] == number
# A number that was found, closed and bound again gets a leased port, which nobody else can get in between.
found = socket.socket()
found.bind(('127.0.0.1', 0))
number = found.getsockname()[1]
found.close()
again = socket.create_server(('127.0.0.1', number))
socket.create_connection(('127.0.0.1', number))
again.accept()
with open('/proc/net/tcp') as table:
    assert not any('0100007F:%04X 00000000' % number in line for line in table)
EOF
    make_namespace network # nobody else has the numbers that the kernel gives
    export PORTSHIM_HOME=$PWD/home
    unset PORTSHIM_POOL
    "${in_network[@]}" portshim run -p all -- /usr/bin/python3 given.py
    "${in_network[@]}" portshim run -p 1-65535 -- /usr/bin/python3 given.py
}
