# portshim serve: who gets which port, and when a port is leased again.
load helper
load serve

setup() {
    cd "$(test_dir)"
}

teardown() {
    end_started
    [[ -z ${nobodys_home-} ]] || rm -rf "$nobodys_home"
}

# owner NAME: starts a process to lease ports for; its pid is in $pid.
owner() {
    start "$1" sleep infinity
}

# lease PID: asks for a port for the process, as any process of its user may; the answer is in $port.
lease() {
    port=$(say "$1\n")
}

gets() {
    lease "$1"
    [[ -n $port ]]
}

# is_refused COUNTER COMMAND...: it gets no port, and this counter in the server's statistics says why.
is_refused() {
    local counter=$1 before
    shift
    before=$(statistic "$counter")
    run "$@"
    refute_output --regexp '[0-9]{4}'
    assert_equal "$(statistic "$counter")" $((before + 1))
}

# needs_two_users: this one, and nobody, whose home is $nobodys_home.
needs_two_users() {
    as_root || skip 'needs root: there is one user only'
    nobodys_home=$(mktemp -d)
    chmod 700 "$nobodys_home"
    chown nobody:nogroup "$nobodys_home"
}

# of_nobody COMMAND...: runs it as user nobody, as a client of the server.
of_nobody() {
    as_nobody env PORTSHIM_HOME="$nobodys_home" PORTSERVER_ADDRESS="$ADDRESS" "$@"
}

@test "a port is its process's until that dies, and somebody else's at once when it has died" {
    own_pool 1
    serve --per-user 2
    owner one
    one=$pid
    lease "$one"
    assert_equal "$port" "$PORTSHIM_POOL"
    owner other
    is_refused denied-exhausted say "$pid\n"
    stop "$one" KILL
    lease "$pid"
    assert_equal "$port" "$PORTSHIM_POOL"
}

@test "a process that died keeps nothing when nobody has waited for it, and is given nothing" {
    own_pool 1
    serve
    # shellcheck disable=SC2016 # the shell that is meant expands it
    start parent bash -c 'sleep infinity & echo $!; exec sleep infinity'
    within 5 test -s parent.out
    within 5 is_program "$pid" sleep # the shell would wait for the child
    child=$(cat parent.out)
    lease "$child"
    assert_equal "$port" "$PORTSHIM_POOL"
    kill -KILL "$child"
    within 5 gone "$child"
    kill -0 "$child"
    is_refused denied-dead say "$child\n"
    lease "$pid"
    assert_equal "$port" "$PORTSHIM_POOL"
}

@test "a port that a child of its dead process has bound is not handed out before the child lets it go" {
    own_pool 1
    serve --per-user 2
    owner parent
    parent=$pid
    lease "$parent"
    start child socat -u "TCP-LISTEN:$port" -
    child=$pid
    within 5 is_listening "$port"
    stop "$parent"
    owner other
    is_refused denied-exhausted say "$pid\n"
    stop "$child"
    within 5 gets "$pid"
    assert_equal "$port" "$PORTSHIM_POOL"
}

is_listening() {
    ss -Hltn "sport = :$1" | grep -q .
}

@test "the port that was used least recently is given first" {
    own_pool 6
    serve --per-user 6
    for _ in {1..6}; do
        lease $$
        ports+=("$port")
        assert_equal "$(say "release $port\n")" ok
    done
    are_different "${ports[@]}"
    for expected in "${ports[@]}"; do
        lease $$
        assert_equal "$port" "$expected"
    done
}

@test "what any socket of the host has, TCP or UDP, IPv4 or IPv6, is not given" {
    own_pool 6
    serve --per-user 6
    start occupant /usr/bin/python3 -c '
import signal, socket, sys
ports = map(int, sys.argv[1].split(","))
kinds = [(family, address, kind) for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
         for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)]
