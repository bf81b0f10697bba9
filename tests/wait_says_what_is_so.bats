# A wait that is in vain says why: what has become of the run, and what its programs did instead.
load helper
load terminal

setup() {
    cd "$(test_dir)"
    own_pool 30
    unlisted=${PORTSHIM_POOL##*,}
    portshim run -p 80 -- true # makes the home
}

# serves NAME PROGRAM: starts a run of that name, with placeholders 80, 81 and 53/udp, in which Python runs a program.
serves() {
    start "$1" portshim run -p 80-81,53/udp -n "$1" -m "$1.json" -- /usr/bin/python3 -c "
import signal, socket, sys
$2
print('ready', flush=True)
signal.pause()" "$unlisted"
    within 10 grep -qsx ready "$1.out"
}

# in_vain WORDS RUN PORT...: the wait ends with 124, and one line that has the words.
in_vain() {
    local words=$1
    shift
    ends_with 124 "$words" portshim wait -t 0.2 "$@"
}

# said NAME: the background command has written a line to stderr.
said() {
    [[ -s $1.err ]]
}

@test "the last run of the name has ended before: that is said at once, and again in the last line" {
    ends_with 127 nosuch portshim run -p 80 -n web -m web.json -- nosuch
    for run in web web.json; do
        start "waiter-$run" portshim wait -t 100 "$run" 80
        within 5 said "waiter-$run"
        what=name
        [[ $run == web ]] || what='map file'
        grep -qxE "portshim: $run: the last run of that $what ended [0-9]+ s ago with 127: waiting for a new one" \
            "waiter-$run.err"
        refute gone "$pid"
        run -124 --separate-stderr portshim wait -t 0.3 "$run" 80
        assert_equal "${#stderr_lines[@]}" 2
        [[ ${stderr_lines[1]} == "portshim: $run, port 80: no such run yet, the last one ended "*' s ago with 127: '* ]]
    done
    first=${STARTED[-2]} second=$pid
    start server portshim run -p 80 -n web -m web.json -- socat TCP-LISTEN:80 /dev/null
    for waiter in "$first" "$second"; do
        within 10 gone "$waiter"
        wait "$waiter"
    done
    assert_equal "$(cat waiter-web.out)" "$(portshim port web 80)"
    PORTSHIM_QUIET=1 in_vain 'no such run yet, there' ./none 80
}

@test "a killed run of last time is one that has ended, too" {
    start server portshim run -p 80 -n web -- sleep infinity
    portshim_lives() { portshim port web 80; }
    within 5 portshim_lives
    stop "$pid" KILL
    start waiter portshim wait -t 100 web 80
    within 5 said waiter
    grep -qxE 'portshim: web: the last run of that name (has|was found) ended.*: waiting for a new one' waiter.err
    refute gone "$pid"
}

@test "a run that has just ended is not taken for the one before it" {
    mkdir here
    cd here
    ends_with 127 nosuch portshim run -p 80 -n web -- nosuch
    portshim run -p 80 -n web -- sh -c 'exec true' # it may be executing the next program: nobody knows at once
    for run in web ''; do
        PORTSHIM_QUIET=1 in_vain 'no such run yet, the last one ' ${run:+"$run"} 80
        refute_regex "$stderr" 'with 127'
    done
}

@test "a directory or an id means one run alone: to wait for it ends with it, or when it had ended before" {
    # shellcheck disable=SC2016 # expanded by that shell
    run=$(portshim run -p 80 -- sh -c 'echo "$PORTSHIM_RUN"')
    for word in "$run" "$run/" "${run##*/}"; do
        fails_with "$word, port 80: the run has ended" timeout 60 portshim wait "$word" 80
    done
    serves last 'kept = socket.create_server(("127.0.0.1", 80))'
    run=$(portshim ls --json last | grep -o '"run":"[^"]*"' | cut -d '"' -f 4)
    real last 80 >found
    stop "$pid" KILL
    run -125 --separate-stderr timeout 60 portshim wait "$run" 80
    refute_regex "$stderr" 'before it listened'
}

@test "an empty word names no run, and is not waited for" {
    fails_with 'run: its name is empty' timeout 60 portshim wait '' 80
}

@test "a run that could not be started while it was waited for ends the wait, with the status" {
    start waiter portshim wait -t 100 web 80
    waiter=$pid
    within 5 sleeps "$waiter"
    ends_with 127 nosuch portshim run -p 80 -n web -- nosuch
    within 5 gone "$waiter"
    status=0
    wait "$waiter" || status=$?
    assert_equal "$status" 125
    assert_equal "$(cat waiter.err)" 'portshim: web, port 80: the run has ended with 127 before it listened: see what its program said'
}

sleeps() {
    [[ $(ps -o comm=,stat= -p "$1") == portshim*S* ]]
}

@test "a run that ends while it is waited for says what its command ended with, and what it did instead" {
    mkfifo go
    start server portshim run --require-bind -p 80 -n web -m m -- bash -c 'read -r <go; exit 3'
    within 5 test -e m
    start waiter portshim wait -t 100 web 80
    within 5 sleeps "$pid"
    echo >go
    within 5 gone "$pid"
    assert_equal "$(cat waiter.err)" 'portshim: web, port 80: the run has ended with 3 before it listened: see what its program said'
    serves other 'socket.create_server(("127.0.0.1", int(sys.argv[1])))'
    server=$pid
    start waiter portshim wait -t 100 other 80
    within 5 sleeps "$pid"
    stop "$server" KILL
    within 5 gone "$pid"
    grep -qxE "portshim: other, port 80: the run has ended before it listened, python3[^ ]* bound $unlisted instead: add -p $unlisted" waiter.err
}

@test "another port that was bound instead, or was in use, is named, with the option that lists it" {
    start stranger /usr/bin/python3 -c 'import socket, signal, sys
kept = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("ready", flush=True)
signal.pause()' "${PORTSHIM_POOL%%,*}"
    within 5 grep -qs ready stranger.out
    serves web "
kept = socket.create_server(('127.0.0.1', $unlisted))
try:
    socket.create_server(('127.0.0.1', ${PORTSHIM_POOL%%,*}))
except OSError:
    pass"
    in_vain " bound $unlisted instead" web 80
    [[ $stderr == *" wanted ${PORTSHIM_POOL%%,*}, which is in use and not listed"* ]]
    [[ $stderr == *": add -p $unlisted,${PORTSHIM_POOL%%,*}" || $stderr == *": add -p ${PORTSHIM_POOL%%,*},$unlisted" ]]
}

@test "another placeholder that listens instead, or another protocol, is named" {
    serves web '
kept = socket.create_server(("127.0.0.1", 81))
datagrams = socket.socket(type=socket.SOCK_DGRAM)
datagrams.bind(("127.0.0.1", 80))'
    in_vain 'has 80/udp, not 80/tcp, something listens on 81' web 80/tcp
    in_vain ', something listens on 80, 81: ' web 53
}

@test "a port that is bound and does not listen, or was bound before, is told from one that nobody has bound" {
    serves web '
bound = socket.socket()
bound.bind(("127.0.0.1", 80))
socket.create_server(("127.0.0.1", 81)).close()'
    in_vain '81 was bound, and is not any more' web 81
    serves idle ''
    in_vain 'nothing listens yet, its programs have bound no placeholder: see what its program says' idle 80
    kernel=$(uname -r)
    [[ $(printf '6.8\n%s\n' "$kernel" | sort -V | head -n 1) == 6.8 ]] || skip "Linux $kernel does not tell of such sockets"
    in_vain 'has bound 80, but does not listen' web 80
}

@test "a program that could not be wrapped is named, with the reason and a remedy" {
    busybox=$(type -P busybox) || skip 'busybox-static is not installed'
    # shellcheck disable=SC2016 # the shell that is meant expands it
    start server portshim run -q --trap=off -p 80 -n web -m m -- bash -c '"$1" true; echo ready; exec sleep infinity' - "$busybox"
    within 5 grep -qs ready server.out
    in_vain 'nothing listens yet, busybox is not wrapped (statically linked, and the trap is off): use --trap=auto' web 80
}

@test "a port that is no placeholder ends the wait at once, and the run's placeholders are said" {
    serves web 'kept = socket.create_server(("127.0.0.1", int(sys.argv[1])))'
    fails_with 'web, port 82: not a placeholder of this run, which has 53/udp,80,81: list it with -p' portshim wait web 82
    fails_with "not a placeholder of this run, which has 53/udp,80,81, python3" portshim wait web "$unlisted"
    [[ $stderr == *" bound it as it is: add -p $unlisted when the run is started" ]]
}

@test "a map file that is missing, empty or none is told apart, and a run may write to an empty one" {
    : >empty
    echo 'something else' >rubbish
    in_vain 'no such run yet, there is no such file' ./none 80
    in_vain "no such run yet, $PORTSHIM_HOME has none of that name, and there is no such file" none 80
    in_vain 'no such run yet, the file is empty: start one with -m empty' empty 80
    fails_with 'rubbish: not ' portshim wait -t 60 rubbish 80
    start waiter portshim wait -t 100 empty 80
    waiter=$pid
    within 5 sleeps "$waiter"
    start server portshim run -p 80 -m empty -- socat TCP-LISTEN:80 /dev/null
    within 10 gone "$waiter"
    assert_equal "$(cat waiter.out)" "$(portshim port empty 80)"
}

# recorded HOME: whether a run of that home has been recorded as ended.
recorded() {
    PORTSHIM_HOME=$1 portshim ls --all --json | jq -e '.ended != []' >/dev/null
}

@test "a run whose home is in another /tmp, as with PrivateTmp, is told from one that has ended" {
    unshare -m true 2>/dev/null || skip 'no mount namespace can be made here'
    mkdir tmp
    PORTSHIM_HOME=$PWD/tmp/home portshim run -p 80 -m seen.json -- true # another run that had the file is none that is meant
    within 10 recorded tmp/home
    # shellcheck disable=SC2016 # the shell that is meant expands it
    PORTSHIM_HOME=$PWD/tmp/home start server unshare -m sh -ec 'mount -t tmpfs none tmp; exec "$@"' sh \
        portshim run -p 80 -m seen.json -- sleep infinity
    within 5 test -e seen.json
    PORTSHIM_HOME=$PWD/tmp/home in_vain "process $pid has the one that the file names, in another /tmp" seen.json 80
    [[ $stderr == *', as with PrivateTmp of systemd: set PORTSHIM_HOME to a directory that both see' ]]
    in_vain "process $pid has the one that the file names, in another /tmp" seen.json 80
    stop "$pid" KILL
    PORTSHIM_HOME=$PWD/tmp/home in_vain 'which the file names, is not there: it has ended, or is in another /tmp' seen.json 80
}

@test "a run of another home or another user is named as that" {
    start server portshim run -p 80 -m m.json -- sleep infinity
    within 5 test -e m.json
    fails_with "m.json: it is a run of another home, $PORTSHIM_HOME: set PORTSHIM_HOME=$PORTSHIM_HOME" \
        env "PORTSHIM_HOME=$PWD/another" portshim wait -t 60 m.json 80
    as_root || skip 'only root can be another user'
    install -d -o nobody -m 711 theirs
    mkdir -m 777 open
    PORTSHIM_HOME=$PWD/theirs start theirs setpriv --reuid=nobody --clear-groups -- \
        "$SUITE_DIR/portshim" run -p 80 -m open/m -- sleep infinity
    within 5 test -e open/m
    fails_with "open/m: it is a run of another user, uid $(id -u nobody): ask as that user" portshim wait -t 60 open/m 80
}

@test "without -t and without a terminal one line says what is waited for, and one what is known to be wrong" {
    start waiter portshim wait none 80
    within 5 said waiter
    assert_equal "$(cat waiter.err)" "portshim: none, port 80: no such run yet, $PORTSHIM_HOME has none of that name, \
and there is no such file: waiting for it"
    serves web ''
    start plain portshim wait web 80
    within 5 said plain
    assert_equal "$(cat plain.err)" 'portshim: web, port 80: nothing listens yet: waiting for it'
    portshim run -j web -- /usr/bin/python3 -c '
import socket, sys
socket.create_server(("127.0.0.1", int(sys.argv[1])))' "$unlisted"
    within 5 grep -q instead plain.err
    grep -qxE "portshim: web, port 80: nothing listens yet, python3[^ ]* bound $unlisted instead: add -p $unlisted" plain.err
    assert_equal "$(wc -l <plain.err)" 2
    PORTSHIM_QUIET=1 start quiet portshim wait web 80
    quiet=$pid
    start loud portshim wait web 80
    within 5 said loud
    assert_equal "$(cat quiet.err)" ''
    portshim run -j web -- socat TCP-LISTEN:80 /dev/null &
    STARTED+=($!)
    within 5 gone "$quiet"
    assert_equal "$(cat quiet.err)" ''
    run -0 --separate-stderr portshim wait web 80
    assert_equal "$stderr" '' # it is over before
}

@test "a terminal shows what is known to be wrong beside what is waited for" {
    serves web 'kept = socket.create_server(("127.0.0.1", int(sys.argv[1])))'
    run -124 in_terminal 120 portshim wait -t 2 web 80
    assert_output --partial $'\r\e[Kwaiting for web: 80: nothing listens yet, python3'
    assert_output --partial " bound $unlisted instead"
}
