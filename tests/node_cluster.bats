# A node cluster: the primary binds. It passes its listening sockets to its workers, or the connections it accepts.
load helper

copies=3

setup() {
    cd "$(test_dir)"
}

start_copies() {
    for ((i = 0; i < copies; i++)); do
        start "$i" portshim run -p 9000-9002 -m "$i.json" -- node "$PROGRAMS/node_cluster.js" "$i" "$1"
        primaries+=("$pid")
    done
}

# ask ADDRESS PORT: prints what the server says.
ask() {
    socat -u -T 60 "TCP:$1:$2" -
}

# serves NAME PRIMARY: a worker of that primary answers everyone at the real port, and clients in the run at 9000.
serves() {
    local address name worker ports port
    port=$(real "$1.json" 9000)
    for address in 127.0.0.1 '[::1]'; do
        read -r name worker ports < <(ask "$address" "$port")
        assert_equal "$name $ports" "$1 9000 9000"
        assert_equal "$(ps -o ppid= -p "$worker" | tr -d ' ')" "$2"
        read -r name worker ports < <(inside "$1.json" socat -u -T 60 "TCP:$address:9000" -)
        assert_equal "$name $ports" "$1 9000 9000"
    done
}

@test "workers that listen on the primary's descriptor serve their own copy" {
    start_copies none
    for ((i = 0; i < copies; i++)); do
        serves "$i" "${primaries[i]}"
    done
}

@test "workers that are given the primary's connections serve their own copy" {
    start_copies rr
    for ((i = 0; i < copies; i++)); do
        serves "$i" "${primaries[i]}"
    done
}

@test "a worker that is a client of the cluster reaches its own copy" {
    start_copies rr
    for ((i = 0; i < copies; i++)); do
        run ask 127.0.0.1 "$(real "$i.json" 9002)"
        assert_output --regexp "^$i [0-9]+ 9000 9000$"
    done
}

@test "workers that share a UDP socket answer for their own copy, from the placeholder" {
    start_copies none
    for ((i = 0; i < copies; i++)); do
        real "$i.json" 9001/udp
        # shellcheck disable=SC2016 # expanded inside
        run inside "$i.json" bash -c 'exec 4<>/dev/udp/127.0.0.1/9001; echo hello >&4; timeout 60 head -n 1 <&4'
        assert_output --regexp "^$i [0-9]+ 9001$"
    done
}

@test "a worker that takes the place of a dead one serves at the same real port" {
    start_copies none
    port=$(real 0.json 9000)
    for worker in $(pgrep -P "${primaries[0]}"); do
        kill -KILL "$worker"
        within 10 gone "$worker"
        within 20 ask 127.0.0.1 "$port"
        serves 0 "${primaries[0]}"
    done
    assert_equal "$(real 0.json 9000)" "$port"
}
