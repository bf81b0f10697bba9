# What was noted of a run is told on the run's own stderr when it happens, once, and nowhere else; nothing waits or is
# killed for it.
load helper

wants=$ROOT/build/tests/wants_port
at_terminal=(/usr/bin/python3 "$PROGRAMS/at_terminal.py")

# Port $taken is in use by somebody outside of the run.
setup() {
    cd "$(test_dir)"
    start other /usr/bin/python3 -c '
import signal, socket
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
signal.pause()'
    within 20 grep -q . other.out
    taken=$(<other.out)
    refused="$taken: Address already in use"
}

# line_of PROGRAM: the line that tells of that port.
line_of() {
    printf 'portshim: warning: port %s, wanted by %s: in use, and not listed: add -p %s\n' "$taken" "$1" "$taken"
}

# in_run WORD...: wants_port in a run, with a pipe as stderr.
in_run() {
    run --separate-stderr portshim run "${options[@]}" -p 8080 -- "$wants" "$@"
}

# is_told_anothers_pipe PROGRAM: whether that line came through a pipe that this user cannot open. Before Linux 6.4, when
# that cannot be written to without waiting, none does.
is_told_anothers_pipe() {
    if printf '%s\n' 6.4 "$(uname -r)" | sort -VC; then
        assert_equal "$stderr" "$(line_of "$1")"
    else
        assert_equal "$stderr" ''
    fi
}

make_static() {
    gcc -static -I"$PROGRAMS" -o "$1" "$PROGRAMS/wants_port.c" 2>/dev/null || skip 'there is no static libc'
}

@test "a port that is in use and not listed is told at once, once in a run" {
    start run portshim run -p 8080 -- "$wants" "$taken" stay
    within 20 grep -qs . run.err
    assert_equal "$(<run.err)" "$(line_of wants_port)"
    in_run "$taken" "$taken" fork "$taken" vfork "$wants" "$taken" signals
    assert_equal "$status $stderr" "0 $(line_of wants_port)"
    assert_equal "$output" "$(printf '%s\n' "$refused" "$refused" "$refused" "$refused")"
    # What else happens to a bind is not told.
    in_run 0 8080
    assert_equal "$status $stderr" '0 '
}

