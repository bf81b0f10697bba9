# Under the trap a program gets from every call what it gets without portshim: results, errors, addresses, lengths and
# what is written to its memory, with odd arguments and in odd states, and while signals arrive.
load helper
load bare
load trap
load network

setup() {
    cd "$(test_dir)"
}

# compared NAME COUNT [ARGUMENT...]: the static program, of 64 and of 32 bits, prints the same with COUNT placeholders as
# its last arguments.
compared() {
    local kind name=$1
    bare_ports "$2"
    for kind in static narrow_static; do
        needs_programs "$ROOT/build/tests/$kind/$name"
        same_as_bare "$ROOT/build/tests/$kind/$name" "${@:3}" "${bare_ports[@]}"
        stop "$pid" # the strangers: the next comparison begins without them
    done
}

@test "bad pointers and lengths" {
    compared bad_pointers 2 libc
}

@test "bad pointers and lengths, with i386's calls that need no socketcall" {
    compared bad_pointers 2 syscall
}

# accept() is not trapped, so a peer that has bound a placeholder is shown by its real port: docs/limits.md.
@test "address buffers of every size, but for accept's" {
    local kind pattern='^(accept4?|its peer.s) room'
    bare_ports 2
    for kind in static narrow_static; do
        needs_programs "$ROOT/build/tests/$kind/addresses"
        # shellcheck disable=SC2016 # expanded there
        same_as_bare bash -c '"$@" | grep -vE "$0"' "$pattern" "$ROOT/build/tests/$kind/addresses" libc "${bare_ports[@]}"
        stop "$pid"
    done
}

@test "what clients and servers over UDP see of each other" {
    compared udp 2 libc
}

@test "what clients and servers over UDP see of each other, with i386's calls that need no socketcall" {
    compared udp 2 syscall
}

@test "AF_UNSPEC" {
    compared unspecified_family 1 libc
}

@test "which ports are in use" {
    compared address_in_use 1 libc
}

@test "threads, children, copies of descriptors and receivers of them" {
    compared descriptors 1
}

# conforms KIND: every kind of socket, option and state, in a network with interfaces.
conforms() {
    local program=$ROOT/build/tests/$1/conform how status
    needs_programs "$program"
    network
    "${in_network[@]}" sysctl -qw net.ipv4.ping_group_range="0 0"
    mkdir bare wrapped # it makes files with odd names
    for how in bare wrapped; do
        before=()
        if [[ $how == wrapped ]]; then
            start strangers "${in_network[@]}" /usr/bin/python3 "$PROGRAMS/stranger.py" 8080 8081
            within 10 grep -qsx ready strangers.out
            before=(portshim run -q -p '8080,8081' --)
        fi
        status=0
        (cd $how && exec timeout 120 "${in_network[@]}" "${before[@]}" "$program" 8080 8081) >$how.out 2>&1 || status=$?
        assert_equal "$how: $status: $(tail -n 1 $how.out)" "$how: 0: $(tail -n 1 $how.out)"
    done
    run diff bare.out wrapped.out
    output=$(head -n 40 <<<"$output") assert_success
    nobody_visited_strangers
}

@test "sockets of every kind, option and state" {
    conforms static
}

@test "sockets of every kind, option and state, in a 32-bit program" {
    conforms narrow_static
}

@test "sockets of every kind, option and state, in a program of musl" {
    conforms musl
}

@test "no call fails while a timer fires every 50 microseconds" {
    bare_ports 2
    local rounds=20000
    for kind in static narrow_static; do
        needs_programs "$ROOT/build/tests/$kind/storm"
        run -0 "$ROOT/build/tests/$kind/storm" 200 "${bare_ports[@]}"
        start strangers /usr/bin/python3 "$PROGRAMS/stranger.py" "${bare_ports[@]}"
        within 10 grep -qsx ready strangers.out
        run -0 timeout 200 portshim run -p "$(placeholders)" -- \
            "$ROOT/build/tests/$kind/storm" $rounds "${bare_ports[@]}"
        assert_output 'nothing went wrong, and the timer fired often'
        nobody_visited_strangers
        stop "$pid"
        rounds=2000
    done
}

@test "a thousand connects that wait for a full backlog delay no bind" {
    needs_programs "$STATIC/backlog"
    bare_ports 2
    run -0 --separate-stderr timeout 120 portshim run -p "$(placeholders)" -- "$STATIC/backlog" 1000 "${bare_ports[@]}"
    assert_output '1000 connects wait, 0 have ended, the usual bind took less than 1 ms, or ten times as long as before'
    printf '# %s\n' "${stderr_lines[@]}" >&3
}
