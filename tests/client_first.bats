# A placeholder on this host means this run's server, even before that has started. On another host it means the port
# of that host.
load helper
load bare
load network
load peer

here=(127.0.0.1 127.1.2.3 0.0.0.0 ::1 :: ::ffff:127.0.0.1)

setup() {
    cd "$(test_dir)"
}

@test "a client that starts first retries until its run's own server is there, whoever else has the number" {
    bare_ports 1
    strangers
    start keeper portshim run -p "$(placeholders)" -m other.json -- sleep infinity
    within 10 test -e other.json
    serve other "${bare_ports[0]}" portshim run -j other.json --
    start client portshim run -p "$(placeholders)" -m own.json -- "${peer[@]}" retry "${bare_ports[0]}"
    client=$pid
    within 10 grep -qs refused client.out
    serve own "${bare_ports[0]}" portshim run -j own.json --
    wait "$client"
    assert_equal "$(cat client.out)" refused$'\n'own
    nobody_visited_strangers
}

@test "a placeholder that nobody has bound refuses, although the host itself has a server there" {
    bare_ports 1
    strangers
    answers 'Connection refused' "${here[*]/%//${bare_ports[0]}}" portshim run -p "$(placeholders)" --
    nobody_visited_strangers
    answers stranger "${bare_ports[0]}"
}

@test "a server on the wildcard is found at every address of this host, those of its interfaces included" {
    network
    start keeper "${in_network[@]}" portshim run -p 9000 -m m.json -- sleep infinity
    within 10 test -e m.json
    serve host ::/9000 "${in_network[@]}"
    serve own ::/9000 "${in_network[@]}" portshim run -j m.json --
    addresses='127.0.0.1/9000 ::1/9000 10.9.8.1/9000 ::ffff:10.9.8.1/9000 fd09::1/9000 fe80::1%lan0/9000'
    answers own "$addresses" "${in_network[@]}" portshim run -j m.json --
    answers host "$addresses" "${in_network[@]}"
}

@test "another host's ports are never translated, neither there nor when it calls" {
    network
    start keeper "${in_network[@]}" portshim run -p 9000 -m m.json -- sleep infinity
    within 10 test -e m.json
    real=$(portshim port m.json 9000)
    serve own 0.0.0.0/9000 "${in_network[@]}" portshim run -j m.json --
    serve remote "::/9000 ::/$real" "${in_remote[@]}"
    there=({10.9.8.2,::ffff:10.9.8.2,fd09::2,fe80::2%lan0}/{9000,"$real"})
    answers remote "${there[*]}" "${in_network[@]}" portshim run -j m.json --

    stop "$pid"
    # Calls from the other host keep their source port, even if it is a placeholder or a real port here.
    for port in 9000 "$real"; do
        "${in_remote[@]}" /usr/bin/python3 -c '
import socket, sys
for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
    with socket.socket(socket.AF_INET, kind) as client:
        client.settimeout(60)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.bind(("10.9.8.2", int(sys.argv[1])))
        client.connect(("10.9.8.1", int(sys.argv[2])))
        if kind == socket.SOCK_DGRAM:
            client.send(b"?")
        assert client.recv(64) == b"own"
' "$port" "$real"
        within 5 eval "((\$(grep -c 'asked by 10.9.8.2 $port\$' own.out) == 2))"
    done
}