@test "another program that wants it is told, too, and --require-bind does not tell again" {
    cp "$wants" other
    run -125 --separate-stderr portshim run --require-bind -p 8080 -- "$wants" "$taken" vfork ./other "$taken"
    assert_equal "$(grep -c 'not listed' <<<"$stderr")" 2
    [[ ${stderr_lines[0]} == "$(line_of wants_port)" && ${stderr_lines[1]} == "$(line_of other)" ]]
    [[ ${stderr_lines[2]} == *'none of them was bound'* && ${#stderr_lines[@]} == 3 ]]
}

@test "-q and PORTSHIM_QUIET silence it, for a run or for a program" {
    options=(-q)
    in_run "$taken"
    options=()
    assert_equal "$output $stderr" "$refused "
    PORTSHIM_QUIET=1 in_run "$taken"
    assert_equal "$output $stderr" "$refused "
    run -0 --separate-stderr portshim run -p 8080 -- env PORTSHIM_QUIET=1 "$wants" "$taken"
    assert_equal "$output $stderr" "$refused "
    PORTSHIM_QUIET=0 in_run "$taken"
    assert_equal "$stderr" "$(line_of wants_port)"
    PORTSHIM_QUIET=1 run -0 --separate-stderr portshim run --trap=off -p 8080 -- true
    make_static static
    PORTSHIM_QUIET=1 run -0 --separate-stderr portshim run --trap=off -p 8080 -- ./static "$taken"
    assert_equal "$stderr" ''
}

@test "a port that several have bound, and that listen refuses, is told as well" {
    free=$(portshim pick $$ 0)
    run -0 --separate-stderr portshim run -p 8080 -- /usr/bin/python3 -c "
import socket
for port in 8080, $free:
    sockets = [socket.socket(), socket.socket()]
    for each in sockets:
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        each.bind(('127.0.0.1', port))
    sockets[0].listen()
    try:
        sockets[1].listen()
    except OSError as error:
        print(port, error.strerror)"
    assert_equal "$output" "8080 Address already in use"$'\n'"$free Address already in use"
    assert_equal "$stderr" "$(taken=$free line_of python3)"
}

@test "the note in ls stays" {
    start run portshim run -p 8080 -n told-$$ -- "$wants" "$taken" stay
    within 20 grep -qs . run.err
    run -0 portshim ls told-$$
    assert_line --partial "not listed: $taken: in use, wanted by wants_port: add -p $taken"
}

@test "a program that cannot be wrapped is told when it is started, with reason and remedy" {
    make_static static
    line='portshim: warning: the ports of static stay as they are: statically linked, and the trap is off: use --trap=auto'
    # shellcheck disable=SC2016 # expanded by that shell
    run -0 --separate-stderr portshim run --trap=off -p 8080 -- sh -c './static; "$0" vfork ./static; ./static 1' "$wants"
    assert_equal "$stderr" "$line"
    # The command itself, which portshim has warned of.
    run -0 --separate-stderr portshim run --trap=off -p 8080 -- "$wants" vfork "$(type -P portshim)" run -q -p 81 -- true
    assert_equal "$stderr" ''
    # To a child whose stderr is another file, nothing is told; the next one tells it.
    run -0 --separate-stderr portshim run --trap=off -p 8080 -- sh -c './static 2>err; cat err; ./static 2>&1 | cat; ./static'
    assert_equal "$output $stderr" " $line"
}

@test "a strict run says what it refuses to start" {
    make_static static
    run -126 --separate-stderr portshim run --strict --trap=off -p 8080 -- sh -c './static; ./static'
    assert_equal "$(grep portshim <<<"$stderr")" \
        'portshim: static was not started: statically linked, and the trap is off: use --trap=auto'
}

@test "under the trap, the supervisor tells it, and only what is so" {
    make_static static
    run -0 --separate-stderr portshim run -p 8080 -- ./static "$taken" "$taken"
    assert_equal "$output $stderr" "$refused"$'\n'"$refused $(line_of static)"
    run -0 --separate-stderr portshim run -p 8080 -- env PORTSHIM_QUIET=1 ./static "$taken"
    assert_equal "$output $stderr" "$refused "
    run -0 --separate-stderr portshim run -p 8080 -- sh -c "./static $taken 2>err; cat err; ./static close $taken data $taken; cat data"
    assert_equal "$output $stderr" "$refused"$'\n'"$refused"$'\n'"$refused "
    # Another protocol's, or another address's, is no reason.
    free=$(portshim pick $$ 0) # nobody else connects from it, either
    start udp socat "UDP4-LISTEN:$free,bind=127.0.0.1" /dev/null
    within 10 eval "ss -Hlnup | grep -q pid=$pid,"
    run -0 --separate-stderr portshim run -p 8080 -- ./static "$free"
    assert_equal "$output $stderr" "$free: bound "
}

# serve_sharing COMMAND...: starts a server by that command, whose socket shares its port: $shared.
serve_sharing() {
    start sharing "$@" /usr/bin/python3 -c '
import signal, socket, sys
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
if sys.argv[1:]:
    server.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, sys.argv[1].encode())
server.bind(("127.0.0.1", 0))
server.listen()
print(server.getsockname()[1], flush=True)
signal.pause()' "${device[@]}"
    within 20 grep -q . sharing.out
    shared=$(<sharing.out)
}

@test "under the trap, a port that the program shares, or has on another device, is not told" {
    make_static static
    run -0 --separate-stderr portshim run -p 8080 -- ./static again "$taken"
    assert_equal "$output $stderr" "$taken: Invalid argument "
    as_root || skip 'only root makes a network, and becomes another user'
    load network.bash
    network
    device=(lo)
    serve_sharing "${in_network[@]}"
    run -0 --separate-stderr "${in_network[@]}" portshim run -p 8080 -- ./static device lan0 "$shared"
    assert_equal "$output $stderr" "$shared: bound "
    device=()
    serve_sharing "${in_network[@]}" setpriv --reuid 65534 --clear-groups
    run -0 --separate-stderr "${in_network[@]}" portshim run -p 8080 -- ./static nobody share "$shared"
    assert_equal "$output $stderr" "$shared: bound "
    taken=$shared
    run -0 --separate-stderr "${in_network[@]}" portshim run -p 8080 -- ./static share "$shared"
    assert_equal "$output $stderr" "$shared: Address already in use $(line_of static)"
}

@test "so does a supervisor of an ordinary user under Yama" {
    load shapes
    shape proxy
    make_static static
    run -0 --separate-stderr "${as[@]}" portshim run -p 8080 -- "$PWD/static" "$taken" "$taken"
    assert_equal "$output" "$refused"$'\n'"$refused"
    is_told_anothers_pipe static
}

@test "a run inside of a run tells it once; by hand, and in who joins, nothing is told elsewhere" {
    make_static static
    run -0 --separate-stderr portshim run -p 8080 -- portshim run -p 81 -- "$wants" "$taken"
    assert_equal "$stderr" "$(line_of wants_port)"
    # shellcheck disable=SC2016 # expanded by that shell
    run -0 --separate-stderr portshim run --trap=off -p 8080 -- sh -c 'portshim run --trap=off -p 81 -- "$0" vfork ./static
        ./static' "$wants"
    assert_equal "$(grep -c 'the ports of static stay' <<<"$stderr")" 1
    run -0 --separate-stderr portshim run -p 8080 -- portshim run -q -p 81 -- "$wants" "$taken"
    assert_equal "$stderr" ''
    PORTSHIM_PORTS=8080 LD_PRELOAD=$PORTSHIM_LIB run -0 --separate-stderr "$wants" "$taken"
    assert_equal "$output $stderr" "$refused "
    start keeper portshim run -p 8080 -m m.json -- sleep infinity
    within 20 test -e m.json
    run -0 --separate-stderr portshim run -j m.json -- "$wants" "$taken"
    assert_equal "$output $stderr$(<keeper.err)" "$refused "
}

@test "a full pipe: nothing waits, and it is told when there is room again" {
    run -0 timeout 60 /usr/bin/python3 - "$wants" "$taken" <<'END'
import fcntl, os, subprocess, sys
reads, writes = os.pipe()
fcntl.fcntl(writes, fcntl.F_SETFL, os.O_NONBLOCK)
full = 0
try:
    while True:
        full += os.write(writes, b"x" * 4096)
except BlockingIOError:
    fcntl.fcntl(writes, fcntl.F_SETFL, 0)
run = subprocess.Popen(["portshim", "run", "-p", "8080", "--", *sys.argv[1:], "hear", sys.argv[2]], stderr=writes,
                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)
print(run.stdout.readline())
assert b"x" * full == os.read(reads, full)
run.stdin.write(b"\n")
run.stdin.close()
print(run.stdout.readline(), run.wait())
os.close(writes)
print(os.read(reads, full))
END
    assert_equal "$output" "b'$refused\\n'
b'$refused\\n' 0
b'$(line_of wants_port)\\n'"
}

@test "where a pipe has to be waited for, as before Linux 6.4, it is opened again" {
    case $(uname -m) in
    x86_64) pwritev2=328 ;;
    aarch64) pwritev2=287 ;;
    *) skip "the number of pwritev2(2) is not known here" ;;
    esac
    run -0 --separate-stderr "$ROOT/build/tests/without_call" "$pwritev2" portshim run -p 8080 -- "$wants" "$taken" signals
    assert_equal "$output $stderr" "$refused $(line_of wants_port)"
}

