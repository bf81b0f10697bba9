# Ports leased for a process: portshim pick prints them, portshim release gives them back.
load helper

# The ports are picked for a process, $owner, which ends when a test wants it to.
setup() {
    cd "$(test_dir)"
    own_pool 3
    IFS=, read -ra ports <<<"$PORTSHIM_POOL"
    mkdir -m 700 home
    start owner sleep infinity
    owner=$pid
}

# pool_has COUNT: so many ports can be leased. They are leased for this subshell, which ends at once.
pool_has() {
    (
        portshim pick -n "$1" "$BASHPID"
    )
}

nothing_leased() {
    pool_has 3 && ! ss -Hlntu | grep -E ":(${PORTSHIM_POOL//,/|}) "
}

# can_bind PORT [reuse]: whether a new TCP socket, and without "reuse" also a UDP socket, can be bound to the port.
can_bind() {
    /usr/bin/python3 -c '
import socket, sys
port, reuse = int(sys.argv[1]), len(sys.argv) > 2
for kind in [socket.SOCK_STREAM] if reuse else [socket.SOCK_STREAM, socket.SOCK_DGRAM]:
    s = socket.socket(socket.AF_INET, kind)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
    s.bind(("127.0.0.1", port))' "$@" 2>/dev/null
}

cannot_bind() {
    ! can_bind "$@"
}

# occupy ADDRESS...: another program, socat, holds this address until stop "$pid".
occupy() {
    start occupier socat "$@" /dev/null
    within 10 occupied "$pid"
}

occupied() {
    ss -Hlntup | grep -q "pid=$1,"
}

# leased OPTION...: pick leases the only port of $PORTSHIM_POOL with these options; it is released again.
leased() {
    run --separate-stderr portshim pick "$@" "$owner"
    assert_equal "$status: $output: $stderr" "0: $PORTSHIM_POOL: "
    portshim release "$output"
}

has_lines() {
    (($(wc -l <"$2") == $1))
}

closed() {
    "$@" >&-
}

full() {
    "$@" >/dev/full
}

@test "a port is leased for the parent, until that has ended" {
    start parent bash -c 'portshim pick -n 3; sleep infinity'
    within 10 has_lines 3 parent.out
    fails_with 'pool exhausted' portshim pick "$owner"
    stop "$pid"
    pool_has 3
}

@test "a port is leased for the process that is named, and for nobody else before that has ended" {
    portshim pick -n 3 "$owner"
    fails_with 'pool exhausted' portshim pick $$
    stop "$owner"
    pool_has 3
}

@test "a process that is killed with SIGKILL leaves its ports" {
    portshim pick -n 3 "$owner"
    stop "$owner" KILL
    pool_has 3
}

@test "a process that nobody has waited for yet has no port any more" {
    start parent /usr/bin/python3 -c '
import os, signal
child = os.fork()
if child == 0:
    signal.pause()
print(child, flush=True)
signal.pause()'
    within 10 test -s parent.out
    child=$(<parent.out)
    portshim pick -n 3 "$child"
    fails_with 'pool exhausted' portshim pick $$
    kill -KILL "$child"
    within 5 gone "$child"
    pool_has 3
    fails_with 'no such process' portshim pick "$child"
}

@test "two picks differ, and so do the ports of one" {
    {
        portshim pick "$owner"
        portshim pick --count 2 "$owner"
    } >picked
    assert_equal "$(sort -n picked)" "$(printf '%s\n' "${ports[@]}" | sort -n)"
}

@test "a pick of more ports than there are leases none" {
    fails_with 'pool exhausted' portshim pick -n 4 "$owner"
    nothing_leased
}

@test "a process that is not there gets nothing" {
    stop "$owner"
    fails_with "pid $owner: no such process" portshim pick "$owner"
    fails_with 'pid 2147483647: no such process' portshim pick 2147483647
    local word
    for word in 0 x 1x 1.5 '' ' 1' +1 2147483648 99999999999999999999; do
        fails_with "pid \"$word\": not a number in its range" portshim pick "$word"
    done
    fails_with '-1: unknown option' portshim pick -1
    nothing_leased
}

