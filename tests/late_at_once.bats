# Every bind of a port that nobody listed gets a real port while there are any, however many programs bind at once and
# although others lease ports meanwhile.
load helper
load network

setup() {
    cd "$(test_dir)"
    at_once=$ROOT/build/tests/at_once
}

# Makes a network for the test alone, in which every port is free.
all_ports() {
    make_namespace network
    export PORTSHIM_HOME=$PWD/home
}

# all_bound COUNT COMMAND...: the command says that it has bound so many ports.
all_bound() {
    local count=$1
    shift
    run "$@"
    assert_success
    assert_output "$count bound"
}

@test "sixteen threads, or processes, that bind forty ports each at one moment get them all" {
    all_ports
    for _ in 1 2 3; do
        all_bound 640 "${in_network[@]}" portshim run -p all -- "$at_once" threads 16 40 9001
        all_bound 640 "${in_network[@]}" portshim run -p all -- "$at_once" processes 16 40 9001
    done
}

@test "so do two hundred threads, of which most find nothing that was leased beforehand" {
    all_ports
    for _ in 1 2 3; do
        all_bound 800 "${in_network[@]}" portshim run -p all -- "$at_once" threads 200 4 9001
    done
}

@test "forty at one moment get them from a port server that takes its time" {
    own_pool 200
    start server /usr/bin/python3 "$PROGRAMS/fake_portserver.py" "$PWD/socket" slow 0.05 "$PORTSHIM_POOL"
    within 10 grep -qsx ready server.out
    export PORTSERVER_ADDRESS=$PWD/socket
    all_bound 40 portshim run -p all -- "$at_once" threads 40 1 9001
    all_bound 40 portshim run -p all -- "$at_once" processes 40 1 9001
}

@test "a pool that has just as many is enough, and one more is refused" {
    own_pool 60
    all_bound 60 portshim run -p all -- "$at_once" threads 30 2 9001
    run portshim run -p all -- "$at_once" processes 61 1 9001
    assert_line '60 bound'
    assert_line --regexp '^90[0-9]+: Address already in use$'
}

@test "when strangers have taken all that was leased beforehand, another port is leased" {
    own_pool 40
    cat >bind.py <<'END'
import os, socket, time
while not os.path.exists('taken'):
    time.sleep(0.02)  # a shell makes the file: no event
for number in (9001, 9002):
    server = socket.create_server(('127.0.0.1', number))
    print(server.getsockname()[1], flush=True)
END
    start run portshim run -p all -m 1.json -- /usr/bin/python3 bind.py
    within 10 test -e 1.json
    # The ports that nobody else gets are those of the run's stock.
    picks=()
    while port=$(portshim pick $$ 2>/dev/null); do picks+=("$port"); done
    mapfile -t stock < <(comm -23 <(tr , '\n' <<<"$PORTSHIM_POOL" | sort) <(printf '%s\n' "${picks[@]}" | sort))
    assert_equal "${#stock[@]}" 16
    start strangers /usr/bin/python3 "$PROGRAMS/stranger.py" "${stock[@]}"
    within 10 grep -qsx ready strangers.out
    portshim release "${picks[@]}"
    touch taken
    within 10 grep -qx 9002 run.out
}

@test "valgrind and AddressSanitizer have nothing to say of a thread that leases" {
    all_ports
    gcc -D_GNU_SOURCE -fsanitize=address -o sanitized "$PROGRAMS/at_once.c" -pthread
    export ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0
    all_bound 40 "${in_network[@]}" portshim run -p all -- ./sanitized threads 2 20 9001
    type -P valgrind >/dev/null || skip "valgrind is not installed"
    all_bound 40 "${in_network[@]}" \
        portshim run -p all -- valgrind -q --error-exitcode=99 "$at_once" threads 2 20 9001
}
