# Clients and servers in several runs at once, on the same numbers. The run of copy NAME is NAME.json.
clients=()

# client NAME COMMAND...: in the run of that copy, while others are in theirs; output in client-NAME.out and .err.
client() {
    start "client-$1" timeout 100 portshim run -j "$1.json" -- "${@:2}"
    clients[$1]=$pid
}

# All clients have ended well.
clients_end() {
    local name
    for name in "${!clients[@]}"; do
        status=0
        wait "${clients[name]}" || status=$?
        ((status == 0)) || fail "client $name: status $status: $(cat "client-$name.out" "client-$name.err")"
    done
    clients=()
}

# four_at_once PORTS COMMAND...: runs of servers and their clients in one; the copy's name is the last argument.
four_at_once() {
    local i
    for i in 0 1 2 3; do
        start "client-$i" timeout 100 portshim run -p "$1" -- "${@:2}" "copy $i"
        clients[i]=$pid
    done
    clients_end
}
