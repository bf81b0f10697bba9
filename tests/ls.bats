# portshim ls: which runs there are, which ports they have, and which processes use these.
load helper
load nginx
load network
load terminal

setup() {
    cd "$(test_dir)"
    own_pool 40
}

# start_keeper: starts a run that does nothing; its pid is in $keeper. When its command is there, all map files are.
start_keeper() {
    start keeper portshim run -p 80-81,443/tcp,53/udp -n web -m m.json -m m -- sleep infinity
    keeper=$pid
    within 5 is_program "$keeper" sleep
}

# listen NAME ADDRESS: starts a server in the keeper's run.
listen() {
    start "$1" portshim run -j web -- socat "$2" /dev/null
}

# field NAME PLACEHOLDER: prints a field of a port of the keeper's run.
field() {
    portshim ls --json web | jq -r ".runs[0].ports[] | select(.placeholder == $2).$1"
}

has_state() {
    [[ $(field state "$1") == "$2" ]]
}

@test "nothing is listed where nothing runs" {
    run -0 portshim ls
    assert_output ''
    run -0 portshim ls --json
    assert_output '{"runs":[]}'
}

@test "a run is listed with its name, command and age, and its ports with their real ones and leases" {
    start_keeper
    run -0 portshim ls
    assert_line --index 0 --regexp '^RUN +AGE +COMMAND$'
    assert_line --index 1 --regexp '^  PORT +REAL +STATE +LEASE +PID +COMMAND$'
    assert_line --index 2 --regexp '^web +[0-9]+s  sleep infinity$'
    assert_line --index 3 --regexp "^  53/udp +$(portshim port web 53) +assigned +own +- +-$"
    assert_line --index 4 --regexp "^  80 +$(portshim port web 80) +assigned +own +- +-$"
    assert_line --index 6 --regexp "^  443/tcp +$(portshim port web 443) +assigned +own +- +-$"
    assert_equal "${#lines[@]}" 7
    portshim ls --json >ls.json
    valid ls.json
    assert_equal "$(jq -c '.runs[0] | [.name, .command, .pid, .ending, .outer, .files]' ls.json)" \
        "[\"web\",\"sleep infinity\",$keeper,false,null,[\"$PWD/m.json\",\"$PWD/m\"]]"
    assert_equal "$(jq -r .runs[0].run ls.json)" "$(jq -r .run m.json)"
    assert_equal "$(jq -c '[.runs[0].ports[] | [.placeholder, .protocols, .state, .lease]]' ls.json)" \
        '[[53,["udp"],"assigned","own"],[80,["tcp","udp"],"assigned","own"],[81,["tcp","udp"],"assigned","own"],[443,["tcp"],"assigned","own"]]'
}

@test "a living run whose files cannot be opened is not listed, which is said" {
    unshare -m true 2>/dev/null || skip 'no mount namespace can be made here'
    start_keeper
    # shellcheck disable=SC2016 # the shell that is meant expands it
    run -0 --separate-stderr unshare -m sh -ec 'mount --bind "$1" "$1"; mount -o remount,ro,bind "$1"; exec portshim ls' \
        sh "$PORTSHIM_HOME"
    assert_output ''
    assert_equal "$stderr" "portshim: warning: run $(basename "$(jq -r .run m.json)") is not listed: Read-only file system: \
let this user read and write its files"
}

@test "one run is listed by its name, its directory and its map file, and without a name by its number" {
    start_keeper
    start other portshim run -p 80 -m other.json -- sleep infinity
    within 5 test -e other.json
    for run in web m.json m "$(jq -r .run m.json)"; do
        assert_equal "$(portshim ls --json "$run" | jq -r '.runs[].name')" web
    done
    id=$(jq -r .run other.json)
    assert_equal "$(portshim ls other.json | awk 'NR == 3 { print $1 }')" "${id##*/}"
    assert_equal "$(portshim ls --json | jq -c '[.runs[].name]')" '["web",null]'
    run -125 portshim ls nobody
    assert_output 'portshim: run nobody: no such run: name a run, its directory or its map file'
}

