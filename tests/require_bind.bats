# With --require-bind, a run whose programs were not wrapped fails. Otherwise portshim, which stays as the parent of the
# command then, is as invisible as when it becomes the command. Only --strict refuses to start programs.
# shellcheck disable=SC2016 # expanded by the shells that are started
load helper
load network

execs=$ROOT/build/tests/execs
calls=$ROOT/build/tests/exec_calls
places=$ROOT/build/tests/exec_places
signals=(/usr/bin/python3 "$PROGRAMS/signals.py" 8080)
terminal=(/usr/bin/python3 "$PROGRAMS/terminal.py")

setup() {
    cd "$(test_dir)"
    export PORTSHIM_TRAP=off # else static programs would be wrapped: see trap_options.bats
}

# required ARGUMENT...: portshim run for a command that must bind 8080.
required() {
    portshim run --require-bind -p 8080 "$@"
}

# Makes programs that end at once: a dynamic one, a static one, and one that only looks like a Go program.
make_programs() {
    echo 'int main(void) { return 0; }' >program.c
    cc -o dynamic program.c
    cc -static -o static program.c
    objcopy --add-section .note.go.buildid=program.c dynamic go
}

bind_one='import socket, sys; socket.create_server(("127.0.0.1", 8080)); sys.exit(int(sys.argv[1]))'

@test "a command that binds a placeholder ends with its own status" {
    for expected in 0 1 7 124 125 255; do
        run required -- /usr/bin/python3 -c "$bind_one" "$expected"
        assert_equal "$status: $output" "$expected: "
    done
}

@test "a child's bind is as good as the command's" {
    run -0 required -- sh -c "/usr/bin/python3 -c '$bind_one' 3; true"
    assert_output ''
}

@test "a command that binds nothing, or another port, ends with 125" {
    fails_with 'placeholders 8080: none of them was bound' required -- true
    fails_with 'placeholders 8080: none of them was bound' required -- false
    fails_with 'placeholders 8080,9000-9001/udp: none of them' required -p 9000-9001/udp -- \
        /usr/bin/python3 -c 'import socket; socket.socket().bind(("127.0.0.1", 0))'
}

@test "a run that binds what -p all has assigned late passes" {
    run -0 portshim run --require-bind -p all -- /usr/bin/python3 -c "$bind_one" 0
}

@test "who joins a run passes once anything of the run was bound" {
    start keeper portshim run -p 8080 -m m.json -- sleep infinity
    within 10 test -e m.json
    fails_with 'none of them was bound' portshim run -j m.json --require-bind -- true
    run -0 portshim run -j m.json --require-bind -- /usr/bin/python3 -c "$bind_one" 0
    run -0 portshim run -j m.json --require-bind -- true
}

@test "a command that cannot be wrapped ends the run with 125" {
    make_programs
    for program in static go; do
        fails_with "program $program: it cannot be wrapped" required -q -- "./$program"
    done
}

@test "a program that cannot be wrapped is noticed, however it is started" {
    make_programs
    for program in static go; do
        for way in execve execve-null execv execvp execvpe execl execlp execle fexecve execveat posix_spawn posix_spawnp \
            vfork system popen wordexp; do
            run required -- "$execs" "$way" "$PWD/$program"
            [[ $status == 125 && $output == *"it cannot be wrapped"* ]] || fail "$way $program: $status $output"
            [[ $way == fexecve || $output == *"program $program:"* ]] || fail "$way $program: $output"
        done
    done
}

@test "a program that is found in PATH is noticed, past what cannot be executed" {
    make_programs
    mkdir -p first/static second
    cp static second/static
    chmod 644 second/static
    for path in "first:second:$PWD" '' ':/bin' '/nowhere:' .; do
        portshim run --strict -p 8080 -- "$(type -P env)" PATH="$path" "$calls" static >refused 2>err
        for way in execvp execvpe execlp posix_spawnp; do
            grep -qE "^$way static: (errno became [0-9]+ )?EPERM " refused || fail "$path: $(cat refused)"
        done
    done
    PORTSHIM_QUIET=1 PATH=$PWD/first:$PWD/second:$PWD:$PATH fails_with 'program static:' required -- \
        sh -c '"$0" static >called' "$calls"
}

