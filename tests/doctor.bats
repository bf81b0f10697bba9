# portshim doctor: what this host allows, and whether a command can be wrapped.
load helper

setup() {
    cd "$(test_dir)"
    export PORTSHIM_HOME=$PWD/home
    printf '#include <stdio.h>\nint main(void) { return puts("it runs") < 0; }\n' >program.c
}

compile() {
    "${CC:-gcc}" "$@" program.c 2>compile.err || skip "it cannot be built: $(tail -n 1 compile.err)"
}

# will_work COMMAND...: doctor says that the command can be wrapped, in both formats.
will_work() {
    run -0 portshim doctor "$@"
    refute_line --regexp '^fail'
    run -0 portshim doctor --json "$@"
    assert_equal "$(jq -r .verdict <<<"$output")" ok
    run -0 portshim doctor "$@"
}

# will_not_work COMMAND FINDING REMEDY: doctor finds this and nothing else wrong.
will_not_work() {
    run -1 portshim doctor --json "$1"
    assert_equal "$(jq -r .verdict <<<"$output")" fail
    assert_equal "$(jq -r '.checks[] | select(.verdict == "fail") | "\(.check): \(.finding): \(.remedy)"' <<<"$output")" \
        "command: $2: $3"
    run -1 portshim doctor "$1"
    assert_equal "$(grep '^fail' <<<"$output")" "fail  command: $2: $3"
}

# will_be_trapped COMMAND PATH WHY: doctor says that the command is trapped, and that it cannot be wrapped where the
# trap is off or refused.
will_be_trapped() {
    PORTSHIM_TRAP=off will_not_work "$1" "$2 is $3, and the trap is off" 'use --trap=auto'
    make_refuse
    run -1 "$refuse" pidfd_getfd 1 portshim doctor "$1"
    assert_equal "$(grep '^fail' <<<"$output")" "fail  command: $2 is $3, and pidfd_getfd(2) is refused\
 (a container's profile?): give it CAP_SYS_PTRACE"
    has_trap || skip "no trap here: $(portshim doctor | grep 'cannot be wrapped')"
    will_work "$1"
    assert_line "ok    command: $2 is started under the trap: it is $3"
}

# Whether programs can be trapped on this host.
has_trap() {
    portshim doctor | grep -q '^[a-z]*  *trap: .* can be wrapped'
}

# Sets $refuse, the program that refuses what the trap needs.
make_refuse() {
    refuse=$BUILD/tests/without_feature
    [[ -x $refuse ]] || skip "tests/programs/without_feature.c is not built"
}

# Sets ${somebody[@]}, the words before a command that run it as an ordinary user with a home of their own.
become_somebody() {
    somebody=()
    as_root || return 0
    cp "$BUILD/portshim" .
    install -d -o nobody -m 700 nobody
    somebody=(setpriv --reuid nobody --regid nogroup --clear-groups env "PATH=$PWD:$PATH" "PORTSHIM_HOME=$PWD/nobody")
}

@test "what the host allows is a line each, and without a command that is all" {
    will_work
    for check in library 'ephemeral range' pool 'lease directory' IPv6 sock_diag 'port server' seccomp Yama \
        'seccomp notifications' process_vm_readv pidfd_getfd PIDFD_THREAD trap; do
        assert_line --regexp "^(ok|note) +$check: "
    done
    refute_line --regexp 'command:'
    assert_line "ok    library: $PORTSHIM_LIB"
    assert_line --regexp "^ok    lease directory: $PWD/home, [0-9]+ KiB free$"
    assert_line --regexp '^note  port server: .*: start portshim serve'
}

