# Servers that answer with their name, and clients that ask for it: programs/peer.py.
peer=(/usr/bin/python3 "$PROGRAMS/peer.py")

# serve NAME PORTS COMMAND...: a command such as portshim run starts a server of that name, for TCP and UDP, at a list
# of ports separated by spaces.
serve() {
    local name=$1 ports
    read -ra ports <<<"$2"
    start "$name" "${@:3}" "${peer[@]}" serve "$name" "${ports[@]}"
    within 20 grep -qsx ready "$name.out"
}

# answers EXPECTED PORTS COMMAND...: the servers at these ports give this answer, over TCP and UDP.
answers() {
    local expected=$1 ports
    read -ra ports <<<"$2"
    run "${@:3}" "${peer[@]}" ask "${ports[@]}"
    assert_success
    assert_equal "$(sort <<<"$output" | uniq -c | xargs)" "$((2 * ${#ports[@]})) $expected"
}
