# A mistake is one line on stderr, "portshim: what failed: why: what to do", and a status of portshim's own. The
# command has not been started and nothing is left behind: no process, no run, no lease, no file.
load helper

# The tests' placeholders are below 1024 and so never in the pool, of which the size is known then.
setup() {
    cd "$(test_dir)"
    own_pool 3
    mkdir -m 700 home
    portshim run -p 1 -- true # the first run makes the parts of the home
    within 10 no_runs
}

no_runs() {
    portshim ls >/dev/null
    [[ -z $(find home/runs home/names -mindepth 1) ]]
}

# processes: prints the processes of this test, which have its directory as their working directory.
processes() {
    find /proc/[0-9]*/cwd -maxdepth 0 -lname "$PWD" -printf '%h\n' 2>/dev/null | sed 's|/proc/||' |
        xargs -r ps -o pid=,comm= -p | grep ' portshim$' || :
}

# Lists all files but the output of commands in the background and the record of ended runs, and all processes of this
# test.
traces() {
    find . -mindepth 1 ! -name '*.out' ! -name '*.err' ! -path './*/ended' | sort
    processes
}

# refused STATUS WORDS COMMAND...: the command fails as with ends_with, and leaves nothing behind.
refused() {
    local before
    before=$(traces)
    ends_with "$@"
    assert_equal "$(traces)" "$before"
}

# lives MAP_FILE: the run of $pid has written its last map file, and its program is there: traces() lists portshim itself.
lives() {
    [[ -e $1 && $(ps -o comm= -p "$pid") == sleep ]]
}

# mistaken WORDS OPTION...: portshim run refuses these options.
mistaken() {
    local words=$1
    shift
    refused 125 "$words" portshim run "$@" -- touch started
}

# pool_has COUNT: that many ports of the pool can be leased.
pool_has() {
    portshim run -p "1-$1" -- true
}

# Sets a PATH that this user may search whole: with others, the status of a missing command is 126, as env's is.
sure_path() {
    PATH=$ROOT/build:/usr/bin:/bin
}

# Runs a command without root's capabilities, so that file permissions apply to it.
without_privilege() {
    if as_root; then
        setpriv --bounding-set=-all --inh-caps=-all -- "$@"
    else
        "$@"
    fi
}

# in_tiny_disk COMMAND...: runs it in a mount namespace with a disk of $disk bytes at ./tiny.
in_tiny_disk() {
    local namespaces=-Urm
    if unshare -m true 2>/dev/null; then
        namespaces=-m
    fi
    export disk
    export -f full left_behind
    # shellcheck disable=SC2016 # expanded inside
    unshare "$namespaces" bash -c 'mount -t tmpfs -o "size=$disk,mode=700" tiny tiny && "$@"' bash "$@"
}

# left_behind DIRECTORIES COMMAND...: prints what the command has left in them.
left_behind() {
    local directories status=0
    read -ra directories <<<"$1"
    shift
    "$@" || status=$?
    find "${directories[@]}" -mindepth 1 ! -name filler
    return "$status"
}

# full COMMAND...: runs it while the tiny disk has no byte left.
full() {
    echo filler >tiny/filler
    "$@"
}

need_tiny_disk() {
    mkdir tiny
    disk=4k in_tiny_disk true 2>/dev/null || skip 'neither this user nor a user namespace may mount a tmpfs here'
}

@test "without ports nothing is started" {
    mistaken 'no ports are given'
    PORTSHIM_PORTS='' mistaken 'no ports are given'
    mistaken 'every one of them is excluded' -p '!all'
    mistaken 'every one of them is excluded' -p 80 -p '!80'
}

