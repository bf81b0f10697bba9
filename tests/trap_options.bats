# Which programs are started under the trap: those that the library does not reach, all, or none. Whatever it is, it is
# said; and a program that the trap wraps counts as wrapped.
# shellcheck disable=SC2016 # expanded by the shells that are started
load helper

setup() {
    cd "$(test_dir)"
    make_server
    own_pool 30
}

# Makes static and dynamic ones of a program that binds the ports it is given, and prints what it then sees of each.
make_server() {
    cat >binds.c <<'END'
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(argv[i]))};
        socklen_t size = sizeof address;
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, 1) < 0)
            perror("bind");
        else if (getsockname(fd, (struct sockaddr *)&address, &size) == 0)
            printf("%d\n", ntohs(address.sin_port));
    }
    return 7;
}
END
    cc -static -o static binds.c
    cc -o dynamic binds.c
}

# Sets $taken to a port outside of the test's pool that another program listens on: who binds it itself fails.
take_port() {
    taken=$(PORTSHIM_HOME='' PORTSHIM_POOL='' portshim pick "$pid" 0) # until the pool's keeper ends
    start taker /usr/bin/python3 -c 'import socket, sys, time
with socket.create_server(("127.0.0.1", int(sys.argv[1]))):
    print("ready", flush=True)
    time.sleep(600)' "$taken"
    within 10 grep -q ready taker.out
}

# binds STATUS OUTPUT COMMAND...
binds() {
    run "${@:3}"
    assert_equal "$status $output" "$1 $2"
}

@test "a static command has ports of its own, without an option" {
    take_port
    binds 7 "$taken" portshim run -p "$taken" -- ./static "$taken"
    binds 7 "$taken" portshim run -p "$taken" --trap auto -- ./static "$taken"
    binds 7 "$taken" env PORTSHIM_TRAP= portshim run -p "$taken" -- ./static "$taken"
}

@test "with --trap=off it has not, which is said" {
    take_port
    local line="portshim: warning: the ports of ./static stay as they are, those of programs it starts are rewritten:"
    line+=' statically linked: use --trap=auto'
    binds 7 "$line"$'\n''bind: Address already in use' portshim run -p "$taken" --trap=off -- ./static "$taken"
    binds 7 'bind: Address already in use' env PORTSHIM_TRAP=off portshim run -q -p "$taken" -- ./static "$taken"
}

@test "a script whose interpreter is static is started under the trap, too" {
    take_port
    printf '#!%s/static %s\n' "$PWD" "$taken" >script
    chmod 755 script
    run -7 portshim run -p "$taken" -- ./script
    assert_line --index 0 "$taken"
}

@test "--trap=on has the calls of a program rewritten that the library does not see" {
    take_port
    cat >raw.c <<'END'
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(argv[argc - 1]))};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    long result = SYS_bind;
#ifdef __x86_64__
    __asm__ volatile("syscall" : "+a"(result) : "D"(fd), "S"(&address), "d"(sizeof address) : "rcx", "r11", "memory");
#else
    return 99;
#endif
    printf("%ld\n", result);
    return 0;
}
END
    cc -o raw raw.c
    run ./raw 1
    [[ $status != 99 ]] || skip 'this test makes system calls of x86-64'
    binds 0 -98 portshim run -p "$taken" -- ./raw "$taken"
    binds 0 0 portshim run -p "$taken" --trap=on -q -- ./raw "$taken"
    binds 0 0 portshim run -p "$taken" --trap=on -q -- sh -c './raw "$1"; true' - "$taken"
    binds 7 "$taken" portshim run -p "$taken" --trap=on -q -- ./dynamic "$taken"
    binds 7 "$taken" portshim run -p "$taken" --trap=on -q -- ./static "$taken"
}

