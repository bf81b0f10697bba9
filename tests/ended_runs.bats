# What has become of runs that ended is known for a while: portshim ls --all lists them, and who asks for one is told.
load helper
load shapes

teardown() {
    end_started # shapes.bash has another one
}

setup() {
    cd "$(test_dir)"
    own_pool 20
}

# ended NAME FIELD...: prints fields of the latest ended run of that name, as JSON.
ended() {
    local name=$1
    shift
    portshim ls --all --json "$name" >all.json
    jq -c ".ended[0] | [$(printf '.%s,' "$@" | sed 's/,$//')]" all.json
}

# is_ended NAME: whether there is a record of an ended run of that name.
is_ended() {
    portshim ls --all --json | jq -e ".ended | any(.name == \"$1\")" >/dev/null
}

@test "portshim ls lists living runs, and with --all below them those that have ended, the latest first" {
    portshim run -p 80 -n first -- true
    within 10 is_ended first
    start second portshim run -p 80 -n second -m m -- sleep infinity
    within 5 test -e m
    stop "$pid" KILL
    start living portshim run -p 80 -n living -m living.json -- sleep infinity
    within 5 test -e living.json
    within 10 is_ended second
    run -0 portshim ls
    assert_line --regexp '^living '
    refute_output --partial second
    run -0 portshim ls --all
    assert_line --index 0 --regexp '^RUN +AGE +COMMAND$'
    assert_line --index 2 --regexp '^living +[0-9]+s  sleep infinity$'
    assert_line --index 4 --regexp '^ENDED +AGO +STATUS +COMMAND$'
    assert_line --index 5 --regexp '^second +>[0-9]+s  - +sleep infinity$'
    assert_line --index 6 --regexp '^first +>[0-9]+s  - +true$'
    portshim ls --json >ls.json
    valid ls.json
    assert_equal "$(jq -c 'keys' ls.json)" '["runs"]'
    portshim ls --all --json >all.json
    valid all.json
    assert_equal "$(jq -c '[[.runs[].name], [.ended[].name]]' all.json)" '[["living"],["second","first"]]'
    assert_equal "$(jq -c '.ended[0] | [.state, .status, .signal, .command]' all.json)" \
        '["found ended",null,null,"sleep infinity"]'
    fails_with 'they are about living runs' portshim ls --all -q living 80
}

@test "a command that could not be found or executed is recorded with its status, also where no run was made" {
    printf 'no program' >text
    portshim run -p 80 -- true # makes the home
    ends_with 127 'nosuch' portshim run -p 80 -n web -- nosuch there
    assert_equal "$(ended web status state command id)" '[127,"ended","nosuch there",null]'
    ends_with 126 'text' portshim run -p 80 -n web -- ./text
    assert_equal "$(ended web status)" '[126]'
    assert_equal "$(jq '.ended | length' all.json)" 1 # the same attempt again
    run -125 portshim run -p 80=1,81=1 -n other -- true
    run -125 portshim ls --all other
    start living portshim run -p 80 -n living -m m -- sleep infinity
    within 5 test -e m
    run -125 portshim run -p 81 -n living -- true # it is another's name
    assert_equal "$(portshim ls --all --json living | jq -c .ended)" '[]'
    run -125 portshim run -p 1-30 -n large -- true
    assert_equal "$(ended large status)" '[125]'
    run -125 portshim ls web
    assert_output --regexp '^portshim: run web: no such run, the last one ended [0-9]+ s ago with 126: '
}

@test "with --require-bind the status of the command is recorded, and that others of the run had gone on" {
    run -125 portshim run --require-bind -p 80 -n web -- sh -c 'exit 3'
    assert_equal "$(ended web state status signal)" '["ended",3,null]'
    # shellcheck disable=SC2016 # the shell that is meant expands it
    run -125 portshim run --require-bind -p 80 -n web -- sh -c 'kill -KILL $$'
    assert_equal "$(ended web state status signal)" '["ended",null,9]'
    mkfifo go
    run -125 portshim run --require-bind -p 80 -n daemon -- bash -c '{ read -r <go; } >/dev/null 2>&1 3>&- &'
    run -0 portshim ls --all --json daemon
    assert_equal "$(jq -c '[[.runs[].name], .ended]' <<<"$output")" '[["daemon"],[]]'
    echo >go
    within 10 is_ended daemon
    assert_equal "$(ended daemon state status)" '["command ended",0]'
}

@test "a program that stands in for a trapped one records its status" {
    busybox=$(type -P busybox) || skip 'busybox-static is not installed'
    shape proxy
    run -5 "${as[@]}" portshim run -p 80 -n web -- "$busybox" sh -c 'exit 5'
    run -0 "${as[@]}" portshim ls --all --json web
    assert_equal "$(jq -c '[.runs, (.ended[] | .status, .state)]' <<<"$output")" '[[],5,"ended"]'
}

