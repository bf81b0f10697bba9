# memcached with clients over UDP, whose sockets are connected or not.
load helper
load pairs

copies=4

setup() {
    cd "$(test_dir)"
    memcached=(memcached -p 0 -U 11211 -l '127.0.0.1,::1' -t 1)
    if as_root; then
        memcached+=(-u nobody)
    fi
}

@test "clients over UDP in each of several runs are answered by their own memcached, from the port they asked" {
    for ((i = 0; i < copies; i++)); do
        start "$i" portshim run -p 11211 -m "$i.json" -- "${memcached[@]}"
    done
    for ((i = 0; i < copies; i++)); do
        real "$i.json" 11211/udp
        client "$i" /usr/bin/python3 "$PROGRAMS/memcached_udp.py" "$i"
    done
    clients_end
}
