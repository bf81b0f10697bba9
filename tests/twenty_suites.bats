# Twenty test suites with the same port run at once, and no client ever gets an answer of another suite's server.
load helper
load bare

suite=$ROOT/build/tests/suite

setup() {
    cd "$(test_dir)"
}

@test "twenty servers and clients on port 9000 exchange a hundred rounds over every protocol without a crossing" {
    own_pool 60
    mkfifo go
    for ((i = 0; i < 20; i++)); do
        start "$i" portshim run -p 9000 -- "$suite" 9000 "suite $i" 100 go
        suites+=("$pid")
    done
    for ((i = 0; i < 20; i++)); do
        within 20 grep -qsx ready "$i.out"
    done
    exec 8<>go
    for ((i = 0; i < 20; i++)); do
        wait "${suites[i]}" || status=$?
        run cat "$i.out" "$i.err"
        assert_output "ready"$'\n'"500 own, 0 others"
    done
}

@test "the same suite meets only itself where the host has servers on its number" {
    bare_ports 1
    strangers
    mkfifo go
    exec 8<>go
    run portshim run -p "$(placeholders)" -- "$suite" "${bare_ports[0]}" alone 20 go
    assert_line "100 own, 0 others"
    nobody_visited_strangers
}
