# Text that others have written (names of programs, commands, paths, answers of servers) is printed without characters
# that control a terminal.
load helper
load serve
load terminal

setup() {
    cd "$(test_dir)"
    # U+009B and U+202E, written as bytes: the locale may not be UTF-8.
    evil=$'a\e]0;owned\a\e[31m\x7f\xc2\x9b31m\xe2\x80\xaeb'
    shown='a?]0;owned??[31m??31m?b'
}

# is_safe: $output and $stderr are nothing but lines of text.
is_safe() {
    local all=$output${stderr-}
    [[ ! ${all//$'\n'/} =~ [[:cntrl:]] ]] || fail "$(printf %q "$all")"
    [[ $all != *$'\xc2\x9b'* && $all != *$'\xe2\x80\xae'* && $all != *$'\xe2\x81\xa6'* ]] || fail "$(printf %q "$all")"
}

@test "the statistics of a server that is not ours are" {
    start server "$PROGRAMS/fake_portserver.py" "$ADDRESS" say 'pid 1\naddress \x1b]0;owned\x07\x1b[31m\x9b\xc2\x9b\x08\nleases 3\n'
    within 10 grep -qs ready server.out
    run --separate-stderr portshim serve --address "$ADDRESS" --status
    assert_success
    is_safe
    assert_line 'address ?]0;owned??[31m???'
    assert_line 'leases 3'
}

@test "the log of a server is" {
    start server portshim serve --foreground --address "@$evil.$ADDRESS"
    within 10 grep -qs serving server.err
    output=$(cat server.err)
    is_safe
    assert_output --partial "on @$shown"
}

@test "a path in a message is" {
    printf '\177ELF' >"x$evil"
    chmod +x "x$evil"
    run -127 --separate-stderr portshim run -p 80 -- "./none$evil"
    is_safe
    [[ $stderr == *"$shown"* ]] || fail "$stderr"
    for command in "./none$evil" "./x$evil"; do
        run --separate-stderr portshim doctor "$command"
        is_safe
        [[ $output$stderr == *"$shown"* ]] || fail "$output$stderr"
    done
}

@test "a run's command and programs are, in tables and in JSON" {
    cp -L "$(type -P socat)" "$evil"
    start run portshim run -q -p 8080 -n web -- "./$evil" TCP-LISTEN:8080,bind=127.0.0.1,fork /dev/null
    real web 8080
    for options in '' --json; do
        # shellcheck disable=SC2086 # no word, or one
        run --separate-stderr portshim ls $options web
        assert_success
        is_safe
        assert_output --partial owned
    done
    assert_equal "$(jq -r '.runs[].ports[].processes[].command' <<<"$output")" "./$evil TCP-LISTEN:8080,bind=127.0.0.1,fork /dev/null"
}

@test "what a command was seen to do is" {
    cp -L "$(type -P socat)" "x$evil"
    port=$(portshim pick $$)
    run --separate-stderr portshim ports -- "./x$evil" -T 0.01 "UDP-RECV:$port,bind=127.0.0.1" /dev/null
    is_safe
    [[ $stderr == *"$port"*"x"* ]] || fail "$stderr"
}

@test "what a settings file says is, on a terminal; to a file they go as they are" {
    printf 'ports 8080\nmap m%s.env\n' "$evil" >settings
    in_terminal 500 portshim run -c -f settings >out
    output=$(tr -d '\r' <out) stderr=
    is_safe
    assert_output --partial owned
    portshim run -c -f settings | grep -F "$evil"
}

@test "what the library says of a variable is" {
    run --separate-stderr env LD_PRELOAD="$PORTSHIM_LIB" PORTSHIM_PORTS="80$evil" sleep 0
    is_safe
    [[ $stderr == *owned* ]] || fail "$stderr"
}
