# What a run publishes: map files and the command's environment; and port specifications.
load helper

setup() {
    cd "$(test_dir)"
    own_pool 24
    IFS=, read -ra real_ports <<<"$PORTSHIM_POOL"
}

# Binds TCP and UDP sockets to a port, prints the ports that getsockname() gives, and keeps running.
binder='
import signal, socket, sys
port, kinds = int(sys.argv[1]), sys.argv[2].split(",")
held = []
for kind in kinds:
    s = socket.socket(socket.AF_INET, {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}[kind])
    s.bind(("127.0.0.1", port))
    if kind == "tcp":
        s.listen()
    held.append(s)
    print(kind, s.getsockname()[1], flush=True)
print("ready", flush=True)
signal.pause()'

# bind NAME PORT KINDS OPTION...: starts a binder in a new run and waits until it is ready.
bind() {
    local name=$1 port=$2 kinds=$3
    shift 3
    start "$name" portshim run "$@" -- /usr/bin/python3 -c "$binder" "$port" "$kinds"
    within 10 grep -qs ready "$name.out"
}

# holds PID tcp|udp PORT: whether the process has such a socket on this port, as the kernel sees it.
holds() {
    local option=-t
    [[ $2 == tcp ]] || option=-u
    ss -Hlnp "$option" "sport = $3" | grep -q "pid=$1,"
}

# keep OPTION...: starts a run that does nothing; its pid is in $keeper. When its command is there, all map files are.
keep() {
    start keeper portshim run "$@" -- sleep infinity
    keeper=$pid
    within 5 is_program "$keeper" sleep
}

@test "a .json map file names the run, its process and every port" {
    keep -p 80,53/udp,443/tcp -m m.json
    assert_equal "$(jq .pid m.json)" "$keeper"
    test -d "$(jq -r .run m.json)"
    assert_equal "$(jq -c '[.ports[] | [.placeholder, .protocols]]' m.json)" \
        '[[53,["udp"]],[80,["tcp","udp"]],[443,["tcp"]]]'
    assert_equal "$(jq '.ports[].real' m.json)" "$(portshim port m.json 53 80 443)"
    assert_equal "$(jq '.ports[].real' m.json | sort -u | wc -l)" 3
}

@test "a .env map file can be sourced" {
    keep -p 80,443 -m m.env
    assert_equal "$(sed 1d m.env | grep -Evc '^[A-Z_0-9]+=[^ ]+$')" 0
    # shellcheck source=/dev/null
    source ./m.env
    assert_equal "$PORTSHIM_PORT_80 $PORTSHIM_PORT_443" "$(portshim port "$PORTSHIM_RUN" 80 443 | paste -sd ' ')"
}

# The shell's run has told its own secret in another variable, which a .env file knows nothing of.
@test "what a program of one run finds in the .env file of another puts it into that other run" {
    keep -p 8080 -m m.env
    for ending in '' / //; do
        # shellcheck disable=SC2016 # expanded there
        run -0 --separate-stderr portshim run --reveal -p 8080 -- sh -c '
            echo "$PORTSHIM_PORT_8080"; set -a; . ./m.env; PORTSHIM_RUN=$PORTSHIM_RUN$1
            exec /usr/bin/python3 -c "$2" m' sh "$ending" '
import os, socket
s = socket.socket()
s.bind(("127.0.0.1", 8080))
s.listen()
inode = str(os.fstat(s.fileno()).st_ino)
print([int(words[1].split(":")[1], 16) for words in map(str.split, open("/proc/net/tcp")) if words[9] == inode][0])'
        assert_not_equal "${lines[0]}" "$(portshim port m.env 8080)"
        assert_equal "${lines[1]}" "$(portshim port m.env 8080)"
    done
    stop "$keeper"
    within 10 gone "$keeper"
    for ending in '' /; do
        fails_with 'the run has ended' env PORTSHIM_RUN="$PORTSHIM_HOME/runs/aaaaaaaaaaaaaa$ending" LD_PRELOAD="$PORTSHIM_LIB" \
            PORTSHIM_COMPACT='2 0123456789abcdef0123456789abcdef 8080=34567' true
    done
}

