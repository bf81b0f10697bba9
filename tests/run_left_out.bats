# RUN may be left out where one is meant: inside a run it is that, in a directory the run that was started there.
load helper

setup() {
    cd "$(test_dir)"
    HERE=$PWD
    own_pool 40
    mkdir -p web/a/b other
}

# started_in DIRECTORY NAME: starts a run there, with placeholder 8080, and waits until its program is in it.
started_in() {
    start "$2" env -C "$1" portshim run -n "$2" -p 8080,53/udp -- sleep infinity
    within 10 portshim port "$2" 8080
    within 10 has_attached "$2"
}

# means RUN: port, env, wait, ls -q and ls --log of the working directory are about this run.
means() {
    assert_equal "$(portshim port 8080)" "$(portshim port "$1" 8080)"
    assert_equal "$(portshim env)" "$(portshim env "$1")"
    [[ $(portshim ls --log) == *' attached' ]]
    diff <(portshim ls --log | cut -c 11-) <(portshim ls --log "$1" | cut -c 11-) # without the ages
    run portshim ls -q 8080
    assert_equal "$status$output" 1 # nothing listens
    run portshim wait -t 0 8080
    assert_equal "$status" 124
    assert_output --partial "$(portshim env "$1" | sed -n 's/PORTSHIM_RUN=//p'), port 8080: nothing listens"
}

means_none() {
    local words
    for words in 'port 8080' env 'ls --log' 'ls -q 8080'; do
        # shellcheck disable=SC2086
        fails_with 'run: none that lives was started in this directory or above it: name one' portshim $words
    done
}

@test "in a directory, and below it, the run that was started there is meant" {
    started_in web one
    started_in other two
    (cd web && means one)
    (cd web/a/b && means one)
    (cd other && means two)
    means_none
    started_in web/a three # nearer
    (cd web/a/b && means three)
    (cd web && means one)
    stop "$pid"
    (cd web/a && means one)
    assert_equal "$(portshim ls --json | jq -r '.runs[0].directory')" "$HERE/web"
    portshim ls --json >ls.json
    valid ls.json
}

@test "a run above the root of the worktree, or above HOME, is not meant" {
    mkdir -p web/trees/fix web/trees/fix/a web/.git
    echo 'gitdir: elsewhere' >web/trees/fix/.git
    started_in web one
    started_in . top
    (cd web/a && means one)
    (cd web/trees && means one)
    (cd web/trees/fix && means_none)
    (cd web/trees/fix/a && means_none)
    (cd other && means top)
    (HOME=$PWD/other && cd other && means_none)
    started_in web/trees/fix fix
    (cd web/trees/fix/a && means fix)
}

@test "where several were started, they are listed" {
    started_in web one
    (cd web && start unnamed portshim run -m unnamed.env -p 1 -- sleep infinity)
    within 10 test -e web/unnamed.env
    cd web
    local words unnamed
    unnamed=$(sed -n 's|PORTSHIM_RUN=.*/||p' unnamed.env)
    for words in 'port 8080' env 'ls --log' 'ls -q 8080' 'wait 8080'; do
        # shellcheck disable=SC2086
        fails_with 'run: 2 were started in one directory: ' portshim $words
        [[ $stderr == *'one'* && $stderr == *"$unnamed"* ]]
    done
    portshim port one 8080
    portshim port "$unnamed" 1
    kill "$(jq -n --argjson all "$(portshim ls --json)" '$all.runs[] | select(.name == null).pid')"
    within 10 portshim port 8080
    [[ $(portshim port 8080) == "$(portshim port one 8080)" ]]
}

@test "inside a run it is that one, wherever that is" {
    started_in web one
    cd web
    # shellcheck disable=SC2016
    run -0 portshim run -n two -p 8080 -- sh -c 'cd /; portshim port 8080; echo "$PORTSHIM_PORT_8080"; portshim env | head -n 1; echo "PORTSHIM_RUN=$PORTSHIM_RUN"'
    assert_equal "${lines[0]}" "${lines[1]}"
    assert_equal "${lines[2]}" "${lines[3]}"
    [[ ${lines[0]} != "$(portshim port one 8080)" ]]
    # A shell that has read a map file is inside, as long as the run lives.
    run -0 env -C "$HERE" "$(portshim env one | head -n 1)" portshim port 8080
    assert_output "$(portshim port one 8080)"
    local ended
    ended=$(portshim run -p 1 -- printenv PORTSHIM_RUN)
    PORTSHIM_RUN=$ended fails_with "PORTSHIM_RUN=$ended: the run has ended: name a run, or unset PORTSHIM_RUN" portshim port 8080
    PORTSHIM_RUN=$ended fails_with "PORTSHIM_RUN=$ended: the run has ended" portshim wait 8080
}