@test "a port specification that makes no sense is named and refused" {
    local spec
    for spec in 70000 65536 0 -1 abc 80-20 80- 80= 80=0 80=70000 80=x 8080/sctp 80/ 1-5=9 all=9 '!80=9' 0x50 '80 81' \
        '80;81' 99999999999999999999 1-70000 8080=70000; do
        mistaken "\"$spec\"" -p "$spec"
        mistaken "\"$spec\"" -p "443,$spec"
        PORTSHIM_PORTS=$spec mistaken "\"$spec\""
    done
    for spec in '' ',' ',,' '80,' ',80' ' '; do
        mistaken '""' -p "$spec"
    done
    mistaken 'two placeholders have this real port' -p 80=90,81=90
    mistaken 'two placeholders have this real port' -p 80=90 -p 81=90
    mistaken 'the placeholder has two real ports' -p 80=90,80=91
    refused 125 '"70000"' portshim wait web 70000
    refused 125 '"70000"' portshim port web 70000
    pool_has 3
}

@test "an unknown option or subcommand is named and refused" {
    mistaken '-x' -x
    mistaken '--frob' --frob
    mistaken '--prots' --prots 8080
    refused 125 '-p' portshim run -p
    refused 125 '-m' portshim run -p 80 -m
    refused 125 'frob' portshim frob
    refused 125 'rnu: no such command' portshim rnu -p 8080 -- touch started
    refused 125 'run8080: no such command' portshim run8080
    refused 125 'Run: no such command' portshim Run -p 8080 -- touch started
    refused 125 'no such command' portshim ''
    refused 125 '--frob' portshim wait --frob x 80
    refused 125 '--frob' portshim port --frob x 80
    refused 125 'timeout "soon"' portshim wait -t soon x 80
    refused 125 'timeout "-1"' portshim wait -t -1 x 80
    refused 125 'none is given' portshim wait
    refused 125 'none is given' portshim wait -t 1 x
    refused 125 'none is given' portshim port x
}

@test "a command that cannot be run ends as env would end, and no port stays leased" {
    sure_path
    refused 125 'command: nothing to run' portshim run -p 1-3 -n web -m m.json
    refused 125 'command: nothing to run' portshim run -p 1-3 -n web -m m.json --
    refused 125 'command: nothing to run' portshim run -n web --
    refused 125 'command: nothing to run' portshim ports --
    refused 127 'not found in PATH' portshim run -p 80 -m m.json -n web -- no-such-command
    refused 127 'No such file' portshim run -p 80 -m m.json -n web -- ./no-such-command
    refused 127 'the name is empty' portshim run -p 1-3 -n web -m m.json -- ''
    echo 'not for running' >text
    refused 126 'not executable' portshim run -p 80 -m m.json -n web -- ./text
    refused 126 'it is a directory' portshim run -p 80 -m m.json -- ./.
    printf '#!/no/such/interpreter\n' >script
    chmod 755 script
    refused 127 './script: its interpreter /no/such/interpreter: No such file' portshim run -p 1-3 -m m.json -n web -- ./script
    refused 127 './script: its interpreter /no/such/interpreter: No such file' portshim run -p 1-3 -m m.json -n web -- ./script
    pool_has 3
}

@test "without a library that can be loaded nothing is started unprotected" {
    PORTSHIM_LIB=$PWD/none.so mistaken "$PWD/none.so: No such file" -p 1-3 -n web -m m.json
    PORTSHIM_LIB=$PWD/none.so refused 125 'none.so: No such file' portshim ports -- touch started
    mkdir alone
    cp "$BUILD/portshim" alone
    PORTSHIM_LIB='' refused 125 'libportshim.so' alone/portshim run -p 1-3 -- touch started
    echo 'no library' >text.so
    PORTSHIM_LIB=$PWD/text.so mistaken "not a library of this machine's kind" -p 80
    PORTSHIM_LIB=$PWD mistaken "not a library of this machine's kind" -p 80
    head -c 20 "$PORTSHIM_LIB" >short.so
    PORTSHIM_LIB=$PWD/short.so mistaken "not a library of this machine's kind" -p 80
    cp "$PORTSHIM_LIB" secret.so
    chmod 000 secret.so
    PORTSHIM_LIB=$PWD/secret.so refused 125 'secret.so: Permission denied' \
        without_privilege portshim run -p 80 -- touch started
    pool_has 3
}

