# Dead runs weigh nothing: what they leave is taken over or removed by whichever commands come next, whoever was killed or
# stopped in whatever he did.
load helper

setup() {
    cd "$(test_dir)"
    own_pool "${pool_size:-8}"
    mkdir -p home
    chmod 711 home
}

runs() {
    find home/runs -mindepth 1 -maxdepth 1 | wc -l
}

leases() {
    /usr/bin/python3 "$PROGRAMS/leases.py" home
}

# nothing_left: no directory, draft or lease of a run.
nothing_left() {
    [[ -z $(ls -A home/runs) && -z $(leases) ]]
}

# head RUN_DIRECTORY: prints the path of its head.
head_of() {
    find "$1" -regextype posix-extended -regex '.*/[0-9a-f]{32}'
}

# state RUN_DIRECTORY: prints 1 while the run lives, 2 while somebody decides, 3 when it is over.
state() {
    local byte
    byte=$(od -An -tu1 -j 72 -N 1 "$(head_of "$1")") && echo $((byte & 3))
}

@test "a loop of runs uses one directory over and over" {
    local i most=0 now
    for ((i = 0; i < 100; i++)); do
        portshim run -p 8080 -- true
        now=$(runs)
        ((now > most)) && most=$now
    done
    ((most <= 2))
    portshim ls
    nothing_left
}

@test "a loop of runs beside many living ones uses one directory over and over, too" {
    local i
    own_pool 100
    for ((i = 0; i < 30; i++)); do
        start "living.$i" portshim run -q -n "living-$i" -p 8080 -- sleep infinity
        within 10 portshim port "living-$i" 8080
    done
    for ((i = 0; i < 20; i++)); do
        portshim run -p 8080 -- true
    done
    (($(runs) <= 32)) || fail "$(runs)"
}

@test "a run that takes a directory over leaves nothing of the dead one's in it" {
    portshim run -p 8080-8083 -n before -m before.json -- true
    # shellcheck disable=SC2016 # expanded there
    run -0 portshim run -p 9000 -- sh -c 'ls -A "$PORTSHIM_RUN"; tr "\0" "\n" <"$PORTSHIM_RUN/texts"'
    assert_equal "$(runs)" 1
    assert_line --regexp '^[0-9a-f]{32}$'
    assert_line map
    assert_line texts
    assert_line --regexp '^run=[0-9a-f]{14}$'
    assert_line --regexp '^secret=[0-9a-f]{32}$'
    assert_line --partial 'command=sh -c '
    assert_line "directory=$PWD"
    assert_equal "${#lines[@]}" 7
    assert_equal "$(ls -A home/names)" ''
}

@test "runs side by side keep their own directories" {
    local i
    for ((i = 0; i < 6; i++)); do
        start "sleep.$i" portshim run -q -p 8080 -n "sleep-$i" -- sleep infinity
        portshim run -q -p 9090 -- true
    done
    within 10 six_are_there
    run -0 portshim ls
    for ((i = 0; i < 6; i++)); do
        assert_line --partial "sleep-$i"
        [[ $(portshim port "sleep-$i" 8080) -gt 0 ]]
    done
    assert_equal "$(for ((i = 0; i < 6; i++)); do portshim port "sleep-$i" 8080; done | sort -u | wc -l)" 6
}

six_are_there() {
    [[ $(find home/names -type l | wc -l) -eq 6 ]]
}

@test "of a thousand killed runs nothing is shown, no port stays leased, and soon no directory is left" {
    local i
    own_pool 1040
    for ((i = 0; i < 1000; i++)); do
        portshim run -q -p 8080 -- sleep infinity 3>&- &
        pids+=($!)
    done 2>/dev/null
    within 60 a_thousand_are_there
    kill -KILL "${pids[@]}"
    wait "${pids[@]}" || :
    # Ten of each are enough where nobody else needs the processor: each clears up for 50 ms.
    within 20 no_lease_after_run_and_ls
    assert_equal "$(portshim ls)" ''
    within 20 nothing_left_after_ls
}

no_lease_after_run_and_ls() {
    portshim run -p 8080 -- true
    portshim ls
    [[ -z $(leases) ]]
}

