# What the tests of `portshim serve` share: `load serve`.

# An abstract socket address that only this test uses.
ADDRESS=@${SUITE_DIR##*/}.$BATS_SUITE_TEST_NUMBER

# serve OPTION...: starts a port server in the background at $ADDRESS, unless the options name another address. It ends
# with the test; $server is its pid.
serve() {
    portshim serve --address "$ADDRESS" "$@"
    adopt "$ADDRESS"
}

# adopt ADDRESS: sets $server to the server there and ends it with the test.
adopt() {
    server=$(statistic pid "$1")
    STARTED+=("$server")
}

# statistic NAME [ADDRESS]: prints this value of the server's --status.
statistic() {
    portshim serve --address "${2-$ADDRESS}" --status | sed -n "s/^$1 //p"
}

statistic_is() {
    [[ $(statistic "$1") == "$2" ]]
}

# portpicker [PID]: python_portpicker's client asks for a port for the process, by default this shell.
portpicker() {
    PORTSERVER_ADDRESS=$ADDRESS /usr/bin/python3 -m portpicker "${1-$BASHPID}"
}

# say TEXT: sends the text, with its escapes, on a new connection and prints the answer.
say() {
    printf '%b' "$1" | socat -t 60 - "ABSTRACT-CONNECT:${ADDRESS#@}"
}

# as_nobody COMMAND...: runs it as user nobody with the test's environment, but for PORTSHIM_HOME.
as_nobody() {
    setpriv --reuid nobody --regid nogroup --clear-groups env -u PORTSHIM_HOME "$@"
}

# are_different WORD...: no two words are the same.
are_different() {
    assert_equal "$(printf '%s\n' "$@" | sort -u | wc -l)" $#
}
