# postgresql: a socket for IPv4 and one for IPv6, and a process for each connection. It refuses to run as root, so that
# root starts it as user postgres, who cannot open the run's map and has its ports from the environment.
load helper

bin=/usr/lib/postgresql/15/bin
copies=3
psql=("$bin/psql" -XAtq -U postgres -d postgres)

# The words before a command that run it as the server's user.
user=()
if as_root; then
    user=(setpriv --reuid postgres --regid postgres --clear-groups)
fi

# Makes one cluster, which each copy of the server copies.
setup_file() {
    CLUSTER=$SUITE_DIR/postgresql
    export CLUSTER
    install -d -m 700 "$CLUSTER"
    if as_root; then
        chown postgres:postgres "$CLUSTER"
    fi
    cd /
    "${user[@]}" "$bin/initdb" -D "$CLUSTER" -U postgres -A trust --no-sync --no-locale -E UTF8 \
        --wal-segsize 1 >"$SUITE_DIR/initdb.out"
}

teardown_file() {
    rm -rf "$CLUSTER"
}

setup() {
    cd "$(test_dir)"
}

# server_command NAME: puts the command of a copy, whose data is in the directory NAME, into $server.
server_command() {
    [[ -d $1 ]] || cp -a "$CLUSTER" "$1"
    server=("${user[@]}" "$bin/postgres" -D "$PWD/$1" -p 5432 -c listen_addresses='127.0.0.1,::1' -c fsync=off
        -c unix_socket_directories= -c max_connections=10 -c shared_buffers=1MB)
}

start_copy() {
    server_command "$1"
    start "$1" portshim run -p 5432 -m "$1.json" -- "${server[@]}"
}

# query HOST PORT SQL: waits until the server accepts clients, and asks it.
query() {
    within 20 "$bin/pg_isready" -q -U postgres -h "$1" -p "$2"
    "${psql[@]}" -h "$1" -p "$2" -c "$3"
}

# processes PID: prints the pids of a server and its children.
processes() {
    echo "$1"
    pgrep -P "$1"
}

@test "three copies on one port each answer with their own data on IPv4 and IPv6" {
    for ((i = 0; i < copies; i++)); do
        start_copy "$i"
    done
    for ((i = 0; i < copies; i++)); do
        ports+=("$(real "$i.json" 5432)")
        for address in 127.0.0.1 ::1; do
            assert_equal "$(query "$address" "${ports[i]}" 'show data_directory')" "$PWD/$i"
            assert_equal "$(inside "$i.json" "${psql[@]}" -h "$address" -p 5432 -c 'show data_directory')" "$PWD/$i"
        done
    done
    assert_equal "$(printf '%s\n' "${ports[@]}" | sort -u | wc -l)" "$copies"
}

@test "started by root it serves as another user, who cannot open the run's map" {
    as_root || skip 'only root can start it as another user'
    start keeper portshim run -p 5432 -m run.json -- sleep infinity
    within 5 test -e run.json
    map=$(jq -r .run run.json)/map
    within 10 is_program "$pid" sleep
    within 10 grep -qF "$map" "/proc/$pid/maps" # it joins a moment after it was executed
    server_command 0
    start server portshim run -j run.json -- "${server[@]}"
    assert_equal "$(query ::1 "$(real run.json 5432)" 'show data_directory')" "$PWD/0"
    assert_equal "$(ps -o user= -p "$pid")" postgres
    run grep -F "$map" "/proc/$pid/maps"
    assert_output ''
}

@test "a server sees the placeholder as its own port and the client's port as it is" {
    start_copy 0
    port=$(real 0.json 5432)
    for address in 127.0.0.1 ::1; do
        assert_equal "$(query "$address" "$port" 'select inet_server_port()')" 5432
        # shellcheck disable=SC2016 # psql's shell expands it
        run "${psql[@]}" -h "$address" -p "$port" -f - <<<'select inet_client_port() as port \gset
            \setenv CLIENT_PORT :port
            \! ss -Htn "sport = :$CLIENT_PORT"'
        assert_line --partial ":$port"
    done
}

@test "a copy that is stopped and restarted in its run has its data and the same real port" {
    start keeper portshim run -p 5432 -m run.json -- sleep infinity
    within 5 test -e run.json
    server_command 0
    for i in 1 2 3; do
        start "server$i" portshim run -j run.json -- "${server[@]}"
        ports+=("$(real run.json 5432)")
        query ::1 "${ports[-1]}" "create table if not exists starts (n int); insert into starts values ($i)"
        stop "$pid" INT
        assert_equal "$status" 0
    done
    assert_equal "${ports[*]}" "${ports[0]} ${ports[0]} ${ports[0]}"
    start last portshim run -j run.json -- "${server[@]}"
    assert_equal "$(query 127.0.0.1 "$(real run.json 5432)" 'select count(*) from starts')" 3
}

@test "a server that starts its processes anew after a crash keeps the real port" {
    start_copy 0
    port=$(real 0.json 5432)
    query 127.0.0.1 "$port" 'select 1'
    within 20 pgrep -P "$pid" -f 'background writer' >writer
    kill -KILL "$(<writer)"
    within 20 grep -q 'all server processes terminated; reinitializing' 0.err
    assert_equal "$(query 127.0.0.1 "$port" 'show data_directory')" "$PWD/0"
    assert_equal "$(inside 0.json "${psql[@]}" -h ::1 -p 5432 -c 'show data_directory')" "$PWD/0"
}

@test "SIGTERM and SIGINT end a copy with no process left and nothing at its real port" {
    for signal in TERM INT; do
        start_copy "$signal"
        port=$(real "$signal.json" 5432)
        query 127.0.0.1 "$port" 'select 1'
        mapfile -t all < <(processes "$pid")
        assert [ "${#all[@]}" -gt 3 ]
        stop "$pid" "$signal"
        assert_equal "$status" 0
        for process in "${all[@]}"; do
            gone "$process"
        done
        assert_equal "$(ss -Htln "sport = :$port")" ''
    done
}

@test "portshim stop ends a copy, which runs as another user, and lets it shut down" {
    start_copy 0
    port=$(real 0.json 5432)
    query 127.0.0.1 "$port" 'select 1'
    mapfile -t all < <(processes "$pid")
    run -0 portshim stop -t 60 0.json
    assert_output ''
    for process in "${all[@]}"; do
        gone "$process"
    done
    assert_equal "$(ss -Hanu4t "sport = :$port" | grep -v TIME-WAIT)" ''
    assert_equal "$("${user[@]}" "$bin/pg_controldata" 0 | sed -n 's/^Database cluster state: *//p')" 'shut down'
}
