# iperf3 over UDP: the server closes its UDP port at each test and binds it anew.
load helper
load pairs

copies=3

setup() {
    cd "$(test_dir)"
}

# listens_again NAME COUNT: the server of that copy has begun to listen so many times. It closes its socket after each test.
listens_again() {
    (($(grep -c '^Server listening' "$1.out") == $2))
}

@test "iperf3 -u in each of several runs measures against its own server, test after test" {
    for ((i = 0; i < copies; i++)); do
        start "$i" portshim run -p 5201 -m "$i.json" -- iperf3 -s --forceflush
    done
    for number in 1 2 3; do
        for ((i = 0; i < copies; i++)); do
            within 10 listens_again "$i" "$number"
            real "$i.json" 5201/tcp
            client "$i" iperf3 -c 127.0.0.1 -u -P 2 -b 0 -k 100 -l 1000 -J
        done
        clients_end
        for ((i = 0; i < copies; i++)); do
            assert_equal "$(jq '.start.connected[].remote_port' "client-$i.out" | tr '\n' ' ')" '5201 5201 '
            for port in $(jq '.start.connected[].local_port' "client-$i.out"); do
                within 5 grep -q "local 127.0.0.1 port 5201 connected to 127.0.0.1 port $port$" "$i.out"
            done
        done
    done
    for ((i = 0; i < copies; i++)); do
        assert_equal "$(grep -c 'Accepted connection' "$i.out")" 3
    done
}