@test "a port is assigned, then listening, with its process, then gone" {
    start_keeper
    assert_equal "$(field state 80)" assigned
    listen server TCP-LISTEN:80
    real web 80
    assert_equal "$(field state 80)" listening
    assert_equal "$(field 'in_use | join(" ")' 80)" tcp
    assert_equal "$(field 'processes[0] | "\(.pid) \(.program) \(.command)"' 80)" "$pid socat socat TCP-LISTEN:80 /dev/null"
    run -0 portshim ls web
    assert_line --regexp "^  80 +$(portshim port web 80) +listening +own +$pid +socat TCP-LISTEN:80 /dev/null$"
    stop "$pid"
    assert_equal "$(field state 80)" gone
    assert_equal "$(field processes 80)" '[]'
}

@test "a UDP port is bound, and so is a TCP port before it listens" {
    start_keeper
    listen datagrams UDP-RECVFROM:53,fork
    real web 53
    assert_equal "$(field state 53)" bound
    assert_equal "$(field 'in_use | join(" ")' 53)" udp
    kernel=$(uname -r)
    [[ $(printf '6.8\n%s\n' "$kernel" | sort -V | head -n 1) == 6.8 ]] || skip "Linux $kernel does not tell of such sockets"
    start bound portshim run -j web -- /usr/bin/python3 -c '
import signal, socket
s = socket.socket()
s.bind(("127.0.0.1", 80))
signal.pause()'
    within 10 has_state 80 bound
    assert_equal "$(field 'in_use | length' 80)" 0
    assert_equal "$(field 'processes[0].pid' 80)" "$pid"
}

@test "looking binds no port of a run, so that a server which starts meanwhile gets its own" {
    type -P strace || skip "strace is not installed"
    strace -o trace true 2>strace.err || skip "strace may not trace: $(tail -n 1 strace.err)"
    start_keeper
    listen server TCP-LISTEN:80
    real web 80
    for words in '' web --json '-q web 80'; do
        # shellcheck disable=SC2086 # several words
        ASAN_OPTIONS=${ASAN_OPTIONS-}:detect_leaks=0 strace -f -o trace portshim ls $words # a leak check and strace cannot both trace a process
        grep -q 'socket(AF_NETLINK' trace
        refute grep 'bind(.*AF_INET' trace
    done
}

@test "-q prints the process that listens, for kill, and 1 tells that there is none" {
    start_keeper
    run -1 portshim ls -q web 80
    assert_output ''
    listen server TCP-LISTEN:80
    real web 80
    run -0 portshim ls -q web 80
    assert_output "$pid"
    run -0 portshim ls -q web 80,81,443
    assert_output "$pid"
    server=$pid
    kill "$(portshim ls -q web 80)"
    within 5 gone "$server"
    run -1 portshim ls -q web 80
}

@test "-q tells the process of one protocol from that of the other" {
    start_keeper
    listen stream TCP-LISTEN:80
    stream=$pid
    listen datagrams UDP-RECVFROM:80,fork
    real web 80/tcp 80/udp
    assert_equal "$(portshim ls -q web 80/tcp)" "$stream"
    assert_equal "$(portshim ls -q web 80/udp)" "$pid"
    assert_equal "$(portshim ls -q web 80)" "$(printf '%s\n' "$stream" "$pid" | sort -n)"
}

@test "-q refuses a port that is no placeholder of the run" {
    start_keeper
    for port in 82 443/udp 53/tcp; do
        run -125 portshim ls -q web "$port"
        assert_output "portshim: web, port ${port%/*}: not a placeholder of this run: see portshim ls"
    done
}

@test "all processes that have the socket are named, and all sockets of a port are seen" {
    nginx_copy one "127.0.0.1:8080 reuseport"
    sed -i 's/worker_processes 2/worker_processes 4/' one/nginx.conf
    nginx_start one
    master=$pid
    real one.json 8080
    within 10 has_workers "$master" 4
    portshim ls --json one.json >ls.json
    assert_equal "$(jq -r '.runs[0].ports[0].processes[].pid' ls.json)" \
        "$({ echo "$master"; pgrep -P "$master"; } | sort -n)"
    assert_equal "$(portshim ls -q one.json 8080)" "$({ echo "$master"; pgrep -P "$master"; } | sort -n)"
    run -0 portshim ls one.json
    # The lowest pid is shown. It is the master's, unless the kernel has begun with low numbers again meanwhile.
    lowest=$({ echo "$master"; pgrep -P "$master"; } | sort -n | head -n 1)
    title=master
    [[ $lowest == "$master" ]] || title=worker
    assert_line --regexp "^  8080 +[0-9]+ +listening +own +$lowest \+4 +nginx: $title process"
}

