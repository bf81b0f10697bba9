# nginx's upgrade of its own binary: the old master starts the new one with two variables in its environment, and with
# the listeners' descriptors in one of them.
load helper
load nginx

copies=3

setup() {
    cd "$(test_dir)"
}

# start_daemon NAME: starts a copy as a daemon, as nginx wants it for an upgrade. Its real port is in $port.
start_daemon() {
    nginx_copy "$1" 8080 '[::]:8080'
    sed -i 's/daemon off/daemon on/' "$1/nginx.conf"
    nginx_command "$1"
    portshim run -p 8080,8081 -m "$1.json" -- "${nginx[@]}" 3>&-
    port=$(real "$1.json" 8080)
    within 10 grep -qs . "$1/nginx.pid"
    STARTED+=("$(cat "$1/nginx.pid")")
    within 10 has_workers "${STARTED[-1]}" 2 # a signal before that is noted, and not acted on
}

has_two_masters() {
    [[ -s $1/nginx.pid.oldbin && -s $1/nginx.pid ]]
}

# upgrade NAME: starts the new binary beside the old one. Their pids are in $old and $new.
upgrade() {
    old=$(cat "$1/nginx.pid")
    kill -USR2 "$old"
    within 10 has_two_masters "$1"
    new=$(cat "$1/nginx.pid")
    STARTED+=("$new")
    within 10 has_workers "$new" 2
}

# master URL: prints the pid of the master whose worker answers.
master() {
    ps -o ppid= -p "$(curl -sS --max-time 60 "$1" | cut -d ' ' -f 2)" | tr -d ' '
}

# only_answers NAME MASTER REAL: whoever asks gets an answer of that copy's master, and of no other.
only_answers() {
    local address
    for address in 127.0.0.1 '[::1]'; do
        assert_equal "$(ask "http://$address:$3/")" "$1"
        assert_equal "$(master "http://$address:$3/")" "$2"
        assert_equal "$(inside "$1.json" curl -sS "http://$address:8080/" | cut -d ' ' -f 1)" "$1"
    done
}

@test "copies that are upgraded all at once keep their real ports, and answer after the old masters have quit" {
    for ((i = 0; i < copies; i++)); do
        start_daemon "$i"
        ports+=("$port")
    done
    for ((i = 0; i < copies; i++)); do
        upgrade "$i"
        olds+=("$old")
        news+=("$new")
    done
    for ((i = 0; i < copies; i++)); do
        kill -QUIT "${olds[i]}"
        within 10 gone "${olds[i]}"
    done
    for ((i = 0; i < copies; i++)); do
        only_answers "$i" "${news[i]}" "${ports[i]}"
        assert_equal "$(real "$i.json" 8080)" "${ports[i]}"
    done
}

@test "no client notices the upgrade" {
    start_daemon 0
    start client curl -sS --fail-early "http://127.0.0.1:$port/?[1-1000000]"
    client=$pid
    within 10 grep -q . client.out
    upgrade 0
    kill -QUIT "$old"
    within 10 gone "$old"
    for worker in $(pgrep -P "$new"); do
        within 10 grep -q "^0 $worker$" client.out
    done
    refute gone "$client"
    stop "$client"
    assert_equal "$(cat client.err)" ''
    assert_equal "$(sed '$d' client.out | cut -d ' ' -f 1 | sort -u)" 0
}

@test "the new binary is in the run: what its configuration adds is bound to a real port" {
    start_daemon 0
    sed -i 's/listen 8080;/listen 8080; listen 8081;/; s/return 200 "0/return 200 "added/' 0/nginx.conf
    upgrade 0
    port=$(real 0.json 8081)
    assert_equal "$(ask "http://127.0.0.1:$port/")" added
    assert_equal "$(inside 0.json curl -sS http://127.0.0.1:8081/ | cut -d ' ' -f 1)" added
}

@test "an upgrade that is taken back leaves the old binary at the real port" {
    start_daemon 0
    upgrade 0
    kill -QUIT "$new"
    within 10 gone "$new"
    within 10 has_workers "$old" 2
    only_answers 0 "$old" "$port"
}
