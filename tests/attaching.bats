# While one thread joins the run, the binds of other threads, signal handlers and children are translated too, and none
# of them waits for ever.
load helper
load bare

setup() {
    cd "$(test_dir)"
    bare_ports 3
    strangers # a bind that is not translated fails: a stranger holds the placeholder
    slow_server
}

# slow_server: starts a port server on which joining waits: in the middle of it, until the program has made ./go.
slow_server() {
    local given=${PORTSHIM_POOL#"$(placeholders),"}
    start server /usr/bin/python3 "$PROGRAMS/fake_portserver.py" "$PWD/socket" slow 0.1 "$given" go
    server=$pid
    within 10 grep -qsx ready server.out
}

# says HOW LINE...: runs the program, which must print these lines in any order; its status is in $ended.
says() {
    local how=$1
    shift
    ended=0
    timeout 60 env PORTSERVER_ADDRESS="$PWD/socket" PORTSHIM_PORTS="$(placeholders)" PORTSHIM_MAP_FILE=m.env \
        LD_PRELOAD="$PORTSHIM_LIB" "$ROOT/build/tests/attaching" "$how" "${bare_ports[@]}" server.out go >out 2>err || ended=$?
    # A child may outlive the program.
    within 10 said $# || :
    assert_equal "$(sort out)" "$(printf '%s\n' "$@")"
    # On a slow machine the server may have been too slow.
    assert_equal "$(grep -v '^portshim: warning: .*: ports are leased without this port server' err)" ''
    nobody_visited_strangers
}

said() {
    (($(wc -l <out) >= $1))
}

@test "another thread waits until the run is joined" {
    says thread 'first: bound' 'main: bound' 'second: bound'
    assert_equal "$ended" 0
}

@test "a signal handler of the joining thread binds in the run, once it is joined" {
    says handler 'first: bound' 'handler: bound' 'main: bound'
    assert_equal "$ended" 0
}

@test "a handler that jumps out of the joining call leaves nobody waiting" {
    says jump 'first: bound' 'main: bound'
    assert_equal "$ended" 0
}

@test "a joining thread that is cancelled leaves nobody waiting" {
    says cancel 'main: bound' 'second: bound'
    assert_equal "$ended" 0
}

@test "a child that is forked meanwhile joins the same run" {
    says fork 'child: bound' 'first: bound' 'main: bound'
    assert_equal "$ended" 0
    assert_equal "$(find "$PORTSHIM_HOME/runs" -mindepth 1 | grep -c '/texts$')" 1
}

@test "a child that is made past libc does so, too" {
    says clone 'child: bound' 'first: bound' 'main: bound'
    assert_equal "$ended" 0
}

@test "a child whose parent is killed meanwhile makes the run itself" {
    says orphan 'child: bound'
    assert_equal "$ended" 137
}

@test "between vfork and exec the parent's joining is waited for" {
    says vfork 'child: executed' 'first: bound' 'main: bound'
    assert_equal "$ended" 0
}

@test "a program that is interrupted while it joins ends at once" {
    asked() { (($(wc -l <server.out) > 1)); }
    for _ in {1..5}; do
        began=$(date +%s%3N)
        start program env PORTSERVER_ADDRESS="$PWD/socket" PORTSHIM_PORTS="$(placeholders)" PORTSHIM_MAP_FILE=m.env \
            LD_PRELOAD="$PORTSHIM_LIB" sleep infinity
        within 10 asked
        # It waits for the server for 5 s. On a machine that stands still for so long, that is tried again.
        (($(date +%s%3N) - began > 4500)) || break
        stop "$pid"
        stop "$server"
        rm -f m.env socket
        slow_server
    done
    stop "$pid"
    assert_equal "$status" 143
    [[ ! -e m.env ]]
}

@test "a child that is forked at the end of joining hands the run on, as its parent does" {
    timeout 60 env PORTSHIM_DEEPBIND=keep PORTSHIM_PORTS="$(placeholders)" PORTSHIM_MAP_FILE=m.env \
        LD_PRELOAD="$PORTSHIM_LIB" "$ROOT/build/tests/attached" "${bare_ports[0]}" >out
    portshim_run=$(sed -n 's/^PORTSHIM_RUN=//p' m.env)
    assert_equal "$(grep -E ': |^PORTSHIM_RUN=' out)" "child: bound
PORTSHIM_RUN=$portshim_run
parent: bound
PORTSHIM_RUN=$portshim_run"
    nobody_visited_strangers
}
