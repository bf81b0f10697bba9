# portshim wait waits until a server listens, and port prints its real port; portshim run does not get in the way.
load helper
load terminal

setup() {
    cd "$(test_dir)"
    own_pool 30
}

# start_keeper: starts a run without servers; its map file is ./m.json.
start_keeper() {
    start keeper portshim run -p 80-81,443,53 -n web -m m.json -m m.env -m m -- sleep infinity
    keeper=$pid
    within 5 test -e m
}

# listen NAME ADDRESS: starts a server, such as TCP-LISTEN:80, in the keeper's run.
listen() {
    start "$1" portshim run -j m.json -- socat "$2" /dev/null
}

# waits PID: whether the process is portshim, asleep.
waits() {
    [[ $(ps -o comm=,stat= -p "$1") == portshim*S* ]]
}

# ends PID: waits until it ends by itself; $status is its status.
ends() {
    within 10 gone "$1"
    status=0
    wait "$1" || status=$?
}

@test "a wait may begin before the run" {
    start waiter portshim wait -t 60 m.json 80
    waiter=$pid
    within 5 waits "$waiter"
    start server portshim run -p 80 -m m.json -- socat TCP-LISTEN:80 /dev/null
    ends "$waiter"
    assert_equal "$status" 0
    assert_equal "$(cat waiter.out)" "$(jq .ports[0].real m.json)"
}

@test "last time's map file and name are not taken for this time's run" {
    start first portshim run -p 80 -n web -m m.json -- socat TCP-LISTEN:80 /dev/null
    before=$(real m.json 80)
    stop "$pid" KILL
    waiters=()
    for run in m.json web; do
        start "waiter-$run" portshim wait -t 60 "$run" 80
        waiters+=("$pid")
        within 5 waits "$pid"
    done
    start second portshim run -p 80 -n web -m m.json -- socat TCP-LISTEN:80 /dev/null
    for waiter in "${waiters[@]}"; do
        ends "$waiter"
        assert_equal "$status" 0
    done
    assert_equal "$(cat waiter-m.json.out)" "$(portshim port m.json 80)"
    assert_equal "$(cat waiter-web.out)" "$(portshim port web 80)"
    refute [ "$(cat waiter-web.out)" = "$before" ]
}

@test "a run that dies while it is waited for ends the wait, with the reason" {
    start_keeper
    start waiter portshim wait -t 60 m.json 443
    waiter=$pid
    within 5 waits "$waiter"
    stop "$keeper" KILL
    ends "$waiter"
    assert_equal "$status" 125
    assert_equal "$(cat waiter.out)" ''
    assert_equal "$(cat waiter.err)" \
        'portshim: m.json, port 443: the run has ended before it listened: see what its program said'
}

# microseconds: prints the time.
microseconds() {
    printf '%s\n' "${EPOCHREALTIME//[.,]/}"
}

# ends_at_once: whether a wait ends sooner than half the time after which a run counts as dead.
ends_at_once() {
    local waiter begin late
    start_keeper
    start waiter portshim wait -t 60 m.json 443
    waiter=$pid
    within 5 waits "$waiter"
    begin=$(microseconds)
    kill -KILL "$keeper"
    wait "$waiter" || :
    late=$(($(microseconds) - begin))
    wait "$keeper" || :
    rm -f m m.json m.env
    ((late < 1000000))
}

@test "such a wait ends at once" {
    ends_at_once || ends_at_once || ends_at_once # a loaded machine may be late
}

@test "a program that is being loaded, with nobody else in the run, does not end the wait" {
    printf '#include <unistd.h>\n__attribute__((constructor)) static void nap(void) { usleep(500000); }\n' >nap.c
    "${CC:-gcc}" -shared -fPIC -o nap.so nap.c
    mkfifo go
    # shellcheck disable=SC2016 # expanded inside
    start starter portshim run -p 80 -m m.json -- bash -c '
        { read -r <go; LD_PRELOAD=$PWD/nap.so:$LD_PRELOAD exec socat TCP-LISTEN:80 /dev/null; } &'
    ends "$pid"
    start waiter portshim wait -t 60 m.json 80
    waiter=$pid
    within 5 waits "$waiter"
    echo >go
    ends "$waiter"
    assert_equal "$(cat waiter.err)" ''
    assert_equal "$(cat waiter.out)" "$(portshim port m.json 80)"
    kill "$(portshim ls -q m.json 80)"
}

@test "a wait for several ports ends when the last one listens, and prints them in the order asked for" {
    start_keeper
    start waiter portshim wait -t 60 m.json 443 80-81
    waiter=$pid
    listen first TCP-LISTEN:80
    listen second TCP-LISTEN:443
    real m.json 80 443
    run -124 portshim wait -t 0.1 m.json 443 80-81
    refute gone "$waiter"
    listen third TCP-LISTEN:81
    ends "$waiter"
    assert_equal "$status" 0
    assert_equal "$(cat waiter.out)" "$(portshim port m.json 443 80 81)"
}

