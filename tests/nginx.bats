# nginx: the master binds; two workers inherit its sockets. Started by root, the workers run as another user.
load helper
load nginx

copies=4

setup() {
    cd "$(test_dir)"
    for ((i = 0; i < copies; i++)); do
        nginx_copy "$i" 8080 '[::]:8080'
    done
}

# is_another FILE PID: whether the file has another pid than this one.
is_another() {
    local process
    process=$(cat "$1" 2>/dev/null) && [[ -n $process && $process != "$2" ]]
}

@test "four copies on one port each return their own text on IPv4 and IPv6" {
    for ((i = 0; i < copies; i++)); do
        nginx_start "$i"
    done
    for ((i = 0; i < copies; i++)); do
        ports+=("$(real "$i.json" 8080)")
        for address in 127.0.0.1 '[::1]' 127.0.0.2; do
            assert_equal "$(ask "http://$address:${ports[i]}/")" "$i"
            assert_equal "$(inside "$i.json" curl -sS "http://$address:8080/" | cut -d ' ' -f 1)" "$i"
        done
    done
    assert_equal "$(printf '%s\n' "${ports[@]}" | sort -u | wc -l)" "$copies"
}

@test "workers that root's master makes another user serve all the same" {
    nginx_start 0
    master=$pid
    port=$(real 0.json 8080)
    worker=$(curl -sS "http://127.0.0.1:$port/" | cut -d ' ' -f 2)
    assert_equal "$(ps -o ppid= -p "$worker" | tr -d ' ')" "$master"
    if as_root; then
        assert_not_equal "$(ps -o uid= -p "$worker" | tr -d ' ')" 0
    else
        assert_equal "$(ps -o uid= -p "$worker" | tr -d ' ')" "$EUID"
    fi
}

@test "nginx sees its own port as the placeholder, or with --reveal as the real port" {
    sed -i "s/return 200 .*\"/return 200 \$server_port/" 0/nginx.conf
    nginx_start 0
    assert_equal "$(curl -sS "http://127.0.0.1:$(real 0.json 8080)/")" 8080
    stop "$pid"
    start revealed portshim run --reveal -p 8080 -m revealed.json -- "${nginx[@]}"
    port=$(real revealed.json 8080)
    assert_equal "$(curl -sS "http://127.0.0.1:$port/")" "$port"
    assert_equal "$(curl -sS "http://[::1]:$port/")" "$port"
}

@test "a reload keeps the real port and serves the new configuration" {
    nginx_start 0
    port=$(real 0.json 8080)
    within 10 has_workers "$pid" 2 # by then it has written nginx.pid, which -s reads
    sed -i 's/return 200 "0/return 200 "reloaded/' 0/nginx.conf
    nginx_command 0
    "${nginx[@]}" -s reload
    within 10 answers reloaded "http://127.0.0.1:$port/"
    within 10 answers reloaded "http://[::1]:$port/"
    assert_equal "$(real 0.json 8080)" "$port"
}

@test "an upgraded binary takes over the sockets of the old one, at the same real port" {
    sed -i 's/daemon off/daemon on/' 0/nginx.conf # nginx is upgraded only as a daemon
    nginx_command 0
    portshim run -p 8080 -m 0.json -- "${nginx[@]}" 3>&-
    within 10 test -s 0/nginx.pid # nginx writes it after listen()
    port=$(real 0.json 8080)
    old=$(cat 0/nginx.pid)
    STARTED+=("$old")
    within 10 has_workers "$old" 2 # before that, the signal may be taken with the next one only
    kill -USR2 "$old"
    within 10 is_another 0/nginx.pid "$old"
    new=$(cat 0/nginx.pid)
    STARTED+=("$new")
    kill -QUIT "$old"
    within 10 gone "$old"
    for address in 127.0.0.1 '[::1]'; do
        worker=$(curl -sS "http://$address:$port/" | cut -d ' ' -f 2)
        assert_equal "$(ps -o ppid= -p "$worker" | tr -d ' ')" "$new"
    done
    assert_equal "$(ss -Htln "sport = :$port" | wc -l)" 2
}

@test "SIGTERM ends a copy with no process left, and its real port can be leased again" {
    nginx_start 0
    port=$(real 0.json 8080)
    within 10 has_workers "$pid" 2
    mapfile -t workers < <(pgrep -P "$pid")
    run portshim run -p "80=$port" -- true
    assert_failure 125
    stop "$pid"
    assert_equal "$status" 0
    for worker in "${workers[@]}"; do
        gone "$worker"
    done
    within 20 portshim run -q -p "80=$port" -- true 2>refusals
}
