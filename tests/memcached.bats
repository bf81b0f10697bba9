# memcached: TCP and UDP on one number, on IPv4 and IPv6. As root it becomes nobody before it binds.
load helper

setup() {
    cd "$(test_dir)"
    memcached=(memcached -p 11211 -U 11211 -l '127.0.0.1,::1' -t 1)
    if as_root; then
        memcached+=(-u nobody)
    fi
}

start_copy() {
    start "$1" portshim run -p 11211 -m "$1.json" -- "${memcached[@]}"
}

# tcp ADDRESS PORT REQUEST...: prints the lines of the answers.
tcp() {
    local where="TCP:$1:$2"
    shift 2
    printf '%s\r\n' "$@" quit | socat -t 60 - "$where" | tr -d '\r'
}

# inside_tcp RUN ADDRESS REQUEST...: the same, by a client in the run that asks at the placeholder.
inside_tcp() {
    local name=$1 where="TCP:$2:11211"
    shift 2
    printf '%s\r\n' "$@" quit | inside "$name" socat -t 60 - "$where" | tr -d '\r'
}

# udp ADDRESS PORT REQUEST: the same over UDP. memcached's frames are request id, datagram number, datagrams in all, 0.
udp() {
    /usr/bin/python3 -c '
import socket, struct, sys
address, port, request = sys.argv[1:]
client = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(60)
client.connect((address.strip("[]"), int(port)))
client.send(struct.pack("!4H", 7, 0, 1, 0) + request.encode() + b"\r\n")
parts, count = {}, 1
while len(parts) < count:
    datagram = client.recv(65536)
    request_id, number, count, zero = struct.unpack("!4H", datagram[:8])
    assert (request_id, zero) == (7, 0), datagram
    parts[number] = datagram[8:]
print(b"".join(parts[i] for i in range(count)).decode().replace("\r", ""), end="")
' "$@"
}

# put_name NAME REAL: stores the name of a copy in it, by which `serves` recognizes the copy.
put_name() {
    assert_equal "$(tcp 127.0.0.1 "$2" "set name 0 0 ${#1}" "$1")" STORED
}

# serves NAME RUN REAL: that copy answers over TCP, UDP, IPv4 and IPv6, and over TCP inside its run.
serves() {
    local address name=$1 map=$2 port=$3
    local answer="VALUE name 0 ${#name}"$'\n'"$name"$'\n'END
    for address in 127.0.0.1 '[::1]'; do
        assert_equal "$(tcp "$address" "$port" 'get name')" "$answer"
        assert_equal "$(udp "$address" "$port" 'get name')" "$answer"
        assert_equal "$(inside_tcp "$map" "$address" 'get name')" "$answer"
    done
}

@test "eight copies started at once beside a squatter each serve their own data over TCP and UDP" {
    own_pool 100
    squatter
    for ((i = 0; i < 8; i++)); do
        start_copy "$i"
        pids+=("$pid")
    done
    for ((i = 0; i < 8; i++)); do
        mapfile -t both < <(real "$i.json" 11211/tcp 11211/udp)
        assert_equal "${both[0]}" "${both[1]}"
        ports+=("${both[0]}")
        put_name "copy $i" "${ports[i]}"
    done
    for ((i = 0; i < 8; i++)); do
        serves "copy $i" "$i.json" "${ports[i]}"
    done
    assert_equal "$(printf '%s\n' "${ports[@]}" | sort -u | wc -l)" 8
}

@test "a copy says over UDP at its real port which process it is" {
    start_copy 0
    port=$(real 0.json 11211/tcp 11211/udp | head -n 1)
    put_name udp "$port" # memcached answers when all its sockets are there
    for address in 127.0.0.1 '[::1]'; do
        run udp "$address" "$port" stats
        assert_success
        assert_line "STAT pid $pid"
    done
}

@test "a copy that became nobody before it bound has its real port all the same" {
    start_copy 0
    put_name privileges "$(real 0.json 11211)"
    if as_root; then
        assert_equal "$(ps -o user= -p "$pid")" nobody
    else
        assert_equal "$(ps -o uid= -p "$pid" | tr -d ' ')" "$EUID"
    fi
}

@test "a copy that is stopped and restarted in its run is found again at the same real port" {
    start keeper portshim run -p 11211 -m 0.json -- sleep infinity
    within 5 test -e 0.json
    for time in first second third; do
        start server portshim run -j 0.json -- "${memcached[@]}"
        mapfile -t both < <(real 0.json 11211/tcp 11211/udp)
        ports+=("${both[@]}")
        put_name "$time" "${both[0]}"
        serves "$time" 0.json "${both[0]}"
        stop "$pid"
    done
    assert_equal "$(printf '%s\n' "${ports[@]}" | sort | uniq -c | tr -s ' ')" " 6 ${ports[0]}"
}

@test "a copy that is sent SIGTERM leaves no process, and the next run gets its port" {
    own_pool 1
    start_copy 0
    port=$(real 0.json 11211)
    assert_equal "$port" "$PORTSHIM_POOL"
    put_name first "$port"
    fails_with 'pool exhausted' portshim run -p 11211 -- true

    stop "$pid"
    assert_equal "$status" 0
    nobody_in "$(jq -r .run 0.json)"
    start_copy 1
    assert_equal "$(real 1.json 11211)" "$port"
    put_name second "$port"
    serves second 1.json "$port"
}
