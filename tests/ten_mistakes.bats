# Mistakes that everybody makes: each causes one line that names it, exits as the manual pages say, and leaves
# nothing behind: no process, no run, no lease, no file.
load helper

setup() {
    cd "$(test_dir)"
    own_pool 4
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
    local link
    for link in /proc/[0-9]*/cwd; do
        [[ $(readlink "$link" 2>/dev/null) == "$PWD" ]] || continue
        link=${link#/proc/}
        [[ $(ps -o comm= -p "${link%/cwd}") == portshim ]] && echo "${link%/cwd}"
    done
    true
}

# Files, runs and leases (the table has a size that does not change); a started helper's output is its own.
state() {
    find . -mindepth 1 ! -name '*.out' ! -name '*.err' | sort
    processes
}

# mistake STATUS WORDS COMMAND...: it fails with this status and one line with the words, and leaves nothing behind.
mistake() {
    local expected=$1 words=$2 before flags=(--separate-stderr)
    shift 2
    ((expected == 127)) && flags+=(-127)
    before=$(state)
    run "${flags[@]}" timeout 30 "$@"
    assert_equal "$status: $stderr" "$expected: $stderr"
    assert_equal "$output" ''
    assert_equal "${#stderr_lines[@]}" 1
    [[ $stderr == 'portshim: '*': '*': '* && $stderr == *"$words"* ]] || fail "not a line about $words: $stderr"
    assert_equal "$(state)" "$before"
}

# pool_has COUNT: so many ports can be leased.
pool_has() {
    portshim run -p "1-$1" -- true
}

@test "a typo in a subcommand" {
    mistake 125 'rnu: no such command' portshim rnu -p 8080 -- touch started
    mistake 125 'run8080: no such command' portshim run8080
    mistake 125 'Run: no such command' portshim Run -p 8080 -- touch started
    mistake 125 '--prots' portshim run --prots 8080 -- touch started
}

@test "port 70000" {
    mistake 125 '"70000"' portshim run -p 70000 -- touch started
    mistake 125 '"1-70000"' portshim run -p 8080 -p 1-70000 -- touch started
    mistake 125 '"8080=70000"' portshim run -p 8080=70000 -- touch started
    mistake 125 '"70000"' portshim wait web 70000
    mistake 125 '"70000"' portshim port web 70000
    pool_has 4
}

@test "-p 80-20" {
    mistake 125 '"80-20"' portshim run -p 80-20 -- touch started
    PORTSHIM_PORTS=80-20 mistake 125 '"80-20"' portshim run -- touch started
    pool_has 4
}

@test "a map file that cannot be written" {
    mistake 125 'none/m.json: No such file' portshim run -p 1-4 -n web -m good.json -m none/m.json -- touch started
    mistake 125 '/proc/m.json: ' portshim run -p 1-4 -m /proc/m.json -- touch started
    mistake 125 'home: not a regular file' portshim run -p 1-4 -m home -- touch started
    pool_has 4
}

@test "a name that is taken, which that of a dead run is not" {
    start living portshim run -p 80 -n web -m living.json -- sleep infinity
    within 10 test -e living.json
    mistake 125 'run name "web": the name belongs to a living run: choose another, or end that run' \
        portshim run -p 1-2 -n web -m m.json -- touch started
    run -0 portshim run -p 1-3 -- true
    stop "$pid" KILL
    run -0 portshim run -p 1-4 -n web -- true
    assert_output ''
    run -0 portshim run -p 1-4 -n web -- true
}

@test "a library that is missing" {
    PORTSHIM_LIB=$PWD/none.so mistake 125 'none.so: No such file' portshim run -p 1-4 -n web -m m.json -- touch started
    PORTSHIM_LIB=$PWD/none.so mistake 125 'none.so: No such file' portshim ports -- touch started
    mkdir alone
    cp "$BUILD/portshim" alone
    PORTSHIM_LIB='' mistake 125 'libportshim.so' alone/portshim run -p 1-4 -- touch started
    pool_has 4
}

@test "no command" {
    mistake 125 'command: nothing to run' portshim run -p 1-4 -n web -m m.json
    mistake 125 'command: nothing to run' portshim run -p 1-4 -n web -m m.json --
    mistake 125 'command: nothing to run' portshim ports --
    mistake 127 'No such file' portshim run -p 1-4 -n web -m m.json -- ''
    mistake 125 'nothing to run' portshim run -n web --
    pool_has 4
}

@test "a port server that is down, with --require-portserver" {
    export PORTSERVER_ADDRESS=$PWD/nobody
    mistake 125 "port server $PWD/nobody" portshim run --require-portserver -p 1-4 -n web -m m.json -- touch started
    mistake 125 "port server $PWD/nobody" portshim pick --require-portserver
    PORTSERVER_ADDRESS=@nobody-$BASHPID mistake 125 'port server @nobody' \
        portshim run --require-portserver -p 1-4 -- touch started
    unset PORTSERVER_ADDRESS
    mistake 125 'PORTSERVER_ADDRESS is not set' portshim run --require-portserver -p 1-4 -- touch started
    pool_has 4
}

@test "waiting for a run that has died" {
    start living portshim run -p 80 -n web -m m.json -- sleep infinity
    living=$pid
    within 10 test -e m.json
    start waiter portshim wait -t 30 m.json 80
    within 10 sleeps "$pid"
    kill -KILL "$living"
    status=0
    wait "$pid" || status=$?
    assert_equal "$status" 125
    assert_equal "$(wc -l <waiter.err)" 1
    grep -qx 'portshim: .*: the run has ended before it listened: .*' waiter.err
    wait "$living" || :
    within 10 no_runs
    [[ -z $(processes) ]]
    pool_has 4
}

sleeps() {
    [[ $(ps -o comm=,stat= -p "$1") == portshim*S* ]]
}

@test "joining another user's run" {
    as_root || skip 'only root can be another user'
    chmod 755 .
    export PORTSHIM_HOME=$PWD/their-home
    install -d -o nobody -m 700 their-home
    mkdir -m 777 open
    start theirs setpriv --reuid=nobody --clear-groups -- "$BUILD/portshim" run -p 80 -n theirs -m open/m -- sleep infinity
    within 10 test -e open/m
    directory=$(sed -n 's/^# portshim //p' open/m)
    export PORTSHIM_HOME=$PWD/home
    mistake 125 'run theirs: no such run' portshim run -j theirs -- touch started
    mistake 125 'run open/m: ' portshim run -j open/m -- touch started
    mistake 125 "run $directory: " portshim run -j "$directory" -- touch started
    mistake 125 'open/m: ' portshim port open/m 80
    pool_has 4
}