@test "a set-user-ID program is noticed, also one that may not be read" {
    local privileged
    if as_root; then
        cp "$(type -P true)" privileged
        chown nobody privileged
        chmod 4711 privileged
        privileged=$PWD/privileged
    else
        privileged=$(find /bin /usr/bin -perm -4001 -user root -print -quit 2>/dev/null)
        [[ -n $privileged ]] || skip 'there is no set-user-ID program here'
    fi
    for way in execve execvp posix_spawn fexecve; do
        fails_with 'it cannot be wrapped' required -- sh -c '"$@" >/dev/null 2>&1' - "$execs" "$way" "$privileged" </dev/null
    done
}

@test "a script is as its interpreter is, and the interpreter's" {
    make_programs
    printf '#!%s/static\n' "$PWD" >one
    printf '#! %s/one -x\n' "$PWD" >two
    printf '#!/bin/sh\ntrue\n' >good
    chmod 755 one two good
    PORTSHIM_QUIET=1 fails_with 'program static:' required -- "$execs" execve ./one
    PORTSHIM_QUIET=1 fails_with 'program static:' required -- "$execs" execve ./two
    PORTSHIM_QUIET=1 fails_with 'program static:' required -- "$execs" execvp ./two
    fails_with 'none of them was bound' required -- "$execs" execve ./good
}

@test "what was not started after all counts for nothing" {
    make_programs
    chmod 644 static
    fails_with 'none of them was bound' required -- sh -c './static 2>/dev/null; exec "$0" execve ./static' "$execs"
}

@test "a dynamic program that is started by way of ld.so can be wrapped" {
    local linker
    linker=$(find /lib64 /lib /usr/lib -name 'ld-linux*.so.*' -print -quit 2>/dev/null)
    [[ -n $linker ]] || skip 'there is no ld-linux here'
    run -0 portshim run --require-bind --strict -p 8080 -- \
        sh -c '"$0" /usr/bin/python3 -c "$1" 0' "$linker" "$bind_one"
}

@test "a program that replaces another under its inode number is judged anew" {
    make_programs
    cp dynamic program
    PORTSHIM_QUIET=1 fails_with 'program program: it cannot be wrapped' required -- sh -c './program; cat static >program; ./program'
    cp static program
    run -0 required -- sh -c "cat dynamic >program; ./program; exec /usr/bin/python3 -c '$bind_one' 0"
}

@test "the two hundredth program of a run is still looked at" {
    make_programs
    mkdir many
    for i in {1..200}; do
        cp dynamic "many/$i"
    done
    PORTSHIM_QUIET=1 fails_with 'it cannot be wrapped' required -- sh -c 'for i in many/*; do "$i"; done; ./static'
}

@test "without --require-bind and --strict everything is started, and portshim is no parent" {
    make_programs
    for program in static go; do
        run -0 portshim run -q -p 8080 -- sh -c "./$program"
        assert_output ''
    done
    # shellcheck disable=SC2016 # expanded by those shells
    run -0 bash -c 'echo $$; exec portshim run -p 8080 -- sh -c "echo \$\$"'
    assert_equal "${lines[0]}" "${lines[1]}"
}

@test "--strict refuses with EPERM what cannot be wrapped, and nothing else" {
    make_programs
    printf '#!%s/static\n' "$PWD" >script
    chmod 755 script
    portshim run --strict -p 8080 -- "$calls" ./static ./go ./script "$PWD/static" >refused 2>err
    # posix_spawn() returns EPERM; the shell of system() exits with 126
    grep -E '^[a-z_]+ [./]' refused | grep -vE ': (errno became [0-9]+ )?EPERM status 0$|^system .* status 32256$' &&
        fail 'not refused'
    assert_equal "$(grep -c EPERM refused)" 48
    run -0 portshim run --strict -p 8080 -- ./dynamic
    for program in static go; do
        run portshim run --strict -p 8080 -- "./$program"
        assert_equal "$status" 125
    done
}