a_thousand_are_there() {
    [[ $(leases | wc -l) -eq 1000 ]] && ((i >= 1000)) && all_sleep
}

all_sleep() {
    local pid name
    for pid in "${pids[@]}"; do
        read -r name <"/proc/$pid/comm"
        [[ $name == sleep ]] || return 1
    done
}

need_strace() {
    export ASAN_OPTIONS=${ASAN_OPTIONS-}:detect_leaks=0 # a leak check and strace cannot both trace a process
    strace -o strace.out -e inject=exit_group:signal=KILL:when=1 true 2>/dev/null || (($? == 137)) ||
        skip 'strace cannot trace here'
}

# steps: prints the system calls of a maker, from its first look at the home's runs until it becomes the command: a name and
# how many calls of that name it is.
steps() {
    strace -o steps.out portshim run -q -p 8080 -n web -- true
    awk -F '(' '{ count[$1]++ }
        /"runs"/ { begun = 1 }
        $1 == "execve" && NR > 1 { exit }
        begun { print $1, count[$1] }' steps.out
}

# each_step old|new: kills a maker at each step, and looks what the next two commands leave. `old`: there is a directory
# to take over.
each_step() {
    local call number killed=0 status
    while read -r call number; do
        [[ $1 == new ]] || portshim run -q -p 8080 -- true
        status=0
        strace -o strace.out -e inject="$call:signal=KILL:when=$number" portshim run -q -p 8080 -n web -- true || status=$?
        ((status != 137)) || ((++killed))
        portshim run -q -p 8080 -- true
        portshim ls
        nothing_left || fail "killed at $call $number: left $(find home/runs; leases)"
        assert_equal "$(ls -A home/names)" ''
    done <calls 2>/dev/null
    ((killed > 40)) || fail "killed $killed times of $(wc -l <calls)"
}

@test "a maker is killed at any step, and the next two commands leave nothing" {
    need_strace
    portshim run -q -p 8080 -- true # makes the home
    portshim ls
    steps >calls
    portshim ls
    grep -q mkdirat calls
    each_step new
}

@test "so when it takes over a directory" {
    need_strace
    portshim run -q -p 8080 -- true
    steps >calls
    run ! grep mkdirat calls
    each_step old
}

@test "a draft stays while its maker has its lock, however old it is, and goes when he has not" {
    portshim run -q -p 8080 -- true
    mkdir home/runs/.0123456789abcd home/runs/.abcdef01234567
    touch home/runs/.abcdef01234567/map
    touch -d '1 hour ago' home/runs/.0123456789abcd
    # shellcheck disable=SC2016 # expanded there
    start maker sh -c 'exec 9<"$1" && flock 9 && echo locked && exec sleep infinity' sh home/runs/.0123456789abcd
    within 10 grep -q locked maker.out
    portshim ls
    assert_equal "$(ls -A home/runs)" .0123456789abcd
    stop "$pid" KILL
    within 10 draft_goes
}

draft_goes() {
    portshim ls
    [[ -z $(ls -A home/runs) ]]
}

# beside_a_stopped_judge NAME: starts a run of that name, and sets $took to the nanoseconds until it is there.
beside_a_stopped_judge() {
    local when judge begin
    portshim run -q -p 8080 -- true
    directory=$(echo home/runs/*)
    for ((when = 1; when < 10; when++)); do
        rm -f strace.out
        start judge strace -o strace.out -e inject=fcntl:signal=STOP:when="$when" portshim ls
        within 10 stopped_or_over
        [[ -n $judge && $(state "$directory") == 2 ]] && break
        [[ -z $judge ]] || kill -CONT "$judge"
        wait "$pid"
        portshim run -q -p 8080 -- true
        directory=$(echo home/runs/*)
    done
    assert_equal "$(state "$directory")" 2
    begin=$(date +%s%N)
    start next portshim run -p 9090 -n "$1" -- sleep infinity
    within 10 test -L "home/names/$1"
    took=$(($(date +%s%N) - begin))
    directory=$(echo home/runs/*)
    assert_equal "$(readlink "home/names/$1")" "${directory##*/}"
    kill -CONT "$judge"
    assert_equal "$(state "$directory")" 1
    portshim port "$1" 9090
}