@test "a hundred processes with a socket each on one port are all found" {
    start server portshim run -p 80 -m m.json -- /usr/bin/python3 -c '
import os, signal, socket
for i in range(100):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    s.bind(("127.0.0.1", 80))
    s.listen()
    if os.fork() == 0:
        signal.pause()
    s.close()
print("ready", flush=True)
signal.pause()'
    within 20 grep -qsx ready server.out
    pgrep -P "$pid" | sort -n >children
    portshim ls -q m.json 80 | diff children -
    xargs kill <children
}

@test "a run inside of another has the outer one's ports, and says whose leases they are" {
    start outer portshim run -p 80 -n outer -- portshim run -p 81 -n inner -m m.json -- socat TCP-LISTEN:80 /dev/null
    real outer 80
    portshim ls --json inner >ls.json
    valid ls.json
    assert_equal "$(jq -c '[.runs[0].ports[] | [.placeholder, .state, .lease]]' ls.json)" \
        '[[80,"listening","outer"],[81,"assigned","own"]]'
    assert_equal "$(portshim ls -q inner 80)" "$(portshim ls -q outer 80)"
    assert_equal "$(jq -r .runs[0].outer ls.json)" "$(portshim ls --json outer | jq -r .runs[0].run)"
}

@test "a run of another network namespace is listed, and nothing is made up about its ports" {
    make_namespace other
    start keeper "${in_other[@]}" portshim run -p 80 -n there -m m.json -- socat TCP-LISTEN:80 /dev/null
    "${in_other[@]}" portshim wait -t 60 there 80
    run -0 portshim ls
    assert_line --regexp '^  80 +[0-9]+ +unknown +own +- +-$'
    assert_line --partial 'in another network namespace'
    fails_with 'the run is in another network namespace' portshim ls -q there 80
    run -0 "${in_other[@]}" portshim ls
    assert_line --regexp '^  80 +[0-9]+ +listening +own +[0-9]+ +socat'
}

@test "a program of the run that cannot be wrapped is named, with its reason and a remedy" {
    busybox=$(type -P busybox) || skip "busybox-static is not installed"
    # shellcheck disable=SC2016 # expanded inside
    start server portshim run --trap=off -p 80 -n web -m m.json -- bash -c '"$1" true; exec sleep infinity' - "$busybox"
    within 10 is_program "$pid" sleep
    run -0 portshim ls
    assert_line '  not wrapped: busybox: statically linked, and the trap is off: use --trap=auto'
    portshim ls --json >ls.json
    valid ls.json
    assert_equal "$(jq -c '.runs[0].not_wrapped' ls.json)" \
        '[{"program":"busybox","in_part":false,"reason":"statically linked, and the trap is off","remedy":"use --trap=auto"}]'
}

@test "a command that cannot be wrapped itself is named as well" {
    webhook=$(type -P webhook) || skip "webhook, a Go server, is not installed"
    start server portshim run --trap=off -p 9000 -n web -- "$webhook" -nopanic -ip 127.0.0.1 -port "${PORTSHIM_POOL##*,}"
    within 10 is_program "$pid" webhook
    assert_equal "$(portshim ls --json web | jq -c '.runs[0].not_wrapped')" \
        '[{"program":"webhook","in_part":false,"reason":"a Go program, and the trap is off","remedy":"use --trap=auto"}]'
    assert_equal "$(portshim ls --json web | jq -c '[.runs[0].ports[].state]')" '["assigned"]'
}