@test "-v says by which way the command is wrapped" {
    local way
    for way in 'dynamic|wrapped by the library|' 'dynamic|wrapped by library and trap|--trap=on' \
        'static|wrapped by the trap: statically linked|' 'static|wrapped by the trap: statically linked|--trap=on' \
        'static|not wrapped: statically linked|--trap=off' 'dynamic|wrapped by the library|--trap=off'; do
        IFS='|' read -r program words option <<<"$way"
        # shellcheck disable=SC2086 # nothing, where there is none
        run -7 portshim run -v $option -p 8080 -- "./$program"
        assert_line "portshim: ./$program: $words"
    done
    PORTSHIM=0 run -7 portshim run -v --trap=on -p 8080 -- ./static
    assert_line 'portshim: ./static: not wrapped: PORTSHIM=0 is set'
}

@test "PORTSHIM=0 turns the trap off, too" {
    take_port
    for option in --trap=auto --trap=on; do
        for program in static dynamic; do
            PORTSHIM=0 binds 7 'bind: Address already in use' portshim run -q $option -p "$taken" -- "./$program" "$taken"
        done
    done
}

@test "an option is heard before a file, that before PORTSHIM_TRAP, and what is in force can be printed" {
    in_force() {
        portshim run -p 8080 -c "$@" | grep '^trap '
    }
    assert_equal "$(in_force)" 'trap auto  # default'
    assert_equal "$(PORTSHIM_TRAP=off in_force)" 'trap off  # PORTSHIM_TRAP'
    echo 'trap on' >settings
    assert_equal "$(PORTSHIM_TRAP=off in_force -f settings)" 'trap on  # settings, line 1'
    assert_equal "$(PORTSHIM_TRAP=off in_force -f settings --trap auto)" 'trap auto  # option'
    assert_equal "$(in_force --trap on --trap=off)" 'trap off  # option'
}

@test "a wrong word is refused, and starts nothing" {
    local word
    for word in yes '' ON auto,on 1; do
        fails_with "--trap \"$word\": it can be auto, on or off" portshim run -p 8080 --trap="$word" -- touch started
        [[ -z $word ]] || fails_with "PORTSHIM_TRAP \"$word\": it can be" \
            env PORTSHIM_TRAP="$word" portshim run -p 8080 -- touch started
        [[ -z $word ]] || fails_with "PORTSHIM_TRAP \"$word\": it can be" \
            env PORTSHIM_TRAP="$word" portshim ports -- touch started
    done
    printf 'ports 8080\ntrap sometimes\n' >settings
    fails_with 'it can be auto, on or off' portshim run -f settings -- touch started
    printf 'ports 8080\ntrap\n' >settings
    fails_with 'settings, line 2: "trap": its value is missing' portshim run -f settings -- touch started
    printf 'ports 8080\ntrap off\n' >.portshim
    fails_with 'may set ports, name and key only' portshim run -- touch started
    [[ ! -e started ]]
}

@test "--require-bind accepts a program under the trap, and what it binds" {
    binds 7 8080 portshim run --require-bind -p 8080 -- ./static 8080
    fails_with 'none of them was bound' portshim run --require-bind -p 8080 -- ./static
    fails_with 'program static: it cannot be wrapped (the trap is off), and was started in the run: use --trap=auto' \
        portshim run -q --require-bind --trap=off -p 8080 -- ./static
}

@test "--require-bind and --strict accept static helpers that a program of the run starts" {
    for option in --require-bind --strict; do
        binds 7 8080 portshim run $option -p 8080 -- sh -c './static >helper.out; ./dynamic 8080'
        binds 7 8080 portshim run $option -p 8080 -- sh -c './dynamic; ./static 8080'
    done
}

@test "where the trap cannot be had, the command is not started, the reason is said, and nothing is left" {
    local without=$ROOT/build/tests/without_feature feature
    for feature in pidfd_getfd process_vm_readv process_vm_writev seccomp; do
        for option in --trap=auto --trap=on --require-bind --strict; do
            fails_with './static: ' "$without" "$feature" 1 portshim run -q $option -n refused -m m.json -p 1-15 -- ./static
            [[ $stderr == *"$feature(2) "*'is refused'*', or use --trap=off' && ! -e m.json ]] || fail "$feature: $stderr"
        done
    done
    fails_with 'pidfd_getfd' "$without" pidfd_getfd 1 portshim ports -o list -- ./static
    [[ ! -e list ]]
    run -7 "$without" pidfd_getfd 1 portshim run -q --trap=off -n refused -p 1-15 -- ./static
    start keeper portshim run -n kept -p 8080 -- sleep infinity
    within 10 portshim port kept 8080
    fails_with 'pidfd_getfd' "$without" pidfd_getfd 1 portshim run -j kept -p 81 -- ./static
    fails_with 'port 81' portshim port kept 81
}

