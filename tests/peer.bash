# Servers that answer with their name, and clients that ask for it: peer.py.
peer=(/usr/bin/python3 "$PROGRAMS/peer.py")

# serve NAME PORTS COMMAND...: a server of that name, TCP and UDP, at the ports of a list with spaces, started by a
# command such as portshim run.
serve() {
    local name=$1 ports
    read -ra ports <<<"$2"
    start "$name" "${@:3}" "${peer[@]}" serve "$name" "${ports[@]}"
    within 20 grep -qsx ready "$name.out"
}

# answers EXPECTED PORTS COMMAND...: everyone who is asked there answers so, over TCP and UDP.
answers() {
    local expected=$1 ports
    read -ra ports <<<"$2"
    run "${@:3}" "${peer[@]}" ask "${ports[@]}"
    assert_success
    assert_equal "$(sort <<<"$output" | uniq -c | xargs)" "$((2 * ${#ports[@]})) $expected"
}
