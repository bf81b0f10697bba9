# By hand: three variables and no `portshim run`. The map file or, without one, the session says which run to join.
load helper

# In the shells below, `read` waits a moment until a program has written to its file: no event tells.

# A shell that exports the variables, starts a web server of the directory $1, and then its clients.
# shellcheck disable=SC2016 # the shell that is meant expands it
shell='
    export PORTSHIM_PORTS=8080 LD_PRELOAD=$LIBRARY
    /usr/bin/python3 -u -m http.server --bind 127.0.0.1 --directory "$1" 8080 >"$1.log" 2>&1 &
    trap "kill $!; wait" EXIT
    until [[ -s $1.log ]]; do read -rt 0.02 <> <(:); done # it is in the run, which lives as long as it does
    env | grep ^PORTSHIM_RUN= >"$1.run"
    . "./$1.run"
    portshim wait -t 60 "$PORTSHIM_RUN" 8080
    curl -sS http://127.0.0.1:8080/name
    echo "$PORTSHIM_RUN"
    unset PORTSHIM_RUN
    env | sed -n s/^PORTSHIM_RUN=//p
    touch "$1.done"
    wait
'

setup() {
    cd "$(test_dir)"
    own_pool 20
    by_hand=(env PORTSHIM_PORTS=8080 "LD_PRELOAD=$PORTSHIM_LIB")
    for i in 0 1 2; do
        mkdir "$i"
        echo "this is $i" >"$i/name"
    done
}

# start_shell DIRECTORY [NAME=VALUE]...: starts that shell in a session of its own.
start_shell() {
    local directory=$1
    shift
    start "$directory" env "$@" LIBRARY="$PORTSHIM_LIB" \
        setsid bash -c "$shell" - "$directory"
}

# shell_did DIRECTORY: its server answered at 8080, and all its commands were in one run, which is $run_directory.
shell_did() {
    within 30 test -e "$1.done"
    mapfile -t lines <"$1.out"
    assert_equal "${#lines[@]}" 4
    assert_equal "$(curl -sS "http://127.0.0.1:${lines[0]}/name")" "this is $1"
    assert_equal "${lines[1]}" "this is $1"
    assert_equal "${lines[2]}" "${lines[3]}"
    assert_equal "$(cat "$1.err")" ''
    run_directory=${lines[2]}
    [[ -d $run_directory ]]
}

# Lists all files but those that portshim keeps for all runs.
listing() {
    find . | grep -vxE '\./home(/(by-hand|leases|runs|names))?' | sort
}

# refuses WHAT WHY NAME=VALUE...: no program starts with these variables. One line says what is wrong, why, and what to
# do; nothing is left behind.
refuses() {
    local line="^portshim: $1: $2: [^:]+\$" before
    shift 2
    before=$(listing)
    fails_with '' env "$@" "LD_PRELOAD=$PORTSHIM_LIB" touch started
    [[ $stderr =~ $line ]] || fail "$stderr"
    assert_equal "$(listing)" "$before"
}

# ended_run FILE: makes a map file whose run has ended and been swept.
ended_run() {
    portshim run -p 8080 -m "$1" -- true
    within 20 is_swept "$(sed -n s/^PORTSHIM_RUN=//p "$1")"
}

is_swept() {
    portshim run -p 8080 -- true
    [[ ! -e $1 ]]
}

@test "a client finds the server through the map file, in each of its formats" {
    for file in m.env m.json m; do
        start server "${by_hand[@]}" PORTSHIM_MAP_FILE=$file \
            /usr/bin/python3 -m http.server --bind 127.0.0.1 --directory 0 8080
        port=$(real $file 8080)
        assert_not_equal "$port" 8080
        assert_equal "$(curl -sS "http://127.0.0.1:$port/name")" 'this is 0'
        assert_equal "$(inside $file curl -sS http://127.0.0.1:8080/name)" 'this is 0'
        stop "$pid"
    done
    assert_equal "$(grep ^PORTSHIM_PORT_ m.env | cut -d = -f 1)" PORTSHIM_PORT_8080
}