@test "two servers of busybox-static are reached at one port inside, and end by the usual signal" {
    busybox=$(type -P busybox) || skip 'busybox-static is not installed'
    for i in 1 2; do
        mkdir "$i"
        echo "this is $i" >"$i/name"
        start "server$i" portshim run -p 8080 -n "httpd$i" -- "$busybox" httpd -f -p 127.0.0.1:8080 -h "$i"
        pids[i]=$pid
    done
    for i in 1 2; do
        assert_equal "$(curl -sS "http://127.0.0.1:$(real "httpd$i" 8080)/name")" "this is $i"
        assert_equal "$(inside "httpd$i" curl -sS http://127.0.0.1:8080/name)" "this is $i"
        assert_equal "$(inside "httpd$i" "$busybox" wget -qO - http://127.0.0.1:8080/name)" "this is $i"
    done
    for i in 1 2; do
        stop "${pids[i]}"
        assert_equal "$status" 143
    done
}

@test "--strict starts a program under the trap, in the run, an inner run and a joined one" {
    binds 7 8080 portshim run --strict -p 8080 -- ./static 8080
    start keeper portshim run --strict -p 8080 -n strict-$$ -- sleep infinity
    within 10 portshim port strict-$$ 8080
    binds 7 8080 portshim run -j strict-$$ -- ./static 8080
    binds 7 9090 portshim run -j strict-$$ -- sh -c 'portshim run -p 9090 -- ./static 9090'
    fails_with './static: statically linked: use --trap=auto' portshim run -j strict-$$ --trap=off -- ./static 8080
    fails_with './static: statically linked: use --trap=auto' portshim run --strict --trap=off -p 8080 -- ./static 8080
}

@test "portshim ports lists what a static command binds, unless the trap is off" {
    local port
    port=$(PORTSHIM_HOME='' PORTSHIM_POOL='' portshim pick "$pid" 0) # nobody else's, until the pool's keeper ends
    run -7 portshim ports -- ./static "$port"
    assert_line --regexp "^ *$port +tcp +bind +static"
    refute_line --partial 'could not be looked into'
    PORTSHIM_TRAP=off run -7 portshim ports -- ./static "$port"
    refute_line --regexp "^ *$port +tcp"
    assert_line '# static could not be looked into: see portshim doctor'
}

@test "a joining command is started under the trap" {
    take_port
    start keeper portshim run -p "$taken" -n joined-$$ -- sleep infinity
    within 10 portshim port joined-$$ "$taken"
    binds 7 "$taken" portshim run -j joined-$$ -- ./static "$taken"
    binds 7 "$taken" portshim run -j joined-$$ --require-bind -- ./static "$taken"
}

@test "a program of musl runs, under the trap and without" {
    type -P musl-gcc >/dev/null || skip 'musl-gcc is not installed'
    take_port
    musl-gcc -o musl binds.c
    binds 7 "$taken" portshim run -p "$taken" -- ./musl "$taken"
    binds 7 'bind: Address in use' portshim run -q --trap=off -p "$taken" -- ./musl "$taken"
    run -7 portshim run --trap=off -p "$taken" -- ./musl
    assert_output 'portshim: warning: the ports of ./musl and of programs it starts stay as they are: linked to another libc: use --trap=auto'
    cat >environment.c <<'END'
#include <stdio.h>
#include <stdlib.h>
int main(void) { puts(getenv("LD_PRELOAD") ? getenv("LD_PRELOAD") : "none"); return 0; }
END
    musl-gcc -static -o environment environment.c
    musl-gcc -o musl environment.c
    binds 0 "$PORTSHIM_LIB" portshim run -p 8080 -- ./environment
    binds 0 none portshim run -p 8080 -- ./musl
}

