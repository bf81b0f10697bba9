# By which way the programs of a run are wrapped: by the library, under the trap, or not at all. `portshim doctor` says it
# before, `portshim ls` afterwards, and both are right.
load helper

# A shell that starts a program, and ends it when it is ended.
# shellcheck disable=SC2016 # expanded by that shell
by_shell=(sh -c 'trap "kill \$!" TERM; "$@" & wait $!' -)

setup() {
    cd "$(test_dir)"
    cat >server.c <<'.'
#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* server PORT: listens until it is ended. server PORT COMMAND...: the same, and starts a command. */
int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_port = htons((unsigned short)atoi(argv[1]));
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1) != 0)
        return 1;
    if (argc > 2 && fork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        return execv(argv[2], argv + 2);
    }
    for (;;)
        pause();
}
.
}

# has_trap: whether programs can be trapped on this host.
has_trap() {
    portshim doctor | grep -q '^[a-z]*  *trap: .* can be wrapped'
}

# compile NAME OPTION...: makes the server, in another way; false when that is not possible here.
compile() {
    "${CC:-gcc}" "${@:2}" -o "$1" server.c 2>compile.err
}

# serves RUN PORT PROGRAM WAY: the program serves on the placeholder, and ls says by which way it was wrapped.
serves() {
    portshim wait -t 60 "$1" "$2"
    portshim ls --json "$1" >ls.json
    valid ls.json
    assert_equal "$(jq -r '.runs[0].ports[] | select(.placeholder == '"$2"') | .processes[] | "\(.program) \(.wrapped_by)"' ls.json)" \
        "$3 $4"
}

# is_wrapped NAME WAY WHY: doctor says by which way; started by `portshim run` and by a shell, it serves on a placeholder,
# and ls says that.
is_wrapped() {
    case $2 in
    library) finding="./$1 is dynamically linked: the library reaches it" listed='[]' ;;
    trap) finding="./$1 is started under the trap: it is $3" listed="[{\"program\":\"$1\",\"reason\":\"${3%%:*}\"}]" ;;
    esac
    listed=${listed/ than glibc, which cannot load the library/} listed=${listed/, which enters the kernel by itself/}
    run -0 portshim doctor "./$1"
    assert_line "ok    command: $finding"
    start direct portshim run -p 8080 -n "$1" -- "./$1" 8080
    start script portshim run -p 8080 -n "$1-sh" -- "${by_shell[@]}" "./$1" 8080
    for name in "$1" "$1-sh"; do
        serves "$name" 8080 "$1" "$2"
        assert_equal "$(jq -c '[.runs[0].trapped, .runs[0].not_wrapped]' ls.json)" "[$listed,[]]"
        run -0 portshim ls "$name"
        if [[ $2 == trap ]]; then
            assert_line "  wrapped by the trap: $1: $(jq -r '.runs[0].trapped[0].reason' ls.json)"
        else
            refute_line --partial 'by the trap'
        fi
    done
}

@test "a dynamic program is wrapped by the library" {
    compile server
    is_wrapped server library
}

@test "a static program is wrapped by the trap" {
    has_trap || skip 'no trap here'
    compile static -static || skip "it cannot be built: $(tail -n 1 compile.err)"
    is_wrapped static trap 'statically linked: nothing is preloaded'
}

@test "a dynamic program of musl is wrapped by the trap" {
    has_trap || skip 'no trap here'
    CC=musl-gcc compile musl || skip "it cannot be built: $(tail -n 1 compile.err)"
    is_wrapped musl trap 'linked to another libc than glibc, which cannot load the library'
}

@test "a 32-bit program is wrapped by the trap" {
    has_trap || skip 'no trap here'
    compile narrow -m32 || skip "it cannot be built: $(tail -n 1 compile.err)"
    is_wrapped narrow trap 'of another ELF class or machine'
}

@test "a Go program is wrapped by the trap" {
    has_trap || skip 'no trap here'
    go=$(type -P go) || skip 'golang-go is not installed'
    cat >server.go <<'.'
package main

import (
	"net"
	"os"
)

func main() {
	listener, err := net.Listen("tcp4", "127.0.0.1:"+os.Args[1])
	if err != nil {
		panic(err)
	}
	listener.Accept()
}
.
    export GO111MODULE=off GOFLAGS='' GOCACHE=$ROOT/build/go-cache CGO_ENABLED=0
    [[ -w $ROOT/build ]] || GOCACHE=$PWD/go-cache
    "$go" build -o goserver server.go
    is_wrapped goserver trap 'a Go program, which enters the kernel by itself'
}

