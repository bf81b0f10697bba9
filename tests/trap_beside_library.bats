# Programs with the library in them, below a trap (run --trap=on): the library translates what it sees, as without a trap,
# and the trap what gets past it.
load helper
load bare
load loading
load network

raw_calls=$ROOT/build/tests/raw_calls

setup() {
    cd "$(test_dir)"
}

trapped() {
    portshim run --trap=on "$@"
}

leased() {
    [[ ,$PORTSHIM_POOL, == *,$1,* ]] || fail "not of the pool: $1"
}

# supervisor RUN: prints the pid of the run's supervisor: it has a listener for calls, and the run's head mapped.
supervisor() {
    local directory maps
    directory=$(inside "$1" printenv PORTSHIM_RUN)
    while read -r maps; do
        if find "${maps%/maps}/fd" -lname 'anon_inode:seccomp notify' 2>/dev/null | grep -q .; then
            basename "${maps%/maps}"
            return
        fi
    done < <(grep -lsF "$directory/" /proc/[0-9]*/maps)
    return 1
}

@test "what enters the kernel past libc reaches the real port and sees the placeholder" {
    own_pool 4
    for protocol in tcp udp; do
        prints 2 2 -- trapped -p 2 -- "$raw_calls" 2 $protocol
        run -0 trapped -p 2 --reveal -- "$raw_calls" 2 $protocol
        leased "${lines[0]}"
        assert_equal "${lines[1]}" "${lines[0]}"
    done
}

@test "so do libraries that are loaded with RTLD_DEEPBIND or into another namespace, and ls does not call them lost" {
    own_pool 4
    loading_build
    export PORTSHIM_DEEPBIND=keep
    start keeper portshim run --trap=on -p 2 --reveal -n web -- sleep infinity
    within 5 portshim ls web 2>/dev/null
    for way in direct plain deepbind dlsym dlvsym dlmopen; do
        leased "$(portshim run -j web --trap=on -- ./program bind 2 $way)"
    done
    run -0 portshim ls web
    refute_output --partial 'not wrapped'
}

@test "so does another preloaded library behind this one, however it finds the next function" {
    own_pool 4
    loading_build
    for how in 1 2 3 4 5; do
        gcc -D_GNU_SOURCE -DHOW=$how -fPIC -shared -o "other$how.so" "$PROGRAMS/loading/interposer.c" -ldl
        for list in "$PWD/other$how.so:$PORTSHIM_LIB" "$PORTSHIM_LIB:$PWD/other$how.so"; do
            leased "$(trapped -p 2 --reveal -- env LD_PRELOAD="$list" ./program bind 2 direct)"
        done
    done
}

@test "bind, getsockname and getpeername of a program with the library do not wait for the supervisor" {
    mkfifo go
    start server portshim run --trap=on -p 9000 -n run -- /usr/bin/python3 -uc '
import socket
server = socket.create_server(("127.0.0.1", 9000))
client = socket.create_connection(("127.0.0.1", 9000))
print("ready")
open("go").read()
datagrams = socket.socket(type=socket.SOCK_DGRAM)
datagrams.bind(("127.0.0.1", 9000))
print(datagrams.getsockname()[1], client.getpeername()[1])
open("go").read()
socket.create_connection(("127.0.0.1", 9000))
print("connected")'
    within 10 grep -qsx ready server.out
    supervisor=$(supervisor run)
    kill -STOP "$supervisor"
    : >go
    within 10 grep -qsx '9000 9000' server.out
    : >go # a connect waits
    asleep() { [[ $(<"/proc/$pid/syscall") == "42 "* ]] || [[ $(uname -m) != x86_64 ]]; }
    within 10 asleep
    run cat server.out
    refute_line connected
    kill -CONT "$supervisor"
    within 10 grep -qsx connected server.out
}

@test "a program asks once whether it is supervised, before its first socket, and only below a trap" {
    needs_strace
    # shellcheck disable=SC2016 # the inner shell expands it
    command=(strace -f -e 'trace=bind,socket' -o trace sh -c '/bin/true; "$0" 9000' "$ROOT/build/tests/one_bind")
    trapped -p 9000 -- "${command[@]}"
    run awk '/bind\(-1/ || /AF_INET/ { sub(/\(.*/, "", $2); print $2 }' trace
    assert_output $'bind\nsocket\nbind'
    portshim run -p 9000 -- "${command[@]}"
    run -1 grep 'bind(-1' trace
    # The variable comes to a program outside: the kernel answers.
    # shellcheck disable=SC2016 # the inner shell expands it
    start keeper portshim run --trap=on -p 9000 -- sh -c \
        'tr "\0" "\n" <"/proc/$$/environ" | grep -E "^(PORTSHIM_|LD_PRELOAD)" >variables; exec sleep infinity'
    within 10 grep -qs LD_PRELOAD variables
    mapfile -t variables <variables
    env "${variables[@]}" strace -f -e trace=bind -o trace "$ROOT/build/tests/one_bind" 9000
    assert_equal "$(grep -c 'bind(-1.* = -1 EBADF' trace) $(grep -c 'bind([0-9]' trace)" '1 1'
}

@test "an ephemeral port whose number is a placeholder is given under another number, and reached by that" {
    network
    "${in_network[@]}" sh -c 'echo 56378 56381 >/proc/sys/net/ipv4/ip_local_port_range'
    run -0 "${in_network[@]}" portshim run --trap=on -p 56379 -- "$ROOT/build/tests/ephemeral" 56379
    assert_equal "$(grep -c '^4 distinct, 0 are the placeholder, 4 reached$' <<<"$output")" 4
}

