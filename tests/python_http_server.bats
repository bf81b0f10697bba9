# python3 -m http.server: one dual-stack socket.
load helper

copies=4

setup() {
    cd "$(test_dir)"
    for ((i = 0; i < copies; i++)); do
        mkdir "$i"
        echo "this is copy $i" >"$i/name"
    done
}

start_copy() {
    start "$1" portshim run -p 8080 -m "$1.json" -- /usr/bin/python3 -m http.server --bind :: -d "$1" 8080
}

@test "four copies on one port serve their own files on IPv4 and IPv6" {
    for ((i = 0; i < copies; i++)); do
        start_copy "$i"
    done
    for ((i = 0; i < copies; i++)); do
        port=$(real "$i.json" 8080)
        for address in 127.0.0.1 '[::1]' 127.0.0.2; do
            assert_equal "$(curl -sS "http://$address:$port/name")" "this is copy $i"
            assert_equal "$(inside "$i.json" curl -sS "http://$address:8080/name")" "this is copy $i"
        done
    done
}

@test "a copy that is stopped and restarted in its run has the same real port" {
    start keeper portshim run -p 8080 -m 0.json -- sleep infinity
    for _ in 1 2; do
        within 5 test -e 0.json
        start server portshim run -j 0.json -- /usr/bin/python3 -m http.server --bind :: -d 0 8080
        ports+=("$(real 0.json 8080)")
        curl -sS "http://127.0.0.1:${ports[-1]}/name"
        stop "$pid"
    done
    assert_equal "${ports[0]}" "${ports[1]}"
}

@test "the server says nothing but its own words, and holds the same descriptors as without portshim" {
    start bare /usr/bin/python3 -u -m http.server --bind 127.0.0.1 -d 0 0
    within 5 grep -qs 'port' bare.out
    bare_count=$(find "/proc/$pid/fd" -type l | wc -l)
    start wrapped portshim run -p 8080 -m 0.json -- /usr/bin/python3 -u -m http.server --bind 127.0.0.1 -d 0 8080
    within 5 grep -qs 'port 8080' wrapped.out # it says so a moment after listen()
    assert_equal "$(cat wrapped.err)" ''
    assert_equal "$(find "/proc/$pid/fd" -type l | wc -l)" "$bare_count"
}
