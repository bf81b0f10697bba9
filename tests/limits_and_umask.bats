# Resource limits and umasks either have no effect or cause an error of one line.
load helper

setup() {
    cd "$(test_dir)"
    own_pool 150
}

# limited KIB COMMAND...: runs it with a limit to the size of files. Its output goes to a pipe, which has no size.
limited() (
    ulimit -f "$1"
    "${@:2}"
)

@test "a limit on file sizes is an error of portshim's, not the end of it" {
    for size in 10 600 750; do
        fails_with 'File too large' limited "$size" portshim run -p 8080 -m m.json -- true
        fails_with 'File too large' limited "$size" portshim pick
        fails_with 'File too large' limited "$size" portshim ports true
        fails_with 'File too large' limited "$size" env PORTSHIM_PORTS=8080 LD_PRELOAD="$PORTSHIM_LIB" true
    done
    run -125 limited 0 portshim run -p 8080 -m m.json -- true # stderr, too, is a file that cannot grow
    [[ ! -e m.json && -z $(find home -mindepth 2) ]]
    run -0 limited 2000 portshim run -p 8080 -m m.json -- true
    fails_with 'File too large' limited 10 portshim run -p all -- true
}

@test "a soft limit on file sizes is not raised, and the command finds it as it was" {
    run -0 bash -c 'ulimit -S -f 2000; portshim run -p 8080 -- bash -c "ulimit -f"'
    assert_output 2000
    run bash -c 'ulimit -S -f 2000; portshim run -p 8080 -- dd if=/dev/zero of=large bs=1M count=3'
    assert_equal "$status" 153
}

@test "a limit that is too small for a map file is an error of portshim's, and the old one stays" {
    start keeper portshim run -p 8080 -m m.json -- sleep infinity
    within 10 test -e m.json
    cp m.json before
    fails_with 'File too large' limited 4 portshim run -j m.json -p 9000-9100 -- true
    diff before m.json
}

# to_end_of FILE COMMAND...: appends its output to the file.
to_end_of() {
    "${@:2}" >>"$1"
}

@test "output to a file that may not grow is an error of portshim's, and the command's end its own" {
    start web portshim run -p 8080 -n web -- sleep infinity
    within 10 portshim port web 8080
    head -c 1024 /dev/zero >full
    for command in ls 'ls --json' 'port web 8080' 'env web' 'run -c -p 80' 'doctor --library' --help pick; do
        # shellcheck disable=SC2086 # words
        fails_with 'cannot write' limited 1 to_end_of full portshim $command
    done
    for how in 'run -q -p 8080' 'ports -o list'; do
        run bash -c "ulimit -S -f 2000; portshim $how -- dd if=/dev/zero of=large bs=1M count=3"
        assert_equal "$status" 153
    done
}

@test "what is being made under a umask of 0777, and its user has no rights to yet, is waited for by nobody" {
    user=()
    if as_root; then
        user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
        chmod 777 .
    fi
    "${user[@]}" mkdir -m 0 home
    "${user[@]}" portshim run -p 8080 -- true
    for left in names runs by-hand; do
        "${user[@]}" rm -rf home
        "${user[@]}" mkdir -m 700 home
        "${user[@]}" install -m 0 /dev/null home/by-hand
        [[ $left == by-hand ]] || "${user[@]}" mkdir -m 0 "home/$left"
        "${user[@]}" env PORTSHIM_PORTS=8080 LD_PRELOAD="$PORTSHIM_LIB" true
    done
    # A home that others may enter, or that another user owns, is refused: it is not one that portshim is just making.
    "${user[@]}" chmod 007 home
    fails_with 'not a private directory' "${user[@]}" portshim run -p 8080 -- true
    ! as_root || fails_with 'not a private directory' portshim run -p 8080 -- true
}

@test "what is made under a umask of 0777 is its user's all the same" {
    chmod 777 .
    user=() # not root, as file modes do not stop root
    if as_root; then
        user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
    fi
    as_user=("${user[@]}" env)
    umask 0777
    "${as_user[@]}" portshim run -p 8080 -m m.json -- true
    start first "${as_user[@]}" portshim run -p 8080 -n first -m 1.json -m 1.env -m 1 -- sleep infinity
    within 10 is_program "$pid" sleep # by then all map files are there
    for run in first 1.json 1.env 1; do
        run -0 "${as_user[@]}" portshim port "$run" 8080
        run -0 "${as_user[@]}" portshim run -j "$run" -p 9000 -- true
    done
    run -0 "${as_user[@]}" portshim ls
    assert_output --partial 9000
    "${as_user[@]}" PORTSHIM_PORTS=8080 PORTSHIM_MAP_FILE="$PWD/hand.json" LD_PRELOAD="$PORTSHIM_LIB" sh -c 'portshim port hand.json 8080'
    "${as_user[@]}" PORTSHIM_PORTS=8080 PORTSHIM_MAP_FILE="$PWD/hand.json" LD_PRELOAD="$PORTSHIM_LIB" true
    "${as_user[@]}" portshim pick
    "${as_user[@]}" portshim pick
    # It binds that port itself.
    "${as_user[@]}" portshim ports --write -- "$ROOT/build/tests/one_bind" "${PORTSHIM_POOL##*,}"
    "${as_user[@]}" portshim run -- true
    [[ $("${as_user[@]}" stat -c %a home home/runs home/leases | sort -u) == $'600\n711' ]]
}
