# portshim serve: a process that asks more than once is the same process, as long as it is.
load helper
load serve

setup() {
    cd "$(test_dir)"
    own_pool 50
}

# traced: starts a server under strace; its calls are in `calls`.
traced() {
    needs_strace
    # A leak check and strace cannot both trace a process.
    ASAN_OPTIONS=${ASAN_OPTIONS-}:detect_leaks=0 start traced strace -o calls \
        portshim serve --foreground --verbose --address "$ADDRESS"
    within 10 grep -qs serving traced.err
    adopt "$ADDRESS"
}

# asks KIND WORD...: starts that client, and waits until it prints something.
asks() {
    local kind=$1
    shift
    start "$kind" /usr/bin/python3 "$PROGRAMS/asks_again.py" "$kind" "$ADDRESS" "$@"
    within 20 grep -qs . "$kind.out"
}

@test "a process that asks again is looked up once, and one that waits is woken once for each answer" {
    traced
    asks times 40
    read -r ports slept <times.out
    assert_equal "$ports" 40
    assert_equal "$(grep -c "pidfd_open($pid," calls)" 1
    assert_equal "$(grep -c "\"/proc/$pid/" calls)" 1
    echo "# slept $slept times for 20 answers" >&3
    ((slept <= 25)) # a few more for what else the host does
    assert_equal "$(statistic processes)" 1
    stop "$pid"
    within 5 statistic_is leases 0
}

@test "an answer ends as it should, in however many parts the request came" {
    serve
    asks whole
    within 20 all_answered
    mapfile -t ports <whole.out
    are_different "${ports[@]}"
    assert_equal "$(cat whole.err)" ''
}

all_answered() {
    (($(wc -l <whole.out) == 6))
}

@test "what a process leases after it has become another user is on that user's account" {
    as_root || skip 'needs root: there is one user only'
    serve
    asks other_user
    read -r first second <other_user.out
    assert_equal "$(statistic leases)" 2
    assert_equal "$(as_nobody socat -t 60 - "ABSTRACT-CONNECT:${ADDRESS#@}" <<<"release $first")" ''
    assert_equal "$(as_nobody socat -t 60 - "ABSTRACT-CONNECT:${ADDRESS#@}" <<<"release $second")" ok
    stop "$pid"
    within 5 statistic_is leases 0
}

@test "a process with a lease that dies before the server takes its next request is given nothing" {
    start server portshim serve --foreground --verbose --address "$ADDRESS"
    server=$pid
    within 10 grep -qs serving server.err
    start die /usr/bin/python3 "$PROGRAMS/asks_again.py" die "$ADDRESS" "$server" # it stops the server before it asks
    wait "$pid" || :
    kill -CONT "$server"
    within 10 grep -q "no port for process $pid, .*: no such process\$" server.err
    # The server takes the connections that there are before it takes deaths: do not ask it meanwhile.
    within 10 grep -q "process $pid has ended" server.err
    assert_equal "$(statistic leases)" 0
}

@test "a process that has got the number of a dead one is not taken for it" {
    unshare -pf --mount-proc sh -c 'test -w /proc/sys/kernel/ns_last_pid' 2>/dev/null ||
        skip 'needs the right to make a pid namespace, and a kernel with CONFIG_CHECKPOINT_RESTORE'
    export ADDRESS
    # shellcheck disable=SC2016 # the shell that is meant expands it
    start numbers unshare -pf --mount-proc --kill-child bash -c '
        portshim serve --foreground --verbose --address "$ADDRESS" &
        server=$!
        until grep -q serving numbers.err; do :; done
        /usr/bin/python3 "$1/asks_again.py" number_again "$ADDRESS" "$server" &
        wait' - "$PROGRAMS"
    within 20 grep -qs answer numbers.out
    within 20 grep -qsE '^(other|elsewhere) ' numbers.out
    other=$(sed -n 's/^other //p' numbers.out)
    [[ -n $other ]] # else the number could not be had again
    # The port of the dead process is free. The port in the answer is the other process's, which has the number now.
    within 20 grep -q "process $other has ended" numbers.err
    assert_equal "$(statistic leases)" 1
    assert_equal "$(statistic reclaimed)" 1
}
