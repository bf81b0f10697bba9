# Networks for one test, in which every port is free.

# make_namespace NAME: makes a network with its loopback interface up. "${in_NAME[@]}" before a command runs it there.
make_namespace() {
    local flags=(-n) enter=(-n)
    local -n prefix=in_$1
    if ! as_root; then # later ones go into the first one's user namespace
        flags=(-U -r -n) enter=(-U -n --preserve-credentials)
        ((!${#in_network[@]})) || flags=(-n)
    fi
    if ! "${in_network[@]}" unshare "${flags[@]}" true 2>unshare.err; then
        skip "no network namespace can be made: $(head -n 1 unshare.err)"
    fi
    start "$1" "${in_network[@]}" unshare "${flags[@]}" sleep infinity
    within 10 is_program "$pid" sleep
    prefix=(nsenter -t "$pid" "${enter[@]}")
    "${prefix[@]}" ip link set lo up
}

# network: makes two networks, this host's ("${in_network[@]}") and a remote host's ("${in_remote[@]}"). Its runs have
# a home of their own. Here lan0 is 10.9.8.1/24, fd09::1 and fe80::1; the remote host is 10.9.8.2, fd09::2 and fe80::2.
in_network=()
network() {
    make_namespace network
    make_namespace remote
    "${in_network[@]}" ip link add lan0 type veth peer name lan0 netns "$pid"
    attach_to_lan 1 "${in_network[@]}"
    attach_to_lan 2 "${in_remote[@]}"
    # What is sent before both ends are up is lost.
    within 10 lan_is_up "${in_network[@]}"
    within 10 lan_is_up "${in_remote[@]}"
    "${in_network[@]}" ip route add default via 10.9.8.2
    export PORTSHIM_HOME=$PWD/home
    unset PORTSHIM_POOL
}

lan_is_up() {
    [[ $("$@" ip link show lan0) == *' state UP '* ]]
}

attach_to_lan() {
    local number=$1
    shift
    "$@" ip link set lan0 addrgenmode none up
    "$@" ip address add "10.9.8.$number/24" brd + dev lan0
    "$@" ip address add "fd09::$number/64" dev lan0 nodad
    "$@" ip address add "fe80::$number/64" dev lan0 nodad
}
