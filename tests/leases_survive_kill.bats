# Whatever is killed at any moment, no real port is lost and none ever has two holders. observer.py checks.
load helper
load observer

pool_size=50

setup() {
    cd "$(test_dir)"
    own_pool "$pool_size"
    hold=$ROOT/build/tests/hold
    observe
}

# kill_loop NAME NUMBER: starts so many runs, one after the other, and kills each at a random moment. Every other run is
# not killed before it has its port: otherwise only runs that wait for one would be killed.
kill_loop() {
    local i run
    for ((i = 0; i < $2; i++)); do
        : >"$1.out"
        portshim run -q -p 8080 -- "$hold" sock 8080 >"$1.out" 2>>kill_loop.err 3>&- &
        run=$!
        if ((i % 2)); then
            within 10 test -s "$1.out"
        else
            read -rt "0.0$((RANDOM % 90 + 10))" <> <(:) || :
        fi
        kill -KILL "$run"
        wait "$run" 2>/dev/null || :
    done
}

# crowd: starts as many runs at once as there are ports.
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

@test "a thousand runs are killed over a pool of fifty ports, and no port is lost or held twice" {
    local loops=()
    for ((i = 0; i < 10; i++)); do
        kill_loop "loop.$i" 100 3>&- 2>/dev/null &
        loops+=($!)
    done
    wait "${loops[@]}"
    assert_equal "$(cat kill_loop.err)" ''
    crowd
    assert_equal "$(sort -u crowd.*.out | wc -l)" "$pool_size"
    run -125 portshim run -p 8080 -- true
    assert_line --regexp "^portshim: no real port for placeholder 8080: pool exhausted, held by: 50 ports of 50 by 50 runs \(pid [0-9]+, .* and 47 more\), 0 by other programs, .*: .*PORTSHIM_POOL"
    assert_equal "${#lines[@]}" 1
    judgement
    assert_equal "$doubles" 0
    ((seen >= 550))
}

@test "the same judge finds two holders when the claim is broken on purpose" {
    PATH=$ROOT/build/tests/broken:$PATH
    crowd
    start late portshim run -q -p 8080 -- "$hold" sock 8080
    within 10 test -s late.out
    judgement
    ((doubles > 0))
}
