# nginx with ab, which opens a connection for each request.
load helper
load nginx
load pairs

copies=4

setup() {
    cd "$(test_dir)"
}

has_logged() {
    (($(wc -l <"$1/access.log") == $2))
}

@test "ab in each of several runs is answered by its own nginx, every time" {
    for ((i = 0; i < copies; i++)); do
        nginx_copy "$i" 8080 '[::]:8080'
        # shellcheck disable=SC2016 # nginx expands it
        sed -i 's/access_log off/access_log access.log/; s/ $pid\\n//' "$i/nginx.conf"
        nginx_start "$i"
    done
    for address in 127.0.0.1 '[::1]'; do
        for ((i = 0; i < copies; i++)); do
            ports[i]=$(real "$i.json" 8080)
            client "$i" ab -n "$((500 * (i + 1)))" -c 8 "http://$address:8080/$i"
        done
        clients_end
        for ((i = 0; i < copies; i++)); do
            run grep -E '^(Complete|Failed|Non-2xx)|^Server Port' "client-$i.out"
            assert_output --regexp "Port: +8080.*Complete requests: +$((500 * (i + 1))).*Failed requests: +0$"
        done
    done
    for ((i = 0; i < copies; i++)); do
        assert_equal "$(ask "http://127.0.0.1:${ports[i]}/")" "$i"
        within 10 has_logged "$i" $((1000 * (i + 1) + 1)) # written after the answer, by either of two workers
        assert_equal "$(grep -cF "GET /$i HTTP" "$i/access.log")" "$((1000 * (i + 1)))"
        assert_equal "$(grep -vcF "GET /$i HTTP" "$i/access.log")" 1 # the line before
    done
}
