# redis-server: a socket for IPv4, then an IPv6-only one on the same number. With --daemonize, the first process has
# ended before its child binds.
load helper

setup() {
    cd "$(test_dir)"
}

# Daemons are not children of the test: after a failed one they are found by their pid files.
teardown() {
    mapfile -tO "${#STARTED[@]}" STARTED < <(cat ./*/pid 2>/dev/null)
    end_started
}

# redis_command COPY OPTION...: puts the command of a copy into $redis. A copy is recognized by its directory.
redis_command() {
    local copy=$1
    shift
    mkdir -p "$copy"
    redis=(redis-server --port 6379 --save '' --dir "$PWD/$copy" "$@")
}

start_copy() {
    redis_command "$@"
    start "$1" portshim run -p 6379 -m "$1.json" -- "${redis[@]}"
}

# is_copy COPY COMMAND...: whether this client reaches that copy.
is_copy() {
    local copy=$1
    shift
    assert_equal "$("$@" ping)" PONG
    assert_equal "$("$@" config get dir)" "dir"$'\n'"$PWD/$copy"
}

# serves COPY REAL ADDRESS...: it answers everyone at the real port, and clients in its run at 6379.
serves() {
    local copy=$1 port=$2 address
    shift 2
    for address; do
        is_copy "$copy" redis-cli -h "$address" -p "$port"
        is_copy "$copy" inside "$copy.json" redis-cli -h "$address" -p 6379
    done
}

are_different() {
    assert_equal "$(printf '%s\n' "$@" | sort -u | wc -l)" $#
}

@test "twenty copies started at once beside a squatter each answer their own clients on IPv4 and IPv6" {
    own_pool 300
    squatter
    for ((i = 0; i < 20; i++)); do
        start_copy "$i" --bind 127.0.0.1 ::1
    done
    for ((i = 0; i < 20; i++)); do
        ports+=("$(real "$i.json" 6379)")
    done
    are_different "${ports[@]}"
    for ((i = 0; i < 20; i++)); do
        serves "$i" "${ports[i]}" 127.0.0.1 ::1
        is_copy "$i" inside "$i.json" redis-cli -p 6379
    done
}

@test "a copy that is stopped and restarted in its run beside a squatter is found again at the same real port" {
    own_pool 300
    squatter
    start keeper portshim run -p 6379 -m 0.json -- sleep infinity
    within 5 test -e 0.json
    redis_command 0 --bind 127.0.0.1 ::1
    for _ in 1 2 3; do
        start server portshim run -j 0.json -- "${redis[@]}"
        ports+=("$(real 0.json 6379)")
        serves 0 "${ports[-1]}" 127.0.0.1 ::1
        stop "$pid"
        assert_equal "$status" 0
    done
    assert_equal "${ports[*]}" "${ports[0]} ${ports[0]} ${ports[0]}"
}

@test "a copy that is sent SIGTERM leaves no process, and the next run gets its port" {
    own_pool 1
    start_copy 0 --bind 127.0.0.1 ::1
    port=$(real 0.json 6379)
    assert_equal "$port" "$PORTSHIM_POOL"
    serves 0 "$port" 127.0.0.1 ::1
    fails_with 'pool exhausted' portshim run -p 6379 -- true

    stop "$pid"
    assert_equal "$status" 0
    nobody_in "$(jq -r .run 0.json)"
    start_copy 1 --bind 127.0.0.1 ::1
    serves 1 "$(real 1.json 6379)" 127.0.0.1 ::1
}

@test "five copies that make daemons of themselves are found, and end by the pid they wrote" {
    for ((i = 0; i < 5; i++)); do
        start_copy "$i" --bind 127.0.0.1 ::1 --daemonize yes --pidfile "$PWD/$i/pid" --logfile "$PWD/$i/log"
        parents+=("$pid")
    done
    for ((i = 0; i < 5; i++)); do
        ports+=("$(real "$i.json" 6379)")
        within 5 grep -q . "$i/pid"
        daemons+=("$(cat "$i/pid")")
    done
    are_different "${ports[@]}"
    for ((i = 0; i < 5; i++)); do
        wait "${parents[i]}"
        serves "$i" "${ports[i]}" 127.0.0.1 ::1
    done
    for ((i = 0; i < 5; i++)); do
        kill "${daemons[i]}"
        within 5 gone "${daemons[i]}"
        nobody_in "$(jq -r .run "$i.json")"
    done
}

@test "copies on the wildcard and on a second local address answer there at their real ports" {
    start_copy 0 --bind '*'
    start_copy 1 --bind 0.0.0.0
    start_copy 2 --bind '*' '::*'
    start_copy 3 --bind 127.0.0.1 127.0.0.2
    for ((i = 0; i < 4; i++)); do
        serves "$i" "$(real "$i.json" 6379)" 127.0.0.1 127.0.0.2
    done
    serves 2 "$(real 2.json 6379)" ::1
}
