# The port server that PORTSERVER_ADDRESS names is asked first: portpicker's, and fakes that fail in every way. A port
# that it gives is entered in the lease table, too. If it fails, one line says so and only the lease table is used.
load helper

size=60

# The server has three of the ports; the lease table leases the others.
setup() {
    cd "$(test_dir)"
    own_pool "$size"
    IFS=, read -ra ports <<<"$PORTSHIM_POOL"
    served=("${ports[@]:0:3}")
    all=$PORTSHIM_POOL
    PORTSHIM_POOL=$(IFS=, && echo "${ports[*]:3}")
    mkdir -m 700 home
    start owner sleep infinity
    owner=$pid
    PORTSERVER_ADDRESS="@portshim-test-$$-$BATS_SUITE_TEST_NUMBER"
    export PORTSERVER_ADDRESS
}

# portpicker_serves: starts portpicker's server with the ports of ${served[@]}.
portpicker_serves() {
    local ranges
    ranges=$(printf '%s\n' "${served[@]}" | sed 's/.*/&-&/' | paste -sd ,)
    start server portserver --portserver_address "$PORTSERVER_ADDRESS" --portserver_static_pool "$ranges"
    server=$pid
    within 20 answers
}

# answers: whether the server answers; it refuses a pid without a process with an empty answer.
answers() {
    /usr/bin/python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1].replace("@", "\0"))
s.sendall(b"0\n")
sys.exit(s.recv(1) != b"")' "$PORTSERVER_ADDRESS" 2>/dev/null
}

# fake MODE...: starts a server that fails in this way.
fake() {
    rm -f server.out
    start server "$PROGRAMS/fake_portserver.py" "$PORTSERVER_ADDRESS" "$@"
    server=$pid
    within 10 grep -qs ready server.out
}

is_served() {
    [[ " ${served[*]} " == *" $1 "* ]]
}

is_of_pool() {
    [[ ",$PORTSHIM_POOL," == *",$1,"* ]]
}

# without_server COMMAND...: runs it without a port server.
without_server() {
    PORTSERVER_ADDRESS='' "$@"
}

# table_has COUNT: so many of all ports can be leased without the server.
table_has() {
    (
        PORTSHIM_POOL=$all without_server portshim pick -n "$1" "$BASHPID"
    )
}

table_lacks() {
    ! table_has "$1" 2>/dev/null
}

# in_time WORDS COMMAND...: `run`s it. It takes as long as a server is waited for, where the words say that; else it is
# quick. When the machine has stalled, the server may have been waited for in vain, and the command is tried again.
in_time() {
    local began most=4
    [[ $1 != *'timed out'* ]] || most=8
    for _ in 1 2 3; do
        began=$SECONDS
        run --separate-stderr "${@:2}"
        ((SECONDS - began >= most)) || return 0
        ! is_of_pool "$output" || without_server portshim release "$output" 2>/dev/null || :
    done
    fail "it takes too long: ${*:2}"
}

# refused WORDS COMMAND...: fails with 125, nothing on stdout and one line with the words in it on stderr, in time.
refused() {
    in_time "$@"
    has_ended_with 125 "$1"
}

# warned WORDS COMMAND...: succeeds with one port of the pool on stdout, in time, after one warning with the words.
warned() {
    local words=$1
    in_time "$@"
    assert_equal "$status: $stderr" "0: $stderr"
    is_of_pool "$output"
    assert_equal "${#stderr_lines[@]}" 1
    [[ $stderr == "portshim: warning: port server $PORTSERVER_ADDRESS: $words: "* ]] ||
        fail "not a warning of $words: $stderr"
}

# given_up WHY: the server fails for this reason; each command that may do without it does so and says it once.
given_up() {
    # shellcheck disable=SC2016 # expanded by that shell
    local print='echo $PORTSHIM_PORT_80'
    warned "$1" portshim pick "$owner"
    portshim release "$output"
    warned "$1" portshim run -p 80-82 -- sh -c "$print"
    run --separate-stderr portshim run -q -p 80 -- sh -c "$print"
    assert_equal "$status: $stderr" '0: '
    is_of_pool "$output"
    run --separate-stderr portshim pick -q "$owner"
    assert_equal "$status: $stderr" '0: '
    is_of_pool "$output"
    without_server portshim release "$output"
    refused "port server $PORTSERVER_ADDRESS: $1" portshim pick --require-portserver -n 2 "$owner"
    refused "port server $PORTSERVER_ADDRESS: $1" portshim pick --require-portserver -q "$owner"
    no_run "port server $PORTSERVER_ADDRESS: $1" -p 80
}