@test "who joins a strict run, or makes one inside of it, may start as little" {
    make_programs
    start keeper portshim run --strict -p 8080 -m m.json -- sleep infinity
    within 10 test -e m.json
    fails_with './static: statically linked' portshim run -j m.json -- ./static
    run -0 portshim run -j m.json -- ./dynamic
    run -0 portshim run -j m.json -- sh -c 'portshim run -p 81 -- ./dynamic'
    fails_with './static: statically linked' portshim run -j m.json -- sh -c 'exec portshim run -p 81 -- ./static'
    run portshim run -j m.json -- sh -c 'exec portshim run -p 81 -- sh -c ./static'
    assert_equal "$status" 126
}

@test "--strict holds for syscall(2), too" {
    [[ $(uname -m) == x86_64 ]] || skip 'its numbers are those of another machine'
    make_programs
    run -0 portshim run -q --strict -p 8080 -- /usr/bin/python3 -c '
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
words, none = (ctypes.c_char_p * 2)(b"./static", None), (ctypes.c_char_p * 1)(None)
assert libc.syscall(59, b"./static", words, none) == -1 and ctypes.get_errno() == errno.EPERM
ctypes.set_errno(0)
assert libc.syscall(322, -100, b"./static", words, none, 0) == -1 and ctypes.get_errno() == errno.EPERM'
    assert_output ''
}

@test "a program that cannot be wrapped is noticed however many ports were bound and connected to" {
    make_programs
    make_namespace network # on the host's, others have some of these numbers
    PORTSHIM_HOME=$PWD/home fails_with 'program static:' "${in_network[@]}" portshim run -q --require-bind -p 8080 -- /usr/bin/python3 -c '
import socket, subprocess
socket.create_server(("127.0.0.1", 8080))
for port in range(10000, 12000):
    with socket.socket(type=socket.SOCK_DGRAM) as bound:
        try:
            bound.bind(("127.0.0.1", port))
        except OSError:
            pass
subprocess.run(["./static"])'
}

@test "a program that cannot be wrapped is noticed in the runs around its own, too" {
    [[ -z ${PORTSHIM_BUILD-} ]] || skip 'a command that sanitizers made dynamic speaks of itself in a run'
    make_programs
    fails_with 'program static:' required -- portshim run -q -p 9090 -- ./static
    fails_with 'program static:' required -- portshim run -q -p 9090 -- sh -c './static; exit 0'
}

@test "an alarm that was set before is the command's, as it is without --require-bind" {
    local with_alarm='import os, signal, sys
signal.signal(signal.SIGALRM, signal.SIG_DFL) # the caller of the tests may ignore it
signal.alarm(int(sys.argv[1]))
os.execvp(sys.argv[2], sys.argv[2:])'
    for options in '' --require-bind; do
        # shellcheck disable=SC2086 # nothing, where there is none
        /usr/bin/python3 -c "$with_alarm" 1 portshim run $options -p 8080 -- /usr/bin/python3 -c 'import socket, time
socket.socket().bind(("127.0.0.1", 8080))
time.sleep(20)' && status=0 || status=$?
        [[ $status == 142 || ($options == --require-bind && $status == 125) ]] || fail "$options: $status"
    done
    # The command can cancel an alarm that was set before portshim.
    run -0 /usr/bin/python3 -c "$with_alarm" 100 portshim run --require-bind -p 8080 -- /usr/bin/python3 -c '
import signal, socket
assert signal.alarm(0) > 0
socket.create_server(("127.0.0.1", 8080))'
}

