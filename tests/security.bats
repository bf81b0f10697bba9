# What docs/SECURITY.md says, as far as no other file tests it.
load helper

setup() {
    cd "$(test_dir)"
    own_pool 60
    cp "$ROOT/build/tests/hostile_member" . # other users cannot enter the sources
    member=$PWD/hostile_member
    nobody=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
}

# keeper OPTION...: starts a run that does nothing.
keeper() {
    start keeper portshim run -n keeper -m keeper.json "$@" -- sleep infinity
    within 10 test -s keeper.json
    run_directory=$(jq -r .run keeper.json)
    # shellcheck disable=SC2016 # expanded there
    secret=$(inside keeper sh -c 'echo "$PORTSHIM_COMPACT"' | cut -d ' ' -f 2)
    [[ $secret =~ ^[0-9a-f]{32}$ ]]
}

# fill COMMAND...: starts a member that fills what it can, until it is stopped or has filled it very often.
fill() {
    start fill portshim run -j keeper -- "$@"
    within 10 grep -qs filling fill.out
}

need_root() {
    as_root || skip 'only root starts programs as other users'
}

# not_for_nobody COMMAND...: another user may not do this.
not_for_nobody() {
    run "${nobody[@]}" "$@"
    assert_failure
    assert_output --partial 'Permission denied'
}

