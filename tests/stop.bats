# `portshim stop` ends all processes of a run, and returns when they are gone and its ports are free.
# shellcheck disable=SC2016 # expanded by the shells that are started
load helper
load nginx

setup() {
    cd "$(test_dir)"
    own_pool 8
    forks_on=$ROOT/build/tests/forks_on
}

# stops RUN [OPTION]...: stops it, silently. What acts on SIGTERM has a minute for that, if the machine stalls.
stops() {
    run -0 --separate-stderr portshim stop -t 60 "${@:2}" "$1"
    assert_equal "$output$stderr" ''
}

# is_over PORT...: no run is left, and nobody holds these real ports: another run can lease them.
is_over() {
    local port number=1 fixed=()
    assert_equal "$(portshim ls)" ''
    for port; do
        fixed+=(-p "$((number++))=$port")
    done
    ((!$#)) || portshim run "${fixed[@]}" -- true
}

# ended PID...: none of these processes is there.
ended() {
    local process
    for process; do
        gone "$process" || fail "$(ps -o pid,ppid,stat,args -p "$process")"
    done
}

written() {
    [[ -s $1 ]]
}

@test "a server that has daemonized is ended, its port is free, and so is the run's name" {
    portshim run -p 6379 -n web -- redis-server --port 6379 --daemonize yes --dir "$PWD" --pidfile "$PWD/redis.pid" \
        --logfile redis.log
    port=$(real web 6379)
    within 10 written redis.pid
    server=$(<redis.pid)
    assert_equal "$(portshim ls -q web 6379)" "$server"
    stops web
    ended "$server"
    assert_equal "$(grep -c 'Received SIGTERM' redis.log)" 1
    is_over "$port"
    portshim run -p 6379 -n web -- true
}

@test "nginx ends with its workers, which run as another user" {
    nginx_copy web 8080
    nginx_start web
    port=$(real web.json 8080)
    within 10 has_workers "$pid" 2
    workers=$(pgrep -P "$pid")
    stops web.json
    # shellcheck disable=SC2086 # two pids
    ended "$pid" $workers
    is_over "$port"
    status=0
    wait "$pid" || status=$?
    assert_equal "$status" 0
    run -1 grep -E 'emerg|alert' web/error.log
}

# A runner of a Procfile, as foreman and honcho are: it starts each line, and waits.
@test "the three servers of a Procfile and their runner are ended" {
    for port in 8001 8002 8003; do
        echo "web$port: exec python3 -m http.server $port --bind 127.0.0.1 >$port.log 2>&1"
    done >Procfile
    start web portshim run -p 8001-8003 -n web -- bash -c 'while IFS=: read -r name command; do
        sh -c "$command" & done <Procfile; wait'
    mapfile -t ports < <(real web 8001-8003)
    servers=$(pgrep -P "$pid")
    stops web
    # shellcheck disable=SC2086 # three pids
    ended "$pid" $servers
    is_over "${ports[@]}"
}

@test "a shell with a stopped job is ended with its job, which goes on to act on SIGTERM" {
    start web /usr/bin/python3 "$PROGRAMS/stopped_job.py" job portshim run -p 8080 -n web -- bash --norc -i
    within 20 written job
    shell=$(pgrep -P "$pid")
    run -0 --separate-stderr portshim stop -v -t 2 web
    assert_equal "$output" ''
    # Interactive shells ignore SIGTERM. Processes come in the order of their pids, which begin anew now and then.
    assert_equal "$(sort <<<"$stderr")" "$(printf 'portshim: %s\n' "TERM to $shell (bash)" "TERM to $(<job) (sleep)" "KILL to $shell (bash)" | sort)"
    assert_equal "${stderr_lines[2]}" "portshim: KILL to $shell (bash)"
    ended "$shell" "$(<job)"
    is_over
}

@test "a process that was stopped acts on SIGTERM, and has its time for that" {
    start web portshim run -p 8080 -n web -- bash -c 'trap "echo cleared >cleared; exit" TERM; touch ready
        while :; do sleep 0.05; done'
    within 10 test -e ready
    kill -STOP "$pid"
    stops web -t 60
    assert_equal "$(<cleared)" cleared
    is_over
}

@test "what ignores SIGTERM is killed when the time is over" {
    start web portshim run -p 8080 -n web -- bash -c 'trap "" TERM; touch ready; sleep 1000 & sleep 1000; true'
    within 10 test -e ready
    run -0 --separate-stderr portshim stop -v -t 0.2 web
    assert_equal "$output" ''
    [[ $stderr == *"portshim: TERM to $pid (bash)"*"portshim: KILL to $pid (bash)"* ]]
    status=0
    wait "$pid" || status=$?
    assert_equal "$status" 137
    is_over
}

@test "a process that forks on and on is caught" {
    start web portshim run -p 8080 -n web -- "$forks_on"
    wait "$pid"
    stops web -t 0
    nobody_runs_on
    is_over
}

nobody_runs_on() {
    ! grep -lzsxF "PORTSHIM_HOME=$PORTSHIM_HOME" /proc/[0-9]*/environ | xargs -r -n 1 dirname | xargs -rI{} cat {}/comm |
        grep -x forks_on
}

@test "a run in a run ends with the outer one, and can be ended by itself" {
    start web portshim run -p 8080 -n outer -- sh -c 'portshim run -p 9090 -n inner -- sleep 1000; touch went_on
        portshim run -p 9091 -n second -- sleep 1000; true'
    within 10 portshim port inner 9090 >found 2>err
    stops inner
    within 10 portshim port second 9091 >found 2>err
    stops outer
    ended "$pid"
    [[ -e went_on ]]
    is_over
}

@test "a run that was started by hand is ended by its map file" {
    start web env PORTSHIM_PORTS=8080 PORTSHIM_MAP_FILE="$PWD/web.json" LD_PRELOAD="$PORTSHIM_LIB" \
        python3 -m http.server 8080 --bind 127.0.0.1
    port=$(real web.json 8080)
    stops web.json
    ended "$pid"
    is_over "$port"
    stops web.json # it has ended
    rm web.json
    stops web.json # its record says so
}

@test "several runs are ended at the same time, and one that nobody knows is said" {
    start a portshim run -p 8080 -n a -- bash -c 'trap "" TERM; touch a; sleep 1000; true'
    start b portshim run -p 8080 -m b.env -- bash -c 'trap "" TERM; touch b; sleep 1000; true'
    within 10 test -e a
    within 10 test -e b
    fails_with 'run nosuch: no such run' portshim stop -t 0.3 a nosuch b.env a
    is_over
}

@test "a script of a run ends all others in it and goes on, and one line says that the run does" {
    start web portshim run -p 8080 -n web -- bash -c 'sleep 1000 & other=$!
        until [[ $(</proc/$other/comm) == sleep ]]; do :; done # before, it is a copy of this shell
        portshim stop "$PORTSHIM_RUN" 2>line; echo "$?" >status; wait "$other"; echo "$?" >>status'
    wait "$pid"
    assert_equal "$(<status)" $'0\n143'
    assert_equal "$(wc -l <line)" 1
    [[ $(<line) == "portshim: warning: run $PORTSHIM_HOME/runs/"*" goes on with pid $pid (bash): "* ]] || fail "$(<line)"
}

@test "a shell that has read the run's variables ends the run and stays" {
    start web portshim run -p 8080 -m web.env -- sleep 1000
    within 10 test -e web.env
    run -7 bash -c 'set -a; . ./web.env; exec bash -c "portshim stop web.env; echo \$?; exit 7"'
    assert_output 0
    ended "$pid"
    is_over
}

@test "a shell in another terminal that has read the variables stays, and what it has started then is ended" {
    start web portshim run -p 8080 -m web.env -- sleep 1000
    within 10 test -e web.env
    start shell bash -c 'set -a; . ./web.env; sleep 1000; echo "$?" >status'
    shell=$pid
    within 10 pgrep -P "$shell" -x sleep
    stops web.env
    within 10 written status
    assert_equal "$(<status)" 143
    is_over
}

@test "the parent that --require-bind leaves ends with its command's status, in whatever way it was stopped" {
    start web portshim run -q --require-bind -p 8080 -n web -- python3 -m http.server 8080 --bind 127.0.0.1
    port=$(real web 8080)
    child=$(pgrep -P "$pid")
    kill -STOP "$pid" "$child"
    run -0 --separate-stderr portshim stop -v web
    assert_equal "$stderr" "portshim: TERM to $child (python3)"
    status=0
    wait "$pid" || status=$?
    assert_equal "$status" 143
    is_over "$port"
}

@test "a stranger on a port of the run is not ended, but named" {
    start web portshim run -p 8080 -n web -- sleep 1000
    within 10 portshim port web 8080 >found 2>err
    port=$(<found)
    start stranger python3 -m http.server "$port" --bind 127.0.0.1
    within 10 listens "$port"
    fails_with "run web, port $port, pid $pid (python3)" portshim stop -t 0.2 web
    listens "$port"
    stop "$pid"
    stops web
    is_over "$port"
}

@test "a program of another run on a port of this one is not ended, but named" {
    start one portshim run -p 8080 -n one -- sleep 1000
    within 10 portshim port one 8080 >found 2>err
    start other portshim run -p 8081 -n other -- python3 -m http.server "$(<found)" --bind 127.0.0.1
    within 10 listens "$(<found)"
    fails_with "run one, port $(<found), pid $pid (python3)" portshim stop -t 0 one
    kill -0 "$pid"
    stops other
    stops one
}

@test "who waits for a run, or stops it as well, is not ended but told" {
    start web portshim run -p 8080 -n web -- bash -c 'trap "" TERM; touch ready; sleep 1000; true'
    within 10 test -e ready
    start waiting portshim wait web 8080
    waiting=$pid
    within 10 grep -qs 'nothing listens yet' waiting.err
    start stopping portshim stop -v -t 2 web
    within 10 grep -q TERM stopping.err
    run -0 portshim stop -t 0.5 web
    assert_output ''
    status=0
    wait "$pid" || status=$?
    assert_equal "$status" 0
    wait "$waiting" || status=$?
    assert_equal "$status" 125
    assert_equal "$(tail -n 1 waiting.err | grep -c 'the run has ended')" 1
}

# So does every start of a run, every port that is leased by libportmap and every start by hand: they clear up.
@test "who just looks whether the run is alive is not ended" {
    start web portshim run -p 8080 -n web -m web.json -- sleep 1000
    within 10 test -s web.json
    start looker /usr/bin/python3 -c '
import glob, mmap, os, sys, time
[head] = [name for name in glob.glob(sys.argv[1] + "/*") if len(name.split("/")[-1]) == 32]
mapped = mmap.mmap(os.open(head, os.O_RDONLY), 4096, prot=mmap.PROT_READ)
print("ready", flush=True)
time.sleep(1000)' "$(jq -r .run web.json)"
    within 10 grep -qs ready looker.out || fail "$(cat looker.err)"
    portshim stop -t 2 web || :
    kill -0 "$pid"
}

@test "what another user may not be sent is named, and all others are ended" {
    as_root || skip 'only root can make a program that becomes root'
    echo 'int main(int argc, char **argv) { return setresuid(0, 0, 0) != 0 || (argc == 1 && pause()); }' >becomes_root.c
    cc -D_GNU_SOURCE -include unistd.h -o becomes_root becomes_root.c
    mkdir -m 700 users_home
    chown 65534 users_home
    chmod 4755 becomes_root
    user=(env PORTSHIM_HOME="$PWD/users_home" setpriv --reuid=65534 --regid=65534 --clear-groups --)
    "${user[@]}" ./becomes_root -- || skip 'setuid programs have no effect here'
    start web "${user[@]}" portshim run -q -p 8080 -n web -- bash -c './becomes_root & sleep 1000 & wait'
    within 10 pgrep -P "$pid" -x becomes_root -U root
    privileged=$(pgrep -P "$pid" -x becomes_root)
    STARTED+=("$privileged")
    run -125 --separate-stderr "${user[@]}" portshim stop -t 0.2 web
    assert_equal "$output" ''
    assert_equal "$stderr" "portshim: run web, pid $privileged (becomes_root): Operation not permitted: end it as its user, or run this as root"
    ended "$pid"
    kill -0 "$privileged"
}

@test "a run whose processes cannot be seen is not said to have ended" {
    unshare -mpf --mount-proc true 2>err || skip "no pid namespace: $(head -n 1 err)"
    start web portshim run -p 8080 -n web -- sleep 1000
    within 10 portshim port web 8080 >found 2>err
    fails_with 'run web: a process that cannot be seen from here is in it' \
        unshare -mpf --mount-proc portshim stop -t 0.1 web
    fails_with '/proc: it does not show the processes of this pid namespace' unshare -pf portshim stop web
    kill -0 "$pid"
    stops web
}

@test "few descriptors are enough for many processes, and too few are said before anything is ended" {
    start run portshim run -n web -p 80 -- sh -c 'for each in $(seq 40); do sh -c "trap \"\" TERM; : >\$\$; exec sleep infinity" & done; wait'
    within 20 eval '[[ $(ls -d [0-9]* | wc -l) == 40 ]]'
    real=$(portshim port web 80)
    run -125 bash -c 'ulimit -n 9; exec portshim stop -t 0 web'
    assert_output 'portshim: portshim stop: Too many open files: close some descriptors, or raise ulimit -n'
    run -0 bash -c 'ulimit -n 16; exec portshim stop -t 0.2 web'
    assert_equal "$output" ''
    # shellcheck disable=SC2046 # numbers
    ended $(ls -d [0-9]*)
    is_over "$real"
}

@test "who is interrupted has left nothing undone that a second one does not do" {
    start web portshim run -p 8080 -n web -- bash -c 'trap "" TERM; touch ready; sleep 1000; true'
    web=$pid
    within 10 test -e ready
    portshim port web 8080 >found
    start stop portshim stop -v -t 100 web
    within 10 grep -q TERM stop.err
    stop "$pid" HUP
    refute gone "$web"
    stops web -t 0
    ended "$web"
    is_over "$(<found)"
}

@test "a machine that stands still when all have just been killed does not make it fail" {
    needs_strace
    start web portshim run -p 8080 -n web -- bash -c 'trap "" TERM; touch ready; sleep 1000; true'
    within 10 test -e ready
    # Its wait for what it has killed takes longer than that may need.
    run -0 --separate-stderr env ASAN_OPTIONS="${ASAN_OPTIONS-}:detect_leaks=0" \
        strace -f -o trace -e 'trace=?poll,?ppoll' -e 'inject=?poll,?ppoll:delay_enter=2200000' portshim stop -t 0 web
    assert_equal "$output$stderr" ''
    grep -q DELAYED trace
    ended "$pid"
    is_over
}

@test "mistakes are said before anything is ended" {
    start web portshim run -p 8080 -n web -- sleep 1000
    within 10 portshim port web 8080 >found 2>err
    fails_with 'run: none is given' portshim stop
    fails_with 'signal "0": no such signal' portshim stop -s 0 web
    fails_with 'signal "NOSUCH": no such signal' portshim stop -s NOSUCH web
    fails_with 'signal "SIGSTOP": it stops processes' portshim stop -s SIGSTOP web
    fails_with 'timeout "soon"' portshim stop -t soon web
    kill -0 "$pid"
    run -0 --separate-stderr portshim stop -v -s sigusr1 web
    assert_equal "$stderr" "portshim: USR1 to $pid (sleep)"
}
