# Ten thousand leases of eight processes, from our server and then from portpicker's: a host has too few ports for both
# at once.
load helper
load serve

each=1250

setup_file() {
    export BATS_NO_PARALLELIZE_WITHIN_FILE=true
}

setup() {
    cd "$(test_dir)"
    SUITE_NUMBERS='' own_pool 10100 # other programs may hold a few; two suites at once need that many twice
}

# eight NAME COMMAND...: starts it eight times at once, as NAME.0 to NAME.7; their pids are in ${eight[@]}.
eight() {
    local name=$1 i
    shift
    eight=()
    for i in {0..7}; do
        start "$name.$i" "$@"
        eight+=("$pid")
    done
}

all_there() {
    (($(cat "$1".*.out | wc -l) == 8 * each))
}

# all_differ NAME: the ten thousand ports are from the pool, and no two are the same.
all_differ() {
    assert_equal "$(sort -u "$1".*.out | wc -l)" $((8 * each))
    run comm -23 <(sort -u "$1".*.out) <(tr , '\n' <<<"$PORTSHIM_POOL" | sort)
    assert_output ''
}

die() {
    local one
    for one in "${eight[@]}"; do
        stop "$one" KILL
    done
}

# portpicker_clients NAME: starts clients that lease by portpicker's library and keep their ports until they are killed.
portpicker_clients() {
    eight "$1" /usr/bin/python3 -c '
import portpicker, signal, sys
print(*(portpicker.get_port_from_port_server(sys.argv[1]) for _ in range(int(sys.argv[2]))), sep="\n", flush=True)
signal.pause()' "$ADDRESS" "$each"
    within 60 all_there "$1"
}

# picks NAME: portshim pick leases for eight processes.
picks() {
    local i waited=() owners
    eight owner sleep infinity
    owners=("${eight[@]}")
    for i in "${!owners[@]}"; do
        PORTSERVER_ADDRESS=$ADDRESS start "$1.$i" portshim pick --require-portserver -n "$each" "${owners[i]}"
        waited+=("$pid")
    done
    for pid in "${waited[@]}"; do
        wait "$pid"
    done
    eight=("${owners[@]}")
    all_there "$1"
}

# ranges: prints the pool as portpicker's server wants it, in as few ranges as possible.
ranges() {
    tr , '\n' <<<"$PORTSHIM_POOL" | sort -n |
        awk 'NR > 1 && $1 != last + 1 { printf "%d-%d,", first, last; first = $1 } NR == 1 { first = $1 } { last = $1 }
             END { printf "%d-%d\n", first, last }'
}

@test "ten thousand ports of portpicker's clients differ while they are held, and are free when the clients have died" {
    serve --per-user 10100
    portpicker_clients first
    all_differ first
    assert_equal "$(statistic leases)" 10000
    assert_equal "$(statistic processes)" 8
    die
    within 5 statistic_is leases 0
    portpicker_clients second
    all_differ second
    die
    picks third
    all_differ third
}

@test "ten thousand ports from portpicker's server differ while they are held, and are free when their owners have died" {
    start server portserver --portserver_address "$ADDRESS" --portserver_static_pool "$(ranges)"
    within 10 grep -q Serving server.err
    picks first
    all_differ first
    die
    picks second
    all_differ second
}
