# What the library says of mistakes. Each test fails, and shows its line.
bats_require_minimum_version 1.8.0
bats_load_library portshim

@test "wait" {
    portshim_start web 8080 -- sh -c 'echo I am on another port; echo and sorry >&2; exec sleep 1000'
    until grep -q sorry "$BATS_TEST_TMPDIR/web.err"; do sleep 0.02; done # it writes to a file: no event
    portshim_wait web 8080 0.1
}

@test "ended" {
    portshim_start web 8080 -- sh -c 'exit 3'
    while portshim_port web 8080 >/dev/null 2>&1; do sleep 0.02; done # it has no child to wait for: no event
    portshim_wait web 8080 20
}

@test "ports" { portshim_start web 80800 -- sleep 1000; }

@test "usage" { portshim_start web 8080 sleep 1000; }

@test "run" {
    run portshim_start web 8080 -- sleep 1000
    echo "$output"
    return "$status"
}

@test "twice" {
    portshim_start web 8080 -- sleep 1000
    portshim_start web 8080 -- sleep 1000
}

@test "name" { portshim_wait wbe 8080; }

@test "file" {
    echo mine >"$BATS_TEST_TMPDIR/web.json"
    portshim_start web 8080 -- sleep 1000
}