@test "all waits for every placeholder that has a real port" {
    start_keeper
    start waiter portshim wait -t 60 web all
    waiter=$pid
    for port in 53 80 81; do
        listen "server$port" "TCP-LISTEN:$port"
    done
    real web 53 80 81
    run -124 portshim wait -t 0.1 web all
    assert_output 'portshim: web, port 53,80,81,443: nothing listens yet on 443: see what its program says, or wait longer with -t'
    refute gone "$waiter"
    listen server443 TCP-LISTEN:443
    ends "$waiter"
    assert_equal "$status" 0
    assert_equal "$(cat waiter.out)" "$(portshim port web 53 80 81 443)"
}

@test "all waits for the first placeholder of a run that takes every port" {
    mkfifo go
    # shellcheck disable=SC2016 # expanded inside
    start server portshim run -p all -m m.json -- bash -c 'read -r <go; exec socat TCP-LISTEN:80 /dev/null'
    within 5 test -e m.json
    run -124 portshim wait -t 0.1 m.json all
    assert_output 'portshim: m.json, port all: nothing listens yet, its programs have bound no placeholder: see what its program says, or wait longer with -t'
    start waiter portshim wait -t 60 m.json all
    waiter=$pid
    within 5 waits "$waiter"
    echo >go
    ends "$waiter"
    assert_equal "$status" 0
    assert_equal "$(cat waiter.out)" "$(portshim port m.json 80)"
}

@test "--json prints the run and the ports" {
    start_keeper
    listen server TCP-LISTEN:80
    listen other TCP-LISTEN:443
    portshim wait -t 60 --json web 443 80 >ports.json
    assert_equal "$(jq -c . ports.json)" \
        "$(jq -c '{run, ports: [.ports[] | select(.placeholder == 80 or .placeholder == 443) | {placeholder, real}]}' m.json)"
    run -124 portshim wait -t 0.1 --json web 81
    refute_output --partial '{'
}

@test "a terminal is told what is waited for, on one line that goes away" {
    start_keeper
    run -124 in_terminal 80 portshim wait -t 0.5 web 80
    assert_output --partial $'\r\e[Kwaiting for web: 80\r\e[K'
    run -124 in_terminal 80 portshim wait -t 0.5 none.json 80
    assert_output --partial $'\r\e[Kwaiting for none.json: no such run yet\r\e[K'
    run -124 in_terminal 20 portshim wait -t 0.5 web 80-81,443,53
    assert_output --partial $'\r\e[Kwaiting for web: 8>\r\e[K'
    listen server TCP-LISTEN:80
    real web 80
    run -0 in_terminal 80 portshim wait -t 5 web 80
    assert_output "$(portshim port web 80)" # nothing is said when there is nothing to wait for
    run -125 in_terminal 80 portshim wait web 82
    assert_output --regexp '^portshim: web, port 82: '
}

@test "53/udp waits for UDP and 53/tcp for TCP, 53 alone for either" {
    start_keeper
    listen datagrams UDP-RECVFROM:53,fork
    assert_equal "$(real m.json 53/udp)" "$(portshim port m.json 53)"
    real m.json 53
    run -124 portshim wait -t 0.1 m.json 53/tcp
    stop "$pid"
    listen stream TCP-LISTEN:53
    assert_equal "$(real m.json 53/tcp)" "$(portshim port m.json 53)"
    real m.json 53
    run -124 portshim wait -t 0.1 m.json 53/udp
    listen datagrams UDP-RECVFROM:53,fork
    real m.json 53/udp 53/tcp
}

@test "a listener on IPv6 alone is found" {
    start_keeper
    listen server 'TCP6-LISTEN:80,ipv6only,bind=[::1]'
    assert_equal "$(real m.json 80)" "$(portshim port m.json 80)"
}

@test "a socket that is bound but does not listen is not reported" {
    start_keeper
    start bound portshim run -j m.json -- /usr/bin/python3 -c '
import signal, socket
t = socket.socket()
t.bind(("127.0.0.1", 80))
s = socket.create_server(("127.0.0.1", 81))
signal.pause()'
    real m.json 81
    run -124 portshim wait -t 0.1 m.json 80
}

@test "a listener that went away is not reported, and found again when it is back" {
    start_keeper
    listen server TCP-LISTEN:80
    before=$(real m.json 80)
    stop "$pid"
    run -124 portshim wait -t 0.1 m.json 80
    listen server TCP-LISTEN:80,reuseaddr
    assert_equal "$(real m.json 80)" "$before"
}

@test "a listener that went away while another one was waited for is waited for again" {
    start_keeper
    listen first TCP-LISTEN:80
    first=$pid
    real m.json 80
    start waiter portshim wait -t 60 m.json 80 81
    waiter=$pid
    within 5 waits "$waiter"
    stop "$first"
    listen second TCP-LISTEN:81
    real m.json 81
    run -124 portshim wait -t 0.3 m.json 80
    refute gone "$waiter"
    listen first TCP-LISTEN:80,reuseaddr
    ends "$waiter"
    assert_equal "$status" 0
}

