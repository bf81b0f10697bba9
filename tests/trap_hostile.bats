# What a program under the trap can make its supervisor do: nothing but calls about ports on its own sockets, which it may
# make itself.
load helper
load trap

setup() {
    cd "$(test_dir)"
    own_pool 20
    needs_programs "$STATIC"/{exempt,hostile_trapped,landlock,privileges,tell}
    cp "$STATIC"/{exempt,hostile_trapped,landlock,privileges,tell} . # other users cannot enter the sources
}

@test "a trapped program that gives its supervisor any arguments does not end it, and others are served as before" {
    # shellcheck disable=SC2016 # expanded there
    run -0 portshim run --trap=on -p 8080 -- \
        sh -c './hostile_trapped "$1" && ./privileges 8080' sh "${PORTSHIM_HOSTILE_SECONDS:-4}"
    assert_line --index 0 'done'
    assert_line 'the placeholder: success'
}

@test "a user's program gets no right by root's supervisor" {
    as_root || skip 'only root starts programs as other users'
    nobody=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
    # shellcheck disable=SC2016 # expanded there
    unshare -n sh -c 'ip link set lo up; exec "$@"' sh "${nobody[@]}" ./privileges 8080 >bare
    portshim run --trap=on -p 8080 -- "${nobody[@]}" ./privileges 8080 >trapped
    diff bare trapped
    assert_equal "$(<trapped)" 'port 81: Permission denied
an address of another host: Cannot assign requested address
the placeholder: success
a datagram with a mark: Operation not permitted'
}

# supervises PID: the supervisor of the program that was started as this process.
supervises() {
    pgrep -fx "portshim trap $1"
}

@test "each program that is started apart has a supervisor of its own" {
    # shellcheck disable=SC2016 # expanded there
    start both portshim run -n both -p 8080,8081 -- sh -c './tell a 8080 & a=$!; ./tell b 8081 & echo $a $!; wait'
    within 10 grep -qs . both.out
    read -r a b <both.out
    within 10 supervises "$a" >a.pid
    within 10 supervises "$b" >b.pid
    [[ $(<a.pid) != "$(<b.pid)" ]]
    kill "$a" "$b"
}

@test "a program that wants to can get past the trap" {
    unshare -rn true || skip 'no network namespace can be made here'
    # In a network namespace of its own, 8080 is free.
    run -0 unshare -rn env PORTSHIM_HOME="$PWD/home" portshim run -p 8080 -- ./exempt 8080
    assert_output 8080
    within 10 no_run_is_left # the supervisor ends a moment after the program
}

@test "a program that cuts off the files of its run does not end its supervisor" {
    # shellcheck disable=SC2016 # expanded there
    run -0 portshim run -q --trap=on -p 8080 -- env PORTSHIM=0 sh -c 'for file in "$PORTSHIM_RUN"/*; do
        [ -f "$file" ] && : >"$file"
    done
    env -u PORTSHIM ./privileges 8080'
    assert_line 'the placeholder: success'
}

@test "a program that names a run with a FIFO for a file does not keep its supervisor waiting" {
    local secret=0123456789abcdef0123456789abcdef
    mkdir -p trap
    mkfifo "trap/$secret"
    # The inner command makes the supervisor look at environments.
    # shellcheck disable=SC2016 # expanded there
    run -0 timeout -k 1 60 portshim run -q --trap=on -p 8080 -- sh -c 'portshim --version &&
        exec env PORTSHIM_RUN="$PWD/trap" PORTSHIM_COMPACT="2 $1" ./privileges 8080' sh "$secret"
    assert_line 'an address of another host: Cannot assign requested address'
}

@test "a program in another user's run gets none of its numbers" {
    as_root || skip 'only root starts programs as other users'
    nobody=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
    start keeper portshim run -n keeper -p 8080 -- ./tell keeper 8080
    portshim wait -t 60 keeper 8080 >keeper.port
    # shellcheck disable=SC2016 # expanded there
    inside keeper sh -c 'printf "%s\n" "PORTSHIM_RUN=$PORTSHIM_RUN" "PORTSHIM_COMPACT=$PORTSHIM_COMPACT"' >keeper.env
    mapfile -t keeper <keeper.env
    mkdir -m 700 nobodys
    chown nobody nobodys
    # The inner command makes the supervisor look at environments.
    # shellcheck disable=SC2016 # expanded there
    start other "${nobody[@]}" env PORTSHIM_HOME="$PWD/nobodys" portshim run -q -n other --trap=on -p 8080 -- \
        sh -c 'portshim --version && exec env "$@"' sh "${keeper[@]}" ./tell other 8080
    "${nobody[@]}" env PORTSHIM_HOME="$PWD/nobodys" portshim wait -t 60 other 8080 >other.port
    [[ $(<other.port) != "$(<keeper.port)" ]]
}

@test "a program's Landlock rules do not hold for placeholders" {
    (($(./landlock version) >= 4)) || skip 'the kernel has no Landlock rules for ports'
    run -0 portshim run -p 8080 -- ./landlock bind=8081 'bind 8080' 'bind 8082'
    assert_line 'bind 8080: 0'
    assert_line 'bind 8082: EACCES'
}

@test "what a user's trapped program starts gets no rights" {
    as_root || skip 'only root starts programs as other users'
    mkdir -m 700 nobodys
    chown nobody nobodys
    run -0 setpriv --reuid=nobody --regid=nogroup --clear-groups env PORTSHIM_HOME="$PWD/nobodys" \
        portshim run -q --trap=on -p 8080 -- grep NoNewPrivs /proc/self/status
    assert_output $'NoNewPrivs:\t1'
}

# undumpable KIND OPTION...: runs it as an ordinary user, whose supervisor may not look into it.
undumpable() {
    local program=$ROOT/build/tests/$1/undumpable
    [[ -x $program ]] || skip "gcc builds no such programs here: $1"
    as_root || skip 'only root starts programs as other users'
    mkdir -p -m 700 nobodys
    chown nobody nobodys
    cp "$program" undumpable
    run -0 setpriv --reuid=nobody --regid=nogroup --clear-groups env PORTSHIM_HOME="$PWD/nobodys" \
        portshim run -q "${@:2}" -p "${PORTSHIM_POOL%%,*}" -- ./undumpable "${PORTSHIM_POOL%%,*}"
}

@test "a strict run keeps a program that its supervisor may not look into from a placeholder's own port, and nothing else" {
    undumpable static --strict
    assert_output 'bind of another process: success
bind of a pipe: Socket operation on non-socket
bind: Operation not permitted'
}

@test "so it does with socketcall(2)" {
    undumpable narrow_static --strict
    assert_output 'bind of another process: success
bind of a pipe: Socket operation on non-socket
bind: Operation not permitted
bind by socketcall: Operation not permitted'
}