@test "what a trapped program starts is wrapped by the trap as well, whatever it is, and ls lists it once it binds" {
    has_trap || skip 'no trap here'
    compile static -static || skip "it cannot be built: $(tail -n 1 compile.err)"
    cp static below
    compile dynamic
    start server portshim run -p 8080-8083 -n tree -- ./static 8080 ./below 8081 ./dynamic 8082 ./below 8083
    portshim wait -t 60 tree 8080-8083
    serves tree 8080 static trap
    serves tree 8081 below trap
    serves tree 8082 dynamic library
    serves tree 8083 below trap
    assert_equal "$(jq -r '.runs[0].trapped[].program' ls.json | sort | xargs)" 'below static'
    assert_equal "$(jq -c '.runs[0].not_wrapped' ls.json)" '[]'
}

@test "a program that was seen below a trapped one is trapped when it is started by one that the library is in" {
    has_trap || skip 'no trap here'
    compile static -static || skip "it cannot be built: $(tail -n 1 compile.err)"
    cp static below
    # The first binds a port that nobody listed, which is noted with its program.
    unlisted=$(portshim pick $$ 0)
    # shellcheck disable=SC2016 # expanded by that shell
    start server portshim run -p 8080,8081 -n again -- bash -c '
        trap "kill \$(jobs -p | xargs)" TERM
        ./static 8080 ./below "$0" &
        while [[ $(portshim ls --json again) != *"\"not_listed\":[{"* ]]; do sleep 0.05; done # a note in memory: no event
        ./below 8081 & wait $!' "$unlisted"
    portshim wait -t 60 again 8080,8081
    serves again 8081 below trap
}

@test "a program is not wrapped where the trap is off, and ls says why" {
    compile static -static || skip "it cannot be built: $(tail -n 1 compile.err)"
    port=$(portshim pick $$ 0)
    start server portshim run -q --trap=off -p "$port" -n off -- "${by_shell[@]}" ./static "$port"
    within 20 listens "$port"
    run -0 portshim ls off
    assert_line '  not wrapped: static: statically linked, and the trap is off: use --trap=auto'
    portshim ls --json off >ls.json
    valid ls.json
    assert_equal "$(jq -c '.runs[0].not_wrapped' ls.json)" \
        '[{"program":"static","in_part":false,"reason":"statically linked, and the trap is off","remedy":"use --trap=auto"}]'
}

@test "a program that could not be trapped is not wrapped, and ls says what the trap lacked" {
    compile static -static || skip "it cannot be built: $(tail -n 1 compile.err)"
    refuse=$BUILD/tests/without_feature
    [[ -x $refuse ]] || refuse=$ROOT/build/tests/without_feature
    while IFS=: read -r feature answer why; do
        port=$(portshim pick $$ 0)
        start server "$refuse" "$feature" "$answer" portshim run -q -p "$port" -n "$feature" -- \
            "${by_shell[@]}" ./static "$port"
        within 20 listens "$port"
        run -0 portshim ls "$feature"
        assert_line "  not wrapped: static: statically linked, and $why"
        kill "$pid"
    done <<'.'
pidfd_getfd:1:pidfd_getfd is refused: see portshim doctor
process_vm_readv:1:process_vm_readv is refused: see portshim doctor
seccomp:1:seccomp is refused: see portshim doctor
WAIT_KILLABLE_RECV:22:the kernel has no trap: use Linux 5.19 or newer
.
}

@test "portshim ports names a program that could not be trapped, and takes the reason for no port" {
    echo 'int main(void) { return 0; }' | "${CC:-gcc}" -static -x c - -o nothing || skip 'no static libc'
    refuse=$BUILD/tests/without_feature
    [[ -x $refuse ]] || refuse=$ROOT/build/tests/without_feature
    "$refuse" pidfd_getfd 1 portshim ports -o list -- sh -c './nothing; :' 2>ports.err
    assert_equal "$(<list)" $' PORT  TYPE  USE           PROGRAM         \n# nothing could not be looked into: see portshim doctor'
}