@test "a command of another word size is started under the trap" {
    echo 'int main(void) { return 0; }' >narrow.c
    cc -m32 -o narrow narrow.c 2>cc.err || skip "no program of 32 bits can be made: $(head -n 1 cc.err)"
    cc -m32 -o narrow binds.c
    cc -m32 -static -o narrow-static binds.c
    take_port
    for program in narrow narrow-static; do
        binds 7 "$taken" portshim run -p "$taken" -- "./$program" "$taken"
    done
    fails_with 'of another ELF class or machine' portshim run --trap=off -p "$taken" -- ./narrow
}

# as_nobody COMMAND...: runs it as an ordinary user.
as_nobody() {
    as_root || skip 'only root can become another user'
    install -d -o nobody -m 711 nobodys
    setpriv --reuid nobody --clear-groups env PORTSHIM_HOME="$PWD/nobodys" "$@"
}

@test "with --trap=on, an ordinary user is told beforehand that sudo will not work, but once it does not anyway" {
    run -7 as_nobody portshim run --trap=on -p 8080 -- ./dynamic
    assert_output 'portshim: warning: sudo, su and other set-user-ID programs get no rights in this run: an ordinary user cannot have a trap without that: use --trap=auto where they are needed'
    binds 7 '' as_nobody portshim run -q --trap=on -p 8080 -- ./dynamic
    binds 7 '' as_nobody setpriv --no-new-privs portshim run --trap=on -p 8080 -- ./dynamic
    binds 7 '' as_nobody portshim run -p 8080 -- ./static
    as_root
    binds 7 '' portshim run --trap=on -p 8080 -- ./dynamic
}

@test "a program that gets rights by its file is not started under the trap by itself, and keeps them" {
    as_root || skip 'only root can make such a program'
    cat >who.c <<'END'
#include <stdio.h>
#include <unistd.h>
int main(void) { printf("%d\n", geteuid()); return 0; }
END
    cc -static -o who who.c
    chmod 4755 who
    run -0 as_nobody portshim run -p 8080 -- ./who
    assert_line 0
    assert_line --partial 'portshim: warning: the ports of ./who stay as they are'
    # --trap=auto would not help it.
    run -125 as_nobody portshim run -q --require-bind --trap=off -p 8080 -- ./who
    assert_line --partial 'run it as its owner'
}

@test "commands of portshim below a trap work, and have ports of their own" {
    run -7 portshim run --trap=on -q -p 8080 -- sh -c '
        portshim pick $$ && portshim run -p 9090 -n inner -- sh -c "portshim wait -t 0 inner 9090" || echo $?
        portshim run -p 8080-8081 -- ./dynamic 8080 8081'
    assert_line 124
    assert_line 8081
}

@test "what was not started leaves nothing, under the trap as without" {
    printf '#!/no/such/interpreter\n' >broken
    chmod 755 broken
    for option in --trap=on --require-bind '--trap=on --require-bind'; do
        # shellcheck disable=SC2086 # they are words
        ends_with 127 ./broken portshim run -q $option -n broken -m m.json -p 1-15 -- ./broken
        [[ ! -e m.json ]]
    done
    run -0 portshim run -q -n broken -p 1-15 -- true
}

@test "who cannot talk to the supervisor is refused, and does not wait for it" {
    fails_with './static: ' timeout -k 1 60 "$ROOT/build/tests/without_feature" sendto 1 portshim run -q -p 1-15 -- ./static
}

@test "whose supervisor would be in another pid namespace is refused, and whoever is in that one is served" {
    local apart=(unshare -Urp)
    "${apart[@]}" true || skip 'no pid namespace can be made here'
    export ASAN_OPTIONS=detect_leaks=0 # the detector, too, is in another pid namespace
    fails_with 'another pid namespace: let unshare fork (-f), or use --trap=off' "${apart[@]}" portshim run -p 1-15 -- ./static
    run -7 "${apart[@]}" portshim run -q --trap=off -p 1-15 -- ./static
    binds 7 8080 "${apart[@]}" -fm --mount-proc portshim run -p 8080 -- ./static 8080
}