@test "a library for another class or machine is refused" {
    for library in class machine; do
        cp "$PORTSHIM_LIB" "$library.so"
    done
    printf '\001' | dd of=class.so bs=1 seek=4 conv=notrunc status=none
    printf '\177' | dd of=machine.so bs=1 seek=18 conv=notrunc status=none
    for library in class machine; do
        PORTSHIM_LIB=$PWD/$library.so mistaken "$library.so: not a library of this machine's kind" -p 80
    done
}

@test "a library in a directory with a space or colon is refused" {
    local place
    for place in 'a space' a:colon; do
        mkdir "$place"
        cp "$PORTSHIM_LIB" "$place/lib.so"
        PORTSHIM_LIB=$PWD/$place/lib.so mistaken "$PWD/$place/lib.so: LD_PRELOAD cannot carry" -p 80
    done
}

@test "a command of another class is refused without the trap" {
    cp "$(type -P true)" true32
    printf '\001' | dd of=true32 bs=1 seek=4 conv=notrunc status=none
    refused 125 'true32: of another ELF class' portshim run --trap=off -p 80 -m m.json -- ./true32
}

@test "a home that others could write to, or that is no directory, is refused" {
    local private='not a private directory or file of this user' part
    mkdir -m 777 open
    PORTSHIM_HOME=$PWD/open mistaken "$PWD/open: $private" -p 80
    mkdir -m 700 target
    ln -s target link
    PORTSHIM_HOME=$PWD/link mistaken "$PWD/link: $private" -p 80
    touch file
    PORTSHIM_HOME=$PWD/file mistaken "$PWD/file: $private" -p 80
    ln -s nowhere dangling
    PORTSHIM_HOME=$PWD/dangling mistaken "$PWD/dangling: $private" -p 80
    mkfifo pipe
    PORTSHIM_HOME=$PWD/pipe mistaken "$PWD/pipe: $private" -p 80
    PORTSHIM_HOME=$PWD/none/home mistaken "$PWD/none/home: No such file" -p 80
    if as_root; then
        mkdir -m 700 theirs
        chown nobody theirs
        PORTSHIM_HOME=$PWD/theirs mistaken "$PWD/theirs: $private" -p 80
    else
        PORTSHIM_HOME=/ mistaken "/: $private" -p 80
    fi
    for part in runs names; do
        mkdir -m 700 "part-$part" "part-$part/"{runs,names}
        chmod 770 "part-$part/$part"
        PORTSHIM_HOME=$PWD/part-$part mistaken "$private" -p 80
        [[ ! -e part-$part/ended ]]
    done
    mkdir -m 700 part-leases
    mkdir -m 700 part-leases/{runs,names,leases}
    PORTSHIM_HOME=$PWD/part-leases mistaken "$private" -p 80
    rmdir part-leases/leases
    ln -s ../text part-leases/leases
    PORTSHIM_HOME=$PWD/part-leases mistaken "$private" -p 80
}

@test "a home that cannot be written to is refused" {
    mkdir -m 500 closed
    PORTSHIM_HOME=$PWD/closed refused 125 'closed: Permission denied' \
        without_privilege portshim run -p 80 -- touch started
    PORTSHIM_HOME=$PWD/closed/home refused 125 'closed/home: Permission denied' \
        without_privilege portshim run -p 80 -- touch started
}

@test "a map file that cannot be written is refused, and no port stays leased" {
    mistaken 'none/m.json: No such file' -p 1-3 -m none/m.json
    mkdir -m 755 m.json
    mistaken 'm.json: not a regular file' -p 1-3 -m m.json
    mistaken '/proc/m.json: ' -p 1-3 -m /proc/m.json
    mistaken 'home: not a regular file' -p 1-3 -m home
    mkfifo pipe
    mistaken 'pipe: not a regular file' -p 1-3 -m pipe
    mistaken 'the name is empty' -p 1-3 -m ''
    mistaken 'File name too long' -p 1-3 -m "$(printf '%0300d' 1)"
    mapfile -t files < <(printf -- '-m\n%s\n' {1..17})
    mistaken 'more than 16' -p 1-3 "${files[@]}"
    mkdir -m 500 closed
    refused 125 'closed/m.json: Permission denied' \
        without_privilege portshim run -p 1-3 -m closed/m.json -- touch started
    pool_has 3
}

