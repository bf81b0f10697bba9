# Compares a wrapped program with the same program bare: both must see the same.

# bare_ports COUNT: port numbers that nobody else uses until the test ends, in the array bare_ports. In a wrapped run
# the same numbers are placeholders, so that whatever a program prints can be compared as it is.
bare_ports() {
    own_pool $(($1 + 60))
    IFS=, read -ra bare_ports <<<"$PORTSHIM_POOL"
    bare_ports=("${bare_ports[@]:0:$1}")
}

# Those numbers as a list of placeholders.
placeholders() {
    local IFS=,
    printf '%s' "${bare_ports[*]}"
}

# strangers: starts servers outside of any run on these numbers.
strangers() {
    start strangers /usr/bin/python3 "$PROGRAMS/stranger.py" "${bare_ports[@]}"
    within 10 grep -qsx ready strangers.out
}

nobody_visited_strangers() {
    run cat strangers.out strangers.err
    assert_output ready
}

# same_as_bare COMMAND...: the command succeeds and prints the same bare and wrapped. While it is wrapped, strangers
# hold its numbers.
same_as_bare() {
    local status=0
    "$@" >bare.out 2>&1 || status=$?
    assert_equal "$status" 0
    strangers
    portshim run -q -p "$(placeholders)" -m map.json -- "$@" >wrapped.out 2>&1 || status=$?
    run diff bare.out wrapped.out
    output=$(head -n 40 <<<"$output") assert_success
    assert_equal "$status" 0
    nobody_visited_strangers
}