taken = [(socket.socket(family, kind), (address, port)) for (family, address, kind), port in zip(kinds, ports)]
for one, address in taken:
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind(address)
print("ready", flush=True)
signal.pause()' "$PORTSHIM_POOL"
    within 10 grep -q ready occupant.out
    owner one
    for _ in 1 2; do
        lease "$pid"
        ports+=("$port")
    done
    is_refused denied-exhausted say "$pid\n"
    run sort -n <(printf '%s\n' "${ports[@]}")
    assert_output "$(tr , '\n' <<<"$PORTSHIM_POOL" | tail -n 2)"
}

@test "a number behind the process stands for a port of the pool" {
    own_pool 2
    serve
    owner wants
    read -ra ports <<<"$(tr , '\n' <<<"$PORTSHIM_POOL" | sort -n | paste -sd ' ')"
    assert_equal "$(say "$pid 4294967295\n")" "leased ${ports[1]}"
    assert_equal "$(say "$pid 1\n")" "taken ${ports[1]}"
    assert_equal "$(statistic denied-taken) $(statistic denied-allocations)" '1 1'
    assert_equal "$(say "$pid\n")" "${ports[0]}"
    assert_equal "$(say "$pid 4294967294\n")" "taken ${ports[0]}"
    assert_equal "$(say "release ${ports[0]}\n")" ok
    assert_equal "$(say "$pid 0\n")" "leased ${ports[0]}"
    assert_equal "$(statistic total-allocations) $(statistic leases)" '3 2'
    is_refused denied-init say '1 0\n'
}

@test "what is no request, and who is no process, is refused, closed and counted" {
    own_pool 2
    serve
    owner dead
    stop "$pid"
    while read -r counter words; do
        for _ in 1 2 3; do # a stall of the machine makes one slow
            SECONDS=0
            is_refused "$counter" say "$words"
            ((SECONDS >= 4)) || break
        done
        ((SECONDS < 4)) # the server has closed the connections at once
    done <<END
denied-init 1\\n
denied-init 0\\n
denied-dead $pid\\n
denied-dead 4194305\\n
requests-unparsable -1\\n
requests-unparsable -$BASHPID\\n
requests-unparsable rubbish\\n
requests-unparsable \\n
requests-unparsable ${BASHPID}x\\n
requests-unparsable $BASHPID x\\n
requests-unparsable $BASHPID 1 1\\n
requests-unparsable $BASHPID 4294967296\\n
requests-unparsable $BASHPID \\n
requests-unparsable \\0377\\0376\\n
requests-unparsable 99999999999999999\\n
requests-unparsable release\\n
requests-too-long 00000000000000000000000000000000000000000000000$BASHPID\\n
END
    assert_equal "$(say 'release 99999\n')" ''
    assert_equal "$(statistic leases)" 0
}

@test "a thread that is not the first of its process is no process" {
    own_pool 2
    serve
    start threads python3 -c 'import threading, time
thread = threading.Thread(target=time.sleep, args=[1000], daemon=True)
thread.start()
print(thread.native_id, flush=True)
time.sleep(1000)'
    within 5 grep -qs . threads.out
    is_refused denied-dead say "$(cat threads.out)\n"
    gets "$pid"
}

@test "a port that the server has forgotten is not given back for the process that has it still" {
    needs_two_users
    own_pool 2
    serve
    start nobodys setpriv --reuid nobody --regid nogroup --clear-groups sleep infinity
    owner=$pid
    within 5 is_of nobody "$owner"
    first=$(of_nobody portshim pick "$owner")
    kill -KILL "$server"
    within 5 gone "$server"
    rm -r home
    serve
    second=$(of_nobody portshim pick "$owner")
    are_different "$first" "$second"
    is_refused denied-exhausted say "$$\n"
}

@test "a server makes a table, and a home, that were removed again, with all it has leased" {
    own_pool 3
    serve
    owner one
    first=$(say "$pid\n")
    rm home/leases
    within 10 test -e home/leases # the server leases it in the table though no client has asked
    assert_equal "$(statistic leases)" 1 # it answers when it has done so
    assert_nobodys "$first"
    within 10 rm -rf home # the server may put a table into it meanwhile
    second=$(say "$pid\n")
    assert_nobodys "$first"
    assert_nobodys "$second"
    within 10 rm -rf home
    within 10 test -e home/leases
    third=$(say "$pid\n")
    are_different "$first" "$second" "$third"
    stop "$pid"
    owner other
    assert [ -n "$(say "$pid\n")" ]
    assert_equal "$(statistic leases)" 1
}