@test "a device named as map file is refused and still there" {
    mistaken '/dev/null: not a regular file' -p 80 -m /dev/null
    test -c /dev/null
    mistaken '/dev/full: not a regular file' -p 80 -m good.json -m /dev/full -m good.env
    test -c /dev/full
}

@test "when one of several map files cannot be written, none of them stays" {
    mistaken 'none/c.json: No such file' -p 1-3 -n web -m a.json -m b.env -m none/c.json -m d
    pool_has 3
}

@test "a name with a line break in it does not break the line" {
    sure_path
    mistaken 'two?lines' -p 80 -n $'two\nlines'
    mistaken 'two?lines' -p 80 -m none/$'two\nlines'
    mistaken 'two?lines' -p 80 -j $'two\nlines'
    refused 125 'two?lines' portshim port $'two\nlines' 80
    refused 124 'two?lines' portshim wait -t 0 $'two\nlines' 80
    refused 127 'two?lines' portshim run -p 80 -- $'two\nlines'
}

@test "a run name that is no name is refused" {
    local name
    for name in '' a/b .hidden -dash _under 'a b' ümlaut "$(printf '%065d' 1)"; do
        mistaken "run name \"$name\": not a name" -p 80 -n "$name"
    done
}

@test "a name is taken while its run lives, and free again afterwards, also after SIGKILL" {
    start living portshim run -p 80 -n web -m living.json -- sleep infinity
    within 5 lives living.json
    mistaken 'run name "web": the name belongs to a living run: choose another, or end that run' -p 80 -n web -m m.json
    mistaken 'run name "web": the name belongs to a living run' -p 1-2 -n web -m m.json
    pool_has 2
    stop "$pid"
    start next portshim run -p 81 -n web -m next.json -- sleep infinity
    within 5 lives next.json
    portshim port web 81
    stop "$pid" KILL
    for _ in 1 2; do
        run -0 portshim run -p 1-3 -n web -- true
        assert_output ''
    done
}

@test "a run that does not exist cannot be joined or asked" {
    local run
    for run in nobody ./none.json "$PORTSHIM_HOME/runs/00000000000001" ''; do
        mistaken "run $run: no such run" -j "$run"
        refused 125 "run $run: no such run" portshim port "$run" 80
        [[ -z $run ]] || refused 124 'no such run yet' portshim wait -t 0.05 "$run" 80
    done
    refused 125 'run: its name is empty' portshim wait -t 0.05 '' 80
}

@test "a run that has ended cannot be joined or asked" {
    start living portshim run -p 80 -n web -m m.json -m m.env -m m -- sleep infinity
    within 5 lives m
    directory=$(jq -r .run m.json)
    stop "$pid"
    refused 125 'the run has ended' portshim run -j "$directory" -- touch started
    for run in web m.json m.env m; do
        refused 125 'the run has ended' portshim port "$run" 80
        refused 125 'the run has ended' portshim run -j "$run" -- touch started
        refused 125 'the run has ended' portshim run -j "$run" -p 81 -- touch started
    done
    for run in web m.json m.env m; do
        ends_with 124 'no such run yet' portshim wait -t 0.05 "$run" 80 # it also clears up
    done
}

@test "a wait whose time is over says that in one line, also when it looks late" {
    needs_strace
    export ASAN_OPTIONS=${ASAN_OPTIONS-}:detect_leaks=0 # a leak check and strace cannot both trace a process
    start living portshim run -p 80 -n web -m m.json -- sleep infinity
    within 5 lives m.json
    stop "$pid"
    for _ in {1..20}; do # one that starts slowly does not sleep at all
        ends_with 124 'no such run yet' \
            strace -o trace -e inject=nanosleep,clock_nanosleep:delay_enter=150000 portshim wait -t 0.09 web 80
        ! grep -q 'nanosleep(.*DELAYED' trace || return 0
    done
    fail 'it has never looked late'
}