# no_run WORDS OPTION...: a run that requires the server fails with these words and leaves nothing behind.
no_run() {
    local words=$1 before
    shift
    before=$(find home/runs home/names -mindepth 1 | sort)
    refused "$words" portshim run --require-portserver -n web -m m.env "$@" -- touch started
    find home/runs home/names -mindepth 1 | sort | comm -13 <(echo "$before") - >appeared
    assert_equal "$(cat appeared)" ''
    [[ ! -e m.env && ! -e started ]]
}

@test "a port is the server's, and in the lease table as well" {
    local port
    for PORTSERVER_ADDRESS in "$PORTSERVER_ADDRESS" "$PWD/socket"; do
        portpicker_serves
        run --separate-stderr portshim pick -n 3 "$owner"
        assert_equal "$status: $stderr" '0: '
        assert_equal "$(sort <<<"$output")" "$(printf '%s\n' "${served[@]}" | sort)"
        table_has $((size - 3))
        table_lacks $((size - 2))
        refused "port server $PORTSERVER_ADDRESS: it gave no port that can be used" \
            portshim pick --require-portserver "$owner"
        stop "$owner"
        table_has "$size"
        start owner sleep infinity
        owner=$pid
        stop "$server"
    done
}

@test "portpicker's own client and portshim pick have different ports of one server" {
    portpicker_serves
    start client bash -c '/usr/bin/python3 -m portpicker $$; exec sleep infinity'
    within 20 test -s client.out
    portshim pick -n 2 "$owner" >picked
    cat client.out >>picked
    assert_equal "$(sort picked)" "$(printf '%s\n' "${served[@]}" | sort)"
}

@test "a run's ports are the server's, and in the lease table as well" {
    portpicker_serves
    start holder portshim run -p 80,81 -n web -m web.json -- sleep infinity
    within 10 test -e web.json
    assert_equal "$(cat holder.err)" ''
    for port in $(portshim port web 80 81); do
        is_served "$port"
    done
    table_has $((size - 2))
    table_lacks $((size - 1))
    portshim pick "$owner" >picked
    is_served "$(<picked)"
    stop "$pid"
    within 20 table_has $((size - 1))
}

@test "a port that a program binds later is the server's as well" {
    served=("${ports[@]:0:40}") # the run leases a stock of them at its start
    portpicker_serves
    start late portshim run -p all -n web -- /usr/bin/python3 -m http.server --bind 127.0.0.1 8080
    real=$(portshim wait -t 20 web 8080)
    is_served "$real"
    curl -sf -o /dev/null "http://127.0.0.1:$real/"
    assert_equal "$(grep -c portshim late.err)" 0
}

@test "a program that is run by hand has the server's port" {
    portpicker_serves
    start late env LD_PRELOAD="$PORTSHIM_LIB" PORTSHIM_PORTS=8080 PORTSHIM_MAP_FILE="$PWD/m.json" \
        /usr/bin/python3 -m http.server --bind 127.0.0.1 8080
    real=$(portshim wait -t 20 m.json 8080)
    is_served "$real"
    curl -sf -o /dev/null "http://127.0.0.1:$real/"
}

@test "a port that the table has leased already is not taken from the server" {
    local port
    PORTSHIM_POOL=$(IFS=, && echo "${served[*]:0:2}") without_server portshim pick -n 2 "$$"
    portpicker_serves
    assert_equal "$(portshim pick "$owner")" "${served[2]}"
    warned 'it gave no port that can be used' portshim pick "$owner"
}

@test "portpicker's server knows no release, and the table's lease goes nevertheless" {
    portpicker_serves
    port=$(portshim pick "$owner")
    table_lacks "$size"
    portshim release "$port"
    table_has "$size"
}

@test "without a server at the address the lease table is used" {
    given_up 'Connection refused'
    PORTSERVER_ADDRESS=$PWD/none
    given_up 'No such file or directory'
    : >file
    PORTSERVER_ADDRESS=$PWD/file
    given_up 'Connection refused'
    PORTSERVER_ADDRESS=@
    given_up 'Invalid argument'
    PORTSERVER_ADDRESS=$(printf '@%0120d' 1)
    given_up 'File name too long'
    PORTSERVER_ADDRESS=$PWD/$(printf '%0120d' 1)
    given_up 'File name too long'
    table_has "$size"
}

