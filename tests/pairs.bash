# Clients and servers in several runs at once, on the same numbers. NAME.json is the map file of copy NAME.
clients=()

# client NAME COMMAND...: starts a client in the run of that copy; its output is in client-NAME.out and .err.
client() {
    start "client-$1" timeout 200 portshim run -j "$1.json" -- "${@:2}"
    clients[$1]=$pid
}

# clients_end: waits for all clients, which must have succeeded.
clients_end() {
    local name
    for name in "${!clients[@]}"; do
        status=0
        wait "${clients[name]}" || status=$?
        ((status == 0)) || fail "client $name: status $status: $(cat "client-$name.out" "client-$name.err")"
    done
    clients=()
}

# four_at_once PORTS COMMAND...: runs the command, a suite of servers and clients, in four runs at once, each with the
# name of its copy as the last argument.
four_at_once() {
    local i
    for i in 0 1 2 3; do
        start "client-$i" timeout 200 portshim run -p "$1" -- "${@:2}" "copy $i"
        clients[i]=$pid
    done
    clients_end
}
