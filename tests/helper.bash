# What all tests share. Each test file begins with `load helper`.
bats_require_minimum_version 1.8.0

ROOT=$(cd "${BATS_TEST_DIRNAME}/.." && pwd)
# The sources of the programs that tests run. What make built of those in C is in $ROOT/build/tests.
PROGRAMS=$ROOT/tests/programs
# What is tested: make check-long names other builds.
BUILD=${PORTSHIM_BUILD:-$ROOT/build}
PATH=$SUITE_DIR:$BUILD:$PATH:/usr/sbin:/sbin

for library in bats-support bats-assert; do
    if [[ -d /usr/lib/bats/$library ]]; then
        load "/usr/lib/bats/$library/load"
    else
        load "$ROOT/build/npm/node_modules/$library/load"
    fi
done

# setup_suite made SUITE_DIR: readable by every user, with a copy of the products, so that servers which drop
# privileges find the library, and other users the command. The home is the suite's, so that the user's own `portshim ls`
# does not show its runs; its pool are ports that are leased in the user's home.
export PORTSHIM_LIB=$SUITE_DIR/libportshim.so
unset PORTSHIM_HOME PORTSHIM_PORTS PORTSHIM_MAP_FILE PORTSHIM_RUN PORTSHIM_COMPACT PORTSHIM_POOL PORTSHIM_POOL_FILE PORTSHIM PORTSERVER_ADDRESS
export PORTSHIM_HOME=$SUITE_DIR/home PORTSHIM_POOL
PORTSHIM_POOL=$(<"$SUITE_DIR/pool")
unset MAKEFLAGS # a test that runs make has none of the descriptors that `make -j check` speaks of

# A directory of this test that every user can enter.
test_dir() {
    local dir=$SUITE_DIR/$BATS_SUITE_TEST_NUMBER
    mkdir -p "$dir"
    printf '%s\n' "$dir"
}

# start NAME COMMAND...: runs it in the background, output in NAME.out and NAME.err of the test's directory, pid in
# $pid. What is still there at the end of the test is ended with it. A function would be run by a shell of its own,
# and the signals that are meant for its program would end that shell alone.
STARTED=()
start() {
    local name=$1
    shift
    [[ $(type -t "$1") == file ]]
    # Both files are there when this returns: a test may list them.
    touch "$(test_dir)/$name."{out,err}
    "$@" >"$(test_dir)/$name.out" 2>"$(test_dir)/$name.err" 3>&- &
    pid=$!
    STARTED+=("$pid")
}

# stop PID [SIGNAL]: sends it and waits until the process, a child of this shell, has ended; $status is its status.
stop() {
    local ended=$1
    kill "-${2:-TERM}" "$ended" 2>/dev/null || :
    status=0
    # shellcheck disable=SC2034 # it is the caller's
    wait "$ended" || status=$?
}

# What a test's own teardown has to do as well.
end_started() {
    local started
    for started in "${STARTED[@]}"; do
        kill -TERM "$started" 2>/dev/null || continue
        within 5 gone "$started" || kill -KILL "$started" 2>/dev/null || :
        wait "$started" 2>/dev/null || :
    done
}

teardown() {
    end_started
}

# within SECONDS COMMAND...: asks again and again until it succeeds; fails when the time is over.
within() {
    local deadline=$(($(date +%s%N) + $1 * 1000000000))
    shift
    until "$@"; do
        (($(date +%s%N) < deadline)) || return 1
        read -rt 0.02 <> <(:) || :
    done
}

gone() {
    ! kill -0 "$1" 2>/dev/null || [[ $(ps -o stat= -p "$1") == Z* ]]
}

# real RUN PORT: the real port, once something listens.
real() {
    portshim wait -t 20 "$@"
}

# inside RUN COMMAND...: runs a command in the run.
inside() {
    local run=$1
    shift
    portshim run -j "$run" -- "$@"
}

# own_pool COUNT: from here on the test has a home of its own, and a pool of ports that all others leave alone: they
# are leased in the user's home until the test ends.
own_pool() {
    local left most=4096
    start pool sleep infinity
    for ((left = $1; left > 0; left -= most)); do
        PORTSHIM_HOME='' PORTSHIM_POOL='' portshim pick -n $((left < most ? left : most)) "$pid" 0
    done >pool.ports
    PORTSHIM_POOL=$(paste -sd , pool.ports)
    export PORTSHIM_POOL PORTSHIM_HOME=$PWD/home
}

# squatter: another program, which has a third of the pool's ports before any run asks for one.
squatter() {
    local ports
    IFS=, read -ra ports <<<"$PORTSHIM_POOL"
    start squatter /usr/bin/python3 "$PROGRAMS/squatter.py" "$PORTSHIM_POOL" $((${#ports[@]} / 3))
    within 10 grep -qs ready squatter.out
}

# nobody_in RUN_DIRECTORY: no process holds the run's map.
nobody_in() {
    ! grep -qsF "$1/" /proc/[0-9]*/maps
}

# fails_with WORDS COMMAND...: it fails with 125, nothing on stdout and one line with the words in it on stderr.
fails_with() {
    local words=$1
    shift
    run --separate-stderr "$@"
    assert_equal "$status: $stderr" "125: $stderr"
    assert_equal "$output" ''
    assert_equal "${#stderr_lines[@]}" 1
    [[ $stderr == 'portshim: '*': '*': '* && $stderr == *"$words"* ]] || fail "not a line about $words: $stderr"
}

# valid FILE: it is what the schema of `portshim ls --json` says.
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