@test "every sentence of SECURITY.md names a test, and each of these is there" {
    local file name all
    all=$(tr '\n' ' ' <"$ROOT/docs/SECURITY.md" | tr -s ' ')
    # Each item of a list has its tests in italics.
    assert_equal "$(grep -c '^- ' "$ROOT/docs/SECURITY.md")" "$(grep -oE '\*\([a-z_]+\.bats: [^*]*\)\*' <<<"$all" | wc -l)"
    grep -oE '\*\([a-z_]+\.bats: [^*]*\)\*' <<<"$all" | sed 's/^\*(//; s/)\*$//; s/; \([a-z_]*\.bats: \)/\n\1/g' >cited
    (($(wc -l <cited) > 30))
    while IFS= read -r line; do
        file=${line%%: *} name=${line#*: }
        grep -qxF "@test \"$name\" {" "$BATS_TEST_DIRNAME/$file" || fail "no test in $file: $name"
    done <cited
}

@test "a process of the same user may change all files of a run" {
    keeper -p 8080
    for file in texts map "$secret"; do
        inside keeper test -w "$run_directory/$file"
    done
}

@test "a worker that became nobody can write to the log of its run" {
    need_root
    keeper -p 8080
    portshim ls --log keeper >before
    fill "$member" fill 200 nobody
    within 20 gone "$pid"
    portshim ls --log keeper >after
    ! cmp -s before after || fail 'the log is as it was'
}

@test "what was assigned at start stays as it is, whatever a worker writes" {
    need_root
    keeper -p 8080-8099
    mapfile -t before < <(portshim port keeper $(seq 8080 8099))
    fill "$member" fill 2000 nobody paths
    for round in {1..10}; do
        prints "${before[@]}" -- portshim port keeper $(seq 8080 8099)
        prints "PORTSHIM_PORT_8080=${before[0]}" -- sh -c 'portshim env keeper | grep 8080='
    done
    run -0 inside keeper sh -c 'portshim env keeper | grep 8080='
    stop "$pid"
}

@test "portshim wait is not deceived by a worker" {
    need_root
    keeper -p 8080
    fill "$member" fill 100000 nobody
    run -124 portshim wait -t 0.5 keeper 8080
    stop "$pid"
}

@test "a strict run starts what it should, whatever a worker notes of a program" {
    need_root
    cp /usr/bin/env honest_env
    keeper -p 8080 --strict
    inside keeper sh -c './honest_env true; true'
    inside keeper "$member" spoil honest_env
    inside keeper sh -c './honest_env true'
}

@test "a worker can use up the pool" {
    need_root
    keeper -p all
    fill "$member" fill 100000 nobody
    within 20 pool_is_empty
    stop "$pid" KILL
}

pool_is_empty() {
    portshim port keeper 9001 >port.out 2>port.err || : # fills the stock again
    ! portshim run -p 80 -- true 2>run.err && grep -q 'pool exhausted' run.err
}

@test "no process of a run has the texts in its memory, and only the owner may open them" {
    keeper -p all
    assert_equal "$(stat -c %a "$run_directory/texts")" 600
    within 10 is_program "$pid" sleep # before, it is the command that makes the run
    within 10 grep -qF "$run_directory/" "/proc/$pid/maps"
    run -1 grep -F "$run_directory/texts" "/proc/$pid/maps"
    need_root
    not_for_nobody cat "$run_directory/texts"
}

@test "late tables that another user cuts short end no command, and no other run" {
    need_root
    keeper -p all
    start other portshim run -n other -p 8080 -- "$member" use 8080 8080
    other=$pid
    within 10 grep -qs using other.out
    fill "${nobody[@]}" "$member" fill 100000 paths cut
    for round in {1..20}; do
        for command in 'ls' 'port other 8080' 'run -j other -- true'; do
            # shellcheck disable=SC2086 # words
            portshim $command >"$round.out" 2>"$round.err" || fail "portshim $command: $?: $(<"$round.err")"
        done
        # These may fail, in a line: they are about that run, or its processes have had all ports leased for it.
        for command in 'run -p 7000 -- true' 'ls --json keeper' 'port keeper 9001' 'wait -t 0.05 keeper 9001' 'env keeper' 'run -j keeper -p 9001 -- true'; do
            status=0
            # shellcheck disable=SC2086 # words
            portshim $command >"$round.out" 2>"$round.err" || status=$?
            ((status < 126)) || fail "portshim $command: $status: $(<"$round.err")"
        done
    done
    stop "$pid" KILL
    stop "$other"
    assert_equal "$status: $(<other.out)" '0: using'
    # The tables stay cut short: the run ends as others do.
    "${nobody[@]}" truncate -s 0 "$run_directory/$secret.late"
    stop "${STARTED[1]}"
    within 20 nothing_of keeper
}

nothing_of() {
    portshim ls >ls.out
    [[ ! -e $PORTSHIM_HOME/names/$1 ]]
}

# leaves WHAT COMMAND...: starts a run whose only process leaves it, and keeps WHAT open or mapped.
leaves() {
    local what=$1
    shift
    cp "$PROGRAMS/leaves.py" . # other users cannot enter the sources
    portshim run -q -p 8080 -- "$@" /usr/bin/python3 leaves.py "$what" >leaves.out 3>&-
    read -r left run_directory inode <leaves.out
    STARTED+=("$left")
}

@test "who has left a run, and kept its files, has nothing of the next one" {
    need_root
    local next
    for what in notes head; do
        leaves "$what"
        assert_equal "$(ls "$PORTSHIM_HOME/runs")" "${run_directory##*/}"
        find "$run_directory" -inum "$inode" | grep .
        start next portshim run -m "$what.json" -p 8080 -- sleep infinity
        next=$pid
        within 10 test -s "$what.json"
        within 10 eval "portshim run -q -p 8080 -- true; [[ ! -e $run_directory ]]"
        assert_equal "$(find "$PORTSHIM_HOME" -inum "$inode")" ''
        kill "$left"
        stop "$next"
        within 10 eval "portshim ls >ls.out; rmdir '$PORTSHIM_HOME/runs' 2>ls.err"
    done
}

@test "a path to the head can be kept, and tells the numbers of the run that has the files next" {
    need_root
    leaves path "${nobody[@]}"
    within 10 eval "portshim run -q -p 8080 -- true; [[ ! -e $run_directory ]]"
    fd=$(find "/proc/$left/fd" -lname "$PORTSHIM_HOME/runs/*" ! -lname "$run_directory/*")
    run -0 "${nobody[@]}" od -An -tx1 -N 6 "$fd"
    assert_output ' 70 73 68 65 61 64'
    not_for_nobody cat "$PORTSHIM_HOME"/runs/*/texts "$PORTSHIM_HOME"/runs/*/map
}

@test "whoever is the user of a member can be one" {
    need_root
    keeper -p 8080
    start member portshim run -j keeper -- "${nobody[@]}" sleep infinity
    within 10 is_program "$pid" sleep
    within 10 grep -qsz '^PORTSHIM_COMPACT=' "/proc/$pid/environ" # its stack is filled after it has its name
    # shellcheck disable=SC2016 # expanded there
    run -0 "${nobody[@]}" sh -c 'tr "\0" "\n" <"/proc/$1/environ" | sed -n "s/^PORTSHIM_COMPACT=//p"' sh "$pid"
    assert_output --partial "$secret"
    "${nobody[@]}" test -r "$run_directory/$secret"
}

@test "another user sees no run, name or lease" {
    need_root
    keeper -p all
    for directory in "$PORTSHIM_HOME" "$PORTSHIM_HOME/runs" "$PORTSHIM_HOME/names" "$run_directory"; do
        not_for_nobody ls "$directory"
    done
    for file in "$PORTSHIM_HOME/leases" "$run_directory/map" "$run_directory/texts" "$PORTSHIM_HOME/names/keeper"; do
        not_for_nobody head -c 1 "$file"
    done
    not_for_nobody touch "$PORTSHIM_HOME/file"
    not_for_nobody touch "$run_directory/file"
    run "${nobody[@]}" portshim port keeper 8080
    assert_failure 125
}

@test "the secret is told to members alone" {
    keeper -p all -m plain -m m.env
    for what in 'portshim ls' 'portshim ls --json' 'portshim ls --log keeper' 'portshim env keeper' \
        'cat keeper.json plain m.env' 'readlink home/names/keeper' 'portshim run -v -j keeper -- true'; do
        # shellcheck disable=SC2086 # words
        run -0 $what
        refute_output --partial "$secret"
    done
    # Two runs have different ones.
    start second portshim run -n second -p 8080 -- sleep infinity
    within 10 portshim port second 8080
    # shellcheck disable=SC2016 # expanded there
    run -0 inside second sh -c 'echo "$PORTSHIM_COMPACT"'
    refute_output --partial "$secret"
}

@test "another user has nothing to lock" {
    need_root
    keeper -p all
    for directory in "$PORTSHIM_HOME" "$PORTSHIM_HOME/runs" "$run_directory"; do
        run "${nobody[@]}" flock -n "$directory" true
        assert_failure
        assert_output --partial 'Permission denied'
    done
    # One who is told the secret can open that file, and lock it: nobody waits for that.
    start locker "${nobody[@]}" flock -F "$run_directory/$secret" sleep infinity
    within 10 is_locked "$run_directory/$secret"
    promptly 8 portshim ls keeper >ls.out
    promptly 8 portshim run -j keeper -p 8080 -- true
    stop "${STARTED[1]}"
    within 20 nothing_of keeper
}

is_locked() {
    ! flock -n "$1" true
}

@test "another user can connect to a real port" {
    need_root
    start server portshim run -n keeper -p 8080 -- /usr/bin/python3 -m http.server --bind 127.0.0.1 8080
    port=$(real keeper 8080)
    run -0 "${nobody[@]}" curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/"
    assert_output 200
}

@test "another user can keep a run from being over by binding one of its ports" {
    need_root
    keeper -p 8080
    port=$(portshim port keeper 8080)
    start binder "${nobody[@]}" socat "TCP-LISTEN:$port,bind=127.0.0.1" /dev/null
    binder=$pid
    within 10 listens "$port"
    stop "${STARTED[1]}"
    portshim ls keeper >ls.out
    sleep 2.2 # no event tells that others may look again
    portshim ls keeper >ls.out
    stop "$binder"
    within 20 nothing_of keeper
}

@test "a port server chooses any free port" {
    # One that is in no pool, as it is ephemeral; root is given a privileged one.
    pool=50000-60000
    ! as_root || pool=600-1000
    port=$(PORTSHIM_POOL=$pool portshim pick $$)
    PORTSHIM_POOL=$pool portshim release "$port"
    start server "$PROGRAMS/fake_portserver.py" "$PWD/socket" say "$port\n"
    within 10 grep -qs ready server.out
    # shellcheck disable=SC2016 # expanded there
    PORTSERVER_ADDRESS=$PWD/socket run -0 portshim run -p 8080 -- sh -c 'echo "$PORTSHIM_PORT_8080"'
    assert_output "$port"
}