# is_punctual SECONDS RUN MICROSECONDS: whether a wait of that time ends no sooner, and little later than a sleep(1) of that
# time beside it, at one of five tries: a loaded machine is late with both.
is_punctual() {
    local begin end try late sleeper
    for try in 1 2 3 4 5; do
        rm -f slept
        begin=$(microseconds)
        { sleep "$1" && microseconds >slept; } 3>&- &
        sleeper=$!
        status=0
        portshim wait -t "$1" "$2" 80 2>wait.err || status=$?
        end=$(microseconds)
        wait "$sleeper"
        assert_equal "$status" 124
        ((end - begin >= $3)) || fail "too early"
        late=$((end - $(<slept)))
        ((late > 300000)) || return 0
    done
    fail "try $try: $late us late"
}

@test "the deadline is kept within 0.3 s, whether there is a run or not" {
    start_keeper
    for run in m.json none.json; do
        is_punctual 0 "$run" 0
        is_punctual 0.05 "$run" 50000
        is_punctual .6 "$run" 600000
        is_punctual 1 "$run" 1000000
    done
}

# answers_soon RUN: whether the median of 50 answers is below 5 ms, beyond what this machine needs to wake a process. A wait
# that looks every 50 ms would need 25.
answers_soon() {
    portshim run -p 80 -n "$1" -- "$ROOT/build/tests/answer" "$1" 80 >"$1.out"
    cat "$1.out"
    (($(sed -n 's/^median \([0-9]*\) us$/\1/p' "$1.out") - $(sed -n 's/^wake \([0-9]*\) us$/\1/p' "$1.out") < 5000))
}

@test "a wait ends within 5 ms after listen()" {
    answers_soon one || answers_soon two || answers_soon three # on a loaded machine, one of three is enough
}

# is_frugal RUN: whether a wait of two seconds takes less than 5 % of them as user and system time.
is_frugal() {
    local used TIMEFORMAT='%3U %3S'
    used=$({ time portshim wait -t 2 "$1" 80 2>/dev/null || :; } 2>&1)
    used=${used//./}
    ((10#${used% *} + 10#${used#* } < 100)) || fail "$used ms"
}

@test "waiting for a listener costs next to no time of the processor" {
    start_keeper
    is_frugal m.json
}

@test "waiting for a run costs next to no time of the processor" {
    is_frugal none.json
}

@test "a run is found by its name, its directory and each format of map file" {
    start_keeper
    listen server TCP-LISTEN:80
    expected=$(jq '.ports[] | select(.placeholder == 80).real' m.json)
    for run in web "$(jq -r .run m.json)" "$(jq -r .run m.json)/" m.json m.env m "$PWD/m" ./m.env; do
        assert_equal "$(real "$run" 80)" "$expected"
        assert_equal "$(portshim port "$run" 80)" "$expected"
        assert_equal "$(inside "$run" printenv PORTSHIM_PORT_80)" "$expected"
    done
}

@test "port prints the real ports in the order asked for, whether anything listens or not" {
    start_keeper
    for placeholder in 443 53 80 81; do
        jq ".ports[] | select(.placeholder == $placeholder).real" m.json
    done >expected
    portshim port m.json 443 53/udp 80-81 | diff expected -
}

@test "the command's exit status is passed on" {
    for code in 0 3 125 255; do
        run portshim run -p 80 -- sh -c "exit $code"
        assert_equal "$status" "$code"
    done
    for signal in 15 9 6; do
        run portshim run -p 80 -- sh -c "kill -$signal \$\$"
        assert_equal "$status" $((128 + signal))
    done
}

@test "the command has portshim's process id" {
    start shell portshim run -p 80 -m m -- bash -c 'echo $$; exec sleep infinity'
    within 5 grep -q . shell.out
    assert_equal "$(cat shell.out)" "$pid"
    within 5 is_program "$pid" sleep
}

@test "standard input reaches the command" {
    assert_equal "$(seq 1000 | portshim run -p 80 -- cksum)" "$(seq 1000 | cksum)"
}

@test "arguments reach the command as they are" {
    portshim run -p 80 printf '%s\0' -p '' ' a  b ' $'new\nline' -- '*' ü >given
    printf '%s\0' -p '' ' a  b ' $'new\nline' -- '*' ü | cmp given -
}

@test "signals are the command's own" {
    # shellcheck disable=SC2016 # expanded inside
    start trapper portshim run -p 80 -- bash -c 'trap "exit 5" USR1; echo ready; while :; do read -rt 0.1 <> <(:); done'
    within 5 grep -q ready trapper.out
    stop "$pid" USR1
    assert_equal "$status" 5
    start plain portshim run -p 80 -m m -- sleep infinity
    within 5 test -e m
    stop "$pid" HUP
    assert_equal "$status" 129
}

@test "the command starts with the signal mask and dispositions of whoever started it" {
    trap '' USR2
    grep '^Sig[BI]' /proc/self/status >bare
    portshim run -p 80 -- grep '^Sig[BI]' /proc/self/status | diff bare -
}
