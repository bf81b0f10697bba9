# What all tests share. Every test file begins with `load helper`.
bats_require_minimum_version 1.8.0

ROOT=$(cd "${BATS_TEST_DIRNAME%/tests*}" && pwd)
# The sources of the programs that tests run. make builds those in C into $ROOT/build/tests.
PROGRAMS=$ROOT/tests/programs
# The build to test: make check-long names others.
BUILD=${PORTSHIM_BUILD:-$ROOT/build}
PATH=$SUITE_DIR:$BUILD:$PATH:/usr/sbin:/sbin

for library in bats-support bats-assert; do
    if [[ -d /usr/lib/bats/$library ]]; then
        load "/usr/lib/bats/$library/load"
    else
        load "$ROOT/build/npm/node_modules/$library/load"
    fi
done

# setup_suite has made SUITE_DIR, which every user can read. It has a copy of the build, so that servers that drop
# privileges find the library, and other users the command. The suite has a home of its own, so that the user's own
# `portshim ls` does not show its runs. Its pool are ports that it has leased in the user's home.
export PORTSHIM_LIB=$SUITE_DIR/libportshim.so
unset PORTSHIM_HOME PORTSHIM_PORTS PORTSHIM_MAP_FILE PORTSHIM_RUN PORTSHIM_COMPACT PORTSHIM_POOL PORTSHIM_POOL_FILE PORTSHIM PORTSHIM_TRAP PORTSHIM_QUIET PORTSERVER_ADDRESS
export PORTSHIM_HOME=$SUITE_DIR/home PORTSHIM_POOL
PORTSHIM_POOL=$(<"$SUITE_DIR/pool")
unset MAKEFLAGS # it names descriptors of `make -j check`, which a make inside a test does not have

# Makes a directory for this test, which every user can enter, and prints its path.
test_dir() {
    local dir=$SUITE_DIR/$BATS_SUITE_TEST_NUMBER
    mkdir -p "$dir"
    printf '%s\n' "$dir"
}

# start NAME COMMAND...: runs it in the background, with its output in NAME.out and NAME.err of the test's directory and
# its pid in $pid. It is ended with the test. COMMAND must not be a function: that would run in a shell, which would get
# the signals that are meant for its program.
STARTED=()
STARTED_AT=() # by pid
start() {
    local name=$1
    shift
    [[ $(type -t "$1") == file ]]
    # The shell creates both files before it goes on: a test may list them.
    { "$@" 3>&- & } >"$(test_dir)/$name.out" 2>"$(test_dir)/$name.err"
    pid=$!
    STARTED+=("$pid")
    read_start_time "$pid"
    STARTED_AT[pid]=$start_time
}

