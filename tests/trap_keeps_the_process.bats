# A program that is started under the trap is the process that it would be without: for itself, for who has started it,
# and for who sends it signals. Where Yama lets only ancestors look into a process, another one stands in for it.
# shellcheck disable=SC2016 # expanded by the shells that are started
load helper
load shapes

setup() {
    cd "$(test_dir)"
    program being
    trapped=(portshim trapped - 0 "$PWD/being") # in a run, before the program's words
}

# same_as_bare STATE...: the program says the same of itself, with its parent in these states, with and without trap.
same_as_bare() {
    "${as[@]}" env "TRAP_TEST=$PWD" ./being --as "$@" -- "$PWD/being" >bare </dev/null
    in_run ./being --as "$@" -- "${trapped[@]}" "$PWD/being" >under </dev/null
    diff "${differs[@]}" bare under
}

in_all_states() {
    same_as_bare
    same_as_bare blocked pending ignored timers limits subreaper parent_dies placed
    same_as_bare descriptors
    same_as_bare reaps_none
    same_as_bare subreaper
}

@test "a program sees no difference to itself under the trap" {
    shape sibling
    differs=()
    in_all_states
    same_as_bare child ended_child
    same_as_bare child reaps_none
    same_as_bare blocked ended_child
    same_as_bare blocked reaps_none child
    same_as_bare subreaper child
}

@test "an ordinary user's program under Yama sees no difference but that of its pid and its parent" {
    shape proxy
    differs=(-I '^pid: ' -I '^parent: ')
    in_all_states
}

@test "a user's program sees no difference to itself without Yama" {
    shape proxy
    as=(setpriv --reuid=65534 --regid=65534 --clear-groups --)
    differs=()
    in_all_states
    same_as_bare child ended_child
}

@test "variables that name the program's pid name it where it has another one" {
    shape proxy
    in_run sh -c 'LISTEN_PID=$$ WATCHDOG_PID=$$ SYSTEMD_EXEC_PID=12 LISTEN_FDS=3 exec "$@"' sh "${trapped[@]}" \
        being --self </dev/null >said
    local own
    own=$(sed -n 's/^itself //p' said)
    run -0 grep -E '^variable (LISTEN|WATCHDOG|SYSTEMD)_' said
    assert_output "variable LISTEN_FDS=3
variable LISTEN_PID=$own
variable SYSTEMD_EXEC_PID=12
variable WATCHDOG_PID=$own"
}

# Starts the program, which waits for signals, in a process group of its own. Its parent knows it as $pid.
wait_in() {
    shape "$1"
    start program "${as[@]}" env "TRAP_TEST=$PWD" portshim run -q -p 8080 -- setsid "${trapped[@]}" being --wait
    within 10 grep -qs '^ready' program.out
    own=$(sed -n 's/^ready //p' program.out)
}

# counts LINES: these signals come, and no others.
counts() {
    within 10 has_counted "$1" || fail "not $1, but $(grep ^signal program.out)"
}

has_counted() {
    [[ $(grep ^signal program.out) == "$1" ]]
}

gets_signals() {
    local number expected=''
    wait_in "$1"
    for number in 1 2 3 6 10 12 13 14 18 23 29 31 34 64; do
        kill "-$number" "$pid"
        expected+=${expected:+$'\n'}"signal $number"
        counts "$expected"
    done
    # One that came twice would be seen before the next one.
    for number in 10 35 1 18; do
        kill "-$number" -- "-$(ps -o pgid= -p "$pid" | tr -d ' ')"
        expected+=$'\n'"signal $number"
        counts "$expected"
    done
    /usr/bin/python3 -c '
import ctypes, sys
for number in (10, 36):
    assert ctypes.CDLL(None).sigqueue(int(sys.argv[1]), number, ctypes.c_void_p(4711)) == 0' "$pid"
    within 10 grep -q 'signal 36' program.out
    assert_equal "$(grep -c 'from .* with 4711' program.out)" 2
    stop "$pid"
    assert_equal "$status" 0
}

@test "a program under the trap gets each signal once" {
    gets_signals sibling
}

