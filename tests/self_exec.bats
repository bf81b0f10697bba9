# A server that replaces itself by exec, or gives up what it had at the start.
load helper

setup() {
    cd "$(test_dir)"
}

# answers PORT TEXT [COMMAND...]: whether a client that the command starts gets this answer.
answers() {
    [[ $("${@:3}" socat -u -T 60 "TCP:127.0.0.1:$1" - 2>/dev/null) == "$2" ]]
}

# is_reborn WAY: two copies replace themselves in this way, three times each.
is_reborn() {
    local way=$1 port pids generation i
    for i in 0 1; do
        start "$i" portshim run -p 9000 -m "$i.json" -- /usr/bin/python3 "$PROGRAMS/self_exec.py" "$way"
        pids[i]=$pid
    done
    for i in 0 1; do
        port=$(real "$i.json" 9000)
        for generation in 0 1 2; do
            within 10 answers "$port" "$generation 9000"
        done
        within 10 answers 9000 '3 9000' portshim run -j "$i.json" --
        assert_equal "$(real "$i.json" 9000)" "$port"
        refute gone "${pids[i]}"
    done
}

@test "a server that starts itself anew with an empty environment and its old socket keeps its real port" {
    is_reborn inherit
}

@test "a server that starts itself anew with an empty environment and binds again is at the same real port" {
    is_reborn rebind
}

# Prints an address of this host, not of the loopback interface if there is another one.
own_address() {
    ip -4 -o address show scope global | awk '{ sub("/.*", "", $4); print $4; exit } END { if (!NR) print "127.0.0.2" }'
}

@test "a server that moved into an empty root and has no descriptor left binds an unlisted port in its run" {
    local uid=$EUID seen ports
    if as_root; then
        uid=65534
    fi
    seen="Too many open files, over UDP, to 9000, from 9000, uid $uid"
    mkdir root
    own_pool 4210 # placeholders are not leased: 2001 of these may be some
    for ports in all 9000-11000; do
        for i in 0 1; do
            start "$ports$i" portshim run -p "$ports" -m "$ports$i.json" -- \
                /usr/bin/python3 "$PROGRAMS/late_bind.py" root "$(own_address)"
        done
        for i in 0 1; do
            port=$(real "$ports$i.json" 9000/tcp)
            assert_equal "$(real "$ports$i.json" 9000/udp)" "$port"
            within 10 answers "$port" "$seen"
            within 10 answers 9000 "$seen" portshim run -j "$ports$i.json" --
        done
    done
}