@test "a map file with any other ending has a line for each port" {
    keep -p 80,443 -m ports.txt -m .json -m .env
    assert_equal "$(sed 1d ports.txt)" "$(paste -d ' ' <(printf '80\n443\n') <(portshim port ports.txt 80 443))"
    [[ $(head -n 1 ports.txt) == '# portshim /'*/runs/* ]]
}

@test "several map files of one run agree" {
    keep -p 80-89 -m a.json -m b.json -m c.env -m d -m 'with a space.json'
    cmp a.json b.json
    cmp a.json 'with a space.json'
    assert_equal "$(sed -n 's/^PORTSHIM_PORT_.*=//p' c.env)" "$(jq '.ports[].real' a.json)"
    assert_equal "$(sed 1d d)" "$(jq -r '.ports[] | "\(.placeholder) \(.real)"' a.json)"
    assert_equal "$(sed -n 's/^PORTSHIM_RUN=//p' c.env)" "$(jq -r .run a.json)"
    assert_equal "$(sed -n 's/^# portshim //p' d)" "$(jq -r .run a.json)"
}

@test "the map file is there before the command starts, and stays when it has ended" {
    portshim run -p 80 -m m.json -- cat m.json >seen
    cmp seen m.json
    jq -e '.ports[0].placeholder == 80' m.json
    assert_equal "$(find . -name '*.portshim-*')" ''
}

@test "a map file is written as the umask says, and its draft is nowhere" {
    umask 027
    portshim run -p 80 -m m.json -- ls -A >seen
    assert_equal "$(stat -c %a m.json)" 640
    assert_equal "$(grep -c m.json seen)" 1
}

@test "a map file that is rewritten two hundred times is never seen half written" {
    own_pool 1100
    portshim run -p 80-84 -m m.json -- true
    start reader /usr/bin/python3 -c '
import json, os
count = 0
while not os.path.exists("enough"):
    with open("m.json") as f:
        assert [p["placeholder"] for p in json.load(f)["ports"]] == [80, 81, 82, 83, 84]
    count += 1
    if count == 1:
        print("reading", flush=True)
print(count)'
    within 5 grep -q reading reader.out
    seq 200 | xargs -P 2 -I{} portshim run -p 80-84 -m m.json -- true
    touch enough
    within 5 gone "$pid"
    wait "$pid"
    (($(tail -n 1 reader.out) > 200))
}

@test "the environment has the run, its ports and what the library needs, and nothing else" {
    env | sed 's/=.*//' | sort >before
    portshim run -p 80,443 -n web -m m.json -- env >environment
    assert_equal "$(sed 's/=.*//' environment | sort | comm -13 before - | paste -sd ' ')" \
        'LD_PRELOAD PORTSHIM_COMPACT PORTSHIM_PORT_443 PORTSHIM_PORT_80 PORTSHIM_RUN'
    assert_equal "$(sed 's/=.*//' environment | sort | comm -23 before -)" ''
    grep -Fx "PORTSHIM_RUN=$(jq -r .run m.json)" environment
    grep -Fx "PORTSHIM_PORT_443=$(jq '.ports[1].real' m.json)" environment
    grep -Fx "LD_PRELOAD=$PORTSHIM_LIB" environment
}

@test "libraries that were preloaded before stay, ours first" {
    cp "$PORTSHIM_LIB" other.so
    # Our library comes first in the list, others behind it.
    LD_PRELOAD='' portshim run -p 80 -- printenv LD_PRELOAD >first
    assert_equal "$(cat first)" "$PORTSHIM_LIB"
    assert_equal "$(LD_PRELOAD=libm.so.6 portshim run -p 80 -- printenv LD_PRELOAD)" "$PORTSHIM_LIB:libm.so.6"
    # The static command, also where another build is tested: a dynamic one would be preloaded itself.
    assert_equal "$(LD_PRELOAD="$PORTSHIM_LIB:libm.so.6" "$ROOT/build/portshim" run -p 80 -- printenv LD_PRELOAD)" \
        "$PORTSHIM_LIB:libm.so.6"
}

@test "each port of a range has a real port of its own" {
    portshim run -p 80-84,90 -p 100-101 -m m.json -- true
    assert_equal "$(jq -c '[.ports[].placeholder]' m.json)" '[80,81,82,83,84,90,100,101]'
    assert_equal "$(jq '.ports[].real' m.json | sort -u | wc -l)" 8
    jq '.ports[].real' m.json | grep -Fxvf <(printf '%s\n' "${real_ports[@]}") && fail 'not of the pool'
    :
}

@test "a TCP placeholder leaves UDP sockets alone" {
    placeholder=${real_ports[0]}
    bind server "$placeholder" tcp,udp -p "$placeholder/tcp" -m m
    holds "$pid" udp "$placeholder"
    refute holds "$pid" tcp "$placeholder"
    holds "$pid" tcp "$(portshim port m "$placeholder")"
    assert_equal "$(cat server.out)" "$(printf '%s\n' "tcp $placeholder" "udp $placeholder" ready)"
}

@test "a UDP placeholder leaves TCP sockets alone" {
    placeholder=${real_ports[0]}
    bind server "$placeholder" tcp,udp -p "$placeholder/udp" -m m
    holds "$pid" tcp "$placeholder"
    refute holds "$pid" udp "$placeholder"
    holds "$pid" udp "$(portshim port m "$placeholder")"
    assert_equal "$(cat server.out)" "$(printf '%s\n' "tcp $placeholder" "udp $placeholder" ready)"
}

@test "a placeholder without a protocol has one real port for both" {
    bind server 80 tcp,udp -p 80 -m m
    holds "$pid" tcp "$(portshim port m 80)"
    holds "$pid" udp "$(portshim port m 80)"
    assert_equal "$(cat server.out)" "$(printf '%s\n' 'tcp 80' 'udp 80' ready)"
}

@test "a real port that is given is the one that is used" {
    given=${real_ports[5]}
    bind server 80 tcp -p "80=$given,81" -m m
    assert_equal "$(portshim port m 80)" "$given"
    holds "$pid" tcp "$given"
    refute [ "$(portshim port m 81)" = "$given" ]
}

@test "a port may be its own real port" {
    given=${real_ports[5]}
    bind server "$given" tcp -p "$given=$given" -m m
    assert_equal "$(portshim port m "$given")" "$given"
    holds "$pid" tcp "$given"
}

@test "what is excluded is not a placeholder, wherever the exclusion stands" {
    portshim run -p '80-84,!82' -p '!83' -m m.json -- true
    assert_equal "$(jq -c '[.ports[].placeholder]' m.json)" '[80,81,84]'
    portshim run -p '!82-84' -p 80-84,84/udp -m m.json -- true
    assert_equal "$(jq -c '[.ports[].placeholder]' m.json)" '[80,81]'
    portshim run -p '80,443,!443/udp' -m m.json -- true
    assert_equal "$(jq -c '[.ports[].protocols | length]' m.json)" '[2,1]'
}

@test "of all ports, what is excluded stays as it is and the rest gets a real port when it is bound" {
    excluded=${real_ports[0]}
    bind server "$excluded" tcp -p "all,!$excluded" -m m.json
    holds "$pid" tcp "$excluded"
    start other portshim run -j m.json -- /usr/bin/python3 -c "$binder" 80 tcp
    holds "$pid" tcp "$(real m.json 80)"
}

@test "who joins with -p adds placeholders, and those that were there keep their real ports" {
    keep -p 80 -m m.json -m m.env -m m
    before=$(portshim port m 80)
    portshim run -j m.json -p 80-81,443/tcp -- env >environment
    grep -Fx "PORTSHIM_PORT_80=$before" environment
    assert_equal "$(portshim port m 80)" "$before"
    assert_equal "$(jq -c '[.ports[] | [.placeholder, .protocols]]' m.json)" \
        '[[80,["tcp","udp"]],[81,["tcp","udp"]],[443,["tcp"]]]'
    assert_equal "$(grep PORT_ environment | sort)" "$(grep PORT_ m.env | sort)"
    assert_equal "$(sed 1d m)" "$(jq -r '.ports[] | "\(.placeholder) \(.real)"' m.json)"
    start server portshim run -j m -- /usr/bin/python3 -c "$binder" 81 tcp
    holds "$pid" tcp "$(real m 81)"
}

@test "a placeholder that is added reaches the processes that run already" {
    mkfifo go
    start server portshim run -p 80 -m m -- /usr/bin/python3 -c "print('up', flush=True); open('go').read()
$binder" 81 tcp
    within 5 grep -qs up server.out
    portshim run -j m -p 81 -- true
    echo >go
    holds "$pid" tcp "$(real m 81)"
}

@test "when several add the same placeholders at once, each gets one real port" {
    own_pool 1100
    keep -p 80 -m m.json
    for ports in 1-79 100-499 500-999; do
        joiners=()
        for i in 1 2 3 4; do
            portshim run -j m.json -p "$ports" -- printenv PORTSHIM_COMPACT >"$i" 3>&- &
            joiners+=($!)
        done
        for joiner in "${joiners[@]}"; do
            wait "$joiner"
        done
        for i in 1 2 3 4; do
            assert_equal "$(tr ' ' '\n' <"$i" | sed -n 's/[-=].*//p' | sort | uniq -d)" ''
            cmp 1 "$i"
        done
    done
    assert_equal "$(jq '.ports | length' m.json)" 980
}

@test "ports of the environment are not added to a run that is joined" {
    keep -p 80 -m m.json
    PORTSHIM_PORTS=81 portshim run -j m.json -- true
    assert_equal "$(jq '.ports | length' m.json)" 1
}

@test "the program sees its placeholder, and with --reveal its real port" {
    bind server 80 tcp,udp -p 80 -m m
    assert_equal "$(cat server.out)" "$(printf '%s\n' 'tcp 80' 'udp 80' ready)"
    bind revealed 80 tcp,udp --reveal -p 80 -m r
    port=$(portshim port r 80)
    assert_equal "$(cat revealed.out)" "$(printf '%s\n' "tcp $port" "udp $port" ready)"
}

@test "-v says what will be rewritten, and without it nothing is said" {
    run --separate-stderr portshim run -v -p '80,53/udp' -m m.json -- echo command
    assert_equal "$output" command
    assert_equal "${stderr_lines[0]}" "portshim: run $(jq -r .run m.json)"
    assert_equal "${stderr_lines[1]}" "portshim: $(type -P echo): wrapped by the library"
    assert_equal "${stderr_lines[2]}" "portshim: 53/udp -> $(jq '.ports[0].real' m.json)"
    assert_equal "${stderr_lines[3]}" "portshim: 80 -> $(jq '.ports[1].real' m.json)"
    run --separate-stderr portshim run -p 80 -- echo command
    assert_equal "$output$stderr" command
}

@test "a program that will not be rewritten is warned of, unless -q is given" {
    echo 'int main(void) { return 0; }' | cc -static -x c - -o static
    run --separate-stderr portshim run --trap=off -p 80 -- ./static
    assert_success
    assert_equal "${#stderr_lines[@]}" 1
    [[ $stderr == 'portshim: warning: '*'statically linked'* ]]
    run --separate-stderr portshim run -q --trap=off -p 80 -- ./static
    assert_equal "$stderr" ''
    run --separate-stderr portshim run -p 80 -- ./static
    assert_equal "$status $stderr" '0 '
    # Nobody is warned that portshim, which starts the inner run, is static: it binds nothing.
    run --separate-stderr portshim run -p 80 -- portshim run -p 81 -- true
    assert_equal "$stderr" ''
    PORTSHIM=0 run --separate-stderr portshim run -p 80 -- true
    [[ $stderr == 'portshim: warning: PORTSHIM=0 is set: '* ]]
}

@test "PORTSHIM_PORTS names the placeholders where -p does not" {
    PORTSHIM_PORTS=80,443 portshim run -m m.json -- true
    assert_equal "$(jq -c '[.ports[].placeholder]' m.json)" '[80,443]'
    PORTSHIM_PORTS=80,443 portshim run -p 81 -m m.json -- true
    assert_equal "$(jq -c '[.ports[].placeholder]' m.json)" '[81]'
}

@test "a map file may be given twice, in two spellings" {
    run portshim run -p 80 -m m.json -m ./m.json -- true
    assert_success
    assert_equal "$(jq -c '[.ports[].placeholder]' m.json)" '[80]'
    assert_equal "$(find . -name 'm.json*')" ./m.json
}

@test "map files are put into their places in the order in which they are named" {
    needs_strace
    strace -o renames -e 'trace=/^rename' portshim run -p 80 -m b.json -m a -m c.env -- true
    assert_equal "$(sed -nE "s|.*\"$PWD/([^\"]*)\".* = 0|\1|p" renames | xargs)" 'b.json a c.env'
}

is_other() {
    [[ $(<"$1") != "$2" ]]
}

@test "a run whose map file a later run has taken over leaves it alone when it gets more ports" {
    start first portshim run -n "first-$$" -p 80 -m m.env -- sleep infinity
    within 10 test -e m.env
    first=$(<m.env)
    start second portshim run -p 80 -m m.env -- sleep infinity
    within 10 is_other m.env "$first"
    second=$(<m.env)
    portshim run -j "first-$$" -p 81 -- true
    assert_equal "$(portshim port "first-$$" 81 | wc -l)" 1
    assert_equal "$(<m.env)" "$second"
}