# read_start_time PID: reads when the process was started into $start_time; nothing if there is none.
read_start_time() {
    local stat fields
    start_time=
    { IFS= read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 0
    read -ra fields <<<"${stat##*) }"
    start_time=${fields[19]}
}

# send SIGNAL PID: sends it to a process that was started, unless its pid is another's by now: a suite makes so many
# processes that the kernel gives a pid again after a minute.
send() {
    read_start_time "$2"
    [[ ${STARTED_AT[$2]-$start_time} == "$start_time" ]] && kill "-$1" "$2" 2>/dev/null
}

# has_executed PID: a child of this shell is not a copy of it any more. Such a copy may lose a signal.
has_executed() {
    ! cmp -s "/proc/$1/cmdline" "/proc/$BASHPID/cmdline"
}

# is_program PID NAME: that process executes this program by now. `portshim run` has put all map files into their places
# before.
is_program() {
    grep -qsx "$2" "/proc/$1/comm"
}

# has_attached RUN: the log of the run tells of a program with the library, which comes a moment after it was executed.
has_attached() {
    portshim ls --log "$1" | grep -q ' attached$'
}

# stop PID [SIGNAL]: sends the signal (TERM) and waits for the process, a child of this shell; $status is its status.
stop() {
    local ended=$1
    poll 60 has_executed "$ended" || :
    send "${2:-TERM}" "$ended" || :
    status=0
    # shellcheck disable=SC2034 # the caller reads it
    wait "$ended" || status=$?
}

# Ends what `start` has started. A test file with a teardown of its own must call this there.
end_started() {
    local started
    for started in "${STARTED[@]}"; do
        send TERM "$started" || continue
        poll 5 gone "$started" || send KILL "$started" || :
        wait "$started" 2>/dev/null || :
    done
}

teardown() {
    end_started
}

# within SECONDS COMMAND...: repeats the command until it succeeds. So long it may take on a machine that does nothing
# else. It fails a minute later, as a busy machine is slower, or does nothing at all for some seconds.
within() {
    poll $(($1 + 60)) "${@:2}"
}

# poll SECONDS COMMAND...: repeats the command until it succeeds; fails when the time is over.
poll() {
    local deadline=$(($(date +%s%N) + $1 * 1000000000))
    shift
    until "$@"; do
        (($(date +%s%N) < deadline)) || return 1
        read -rt 0.02 <> <(:) || :
    done
}

# promptly SECONDS COMMAND...: the command succeeds, and takes less than that at one of three tries: a stall of the machine
# makes one slow, what the command itself waits for makes all slow.
promptly() {
    local most=$(($1 * 1000000000)) begin
    shift
    for _ in 1 2 3; do
        begin=$(date +%s%N)
        "$@" || return
        (($(date +%s%N) - begin >= most)) || return 0
    done
    fail "it takes too long: $*"
}

# gone PID: it may be a zombie, whose parent takes it at any moment; but none that has other threads, which still have its
# sockets (the state has an l then).
gone() {
    local state
    state=$(ps -o stat= -p "$1") || :
    [[ $state != [!Z]* && $state != *l* ]]
}

# real RUN PORT: waits until something listens on the placeholder, and prints the real port.
real() {
    portshim wait -t 60 "$@"
}

# listens PORT: whether a TCP socket listens at the port of this host.
listens() {
    ss -Hlnt "sport = $1" | grep -q .
}

# needs_strace: skips the test where strace is missing or may not trace.
needs_strace() {
    type -P strace >/dev/null || skip 'strace is not installed'
    strace -o trace true 2>strace.err || skip "strace may not trace: $(tail -n 1 strace.err)"
}

# inside RUN COMMAND...: runs a command in the run.
inside() {
    local run=$1
    shift
    portshim run -j "$run" -- "$@"
}

# own_pool COUNT: gives the test a home of its own, and a pool of ports that nobody else gets: they are leased in the
# user's home until the test ends.
own_pool() {
    local left most=4096
    start pool sleep infinity
    for ((left = $1; left > 0; left -= most)); do
        PORTSHIM_HOME='' PORTSHIM_POOL=$SUITE_NUMBERS portshim pick -n $((left < most ? left : most)) "$pid" 0
    done >pool.ports
    PORTSHIM_POOL=$(paste -sd , pool.ports)
    export PORTSHIM_POOL PORTSHIM_HOME=$PWD/home
}

# squatter: starts a program outside of any run that holds a third of the pool's ports.
squatter() {
    local ports
    IFS=, read -ra ports <<<"$PORTSHIM_POOL"
    start squatter /usr/bin/python3 "$PROGRAMS/squatter.py" "$PORTSHIM_POOL" $((${#ports[@]} / 3))
    within 10 grep -qs ready squatter.out
}

# has_ipv6: whether this host has IPv6, at its loopback interface.
has_ipv6() {
    grep -qs ' lo$' /proc/net/if_inet6
}

# nobody_in RUN_DIRECTORY: whether no process has mapped the run's map.
nobody_in() {
    ! grep -qsF "$1/" /proc/[0-9]*/maps
}

# ends_with STATUS WORDS COMMAND...: the command ends with the status, prints nothing to stdout and to stderr one line
# with the words in it: "portshim: what failed: why: what to do".
ends_with() {
    local expected=$1 words=$2 flags=(--separate-stderr)
    shift 2
    ((expected != 127)) || flags+=(-127) # bats warns about a 127 that was not expected
    run "${flags[@]}" "$@"
    has_ended_with "$expected" "$words"
}

# has_ended_with STATUS WORDS: the same of a command that was `run` with --separate-stderr.
has_ended_with() {
    assert_equal "$status: $stderr" "$1: $stderr"
    assert_equal "$output" ''
    assert_equal "${#stderr_lines[@]}" 1
    [[ $stderr == 'portshim: '*': '*': '* && $stderr == *"$2"* ]] || fail "not a line about $2: $stderr"
}

# fails_with WORDS COMMAND...: the same with status 125.
fails_with() {
    ends_with 125 "$@"
}

# prints LINE... -- COMMAND...: the command succeeds and prints exactly these lines.
prints() {
    local expected=() # not `lines`: `run` sets that
    while [[ $1 != -- ]]; do
        expected+=("$1")
        shift
    done
    shift
    run -0 "$@"
    assert_output "$(printf '%s\n' "${expected[@]}")"
}

# valid FILE: the file follows the schema of `portshim ls --json`.
valid() {
    /usr/bin/python3 -c 'import jsonschema' 2>import.err || skip "no python3-jsonschema: $(tail -n 1 import.err)"
    # shellcheck disable=SC2016 # it is Python
    /usr/bin/python3 -c '
import json, jsonschema, sys
schema = json.load(open(sys.argv[1]))
jsonschema.Draft202012Validator.check_schema(schema)
jsonschema.validate(json.load(sys.stdin), schema)' "$ROOT/docs/ls.schema.json" <"$1"
}

as_root() {
    ((EUID == 0))
}

# build_narrow: builds portshim for 32-bit programs into build/ of this directory; skips the test where that cannot be done.
build_narrow() {
    if ! echo 'int main(void) { return 0; }' | cc -m32 -static -x c - -o probe 2>/dev/null || ! ./probe; then
        skip 'this machine neither builds nor runs 32-bit programs: Debian has gcc-multilib for amd64'
    fi
    make -s -C "$ROOT" B="$PWD/build" CC='gcc -m32' CFLAGS='-O2 -Wno-psabi' "$PWD/build/portshim" "$PWD/build/libportshim.so"
}

# nothing_runs: no process is left that has this test's mark in its environment: TRAP_TEST=$PWD. Those are in left.pids.
nothing_runs() {
    grep -lzsx "TRAP_TEST=$PWD" /proc/[0-9]*/environ >left.pids || : # some cannot be read
    [[ ! -s left.pids ]]
}