# assert_nobodys PORT: the lease table does not give this port to anybody.
assert_nobodys() {
    PORTSHIM_POOL=$1 fails_with 'pool exhausted' portshim pick $$
}

@test "a request is one without its newline as well, and with one of Windows" {
    own_pool 10
    serve
    for end in '' '\n' '\r\n' '\nrubbish'; do
        lease "$BASHPID$end"
        ports+=("$port")
    done
    are_different "${ports[@]}"
}

@test "a client that says nothing is not waited for longer than five seconds" {
    own_pool 1
    serve
    SECONDS=0
    start silent socat -u "ABSTRACT-CONNECT:${ADDRESS#@}" -
    within 10 gone "$pid"
    ((SECONDS >= 4))
    assert_equal "$(statistic requests-too-slow)" 1
}

@test "a user gets no port for a process of another, but root does, on the other's account" {
    needs_two_users
    own_pool 10
    serve --per-user 1
    is_refused denied-not-permitted nobody_says "$$\n"
    start nobodys setpriv --reuid nobody --regid nogroup --clear-groups sleep infinity
    within 5 is_of nobody "$pid"
    lease "$pid"
    assert [ -n "$port" ]
    is_refused denied-over-cap say "$pid\n"
    lease $$
    assert [ -n "$port" ]
}

# nobody_says TEXT: as `say`, by user nobody.
nobody_says() {
    printf '%b' "$1" | of_nobody socat -t 60 - "ABSTRACT-CONNECT:${ADDRESS#@}"
}

is_of() {
    [[ $(ps -o user= -p "$2") == "$1" ]]
}

@test "a client in a pid namespace of its own is refused, as its numbers mean others" {
    unshare -pf --mount-proc true 2>/dev/null || skip 'needs the right to make a pid namespace'
    own_pool 10
    serve
    # shellcheck disable=SC2016 # the shell that is meant expands it
    for number in $$ 4194303; do
        is_refused denied-foreign-namespace unshare -pf --mount-proc bash -c \
            'echo "$2" | socat -t 60 - "ABSTRACT-CONNECT:${1#@}"' - "$ADDRESS" "$number"
    done
    if type -P setpriv >/dev/null && setpriv --groups 1 true 2>/dev/null; then
        # In its /proc/PID/status, the NSpid line comes after more than 4 KiB of groups.
        # shellcheck disable=SC2016
        is_refused denied-foreign-namespace setpriv --groups "$(seq -s , 2000000000 2000000399)" \
            unshare -pf --mount-proc bash -c 'echo 4194303 | socat -t 60 - "ABSTRACT-CONNECT:${1#@}"' - "$ADDRESS"
    fi
    assert_equal "$(statistic leases)" 0
}

@test "a pick in a pid namespace of its own says that the server cannot be asked, and does without it" {
    unshare -pf --mount-proc true 2>/dev/null || skip 'needs the right to make a pid namespace'
    own_pool 2
    serve
    PORTSERVER_ADDRESS=$ADDRESS run unshare -pf --mount-proc bash -c 'portshim pick; true'
    assert_equal "${#lines[@]}" 2
    assert_line --regexp "^portshim: warning: .*$ADDRESS.*pid namespace"
    assert_line --regexp '^[0-9]+$'
    fails_with 'it is outside of this pid namespace' env PORTSERVER_ADDRESS="$ADDRESS" unshare -pf --mount-proc \
        bash -c 'portshim pick --require-portserver; exit $?'
}

@test "a user has so many ports at a time, and no more" {
    own_pool 10
    serve --per-user 2
    owner one
    one=$pid
    owner other
    lease "$one"
    lease "$pid"
    is_refused denied-over-cap say "$one\n"
    assert_equal "$(say "release $port\n")" ok
    lease "$one"
    assert [ -n "$port" ]
    is_refused denied-over-cap say "$pid\n"
    stop "$one"
    lease "$pid"
    assert [ -n "$port" ]
}

