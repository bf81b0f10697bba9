# portshim serve and runs whose first process has ended while others live on, as with servers that become daemons.
load helper
load serve

setup() {
    cd "$(test_dir)"
}

teardown() {
    local left
    mapfile -t left < <(cat ./*/pid run.pid 2>/dev/null)
    STARTED+=("${left[@]}")
    end_started
    [[ -z ${stranger-} ]] || rm -rf "/tmp/portshim-$stranger"
}

# needs_a_stranger: two users, root, who has the port server, and $stranger, a uid that nothing else on this host uses.
needs_a_stranger() {
    as_root || skip 'needs root: there is one user only'
    # Who makes the home has the uid: tests run at the same time.
    until stranger=$((61000 + RANDOM % 500)) && mkdir -m 700 "/tmp/portshim-$stranger" 2>mkdir.err; do
        grep -q 'File exists' mkdir.err
    done
    mkdir strange
    chown "$stranger" strange "/tmp/portshim-$stranger"
    as_stranger=(setpriv "--reuid=$stranger" "--regid=$stranger" --clear-groups env -u PORTSHIM_HOME)
}

# leave_behind COMMAND...: starts a run with a port of the server. Its first process ends at once and leaves another one
# behind, whose pid is in $left; $port is the port.
leave_behind() {
    # shellcheck disable=SC2016 # the shell that is meant expands it
    PORTSERVER_ADDRESS=$ADDRESS "$@" portshim run --require-portserver -p 6379 -- \
        bash -c 'setsid sleep infinity >&2 3>&- & echo "$! $PORTSHIM_PORT_6379"' >left.out 2>left.err
    read -r left port <left.out
    STARTED+=("$left")
}

# gives_nothing SECONDS: for so long, the server gives nobody a port.
gives_nothing() {
    SECONDS=0
    while ((SECONDS <= $1)); do
        assert_equal "$(say "$$\n")" ''
        read -rt 0.3 <> <(:) || :
    done
}

gives() {
    [[ $(say "$$\n") == "$1" ]]
}

@test "a run's port stays with it when its first process is gone, and is free when the last one is" {
    own_pool 1
    serve --per-user 2
    leave_behind env
    assert_equal "$port" "$PORTSHIM_POOL"
    gives_nothing 4
    kill "$left"
    within 15 gives "$port"
}

@test "a run of another user keeps its port as well" {
    needs_a_stranger
    own_pool 1
    serve --per-user 2
    leave_behind "${as_stranger[@]}"
    assert_equal "$port" "$PORTSHIM_POOL"
    within 5 statistic_is leases-kept-for-runs 1
    gives_nothing 4
    kill "$left"
    within 15 gives "$port"
    assert_equal "$(statistic leases-kept-for-runs)" 0
}

@test "a run of another user keeps its port when the server is killed and started again" {
    needs_a_stranger
    own_pool 1
    serve --per-user 2
    leave_behind "${as_stranger[@]}"
    within 5 statistic_is leases-kept-for-runs 1
    for signal in KILL TERM; do
        kill -"$signal" "$server"
        within 5 gone "$server"
        serve --per-user 2
        gives_nothing 4
    done
    kill "$left"
    within 15 gives "$port"
}

@test "a run of another user keeps its port when its first process ends while there is no server" {
    needs_a_stranger
    own_pool 1
    serve --per-user 2
    mkfifo -m 666 hold
    # shellcheck disable=SC2016 # the shell that is meant expands it
    start run env PORTSERVER_ADDRESS="$ADDRESS" "${as_stranger[@]}" portshim run --require-portserver -p 6379 -m strange/map.env -- \
        bash -c 'setsid sleep infinity >&2 3>&- & echo $!; read -r <>hold'
    within 10 test -s run.out
    STARTED+=("$(cat run.out)")
    kill -KILL "$server"
    within 5 gone "$server"
    refute gone "$pid"
    stop "$pid" KILL
    serve --per-user 2
    gives_nothing 4
    kill "$(cat run.out)"
    within 15 gives "$PORTSHIM_POOL"
}

@test "redis that makes a daemon of itself has its port from the server until it ends" {
    own_pool 1
    serve --per-user 2
    mkdir redis
    PORTSERVER_ADDRESS=$ADDRESS portshim run --require-portserver -p 6379 -m map.env -- redis-server --port 6379 --save '' \
        --bind 127.0.0.1 --dir "$PWD/redis" --daemonize yes --pidfile "$PWD/redis/pid" --logfile "$PWD/redis/log"
    port=$(real map.env 6379)
    assert_equal "$port" "$PORTSHIM_POOL"
    within 5 grep -q . redis/pid
    assert_equal "$(redis-cli -p "$port" ping)" PONG
    gives_nothing 1
    kill "$(cat redis/pid)"
    within 15 gives "$port"
}
