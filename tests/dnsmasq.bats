# dnsmasq on port 53, started by a user who may not bind it: the run gives it an unprivileged real port.
load helper

copies=3

# The words before a command that run it as an ordinary user, who owns the test's directory and has a copy of portshim
# there.
user=()

setup() {
    cd "$(test_dir)"
    portshim=portshim
    if as_root; then
        user=(setpriv --reuid nobody --regid nogroup --clear-groups)
        own_pool 10
        cp "$BUILD/portshim" .
        portshim=$PWD/portshim
        chown nobody .
    fi
}

as_user() {
    "${user[@]}" "$portshim" "$@"
}

# copy_command NUMBER: puts the command of a copy into $dnsmasq. It answers copy.test with its own address, and big.test
# with more than fits in a datagram.
copy_command() {
    local i
    dnsmasq=(dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --pid-file= --user=
        --log-facility=- --listen-address=127.0.0.1 --listen-address=::1 --bind-interfaces --host-record="copy.test,192.0.2.$1")
    for ((i = 0; i < 60; i++)); do
        dnsmasq+=(--txt-record="big.test,$1 of ${1}th text $i")
    done
}

start_copy() {
    copy_command "$1"
    start "$1" "${user[@]}" "$portshim" run -p 53 -m "$1.json" -- "${dnsmasq[@]}"
}

# is_there COPY: waits until it listens over UDP and TCP, and puts its real port into $port.
is_there() {
    port=$(as_user wait -t 60 "$1.json" 53/udp)
    assert_equal "$(as_user wait -t 60 "$1.json" 53/tcp)" "$port"
}

# serves COPY RUN ADDRESS...: a client in the run, and one at the real port, get its answers over UDP and TCP.
serves() {
    local copy=$1 map=$2 address protocol
    shift 2
    is_there "$map"
    for address; do
        for protocol in +notcp +tcp; do
            assert_equal "$(as_user run -j "$map.json" -- dig +time=60 +short "$protocol" "@$address" copy.test)" "192.0.2.$copy"
            assert_equal "$(dig +time=60 +short "$protocol" -p "$port" "@$address" copy.test)" "192.0.2.$copy"
        done
    done
}

@test "copies that an ordinary user starts on 53 each give their own answers over UDP and TCP" {
    for ((i = 0; i < copies; i++)); do
        start_copy "$i"
    done
    for ((i = 0; i < copies; i++)); do
        serves "$i" "$i" 127.0.0.1 ::1
    done
    assert_not_equal "$(ps -o uid= -p "$pid" | tr -d ' ')" 0
}

@test "the client finds its run's server by the number that is the protocol's own" {
    start_copy 0
    is_there 0
    run as_user run -j 0.json -- dig +time=60 @127.0.0.1 copy.test
    assert_line ';; SERVER: 127.0.0.1#53(127.0.0.1) (UDP)'
    assert_line --regexp $'^copy.test.\t+0\tIN\tA\t192.0.2.0$'
}

@test "an answer that is too long for a datagram is fetched over TCP from the same copy" {
    start_copy 0
    start_copy 1
    for i in 0 1; do
        is_there "$i"
        run as_user run -j "$i.json" -- dig +time=60 @127.0.0.1 big.test TXT
        assert_line ';; SERVER: 127.0.0.1#53(127.0.0.1) (TCP)'
        assert_equal "$(grep -cF "\"$i of ${i}th text" <<<"$output")" 60
    done
}

# is_left PORT: nobody has it. A process that dnsmasq has forked for a TCP connection may keep its sockets for a moment.
is_left() {
    [[ -z $(ss -Hlntu "sport = $1") ]]
}

@test "another copy that takes over in the run answers at the same real port" {
    start keeper "${user[@]}" "$portshim" run -p 53 -m run.json -- sleep infinity
    within 5 test -e run.json
    for i in 1 2 3; do
        copy_command "$i"
        start "$i" "${user[@]}" "$portshim" run -j run.json -- "${dnsmasq[@]}"
        serves "$i" run 127.0.0.1 ::1
        ports+=("$port")
        stop "$pid"
        assert_equal "$status" 0
        within 10 is_left "$port"
    done
    assert_equal "${ports[*]}" "$port $port $port"
}
