# A static program that confines itself by a seccomp filter is served like any other: the calls about ports are answered
# from outside of it, and its own filter decides first.
load helper
load bare
load trap

setup() {
    cd "$(test_dir)"
    bare_ports 1
    needs_programs "$STATIC/own_filter"
}

@test "a filter that allows what the program calls, and kills it for anything else" {
    for kind in static narrow_static; do
        same_as_bare "$ROOT/build/tests/$kind/own_filter" few "${bare_ports[0]}"
        stop "$pid"
    done
}

@test "a filter that logs calls" {
    same_as_bare "$STATIC/own_filter" log "${bare_ports[0]}"
}

@test "a filter that refuses bind(2) refuses it" {
    run -0 portshim run -p "${bare_ports[0]}" -- "$STATIC/own_filter" errno "${bare_ports[0]}"
    assert_output --partial 'bind Permission denied, listen 0, connect Connection refused'
}

@test "a listener of its own is refused, as a process has one only, and the program is still served" {
    strangers
    run -0 portshim run -p "${bare_ports[0]}" -- "$STATIC/own_filter" listener "${bare_ports[0]}"
    name="[127.0.0.1]:${bare_ports[0]}"
    assert_output "listener:filter Device or resource busy, bind 0, listen 0, connect 0 $name $name"
    nobody_visited_strangers
}