@test "what the functions return is what they return outside of a run" {
    make_programs
    chmod 644 go
    mkdir directory
    mkfifo -m 755 pipe
    echo 'exit 7' >text
    : >empty
    printf '#!/no/such\n' >lost
    printf '#!%s/dynamic\n' "$PWD" >script
    printf '#!%s/script -x\n' "$PWD" >script2
    chmod 755 text empty lost script script2
    ln -s loop loop
    long=$(printf '%05000d' 1)
    files=(missing ./missing ./go ./directory ./pipe ./text ./empty ./lost ./script ./script2 ./loop ./dynamic
        ./dynamic/sub '' dynamic true "$PWD/dynamic" "$long")
    for path in "$PATH" '' "$PWD/directory:$PWD::/nowhere" /nowhere; do
        /usr/bin/env PATH="$path" "$calls" "${files[@]}" >bare 2>/dev/null
        for strict in '' --strict; do
            # shellcheck disable=SC2086 # nothing, where there is none
            portshim run $strict -p 8080 -- /usr/bin/env PATH="$path" "$calls" "${files[@]}" >wrapped 2>/dev/null
            diff bare wrapped
        done
    done
    grep -q EFAULT bare
    grep -q EACCES bare
}

@test "programs are started where little is left: a small stack, no descriptor, a handler, a cancelled thread" {
    make_programs
    for place in thread descriptors handler cancel vfork; do
        for program in ./dynamic ./static; do
            run timeout 60 portshim run -p 8080 -- "$places" "$place" "$program"
            [[ $status == 0 ]] || fail "$place $program: $status $output"
        done
        [[ $place == descriptors ]] && continue # no descriptor is left to look into the program
        PORTSHIM_QUIET=1 fails_with 'program static:' required -- "$places" "$place" ./static
        run portshim run --strict -p 8080 -- "$places" "$place" ./static
        assert_equal "$place $status" "$place 1"
    done
}

@test "programs are started after chroot" {
    make_programs
    as_root || skip 'only root may change its root'
    PORTSHIM_QUIET=1 fails_with 'program static:' required -- "$places" chroot /static
    run portshim run --strict -p 8080 -- "$places" chroot /static
    assert_equal "$status" 1
}

@test "what kill sends reaches the command, once" {
    start server portshim run --require-bind -p 8080 -- "${signals[@]}" TERM INT HUP USR1 USR2 WINCH ALRM QUIT PIPE CONT
    within 20 grep -q ready server.out
    for name in TERM INT HUP USR1 USR2 WINCH ALRM QUIT PIPE CONT; do
        kill "-$name" "$pid"
        within 5 grep -q "SIG$name" server.out
    done
    assert_equal "$(sort server.out | uniq -d)" ''
    # A command cannot handle KILL, and its parent cannot pass it on.
    kill -KILL "$(pgrep -P "$pid")"
    status=0
    wait "$pid" || status=$?
    assert_equal "$status" 137
}

@test "a command that handles a signal ends as it wants to" {
    start server portshim run --require-bind -p 8080 -- "${signals[@]}" TERM exit=3
    within 20 grep -q ready server.out
    stop "$pid" TERM
    assert_equal "$status" 3
    grep -q SIGTERM server.out
}

@test "a command that dies of a signal looks so to its starter, without a core of portshim's" {
    ulimit -c unlimited || skip 'cores are not allowed here'
    [[ $(</proc/sys/kernel/core_pattern) == core* ]] || skip 'cores do not go to the working directory here'
    for name in TERM INT HUP KILL SEGV ABRT USR1; do
        run /usr/bin/python3 -c '
import subprocess, sys
print(subprocess.call(sys.argv[1:]))' portshim run --require-bind -p 8080 -- /usr/bin/python3 -c "
import os, resource, signal, socket
socket.create_server(('127.0.0.1', 8080))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.kill(os.getpid(), signal.SIG$name)"
        assert_output "-$(kill -l "$name")"
    done
    [[ -z $(find . -name 'core*') ]]
}

