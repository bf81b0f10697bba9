# Everything that takes ports on one host at once: a port server and its clients, users of the lease table, runs of both
# kinds, and a program that asks nobody. No port ever has two holders.
load helper
load observer
load serve

setup() {
    cd "$(test_dir)"
    own_pool 300
    observe connections
}

# client KIND...: starts one client of each kind in the background.
client() {
    local kind
    for kind; do
        start "$kind.${#clients[@]}" /usr/bin/python3 "$PROGRAMS/mixed_client.py" \
            "$kind" "$PWD/sock" "$ADDRESS" "$ROOT/build/tests/hold"
        clients+=("$pid")
    done
}

# all_end: ends the clients, then the observer, and checks what it has seen.
all_end() {
    local client
    for client in "${clients[@]}"; do
        stop "$client"
    done
    judgement
    echo "# $seen ports were held, $doubles by two" >&3
}

restart() {
    kill -KILL "$server"
    within 5 gone "$server"
    serve --per-user 300
}

# has_served COUNT: the server has given so many ports.
has_served() {
    (($(statistic total-allocations) > $1))
}

# has_seen COUNT: so many ports were announced to the observer.
has_seen() {
    grep -qx "$1 so far" observer.out
}

# lasts SECONDS: lets the clients work for so long; there is no event to wait for.
lasts() {
    read -rt "$1" <> <(:) || :
}

@test "no port has two holders on a host where everybody asks for ports in another way" {
    client stranger
    within 10 grep -qs ready stranger.0.out
    serve --per-user 300
    client portpicker portpicker pick pick served run servedrun
    lasts "$((PORTSHIM_LONG ? 60 : 20))"
    within 60 has_served 100 # a slow machine needs longer
    within 60 has_seen 400
    assert_equal "$(statistic pid)" "$server"
    served=$(statistic total-allocations)
    all_end
    assert_equal "$doubles" 0
    ((seen > 300 && served > 100))
    # A process that was killed before its port was leased is no mistake.
    run grep -hv 'no such process' pick.*.err run.*.err
    assert_output ''
}

@test "no port has two holders when the server is killed and started again under load" {
    serve --per-user 300
    client portpicker portpicker portpicker served servedrun pick
    for _ in {1..8}; do
        lasts 1
        restart
    done
    lasts 1
    within 60 has_seen 200
    all_end
    assert_equal "$doubles" 0
    ((seen > 100))
}

@test "the judge sees two holders where a server has forgotten who has its ports" {
    PORTSHIM_POOL=${PORTSHIM_POOL%%,*}
    serve --per-user 2
    port=$(portpicker $$)
    PORTSHIM_PORT_8080=$port start holder "$ROOT/build/tests/hold" "$PWD/sock" 8080
    within 10 grep -qx "$port" holder.out
    kill -KILL "$server"
    within 5 gone "$server"
    rm home/leases
    serve --per-user 2
    client portpicker
    within 20 grep -qx "double: $port announced twice" observer.out
    all_end
    ((doubles > 0))
}