@test "what the trap needs of the kernel is tried, and what a container's profile lacks is told" {
    make_refuse
    has_trap || skip "no trap here"
    portshim doctor >bare
    without() { # the lines of other checks
        grep -Ev "^....  ($1|SYNC_WAKE_UP|lease directory|seccomp|trap|no_new_privs):"
    }
    while IFS=: read -r feature answer line why; do
        run -0 "$refuse" "$feature" "$answer" portshim doctor
        assert_line --regexp "^note  $line: .*: there is no trap without it$"
        assert_line --regexp "^note  trap: .* cannot be wrapped: $why"
        diff <(without "$line" <bare) <(without "$line" <<<"$output")
    done <<'.'
pidfd_getfd:1:pidfd_getfd:pidfd_getfd\(2\) is refused \(a container's profile\?\): give it CAP_SYS_PTRACE$
pidfd_getfd:38:pidfd_getfd:pidfd_getfd\(2\) is refused
pidfd_getfd:kill:pidfd_getfd:pidfd_getfd\(2\) is refused
process_vm_readv:1:process_vm_readv:process_vm_readv\(2\) or process_vm_writev\(2\) is refused .*: give it CAP_SYS_PTRACE$
process_vm_writev:1:process_vm_readv:process_vm_readv\(2\) or process_vm_writev\(2\) is refused
seccomp:1:seccomp notifications:seccomp\(2\) is refused .*: allow seccomp\(2\) with a listener in that profile$
seccomp:kill:seccomp notifications:seccomp\(2\) is refused
WAIT_KILLABLE_RECV:22:seccomp notifications:the kernel has no seccomp notifications that signals do not interrupt: use Linux 5.19
.
}

@test "what an older kernel has not, and the trap can do without, is noted, and no obstacle" {
    make_refuse
    has_trap || skip "no trap here"
    for feature in SYNC_WAKE_UP PIDFD_THREAD; do
        run -0 "$refuse" "$feature" 22 portshim doctor busybox
        assert_line --regexp "^note  $feature: .* than on Linux 6\.[69]$"
        assert_line --regexp '^ok    command: .* is started under the trap'
    done
}

@test "doctor ends after all processes that it made, and finds the same where SIGCHLD is ignored" {
    has_trap || skip "no trap here"
    portshim doctor | sed 's/[0-9]* KiB//' >bare
    strace -f -o calls portshim doctor >/dev/null
    ended=$(sed -n 's/^\([0-9]*\) .*+++ \(exited\|killed\).*/\1/p' calls)
    (($(wc -l <<<"$ended") > 5)) # also by SIGKILL
    assert_equal "$(tail -n 1 <<<"$ended")" "$(head -n 1 calls | sed 's/ .*//')"
    (trap '' CHLD && portshim doctor) | sed 's/[0-9]* KiB//' | diff bare -
}

@test "who may have no more processes is told so" {
    as_root || skip 'only root can become another user'
    become_somebody
    run -0 "${somebody[@]}" prlimit --nproc=1 portshim doctor
    assert_line --regexp '^note  trap: .* cannot be wrapped: there is no room for a supervisor: allow more processes'
    refute_line --partial 'seccomp notifications'
}

@test "a trap that is set to what is no value of it, or that cannot be on, fails" {
    PORTSHIM_TRAP=sometimes run -1 portshim doctor
    assert_line 'fail  PORTSHIM_TRAP: is sometimes, which is no value of it: set it to auto, on or off'
    make_refuse
    PORTSHIM_TRAP=on run -1 "$refuse" pidfd_getfd 1 portshim doctor
    assert_line "fail  PORTSHIM_TRAP: is on, but pidfd_getfd(2) is refused (a container's profile?): give it CAP_SYS_PTRACE"
    PORTSHIM_TRAP=off will_work
    assert_line 'note  PORTSHIM_TRAP: is off, so nothing is trapped: unset it'
    PORTSHIM_TRAP=auto will_work
    PORTSHIM_TRAP='' will_work
}

@test "an ordinary user is told that what is trapped gets no rights by sudo, unless nothing does" {
    has_trap || skip "no trap here"
    become_somebody
    "${somebody[@]}" portshim doctor >out
    grep '^note  no_new_privs: is set in programs that are trapped' out
    "${somebody[@]}" setpriv --no-new-privs portshim doctor >out
    refute grep '^note  no_new_privs:' out
    as_root || return 0
    portshim doctor >out
    refute grep '^note  no_new_privs:' out
}

@test "a pool, a home or a library that is of no use is told, with the remedy" {
    PORTSHIM_POOL=rubbish run -1 portshim doctor
    assert_line --regexp '^fail  pool: .*"rubbish".*: write ports and ranges such as'
    PORTSHIM_POOL=8000-8003 run -0 portshim doctor
    assert_line 'ok    pool: 4 ports, from PORTSHIM_POOL'
    : >file
    PORTSHIM_HOME=$PWD/file run -1 portshim doctor
    assert_line --regexp "^fail  lease directory: $PWD/file: .*: set PORTSHIM_HOME to a private directory"
    PORTSHIM_LIB=$PWD/none.so run -1 portshim doctor
    assert_line "fail  library: $PWD/none.so: No such file or directory: let PORTSHIM_LIB name libportshim.so"
    PORTSHIM=0 run -1 portshim doctor
    assert_line 'fail  PORTSHIM: is 0, so the library rewrites nothing: unset it'
}

# is_told LINE: whether doctor prints this line.
is_told() {
    portshim doctor | grep -qxF "$1"
}

@test "a port server that PORTSERVER_ADDRESS names is asked" {
    export PORTSERVER_ADDRESS=$PWD/socket
    run -0 portshim doctor
    assert_line --regexp "^note  port server: $PWD/socket: .*, so the lease table is used: start it with portshim serve"
    start server portshim serve --foreground
    within 10 test -S socket
    within 10 is_told "ok    port server: $PWD/socket is portshim serve"
}

@test "a dynamic program will work, and what it is called with is not looked at" {
    will_work /usr/bin/python3 -m http.server --json 8080
    assert_line 'ok    command: /usr/bin/python3 is dynamically linked: the library reaches it'
    PATH=/usr/bin:$PATH will_work python3
    assert_line 'ok    command: /usr/bin/python3 is dynamically linked: the library reaches it'
}

@test "a static program will, under the trap, and will not where that is off or refused" {
    compile -static -o static
    will_be_trapped ./static ./static 'statically linked: nothing is preloaded'
    compile -static-pie -o static
    will_be_trapped ./static ./static 'statically linked: nothing is preloaded'
}

@test "busybox, which is static, will, under the trap" {
    busybox=$(type -P busybox) || skip "busybox-static is not installed"
    will_be_trapped busybox "$busybox" 'statically linked: nothing is preloaded'
}

@test "a Go server will, under the trap, and will not where that is off" {
    webhook=$(type -P webhook) || skip "webhook is not installed"
    will_be_trapped webhook "$webhook" 'a Go program, which enters the kernel by itself'
}

@test "a Go program will, under the trap, although it is dynamic" {
    compile -o go
    : >empty
    objcopy --add-section .note.go.buildid=empty go
    ./go
    will_be_trapped ./go ./go 'a Go program, which enters the kernel by itself'
}

@test "a set-user-ID program will not, but for its owner" {
    become_somebody
    su=$(type -P su)
    PATH=${somebody:+$PWD:}$PATH run -1 "${somebody[@]}" portshim doctor su
    assert_line "fail  command: $su is set-user-ID, set-group-ID or has capabilities: ld.so ignores the library: run it as its owner, or a copy without the privilege"
    compile -o own
    chmod 4755 own
    will_work ./own
    as_root || skip "only root can give a file to another user"
    chown daemon own # which takes the mode away
    chmod 4755 own
    will_not_work ./own './own is set-user-ID, set-group-ID or has capabilities: ld.so ignores the library' \
        'run it as its owner, or a copy without the privilege'
}

@test "a program with capabilities will not, but for root" {
    as_root || skip "only root can give a file capabilities"
    setcap=$(type -P setcap) || skip "libcap2-bin is not installed"
    compile -o able
    "$setcap" cap_net_bind_service=ep able 2>setcap.err || skip "no capabilities on this disk: $(cat setcap.err)"
    become_somebody
    run -1 "${somebody[@]}" portshim doctor ./able
    assert_line 'fail  command: ./able is set-user-ID, set-group-ID or has capabilities: ld.so ignores the library: run it as its owner, or a copy without the privilege'
    will_work ./able
}

@test "a 32-bit program will, under the trap" {
    compile -m32 -o small
    will_be_trapped ./small ./small 'of another ELF class or machine'
}

@test "a program for another machine will not, as an emulator makes its calls" {
    compile -o foreign
    printf '\363\000' | dd of=foreign bs=1 seek=18 conv=notrunc status=none # RISC-V
    will_not_work ./foreign './foreign is of another ELF class or machine' \
        "build portshim for its class: make CC='gcc -m32', and name it in PORTSHIM_LIB"
}

@test "a program whose libc is not there will not, and one of musl will, under the trap" {
    compile -Wl,--dynamic-linker=/lib/ld-none.so -o program
    will_not_work ./program './program needs /lib/ld-none.so: No such file or directory' 'install that libc'
    musl=$(type -P musl-gcc) || skip "musl-tools is not installed"
    CC=$musl compile -o program
    ./program
    will_be_trapped ./program ./program 'linked to another libc than glibc, which cannot load the library'
    libc=$(readlink -f "$(readelf -l program | sed -n 's/.*interpreter: \(.*\)\]/\1/p')")
    [[ -x $libc ]] || chmod 755 "$libc"
    will_be_trapped "$libc" "$libc" 'linked to another libc than glibc, which cannot load the library'
}

# old_libc VERSION: makes a program whose libc has symbols of that version and of no newer one.
old_libc() {
    mkdir -p old
    cp "$(readelf -l "$(type -P env)" | sed -n 's/.*interpreter: \(.*\)\]/\1/p')" old/ld.so
    printf '%s { global: puts; };\n' "$1" >old.map
    echo 'int puts(const char *s) { return s != 0; }' | "${CC:-gcc}" -shared -nostdlib -fno-builtin -x c - -x none \
        -Wl,--version-script=old.map -Wl,-soname,libc.so.6 -o old/libc.so.6
    compile "-Wl,--dynamic-linker=$PWD/old/ld.so" -o program
}

@test "a program whose libc is too old for the library will not, and ld.so says the same" {
    compile -o program
    will_work ./program
    assert_line --regexp '^ok    libc: that of .* has all that the library needs$'
    old_libc GLIBC_2.0
    needed=$(objdump -p "$PORTSHIM_LIB" | sed -n 's/.* \(GLIBC_[0-9.]*\)$/\1/p' | sort -V | tail -n 1)
    run -1 portshim doctor ./program
    assert_equal "$(grep ^fail <<<"$output")" "fail  libc: $PWD/old/libc.so.6, which the command loads, has no $needed,\
 which $PORTSHIM_LIB needs: build portshim on that system, or on an older one"
    run -1 env LD_PRELOAD="$PORTSHIM_LIB" "$PWD/old/ld.so" --inhibit-cache --library-path "$PWD/old" ./program
    assert_output --partial "version \`$needed' not found"
    head -c 700 old/libc.so.6 >part && mv part old/libc.so.6
    run -1 portshim doctor ./program
    rm old/libc.so.6
    run -0 portshim doctor ./program
    assert_line --regexp "^note  libc: $PWD/old/libc.so.6 is not there"
}

@test "doctor --library prints the path for LD_PRELOAD, or fails with a line and nothing for it" {
    run -0 --separate-stderr portshim doctor --library
    assert_equal "$output$stderr" "$PORTSHIM_LIB"
    PORTSHIM_LIB=/none fails_with '/none: No such file' portshim doctor --library
    fails_with 'standard output: cannot write' bash -c 'portshim doctor --library >&-'
}

@test "a program of AddressSanitizer will, once it is let, and doctor is right about that" {
    unset ASAN_OPTIONS # make check-long sets it
    compile -fsanitize=address -o asan
    runtime=$(readelf -d asan | sed -n 's/.*NEEDED.*\[\(libasan.*\)\]/\1/p')
    [[ -n $runtime ]] || skip "this compiler links the runtime statically"
    will_not_work ./asan "./asan wants $runtime to be its first library" \
        'set ASAN_OPTIONS=verify_asan_link_order=0, or LD_PRELOAD to that runtime'
    run -1 portshim run -p 80 -- ./asan
    for variable in ASAN_OPTIONS=verify_asan_link_order=0 LD_PRELOAD="$("${CC:-gcc}" -print-file-name=libasan.so)"; do
        export "${variable?}"
        will_work ./asan
        run -0 portshim run -p 80 -- ./asan
        assert_line 'it runs'
        unset "${variable%%=*}"
    done
}

@test "programs of other sanitizers will" {
    for sanitizer in undefined leak; do
        compile "-fsanitize=$sanitizer" -o sanitized
        will_work ./sanitized
        run -0 portshim run -p 80 -- ./sanitized
        assert_line 'it runs'
    done
}

# script NAME LINE...: writes an executable script.
script() {
    local name=$1
    shift
    printf '%s\n' "$@" >"$name"
    chmod +x "$name"
}

@test "of a script, the interpreter is judged" {
    script good '#!/bin/sh -e' 'echo it runs'
    will_work ./good
    assert_line "ok    command: ./good is a script for /bin/sh"
    compile -static -o static
    script bad "#! $PWD/static" 'echo'
    will_be_trapped ./bad "$PWD/static" 'statically linked: nothing is preloaded'
    script nested "#!$PWD/bad"
    will_be_trapped ./nested "$PWD/static" 'statically linked: nothing is preloaded'
    script missing '#!/bin/none -u'
    will_not_work ./missing '/bin/none: No such file or directory' \
        'install that interpreter, or write another after #!'
    script dos $'#!/bin/sh\r' 'echo'
    run -1 portshim doctor ./dos
    assert_line 'fail  command: /bin/sh?: No such file or directory: install that interpreter, or write another after #!'
}

@test "of a script for env, what env will start is judged" {
    compile -static -o static
    script good '#!/usr/bin/env bash' 'echo'
    will_work ./good
    assert_line "ok    command: ./good is a script for /usr/bin/env"
    assert_line "ok    command: $(type -P bash) is dynamically linked: the library reaches it"
    script bad '#!/usr/bin/env -S NAME=value static -u' 'echo'
    PATH=$PWD:$PATH will_be_trapped ./bad "$PWD/static" 'statically linked: nothing is preloaded'
    script missing '#!/usr/bin/env none'
    run -1 portshim doctor ./missing
    assert_line --regexp '^fail  command: none: not found in PATH.*: check its name'
}

@test "a script without #! will work, as a shell's" {
    script plain 'echo it runs'
    will_work ./plain
    assert_line 'ok    command: ./plain has no #!, so it is a script for /bin/sh'
    run -0 portshim run -p 80 -- ./plain
    assert_output 'it runs'
}

@test "what is not there, may not be executed or cannot be read will not" {
    will_not_work ./none './none: No such file or directory' 'check its path'
    : >data
    chmod 644 data
    will_not_work ./data './data: it is not executable' 'chmod +x ./data'
    will_not_work "$PWD" "$PWD: it is a directory" 'name a program'
    head -c 1000 /dev/zero >zeroes
    chmod +x zeroes
    will_not_work ./zeroes './zeroes is neither' 'name a program or a script'
    become_somebody
    compile -o closed
    chmod 111 closed
    run -1 "${somebody[@]}" portshim doctor ./closed
    assert_line 'fail  command: ./closed cannot be read: Permission denied: let this user read it, or ask as root'
}

@test "a pipe is not waited for, be it the command or a script's interpreter" {
    mkfifo -m 755 pipe
    will_not_work ./pipe './pipe: it is not a regular file' 'name a program'
    run -126 timeout 60 portshim run -p 8080 -- ./pipe
    assert_output 'portshim: ./pipe: it is not a regular file: name a program'
    script by_pipe '#!./pipe'
    run -126 timeout 60 portshim run -q -p 8080 -- ./by_pipe
    run -1 timeout 60 portshim doctor ./by_pipe
}

@test "a script that leads to itself is not followed for ever" {
    script circle "#!$(type -P env) circle"
    PATH=$PWD:$PATH run -1 portshim doctor circle
    assert_line 'fail  command: circle: too many scripts for scripts: write a program after #!'
}

@test "what a file says of its own size is not believed" {
    /usr/bin/python3 - <<'.'
from struct import pack
def elf(kind, segments, sections):
    return pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", kind, 62, 1, 4096, 64, 120, 0, 64, 56, segments, 64, sections, 0)
def program(kind, offset, size):
    return pack("<IIQQQQQQ", kind, 4, offset, 0, 0, size, size, 8)
section = pack("<IIQQQQIIQQ", 1, 3, 0, 0, 120, 99, 0, 0, 1, 0)
open("sections", "wb").write(elf(2, 1, 65535) + program(1, 0, 99) + 65535 * section)
open("segments", "wb").write(elf(2, 65535, 0) + 65535 * program(6, 0, 99))
open("entries", "wb").write(elf(3, 1, 0) + program(2, 120, 1 << 40) + 65535 * pack("<QQ", 21, 0))
.
    chmod 755 sections segments entries
    [[ $(uname -m) == x86_64 ]] || skip 'those programs are made for another machine'
    for file in sections segments entries; do
        PORTSHIM_TRAP=off strace -f -o calls portshim doctor "./$file" >out || :
        grep -Eq "^fail  command: ./$file is (statically linked|linked to another libc)" out
        (($(wc -l <calls) < 15000)) || fail "$file: $(wc -l <calls) calls"
    done
}

@test "a set-user-ID program is as good as another where it gains nothing" {
    as_root || skip 'only root can make one of another user'
    become_somebody
    compile -o setuid
    chmod 4755 setuid
    run -1 "${somebody[@]}" portshim doctor ./setuid
    run -0 "${somebody[@]}" setpriv --no-new-privs portshim doctor ./setuid
    run -0 "${somebody[@]}" setpriv --no-new-privs portshim run --strict -p 80 -- sh -c './setuid'
    assert_output 'it runs'
    run -126 "${somebody[@]}" portshim run --strict -p 80 -- sh -c './setuid'
}

@test "a set-user-ID program is one under fakeroot, too" {
    as_root || skip 'only root can make one of another user'
    type -P fakeroot >/dev/null || skip 'fakeroot is not installed'
    become_somebody
    compile -o setuid
    chmod 4755 setuid
    run -126 "${somebody[@]}" fakeroot portshim run --strict -p 80 -- sh -c './setuid'
    assert_output --partial 'Operation not permitted'
}

@test "doctor starts nothing" {
    script touching '#!/bin/sh' 'touch started'
    will_work ./touching
    refute [ -e started ]
}

@test "doctor that cannot write says so" {
    run -125 bash -c 'portshim doctor >&-'
    assert_output 'portshim: standard output: cannot write: give it an open stdout'
}
