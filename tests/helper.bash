# What all tests share. Each test file begins with `load helper`.
bats_require_minimum_version 1.8.0

ROOT=$(cd "${BATS_TEST_DIRNAME}/.." && pwd)
PATH=$ROOT/build:$PATH:/usr/sbin:/sbin

for library in bats-support bats-assert bats-file; do
    if [[ -d /usr/lib/bats/$library ]]; then
        load "/usr/lib/bats/$library/load"
    else
        load "$ROOT/build/npm/node_modules/$library/load"
    fi
done

# setup_suite made SUITE_DIR: readable by every user, with a copy of the products, so that servers which drop
# privileges find the library. All tests of a uid share one home: with two, two tables would lease the same ports.
export PORTSHIM_HOME=$SUITE_DIR/home-$EUID
export PORTSHIM_LIB=$SUITE_DIR/libportshim.so
unset PORTSHIM_PORTS PORTSHIM_MAP_FILE PORTSHIM_RUN PORTSHIM_COMPACT PORTSHIM_POOL PORTSHIM_POOL_FILE PORTSHIM

# A directory of this test that every user can enter.
test_dir() {
    local dir=$SUITE_DIR/$BATS_SUITE_TEST_NUMBER
    mkdir -p "$dir"
    printf '%s\n' "$dir"
}

# start NAME COMMAND...: runs it in the background, output in NAME.out and NAME.err of the test's directory, pid in
# $pid. What is still there at the end of the test is ended with it.
STARTED=()
start() {
    local name=$1
    shift
    "$@" >"$(test_dir)/$name.out" 2>"$(test_dir)/$name.err" 3>&- &
    pid=$!
    STARTED+=("$pid")
}

# stop PID [SIGNAL]: sends it and waits until the process, a child of this shell, has ended; $status is its status.
stop() {
    local ended=$1
    kill "-${2:-TERM}" "$ended" 2>/dev/null || :
    status=0
    wait "$ended" || status=$?
}

teardown() {
    local started
    for started in "${STARTED[@]}"; do
        kill -TERM "$started" 2>/dev/null || continue
        within 5 gone "$started" || kill -KILL "$started" 2>/dev/null || :
        wait "$started" 2>/dev/null || :
    done
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

as_root() {
    ((EUID == 0))
}
