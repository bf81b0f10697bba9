# portshim run --key: the real port of a placeholder depends on user, key and placeholder alone, so a server is where it
# was before, after restarts and when nothing is left of the home. Where that port is taken, the run says so.
# shellcheck disable=SC2016 # expanded by the shells that are started
load helper
load serve

setup() {
    cd "$(test_dir)"
    own_pool 200
    mkdir one two
}

teardown() {
    end_started
    [[ -z ${stranger-} ]] || rm -rf "/tmp/portshim-$stranger"
}

# port_of OPTION...: prints the real ports of a run, in the order of the placeholders.
port_of() {
    portshim run "$@" -- env | sed -n 's/^PORTSHIM_PORT_//p' | sort -n | cut -d = -f 2 | paste -sd ' '
}

# A server on 8080 that keeps its connections and counts them, and does nothing more than most do about signals.
SERVER='import socket
server, kept = socket.create_server(("127.0.0.1", 8080)), []
while True:
    kept.append(server.accept())
    print(len(kept), flush=True)'

# serves NAME OPTION...: starts that server in a run of this name; $real is its port, $serving its pid.
serves() {
    start "$1" portshim run -p 8080 -n "$1" "${@:2}" -- /usr/bin/python3 -SEc "$SERVER"
    serving=$pid
    real=$(real "$1" 8080)
}

# keeps NAME COUNT: that server has accepted so many connections. One that it has not is reset when it dies, and leaves
# nothing over.
keeps() {
    (($(wc -l <"$1.out") == $2))
}

# left_over STATE PORT: a connection of the port is in this state.
left_over() {
    ss -Htan state "$1" "sport = $2" | grep -q .
}

# milliseconds COMMAND...: prints how long it took.
milliseconds() {
    local began
    began=$(date +%s%3N)
    "$@" >/dev/null
    echo $(($(date +%s%3N) - began))
}

