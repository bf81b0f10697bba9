# Long input is read whole, or causes an error that names it. Text that is cut because it is only for people ends in
# "...".
# shellcheck disable=SC2016 # expanded by the shells that are started
load helper
load network

setup() {
    cd "$(test_dir)"
}

# ports_in_pool: prints the number of ports in the pool.
ports_in_pool() {
    portshim run -c -p 8080 | sed -n 's/^# pool: \([0-9]*\) ports.*/\1/p'
}

# long_path: prints a relative path of 3000 characters.
long_path() {
    printf 'd%.0s' {1..200} >name
    for _ in {1..15}; do
        printf '%s/' "$(<name)"
    done
}

@test "a line of a pool file may be of any length, and so may the blanks in it" {
    unset PORTSHIM_POOL
    seq -s , 20000 20909 >pool
    [[ $(wc -c <pool) -gt 4096 && $(wc -l <pool) == 1 ]]
    export PORTSHIM_POOL_FILE=$PWD/pool
    assert_equal "$(ports_in_pool)" 910
    printf '%5000s20000 %5000s-%5000s20909%5000s# and %9000s' '' '' '' '' '' >pool
    assert_equal "$(ports_in_pool)" 910
}

@test "a port at whatever place of a pool file is that port" {
    make_namespace network
    unset PORTSHIM_POOL
    export PORTSHIM_HOME=$PWD/home # in the suite's, another test may have leased the number
    export PORTSHIM_POOL_FILE=$PWD/pool
    for place in 1019 1020 1021 1022 1023 4090 4091 4092 4093 4094 4095 4096; do
        printf "%*s23456" $((place - 1)) "" >pool
        assert_equal "$place: $(ports_in_pool)" "$place: 1"
        assert_equal "$("${in_network[@]}" portshim pick -q "$BASHPID" 0)" 23456
        portshim release 23456
    done
}

@test "an entry that is wrong is named, wherever it stands, and one that is too long is not read up to there" {
    unset PORTSHIM_POOL
    seq -s , 20000 20909 | sed 's/$/,2x/' >pool
    export PORTSHIM_POOL_FILE=$PWD/pool
    fails_with 'pool, line 1: "2x": not a port or range' portshim run -p 8080 -- true
    { echo 20000 && printf '%0200d' 20001; } >pool
    fails_with 'pool, line 2: "0000000000' portshim run -p 8080 -- true
    [[ $stderr == *'00..."'* ]]
    fails_with '...": the real port is not a port number' portshim run -p "8080=2000$(printf '%0100d' 0)" -- true
}

@test "no port that the administrator has reserved is leased, however many they are" {
    make_namespace network
    unset PORTSHIM_POOL
    PORTSHIM_HOME=$PWD/home
    export PORTSHIM_HOME
    seq -s , 1025 2 65535 >reserved
    [[ $(wc -c <reserved) -gt 180000 ]]
    "${in_network[@]}" sh -c 'dd bs=1M of=/proc/sys/net/ipv4/ip_local_reserved_ports status=none <reserved'
    assert_equal "$("${in_network[@]}" dd bs=1M status=none if=/proc/sys/net/ipv4/ip_local_reserved_ports | wc -c)" "$(wc -c <reserved)"
    run -0 --separate-stderr "${in_network[@]}" portshim pick -n 4000 "$BASHPID" 0
    assert_equal "$(printf '%s\n' "${lines[@]}" | grep -c '[13579]$')" 0
    assert_equal "${#lines[@]}" 4000
}

