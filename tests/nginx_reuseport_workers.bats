# nginx with `reuseport`: the socket of each worker is bound separately, all to one real port.
load helper
load nginx

copies=10

setup() {
    cd "$(test_dir)"
    for ((i = 0; i < copies; i++)); do
        nginx_copy "$i" '8080 reuseport' '[::]:8080 reuseport'
    done
}

# ask_many URL: makes 500 connections and prints who answered, as lines of "COUNT NAME".
ask_many() {
    curl -sS --max-time 60 "$1/?[1-500]" | cut -d ' ' -f 1 | sort | uniq -c | tr -s ' ' | cut -c 2-
}

@test "ten copies answer a thousand requests each with their own name beside a stranger" {
    own_pool 100
    squatter
    for ((i = 0; i < copies; i++)); do
        nginx_start "$i"
    done
    for ((i = 0; i < copies; i++)); do
        ports+=("$(real "$i.json" 8080)")
        assert_equal "$(ask_many "http://127.0.0.1:${ports[i]}")" "500 $i"
        assert_equal "$(ask_many "http://[::1]:${ports[i]}")" "500 $i"
    done
    assert_equal "$(printf '%s\n' "${ports[@]}" | sort -u | wc -l)" "$copies"
}

@test "both workers of a copy answer" {
    nginx_start 0
    master=$pid
    port=$(real 0.json 8080)
    within 10 has_workers "$master" 2
    for address in 127.0.0.1 '[::1]'; do
        curl -sS "http://$address:$port/?[1-100]" | cut -d ' ' -f 2 | sort -u >answered
        pgrep -P "$master" | sort | diff answered -
    done
}

@test "inside its run a copy answers at the placeholder on every local address" {
    nginx_start 0
    nginx_start 1
    for i in 0 1; do
        real "$i.json" 8080
        for address in 127.0.0.1 '[::1]' 127.0.0.2; do
            assert_equal "$(inside "$i.json" curl -sS "http://$address:8080/" | cut -d ' ' -f 1)" "$i"
        done
    done
}

@test "a copy that is stopped and restarted in its run has the same real port" {
    start keeper portshim run -p 8080 -m run.json -- sleep infinity
    within 5 test -e run.json
    for i in 0 1 2; do
        nginx_start_in run.json "$i"
        ports+=("$(real run.json 8080)")
        assert_equal "$(ask "http://127.0.0.1:${ports[-1]}/")" "$i"
        assert_equal "$(ask "http://[::1]:${ports[-1]}/")" "$i"
        stop "$pid" "$([[ $i == 0 ]] && echo TERM || echo QUIT)"
        assert_equal "$status" 0
    done
    assert_equal "${ports[*]}" "${ports[0]} ${ports[0]} ${ports[0]}"
}

@test "a reload with more workers binds their sockets to the same real port" {
    nginx_start 0
    master=$pid
    port=$(real 0.json 8080)
    within 10 has_workers "$master" 2
    mapfile -t old < <(pgrep -P "$master")
    sed -i 's/worker_processes 2/worker_processes 3/; s/return 200 "0/return 200 "reloaded/' 0/nginx.conf
    nginx_command 0
    "${nginx[@]}" -s reload
    for worker in "${old[@]}"; do
        within 10 gone "$worker"
    done
    within 10 has_workers "$master" 3
    for address in 127.0.0.1 '[::1]'; do
        assert_equal "$(ask_many "http://$address:$port")" '500 reloaded'
    done
    assert_equal "$(real 0.json 8080)" "$port"
    # Three sockets for each family, all on the real port.
    assert_equal "$(ss -Htln "sport = :$port" | wc -l)" 6
}

@test "SIGTERM ends a copy with no process left, and nothing listens at its real port" {
    nginx_start 0
    port=$(real 0.json 8080)
    within 10 has_workers "$pid" 2
    mapfile -t workers < <(pgrep -P "$pid")
    stop "$pid"
    assert_equal "$status" 0
    for worker in "${workers[@]}"; do
        gone "$worker"
    done
    assert_equal "$(ss -Htln "sport = :$port")" ''
}
