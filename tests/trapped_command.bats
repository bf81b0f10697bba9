# The library starts programs under the trap by `portshim trapped DIRFD FLAGS PATH ARG0 [ARG]...`, which is not for people:
# it becomes the program, under the trap where that can be had.
# shellcheck disable=SC2016 # expanded by the shells that are started
load helper

without=$ROOT/build/tests/without_feature

setup() {
    cd "$(test_dir)"
    own_pool 20
    # Prints how it was called, what the first descriptors are, and which port it sees after binding 8080.
    cat >shows.c <<'END'
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(8080)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < argc; i++)
        printf("%s|", argv[i]);
    for (int i = 8; i < 20; i++) /* the tests use some below */
        if (i != 10 && i != fd && fcntl(i, F_GETFD) >= 0)
            printf("open: %d|", i);
    if (bind(fd, (struct sockaddr *)&address, size) < 0)
        perror("bind");
    getsockname(fd, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    return 7;
}
END
    cc -static -o shows shows.c
    run_of=(portshim run -p 8080)
}

# in_run COMMAND...: runs a shell's command in a run.
in_run() {
    run --separate-stderr "${run_of[@]}" -- sh -c "$@"
}

@test "it becomes the program, under the trap" {
    in_run 'exec portshim trapped - 0 ./shows "any name" one ""'
    assert_equal "$status $output$stderr" '7 any name|one||8080'
    in_run 'exec portshim trapped - 0 "$PWD/shows" name'
    assert_equal "$status $output$stderr" '7 name|8080'
    in_run "exec portshim trapped - 0 ./shows"
    assert_equal "$status" 7
}

@test "it is the process that it was, and leaves none behind" {
    cat >pid.c <<'END'
#include <stdio.h>
#include <unistd.h>
int main(void) { printf("%d %d %d\n", getpid(), getsid(0) == getsid(getppid()), getpgid(0) == getpgid(getppid())); return 0; }
END
    cc -static -o pid pid.c
    in_run 'sh -c "echo \$\$; exec portshim trapped - 0 ./pid pid"; true'
    as_root || ! grep -qsx 1 /proc/sys/kernel/yama/ptrace_scope || skip 'here it is another process'
    assert_equal "${lines[1]}" "${lines[0]} 1 1"
}

@test "a program may be named by a descriptor, with or without a name, and is told no more descriptors than meant" {
    for case in '9|0|shows' '9|4096|' '9|256|shows'; do
        IFS='|' read -r fd flags path <<<"$case"
        [[ -n $path ]] && opened=. || opened=./shows
        in_run "exec portshim trapped $fd $flags '$path' name 9<$opened"
        assert_equal "$case: $status $output$stderr" "$case: 7 name|open: 9|8080"
        # The highest flag of all: the descriptor is to be closed.
        in_run "exec portshim trapped $fd $((flags | 1 << 30)) '$path' name 9<$opened"
        assert_equal "$case: $status $output$stderr" "$case: 7 name|8080"
    done
}

@test "a program that does not exist, or is none, ends as env(1) would end" {
    : >text
    run -127 --separate-stderr "${run_of[@]}" -- sh -c 'exec portshim trapped - 0 ./none none'
    assert_equal "$status $output" '127 '
    [[ $stderr == 'portshim: ./none: No such file'*': '* ]]
    in_run 'exec portshim trapped - 0 ./text text'
    assert_equal "$status $output" '126 '
    [[ $stderr == 'portshim: ./text: Permission denied'*': '* ]]
}

@test "what is no such call is refused, outside of a run, too, and it is not in the help" {
    local words
    for words in '' - '- 0' 'x 0 ./shows a' '-1 0 ./shows a' '- x ./shows a' '- 4097000 ./shows a' '- -1 ./shows a'; do
        # shellcheck disable=SC2086 # they are words
        in_run "exec portshim trapped $words"
        assert_equal "$words: $status $output" "$words: 125 "
        [[ $stderr == 'portshim: trapped '*': '*': '* ]] || fail "$stderr"
    done
    fails_with 'trapped without a run' portshim trapped - 0 ./shows name
    run -0 portshim --help
    refute_output --partial trapped
}

@test "programs that could not load the library do not find it in LD_PRELOAD" {
    cat >preload.c <<'END'
#include <stdio.h>
#include <stdlib.h>
int main(void) { puts(getenv("LD_PRELOAD") ? getenv("LD_PRELOAD") : "none"); return 0; }
END
    cc -static -o preload preload.c
    in_run 'exec portshim trapped - 0 ./preload preload'
    assert_equal "$output$stderr" "$PORTSHIM_LIB"
    type -P musl-gcc >/dev/null || skip 'musl-gcc is not installed'
    musl-gcc -o preload preload.c
    for option in --trap=auto --trap=off; do
        run_of=(portshim run -q -p 8080 "$option")
        in_run 'exec portshim trapped - 0 ./preload preload'
        assert_equal "$output$stderr" none
    done
    printf '#!%s/preload\n' "$PWD" >script
    chmod 755 script
    in_run 'exec portshim trapped - 0 ./script script'
    assert_equal "$output$stderr" none
}

@test "where the trap cannot be had, the program is started as it is, which is said once and noted" {
    run_of=("$without" pidfd_getfd 1 portshim run -p 8080)
    in_run 'portshim trapped - 0 ./shows name; portshim trapped - 0 ./shows name; portshim ls "$PORTSHIM_RUN"'
    assert_equal "$(grep -c '^name|' <<<"$output")" 2
    assert_equal "$(grep -c '^portshim: ' <<<"$stderr")" 1
    [[ $stderr == *'portshim: warning: the ports of ./shows stay as they are: pidfd_getfd'*': '* ]] || fail "$stderr"
    assert_line --partial 'not wrapped: shows: '
}

@test "a program that is a client's server says nothing to the client" {
    run_of=("$without" pidfd_getfd 1 portshim run -p 8080)
    in_run 'exec /usr/bin/python3 -c "
import socket, subprocess
client, server = socket.socketpair()
subprocess.run([\"portshim\", \"trapped\", \"-\", \"0\", \"./shows\", \"name\"], stdout=server, stderr=server)
server.close()
print(client.makefile().read())"'
    refute_line --partial portshim
    assert_line --partial 'name|'
}

@test "in a strict run it is not started then" {
    run_of+=(--strict)
    in_run 'exec portshim trapped - 0 ./shows name'
    assert_equal "$status $output$stderr" '7 name|8080'
    fails_with 'pidfd_getfd' "$without" pidfd_getfd 1 portshim run --strict -p 8080 -- \
        sh -c 'exec portshim trapped - 0 ./shows name'
    [[ $stderr == 'portshim: ./shows: '*'or use --trap=off' ]]
}