@test "a reader gone: nothing is killed, and the program's own SIGPIPE is its own" {
    make_static static
    for program in "$wants" ./static; do
        run -0 /usr/bin/python3 -c '
import os, signal, subprocess, sys
reads, writes = os.pipe()
os.close(reads)
sys.exit(subprocess.call(sys.argv[1:], stderr=writes))' portshim run -p 8080 -- "$program" "$taken" signals
        assert_equal "$output" "$refused"
    done
    in_run pending "$taken" signals
    assert_equal "$output $stderr" "$refused"$'\n'"Broken pipe, blocked, pending "
    in_run "$taken" pending signals
    assert_equal "$output $stderr" "$refused"$'\n'"Broken pipe, blocked, pending $(line_of wants_port)"
}

@test "a file that may not grow: nothing is killed" {
    shown=$(portshim run -p 8080 -- "$wants" limit "$taken" signals 2>err)
    assert_equal "$shown$(<err)" "$refused"
    portshim run -p 8080 -- "$wants" "$taken" >out 2>/dev/full
    assert_equal "$(<out)" "$refused"
}

@test "a file is written where the program writes" {
    { portshim run -p 8080 -- sh -c "echo one >&2; '$wants' $taken; echo two >&2" >out; } 2>err
    assert_equal "$(<err)" "one"$'\n'"$(line_of wants_port)"$'\n'"two"
}

