# socat with multicast and broadcast on the loopback interface: several runs at once use one address and port.
load helper

copies=4
group=239.192.0.77

setup() {
    cd "$(test_dir)"
}

# start_receivers ADDRESS: starts two receivers in each run, which share the port. COPY-0.out and COPY-1.out have what
# they receive.
start_receivers() {
    local i
    for ((i = 0; i < copies; i++)); do
        start "$i-0" portshim run -p 6000 -m "$i.json" -- socat -u "$1" -
        real "$i.json" 6000/udp
        start "$i-1" portshim run -j "$i.json" -- socat -u "$1" -
    done
    for ((i = 0; i < copies; i++)); do
        within 10 has_sockets "$(portshim port "$i.json" 6000)" 2
    done
}

# has_sockets REAL COUNT: whether that real port has so many UDP sockets.
has_sockets() {
    (($(ss -Huln "sport = :$1" | wc -l) == $2))
}

# lines COPY: prints the datagrams of a copy, eleven bytes each.
lines() {
    seq -f "copy $1: %02g" 20
}

# each_sends ADDRESS: a sender in each run sends its datagrams; both receivers there get these and no others.
each_sends() {
    local i receiver
    for ((i = 0; i < copies; i++)); do
        lines "$i" | inside "$i.json" socat -u -b 11 - "$1"
    done
    for ((i = 0; i < copies; i++)); do
        for receiver in 0 1; do
            within 10 grep -q "^copy $i: 20$" "$i-$receiver.out"
            lines "$i" | diff - "$i-$receiver.out"
        done
    done
}

@test "what is sent to a group is heard by all members in the run and by none outside" {
    start_receivers "UDP4-RECV:6000,ip-add-membership=$group:127.0.0.1,reuseaddr"
    each_sends "UDP4-DATAGRAM:$group:6000,ip-multicast-if=127.0.0.1"
}

@test "what is broadcast is heard by all in the run and by none outside" {
    start_receivers UDP4-RECV:6000,reuseaddr
    each_sends UDP4-DATAGRAM:127.255.255.255:6000,broadcast
}

@test "a server that is bound to the group's address is found by its own run's clients, and answers them" {
    for ((i = 0; i < copies; i++)); do
        start "$i" portshim run -p 6000 -m "$i.json" -- socat \
            "UDP4-RECVFROM:6000,bind=$group,ip-add-membership=$group:127.0.0.1,fork" "SYSTEM:read heard; echo copy $i hears \$heard"
    done
    for ((i = 0; i < copies; i++)); do
        real "$i.json" 6000/udp
        start "client-$i" portshim run -j "$i.json" -- socat -t 60 "SYSTEM:echo hello $i; head -n 1 >answer-$i" \
            "UDP4-DATAGRAM:$group:6000,ip-multicast-if=127.0.0.1,bind=127.0.0.1"
    done
    for ((i = 0; i < copies; i++)); do
        within 10 grep -qs . "answer-$i"
        assert_equal "$(cat "answer-$i")" "copy $i hears hello $i"
    done
}