@test "what was not wrapped and what was bound and not listed is still known of an ended run" {
    busybox=$(type -P busybox) || skip 'busybox-static is not installed'
    port=${PORTSHIM_POOL##*,}
    # shellcheck disable=SC2016 # the shell that is meant expands it
    portshim run --trap=off -p 80 -n web -- bash -c '"$1" true; /usr/bin/python3 -c "
import socket
socket.create_server((\"127.0.0.1\", $2))"' - "$busybox" "$port"
    within 10 is_ended web
    run -0 portshim ls --all web
    assert_line '  not wrapped: busybox: statically linked, and the trap is off: use --trap=auto'
    assert_line --regexp "^  not listed: $port: bound by python3.*: add -p $port$"
    portshim ls --all --json web >all.json
    valid all.json
    assert_equal "$(jq -c '.ended[0] | [.not_wrapped[0].remedy, .not_listed[0].port, .not_listed[0].bound]' all.json)" \
        "[\"use --trap=auto\",$port,true]"
}

@test "an ended run is found by its name, its map file and its directory, and a run of another name is not" {
    start server portshim run -p 80 -n web -m m.json -- sleep infinity
    within 5 test -e m.json
    directory=$(jq -r .run m.json)
    stop "$pid" KILL
    within 10 is_ended web
    for run in web m.json ./m.json "$PWD/m.json" "$directory"; do
        assert_equal "$(ended "$run" name)" '["web"]'
    done
    rm m.json
    assert_equal "$(ended m.json name)" '["web"]'
    run -125 portshim ls --all nobody
    assert_output --partial 'run nobody: no such run'
    run -125 portshim port web 80
    assert_output --regexp '^portshim: run web: no such run, the last one was found ended [0-9]+ s ago: name a living run'
}

@test "a run that is dying is listed by --all, until it is known to have ended" {
    portshim run -p 80 -n web -- sh -c /bin/true # executes a program: 2 s pass before it counts as dead
    run -0 portshim ls
    assert_output ''
    run -0 portshim ls --all
    assert_line --partial 'web'
    within 10 is_ended web
    run -0 portshim ls --all --json
    assert_equal "$(jq -c '[[.runs[].name], [.ended[].name]]' <<<"$output")" '[[],["web"]]'
}

# record_is KIND: puts something else in the place of the record.
record_is() {
    rm -rf home/ended
    case $1 in
    empty) : >home/ended ;;
    rubbish) head -c 100000 /dev/urandom >home/ended ;;
    directory) mkdir home/ended ;;
    pipe) mkfifo home/ended ;;
    link) ln -s /nowhere/at/all home/ended ;;
    unreadable) install -m 0 /dev/null home/ended ;;
    esac
}

@test "a record that is damaged, cut or something else is nobody's error, and is made anew where that can be" {
    portshim run -p 80 -- true
    for kind in empty rubbish directory pipe link unreadable; do
        record_is "$kind"
        run -0 timeout 60 portshim ls --all
        prints one -- portshim run -p 80 -n web -- echo one
        run -127 --separate-stderr portshim run -p 80 -n web -- nosuch
        run -0 timeout 60 portshim ls --all
        case $kind in
        empty | rubbish | unreadable) assert_equal "$(ended web status)" '[127]' ;;
        esac
    done
    record_is none
    run -127 portshim run -p 80 -n web -- nosuch
    truncate -s 4200 home/ended # amid the first record
    run -0 portshim ls --all
    run -127 portshim run -p 80 -n web -- nosuch
    assert_equal "$(ended web status)" '[127]'
}

@test "a later version's record is left alone" {
    portshim run -p 80 -- true
    printf 'psended\0\377\0\0\0' >home/ended
    head -c 4084 /dev/zero >>home/ended
    cp home/ended before
    run -127 portshim run -p 80 -n web -- nosuch
    run -0 portshim ls --all
    cmp before home/ended
}

@test "a run starts and ends as usual where the record cannot be written" {
    portshim run -p 80 -- true
    (
        ulimit -f 4 # KiB
        ends_with 127 nosuch portshim run -p 80 -n web -- nosuch
        ends_with 127 nosuch portshim run -p 80 -n web -- nosuch
    )
    start locker flock --no-fork home/ended sleep infinity
    within 5 lslocks_has
    prints one -- portshim run -p 80 -n web -- echo one
    run -0 timeout 60 portshim ls --all
}

lslocks_has() {
    ! flock -n home/ended true
}
