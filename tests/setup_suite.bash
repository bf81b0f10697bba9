# Runs once before and once after all tests.
setup_suite() {
    SUITE_DIR=$(mktemp -d /tmp/portshim-test.XXXXXX)
    export SUITE_DIR
    chmod 755 "$SUITE_DIR"
    local build=${PORTSHIM_BUILD:-$BATS_TEST_DIRNAME/../build}
    cp "$build/portshim" "$build/libportshim.so" "$SUITE_DIR"
    mkdir -m 711 "$SUITE_DIR/home"
    # Lease ports in the user's own home for this shell, so that neither the user's runs nor another suite get them.
    env -i PATH="$PATH" "$SUITE_DIR/portshim" pick -n 1500 $$ 0 >"$SUITE_DIR/ports"
    paste -sd , "$SUITE_DIR/ports" >"$SUITE_DIR/pool"
}

teardown_suite() {
    local left
    left=$(left_behind)
    rm -rf "$SUITE_DIR"
    [[ -z $left ]] || { printf 'left behind:\n%s\n' "$left" && return 1; }
}

# left_behind: prints the processes that have the suite's environment and are still there after 5 s.
left_behind() {
    local pids deadline=$((SECONDS + 5))
    while pids=$(grep -lzsx "SUITE_DIR=$SUITE_DIR" /proc/[0-9]*/environ | cut -d / -f 3 | grep -vx "$BASHPID") &&
        ((SECONDS < deadline)); do
        read -rt 0.1 <> <(:) || :
    done
    [[ -z $pids ]] || ps -o pid=,args= -p "$(paste -sd , <<<"$pids")"
}