@test "a program that another process stands in for gets each signal once" {
    gets_signals proxy
}

ends_in() {
    local code number
    shape "$1"
    for code in 0 1 7 125 126 127 255; do
        status=0
        in_run "${trapped[@]}" sh -c "exit $code" || status=$?
        assert_equal "$status" "$code"
    done
    # In these, the parent of the program sees the signal, and not a status that means the same.
    for number in 1 2 6 9 11 15 25; do
        run in_run /usr/bin/python3 -c '
import subprocess, sys
print(subprocess.run(sys.argv[1:]).returncode)' "${trapped[@]}" sh -c "ulimit -c 0; kill -$number \$\$"
        assert_output "-$number"
    done
}

@test "who waits for a trapped program gets its status" {
    trapped=(portshim trapped - 0 /bin/sh)
    ends_in sibling
    ends_in proxy
}

# state PID S_OR_T: whether it sleeps or is stopped; t is one that is traced as well.
state() {
    [[ $(ps -o stat= -p "$1") == ["$2${2,,}"]* ]]
}

# Both are one process for `sibling`.
both() {
    local one
    for one in "$pid" "$own"; do
        within 10 state "$one" "$1" || fail "not $1: $(ps -o pid,stat,args -p "$pid,$own")"
    done
}

stops_in() {
    local target
    wait_in "$1"
    for target in "$pid" "$own" "-$(ps -o pgid= -p "$pid" | tr -d ' ')"; do
        both S
        kill -STOP -- "$target"
        both T
        kill -CONT -- "$target"
        both S
    done
    kill -STOP "$pid"
    both T
    kill -TERM "$pid"
    both T
    kill -CONT "$pid"
    stop "$pid" CONT
    assert_equal "$status" 0
}

@test "a trapped program stops and goes on" {
    stops_in sibling
}

@test "a program stops and goes on with the one that stands in for it" {
    stops_in proxy
}

# A shell that its user sits at. What a program prints tells that the terminal is its own.
in_shell() {
    shape "$1"
    /usr/bin/python3 "$PROGRAMS/terminal.py" 'expect=bash-' 'send=exec 2>&1; PS1="NEXT"\x27 \x27\r' 'expect=NEXT ' \
        "send=${trapped[*]} being --wait\r" expect=ready 'send=\x1a' expect=Stopped 'expect=NEXT ' \
        'send=fg\r' 'expect=signal 18' 'send=\x1a' expect=Stopped 'expect=NEXT ' \
        'send=bg\r' 'expect=signal 18' 'send=kill -USR1 %1\r' 'expect=signal 10' 'send=jobs\r' expect=Running \
        'send=kill -STOP %1; until jobs | grep -q St""opped; do sleep 0.1; done\r' 'expect=NEXT ' 'send=jobs\r' expect=Stopped 'send=fg\r' 'expect=signal 18' 'send=\x03' 'expect=signal 2' 'send=\x1c' 'expect=signal 3' \
        'send=\x1a' expect=Stopped 'expect=NEXT ' 'send=kill %1; fg\r' 'expect=signal 15' 'expect=NEXT ' \
        'send=echo status $?\r' 'expect=status 0' 'expect=NEXT ' \
        "send=portshim trapped - 0 /bin/sh sh -c 'echo u\"\"p; exec sleep 1000'\r" expect=up 'send=\x03' \
        'expect=NEXT ' 'send=echo status $?\r' 'expect=status 130' 'expect=NEXT ' \
        'send=portshim trapped - 0 /bin/cat cat & wait -f\r' expect=Stopped 'expect=NEXT ' 'send=fg\r' \
        'expect=cat' 'send=said\r\x04' expect=said expect=said 'expect=NEXT ' 'send=exit\r' -- \
        "${as[@]}" env "TRAP_TEST=$PWD" portshim run -q -p 8080 -- bash --norc --noprofile -i >terminal.out ||
        fail "$(cat terminal.out)"
}

@test "a shell controls trapped programs as its jobs" {
    in_shell sibling
}

@test "a shell controls programs that another process stands in for as its jobs" {
    in_shell proxy
}
