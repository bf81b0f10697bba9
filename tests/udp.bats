# Datagrams: an answer comes from the port that was written to. What is sent to a multicast or broadcast address stays
# in the run.
load helper
load bare
load network

programs=$ROOT/build/tests

setup() {
    cd "$(test_dir)"
}

@test "clients and servers over UDP see what they see without portshim" {
    bare_ports 2
    same_as_bare "$programs/udp" libc "${bare_ports[@]}"
}

@test "the same holds for fortified programs" {
    bare_ports 2
    same_as_bare "$programs/udp" fortified "${bare_ports[@]}"
}

@test "the same holds for calls through syscall(), as libuv sends its datagrams" {
    bare_ports 2
    same_as_bare "$programs/udp" syscall "${bare_ports[@]}"
}

@test "other numbers pass through syscall() with six arguments and the caller's errno" {
    "$programs/syscalls" >bare.out
    portshim run -p 9000 -- "$programs/syscalls" >wrapped.out
    run diff bare.out wrapped.out
    assert_success
}

# groups_are_private PORT INTERFACE ADDRESS...: two runs join the same groups and send to them, in ${in_network[@]};
# neither hears the other.
groups_are_private() {
    local port=$1 interface=$2 i
    shift 2
    mkfifo send count
    for i in 1 2; do
        start "member$i" "${in_network[@]}" portshim run -p "$port" -- \
            "$programs/groups" "$port" "run $i" "$interface" send count "$@"
        members[i]=$pid
    done
    for i in 1 2; do
        within 10 grep -qsx ready "member$i.out"
    done
    exec 8<>send
    for i in 1 2; do
        within 10 grep -qs sent "member$i.out"
    done
    exec 9<>count
    for i in 1 2; do
        wait "${members[i]}"
        run cat "member$i.out" "member$i.err"
        assert_equal "$(grep -c 'heard' <<<"$output")" $((4 * $#))
        assert_equal "$(grep -c "heard run $i\$" <<<"$output")" $((4 * $#))
    done
}

@test "what two runs send to one group, or to everybody, is heard by the sender's run alone" {
    bare_ports 1
    strangers
    groups_are_private "${bare_ports[0]}" lo 239.9.8.7 127.255.255.255
    nobody_visited_strangers
}

@test "the same holds for IPv6 groups and broadcasts on an interface other than loopback" {
    network
    groups_are_private 9000 lan0 239.9.8.7 ff02::9:8:7 ff15::9:8:7 ff0e::9:8:7 10.9.8.255 255.255.255.255
}
