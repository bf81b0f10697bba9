# A process that is stopped while it has a lock (by SIGSTOP, or a debugger) makes others wait for ten seconds, not for
# ever. They say who has the lock.
load helper

setup() {
    cd "$(test_dir)"
    own_pool 4
    waiters=()
}

teardown() {
    [[ -z ${stopped-} ]] || kill -KILL "$stopped" 2>/dev/null || :
    end_started
}

# is_stopped PID
is_stopped() {
    [[ $(ps -o stat= -p "$1") == [Tt]* ]]
}

# stop_with FILE KIND: starts a process that locks the file and stops: $stopped.
stop_with() {
    start holder /usr/bin/python3 "$PROGRAMS/stopped.py" "$@"
    stopped=$pid
    within 10 is_stopped "$pid"
}

# blames NAME COMMAND...: in the background, the command ends by itself, unsuccessfully, and with one line that names
# the process $stopped.
blames() {
    local name=$1
    shift
    (
        timeout 60 "$@" >"$name.said" 2>&1 3>&- && fail "$name went on without the lock"
        (($(wc -l <"$name.said") == 1)) || fail "$(<"$name.said")"
        grep -Ex "portshim: .*$blame" "$name.said" || fail "$(<"$name.said")"
    ) &
    waiters+=("$!")
}
blame=': process [0-9]+ \(.*\), which is stopped, does not give its lock back: continue or end that process, and try again'

# all_blame: waits for them.
all_blame() {
    local waiter
    for waiter in "${waiters[@]}"; do
        wait "$waiter"
    done
    grep -hq "process $stopped " ./*.said
    if grep -hv "process $stopped " ./*.said; then
        fail 'another process is blamed'
    fi
}

@test "by a run that is being named" {
    strace -o /dev/null true 2>strace.err || skip "no program can be traced: $(<strace.err)"
    start first strace -o trace -e trace=symlinkat -e inject=symlinkat:signal=STOP portshim run -n first -p 8080 -- true
    # Not before: strace stops the command for a moment at each call, and has other children first.
    within 10 grep -qs 'stopped by SIGSTOP' trace
    stopped=$(pgrep -P "$pid")
    blames second portshim run -n second -p 8080 -- true
    all_blame
    # Nothing else waits: neither a run without a name nor one that clears up after a run with a name.
    promptly 5 portshim run -p 8080 -- true
    kill -CONT "$stopped"
    within 10 gone "$stopped"
    portshim run -n second -p 8080 -- true
}

@test "while the lease table is missing: run, pick, release, serve, doctor, and a program by hand" {
    portshim pick $$ 0
    rm home/leases
    stop_with home flock
    blames run portshim run -p 8080 -- true
    blames pick portshim pick $$
    blames release portshim release 8080
    blames serve portshim serve --foreground --address "$PWD/socket"
    blames by_hand env LD_PRELOAD="$PORTSHIM_LIB" PORTSHIM_PORTS=8080 true
    portshim doctor >doctor.out || :
    all_blame
    grep "process $stopped (python3), which is stopped" doctor.out
    kill -CONT "$stopped"
    portshim run -p 8080 -- true
}

@test "while a program starts by hand: others of the same identity" {
    portshim pick $$ 0
    : >home/by-hand
    chmod 600 home/by-hand
    stop_with home/by-hand fcntl
    blames session env LD_PRELOAD="$PORTSHIM_LIB" PORTSHIM_PORTS=8080 true
    blames file env LD_PRELOAD="$PORTSHIM_LIB" PORTSHIM_PORTS=8080 PORTSHIM_MAP_FILE="$PWD/map" true
    all_blame
    kill -CONT "$stopped"
    promptly 5 env LD_PRELOAD="$PORTSHIM_LIB" PORTSHIM_PORTS=8080 true
}

@test "while placeholders are added to a run" {
    start run portshim run -n first -p 8080 -- sleep infinity
    within 10 portshim ls first
    stop_with "$(portshim ls --json first | jq -r '.runs[0].run')" flock
    blames add portshim run -j first -p 8081 -- true
    all_blame
    promptly 5 portshim run -j first -- true
    kill -CONT "$stopped"
    portshim run -j first -p 8081 -- true
}