@test "a file that is no map file cannot be joined or asked" {
    : >empty
    echo rubbish >rubbish
    echo '{"run": "relative"}' >relative.json
    echo '{"run": "/runs/none"}' >none.json
    echo "PORTSHIM_RUN=$PORTSHIM_HOME/runs/zzzzzzzzzzzzzz" >rubbish.env
    head -c 100000 /dev/zero >zeroes
    for run in empty rubbish relative.json none.json rubbish.env zeroes /dev/zero .; do
        mistaken "run $run: not " -j "$run"
        refused 125 "$run: not " portshim port "$run" 80
        [[ $run == empty ]] || refused 125 "$run: not " portshim wait -t 5 "$run" 80 # a run may write to that one
    done
    mkfifo pipe
    mistaken 'pipe: not a regular file' -j pipe
    echo '# portshim /elsewhere/runs/00000000000001' >foreign
    mistaken 'foreign: no such run' -j foreign
}

@test "what belongs to a run's start cannot be given when it is joined" {
    mistaken 'it is a matter of the whole run' -j web --reveal
    mistaken 'has its name already' -j web -n web
    mistaken 'publishes where it was told to at its start' -j web -m m.json
}

@test "a port that is no placeholder of the run cannot be asked for" {
    start living portshim run -p 80,53/udp,443/tcp -m m.json -- sleep infinity
    within 5 lives m.json
    for port in 81 80-81 53/tcp 443/udp; do
        refused 125 'not a placeholder of this run' portshim wait -t 5 m.json "$port"
    done
    for port in 81 53/tcp 443/udp; do
        refused 125 'not a placeholder of this run' portshim port m.json "$port"
    done
    for words in '!22' 'all 80' '80 all'; do
        # shellcheck disable=SC2086 # two words
        refused 125 'it names no port' portshim wait -t 5 m.json $words
        # shellcheck disable=SC2086
        refused 125 'it names no port' portshim port m.json $words
    done
    for port in 0 70000 abc; do
        refused 125 "\"$port\"" portshim wait -t 5 m.json "$port"
        refused 125 "\"$port\"" portshim port m.json "$port"
    done
}

@test "a full disk is said before anything starts" {
    need_tiny_disk
    for disk in 64k 776k; do
        PORTSHIM_HOME=$PWD/tiny refused 125 'tiny: No space left' \
            in_tiny_disk left_behind 'tiny/runs tiny/names' portshim run -p 1-3 -- touch started
    done
    disk=4k refused 125 'tiny/m.json: No space left' \
        in_tiny_disk full left_behind tiny portshim run -p 1-3 -m m.json -m tiny/m.json -- touch started
    pool_has 3
}

@test "an exhausted pool is said with those who hold it, and what was leased is given back" {
    start living portshim run -p 80 -n web -m living.json -- sleep infinity
    within 5 lives living.json
    mistaken 'pool exhausted' -p 1-3 -m m.json
    mistaken "1 ports of 3 by 1 run (web pid $pid), 0 by other programs" -p 1-3 -n other
    pool_has 2
}

@test "a pool that makes no sense is named and refused" {
    local list
    for list in x 8000-x 0 70000 9000-8000 '8000,,' '8000;9000'; do
        PORTSHIM_POOL=$list mistaken 'PORTSHIM_POOL: "' -p 80
        PORTSHIM_POOL='' PYSYS_PORTS=$list mistaken 'PYSYS_PORTS: "' -p 80
    done
    PORTSHIM_POOL=80 mistaken 'pool exhausted' -p 80
}

@test "a pool file that makes no sense is named with its line and word" {
    unset PORTSHIM_POOL
    printf '# ports\n8000-8099\n\n9000,  eleven , 12\n' >pool
    PORTSHIM_POOL_FILE=$PWD/pool mistaken "$PWD/pool, line 4: \"eleven\"" -p 80
    PYSYS_PORTS_FILE=$PWD/pool mistaken "$PWD/pool, line 4: \"eleven\"" -p 80
    PORTSHIM_POOL_FILE=$PWD/none mistaken "$PWD/none: No such file" -p 80
    PORTSHIM_POOL_FILE=$PWD mistaken "$PWD: Is a directory" -p 80
    echo '# nothing' >pool
    PORTSHIM_POOL_FILE=$PWD/pool mistaken 'the pool: no port in it' -p 80
}

