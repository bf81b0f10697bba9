# `portshim stop` ends trapped programs, and their supervisors and proxies end by themselves. It needs a kernel for that.
# shellcheck disable=SC2016 # expanded by the shells that are started
load helper
load shapes
load trap

# child_runs: the shell's child is a program of its own by now. A copy of the shell might lose the signal.
child_runs() {
    local process
    while read -r process; do
        # Not the shell, whose command has these words, too.
        [[ $(tr '\0' ' ' 2>/dev/null <"/proc/$process/cmdline") != 'busybox sleep 1000 ' ]] || return 0
    done < <(grep -lzsx "TRAP_TEST=$PWD" /proc/[0-9]*/environ | cut -d / -f 3)
    return 1
}

# ends_in SIBLING_OR_PROXY: a trapped shell and its child are ended once, and whoever waits sees the shell's own status.
ends_in() {
    needs_busybox
    shape "$1"
    start web "${as[@]}" env "TRAP_TEST=$PWD" portshim run -q -p 8080 -n web -- "$busybox" sh -c \
        'trap "echo ended >>ended; exit 7" TERM; busybox sleep 1000 & echo >ready; wait; wait'
    within 10 test -e ready
    within 10 child_runs
    run -0 --separate-stderr "${as[@]}" portshim stop -v web
    assert_equal "$output" ''
    [[ $(grep -c 'portshim: TERM to .* (busybox)' <<<"$stderr") == 2 && ${#stderr_lines[@]} == 2 ]] || fail "$stderr"
    assert_equal "$(<ended)" ended
    status=0
    wait "$pid" || status=$?
    assert_equal "$status" 7
    within 10 nothing_runs
    assert_equal "$("${as[@]}" portshim ls)" ''
}

setup() {
    cd "$(test_dir)"
    own_pool 4
}

@test "a trapped program that is its own process" {
    ends_in sibling
}

@test "a trapped program for which a proxy stands in" {
    ends_in proxy
}

@test "a trapped program that is killed at once takes its supervisor along, and nothing is said" {
    needs_busybox
    shape proxy
    start web "${as[@]}" env "TRAP_TEST=$PWD" portshim run -q -p 8080 -n web -- "$busybox" sh -c \
        'echo >ready; busybox sleep 1000; true'
    within 10 test -e ready
    run -0 --separate-stderr "${as[@]}" portshim stop -t 0 web
    assert_equal "$output$stderr" ''
    status=0
    wait "$pid" || status=$?
    assert_equal "$status" 137
}

@test "a static daemon that has cleared its environment is found by its port" {
    needs_busybox
    shape sibling
    portshim run -q -p 8080 -n web -- "$busybox" sh -c 'env -i busybox httpd -p 127.0.0.1:8080 -h "$PWD"'
    port=$(real web 8080)
    daemon=$(portshim ls -q web 8080)
    STARTED+=("$daemon")
    run -0 --separate-stderr portshim stop -v web
    assert_equal "$stderr" "portshim: TERM to $daemon (busybox)"
    run -1 listens "$port"
    assert_equal "$(portshim ls)" ''
}

@test "a kernel that cannot send signals for sure is said, and nothing is ended" {
    needs_programs "$STATIC/without_call"
    start web portshim run -q -p 8080 -n web -- sleep 1000
    within 10 portshim port web 8080 >found 2>err
    for number in 434 424; do # pidfd_open(2) and pidfd_send_signal(2), on every machine
        fails_with 'pidfd_open(2) and pidfd_send_signal(2)' "$STATIC/without_call" "$number" portshim stop web
    done
    kill -0 "$pid"
}