@test "what the command sends to its parent does not come back to it" {
    run -0 required -- /usr/bin/python3 -c "
import os, signal, socket, time
socket.create_server(('127.0.0.1', 8080))
for name in 'USR1', 'TERM', 'HUP':
    os.kill(os.getppid(), getattr(signal, 'SIG' + name))
os.kill(os.getppid(), signal.SIGCHLD)
time.sleep(0.2)
print('alive')"
    assert_output alive
}

@test "on a terminal, each key's signal and each change of size comes to the command once" {
    run "${terminal[@]}" expect=ready 'send=\x03' expect=SIGINT resize expect=SIGWINCH 'send=\x1c' expect=SIGQUIT \
        hangup -- portshim run --require-bind -p 8080 -- "${signals[@]}" INT WINCH QUIT TERM
    assert_equal "$(grep -c SIGINT <<<"$output")" 1
}

@test "a terminal that hangs up ends the command" {
    # First as the leader of the session, then as a child of its leader, a shell.
    run "${terminal[@]}" expect=ready hangup -- portshim run --require-bind -p 8080 -- "${signals[@]}" HUP exit=4
    assert_equal "$status" 4
    run "${terminal[@]}" expect=ready hangup -- sh -c 'sh -c "trap \"\" HUP; \"\$@\"; echo \$? >status" - "$@"; true' - \
        portshim run --require-bind -p 8080 -- "${signals[@]}" HUP exit=5
    within 10 grep -qsx 5 status
}

@test "a shell can stop the command with ^Z and bring it back with fg and bg" {
    run -0 "${terminal[@]}" 'expect=$ ' \
        "send=portshim run --require-bind -p 8080 -- ${signals[*]} CONT USR1\n" expect=ready \
        'send=\x1a' expect=Stopped 'send=fg\n' expect=SIGCONT \
        'send=\x1a' expect=Stopped 'send=bg\n' expect=SIGCONT 'send=kill -USR1 %1\n' expect=SIGUSR1 \
        'send=kill -STOP %1; until jobs %1 | grep -q Stopped; do :; done; fg\n' expect=SIGCONT \
        'send=\x03' 'expect=$ ' 'send=echo "status $?"\n' 'expect=status 130' 'send=exit\n' \
        -- env PS1='$ ' bash --norc --noprofile -i
}

@test "the command has the signal mask and dispositions that it would have without portshim" {
    cat >starter.py <<'END'
import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGTERM, signal.SIGRTMIN + 3])
for number in signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR2, signal.SIGTSTP:
    signal.signal(number, signal.SIG_IGN)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])
END
    look=(grep -E '^Sig(Blk|Ign|Cgt|Pnd)|^ShdPnd' /proc/self/status)
    /usr/bin/python3 starter.py "${look[@]}" >bare
    run /usr/bin/python3 starter.py portshim run --require-bind -p 8080 -- "${look[@]}"
    head -n 5 <<<"$output" | diff bare -
}

@test "a starter that ignores SIGCHLD gets the status all the same" {
    trap '' CHLD
    run required -- /usr/bin/python3 -c "$bind_one" 9
    assert_equal "$status" 9
    trap - CHLD
}

# Lists every file but those that a home always has and the output of commands in the background.
traces() {
    find . -mindepth 1 ! -path ./home/runs ! -path ./home/names ! -path ./home/leases ! -path ./home/ended \
        ! -name '*.out' ! -name '*.err' | sort
}

@test "a command that cannot be executed ends with 126 or 127, and nothing is left" {
    own_pool 2
    mkdir -m 700 home
    printf '#!/no/such/interpreter\n' >script
    chmod 755 script
    echo text >text
    traces >before
    for case in 127:./script 127:./none 126:./text 126:.; do
        ends_with "${case%%:*}" "${case#*:}: " required -n web -m m.json -- "${case#*:}"
        traces | diff before -
    done
    run -0 portshim run -p 1-2 -- true
}

@test "nothing is left of a run that did not pass" {
    own_pool 2
    mkdir -m 700 home
    run required -n web -- true
    assert_equal "$status" 125
    run -0 portshim run -n web -p 1-2 -- true
}