@test "two worktrees have the same two ports in ten restarts each, with the home emptied in between" {
    local directory ports
    [[ $(cd one && port_of --key . -p 8080) != $(cd two && port_of --key . -p 8080) ]] ||
        mv two three # a pool of 200 ports is small
    for _ in {1..10}; do
        for directory in one t*; do
            echo "$directory $(cd "$directory" && port_of --key . -p 8080)"
        done
        rm -rf home
    done >ports
    mapfile -t ports < <(sort -u ports)
    assert_equal "${#ports[@]}" 2
    [[ ${ports[0]#* } != "${ports[1]#* }" ]]
}

@test "a server that is killed ten times with connections open has its port again each time" {
    local restart first shown=0
    serves web-0 --key web
    first=$real
    # A client that does not close after the server has: FIN_WAIT_2.
    start deaf socat -u "TCP:127.0.0.1:$first,ignoreeof" -
    within 10 keeps web-0 1
    for ((restart = 1; shown < 10; restart++)); do
        ((restart <= 20)) || fail "TIME_WAIT after $shown of 20 restarts"
        start client socat -u "TCP:127.0.0.1:$first" - # it does: TIME_WAIT
        within 10 keeps "web-$((restart - 1))" $((restart == 1 ? 2 : 1))
        kill "$serving"
        serves "web-$restart" --key web -v # at once, while the old one is still dying
        [[ $real == "$first" ]] || fail "restart $restart: $(<"web-$restart.err") $(ss -Htanp "sport = $first")"
        ((restart > 1)) || within 5 left_over fin-wait-2 "$first"
        # Where the machine stands, the client's FIN is sent twice, and the second answer to it finds no client: the reset
        # then ends TIME_WAIT at once (RFC 1337). Such a restart does not count.
        if poll 5 left_over time-wait "$first"; then shown=$((shown + 1)); fi
    done
}

@test "so has one whose real port is given" {
    local given=${PORTSHIM_POOL%%,*}
    serves given-0 -p "8080=$given"
    start deaf socat -u "TCP:127.0.0.1:$given,ignoreeof" -
    within 10 keeps given-0 1
    kill "$serving"
    serves given-1 -p "8080=$given"
    assert_equal "$real" "$given"
    within 5 left_over fin-wait-2 "$given"
}

@test "a run whose last process has just ended is waited for, as it may be executing a program" {
    local first
    first=$(portshim run --key sh -p 8080 -- sh -c 'sleep 0; echo $PORTSHIM_PORT_8080')
    assert_equal "$(port_of --key sh -p 8080)" "$first"
}

@test "a second living run with the same key gets another port at once; -v and ls say so" {
    local first second
    serves first --key same
    first=$real
    # Two seconds is what it waits for the port of a run that is ending. The machine may stop for a while meanwhile.
    for _ in {1..5}; do
        took=$(milliseconds portshim run --key same -p 8080 -- true)
        ((took >= 1000)) || break
    done
    ((took < 1000)) || fail "$took ms"
    start second portshim run -v -n second --key same -p 8080,9000 -- sleep infinity
    within 10 portshim port second 8080 >second.port
    second=$(<second.port)
    [[ $second != "$first" ]]
    within 5 grep -qx "portshim: 8080 -> $second, not the key's port: $first is held by run first pid [0-9]*" second.err
    run -0 portshim ls second
    assert_line "  not the key's port: 8080 -> $second: $first was taken"
    refute_line --partial '9000 ->'
    run -0 portshim ls --log second
    assert_line --partial "not the key's port: 8080 -> $first was taken"
    portshim ls --json >ls.json
    valid ls.json
    jq -e '.runs[] | select(.name == "first") | .key == "same" and .ports[0].by_key' ls.json
    jq -e '.runs[] | select(.name == "second") | .key == "same" and [.ports[].by_key] == [false, true]' ls.json
    run -0 portshim ls first
    refute_output --partial "key's port"
    # When the first one has ended, its port is there for the next.
    stop "$serving"
    assert_equal "$(port_of --key same -p 8080)" "$first"
}

@test "four runs at once with one key have four ports" {
    seq 4 | xargs -P 4 -I {} portshim run --key same -p 8080 -n four-{} -- sh -c ': >{}.up
        echo $PORTSHIM_PORT_8080
        for i in $(seq 3000); do [ "$(echo *.up | wc -w)" = 4 ] && break; sleep 0.02; done' >ports
    assert_equal "$(sort -u ports | wc -l)" 4
}

@test "a port that a stranger has is not given; the others of the run are where they were" {
    local ports
    read -ra ports <<<"$(port_of --key web -p 8080,8081)"
    rm -rf home # the run is over, but not as long as somebody has its port
    start stranger socat "TCP-LISTEN:${ports[0]},bind=127.0.0.1" -
    within 10 listens "${ports[0]}"
    run -0 portshim run -v --key web -p 8080,8081 -- true
    assert_line --partial "not the key's port: ${ports[0]} is held by another program"
    assert_line "portshim: 8081 -> ${ports[1]}"
}

@test "placeholders of one run that want one port do not change places, nor do they when more are listed" {
    local ports more
    own_pool 8
    ports=$(port_of --key crowd -p 8080-8083)
    assert_equal "$(tr ' ' '\n' <<<"$ports" | sort -u | wc -l)" 4
    rm -rf home
    assert_equal "$(port_of --key crowd -p 8083,8081 -p 8082,8080)" "$ports"
    more=$(port_of --key crowd -p 8080-8087)
    assert_equal "${more:0:${#ports}}" "$ports"
}

@test "a real port that is given wins, late placeholders are ordinary, and -j -p asks the run's key" {
    local given ports
    given=${PORTSHIM_POOL%%,*}
    assert_equal "$(port_of --key web -p "8080=$given")" "$given"
    ports=$(port_of --key add -p 8080,9000)
    start adds portshim run -n adds --key add -p 8080 -- sleep infinity
    within 10 portshim port adds 8080 >adds.port
    assert_equal "$(<adds.port) $(portshim run -j adds -p 9000 -- sh -c 'echo $PORTSHIM_PORT_9000')" "$ports"
    portshim ls --json adds >ls.json
    valid ls.json
    jq -e '[.runs[0].ports[].by_key] == [true, true]' ls.json
    portshim run -n gave --key web -p "8080=$given" -- portshim ls --json gave >ls.json
    jq -e '.runs[0].ports[0].by_key == null' ls.json
}

@test "a .portshim has the key; . is the directory in which it lies, wherever the run is started" {
    local here
    printf 'ports 8080\nkey .\n' >one/.portshim
    mkdir -p one/.git one/below
    here=$(cd one && port_of)
    assert_equal "$(cd one/below && port_of)" "$here"
    assert_equal "$(port_of -f one/.portshim)" "$here"
    ln -s one link
    assert_equal "$(cd link && port_of)" "$here"
    assert_equal "$(port_of --key "$PWD/one" -p 8080)" "$here"
    run -0 portshim run -c -f one/.portshim
    assert_line "key $PWD/one  # one/.portshim, line 2"
    run -0 portshim run -c --key . -p 8080
    assert_line "key $PWD  # option"
}

@test "a key that is none, or with -j, is refused" {
    fails_with 'not a key' portshim run --key '' -p 8080 -- true
    fails_with 'not a key' portshim run --key "$(printf '%256s' x)" -p 8080 -- true
    fails_with 'not a key' portshim run --key $'a\nb' -p 8080 -- true
    portshim run --key "$(printf '%255s' x)" -p 8080 -- true
    serves living
    fails_with 'has its key, or none' portshim run -j living --key web -- true
}

@test "the same key is another one for another user, and the same in the user's own namespace" {
    as_root || skip 'needs root: there is one user only'
    local as_nobody=(setpriv --reuid nobody --regid nogroup --clear-groups env "PORTSHIM_HOME=$PWD/theirs/home") key
    mkdir theirs
    chown nobody theirs
    for key in a b c d; do
        echo "$(port_of --key $key -p 8080) $("${as_nobody[@]}" portshim run --key $key -p 8080 -- sh -c 'echo $PORTSHIM_PORT_8080')"
    done >ports
    awk '$1 != $2 {differ = 1} END {exit !differ}' ports
    "${as_nobody[@]}" unshare -r true || skip 'users may have no namespace of their own'
    assert_equal "$("${as_nobody[@]}" unshare -r portshim run --key d -p 8080 -- sh -c 'echo $PORTSHIM_PORT_8080')" \
        "$(tail -n 1 ports | cut -d ' ' -f 2)"
}

@test "portshim serve is asked for the port, of its own pool, and has it free when the run has just ended" {
    local first restart
    serve
    export PORTSERVER_ADDRESS=$ADDRESS PORTSHIM_POOL=
    first=$(port_of --key web -p 8080)
    for restart in 1 2; do
        rm -rf "home$restart"
        assert_equal "$(PORTSHIM_HOME=$PWD/home$restart port_of --require-portserver --key web -p 8080)" "$first"
    done
    assert_equal "$(statistic denied-allocations) $(statistic total-allocations)" '0 3'
    serves living --require-portserver --key web
    assert_equal "$real" "$first"
    run -0 --separate-stderr portshim run -v --key web -p 8080 -- true
    [[ $stderr == *"not the key's port: $first is held by run living pid $serving"* ]]
    assert_equal "$(statistic denied-taken) $(statistic denied-allocations)" '1 1'
    stop "$serving"
    assert_equal "$(port_of --require-portserver --key web -p 8080)" "$first"
}

@test "so it is by another user, while the server keeps the port for a run that has lost its first process" {
    as_root || skip 'needs root: there is one user only'
    local first left as_stranger
    # A suite that was killed has left its home.
    for ((stranger = 62000 + RANDOM % 400; ; stranger++)); do
        [[ -e /tmp/portshim-$stranger ]] || break
    done
    as_stranger=(setpriv "--reuid=$stranger" "--regid=$stranger" --clear-groups env -u PORTSHIM_HOME "PORTSERVER_ADDRESS=$ADDRESS")
    serve
    "${as_stranger[@]}" portshim run --key web -p 8080 -- bash -c 'setsid sleep infinity >&2 3>&- & echo "$! $PORTSHIM_PORT_8080"' >left.out
    read -r left first <left.out
    STARTED+=("$left")
    within 5 statistic_is leases-kept-for-runs 1
    run -0 "${as_stranger[@]}" portshim run -v --key web -p 8080 -- true
    assert_output --partial "not the key's port: $first is held by run"
    kill "$left"
    assert_equal "$("${as_stranger[@]}" portshim run --key web -p 8080 -- sh -c 'echo $PORTSHIM_PORT_8080')" "$first"
}

# was_asked COUNT: portpicker's server has had that many questions for the port of a key.
was_asked() {
    (($(grep -c 'Could not parse' server.err) >= $1))
}

@test "with portpicker's server there is one line, unless -q, and an ordinary port" {
    start server portserver --portserver_address "$ADDRESS" \
        --portserver_static_pool "$(sed -E 's/[0-9]+/&-&/g' <<<"$PORTSHIM_POOL")"
    within 20 grep -qs Serving server.err
    export PORTSERVER_ADDRESS=$ADDRESS
    run -0 portshim run --require-portserver --key web -p 8080,8081 -n picked -- portshim ls --json picked
    assert_line --index 0 "portshim: warning: port server $ADDRESS: it cannot be asked for the port of a key: use portshim serve, or leave the key away"
    printf '%s\n' "${lines[@]:1}" >ls.json
    jq -e '[.runs[0].ports[].by_key] == [false, false]' ls.json
    run -0 portshim run -q --key web -p 8080 -- true
    assert_output ''
    # It was asked once for each run. Nobody waits long for its answer to that.
    within 5 was_asked 2
    assert_equal "$(grep -c 'Could not parse' server.err)" 2
}
