# redis-server with redis-benchmark, and with a replica in the same run.
load helper
load pairs

copies=3

setup() {
    cd "$(test_dir)"
}

# server_command NAME PORT OPTION...: puts the command of a server into $redis and makes its directory.
server_command() {
    mkdir -p "$1"
    redis=(redis-server --port "$2" --bind 127.0.0.1 ::1 --save '' --repl-diskless-sync-delay 0 --dir "$PWD/$1" "${@:3}")
}

ask() {
    redis-cli -p "$@"
}

# has_replica REAL: whether that master has a replica that calls itself port 6379 and has all data.
has_replica() {
    ask "$1" info replication | grep -q '^slave0:ip=127.0.0.1,port=6379,state=online'
}

# has_name REAL NAME: whether the server at that real port has this name in its data.
has_name() {
    [[ $(ask "$1" get name) == "$2" ]]
}

@test "redis-benchmark in each of several runs counts on its own server" {
    for ((i = 0; i < copies; i++)); do
        server_command "$i" 6379
        start "$i" portshim run -p 6379 -m "$i.json" -- "${redis[@]}"
    done
    for ((i = 0; i < copies; i++)); do
        ports+=("$(real "$i.json" 6379)")
        client "$i" redis-benchmark -p 6379 -q -c 8 -n "$((1000 * (i + 1)))" -t set,incr
    done
    clients_end
    for ((i = 0; i < copies; i++)); do
        assert_equal "$(ask "${ports[i]}" get counter:__rand_int__)" "$((1000 * (i + 1)))"
        run ask "${ports[i]}" info commandstats
        assert_line --partial "cmdstat_set:calls=$((1000 * (i + 1))),"
    done
}

# start_one NAME COPY PORT OPTION...: starts a server in the run of that copy, which the first server makes.
start_one() {
    local how=(-p 6379-6380 -m "$2.json")
    [[ ! -e $2.json ]] || how=(-j "$2.json")
    server_command "$1$2" "${@:3}"
    start "$1$2" portshim run "${how[@]}" -- "${redis[@]}"
    real "$2.json" "$3"
}

@test "a replica finds the master of its own run, whichever of the two is there first" {
    for i in 0 2; do
        start_one master "$i" 6380
        start_one replica "$i" 6379 --replicaof 127.0.0.1 6380
        start_one replica "$((i + 1))" 6379 --replicaof 127.0.0.1 6380
        start_one master "$((i + 1))" 6380
    done
    for i in 0 1 2 3; do
        master=$(real "$i.json" 6380)
        within 20 has_replica "$master"
        assert_equal "$(ask "$master" set name "copy $i")" OK
        within 10 has_name "$(real "$i.json" 6379)" "copy $i"
        run inside "$i.json" redis-cli -p 6379 role
        assert_output --partial $'slave\n127.0.0.1\n6380\nconnected'
    done
}

@test "a replica finds its master again that was restarted in the run" {
    start_one replica 0 6379 --replicaof 127.0.0.1 6380
    for name in first second; do
        start_one "$name" 0 6380
        master=$(real 0.json 6380)
        within 20 has_replica "$master"
        ask "$master" set name "$name"
        within 10 has_name "$(real 0.json 6379)" "$name"
        stop "$pid"
    done
}
