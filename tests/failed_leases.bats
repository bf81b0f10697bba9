# A command that leases ports, and then fails or is ended before it has printed them, leaves none leased.
load helper

setup() {
    cd "$(test_dir)"
    own_pool 6
    begin
}

# begin: makes an empty home, and a process for which ports are picked.
begin() {
    IFS=, read -ra ports <<<"$PORTSHIM_POOL"
    rm -rf home
    mkdir -m 700 home
    start owner sleep infinity
    owner=$pid
}

# all_but COUNT: exactly so many ports of the pool of six are leased.
all_but() {
    (
        fails_with 'pool exhausted' portshim pick -n $((7 - $1)) "$BASHPID"
        portshim pick -n $((6 - $1)) "$BASHPID" >/dev/null
    )
}

# unread ACTION COMMAND...: runs it with a stdout that nobody reads; ACTION, at SIGPIPE, is SIG_DFL or SIG_IGN.
unread() {
    /usr/bin/python3 -c '
import os, signal, sys
signal.signal(signal.SIGPIPE, getattr(signal, sys.argv.pop(1)))
reader, writer = os.pipe()
os.close(reader)
os.dup2(writer, 1)
os.execvp(sys.argv[1], sys.argv[1:])' "$@"
}

# is_ended_by_sigpipe COMMAND...: SIGPIPE ends it silently, as it ends any program.
is_ended_by_sigpipe() {
    run --separate-stderr unread SIG_DFL "$@"
    assert_equal "$status: $stderr" "$((128 + 13)): "
}

@test "a pick whose reader is gone leaves nothing leased or bound" {
    for options in '' '-n 6' '-n 3 --type stream'; do
        # shellcheck disable=SC2086 # words
        is_ended_by_sigpipe portshim pick $options "$owner"
        all_but 0
        # shellcheck disable=SC2086
        fails_with 'standard output: cannot write' unread SIG_IGN portshim pick $options "$owner"
        all_but 0
    done
    is_ended_by_sigpipe portshim pick "$owner" 600
    all_but 0
    run -0 ss -Hlntu
    refute_output --regexp ":(${PORTSHIM_POOL//,/|}) "
}

@test "a pick of a server's port whose reader is gone gives that back as well" {
    server=@${SUITE_DIR##*/}.$BATS_SUITE_TEST_NUMBER
    portshim serve --address "$server" --pool "${ports[0]},${ports[1]}"
    STARTED+=("$(portshim serve --address "$server" --status | sed -n 's/^pid //p')")
    PORTSERVER_ADDRESS=$server is_ended_by_sigpipe portshim pick --require-portserver -n 2 "$owner"
    portshim serve --address "$server" --status >status
    grep -qx 'leases 0' status
    grep -qx 'released 2' status
}

# slow_server [PAUSES]: starts a port server that answers the first question at once and the second one late, after so
# many pauses of 0.2 s: by default when no client waits any longer.
slow_server() {
    local pauses
    printf -v pauses '%*s' "${1-30}" ''
    server=@${SUITE_DIR##*/}.$BATS_SUITE_TEST_NUMBER
    start server "$PROGRAMS/fake_portserver.py" "$server" say "${ports[0]}\n" "${pauses// /|}${ports[1]}\n" ok
    slow=$pid
    within 10 grep -qs ready server.out
}

asked() {
    (($(grep -c '^[0-9]' server.out) == $1))
}

# again: makes all as it was before the test, but for the pool.
again() {
    local ended
    for ended in "$slow" "$owner" "${web[@]}"; do
        stop "$ended"
    done
    rm -f server.out web.json
    begin
}

# in_time: whether a client that was started at $began still waits for the server: it does so for 5 s. Where the machine
# stood still for so long, all is made ready for another try.
in_time() {
    (($(date +%s%3N) - began < 4500)) || { again && return 1; }
}

@test "a pick that a signal ends while it has some of its ports leaves none of them" {
    for signal in TERM INT HUP; do
        for _ in {1..5}; do
            slow_server
            began=$(date +%s%3N)
            # python3 resets INT, which a shell makes its background commands ignore
            PORTSERVER_ADDRESS=$server start pick /usr/bin/python3 -c 'import os, signal, sys
for number in signal.SIGINT, signal.SIGHUP:
    signal.signal(number, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])' portshim pick -q -n 3 "$owner"
            within 10 asked 2
            ! in_time || break
        done
        stop "$pid" "$signal"
        assert_equal "$status $(cat pick.out pick.err)" "$((128 + $(kill -l "$signal"))) "
        all_but 0
        again
    done
}

@test "a signal that is ignored does not end a pick" {
    slow_server 7
    # shellcheck disable=SC2016 # expanded by that shell
    PORTSERVER_ADDRESS=$server start pick bash -c 'trap "" HUP; exec portshim pick -q -n 3 "$1"' - "$owner"
    within 10 asked 2
    kill -HUP "$pid"
    wait "$pid"
    assert_equal "$(wc -l <pick.out)" 3
}

# web: starts a run with one of the ports; ${ports[@]} are the others.
web() {
    start web portshim run -p 80 -n web -m web.json -- sleep infinity
    web=("$pid")
    within 10 test -e web.json
    mapfile -t ports < <(printf '%s\n' "${ports[@]}" | grep -vx "$(portshim port web 80)")
}

@test "a join that cannot have all its ports leaves none of them leased, and the run as it was" {
    web
    before=$(portshim ls --json web)
    fails_with 'pool exhausted' portshim run -j web -p 81-90 -- true
    fails_with "real port ${ports[1]} for placeholder 82" occupied_by_another portshim run -j web -p "81,82=${ports[1]}" -- true
    all_but 1
    assert_equal "$(portshim ls --json web | jq -c .runs[].ports)" "$(jq -c .runs[].ports <<<"$before")"
    fails_with 'not a placeholder' portshim port web 81
    portshim run -j web -p 81 -- true
    all_but 2
}

occupied_by_another() {
    local status=0
    start occupier socat "TCP-LISTEN:${ports[1]},bind=127.0.0.1" /dev/null
    within 10 listens "${ports[1]}"
    "$@" || status=$?
    stop_occupier
    return "$status"
}

stop_occupier() {
    kill "$pid"
    wait "$pid" 2>/dev/null || :
}

@test "a join whose map file cannot be written leaves nothing leased" {
    mkdir maps
    start web portshim run -p 80 -n web -m maps/web.json -- sleep infinity
    within 10 test -e maps/web.json
    rm -r maps
    fails_with "map file $PWD/maps/web.json" portshim run -j web -p 81,82 -- true
    all_but 1
    fails_with 'not a placeholder' portshim port web 81
}

@test "a join whose command cannot be started leaves nothing leased" {
    web
    printf '#!/no/such/interpreter\n' >unstartable
    chmod +x unstartable
    run -127 portshim run -q -j web -p 81,82 -- ./unstartable
    all_but 1
    fails_with 'not a placeholder' portshim port web 81
    portshim run -j web -p 81 -- true
    all_but 2
    portshim port web 81
}

@test "a join that a signal ends while it has some of its ports leaves none of them" {
    for _ in {1..5}; do
        web
        slow_server
        began=$(date +%s%3N)
        PORTSERVER_ADDRESS=$server start join portshim run -q -j web -p 81-83 -- true
        within 10 asked 2
        ! in_time || break
    done
    stop "$pid"
    assert_equal "$status $(cat join.out join.err)" '143 '
    all_but 1
    fails_with 'not a placeholder' portshim port web 81
}
