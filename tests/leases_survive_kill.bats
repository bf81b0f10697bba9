# Whatever is killed, whenever: no real port is lost, and none ever has two holders. observer.py judges.
load helper

pool_size=50

setup() {
    cd "$(test_dir)"
    # Ports that no test beside this one will be given.
    start outer portshim run -p "1-$pool_size" -m outer -- sleep infinity
    within 10 test -e outer
    PORTSHIM_POOL=$(sed -n 's/^[0-9]* //p' outer | paste -sd ,)
    export PORTSHIM_POOL PORTSHIM_HOME=$PWD/home
    hold=$BATS_TEST_DIRNAME/../build/tests/hold
    start observer "$BATS_TEST_DIRNAME/observer.py" sock
    observer=$pid
    within 10 grep -q ready observer.out
}

# kill_loop NUMBER: that many runs, one after the other, each killed at a random moment of its life.
kill_loop() {
    local i run
    for ((i = 0; i < $1; i++)); do
        portshim run -q -p 8080 -- "$hold" sock 8080 >/dev/null 2>>kill_loop.err 3>&- &
        run=$!
        read -rt "0.0$((RANDOM % 90 + 10))" <> <(:) || :
        kill -KILL "$run"
        wait "$run" 2>/dev/null || :
    done
}

# crowd COMMAND: as many runs at once as there are ports.
crowd() {
    local i
    for ((i = 0; i < pool_size; i++)); do
        start "crowd.$i" portshim run -q -p 8080 -- "$hold" sock 8080
    done
    within 20 crowd_is_there
}

crowd_is_there() {
    (($(cat crowd.*.out | wc -l) == pool_size))
}

doubles() {
    stop "$observer"
    sed -n 's/^seen .* doubles //p' observer.out
}

@test "a thousand runs are killed over a pool of fifty ports, and no port is lost or held twice" {
    local loops=()
    for ((i = 0; i < 10; i++)); do
        kill_loop 100 3>&- 2>/dev/null &
        loops+=($!)
    done
    wait "${loops[@]}"
    assert_equal "$(cat kill_loop.err)" ''
    crowd
    assert_equal "$(sort -u crowd.*.out | wc -l)" "$pool_size"
    run -125 portshim run -p 8080 -- true
    assert_line --regexp "^portshim: no real port for placeholder 8080: pool exhausted, held by: 50 ports of 50 by 50 runs \(pid [0-9]+, .* and 47 more\), 0 by other programs, .*: .*PORTSHIM_POOL"
    assert_equal "${#lines[@]}" 1
    assert_equal "$(doubles)" 0
    (($(sed -n 's/^seen \([0-9]*\) .*/\1/p' observer.out) > 500))
}

@test "the same judge finds two holders when the claim is broken on purpose" {
    mkdir source broken
    cp -r "$ROOT/portmap" "$ROOT/shim" "$ROOT/Makefile" source
    sed -i 's/return atomic_compare_exchange_strong(&table->file->owner\[port\], &from, to);/(void)table, (void)port, (void)from, (void)to; return true;/' \
        source/portmap/lease.c
    run diff "$ROOT/portmap/lease.c" source/portmap/lease.c
    assert_failure
    make -s -C source B="$PWD/broken" "$PWD/broken/portshim"
    PATH=$PWD/broken:$PATH
    crowd
    start late portshim run -q -p 8080 -- "$hold" sock 8080
    within 10 test -s late.out
    assert [ "$(doubles)" -gt 0 ]
}
