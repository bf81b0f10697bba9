# What the tests of `portshim serve` share: `load serve`.

# An abstract address of this test alone.
ADDRESS=@${SUITE_DIR##*/}.$BATS_SUITE_TEST_NUMBER

# serve OPTION...: a port server in the background at $ADDRESS, unless the options name another; $server is its pid, and
# it ends with the test.
serve() {
    portshim serve --address "$ADDRESS" "$@"
    adopt "$ADDRESS"
}

# adopt ADDRESS: ends the server there with the test.
adopt() {
    server=$(statistic pid "$1")
    STARTED+=("$server")
}

# statistic NAME [ADDRESS]: what the server says of it.
statistic() {
    portshim serve --address "${2-$ADDRESS}" --status | sed -n "s/^$1 //p"
}

statistic_is() {
    [[ $(statistic "$1") == "$2" ]]
}

# portpicker [PID]: the client of python_portpicker, by default for this shell.
portpicker() {
    PORTSERVER_ADDRESS=$ADDRESS /usr/bin/python3 -m portpicker "${1-$BASHPID}"
}

# say TEXT: sends it, with its escapes, on a connection of its own, and prints the answer.
say() {
    printf '%b' "$1" | socat -t 5 - "ABSTRACT-CONNECT:${ADDRESS#@}"
}

# as_nobody COMMAND...: with the environment of the test.
as_nobody() {
    setpriv --reuid nobody --regid nogroup --clear-groups env -u PORTSHIM_HOME "$@"
}

# are_different WORD...
are_different() {
    assert_equal "$(printf '%s\n' "$@" | sort -u | wc -l)" $#
}

# one_line_of_failure COMMAND...: it fails with status 125, and a line that says what, why and what to do.
one_line_of_failure() {
    run -125 "$@"
    assert_equal "${#lines[@]}" 1
    assert_output --regexp '^portshim: .+: .+: .+'
}
