# A program with more rights than its caller (set-user-ID, capabilities) ignores the caller's variables: they change
# neither which files it reads nor which it writes.
# shellcheck disable=SC2016 # expanded by the shells that are started
load helper

setup() {
    cd "$(test_dir)"
    as_root || skip 'only root makes a set-user-ID program that is another user'"'"'s'
    umask 022
    unset PORTSHIM_POOL PORTSHIM_HOME
    cp "$ROOT/build/tests/given_rights" program
    ! findmnt -nT . -o OPTIONS | grep -qw nosuid || skip "$PWD is mounted nosuid"
    echo "the words of root" >secret
    chmod 600 secret
    mkdir -m 777 open
    mkdir -m 755 closed
}

# give KIND: makes a program that gets rights of that kind.
give() {
    cp "$ROOT/build/tests/given_rights" program
    case $1 in
    user) chmod 4755 program ;;
    group) chmod 2755 program ;;
    capabilities) # CAP_NET_BIND_SERVICE, revision 2, effective
        /usr/bin/python3 -c 'import os, struct
os.setxattr("program", "security.capability", struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0))' ||
            skip 'this file system keeps no capabilities'
        ;;
    esac
}

# as_nobody NAME=VALUE... COMMAND...: runs it as user nobody with these variables.
as_nobody() {
    setpriv --reuid=65534 --regid=65534 --clear-groups env "$@"
}

# asked_ports: prints how many ports the server has leased so far.
asked_ports() {
    portshim serve --address "$PWD/open/server" --status >status && sed -n 's/^total-allocations //p' status
}

@test "libportmap reads no pool file, and has no home, where a caller without the right wants them" {
    for kind in user group capabilities; do
        give $kind
        run -0 as_nobody "PORTSHIM_POOL_FILE=$PWD/secret" "PORTSHIM_HOME=$PWD/open/$kind" ./program
        assert_line 'secure 1'
        assert_line --regexp '^pool [1-9][0-9]+ $'
        assert_line --regexp '^port [1-9][0-9]+$'
        run -0 as_nobody "PYSYS_PORTS_FILE=$PWD/secret" PORTSHIM_POOL=20000 PYSYS_PORTS=x "PORTSHIM_HOME=$PWD/closed/$kind" ./program
        assert_line --regexp '^pool [1-9][0-9]{2,} $'
        assert_line --regexp '^port [1-9][0-9]+$'
        assert_equal "$(ls open closed)" "$(printf '%s\n' closed: '' open:)"
    done
}

@test "libportmap reads them where nobody was given rights" {
    run -0 as_nobody "PORTSHIM_POOL_FILE=$PWD/secret" "PORTSHIM_HOME=$PWD/open/home" ./program
    assert_line 'secure 0'
    assert_line --regexp "^pool -13 $PWD/secret$"
    run -0 as_nobody PORTSHIM_POOL=20000-20009 "PORTSHIM_HOME=$PWD/open/home" ./program
    assert_line 'pool 10 '
    assert [ -e open/home/leases ]
}

@test "libportmap asks no port server that a caller without the right names" {
    own_pool 10
    start server portshim serve --foreground --address "$PWD/open/server"
    within 10 asked_ports >asked # the socket is there a moment before the server answers
    chmod 777 open/server
    unset PORTSHIM_POOL PORTSHIM_HOME
    run -0 as_nobody "PORTSERVER_ADDRESS=$PWD/open/server" "PORTSHIM_HOME=$PWD/open/home" ./program
    assert_equal "$(asked_ports)" 1
    give user
    run -0 as_nobody "PORTSERVER_ADDRESS=$PWD/open/server" ./program
    assert_line --regexp '^port [1-9][0-9]+$'
    assert_equal "$(asked_ports)" 1
}

@test "the command reads no variable of a caller without the right" {
    cp "$BUILD/portshim" privileged
    chmod 4755 privileged
    fails_with 'no ports are given' as_nobody PORTSHIM_PORTS=8080 "PORTSHIM_HOME=$PWD/open/home" "PORTSHIM_LIB=$PORTSHIM_LIB" ./privileged run -- true
    run -0 as_nobody "PORTSHIM_HOME=$PWD/open/home" PORTSHIM_POOL=20000 PORTSERVER_ADDRESS=rubbish ./privileged pick "$$" 0
    refute_output 20000
    assert_equal "$(ls open)" ''
}

@test "the library leaves such a program alone" {
    give user
    cp -a /etc etc
    cp "$PORTSHIM_LIB" library.so
    echo "$PWD/library.so" >etc/ld.so.preload
    export PORTSHIM=0
    run -0 unshare -m sh -c 'mount --bind etc /etc && exec "$@"' sh setpriv --reuid=65534 --regid=65534 --clear-groups \
        env PORTSHIM= PORTSHIM_PORTS=8080 "PORTSHIM_HOME=$PWD/open/home" ./program
    assert_line 'secure 1'
    assert_line --regexp '^port [1-9][0-9]+$'
    assert_equal "$(ls open)" ''
}