@test "a run by hand is meant, too" {
    cd web
    start hand env PORTSHIM_PORTS=8080 PORTSHIM_MAP_FILE=m.json LD_PRELOAD="$PORTSHIM_LIB" sleep infinity
    within 10 test -e m.json
    within 10 portshim port 8080
    assert_equal "$(portshim port 8080)" "$(jq .ports[0].real m.json)"
}

@test "wait waits for a run to be started here" {
    cd web
    start waiter portshim wait -t 60 8080
    local waiter=$pid
    (cd a && portshim run -n below -p 8080 -- true)
    start server portshim run -p 8080 -- socat -u TCP-LISTEN:8080 /dev/null
    wait "$waiter"
    assert_equal "$(cat "$HERE/waiter.out")" "$(portshim port 8080)"
    cd ../other
    run -124 --separate-stderr portshim wait -t 0.1 8080
    assert_equal "$stderr" "portshim: $PWD, port 8080: no such run yet, none was started there: start one there, or name one of portshim ls"
}

@test "wait says what became of the last run of this directory, and ends with one that ends meanwhile" {
    cd web
    run -125 portshim run --require-bind -n last -p 8080 -- true
    run -124 --separate-stderr portshim wait -t 0.1 8080
    [[ ${stderr_lines[-1]} == "portshim: $PWD, port 8080: no such run yet, the last one ended "*' with '* ]]
    start waiter portshim wait -t 60 8080
    local waiter=$pid
    within 10 grep -q 'the last run of that directory ended' "$HERE/waiter.err"
    run -127 portshim run -p 8080 -- ./no-such-command
    status=0
    wait "$waiter" || status=$?
    assert_equal "$status" 125
    grep "$PWD, port 8080: " "$HERE/waiter.err"
    grep -q 127 "$HERE/waiter.err"
}

@test "words that are all ports are ports, unless a living run has the first as its name" {
    cd web
    started_in . one
    assert_equal "$(portshim port 8080 53/udp 8080 | sort -u | wc -l)" 2
    fails_with 'port 9090: not a placeholder' portshim port 9090 8080
    start named portshim run -n 9090 -p 8080 -- sleep infinity
    within 10 portshim port 9090 8080
    [[ $(portshim port 9090 8080) != "$(portshim port one 8080)" ]]
    fails_with '2 were started' portshim port 9090 # one word is a port
    run -0 portshim env 9090
    assert_line "PORTSHIM_PORT_8080=$(portshim port 9090 8080)"
    fails_with 'port: none is given' portshim port
    fails_with 'port: none is given' portshim port one
    fails_with 'run nobody: no such run' portshim port nobody 8080
    fails_with 'too many arguments' portshim ls -q one 8080 8081
}

@test "port and env have JSON as wait has it, and all placeholders, and env has URLs" {
    started_in web one
    cd web
    local real path udp
    real=$(portshim port 8080) udp=$(portshim port 53) path=$(portshim env | sed -n 's/PORTSHIM_RUN=//p')
    prints "{\"run\":\"$path\",\"ports\":[{\"placeholder\":8080,\"real\":$real}]}" -- portshim port --json 8080
    prints "{\"run\":\"$path\",\"ports\":[{\"placeholder\":53,\"real\":$udp},{\"placeholder\":8080,\"real\":$real}]}" -- portshim port --json one all
    assert_equal "$(portshim env --json)" "$output"
    prints "$udp" "$real" -- portshim port one all
    prints "$udp" "$real" -- portshim port all
    prints "$real" "$udp" -- portshim port 8080 53/udp
    prints "http://localhost:$real" -- portshim env --url
    prints "http://localhost:$real" -- portshim env --url one 8080
    prints "{\"run\":\"$path\",\"ports\":[{\"placeholder\":53,\"real\":$udp},{\"placeholder\":8080,\"real\":$real,\"url\":\"http://localhost:$real\"}]}" -- portshim env --url --json
    prints "PORTSHIM_RUN=$path" "PORTSHIM_PORT_8080=$real" -- portshim env 8080/tcp
    fails_with 'port 53: it is for UDP alone' portshim env --url 8080 53
    fails_with 'port 81: not a placeholder' portshim env 81
    fails_with 'port 81: not a placeholder' portshim port --json 8080 81
    fails_with 'port 81: not a placeholder' portshim port 8080 81
}

@test "all of a run without a real port yet is refused by port, and nothing for env" {
    start late portshim run -p all -- sleep infinity
    within 10 portshim env
    fails_with 'port all: no placeholder has a real port until' portshim port all
    assert_equal "$(portshim env --json | jq -c .ports)" '[]'
    assert_equal "$(portshim env --url)" ''
    run -1 portshim ls -q all
}

@test "pick prints JSON" {
    run -0 portshim pick --json -n 3
    assert_equal "$(jq -c '[keys[], (.ports | length, (unique | length), (map(type) | unique[]))]' <<<"$output")" '["ports",3,3,"number"]'
    assert_equal "${#lines[@]}" 1
}
