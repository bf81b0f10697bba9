# A process of a run that fills every byte of the run's files it can write with values of its own making: the run's other
# processes and the user's commands do not crash, no file is made anywhere, and no port is bound that is not the run's.
# make check-long has it fill them 10 000 times (PORTSHIM_HOSTILE_ROUNDS), beside a command under AddressSanitizer.
load helper

rounds=${PORTSHIM_HOSTILE_ROUNDS:-300}

setup() {
    cd "$(test_dir)"
    own_pool 200
    member=$ROOT/build/tests/hostile_member
    cp "$member" . # users who cannot enter the sources
    member=$PWD/hostile_member
    # A directory in which only this user can make files, and the text that would make the owner's command write there.
    mkdir -m 700 private
    text="file=$PWD/private/made"
    mkdir published
}

# A word of each of the commands that look at a run. Each prints something or fails with a line of its own.
commands=('ls' 'ls hostile' 'ls --json hostile' 'ls --log hostile' 'port hostile 9001' 'env hostile'
    'wait -t 0.2 hostile 9001' 'run -j hostile -p 7001 -- true' 'run -j hostile -- true' 'run -p 7000 -- true')

# asks: each command once. It succeeds, or fails in a line of its own; it does not crash or hang.
asks() {
    local command status
    for command in "${commands[@]}"; do
        status=0
        # shellcheck disable=SC2086 # words
        timeout -s KILL 60 portshim $command >asked.out 2>asked.err || status=$? # 124 is an answer of `portshim wait`
        [[ $status == @(0|1|124|125) ]] || fail "portshim $command: $status: $(head -c 2000 asked.err)"
        ! grep -qE 'Sanitizer|runtime error' asked.err || fail "portshim $command: $(head -c 2000 asked.err)"
    done
}

# A run in which others use ports: of all users of it, none may be put on a port of another run.
begin() {
    PORTSHIM_HOME=$PWD/home$2 started=()
    rm -f published/run.json
    start other portshim run -n other -p 5001-5010 -- sleep infinity
    within 10 portshim port other 5001
    mapfile -t foreign < <(portshim port other $(seq 5001 5010))
    start keeper portshim run -n hostile -m published/run.json "$@" -- sleep infinity
    within 10 test -s published/run.json
    use 9001 9060
    use 9001 9010
}

# use FIRST LAST [COMMAND...]: a program of the run that binds and connects to those ports.
use() {
    local first=$1 last=$2
    shift 2
    start "user${#started[@]}" portshim run -j hostile -- "$@" "$member" use "$first" "$last" "${foreign[@]}"
    within 20 grep -qs using "user${#started[@]}.out"
    started+=("$pid")
}

# fills COMMAND...: the hostile program, beside which the commands are asked until it is done.
fills() {
    start hostile portshim run -j hostile -- "$@"
    hostile=$pid
    within 10 grep -qs filling hostile.out
    [[ $(<hostile.out) != 'filling 0' ]] || fail 'it finds nothing to fill'
    until gone "$hostile"; do
        asks
    done
    asks
    grep -qx 'done' hostile.out || fail "it has failed: $(cat hostile.err)"
}

# unharmed: the programs of the run go on, and saw nothing that must not be.
unharmed() {
    local i
    for i in "${!started[@]}"; do
        stop "${started[i]}"
        assert_equal "user$i $status: $(cat "user$i.out")" "user$i 0: using"
    done
    assert_equal "$(ls -A private)" ''
    assert_equal "$(ls -A published)" run.json
    assert_equal "$(ls "$PORTSHIM_HOME/names")" $'hostile\nother'
}

in_a_container() {
    container=(unshare -U -r -m -n -p -f --mount-proc)
    "${container[@]}" true 2>unshare.err || skip "no namespaces can be made: $(head -n 1 unshare.err)"
}

# In a run with late placeholders (-p all) its processes share more than in one without: both kinds are tried.
kinds=('all' '9001-9060')

@test "root's worker that has become nobody" {
    as_root || skip 'only root can become nobody'
    for kind in "${kinds[@]}"; do
        begin -p "$kind"
        fills "$member" fill "$rounds" nobody paths "$text" "${foreign[@]}"
        unharmed
    done
}

@test "a process of the same user, in the memory that it has of the run" {
    for kind in "${kinds[@]}"; do
        begin -p "$kind"
        fills "$member" fill "$rounds" "$text" "${foreign[@]}"
        unharmed
    done
}

@test "a process that was executed by another user" {
    as_root || skip 'only root starts programs as other users'
    begin -p all
    fills runuser -u nobody -- "$member" fill "$rounds" paths "$text" "${foreign[@]}"
    unharmed
}

@test "a process in a container that shares the home" {
    in_a_container
    for kind in "${kinds[@]}"; do
        begin -p "$kind"
        fills "${container[@]}" "$member" fill "$rounds" "$text" "${foreign[@]}"
        unharmed
    done
}

@test "in a run without late placeholders, another user's process has nothing to write" {
    as_root || skip 'only root starts programs as other users'
    begin -p 9001-9060
    run inside hostile runuser -u nobody -- "$member" fill 1 paths
    assert_output $'filling 0\ndone'
    unharmed
}