@test "bad pointers and lengths are answered as without portshim" {
    export PORTSHIM_TRAP=on
    bare_ports 2
    same_as_bare "$ROOT/build/tests/bad_pointers" libc "${bare_ports[@]}"
}

@test "a program with PORTSHIM=0 is left alone, what gets past the library as well" {
    own_pool 4
    port=$(portshim pick)
    prints "$port" "$port" -- trapped -p "$port" --reveal -- env PORTSHIM=0 "$raw_calls" "$port" tcp
    prints "$port" "$port" -- trapped -p "$port" --reveal -- env PORTSHIM=0 "$raw_calls" "$port" udp
}

@test "a Go program with C in it is served by the trap alone, and its C carries the run into an empty environment" {
    type -P go >/dev/null || skip 'go is not installed'
    (cd "$PROGRAMS/cgo_ports" && CGO_ENABLED=1 go build -o "$OLDPWD/cgo" main.go)
    (cd "$PROGRAMS/cgo_ports" && CGO_ENABLED=1 go build -ldflags -buildid= -o "$OLDPWD/cgo_without_id" main.go)
    own_pool 4
    for program in ./cgo ./cgo_without_id; do
        # one_bind has its marks written to a trace, and to its output
        prints 'go: 2' 'c: 2' 'beginendstarted: 0' -- trapped -p 2 -- $program 2 "$ROOT/build/tests/one_bind"
        run -0 trapped -p 2 --reveal -- $program 2
        leased "${lines[0]#go: }"
        leased "${lines[1]#c: }"
    done
}

@test "libc's own look-ups reach the name server of the run" {
    unshare -m true || skip 'no mount namespace can be made here'
    printf '%s\n' 'nameserver 127.0.0.1' 'options timeout:30' >resolv.conf
    start server portshim run --trap=on -p 53 -n names -- dnsmasq --keep-in-foreground --conf-file=/dev/null \
        --no-resolv --no-hosts --pid-file= --user= --log-facility=- --listen-address=127.0.0.1 --bind-interfaces \
        --host-record=copy.test,192.0.2.7
    real names 53/udp >port
    # -A: also where the host has no address but its loopback ones.
    # shellcheck disable=SC2016 # the inner shell expands it
    run -0 unshare -m sh -c 'mount --bind resolv.conf /etc/resolv.conf && exec "$@"' sh \
        portshim run -j names --trap=on -- getent -A ahostsv4 copy.test
    assert_line --partial 192.0.2.7
}

@test "the library in a program that an emulator runs is not translated once more" {
    emulator=$(type -P "qemu-$(uname -m)") || skip 'there is no qemu-user for this machine'
    own_pool 4
    once=${PORTSHIM_POOL##*,} # a placeholder as well: if the trap translated it, this would be another port
    start server portshim run --trap=on -p "2=$once,$once" -n emulated -- "$emulator" "$(type -P socat)" \
        TCP4-LISTEN:2,bind=127.0.0.1 PIPE
    assert_equal "$(real emulated 2)" "$once"
    run -0 portshim run -j emulated --trap=on -- "$emulator" "$(type -P socat)" -t 60 - TCP4:127.0.0.1:2 <<<hello
    assert_output hello
}

@test "io_uring is refused, so that programs make calls instead, and node serves a placeholder" {
    prints 'Function not implemented' -- trapped -p 8080 -- "$raw_calls" 0 io_uring
    # shellcheck disable=SC2016 # it is JavaScript
    prints '8080 8080 hello' -- trapped -p 8080 -- node -e '
const http = require("http"), server = http.createServer((request, response) => response.end("hello"));
server.listen(8080, "127.0.0.1", () => http.get("http://127.0.0.1:8080/", (response) => {
    const peer = response.socket.remotePort;
    response.on("data", (text) => { console.log(server.address().port, peer, String(text)); process.exit(); });
}));'
}

@test "PHP whose extensions are loaded with RTLD_DEEPBIND serves and reaches its own run" {
    export PORTSHIM_DEEPBIND=keep
    for copy in 0 1; do
        start "$copy" portshim run --trap=on -p 8080 -m "$copy.json" -- php "$PROGRAMS/php_serve.php" "$copy"
    done
    for copy in 0 1; do
        assert_equal "$(socat -t 60 - "TCP4:127.0.0.1:$(real "$copy.json" 8080)" </dev/null)" "$copy 8080"
        # shellcheck disable=SC2016 # it is PHP
        prints "$copy 8080 8080" -- portshim run -j "$copy.json" --trap=on -- php -r '
$socket = socket_create(AF_INET, SOCK_STREAM, SOL_TCP);
socket_connect($socket, "127.0.0.1", 8080);
socket_getpeername($socket, $address, $port);
echo trim(socket_read($socket, 100)), " $port\n";'
    done
}

@test "a 32-bit program with the library is translated once" {
    build_narrow
    gcc -m32 -pthread -D_GNU_SOURCE -O2 -o narrow "$PROGRAMS/ephemeral.c"
    network
    "${in_network[@]}" sh -c 'echo 56378 56381 >/proc/sys/net/ipv4/ip_local_port_range'
    run -0 env PORTSHIM_LIB="$PWD/build/libportshim.so" "${in_network[@]}" build/portshim run --trap=on -p 56379 -- \
        ./narrow 56379
    assert_equal "$(grep -c '^4 distinct, 0 are the placeholder, 4 reached$' <<<"$output")" 4
}