@test "what makes no sense is named and refused" {
    local word
    fails_with '5: too many arguments' portshim pick "$owner" 4 5
    for word in 0 -1 x 4097 '' 99999999999; do
        fails_with "count \"$word\"" portshim pick -n "$word" "$owner"
        fails_with "count \"$word\"" portshim pick "--count=$word" "$owner"
    done
    for word in -1 x '' 5s inf nan 1e30; do
        fails_with "timeout \"$word\"" portshim pick -- "$owner" "$word"
    done
    fails_with 'family "ipv4": no such family' portshim pick --family ipv4 "$owner"
    fails_with 'type "tcp": no such type' portshim pick --type tcp "$owner"
    for word in example 127.0.0 127.0.0.1:80 ::g ' '; do
        fails_with "host \"$word\": no address of that family" portshim pick --host "$word" "$owner"
    done
    fails_with 'host "::1": no address of that family' portshim pick --host ::1 --family inet "$owner"
    fails_with 'host "127.0.0.1": no address of that family' portshim pick --family inet6 --host 127.0.0.1 "$owner"
    # shellcheck disable=SC2046 # many words
    fails_with 'host 127.0.0.17: more than 16' portshim pick $(printf -- '--host 127.0.0.%s ' {1..17}) "$owner"
    fails_with '--frob: unknown option' portshim pick --frob "$owner"
    fails_with '-x: unknown option' portshim pick -x
    fails_with '-n: its argument is missing' portshim pick -n
    fails_with 'Cannot assign requested address' portshim pick --host 192.0.2.1 "$owner"
    nothing_leased
}

@test "--help tells on stdout" {
    portshim pick --help | grep -q '^usage: portshim pick '
    portshim release -h | grep -q '^usage: portshim release '
    nothing_leased
}