@test "a terminal is told in the foreground" {
    make_static static
    for program in "$wants" ./static; do
        run -0 "${at_terminal[@]}" foreground portshim run -p 8080 -- "$program" "$taken"
        assert_equal "$output" "$refused"$'\n'"ended 0"$'\n'"$(line_of "${program##*/}")"
    done
}

@test "a background job is not stopped, and says nothing" {
    make_static static
    for program in "$wants" ./static; do
        run -0 "${at_terminal[@]}" background portshim run -p 8080 -- "$program" "$taken" signals
        assert_equal "$output" "$refused"$'\n'"ended 0"
    done
}

@test "a full-screen program's terminal is left alone, until it is one of lines again" {
    make_static static
    for program in "$wants" ./static; do
        run -0 "${at_terminal[@]}" foreground portshim run -p 8080 -- "$program" raw "$taken"
        assert_equal "$output" "$refused"$'\n'"ended 0"
    done
    run -0 "${at_terminal[@]}" foreground portshim run -p 8080 -- "$wants" raw "$taken" cooked "$taken"
    assert_equal "$output" "$refused"$'\n'"$refused"$'\n'"ended 0"$'\n'"$(line_of wants_port)"
}

@test "a terminal whose output is held does not hold the program" {
    run -0 timeout 60 "${at_terminal[@]}" held portshim run -p 8080 -- "$wants" "$taken"
    assert_equal "$output" "$refused"$'\n'"ended 0"
}

@test "a server of inetd, whose stderr is its client, says nothing to the client" {
    for inetd in socat 'portshim run -p 8081 -- socat'; do
        command=$wants
        [[ $inetd == socat ]] && command="portshim run -p 8080 -- $wants"
        # shellcheck disable=SC2086 # words of a command
        start inetd $inetd TCP-LISTEN:0,bind=127.0.0.1 "EXEC:$command $taken,stderr"
        within 20 eval "ss -Hlntp | grep -q pid=$pid,"
        port=$(ss -Hlntp | sed -n "s/.* 127.0.0.1:\([0-9]*\) .*pid=$pid,.*/\1/p")
        assert_equal "$(socat -u -T 60 "TCP:127.0.0.1:$port" -)" "$refused"
        assert_equal "$(<inetd.err)" ''
    done
}

@test "a program that parses its child's stderr finds nothing of ours there" {
    run -0 --separate-stderr portshim run -p 8080 -- /usr/bin/python3 -c '
import subprocess, sys
child = subprocess.run(sys.argv[1:], capture_output=True)
print(child.stdout, child.stderr)' "$wants" "$taken"
    assert_equal "$output $stderr" "b'$refused\\n' b'' "
}

@test "a closed stderr, and a file of the program's in its place, are left alone" {
    in_run close "$taken" data "$taken" fork "$taken"
    assert_equal "$status $output $stderr$(<data)" "0 $refused"$'\n'"$refused"$'\n'"$refused "
    # The file that was stderr is gone, and its number given again.
    portshim run -p 8080 -- sh -c "rm data; '$wants' close data $taken" 2>data >out
    assert_equal "$(<data)$(<out)" "$refused"
}

@test "after a seccomp filter of the program's own nothing is told" {
    in_run filter "$taken"
    assert_equal "$status $output $stderr" "0 $refused "
    # Nor by a program that is executed under it. A container's filter was there before.
    in_run filter vfork "$wants" "$taken"
    assert_equal "$status $output $stderr" "0 $refused "
    run -0 --separate-stderr "$ROOT/build/tests/without_call" 9999 portshim run -p 8080 -- "$wants" "$taken"
    assert_equal "$output $stderr" "$refused $(line_of wants_port)"
    run -0 --separate-stderr portshim run --trap=on -p 8080 -- "$wants" vfork "$wants" "$taken"
    assert_equal "$output $stderr" "$refused $(line_of wants_port)"
}

@test "a program that has become another user tells it" {
    as_root || skip 'only root can become another user'
    in_run nobody "$taken"
    assert_equal "$output" "$refused"
    is_told_anothers_pipe wants_port
    run -0 "${at_terminal[@]}" foreground portshim run -p 8080 -- "$wants" nobody "$taken"
    assert_equal "$output" "$refused"$'\n'"ended 0"$'\n'"$(line_of wants_port)"
}

@test "a name with control characters is shown without them" {
    name=$'a\e[2Jb\nc'
    cp "$wants" "$name"
    run -0 --separate-stderr portshim run -p 8080 -- "./$name" "$taken"
    assert_equal "$stderr" "$(line_of 'a?[2Jb?c')"
}