@test "an empty address is none" {
    PORTSERVER_ADDRESS=
    run --separate-stderr portshim pick "$owner"
    assert_equal "$status: $stderr" '0: '
    is_of_pool "$output"
    refused '--require-portserver: PORTSERVER_ADDRESS is not set' portshim pick --require-portserver "$owner"
    unset PORTSERVER_ADDRESS
    refused '--require-portserver: PORTSERVER_ADDRESS is not set' portshim pick --require-portserver "$owner"
    mkdir -p home/{runs,names}
    no_run '--require-portserver: PORTSERVER_ADDRESS is not set' -p 80
}

@test "a server that gives none is given up" {
    local answer
    for answer in '' '0\n' '70000\n' '80x\n'; do # tests/unit/portserver.c tries more
        fake say "$answer"
        given_up 'it gave no port that can be used'
        stop "$server"
    done
    table_has "$size"
}

@test "a server that closes without reading, or says too much, is given up" {
    local mode
    for mode in close flood; do
        fake "$mode"
        given_up 'it gave no port that can be used'
        stop "$server"
    done
    table_has "$size"
}

@test "a server that gives one port twice is given up for the second" {
    fake say "${served[0]}\n"
    run --separate-stderr portshim pick -n 2 "$owner"
    assert_equal "$status: ${#stderr_lines[@]}" '0: 1'
    assert_equal "${lines[0]}" "${served[0]}"
    is_of_pool "${lines[1]}"
    warned 'it gave no port that can be used' portshim pick "$owner"
    table_lacks $((size - 2))
    refused 'it gave no port that can be used' portshim pick --require-portserver -n 2 $$
    no_run 'it gave no port that can be used' -p 80,81
    stop "$owner"
    table_has "$size"
}

@test "a port that a socket has is not taken from the server" {
    start squatter socat "TCP-LISTEN:${served[0]},bind=127.0.0.1" /dev/null
    within 10 listens "${served[0]}"
    fake say "${served[0]}\n" ok "${served[1]}\n"
    assert_equal "$(portshim pick "$owner")" "${served[1]}"
    stop "$server"
    fake say "${served[0]}\n"
    warned 'it gave no port that can be used' portshim pick "$owner"
}

@test "an answer without a newline, or in two pieces, is one" {
    local answer
    for answer in '%s' '%s\r\n' '%.2s|%s\n' '%s|\n' '%s\nand more'; do
        if [[ $answer == '%.2s'* ]]; then
            answer=${served[0]:0:2}'|'${served[0]:2}'\n'
        else
            answer=${answer/'%s'/${served[0]}}
        fi
        fake say "$answer"
        run --separate-stderr portshim pick "$owner"
        assert_equal "$answer: $status: $output: $stderr" "$answer: 0: ${served[0]}: "
        portshim release "$output"
        stop "$server"
    done
}

# late MODE: commands wait for a slow server, but not for long.
late() {
    fake "$1"
    local why='Connection timed out'
    warned "$why" portshim pick "$owner"
    no_run "port server $PORTSERVER_ADDRESS: $why" -p 80,81
    stop "$owner"
    table_has "$size"
}

@test "a server that never answers is given up in time" {
    late silent
}

@test "a server that never says a whole line is given up in time" {
    late drip
}

@test "a server that never accepts is given up in time" {
    late full
}

@test "a server that answers with nothing of use, slowly, is given up in time" {
    start squatter socat "TCP-LISTEN:${served[0]},bind=127.0.0.1" /dev/null
    within 10 listens "${served[0]}"
    fake say "||||||${served[0]}\n"
    warned 'Connection timed out' portshim pick "$owner"
}

@test "a server outside of the pid namespace is not asked" {
    local namespace=(unshare -p -f --mount-proc)
    as_root || namespace+=(-r)
    "${namespace[@]}" true 2>/dev/null || skip 'no pid namespace can be made here'
    fake say "${served[0]}\n"
    # shellcheck disable=SC2016 # expanded inside
    warned 'it is outside of this pid namespace and cannot tell whom it leases for' \
        "${namespace[@]}" bash -c 'portshim pick $$; exit $?'
    assert_equal "$(cat server.out)" ready
}