@test "what is started by hand joins the run of what has just ended, also when somebody has looked meanwhile" {
    # It may be executing another program for two seconds. On a machine that stops for so long, that is tried again.
    for i in {1..5}; do
        began=$(date +%s%3N)
        first=$("${by_hand[@]}" PORTSHIM_MAP_FILE="$i.env" printenv PORTSHIM_RUN)
        portshim ls
        second=$("${by_hand[@]}" PORTSHIM_MAP_FILE="$i.env" printenv PORTSHIM_RUN)
        (($(date +%s%3N) - began > 1900)) || break
    done
    assert_equal "$second" "$first"
}

@test "a shell that exports the variables, its server and all its other commands are one run" {
    start_shell 0 PORTSHIM_MAP_FILE=m.env
    shell_did 0
    assert_equal "$(sed -n s/^PORTSHIM_RUN=//p m.env)" "$run_directory"
    stop "$pid"
    nobody_in "$run_directory"
}

@test "shells with map files of their own are runs of their own, also in one session" {
    for i in 0 1 2; do
        start_shell "$i" "PORTSHIM_MAP_FILE=$i.env"
    done
    for i in 0 1 2; do
        shell_did "$i"
        runs+=("$run_directory")
    done
    assert_equal "$(printf '%s\n' "${runs[@]}" | sort -u | wc -l)" 3
    for i in a b; do
        "${by_hand[@]}" "PORTSHIM_MAP_FILE=$i.env" true
    done
    run diff a.env b.env
    assert_failure 1
}

@test "without a map file a session is a run, and another session is another" {
    start_shell 0
    start_shell 1
    shell_did 0
    first=$run_directory
    shell_did 1
    assert_not_equal "$run_directory" "$first"
}

# start_container NAME: starts programs by hand in a new pid namespace, where session ids are the same as in others.
start_container() {
    # shellcheck disable=SC2016 # expanded there
    start "$1" "${container[@]}" setsid bash -c '
        ps -o sid= $$ >"$1.session"
        export PORTSHIM_PORTS=8080 LD_PRELOAD=$2
        sh -c "env | grep ^PORTSHIM_RUN= >\"\$0.first\"; exec sleep infinity" "$1" &
        until [[ -s $1.first ]]; do read -rt 0.02 <> <(:); done
        env | grep ^PORTSHIM_RUN= >"$1.second"
        exec sleep infinity' - "$1" "$PORTSHIM_LIB"
    within 20 test -s "$1.second"
}

@test "two containers with one home and network are two runs, though both are session 1" {
    container=(unshare -p -f --kill-child)
    as_root || container+=(-r)
    container+=(--mount-proc)
    "${container[@]}" true 2>/dev/null || skip 'no pid namespace can be made here'
    for i in one two; do
        start_container "$i"
        assert_equal "$(cat "$i.first")" "$(cat "$i.second")"
    done
    assert_equal "$(cat one.session)" "$(cat two.session)"
    assert_not_equal "$(cat one.first)" "$(cat two.first)"
}

@test "twenty programs that a session starts at once are in one run" {
    mkfifo go # until all are there each of them stays, and with it the run
    # shellcheck disable=SC2016
    PORTSHIM_PORTS=8080 LIBRARY=$PORTSHIM_LIB setsid --wait bash -c '
        exec 4<>go
        for ((i = 0; i < 20; i++)); do LD_PRELOAD=$LIBRARY sh -c "env >\$0.env; read -r _ <&4" "$i" & done
        for ((i = 0; i < 20; i++)); do until [[ -s $i.env ]]; do read -rt 0.02 <> <(:); done; done
        printf "\n%.0s" {1..20} >&4 # a line for each of them
        wait'
    assert_equal "$(grep -hc ^PORTSHIM_RUN= {0..19}.env | sort | uniq -c | tr -s ' ')" ' 20 1'
    assert_equal "$(grep -h ^PORTSHIM_RUN= {0..19}.env | sort -u | wc -l)" 1
}