@test "a fixed port that is bound and not listed is named, with a remedy" {
    start server portshim run -p 80 -n web -- /usr/bin/python3 -c '
import signal, socket, sys
s = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("ready", flush=True)
signal.pause()' "${PORTSHIM_POOL##*,}"
    within 10 grep -qsx ready server.out
    run -0 portshim ls
    assert_line --regexp "^  not listed: ${PORTSHIM_POOL##*,}: bound by python3.*: add -p ${PORTSHIM_POOL##*,}$"
    portshim ls --json >ls.json
    valid ls.json
    assert_equal "$(jq -c '.runs[0].not_listed[0] | [.port, .bound]' ls.json)" "[${PORTSHIM_POOL##*,},true]"
}

# is_swept RUN_DIRECTORY: whether the directory is gone.
is_swept() {
    portshim ls >/dev/null
    [[ ! -e $1 ]]
}

@test "a dead run is swept, and not listed" {
    start_keeper
    directory=$(jq -r .run m.json)
    stop "$keeper" KILL
    within 10 is_swept "$directory"
    run -0 portshim ls
    assert_output ''
    fails_with 'run web: no such run' portshim ls web
}

@test "--log tells who attached, what was assigned late and what was refused" {
    start server portshim run -p all -m m.json -- /usr/bin/python3 -c '
import signal, socket
s = socket.create_server(("127.0.0.1", 8080))
try:
    socket.create_server(("127.0.0.1", 8080))
except OSError:
    print("ready", flush=True)
signal.pause()'
    within 10 grep -qsx ready server.out
    run -0 portshim ls --log m.json
    assert_line --regexp "^ +[0-9.]+  pid $pid +attached$"
    assert_line --regexp "pid $pid +late assignment: 8080 -> [0-9]+$"
    assert_line --regexp "pid $pid +refused: 8080 -> [0-9]+: Address already in use$"
}

# start_ten: starts ten different servers, each with its usual command and default port.
start_ten() {
    local user=() name memcached=()
    name=$(id -un)
    if as_root; then
        user=(setpriv --reuid nobody --regid nogroup --clear-groups)
        name=nobody
        memcached=(-u nobody)
    fi
    nginx_copy nginx 8080
    nginx_command nginx
    printf '127.0.0.1:9000 stream tcp nowait %s /bin/cat cat\n' "$name" >inetd.conf
    start redis portshim run -p 6379 -n redis -- redis-server --port 6379 --save '' --appendonly no
    start nginx portshim run -p 8080 -n nginx -- "${nginx[@]}"
    start memcached portshim run -p 11211 -n memcached -- memcached -p 11211 "${memcached[@]}"
    start python portshim run -p 8000 -n python -- /usr/bin/python3 -m http.server 8000
    start node portshim run -p 3000 -n node -- node -e 'require("net").createServer().listen(3000)'
    start socat portshim run -p 7000 -n socat -- socat TCP-LISTEN:7000,fork /dev/null
    start dnsmasq portshim run -p 53 -n dnsmasq -- dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv \
        --no-hosts --pid-file= --user= --log-facility=- --listen-address=127.0.0.1 --bind-interfaces
    start iperf3 portshim run -p 5201 -n iperf3 -- iperf3 -s
    start inetd portshim run -p 9000 -n inetd -- "${user[@]}" inetd -i inetd.conf
    start activate portshim run -p 9001 -n activate -- systemd-socket-activate -l 127.0.0.1:9001 --accept --inetd cat
    ten=(redis 6379 nginx 8080 memcached 11211 python 8000 node 3000 socat 7000 dnsmasq 53 iperf3 5201 inetd 9000
        activate 9001)
}

@test "ten different servers make a table of 80 columns, and JSON as the schema says" {
    start_ten
    for ((i = 0; i < 20; i += 2)); do
        real "${ten[i]}" "${ten[i + 1]}/tcp" # dnsmasq has UDP's port first
    done
    COLUMNS=80 portshim ls >table
    cat table
    (($(widest table) <= 80))
    refute grep -q '[[:cntrl:]]' table
    in_terminal 80 portshim ls >table_there
    (($(widest table_there) <= 80))
    assert_equal "$(wc -l <table)" 22
    for ((i = 0; i < 20; i += 2)); do
        grep -qE "^${ten[i]} +[0-9]+s  [a-z/]" table
        grep -qE "^  ${ten[i + 1]} +$(portshim port "${ten[i]}" "${ten[i + 1]}") +listening +own +[1-9]" table
    done
    portshim ls --json >ls.json
    valid ls.json
    jq -r '.runs[] | .name as $name | .ports[] | "\($name) \(.placeholder)"' ls.json | sort >listed
    printf '%s %s\n' "${ten[@]}" | sort | diff listed -
    assert_equal "$(jq '[.runs[].ports[] | select(.processes == [])] | length' ls.json)" 0
}

