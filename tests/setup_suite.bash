# Runs once before and once after all tests.
setup_suite() {
    SUITE_DIR=$(mktemp -d /tmp/portshim-test.XXXXXX)
    export SUITE_DIR
    chmod 755 "$SUITE_DIR"
    local build=${PORTSHIM_BUILD:-$BATS_TEST_DIRNAME/../build}
    cp "$build/portshim" "$build/libportshim.so" "$SUITE_DIR"
    mkdir -m 711 "$SUITE_DIR/home"
    # Lease ports in the user's own home for this shell, so that neither the user's runs nor another suite get them.
    SUITE_NUMBERS=$(suite_numbers)
    export SUITE_NUMBERS
    env -i PATH="$PATH" PORTSHIM_POOL="$SUITE_NUMBERS" "$SUITE_DIR/portshim" pick -n 1500 $$ 0 >"$SUITE_DIR/ports"
    paste -sd , "$SUITE_DIR/ports" >"$SUITE_DIR/pool"
}

# suite_numbers: prints the numbers that the tests' pools are made of: those that nobody gets from the kernel, and that no
# test has as placeholders on this host's network, as the port of such a one is never leased: a pool that just suffices
# would not. Prints nothing, which means the default pool, where those are few.
suite_numbers() {
    local first last
    read -r first last </proc/sys/net/ipv4/ip_local_port_range
    ((first < 30000)) || echo "12000-$((first - 1))$( ((last > 65534)) || echo ",$((last + 1))-65535")"
}

teardown_suite() {
    local left
    left=$(left_behind)
    rm -rf "$SUITE_DIR"
    [[ -z $left ]] || { printf 'left behind:\n%s\n' "$left" && return 1; }
}

# left_behind: prints the processes that have the suite's environment and are still there after a minute.
left_behind() {
    local pids deadline=$((SECONDS + 60))
    # Those who look do not have SUITE_DIR in their environment: they would find themselves.
    while pids=$(env -u SUITE_DIR grep -lzsx "SUITE_DIR=$SUITE_DIR" /proc/[0-9]*/environ | env -u SUITE_DIR cut -d / -f 3) &&
        [[ -n $pids ]] && ((SECONDS < deadline)); do
        read -rt 0.1 <> <(:) || :
    done
    [[ -z $pids ]] || ps -o pid=,args= -p "$(paste -sd , <<<"$pids")"
}
