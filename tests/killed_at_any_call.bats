# A command that is killed at any of its system calls leaves nothing for good: a few commands later it is gone.
load helper

setup() {
    # A leak check and strace cannot both trace a process.
    export ASAN_OPTIONS=${ASAN_OPTIONS-}:detect_leaks=0
    cd "$(test_dir)"
    needs_strace
    own_pool 8
}

# The calls that may change something that others see. Between two of them it does not matter when a command is killed.
changing='/^(open|close|rename|link|unlink|mkdir|rmdir|symlink|chmod|fchmod|fallocate|ftruncate|write|pwrite|flock|fcntl|utimensat|mmap|munmap)'

# calls_of COMMAND...: prints these calls as the command makes them, before it executes another one. Each line: the call,
# and how many of that name it is.
calls_of() {
    strace -o trace -e "trace=$changing,execve" "$@" >first.out 2>&1 3>&-
    sed -n 's/^\([a-z0-9_]*\)(.*/\1/p' trace |
        awk '$1 == "execve" && ++execs == 2 { exit } $1 != "execve" { print $1, ++count[$1] }'
}

# kill_everywhere COMMAND...: starts the command again and again, and kills it at its first such call, at its second...
kill_everywhere() {
    local call number
    calls_of "$@" >calls
    (($(wc -l <calls) > 10))
    while read -r call number; do
        strace -o /dev/null -e "inject=$call:signal=KILL:when=$number" "$@" >>killed.out </dev/null 3>&-
    done <calls 2>>killed.err || :
    (($(grep -c Killed killed.err) > 10)) # a home that is there already takes fewer calls than a new one
    find home/runs -mindepth 1 -maxdepth 1 >runs_before
}

# all_is_cleared_up: a few commands later.
all_is_cleared_up() {
    portshim run -q -n last -p 8080 -m map.json -m map.env -- true
    portshim ls --json >ls.json
    left=$(find . -name '*.portshim-*' -o -name '*.new' -o -path './home/names/*' ! -name last)
    [[ -z $left ]] && ! xargs ls -d <runs_before 2>/dev/null | grep -q runs/ &&
        [[ $(jq '[.runs[] | select(.name != "last")] | length' ls.json) == 0 ]]
}

teardown() {
    [[ -n $BATS_TEST_COMPLETED ]] || { find . && portshim ls; cat runs_before; }
    end_started
}

@test "a run" {
    kill_everywhere portshim run -q -n first -p 8080 -m map.json -m map.env -- true
    within 20 all_is_cleared_up
}

@test "placeholders that are added to a run" {
    start run portshim run -n first -p 8080 -m map.json -- sleep infinity
    within 10 portshim ls first
    kill_everywhere portshim run -q -j first -p 8081-8083 -- true
    # None of them was leased twice, and those that are in the run are in its file.
    portshim run -j first -p 8081-8083 -- true
    diff <(jq -c '[.ports[] | [.placeholder, .real]]' map.json) <(portshim ls --json first |
        jq -c '[.runs[0].ports[] | [.placeholder, .real]]')
    [[ $(jq '[.ports[].real] | unique | length' map.json) == 4 ]]
    stop "$pid"
    within 20 all_is_cleared_up
}

@test "a program that starts by hand" {
    # Not env(1), which would be killed itself: strace gives these variables to the program.
    kill_everywhere -E LD_PRELOAD="$PORTSHIM_LIB" -E PORTSHIM_PORTS=8080 -E PORTSHIM_MAP_FILE="$PWD/map.json" true
    grep -q '^rename.*map\.json' trace
    within 20 all_is_cleared_up
}

@test "a pick" {
    kill_everywhere portshim pick $$ 0
    within 20 all_is_cleared_up
    # What was leased for this shell stays with it; all other ports are free.
    xargs portshim release <killed.out
}

@test "a run whose map file nobody writes again" {
    local call
    portshim pick $$ 0 # makes the home
    calls_of portshim run -q -p 8080 -m only.json -- true >calls
    call=$(grep -m 1 '^rename.*only\.json' trace | grep -o '^[a-z0-9]*')
    strace -o /dev/null -e "inject=$call:signal=KILL:when=$(grep "^$call(" trace | grep -n only | cut -d : -f 1)" \
        portshim run -q -p 8080 -m only.json -- true 2>killed.err 3>&- || :
    find . -name 'only.json.portshim-*' | grep .
    find home/runs -mindepth 1 -maxdepth 1 >runs_before
    within 20 no_draft_is_left
}

# no_draft_is_left: after a command that has nothing to do with the map file.
no_draft_is_left() {
    portshim ls >ls.out
    ! find . -name '*.portshim-*' | grep -q .
}