@test "no line is longer than a terminal of 40 columns, whatever a program is called" {
    name=$(printf 'n%.0s' {1..64})
    start odd portshim run -p 80 -n "$name" -m m -- sh -c 'exec sleep infinity' \
        $'\e[31m\a\tline\nbreak \xff\xc2\x9b31m' 中文字 "$(printf 'x%.0s' {1..2000})"
    within 5 test -e m
    COLUMNS=40 portshim ls >table
    (($(widest table) <= 40))
    in_terminal 40 portshim ls >table
    (($(widest table) <= 40))
    portshim ls >table
    refute grep -aqP '[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' table
    iconv -f UTF-8 -t UTF-8 table >same
    grep -qE "^$name +[0-9]+s  sh -c exec sleep infinity \?\[31m\?\?line\?break \?\?31m 中文字 x+\.\.\.$" same
    portshim ls --json >ls.json
    valid ls.json
    refute grep -aqP '[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' ls.json
    assert_equal "$(jq -r '.runs[0].name' ls.json)" "$name"
    jq -e '.runs[0].command | contains("\u001b[31m\u0007\tline\nbreak \ufffd\u009b31m 中文字 xxx")' ls.json
}

@test "a thousand placeholders are listed" {
    unset PORTSHIM_POOL
    start many portshim run -p 1-1000 -m m -- sleep infinity
    within 10 test -e m
    portshim ls --json m >ls.json
    valid ls.json
    assert_equal "$(jq -r '.runs[0].ports[] | "\(.placeholder) \(.real)"' ls.json | cksum)" "$(grep -v '#' m | cksum)"
    assert_equal "$(portshim ls m | wc -l)" 1003
}

@test "runs that come and go while ls looks make no trouble" {
    start maker bash -c 'trap exit TERM; while :; do portshim run -p 80 -- true || exit; done'
    for ((i = 0; i < 100; i++)); do
        portshim ls --json >ls.json
        jq -e .runs ls.json >jq.out
    done
    refute gone "$pid"
}

@test "a hundred runs at once are listed, oldest first" {
    unset PORTSHIM_POOL
    # shellcheck disable=SC2016 # expanded inside
    start hundred bash -c 'for ((i = 0; i < 100; i++)); do portshim run -p 80 -n "run$i" -m "m$i" -- sleep infinity & done
        trap "kill \$(jobs -p)" EXIT; wait'
    for ((i = 0; i < 100; i++)); do
        within 20 test -e "m$i"
    done
    portshim ls --json >ls.json
    valid ls.json
    assert_equal "$(jq '.runs | length' ls.json)" 100
    assert_equal "$(jq '[.runs[].ports[0].real] | unique | length' ls.json)" 100
    jq -e '[.runs[].age] | . == (sort | reverse)' ls.json
    # shellcheck disable=SC2046 # one word each
    kill $(pgrep -P "$pid")
}

@test "ls that cannot write says so" {
    start_keeper
    within 5 has_attached web # else the log is empty
    for option in '' --json --log; do
        # shellcheck disable=SC2016,SC2086 # expanded inside; none is none
        run -125 bash -c 'portshim ls $1 web >&-' - "$option"
        assert_output 'portshim: standard output: cannot write: give it an open stdout'
    done
}

@test "ls refuses options that contradict each other" {
    fails_with 'it has been said what to print' portshim ls --json -q web 80
    fails_with 'portshim: port: none is given' portshim ls -q web
    fails_with 'too many arguments' portshim ls one two
}

@test "a run whose processes have ended is not listed, whatever they have executed" {
    portshim run -q -p 8080 -- sh -c 'true; /bin/true; exec /bin/true'
    run portshim ls
    assert_success
    assert_output ''
    assert_equal "$(portshim ls --json)" "$(portshim ls --json | jq -c '.runs = []')"
}
