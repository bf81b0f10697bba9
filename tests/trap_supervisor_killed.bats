# The supervisor of trapped programs is killed, or the process that stands in for a program. The run has failed then:
# that is said, nothing waits for ever, and nothing stays.
# shellcheck disable=SC2016 # expanded by the shells that are started
load helper
load shapes

setup() {
    cd "$(test_dir)"
    program being
}

# Starts a program, in the run at $run, that waits. Its parent knows it as $pid, itself it is $own.
wait_in() {
    shape "$1"
    start program "${as[@]}" env "TRAP_TEST=$PWD" portshim run -q -p 8080 -m map -- \
        portshim trapped - 0 "$PWD/being" being --wait
    within 10 grep -qs '^ready' program.out
    own=$(sed -n 's/^ready //p' program.out)
    within 10 supervisor "$own" >supervisor.pid
    supervisor=$(<supervisor.pid)
}

@test "a killed supervisor is told by ls and wait, and the program lives" {
    wait_in sibling
    portshim ls --json map >before.json
    valid before.json
    run -0 jq -c '[.runs[].supervisors_killed]' before.json
    assert_output '[0]'
    kill -KILL "$supervisor"
    within 10 gone "$supervisor"
    portshim ls --json map >after.json
    valid after.json
    run -0 jq -c '[.runs[].supervisors_killed]' after.json
    assert_output '[1]'
    run -0 portshim ls map
    assert_output --partial 'a supervisor was killed: calls about ports fail'
    run -124 portshim wait -t 0.5 map 8080
    assert_line --index 0 --partial "a supervisor of the run's programs was killed"
    assert_equal "$(grep -c 'was killed' <<<"$output")" 1
    stop "$pid"
    assert_equal "$status" 0
}

@test "calls about ports fail after the supervisor was killed" {
    shape sibling
    mkfifo go
    start program env "TRAP_TEST=$PWD" portshim run -q -p 8080 -- portshim trapped - 0 /usr/bin/python3 python3 -c '
import os, socket, sys
print(os.getpid(), flush=True)
sys.stdin = open("go")
try:
    socket.create_server(("127.0.0.1", 8080))
except OSError as error:
    print(error.strerror, flush=True)'
    within 10 grep -qs . program.out
    within 10 supervisor "$(<program.out)" >supervisor.pid
    kill -KILL "$(<supervisor.pid)"
    within 10 gone "$(<supervisor.pid)"
    : >go # the program goes on when it is opened, and may have ended before something is written
    within 10 grep -q 'Function not implemented' program.out
}

@test "who stands in for a program says that the supervisor was killed, and ends with the program" {
    wait_in proxy
    kill -KILL "$supervisor"
    status=0
    wait "$pid" || status=$?
    assert_equal "$status" 125
    run -0 cat program.err
    assert_output "portshim: $PWD/being: its supervisor was killed: start it again"
    gone "$own"
}

@test "a program ends with the killed process that stands in for it" {
    wait_in proxy
    kill -KILL "$pid"
    within 10 gone "$own"
    within 10 gone "$supervisor"
}

@test "signals do not end a supervisor" {
    local number
    wait_in sibling
    for ((number = 1; number < 65; number++)); do
        ((number == 9 || number == 19 || number == 32 || number == 33)) || kill "-$number" "$supervisor"
    done
    run ! gone "$supervisor"
    stop "$pid"
    within 10 gone "$supervisor"
}