@test "a judge who is stopped while it decides keeps nobody waiting, and decides nothing later" {
    need_strace
    for name in one two three; do # a stall of the machine makes one slow, a wait for the judge makes all slow
        beside_a_stopped_judge "$name"
        ((took >= 1000000000)) || return 0
        stop "$pid" KILL
        within 10 nothing_left_after_ls
    done
    fail "it took $took ns"
}

# Sets $judge to the pid of the stopped judge, if it is not over. strace stops it at its start and at each call, too.
stopped_or_over() {
    judge=
    if grep -qs -e '--- stopped by SIGSTOP ---' strace.out; then
        judge=$(pgrep -P "$pid")
    else
        gone "$pid"
    fi
}

@test "another user who knows the head's name can lock it, and nobody minds" {
    as_root || skip 'only root can be another user'
    start web portshim run -q -p 8080 -n web -- sleep infinity
    within 10 test -L home/names/web
    directory=home/runs/$(readlink home/names/web)
    web=$pid
    nobody=(setpriv --reuid nobody --regid nogroup --clear-groups)
    # shellcheck disable=SC2016 # expanded there
    start outsider "${nobody[@]}" sh -c 'exec 9<"$1" && flock 9 && echo locked && exec sleep infinity' sh \
        "$(head_of "$directory")"
    within 10 grep -q locked outsider.out
    run "${nobody[@]}" flock -n "$directory" true
    assert_failure
    promptly 5 timeout 60 portshim run -q -j web -- true
    portshim port web 8080
    stop "$web" KILL
    within 10 nothing_left_after_ls
}

@test "a run of version 0.1 lives while its map is locked, and is cleared up afterwards" {
    local i port
    port=${PORTSHIM_POOL%%,*}
    portshim run -q -p 8080 -- true
    start elder /usr/bin/python3 "$PROGRAMS/elder.py" home 0123456789abcd "$port"
    within 10 grep -q ready elder.out
    for ((i = 0; i < 3; i++)); do
        portshim ls
        read -rt 1 <> <(:) || :
    done
    assert_equal "$(leases)" "$port 0123456789abcd"
    for command in port 'wait -t 5'; do
        # shellcheck disable=SC2086 # two words
        fails_with 'written by another version' portshim $command home/runs/0123456789abcd 8080
    done
    fails_with 'written by another version' portshim run -j home/runs/0123456789abcd -- true
    stop "$pid" KILL
    portshim ls
    assert_equal "$(runs)" 1 # it may be in the middle of an exec
    within 10 nothing_left_after_ls
}

nothing_left_after_ls() {
    portshim ls
    nothing_left
}

@test "a directory that version 0.1 is just making is left alone, and one that it left goes" {
    portshim run -q -p 8080 -- true
    mkdir -m 700 home/runs/0123456789abcd home/runs/abcdef01234567
    touch -d '1 minute ago' home/runs/abcdef01234567
    portshim ls
    assert_equal "$(ls -A home/runs)" 0123456789abcd
}

@test "files that are cut, empty or missing make no run: what is left of it goes, and its ports" {
    local damage
    portshim run -q -p 8080 -- true
    for damage in 'rm texts' ': >texts' 'rm [0-9a-f]*[0-9a-f]' 'truncate -s 0 [0-9a-f]*[0-9a-f]' 'rm map' 'rm *' \
        'truncate -s 10 texts' 'truncate -s 100 [0-9a-f]*[0-9a-f]' 'truncate -s 0 map'; do
        start web portshim run -q -p 8080 -n web -- sleep infinity
        within 10 test -L home/names/web
        stop "$pid" KILL
        (cd home/runs/"$(readlink home/names/web)" && eval "$damage")
        portshim run -q -p 8080 -- true
        within 10 nothing_left_after_ls || fail "after $damage: $(find home/runs; leases)"
        assert_equal "$(ls -A home/names)" ''
    done
}

