# A server that was started as another user, in another root directory or mount namespace, and whose starter has ended,
# keeps its run alive: the run is waited for, listed and joined, its port stays its own, and all goes when the server
# ends.
load helper

bin=/usr/lib/postgresql/15/bin
GRACE=2.2 # seconds: a run counts as dead when it was found so twice, 2 s apart

setup() {
    as_root || skip 'only root starts servers as other users'
    cd "$(test_dir)"
    own_pool 60
}

# Ends what a test that failed has left in its runs: their directories are in the environment.
teardown() {
    local left
    grep -lzsF "PORTSHIM_RUN=$PWD/" /proc/[0-9]*/environ | cut -d / -f 3 | while read -r left; do
        kill -KILL "$left" 2>/dev/null || :
    done
    end_started
}

need() {
    type -P "$1" >/dev/null || skip "no $1"
}

# background NAME OPTIONS... -- COMMAND...: runs a command in a run of that name until it has gone to the background.
background() {
    local name=$1
    shift
    timeout 120 portshim run -n "$name" "$@" >"$name.out" 2>"$name.err" 3>&-
}

# "${client[@]}" PORT: prints what the server at the port of 127.0.0.1 says.
client=(/usr/bin/python3 -c 'import socket, sys
print(socket.create_connection(("127.0.0.1", int(sys.argv[1])), 60).recv(100).decode())')

# serves NAME PLACEHOLDER USER: the run is alive and can be used from outside and inside; $port is the real port and
# $server the server's pid.
serves() {
    local name=$1 placeholder=$2 user=$3
    port=$(real "$name" "$placeholder")
    run -0 portshim port "$name" "$placeholder"
    assert_output "$port"
    run -0 portshim ls "$name"
    assert_line --regexp "^  $placeholder +$port +listening +own +[0-9]+ "
    server=$(portshim ls -q "$name" "$placeholder" | head -n 1)
    assert_equal "$(ps -o user= -p "$server")" "$user"
    inside "$name" true
}

# is_leased NAME PORT: nobody else gets the port, and not only for a socket.
is_leased() {
    fails_with "held by run $1" portshim run -p "80=$2" -- true
}

# stays NAME PORT: the run has its port still when others have looked at it twice.
stays() {
    is_leased "$@"
    sleep "$GRACE" # no event tells that others may look again
    is_leased "$@"
    portshim ls "$1" >"$1.ls"
}

nothing_left() {
    [[ -z $(portshim ls) && -z $(find home/runs home/names -mindepth 1) ]]
}

# ends: SIGTERM ends the server, and then nothing is left of the run.
ends() {
    kill -TERM "$server"
    within 20 gone "$server"
    within 20 nothing_left
    portshim run -p "80=$port" -- true
}

@test "postgres by pg_ctl under setpriv" {
    [[ -x $bin/pg_ctl ]] || skip 'no postgresql 15'
    as_postgres=(setpriv --reuid=postgres --regid=postgres --clear-groups)
    install -d -m 700 -o postgres -g postgres data
    "${as_postgres[@]}" "$bin/initdb" -D "$PWD/data" -U postgres -A trust --no-sync --no-locale -E UTF8 --wal-segsize 1 \
        >initdb.out
    install -m 666 /dev/null log
    background pg -p 5432 -- "${as_postgres[@]}" "$bin/pg_ctl" start -w -D "$PWD/data" -l "$PWD/log" -o "-p 5432 -F \
        -c listen_addresses=127.0.0.1,::1 -c unix_socket_directories= -c max_connections=10 -c shared_buffers=1MB"
    serves pg 5432 postgres
    stays pg "$port"
    for address in 127.0.0.1 ::1; do
        run -0 inside pg "$bin/psql" -XAtq -U postgres -h "$address" -p 5432 -c 'select inet_server_port()' postgres
        assert_output 5432
    done
    ends
}

@test "redis that daemonizes under runuser" {
    install -d -m 777 data
    background redis -p 6379 -- runuser -u nobody -- redis-server --port 6379 --bind 127.0.0.1 --daemonize yes \
        --dir "$PWD/data" --save ''
    serves redis 6379 nobody
    stays redis "$port"
    run -0 inside redis redis-cli -p 6379 ping
    assert_output PONG
    ends
}

@test "a daemon under sudo -u, which clears the environment" {
    need sudo
    background sudo -p 8080 -- sudo -u nobody /usr/bin/python3 "$PROGRAMS/daemon.py" 8080
    serves sudo 8080 nobody
    stays sudo "$port"
    run -0 inside sudo "${client[@]}" 8080
    assert_output "$(id -u nobody)"
    ends
}

@test "a daemon under su, and under su with a login's environment" {
    for login in '' -; do
        # shellcheck disable=SC2086 # nothing, or one word
        background "su$login" -p 8080 -- su $login -s /bin/sh daemon -c "exec /usr/bin/python3 '$PROGRAMS/daemon.py' 8080"
        serves "su$login" 8080 daemon
        stays "su$login" "$port"
        run -0 inside "su$login" "${client[@]}" 8080
        assert_output "$(id -u daemon)"
        ends
    done
}

@test "a server that start-stop-daemon puts into the background under another user" {
    need start-stop-daemon
    background ssd -p 8080 -- start-stop-daemon --start --background --make-pidfile --pidfile "$PWD/pid" --chuid nobody \
        --startas /usr/bin/python3 -- -m http.server --protocol HTTP/1.1 --bind 127.0.0.1 8080
    within 20 test -s pid
    serves ssd 8080 nobody
    stays ssd "$port"
    run -0 inside ssd curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:8080/
    assert_output 200
    ends
}

# Here only the file that every process has mapped says that the run lives, no socket does.
@test "the port stays the run's while the server of another user has closed it" {
    background quiet -p 8080 -- runuser -u nobody -- /usr/bin/python3 "$PROGRAMS/daemon.py" 8080
    serves quiet 8080 nobody
    kill -USR1 "$server"
    within 10 not_listening "$port"
    stays quiet "$port"
    kill -USR2 "$server"
    serves quiet 8080 nobody
    ends
}

not_listening() {
    ! listens "$1"
}

@test "every process counts: the run lives on with a child that never opens a socket" {
    background child -p 8080 -- runuser -u nobody -- sh -c 'sleep 1000 >&- 2>&- & echo $!'
    port=$(portshim port child 8080)
    server=$(<child.out)
    stays child "$port"
    ends
}

# hide: sets ${hidden[@]}, which starts a command with another /tmp: it has the library, not the home.
hide() {
    mkdir -p "tmp/${SUITE_DIR#/tmp/}"
    cp "$PORTSHIM_LIB" "tmp/${SUITE_DIR#/tmp/}"
    # shellcheck disable=SC2016,SC2034 # expanded there; used by its name
    hidden=(unshare -m sh -ec 'mount --bind "$1" /tmp; shift; exec "$@"' sh "$PWD/tmp")
}

# in_bwrap: sets ${bwrap[@]}, which starts a command in a sandbox that does not have the home.
in_bwrap() {
    need bwrap
    bwrap=(bwrap --ro-bind / / --dev /dev --proc /proc --tmpfs /tmp --ro-bind "$PORTSHIM_LIB" "$PORTSHIM_LIB" --)
    "${bwrap[@]}" true 2>bwrap.err || skip "bwrap does not work here: $(head -n 1 bwrap.err)"
}

# A process in such a place: it cannot open what it was told, so its bound port is all that keeps the run alive.
@test "where the home is out of reach, in bwrap and with another /tmp, the bound port keeps the run alive" {
    in_bwrap
    hide
    for where in bwrap hidden; do
        declare -n before=$where
        background "$where" -p 8080 -- "${before[@]}" /usr/bin/python3 - 8080 <"$PROGRAMS/daemon.py"
        assert_equal "$(cat "$where.err")" ''
        serves "$where" 8080 root
        run grep -F "$PWD/home" "/proc/$server/maps"
        assert_output ''
        stays "$where" "$port"
        run -0 inside "$where" "${client[@]}" 8080
        assert_output 0
        ends
    done
}

@test "-p all where the home is out of reach: the program is told in one line, and --strict does not start it" {
    in_bwrap
    hide
    for where in bwrap hidden; do
        declare -n before=$where
        run -0 --separate-stderr portshim run -p all -- "${before[@]}" echo started
        assert_output started
        assert_equal "${#stderr_lines[@]}" 1
        [[ $stderr == "portshim: warning: $PWD/home/runs/"*'late placeholder'*': '* ]] || fail "$stderr"
        run -125 --separate-stderr portshim run --strict -p all -- "${before[@]}" echo started
        assert_output ''
        assert_equal "${#stderr_lines[@]}" 1
        run -0 --separate-stderr portshim run --strict -p 8080 -- "${before[@]}" echo started
        assert_output started
        assert_equal "$stderr" ''
    done
}

@test "-p all under runuser: what one user's process binds, the other's reaches" {
    background all -p all -- runuser -u nobody -- /usr/bin/python3 "$PROGRAMS/daemon.py" $(seq 9001 9020)
    assert_equal "$(cat all.err)" ''
    serves all 9001 nobody
    run -0 portshim port all $(seq 9001 9020)
    assert_equal "$(sort -u <<<"$output" | wc -l)" 20
    for number in 9001 9020; do
        run -0 inside all "${client[@]}" "$number"
        assert_output "$(id -u nobody)"
        run -0 inside all runuser -u daemon -- "${client[@]}" "$number"
        assert_output "$(id -u nobody)"
    done
    start roots portshim run -j all -- /usr/bin/socat TCP-LISTEN:9100,bind=127.0.0.1,fork,reuseaddr 'SYSTEM:printf root'
    portshim wait -t 60 all 9100
    run -0 inside all runuser -u nobody -- "${client[@]}" 9100
    assert_output root
    # The kernel has what portshim says. Another test may have a placeholder's number as its real port.
    for number in 9001 9100; do
        listens "$(portshim port all "$number")"
        ss -Hlntp "sport = $number" >bound
        ! grep -E "pid=($server|$pid)," bound || fail "the placeholder $number itself is bound"
    done
    stop "$pid"
    ends
}

@test "in a chroot where the home can be reached a program takes part in full" {
    mkdir root
    # The home is in the same place there; /proc is not.
    # shellcheck disable=SC2016 # expanded there
    in_root=(unshare -m sh -ec 'mount --bind / "$PWD/root" && exec chroot "$PWD/root" "$@"' sh)
    "${in_root[@]}" test -e "$PORTSHIM_LIB" || skip 'the test is not on the root file system'
    background root -p all -- "${in_root[@]}" runuser -u nobody -- /usr/bin/python3 "$PROGRAMS/daemon.py" 9001
    assert_equal "$(cat root.err)" ''
    serves root 9001 nobody
    grep -qF "$PWD/home" "/proc/$server/maps" || fail 'it has not joined'
    stays root "$port"
    run -0 inside root "${client[@]}" 9001
    assert_output "$(id -u nobody)"
    ends
}

@test "a daemon that has made another directory its root, and drops its user, keeps the run alive" {
    mkdir empty
    background jail -p 8080 -- /usr/bin/python3 "$PROGRAMS/daemon.py" chroot "$PWD/empty" 8080
    serves jail 8080 root
    kill -USR1 "$server"
    within 10 not_listening "$port"
    stays jail "$port"
    kill -USR2 "$server"
    serves jail 8080 root
    ends
}

@test "in another time namespace, and seen from one" {
    later=(unshare -T --boottime 1000000 --monotonic 1000000 --)
    "${later[@]}" true 2>unshare.err || skip "no time namespace: $(head -n 1 unshare.err)"
    background later -p 8080 -- "${later[@]}" /usr/bin/python3 "$PROGRAMS/daemon.py" 8080
    serves later 8080 root
    stays later "$port"
    run -0 "${later[@]}" portshim port later 8080
    assert_output "$port"
    "${later[@]}" portshim ls >later.ls
    sleep "$GRACE"
    "${later[@]}" portshim ls >later.ls
    is_leased later "$port"
    ends
}

# A home that is closed to others, as versions before made it, is used as it is: there a bound port counts.
@test "below a directory that only its owner can enter, the bound port keeps the run alive" {
    mkdir -m 700 closed
    export PORTSHIM_HOME=$PWD/closed/home
    background closed -p 8080 -- runuser -u nobody -- /usr/bin/python3 - 8080 <"$PROGRAMS/daemon.py"
    assert_equal "$(cat closed.err)" ''
    serves closed 8080 nobody
    stays closed "$port"
    kill -TERM "$server"
    within 20 gone "$server"
    within 20 portshim run -p "80=$port" -- true
}