@test "with a timeout the port is bound until that is over" {
    # What is asked when the time is over says nothing. On a machine that stalls, it is asked again.
    for _ in {1..5}; do
        begin=${EPOCHREALTIME//[.,]/}
        port=$(portshim pick "$owner" 1.5)
        was_bound=no
        if cannot_bind "$port" && can_bind "$port" reuse; then
            was_bound=yes
        fi
        taken=$((${EPOCHREALTIME//[.,]/} - begin))
        within 10 can_bind "$port"
        ((taken > 1400000)) || break
        portshim release "$port"
    done
    assert_equal "$was_bound" yes
    fails_with 'pool exhausted' portshim pick -n 3 $$
}

@test "with a timeout every port is bound until the process has ended" {
    portshim pick -n 3 "$owner" 600 >picked
    while read -r port; do
        cannot_bind "$port"
    done <picked
    stop "$owner"
    for port in "${ports[@]}"; do
        within 10 can_bind "$port"
    done
    pool_has 3
}

@test "with a timeout the port is printed at once, and nothing of the caller's stays open" {
    # shellcheck disable=SC2016 # expanded by that shell
    timeout 60 bash -c '
        exec 9>lock
        flock 9
        port=$(portshim pick $$ 600)
        exec 9>&-
        flock -n lock true && echo "$port"' >out
    grep -qx '[0-9]*' out
    within 10 nothing_leased
}

@test "a server can bind a port that is kept bound for it" {
    port=$(portshim pick "$owner" 600)
    start server /usr/bin/python3 -m http.server --bind 127.0.0.1 "$port"
    within 20 curl -sf -o /dev/null "http://127.0.0.1:$port/"
    cannot_bind "$port" reuse
}

@test "a port need only be free on the host that is named" {
    PORTSHIM_POOL=${ports[0]}
    occupy "TCP-LISTEN:$PORTSHIM_POOL,bind=127.0.0.2"
    fails_with "1 by other programs" portshim pick "$owner"
    fails_with "1 by other programs" portshim pick --host '' "$owner"
    fails_with "1 by other programs" portshim pick --host 127.0.0.2 "$owner"
    fails_with "1 by other programs" portshim pick --host 127.0.0.1 --host 127.0.0.2 "$owner"
    leased --host 127.0.0.1
    leased --host localhost
    leased --host 127.0.0.1 --host 127.0.0.3 --type stream
    port=$(portshim pick --host 127.0.0.1 "$owner" 600)
    cannot_bind "$port"
    stop "$owner"
    within 10 can_bind "$port"
}

@test "a port need only be free in the family that is named" {
    PORTSHIM_POOL=${ports[0]}
    has_ipv6 || skip 'this host has no IPv6 address'
    occupy "TCP6-LISTEN:$PORTSHIM_POOL,bind=[::1]"
    fails_with "pool exhausted" portshim pick "$owner"
    fails_with "pool exhausted" portshim pick --family inet6 "$owner"
    fails_with "pool exhausted" portshim pick --host localhost "$owner"
    leased --family inet
    leased --family inet --host localhost
    stop "$pid"
    occupy "UDP4-RECVFROM:$PORTSHIM_POOL,bind=127.0.0.1"
    fails_with "pool exhausted" portshim pick --family inet "$owner"
    leased --family inet6
    leased --host ::1
}

@test "a port need only be free for the type that is named" {
    PORTSHIM_POOL=${ports[0]}
    occupy "TCP-LISTEN:$PORTSHIM_POOL"
    fails_with "pool exhausted" portshim pick --type stream "$owner"
    leased --type dgram
    stop "$pid"
    occupy "UDP-RECVFROM:$PORTSHIM_POOL"
    fails_with "pool exhausted" portshim pick --type dgram "$owner"
    leased --type stream
}

@test "an exhausted pool is said with those who hold it" {
    start other sleep infinity
    portshim pick "$owner"
    portshim pick "$owner"
    portshim pick "$pid"
    fails_with "no port for pid $$: pool exhausted, held by: 0 ports of 3 by 0 runs, 3 by 2 processes (pid " \
        portshim pick $$
    stop "$pid"
    start holder portshim run -p 80 -n web -m web.json -- sleep infinity
    within 10 test -e web.json
    fails_with "1 ports of 3 by 1 run (web pid $pid), 2 by 1 process (pid $owner), 0 by other programs" portshim pick $$
}

@test "a stdout that cannot be written is said, and nothing stays leased or bound" {
    local command
    for command in closed full; do
        fails_with 'standard output: cannot write' "$command" portshim pick "$owner"
        fails_with 'standard output: cannot write' "$command" portshim pick -n 3 "$owner" 600
        nothing_leased
    done
    portshim pick -n 3 "$owner" 600 <&- >&- 2>&- 3>&- || status=$?
    assert_equal "$status" 125
    nothing_leased
}

@test "the ports of a pool are those that its variable or file lists" {
    local list="${ports[0]} , ${ports[2]}" expected
    expected=$(printf '%s\n' "${ports[0]}" "${ports[2]}" | sort -n)
    printf '# two ports\r\n\n\t%s # one\n%s-%s' "${ports[0]}" "${ports[2]}" "${ports[2]}" >list
    PORTSHIM_POOL=$list pool_has 2 | sort -n | diff - <(echo "$expected")
    unset PORTSHIM_POOL
    PORTSHIM_POOL_FILE=list PYSYS_PORTS=x pool_has 2 | sort -n | diff - <(echo "$expected")
    PYSYS_PORTS=$list PYSYS_PORTS_FILE=none pool_has 2 | sort -n | diff - <(echo "$expected")
    PYSYS_PORTS_FILE=$PWD/list PORTSHIM_POOL='' pool_has 2 | sort -n | diff - <(echo "$expected")
}

@test "a pool that makes no sense is named with its line and word" {
    local list
    for list in x 8000-x 0 70000 9000-8000 '8000,,' '8000;9000'; do
        PORTSHIM_POOL=$list fails_with 'PORTSHIM_POOL: "' portshim pick "$owner"
        PORTSHIM_POOL='' PYSYS_PORTS=$list fails_with 'PYSYS_PORTS: "' portshim pick "$owner"
    done
    unset PORTSHIM_POOL
    printf '# ports\n8000-8099\n\n9000,  eleven , 12\n' >list
    PORTSHIM_POOL_FILE=$PWD/list fails_with "$PWD/list, line 4: \"eleven\"" portshim pick "$owner"
    PYSYS_PORTS_FILE=$PWD/list fails_with "$PWD/list, line 4: \"eleven\"" portshim pick "$owner"
    PORTSHIM_POOL_FILE=$PWD/none fails_with "$PWD/none: No such file" portshim pick "$owner"
    PORTSHIM_POOL_FILE=$PWD fails_with "$PWD: Is a directory" portshim pick "$owner"
    echo '# nothing' >list
    PORTSHIM_POOL_FILE=$PWD/list fails_with 'the pool: no port in it' portshim pick "$owner"
}

@test "a port that is given back can be leased again" {
    mapfile -t picked < <(portshim pick -n 3 "$owner")
    portshim release "${picked[1]}"
    assert_equal "$(portshim pick "$owner")" "${picked[1]}"
    portshim release "${picked[@]}"
    pool_has 3
}

@test "only a leased port can be given back" {
    fails_with 'nobody has leased it' portshim release "${ports[0]}"
    fails_with 'port: none is given' portshim release
    portshim pick -n 3 "$owner"
    local word
    for word in 0 65536 x -- '' 80-90 99999999999; do
        fails_with "port \"$word\": not a port" portshim release "${ports[0]}" "$word"
    done
    fails_with '-1: unknown option' portshim release -1 "${ports[0]}"
    fails_with 'pool exhausted' portshim pick "$owner"
    portshim release "${ports[0]}"
    fails_with "port ${ports[0]}: nobody has leased it" portshim release "${ports[0]}"
    portshim release "${ports[@]:1}"
    nothing_leased
}

@test "a run's port cannot be given back" {
    start holder portshim run -p 80 -n web -m web.json -- sleep infinity
    within 10 test -e web.json
    real=$(portshim port web 80)
    fails_with "port $real of run web pid $pid: it belongs to a run" portshim release "$real"
    assert_equal "$(portshim port web 80)" "$real"
    fails_with 'pool exhausted' portshim pick -n 3 "$owner"
    pool_has 2
}

@test "a real port that a process has is refused to a run, with the process" {
    PORTSHIM_POOL=${ports[0]} portshim pick "$owner"
    fails_with "held by process pid $owner" portshim run -p "80=${ports[0]}" -- true
}

@test "picks and runs at the same time never get the same port" {
    local i started=()
    mkdir large
    cd large
    own_pool 30
    for ((i = 0; i < 10; i++)); do
        start "run.$i" portshim run -q -p 80 -m "run.$i.env" -- sleep infinity
        start "pick.$i" portshim pick -n 2 "$owner"
        started+=("$pid")
    done
    wait "${started[@]}"
    for ((i = 0; i < 10; i++)); do
        within 20 test -e "run.$i.env"
    done
    { cat ../pick.*.out; sed -n 's/^PORTSHIM_PORT_80=//p' run.*.env; } >picked
    assert_equal "$(sort -u picked | wc -l)" 30
    fails_with 'pool exhausted' portshim pick "$owner"
}

@test "a table that is damaged, cut short or gone is made again, and runs keep their ports" {
    local damage
    start holder portshim run -p 80 -n web -m web.json -- sleep infinity
    within 10 test -e web.json
    for damage in ': >home/leases' 'rm home/leases' 'truncate -s 1000 home/leases' \
        'truncate -s +1 home/leases' 'dd if=/dev/zero of=home/leases bs=64 count=1 conv=notrunc status=none'; do
        eval "$damage"
        fails_with 'pool exhausted' portshim pick -n 3 "$owner"
        pool_has 2
    done
    assert_equal "$(find home -name 'leases*' | wc -l)" 1
}

@test "a table that is taken away again and again costs no more than a pick that says so" {
    local tries # `run` uses $i
    start vandal bash -c 'trap exit TERM; while :; do rm -f home/leases; done' # ends after its last rm
    for ((tries = 0; tries < 100; tries++)); do
        run --separate-stderr portshim pick "$owner"
        [[ "$status $output $stderr" == '0 '+([0-9])' ' || "$status $output $stderr" == '125  portshim: '* ]] ||
            fail "$status: $output: $stderr"
        ((${#stderr_lines[@]} <= 1))
    done
    stop "$pid"
    rm -f home/leases # the last table may have the last pick's port
    pool_has 3
}

# need_pid_namespace: sets ${namespace[@]}, the words before a command that run it in a new pid namespace.
need_pid_namespace() {
    namespace=(unshare -p -f --kill-child)
    as_root || namespace+=(-r)
    "${namespace[@]}" --mount-proc true 2>/dev/null || skip 'no pid namespace can be made here'
}

# leased_elsewhere OPTION...: a process in another pid namespace leases every port, and keeps them while it lives.
leased_elsewhere() {
    # shellcheck disable=SC2016 # expanded inside, here and below
    start inside "${namespace[@]}" "$@" bash -c 'portshim pick -n 3 $$; exec sleep infinity'
    within 10 has_lines 3 inside.out
    fails_with "3 by 1 process (pid 1)" portshim pick "$owner"
    fails_with "3 by 1 process (pid 1)" "${namespace[@]}" --mount-proc bash -c 'portshim pick $$; exit $?'
    pkill -KILL -P "$pid" # unshare ignores signals
    within 10 gone "$pid"
}

# Whether this is the first pid namespace, by its inode number (include/linux/proc_ns.h).
judges_other_namespaces() {
    as_root && [[ $(stat -Lc %i /proc/self/ns/pid) == $((0xEFFFFFFC)) ]]
}

@test "a port of a process in another pid namespace is left alone, and free for all who can know that it has ended" {
    need_pid_namespace
    leased_elsewhere --mount-proc
    judges_other_namespaces || skip 'only root of the first pid namespace knows that the process has ended'
    within 10 pool_has 3
}

@test "so it is when that namespace sees the processes of the outer one" {
    need_pid_namespace
    leased_elsewhere
    judges_other_namespaces || skip 'only root of the first pid namespace knows that the process has ended'
    within 10 pool_has 3
}

@test "so it is when that process has 400 supplementary groups" {
    need_pid_namespace
    judges_other_namespaces || skip 'only root of the first pid namespace knows of processes in others'
    type -P setpriv >/dev/null || skip 'setpriv is not installed'
    namespace=(setpriv --groups "$(seq -s , 2000000000 2000000399)" "${namespace[@]}")
    leased_elsewhere
}

@test "so it is when that namespace knows the process by another number than the one it has in its own" {
    need_pid_namespace
    # shellcheck disable=SC2016 # expanded inside
    start inside "${namespace[@]}" --mount-proc bash -c '
        unshare -p -f --kill-child sleep infinity &
        until inner=$(pgrep -P $!); do :; done
        portshim pick -n 3 "$inner"
        wait'
    within 10 has_lines 3 inside.out
    fails_with "3 by 1 process" portshim pick "$owner"
    stop "$pid" KILL
    judges_other_namespaces || skip 'only root of the first pid namespace knows that the process has ended'
    within 10 pool_has 3
}

@test "root of a user namespace does not take what it cannot see for dead" {
    as_root || skip 'needs root'
    need_pid_namespace
    unshare -r true 2>/dev/null || skip 'no user namespace can be made here'
    # shellcheck disable=SC2016 # expanded inside
    start inside unshare -p -f --kill-child bash -c 'portshim pick -n 3 $$; exec sleep infinity'
    within 10 has_lines 3 inside.out
    fails_with "3 by 1 process" unshare -r portshim pick "$owner"
}

@test "however many processes of other pid namespaces have the ports, they are looked for once" {
    need_pid_namespace
    judges_other_namespaces || skip 'only root of the first pid namespace looks for processes of others'
    strace -o calls true 2>strace.err || skip "strace may not trace: $(tail -n 1 strace.err)"
    mkdir large
    cd large
    unset PORTSHIM_HOME PORTSHIM_POOL
    own_pool 30
    # shellcheck disable=SC2016 # expanded inside
    start inside "${namespace[@]}" --mount-proc bash -c '
        for ((i = 0; i < 30; i++)); do
            sleep infinity &
            portshim pick $!
        done
        wait'
    within 20 has_lines 30 ../inside.out
    # A leak check and strace cannot both trace a process.
    fails_with 'pool exhausted' env ASAN_OPTIONS="${ASAN_OPTIONS-}:detect_leaks=0" strace -f -o calls portshim pick "$owner"
    # /proc is read once for each new search of the pool.
    (($(grep -c '"/proc",' calls) <= 4)) || fail "$(grep -c '"/proc",' calls) times"
}

@test "a parent outside of the pid namespace gets nothing" {
    need_pid_namespace
    fails_with 'pid 0: no such process' "${namespace[@]}" --mount-proc portshim pick
    pool_has 3
}

@test "a port of a process in another network namespace is left alone until that has ended" {
    unshare -rn true 2>/dev/null || skip 'no network namespace can be made here'
    # shellcheck disable=SC2016 # expanded inside
    start inside unshare -rn bash -c 'portshim pick -n 3 $$; exec sleep infinity'
    within 10 has_lines 3 inside.out
    fails_with "3 by 1 process (pid $pid)" portshim pick "$owner"
    stop "$pid"
    pool_has 3
}