@test "PORTSHIM_RUN is all that is added to the environment" {
    env PORTSHIM_PORTS=8080 PORTSHIM_MAP_FILE=m.env LD_PRELOAD="$PORTSHIM_LIB" env | sort >after
    {
        env PORTSHIM_PORTS=8080 PORTSHIM_MAP_FILE=m.env env
        echo "LD_PRELOAD=$PORTSHIM_LIB"
        grep ^PORTSHIM_RUN= m.env
    } | sort | diff - after
}

@test "a program that lists one more port joins the run of the map file and adds it" {
    start server "${by_hand[@]}" PORTSHIM_MAP_FILE=m.env \
        /usr/bin/python3 -m http.server --bind 127.0.0.1 --directory 0 8080
    port=$(real m.env 8080)
    cp m.env before.env
    "${by_hand[@]}" PORTSHIM_PORTS=9090,8080 PORTSHIM_MAP_FILE=m.env true
    assert_equal "$(grep -v ^PORTSHIM_PORT_9090= m.env)" "$(cat before.env)"
    run portshim port m.env 9090
    assert_success
    assert_not_equal "$output" "$port"
    run env PORTSHIM_MAP_FILE=m.env LD_PRELOAD="$PORTSHIM_LIB" curl -sS http://127.0.0.1:8080/name
    assert_output 'this is 0'
}

@test "a map file that an ended run has left is written anew" {
    ended_run m.env
    cp m.env before.env
    start server "${by_hand[@]}" PORTSHIM_MAP_FILE=m.env \
        /usr/bin/python3 -m http.server --bind 127.0.0.1 --directory 0 8080
    assert_equal "$(curl -sS "http://127.0.0.1:$(real m.env 8080)/name")" 'this is 0'
    assert_not_equal "$(head -n 1 m.env)" "$(head -n 1 before.env)"
}

@test "PORTSHIM=0 turns it off" {
    port=${PORTSHIM_POOL%%,*}
    start server "${by_hand[@]}" PORTSHIM=0 "PORTSHIM_PORTS=$port" PORTSHIM_MAP_FILE=m.env \
        /usr/bin/python3 -m http.server --bind 127.0.0.1 --directory 0 "$port"
    within 20 curl -sSo name "http://127.0.0.1:$port/name"
    assert_equal "$(cat name)" 'this is 0'
    [[ ! -e m.env && ! -e home ]]
    env LD_PRELOAD="$PORTSHIM_LIB" PORTSHIM=0 PORTSHIM_PORTS=nonsense env >out 2>err
    assert_equal "$(cat err)" ''
    run cat out
    refute_line --partial PORTSHIM_RUN
}

# told: what a program is told that one in a run by hand starts, without the secret.
told() {
    "${by_hand[@]}" "$@" env -i printenv PORTSHIM_COMPACT | cut -d ' ' -f 3-
}

@test "what starts programs under the trap is the portshim near the library, and PORTSHIM_TRAP turns that off" {
    local place
    [[ $(told) == "@$SUITE_DIR/portshim "*8080=* ]]
    [[ $(told PORTSHIM_TRAP=auto) == "@$SUITE_DIR/portshim "*8080=* ]]
    [[ $(told PORTSHIM_TRAP=off) == "o @$SUITE_DIR/portshim "*8080=* ]]
    for place in lib lib/portshim 'lib/x'; do
        mkdir -p "$place" bin
        cp "$PORTSHIM_LIB" "$place"
        by_hand=(env PORTSHIM_PORTS=8080 "LD_PRELOAD=$PWD/$place/libportshim.so")
        rm -f bin/portshim
        [[ $(told) == *8080=* && $(told) != *@* ]]
        cp "$SUITE_DIR/portshim" bin
        assert_equal "$(told | sed 's/ .*//; s/^@//' | xargs realpath)" "$(realpath bin/portshim)"
    done
}

@test "a trap from the first process on cannot be had by hand, which is one line and 125, as is a wrong word" {
    refuses PORTSHIM_TRAP=on 'it takes effect before the program starts' PORTSHIM_PORTS=8080 PORTSHIM_TRAP=on
    refuses PORTSHIM_TRAP 'it can be auto or off' PORTSHIM_PORTS=8080 PORTSHIM_TRAP=yes
}