# nobodys_owner: starts a process of user nobody to lease ports for; its pid is in $pid.
nobodys_owner() {
    start nobodys setpriv --reuid nobody --regid nogroup --clear-groups sleep infinity
    within 5 is_of nobody "$pid"
}

# takes COUNT: leases so many ports for process $pid and puts them into ${ports[@]}.
takes() {
    local i
    for ((i = 0; i < $1; i++)); do
        lease "$pid"
        [[ $port ]] || fail "no port after $i of $1"
        ports+=("$port")
    done
}

@test "the user of the server, root or not, may have every port of the pool, whoever else is there" {
    own_pool 8
    serve
    owner own
    takes 8
    are_different "${ports[@]}"
    is_refused denied-exhausted say "$pid\n"
    as_root || return 0
    stop "$pid"
    nobodys_owner
    takes 1
    owner own
    takes 7
    is_refused denied-exhausted say "$pid\n"
}

@test "root may have every port of another user's server" {
    needs_two_users
    own_pool 8
    of_nobody env PORTSHIM_POOL="$PORTSHIM_POOL" portshim serve --address "$ADDRESS"
    adopt "$ADDRESS"
    start nobodys setpriv --reuid nobody --regid nogroup --clear-groups sleep infinity
    within 5 is_of nobody "$pid"
    assert [ -n "$(nobody_says "$pid\n")" ]
    owner roots
    takes 7
    is_refused denied-exhausted say "$pid\n"
}

@test "another user who is alone may have every port of the pool" {
    needs_two_users
    own_pool 8
    serve
    nobodys_owner
    takes 8
    are_different "${ports[@]}"
    is_refused denied-exhausted nobody_says "$pid\n"
}

@test "another user leaves a quarter of the pool to whoever has a port as well" {
    needs_two_users
    own_pool 8
    serve
    lease $$
    nobodys_owner
    takes 6
    is_refused denied-over-cap nobody_says "$pid\n"
    nobodys=$pid
    assert [ -n "$(say "$$\n")" ]
    is_refused denied-exhausted say "$$\n"
    stop "$nobodys"
    assert [ -n "$(say "$$\n")" ]
}

@test "another user leaves a quarter of the pool to whoever has asked in vain" {
    needs_two_users
    own_pool 8
    serve
    nobodys_owner
    takes 8
    is_refused denied-exhausted say "$$\n"
    assert_equal "$(say "release ${ports[0]}\n")" ok
    is_refused denied-over-cap nobody_says "$pid\n"
    lease $$
    assert_equal "$port" "${ports[0]}"
}

@test "a limit that is given is everybody's" {
    needs_two_users
    own_pool 8
    serve --per-user 3
    nobodys_owner
    takes 3
    is_refused denied-over-cap nobody_says "$pid\n"
    owner own
    takes 3
    is_refused denied-over-cap say "$pid\n"
}

@test "release gives a port back through the server" {
    own_pool 2
    serve
    export PORTSERVER_ADDRESS=$ADDRESS
    port=$(portshim pick $$)
    portshim release "$port"
    assert_equal "$(statistic leases)" 0
    fails_with "port $port: nobody has leased it" portshim release "$port"
}

@test "nobody gives back the ports of another user, but root gives back anybody's" {
    needs_two_users
    own_pool 4
    serve
    lease $$
    own=$port
    start nobodys setpriv --reuid nobody --regid nogroup --clear-groups sleep infinity
    within 5 is_of nobody "$pid"
    lease "$pid"
    nobodys=$port
    fails_with "port $own: " of_nobody portshim release "$own"
    assert_equal "$(statistic leases)" 2
    of_nobody portshim release "$nobodys"
    assert_equal "$(statistic leases)" 1
    lease "$pid"
    nobodys=$port
    PORTSERVER_ADDRESS=$ADDRESS portshim release "$nobodys"
    assert_equal "$(statistic leases)" 1
}