@test "run -c prints all placeholders that were given" {
    spec=$(seq -s , 2001 2999)
    [[ ${#spec} -gt 4096 ]]
    assert_equal "$(portshim run -c -p "$spec" -p 8080 | head -n 1)" "ports $spec,8080  # option"
}

@test "a message has the whole name and still says why" {
    unset PORTSHIM_POOL
    file=$PWD/$(long_path)none
    fails_with "$file: No such file or directory: name a file" portshim run -p 8080 -m "$file" -- true
    PORTSHIM_POOL_FILE=$file fails_with "$file: No such file" portshim run -p 8080 -- true
    PORTSHIM_POOL_FILE=$file run portshim doctor
    assert_line --partial "$file: No such file"
    fails_with "File name too long" env LD_PRELOAD="$PORTSHIM_LIB" PORTSHIM_RUN="/$(printf '%09000d' 0)" true
    for i in {1..16}; do
        files+=(-m "$file$i.json")
    done
    fails_with 'paths of all map files together are too long' portshim run -p 8080 \
        "${files[@]}" -- true
}

@test "ls has a process's whole command, and shows where a run's own is cut" {
    long=$PWD/$(printf './%.0s' {1..1500})end
    mkdir end
    start server portshim run -p 8080 -m m.json -- /usr/bin/python3 -m http.server 8080 --directory "$long"
    real m.json 8080
    portshim ls --json m.json >ls.json
    assert_equal "$(jq -r '.runs[0].ports[0].processes[0].command' ls.json)" "/usr/bin/python3 -m http.server 8080 --directory $long"
    jq -e '.runs[0].command | endswith("...") and length == 1023' ls.json
    portshim ls m.json | grep -qF "$long"
}

@test "ls says when older records of the log are gone, and when not all that was seen could be noted" {
    make_namespace network
    export PORTSHIM_HOME=$PWD/home
    start server "${in_network[@]}" portshim run -p 8080 -m m.json -- /usr/bin/python3 -c '
import signal, socket
first = socket.create_server(("", 8080))
for port in range(2000, 2700):
    socket.create_server(("", port)).close()
    try: socket.create_server(("", 8080), reuse_port=False)
    except OSError: pass
print("ready", flush=True)
signal.pause()'
    within 20 grep -q ready server.out
    run -0 --separate-stderr portshim ls --log m.json
    assert_equal "${#lines[@]}" 64
    [[ $stderr == 'portshim: warning: '*' older records are gone: '* ]]
    run -0 --separate-stderr "${in_network[@]}" portshim ls m.json
    [[ $stderr == 'portshim: warning: run '*' may be missing: '* ]]
}

@test "with --strict a program is judged in a directory of PATH whose name is long" {
    directory=$PWD/$(long_path)
    mkdir -p "$directory"
    printf 'int main(void) { return 0; }' | gcc -static -x c -o "$directory/static-one" -
    run portshim run -q -p 8080 --strict --trap=off -- "$(type -P env)" "PATH=$directory" \
        "$ROOT/build/tests/exec_calls" static-one
    for way in execvp execvpe execlp posix_spawnp; do
        assert_line --regexp "^$way static-one: (errno became [0-9]+ )?EPERM "
    done
}

@test "each of a host's 400 addresses is its own, also for a program that has no descriptor left" {
    make_namespace network
    export PORTSHIM_HOME=$PWD/home
    for i in {1..400}; do
        echo "address add 10.77.$((i / 200)).$((i % 200))/32 dev lo"
    done | "${in_network[@]}" ip -batch -
    run -0 "${in_network[@]}" portshim run -p 8080 -- /usr/bin/python3 -c '
import os, resource, socket
server = socket.create_server(("", 8080))
client = socket.socket()
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
try:
    while True: os.dup(0)
except OSError: pass
client.connect(("10.77.1.199", 8080))
print("connected")'
    assert_output connected
}

@test "doctor reads behind any number of groups" {
    as_root || skip "only root gives itself groups"
    run portshim doctor
    refute_line --partial no_new_privs
    run /usr/bin/python3 -c '
import ctypes, os
os.setgroups(range(1000, 5000))
ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)
os.execvp("portshim", ["portshim", "doctor"])'
    assert_line --partial 'no_new_privs is set'
}