@test "bad ports, or none, are one line and 125" {
    for spec in 80x 0 65536 8080-8070 8080/sctp; do
        refuses "$spec" '.+' "PORTSHIM_PORTS=$spec"
    done
    refuses PORTSHIM_PORTS 'every port in it is excluded' 'PORTSHIM_PORTS=8080,!8080'
    refuses 'no ports' '.+' PORTSHIM_PORTS=
    refuses 'no ports' '.+' -u PORTSHIM_PORTS
    refuses "$PWD/m.env" '.+' PORTSHIM_MAP_FILE=m.env
    refuses '80\?81' '.+' PORTSHIM_PORTS=$'80\n81'
}

@test "a map file that cannot be written is one line and 125" {
    for file in "$PWD/missing/m.env" "$PWD/0" /dev/null; do
        refuses "$file" '.+' PORTSHIM_PORTS=8080 "PORTSHIM_MAP_FILE=$file"
    done
    # No port is still leased.
    portshim run -p 1-20 -- true
}

@test "a pool that is empty or cannot be read is one line and 125" {
    refuses PORTSHIM_POOL '.+' PORTSHIM_PORTS=8080 PORTSHIM_POOL=20000-x
    refuses "$PWD/missing" '.+' PORTSHIM_PORTS=8080 PORTSHIM_POOL= "PORTSHIM_POOL_FILE=$PWD/missing"
    touch empty
    refuses '.* 8080' 'pool exhausted' PORTSHIM_PORTS=8080 PORTSHIM_POOL= "PORTSHIM_POOL_FILE=$PWD/empty"
    refuses '.* 8080' 'pool exhausted' PORTSHIM_PORTS=8080 PORTSHIM_POOL=8080
    start others portshim run -p 1-20 -m others.env -- sleep infinity
    within 10 test -e others.env
    refuses '.* 8080' 'pool exhausted' PORTSHIM_PORTS=8080
}

@test "a home that others could have made is one line and 125" {
    mkdir -m 777 open
    mkdir -m 700 closed
    ln -s closed link
    touch file
    for home in open link file missing/home "missing/$(printf '%0200d/' 1 2 3)home"; do
        refuses "$PWD/$home" '.+' PORTSHIM_PORTS=8080 "PORTSHIM_HOME=$PWD/$home"
    done
    if as_root; then
        chown nobody closed
        refuses "$PWD/closed" '.+' PORTSHIM_PORTS=8080 "PORTSHIM_HOME=$PWD/closed"
    fi
    [[ -z $(find open closed -mindepth 1) ]]
}

@test "a PORTSHIM_RUN that is not there, or has ended, is one line and 125" {
    ended_run ended.env
    PORTSHIM_RUN=$(sed -n s/^PORTSHIM_RUN=//p ended.env)
    refuses "$PORTSHIM_RUN" 'the run has ended' "PORTSHIM_RUN=$PORTSHIM_RUN"
    refuses "$PWD/none" 'the run has ended' "PORTSHIM_RUN=$PWD/none"
    refuses ended '.+' PORTSHIM_RUN=ended
}

# The private name by which the programs of a session find their run is not shown.
@test "a run without a name is told of by its process, in messages and in ls" {
    # shellcheck disable=SC2016 # expanded inside
    start server setsid "${by_hand[@]}" sh -c 'echo "$PORTSHIM_RUN" >run; exec sleep infinity'
    within 10 test -s run
    port=$(portshim port "$(<run)" 8080)
    fails_with ": held by run pid $pid: " portshim run -p "80=$port" -- true
    fails_with " by 1 run (pid $pid), " portshim run -p 1-20 -- true
    fails_with "port $port of run pid $pid: " portshim release "$port"
    portshim ls --json >ls.json
    for told in "$(portshim ls)" "$(portshim ls --log "$(<run)")" "$(<ls.json)"; do
        refute grep -q @ <<<"$told"
    done
}
