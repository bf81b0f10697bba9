# Whoever starts a program that the library does not reach starts it through the command portshim, in its private mode.
# In most of these tests another program stands in for that command, and tells how it was started.
load helper

execs=$ROOT/build/tests/execs
calls=$ROOT/build/tests/exec_calls
places=$ROOT/build/tests/exec_places
ways=(execve execve-null execv execvp execvpe execl execlp execle fexecve execveat posix_spawn posix_spawnp vfork system
    popen wordexp)

setup() {
    cd "$(test_dir)"
    cc -static -D_GNU_SOURCE -o portshim-stand-in "$PROGRAMS/private_mode.c"
    cc -static -o shows "$PROGRAMS/shows_itself.c"
    cc -o dynamic "$PROGRAMS/shows_itself.c"
    objcopy --add-section .note.go.buildid=shows dynamic go
    printf '#!%s/shows\n' "$PWD" >script
    printf '#!%s/script -x\n' "$PWD" >script2
    chmod 755 script script2
    ln -s shows link
    mkdir there
}

# Without the descriptors that bats has open.
# shellcheck disable=SC2016 # expanded by that shell
bare=(bash -c 'exec "$@" 3>&- 4>&- 10>&-' -)

# told_to FILE OPTION...: sets `in_run` to a command that runs another in a run whose programs take FILE for portshim.
told_to() {
    local file=$1
    shift
    # shellcheck disable=SC2016 # expanded by the inner shell
    in_run=(portshim run -q -p 8080 "$@" -- bash -c '
        words=($PORTSHIM_COMPACT)
        for ((i = 0; i < ${#words[@]}; i++)); do
            [[ ${words[i]} != @* ]] || words[i]=@$0
        done
        export PORTSHIM_COMPACT="${words[*]}"
        exec "$@" 3>&- 4>&- 10>&-' "$file")
}

# with_stand_in OPTION...: the same with the stand-in, and forgets what that has told.
with_stand_in() {
    told_to "$PWD/portshim-stand-in" "$@"
    : >portshim-stand-in.told
}

# tells LINE...: the stand-in has been started with these arguments, and not otherwise. Forgets them.
tells() {
    assert_equal "$(cat portshim-stand-in.told)" "$(printf '%s\n' "$@")"
    : >portshim-stand-in.told
}

# not_noted RUN: nothing is known of a program that could not be wrapped.
not_noted() {
    assert_equal "$(portshim ls --json "$1" | jq -c '.runs[0].unwrapped // .runs[0].programs')" '[]'
}

@test "every way to start a static program or a Go program goes through portshim, with an environment that has the run" {
    with_stand_in
    for program in shows go; do
        for way in "${ways[@]}"; do
            run -0 --separate-stderr "${in_run[@]}" bash -c '"$@"; (($? == 7 || $? == 0))' - "$execs" "$way" "./$program"
            assert_equal "$stderr" ''
            [[ ${output//$'\n'/ } == "./$program child by "* ]] || fail "$way: $output"
            case $way in
            fexecve) tells "portshim trapped 3 $((1 << 30 | 0x1000))  ./$program child" ;;
            *) tells "portshim trapped - 0 ./$program ./$program child" ;;
            esac
        done
    done
}

@test "a script goes through portshim as the script that it is, when its interpreter is out of reach" {
    with_stand_in
    run -7 "${in_run[@]}" "$execs" execve ./script2
    assert_output "$PWD/shows $PWD/script -x ./script2 child by ./script2"
    tells 'portshim trapped - 0 ./script2 ./script2 child'
}

# searches PATH LINE: in a run, the functions that search PATH execute the program `seen`, which tells LINE of itself, and
# portshim is told the same path.
searches() {
    : >../portshim-stand-in.told
    "${in_run[@]}" /usr/bin/env PATH="$1" "$calls" seen >out 2>&1
    for way in execvp execvpe execlp posix_spawnp; do
        grep -qxE "$way seen: (errno became 2 )?program by $2" out || fail "$1: $way: $(cat out)"
    done
    assert_equal "$(grep ' - 0 .*program$' ../portshim-stand-in.told | sort -u)" "portshim trapped - 0 $2 program"
}

@test "what is found in PATH is what is executed" {
    with_stand_in
    cd there
    mkdir -p one two/seen three
    cp ../shows three/seen
    cp ../shows one/seen
    chmod 644 one/seen
    for path in one:two:three:.. /nowhere:three three::one; do
        searches "$path" three/seen
    done
    name=$(printf '%0250d' 1)
    long=$name/$name/$name/$name/$name
    mkdir -p "$long"
    mv three/seen "$long"
    searches "one:$long" "$long/seen"
    cd three
    cp ../../shows ../seen
    ln -s ../seen seen
    mv ../../portshim-stand-in.told ..
    ln -s "$PWD/../portshim-stand-in.told" ../../portshim-stand-in.told
    searches "/nowhere:" seen
}

@test "the program of a posix_spawn() in another directory is looked for there, by portshim too" {
    with_stand_in
    mkdir there/below
    cp shows there
    for way in path absolute steps back fd below-fd opened; do
        run -0 "${in_run[@]}" "$ROOT/build/tests/spawn_places" "$way" ./below/../shows
        assert_line 7
        run -0 "${in_run[@]}" env PATH=/nowhere:below/.. "$ROOT/build/tests/spawn_places" "$way" -p shows
        assert_line 7
        tells 'portshim trapped - 0 ./below/../shows program' 'portshim trapped - 0 below/../shows program'
    done
}

@test "what the functions return is what they return outside of a run, and programs that do not start do so in the caller" {
    cp shows busy
    cp shows unexecutable
    chmod 644 unexecutable
    printf '#!./unexecutable\n' >badscript
    cp script unexecutable_script
    chmod 755 badscript
    chmod 644 unexecutable_script
    cp shows foreign
    printf '\xb7' | dd of=foreign bs=1 seek=18 conv=notrunc status=none # AArch64's e_machine, or x86-64's there
    [[ $(uname -m) != aarch64 ]] || printf '\x3e' | dd of=foreign bs=1 seek=18 conv=notrunc status=none
    files=(./shows ./unexecutable ./script ./script2 ./badscript ./unexecutable_script ./shows/sub shows "$PWD/shows" ./link
        ./foreign foreign)
    with_stand_in
    for path in "$PATH" '' "$PWD" there:.; do
        "${bare[@]}" /usr/bin/env PATH="$path" "$calls" "${files[@]}" >bare 2>/dev/null
        "${in_run[@]}" /usr/bin/env PATH="$path" "$calls" "${files[@]}" >wrapped 2>/dev/null
        diff <(sed 's/errno became 2 //' bare) <(sed 's/errno became 2 //' wrapped) # libc's posix_spawnp() sets it
        grep -q 'portshim trapped' portshim-stand-in.told
        refute grep -E 'unexecutable|badscript|sub|foreign' portshim-stand-in.told
    done
}

@test "odd arguments mean what they mean outside of a run: descriptors, flags, paths, no arguments at all" {
    with_stand_in
    for way in '' 2; do
        "${bare[@]}" /usr/bin/python3 "$PROGRAMS/odd_execs.py" >bare 2>&1
        "${in_run[@]}" /usr/bin/python3 "$PROGRAMS/odd_execs.py" >wrapped 2>&1
        diff bare wrapped
        # A second time with another program as the interpreter of the script.
        printf '#!%s/dynamic\n' "$PWD" >script
    done
    grep -q "^portshim trapped 3 $((1 << 30)) shows one" portshim-stand-in.told
    grep -q "^portshim trapped 4 0 shows one" portshim-stand-in.told
    grep -q "^portshim trapped - 256 shows one" portshim-stand-in.told
    grep -q "^portshim trapped - 0 $PWD/shows one" portshim-stand-in.told
    refute grep -E 'nothing|without a run' portshim-stand-in.told
}

@test "a program that is being written fails in the caller, where the kernel can tell before" {
    kernel=$(uname -r)
    [[ $(printf '6.14\n%s\n' "$kernel" | sort -V | head -n 1) == 6.14 ]] || skip "Linux $kernel cannot be asked"
    with_stand_in
    run -0 "${in_run[@]}" /usr/bin/python3 -c '
import errno, os, subprocess
with open("shows", "r+"):
    for close_fds in True, False: # by fork and exec, by posix_spawn
        try:
            subprocess.run(["./shows"], close_fds=close_fds)
            raise SystemExit("started")
        except OSError as error:
            assert error.errno == errno.ETXTBSY, error'
    tells ''
}

@test "a path that means something else in portshim is told as a descriptor" {
    with_stand_in
    run -0 "${in_run[@]}" /usr/bin/python3 -c '
import os
fd = os.open("shows", os.O_RDONLY | os.O_CLOEXEC)
for path in f"/proc/self/fd/{fd}", f"/proc/{os.getpid()}/fd/{fd}", f"/dev/fd/{fd}":
    if os.fork() == 0:
        os.execv(path, ["one"])
    assert os.waitstatus_to_exitcode(os.wait()[1]) == 7
# posix_spawn() starts it as it is
assert os.waitstatus_to_exitcode(os.waitpid(os.posix_spawn(f"/proc/self/fd/{fd}", ["two"], {}), 0)[1]) == 7'
    refute_output --regexp ' [0-9]+$' # no descriptor is left open
    assert_equal "$(sort -u portshim-stand-in.told)" "portshim trapped 4 $((1 << 30 | 0x1000))  one" # by the lowest number that is free
    assert_equal "$(wc -l <portshim-stand-in.told)" 3
}

@test "what the library reaches, what leaves the run and what gains rights is started as it is" {
    with_stand_in
    printf '#!%s/dynamic\n' "$PWD" >good
    chmod 755 good
    for way in "${ways[@]}"; do
        run "${in_run[@]}" "$execs" "$way" ./dynamic
        assert_output --partial dynamic
        run "$execs" "$way" ./good
        alone=$status
        run "${in_run[@]}" "$execs" "$way" ./good
        assert_equal "$status" "$alone" # fexecve(3) cannot execute a script by a descriptor that it closes
    done
    run -7 "${in_run[@]}" env PORTSHIM=0 ./shows
    run -0 "${in_run[@]}" portshim --version
    if as_root; then
        cp shows privileged
        chown nobody privileged
        chmod 4755 privileged
        run -7 "${in_run[@]}" env ./privileged
    fi
    tells ''
}

@test "thousands of arguments and variables go through portshim from a thread with a small stack" {
    with_stand_in
    run -0 timeout 60 "${in_run[@]}" /usr/bin/python3 -c '
import os, subprocess, threading
def start():
    for count in 1, 100, 240, 260, 600, 20000:
        words = ["./shows"] + [str(n) for n in range(count)]
        for close_fds in True, False:
            done = subprocess.run(words, env={}, close_fds=close_fds, capture_output=True, text=True)
            assert done.returncode == 7, done
            assert done.stdout.split(" by ")[0] == " ".join(words), count
threading.stack_size(64 * 1024)
thread = threading.Thread(target=start)
thread.start()
thread.join()'
    assert_output ''
    assert_equal "$(wc -l <portshim-stand-in.told)" 12
}

@test "programs are started through portshim where little is left: a small stack, a handler, a cancelled thread" {
    with_stand_in
    printf 'int main(void) { return 0; }' | cc -static -x c - -o good
    for place in thread handler cancel vfork; do
        run -0 timeout 60 "${in_run[@]}" "$places" "$place" ./good
        tells 'portshim trapped - 0 ./good program' 'portshim trapped - 0 ./good program' \
            'portshim trapped - 0 ./good program'
    done
}

@test "where portshim cannot be executed, the program is started all the same, and noted" {
    cp portshim-stand-in unexecutable
    chmod 644 unexecutable
    for command in "$PWD/nowhere/portshim" "$PWD/unexecutable" "$PWD/there"; do
        told_to "$command"
        # shellcheck disable=SC2016 # expanded by that shell
        run -0 "${in_run[@]}" bash -c '
            program=$1
            for way in "${@:3}"; do
                "$2" "$way" "$program" </dev/null >out 2>&1
                [[ $? == @(7|0) && $(paste -s -d " " out) == "$program child by "* ]] || { echo "$way"; cat out; exit 1; }
            done
            portshim ls "$PORTSHIM_RUN"' - ./shows "$execs" "${ways[@]}"
        assert_output --partial 'not wrapped: shows'
    done
}

@test "an argument list that is too long with portshim's words is handed on without them" {
    with_stand_in
    # The kernel allows a quarter of the stack's limit; both names have the same length.
    cp dynamic dynam
    # shellcheck disable=SC2016
    run -0 bash -c 'ulimit -s 1024; exec "$@"' - "${in_run[@]}" /usr/bin/python3 -c '
import errno, subprocess
def start(program, size):
    try:
        return subprocess.run([program, "x" * 100000, "x" * 100000, "x" * size], stdout=subprocess.DEVNULL).returncode
    except OSError as error:
        assert error.errno == errno.E2BIG, error
low, high = 0, 131000 # a single one may have 128 KiB
while high - low > 1:
    middle = (low + high) // 2
    low, high = (middle, high) if start("./dynam", middle) == 7 else (low, middle)
assert 0 < low < 100000, low
for size in range(low - 200, low + 20, 4):
    assert start("./shows", size) == (7 if size <= low else None), (low, size)'
    told=$(wc -l <portshim-stand-in.told)
    ((told > 0 && told < 50)) || fail "$told" # the others were started plainly
}

@test "a strict run starts through portshim what it refused to start, and refuses it where that is not possible" {
    with_stand_in --strict
    for way in "${ways[@]}"; do
        run "${in_run[@]}" "$execs" "$way" ./shows
        [[ ${output//$'\n'/ } == *"./shows child by "* ]] || fail "$way: $output"
    done
    assert_equal "$(wc -l <portshim-stand-in.told)" "${#ways[@]}"
    told_to "$PWD/nowhere" --strict
    "${in_run[@]}" "$calls" ./shows ./go ./script "$PWD/shows" >refused 2>err
    # posix_spawn() returns EPERM; the shell of system() exits with 126
    refute grep -vE ': (errno became [0-9]+ )?EPERM status 0$|^system .* status 32256$' <(grep -E '^[a-z_]+ [./]' refused)
    assert_equal "$(grep -c EPERM refused)" 48
    if as_root; then
        cp shows privileged
        chown nobody privileged
        chmod 4755 privileged
        with_stand_in --strict
        run -126 "${in_run[@]}" bash -c ./privileged
        tells ''
    fi
}

@test "after chroot a program is started through the portshim that is there, or as it is" {
    as_root || skip 'only root may change its root'
    printf 'int main(void) { return 0; }' | cc -static -x c - -o good
    top=$PWD
    mkdir -p "there$top" there/proc
    cp portshim-stand-in "there$top"
    cp good there
    with_stand_in
    run -0 "${in_run[@]}" "$places" chroot /good
    tells ''
    cd there
    # shellcheck disable=SC2016
    run -0 unshare -m sh -c 'mount -t proc proc proc && exec "$@"' - "${in_run[@]}" "$places" chroot /good
    cd "$top/there$top"
    tells 'portshim trapped - 0 /good program'{,,}
}

@test "a process that cannot see the run's files starts programs through portshim, too" {
    unshare -m true 2>/dev/null || skip 'no mount namespace can be made here'
    with_stand_in
    # shellcheck disable=SC2016
    run -7 "${in_run[@]}" unshare -m bash -c 'mount -t tmpfs none "$PORTSHIM_HOME" && exec env ./shows a b'
    assert_output './shows a b by ./shows'
    tells 'portshim trapped - 0 ./shows ./shows a b'
}

@test "a program that has installed a seccomp filter starts others as they are, unless the run is strict" {
    # Its filter allows everything; that is not looked at.
    printf 'import ctypes, os, sys\nlibc = ctypes.CDLL(None)\n' >filtered.py
    cat >>filtered.py <<'END'
class Filter(ctypes.Structure):
    _fields_ = [("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte), ("k", ctypes.c_uint)]
class Program(ctypes.Structure):
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.POINTER(Filter))]
allow = Filter(6, 0, 0, 0x7fff0000) # BPF_RET, SECCOMP_RET_ALLOW
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, ctypes.byref(Program(1, ctypes.pointer(allow)))) == 0
os.execv(sys.argv[1], sys.argv[1:])
END
    with_stand_in
    run -7 "${in_run[@]}" /usr/bin/python3 filtered.py ./shows
    tells ''
    with_stand_in --strict
    run -7 "${in_run[@]}" /usr/bin/python3 filtered.py ./shows
    tells 'portshim trapped - 0 ./shows ./shows'
}

@test "a program that the library reaches costs its starter one system call, as ever" {
    needs_strace
    with_stand_in
    "${in_run[@]}" strace -f -o trace dash -c './dynamic; ./dynamic; ./dynamic; :' >out
    # Whether the shell's words cross into a page of memory that was not asked about before, the environment decides.
    awk '/madvise/ { next } /execve\("\.\/dynamic"/ { print count[$1]; next } { count[$1]++ }' trace >counts
    # The first program of a kind is looked into. The other call is the shell's.
    assert_equal "$(sed -n '2,$p' counts | sort -u)" 2
    tells ''
}

@test "below a trap, and where the trap is off, programs are started as they are" {
    for option in on off; do
        with_stand_in --trap="$option"
        for way in "${ways[@]}"; do
            run "${in_run[@]}" "$execs" "$way" ./shows
            [[ ${output//$'\n'/ } == *"./shows child by "* ]] || fail "$way: $output"
        done
        tells ''
    done
}

@test "a program of another libc is started through portshim even there: the library in its environment would end it" {
    type -P musl-gcc >/dev/null || skip 'musl-gcc is not installed'
    musl-gcc -o other_libc "$PROGRAMS/shows_itself.c"
    for option in auto on off; do
        with_stand_in --trap="$option"
        run -127 "${in_run[@]}" "$execs" execve ./other_libc # the stand-in leaves the environment as it is
        tells 'portshim trapped - 0 ./other_libc ./other_libc child'
    done
    with_stand_in --strict --trap=off
    run "${in_run[@]}" "$execs" execve ./other_libc
    refute_output --partial other_libc
    tells ''
    for option in auto on off; do
        run -7 portshim run -q -p 8080 --trap="$option" -- sh -c './other_libc 1 2; exit $?'
        assert_output --partial './other_libc 1 2 by ./other_libc'
    done
}
