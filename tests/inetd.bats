# openbsd-inetd and systemd-socket-activate bind for servers, which they start with a fresh environment.
load helper

copies=3

setup() {
    cd "$(test_dir)"
    cp "$PROGRAMS/activated.py" .
}

# start_inetd NAME: starts it as an ordinary user, as root's inetd would write its pid into /run.
start_inetd() {
    local user=() name
    name=$(id -un)
    if as_root; then
        user=(setpriv --reuid nobody --regid nogroup --clear-groups)
        name=nobody
    fi
    printf '%s %s %s %s /usr/bin/python3 python3 %s %s\n' \
        127.0.0.1:9000 stream tcp "nowait $name" "$PWD/activated.py" "$1" \
        '[::1]:9000' stream tcp6 "nowait $name" "$PWD/activated.py" "$1" \
        127.0.0.1:9001 stream tcp "nowait $name" "$PWD/activated.py" "$1" \
        127.0.0.1:9000 dgram udp "wait $name" "$PWD/activated.py" "$1" >"$1.conf"
    start "$1" portshim run -p 9000,9001 -m "$1.json" -- "${user[@]}" inetd -i "$1.conf"
}

# activate NAME OPTION...: starts systemd-socket-activate; the options name its addresses.
activate() {
    local name=$1
    shift
    start "$name" portshim run -p 9000,9001 -m "$name.json" -- systemd-socket-activate "$@" \
        /usr/bin/python3 "$PWD/activated.py" "$name"
}

# tcp ADDRESS PORT: prints what the server says.
tcp() {
    socat -u -T 60 "TCP:$1:$2" -
}

# udp ADDRESS PORT [COMMAND...]: prints what the server says to a client that the command starts.
udp() {
    # shellcheck disable=SC2016 # expanded inside
    "${@:3}" bash -c 'exec 4<>"/dev/udp/$1/$2"; echo hello >&4; timeout 60 head -n 1 <&4' - "$1" "$2"
}

# Every copy answers at its real port.
each_answers_at_9000() {
    local address
    for ((i = 0; i < copies; i++)); do
        port=$(real "$i.json" 9000/tcp)
        for address in 127.0.0.1 '[::1]'; do
            assert_equal "$(tcp "$address" "$port")" "$i 9000"
        done
    done
}

@test "what each copy of inetd starts sees the placeholder as its port" {
    for ((i = 0; i < copies; i++)); do
        start_inetd "$i"
    done
    each_answers_at_9000
}

@test "what inetd starts for a datagram answers from the placeholder" {
    start_inetd 0
    start_inetd 1
    for i in 0 1; do
        assert_equal "$(udp 127.0.0.1 "$(real "$i.json" 9000/udp)")" "$i 9000"
        assert_equal "$(udp 127.0.0.1 9000 portshim run -j "$i.json" --)" "$i 9000"
    done
}

@test "a client that inetd's child starts reaches its own run" {
    start_inetd 0
    start_inetd 1
    for i in 0 1; do
        assert_equal "$(tcp 127.0.0.1 "$(real "$i.json" 9001)")" "at 9000: $i 9000"
    done
}

@test "what each copy of systemd-socket-activate starts for a connection sees the placeholder as its port" {
    for ((i = 0; i < copies; i++)); do
        activate "$i" -l 127.0.0.1:9000 -l '[::1]:9000' --accept --inetd
    done
    each_answers_at_9000
}

@test "a server that finds a listener among its descriptors sees the placeholder as its port" {
    for ((i = 0; i < copies; i++)); do
        activate "$i" -l 127.0.0.1:9000
    done
    for ((i = 0; i < copies; i++)); do
        assert_equal "$(tcp 127.0.0.1 "$(real "$i.json" 9000)")" "$i 9000"
    done
}

@test "a server that systemd starts for a datagram answers from the placeholder" {
    activate 0 --datagram --inetd -l 127.0.0.1:9000
    assert_equal "$(udp 127.0.0.1 "$(real 0.json 9000)")" '0 9000'
}

@test "a client that systemd's child starts, in the environment it was given, reaches its own run" {
    for i in 0 1; do
        activate "$i" -l 127.0.0.1:9001 --accept --inetd
        real "$i.json" 9001
        start "server$i" portshim run -j "$i.json" -- socat TCP-LISTEN:9000,bind=127.0.0.1 "SYSTEM:echo server of $i"
    done
    for i in 0 1; do
        real "$i.json" 9000
        assert_equal "$(tcp 127.0.0.1 "$(real "$i.json" 9001)")" "at 9000: server of $i"
    done
}

@test "the environment that systemd makes for its child has the run and nothing else of ours" {
    export MARK=1
    start server portshim run -p 9000 -m m.json -- systemd-socket-activate -l 127.0.0.1:9000 --accept --inetd env
    run tcp 127.0.0.1 "$(real m.json 9000)"
    assert_line "LD_PRELOAD=$PORTSHIM_LIB"
    assert_line "PORTSHIM_RUN=$(jq -r .run m.json)"
    refute_line --partial MARK
    refute_line --partial PORTSHIM_PORT_9000
}
