# All who want ports on one host at once: a port server, those who ask it, those who ask the lease table, runs of both
# kinds, and a program that asks nobody. No port ever has two holders.
load helper
load observer
load serve

setup() {
    cd "$(test_dir)"
    own_pool 300
    observe connections
}

# client KIND...: each in the background, by its number.
client() {
    local kind
    for kind; do
        start "$kind.${#clients[@]}" /usr/bin/python3 "$PROGRAMS/mixed_client.py" \
            "$kind" "$PWD/sock" "$ADDRESS" "$ROOT/build/tests/hold"
        clients+=("$pid")
    done
}

# all_end: the clients end, then the observer judges.
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

# lasts SECONDS: that long they do what they do, which is no event to be waited for.
lasts() {
    read -rt "$1" <> <(:) || :
}

@test "no port has two holders on a host where everybody asks for ports in another way" {
    client stranger
    within 10 grep -qs ready stranger.0.out
    serve --per-user 300
    client portpicker portpicker pick pick served run servedrun
    lasts "$((PORTSHIM_LONG ? 60 : 20))"
    assert_equal "$(statistic pid)" "$server"
    served=$(statistic total-allocations)
    all_end
    assert_equal "$doubles" 0
    ((seen > 300 && served > 100))
    # One that was killed on its way to a port is none to lease for.
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