@test "texts that a cleaner has removed do not end a living run" {
    start web portshim run -q -p 8080 -n web -- sleep infinity
    within 10 test -L home/names/web
    directory=home/runs/$(readlink home/names/web)
    rm "$directory/texts"
    portshim ls
    portshim run -q -p 9090 -- true
    test -e "$directory/map"
    assert_equal "$(leases | grep -c "${directory##*/}")" 1
}

@test "what a run without a process still holds of its ports keeps it" {
    local round port
    as_root || skip 'only root can hide the home'
    # shellcheck disable=SC2016 # expanded there
    echo 'mount -t tmpfs none "$PORTSHIM_HOME" && exec "$@"' >hide.sh
    # shellcheck disable=SC2016 # expanded there
    start hidden portshim run -q -p 8080 -n hidden -- sh -c \
        'unshare -m sh "$@" >server.out 2>&1 & echo $!; portshim wait -t 60 hidden 8080' sh hide.sh \
        socat TCP-LISTEN:8080,bind=127.0.0.1,fork /dev/null
    wait "$pid"
    port=$(real hidden 8080)
    nobody_in "$PWD/home/runs/$(readlink home/names/hidden)"
    for ((round = 0; round < 3; round++)); do
        run -0 portshim ls
        assert_output --partial hidden
        portshim run -q -p 8080 -- true
        read -rt 1 <> <(:) || :
    done
    assert_equal "$(portshim port hidden 8080)" "$port"
    kill "$(sed -n 1p hidden.out)"
    within 10 nothing_left_after_ls
}

@test "on overlayfs, where no lock is kept, a daemon has time to bind its port" {
    as_root || skip 'only root can mount one'
    mkdir -p lower upper
    cat >in_overlay.sh <<'END'
set -e
mount -t tmpfs none upper
mkdir -m 711 upper/upper upper/work
mount -t overlay -o lowerdir=lower,upperdir=upper/upper,workdir=upper/work none home
# Looks at the run before and after its daemon has bound the port. It has 2 s for that, which the machine may stall for.
look_in_time() {
    local begin
    begin=$(date +%s%N)
    portshim ls
    portshim run -q -p 9090 -- true
    before=$(portshim ls --json "$1" | jq -r '.. | .real? // empty' | head -n 1)
    touch recovered
    after=$(portshim wait -t 20 "$1" 8080)
    (($(date +%s%N) - begin < 2000000000))
}
for name in daemon1 daemon2 daemon3; do
    rm -f recovered
    portshim run -q -p 8080 -n "$name" -- /usr/bin/python3 -c '
import os, socket, time
if os.fork() == 0:
    print(os.getpid(), flush=True)
    while not os.path.exists("recovered"): # as a database that recovers first
        time.sleep(0.02) # a shell makes the file: no event
    server = socket.create_server(("127.0.0.1", 8080))
    time.sleep(60) # until it is killed; it ends by itself if the test has failed' 3>&- >daemon.out 2>&1
    ! look_in_time "$name" || break
    kill "$(<daemon.out)" || :
done
echo "$before $after"
portshim ls >ls.out
kill "$(<daemon.out)"
END
    run -0 --separate-stderr unshare -m bash in_overlay.sh
    [[ ${lines[-1]} =~ ^([0-9]+)\ ([0-9]+)$ ]]
    assert_equal "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
    grep -q daemon ls.out
}

@test "on overlayfs no run takes over what a daemon that nobody sees still has mapped" {
    as_root || skip 'only root can mount one'
    own_pool 100
    mkdir -p lower upper
    cat >in_overlay.sh <<'END'
set -e
mount -t tmpfs none upper
mkdir -m 711 upper/upper upper/work
mount -t overlay -o lowerdir=lower,upperdir=upper/upper,workdir=upper/work none home
portshim run -q -p 8080 -m daemon.json -- /usr/bin/python3 -c '
import os, time
if os.fork() == 0:
    print(os.getpid(), flush=True)
    time.sleep(120) # until it is killed; it ends by itself if the test has failed' 3>&- >daemon.out 2>&1
until [[ -s daemon.out ]]; do
    read -rt 0.02 <> <(:) || :
done
run=$(jq -r .run daemon.json)
inode=$(stat -c %i "$run/map")
while [[ -e $run ]]; do
    portshim run -q -p 9090 -- true
    read -rt 0.05 <> <(:) || :
done
find home -name map -inum "$inode"
kill "$(<daemon.out)"
END
    run -0 --separate-stderr timeout 90 unshare -m bash in_overlay.sh
    assert_output ''
}
