# Datagrams of programs that the library does not reach: every call gives such a program what it gives it without portshim,
# but for the ports.
load helper
load bare
load network

setup() {
    cd "$(test_dir)"
}

# built FLAG... NAME: compiles a test program statically, with these flags of the compiler, to NAME.
built() {
    local name=${*: -1}
    gcc -static -std=gnu11 -D_GNU_SOURCE -O1 -pthread "${@:1:$#-1}" -o "$name" "$PROGRAMS/$name.c" 2>gcc.err ||
        skip "no such static program can be built: $(head -n 1 gcc.err)"
}

# compared [FLAG] NAME [COMMAND...]: the program prints the same bare and wrapped; the command starts it.
compared() {
    local name flags=()
    [[ $1 != -* ]] || { flags=("$1") && shift; }
    name=$1
    built "${flags[@]}" "$name"
    bare_ports 2
    same_as_bare "${@:2}" "./$name" "${bare_ports[@]}"
}

@test "odd arguments of the calls for datagrams" {
    compared datagrams
}

@test "odd arguments of the calls for datagrams, in a 32-bit program" {
    compared -m32 datagrams
}

@test "a user's program below root's supervisor may send no more than before" {
    as_root || skip 'only root can become another user'
    export PORTSHIM_TRAP=on
    compared datagrams setpriv --reuid=65534 --regid=65534 --clear-groups --
}

@test "odd arguments of a program that the library is in, with the trap beside it" {
    bare_ports 2
    export PORTSHIM_TRAP=on
    same_as_bare "$ROOT/build/tests/datagrams" "${bare_ports[@]}"
}

@test "signals, time limits, stops and errors end a call that waits, or do not" {
    compared waits
}

@test "signals, time limits, stops and errors end a call of a 32-bit program, or do not" {
    compared -m32 waits
}

@test "a program waits while the network takes no more" {
    as_root || skip 'only root can slow a network down'
    network
    "${in_network[@]}" tc qdisc add dev lo root tbf rate 4mbit burst 70k limit 10m 2>tc.err ||
        skip "the network cannot be slowed down: $(head -n 1 tc.err)"
    built full_queue
    start stranger "${in_network[@]}" /usr/bin/python3 "$PROGRAMS/stranger.py" 9000
    within 10 grep -qsx ready stranger.out
    # When the machine stops between two calls, the network has room again at the second. So one of five tries must do.
    for _ in {1..5}; do
        "${in_network[@]}" ./full_queue 8999 >bare.out
        "${in_network[@]}" portshim run -p 9000 -- ./full_queue 9000 >wrapped.out
        diff bare.out wrapped.out >differences && break
    done
    assert_equal "$(cat differences)" ''
}

# asks RUN SERVER: clients of every kind get the server's answer, from the port that they asked.
asks() {
    run -0 --separate-stderr inside "$1" dig +notcp +tries=1 +timeout=60 +short @127.0.0.1 name.test
    assert_equal "$output$stderr" "192.0.2.$2"
    run -0 --separate-stderr inside "$1" "$busybox" nslookup -timeout=120 -type=a name.test 127.0.0.1
    assert_line "Address: 192.0.2.$2"
    assert_line "Address:	127.0.0.1:53"
}

@test "static and dynamic DNS clients get the answers of ten static servers on one port, from the port they asked" {
    local i servers=()
    busybox=$(type -P busybox) || skip 'busybox is not installed'
    built name_server
    own_pool 30
    for i in {1..10}; do
        start "server$i" portshim run -p 53 -n "dns$i" -- ./name_server 53 "$i"
        servers[i]=$pid
    done
    for i in {1..10}; do
        real "dns$i" 53/udp >port.out
        asks "dns$i" "$i"
    done
    for i in {1..10}; do
        stop "${servers[i]}"
        assert_equal "$status: $(cat "server$i.out" "server$i.err")" '0: answered 2'
    done
}

@test "a static client fetches a file over TFTP from a server that the library is in" {
    busybox=$(type -P busybox) || skip 'busybox is not installed'
    mkdir served
    head -c 100000 /dev/urandom >served/file
    start tftp portshim run -p 69 -n tftp -- dnsmasq --keep-in-foreground --conf-file=/dev/null --port=0 --pid-file= --user= \
        --log-facility=- --enable-tftp "--tftp-root=$PWD/served" --listen-address=127.0.0.1 --bind-interfaces
    real tftp 69/udp >port.out
    inside tftp "$busybox" tftp -g -r file -l fetched 127.0.0.1
    cmp served/file fetched
    stop "$pid"
}
