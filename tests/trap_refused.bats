# Where the trap cannot be had, as in a container whose profile refuses a system call that it needs: the command itself is
# not started on the wrong port, and what it starts is named.
load helper
load bare
load trap

setup() {
    cd "$(test_dir)"
    needs_programs "$STATIC/without_call" "$STATIC/tell"
    without=("$STATIC/without_call" 438) # pidfd_getfd(2), on every machine
    bare_ports 1
    port=${bare_ports[0]}
}

@test "the command itself ends with 125 and the reason, and is not started" {
    for mode in auto on; do
        fails_with pidfd_getfd "${without[@]}" portshim run --trap=$mode -p 8080 -- "$STATIC/tell" told 8080
        [[ $output == '' && $stderr == *tell* ]] || fail "$stderr"
    done
    fails_with pidfd_getfd "${without[@]}" portshim run -p 8080 -- "$STATIC/tell" told 8080
    fails_with pidfd_getfd "${without[@]}" portshim run --strict -p 8080 -- "$STATIC/tell" told 8080
}

@test "with --trap=off it runs as without portshim" {
    start server "${without[@]}" portshim run --trap=off -q -p "$port" -n off -- "$STATIC/tell" told "$port"
    within 10 listens "$port"
}

@test "what the command starts runs as without portshim, is named on the spot, and ls has the reason" {
    # shellcheck disable=SC2016 # expanded there
    start server "${without[@]}" portshim run -p "$port" -n shell -- \
        sh -c 'exec "$@"' - "$STATIC/tell" told "$port"
    within 10 listens "$port"
    assert_equal "$(grep -c '^portshim: ' server.err)" 1
    assert_equal "$(wc -l <server.err)" 1
    [[ $(<server.err) == *tell* ]] || fail "$(<server.err)"
    run -0 portshim ls shell
    assert_output --regexp 'tell.*pidfd_getfd'
}

@test "--strict does not start it" {
    # shellcheck disable=SC2016 # expanded there
    run -125 --separate-stderr "${without[@]}" portshim run --strict -p 8080 -- \
        sh -c '"$@"; exit $?' - "$STATIC/tell" told 8080
    assert_equal "${#stderr_lines[@]}" 1
    [[ $stderr == 'portshim: '*tell*pidfd_getfd* ]] || fail "$stderr"
}
