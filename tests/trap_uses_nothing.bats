# What a supervisor uses of what its program has inherited: nothing.
# shellcheck disable=SC2016 # expanded by the shells that are started
load helper
load shapes

setup() {
    cd "$(test_dir)"
    program being
}

closes_in() {
    shape "$1"
    start reader cat out
    local reader=$pid
    "${as[@]}" env "TRAP_TEST=$PWD" portshim run -q -p 8080 -- \
        portshim trapped - 0 /bin/sh sh -c 'echo $$ >pid; exec >&- 2>&-; read -r line <go' >out 2>&1 3>&- &
    STARTED+=($!)
    within 10 test -s pid
    within 10 gone "$reader" # it ends when nobody has the pipe any more
    within 10 supervisor "$(<pid)" >supervisor.pid
    run -0 readlink "/proc/$(<supervisor.pid)/cwd"
    assert_output /
    run -0 find "/proc/$(<supervisor.pid)/fd" -lname "$PWD*" -o -lname 'pipe:*' -o -lname '/dev/pts/*'
    assert_output ''
    assert_equal "$(ps -o tty= -p "$(<supervisor.pid)")" '?'
    echo >go
    within 10 gone "$(<supervisor.pid)"
    rm pid
}

@test "a pipe that a trapped program closes is closed" {
    mkfifo go out
    chmod 666 go
    closes_in sibling
    closes_in proxy
}

lives_in() {
    shape "$1"
    start starter "${as[@]}" env "TRAP_TEST=$PWD" portshim run -q -p 8080 -m map -- portshim trapped - 0 /bin/sh sh -c '
        setsid /usr/bin/python3 -c "import socket; open(\"go\").read()
server = socket.create_server((\"127.0.0.1\", 8080)); open(\"go\").read()" >/dev/null 2>&1 </dev/null & echo $!'
    wait "$pid"
    kill -0 "$(<starter.out)"
    echo >go
    run -0 "${as[@]}" portshim wait -t 60 map 8080
    refute_output 8080
    kill -9 "$(<starter.out)"
    within 10 nothing_runs
    rm -f map
}

@test "a daemon that a trapped program leaves behind is served" {
    mkfifo go
    chmod 666 go
    lives_in sibling
    lives_in proxy
}

@test "hundreds of starts leave nothing" {
    shape sibling
    in_run bash -c 'for ((i = 0; i < 300; i++)); do portshim trapped - 0 /bin/true true || exit; done'
    within 10 nothing_runs
    shape proxy
    in_run bash -c 'for ((i = 0; i < 100; i++)); do portshim trapped - 0 /bin/true true || exit; done'
    within 10 nothing_runs
}

@test "a listener of somebody else, and no process for the supervisor, are reasons, and change nothing" {
    as_root || skip 'only root can have a listener without no_new_privs'
    mkdir -m 700 home
    chmod 777 .
    chown 65534 home
    local user=(setpriv --reuid=65534 --regid=65534 --clear-groups --)
    export PORTSHIM_HOME=$PWD/home
    fails_with 'another supervisor' ./being --as supervised -- "${user[@]}" \
        portshim run -q -p 8080 --strict -- portshim trapped - 0 "$PWD/being" being
    run -0 ./being --as supervised -- "${user[@]}" portshim run -q -p 8080 -- portshim trapped - 0 /bin/grep grep \
        NoNewPrivs /proc/self/status
    assert_output --partial $'NoNewPrivs:\t0'
    fails_with 'no process for its supervisor' "${user[@]}" portshim run -q -p 8080 --strict -- prlimit --nproc=1 \
        portshim trapped - 0 "$PWD/being" being
}

@test "strace works on a trapped program" {
    needs_strace
    shape sibling
    run -0 in_run portshim trapped - 0 /usr/bin/strace strace -f -e trace=bind /usr/bin/python3 -c 'import socket
server = socket.create_server(("127.0.0.1", 8080)); print(server.getsockname()[1])'
    assert_output --partial 8080
    assert_output --regexp 'bind\([0-9]+, .* = 0'
}

@test "gdb works on a trapped program" {
    type -P gdb >/dev/null || skip 'gdb is not installed'
    shape sibling
    start program env "TRAP_TEST=$PWD" portshim run -q -p 8080 -m map -- portshim trapped - 0 /usr/bin/python3 \
        python3 -c 'import signal, socket
server = socket.create_server(("127.0.0.1", 8080)); signal.pause()'
    portshim wait -t 60 map 8080
    run -0 gdb -p "$pid" -batch -ex 'print $_siginfo' -ex detach
    kill -0 "$pid"
}

@test "ls does not take a supervisor for a program that has the port, while it has a copy of the socket" {
    needs_strace
    shape sibling
    mkfifo go
    start program env "TRAP_TEST=$PWD" portshim run -q -p 8080 -n web -- portshim trapped - 0 /usr/bin/python3 \
        python3 -c 'import signal, socket
open("go").read()
server = socket.create_server(("127.0.0.1", 8080)); signal.pause()'
    within 10 supervisor "$pid" >supervisor.pid
    start slow strace -qq -o calls -e trace=listen -e inject=listen:signal=STOP -p "$(<supervisor.pid)"
    within 10 grep -qx "TracerPid:[[:space:]]*$pid" "/proc/$(<supervisor.pid)/status"
    echo >go
    within 10 grep -qsx -- '--- stopped by SIGSTOP ---' calls
    run -0 find "/proc/$(<supervisor.pid)/fd" -lname 'socket:*'
    assert_output # the copy
    run -0 portshim ls --json web
    assert_equal "$(jq -r '.runs[0].ports[0] | .state, .processes[].program' <<<"$output")" $'listening\npython3'
    kill -CONT "$(<supervisor.pid)"
    portshim wait -t 60 web 8080
}