@test "a real port that another run or a stranger has is refused with its holder" {
    local real=${PORTSHIM_POOL##*,}
    start stranger socat "TCP-LISTEN:$real,bind=127.0.0.1" /dev/null
    within 5 listens "$real"
    mistaken 'held by another program' -p "80=$real" -m m.json
    mistaken 'held by another program' -p "81,80=$real" -m m.json
    stop "$pid"
    start stranger socat "UDP-RECVFROM:$real,bind=127.0.0.1" /dev/null
    within 5 has_datagrams "$real"
    mistaken 'held by another program' -p "80=$real"
    stop "$pid"
    start living portshim run -p "80=$real" -n web -m living.json -- sleep infinity
    within 5 lives living.json
    mistaken "held by run web pid $pid" -p "80=$real" -m m.json
    mistaken "held by run web pid $pid" -p "81,82=$real" -m m.json
    pool_has 2
}

has_datagrams() {
    ss -Hlnu "sport = $1" | grep -q .
}

@test "a closed stdout is said" {
    local words
    for words in --help --version 'run --help' 'wait --help' 'port --help'; do
        # shellcheck disable=SC2086 # two words
        refused 125 'standard output: cannot write' closed portshim $words
    done
    start living portshim run -p 80 -m m.json -- sleep infinity
    within 5 lives m.json
    refused 125 'standard output: cannot write' closed portshim port m.json 80
}

closed() {
    "$@" >&-
}

@test "a listener that does not come in time is said, with 124" {
    start living portshim run -p 80 -m m.json -- sleep infinity
    within 5 lives m.json
    refused 124 'm.json, port 80: nothing listens yet' portshim wait -t 0.1 m.json 80
}

@test "a port server that is down, with --require-portserver" {
    export PORTSERVER_ADDRESS=$PWD/nobody
    refused 125 "port server $PWD/nobody" portshim run --require-portserver -p 1-3 -n web -m m.json -- touch started
    refused 125 "port server $PWD/nobody" portshim pick --require-portserver
    PORTSERVER_ADDRESS=@nobody-$BASHPID refused 125 'port server @nobody' \
        portshim run --require-portserver -p 1-3 -- touch started
    unset PORTSERVER_ADDRESS
    refused 125 'PORTSERVER_ADDRESS is not set' portshim run --require-portserver -p 1-3 -- touch started
    pool_has 3
}

@test "waiting for a run that has died" {
    start living portshim run -p 80 -n web -m m.json -- sleep infinity
    living=$pid
    within 10 lives m.json
    start waiter portshim wait -t 30 m.json 80
    within 10 watches "$pid"
    kill -KILL "$living"
    status=0
    wait "$pid" || status=$?
    assert_equal "$status" 125
    assert_equal "$(wc -l <waiter.err)" 1
    grep -qx 'portshim: .*: the run has ended before it listened: .*' waiter.err
    wait "$living" || :
    within 10 no_runs
    [[ -z $(processes) ]]
    pool_has 3
}

# watches PID: the process has found the run that it waits for, and has its map.
watches() {
    grep -qs " $PWD/home/runs/[^/]*/map\$" "/proc/$1/maps"
}

@test "joining another user's run" {
    as_root || skip 'only root can be another user'
    chmod 755 .
    export PORTSHIM_HOME=$PWD/their-home
    install -d -o nobody -m 700 their-home
    mkdir -m 777 open
    start theirs setpriv --reuid=nobody --clear-groups -- "$BUILD/portshim" run -p 80 -n theirs -m open/m -- sleep infinity
    within 10 lives open/m
    directory=$(sed -n 's/^# portshim //p' open/m)
    export PORTSHIM_HOME=$PWD/home
    refused 125 'run theirs: no such run' portshim run -j theirs -- touch started
    refused 125 'run open/m: ' portshim run -j open/m -- touch started
    refused 125 "run $directory: " portshim run -j "$directory" -- touch started
    refused 125 'open/m: ' portshim port open/m 80
    pool_has 3
}
