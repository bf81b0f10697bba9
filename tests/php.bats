# PHP loads its extensions with RTLD_DEEPBIND: sockets, curl and pgsql, in php and in php-fpm behind nginx.
load helper
load nginx

bin=/usr/lib/postgresql/15/bin
copies=(0 1)

setup() {
    cd "$(test_dir)"
    php=$(type -P php)
    fpm=$(compgen -c php-fpm | head -n 1) # Debian's has the version in its name
    user=()
    if as_root; then
        user=(setpriv --reuid postgres --regid postgres --clear-groups)
    fi
}

# php NAME ARGUMENT...: runs php in the run of a copy, with the distribution's settings.
php() {
    portshim run -j "$1.json" -- "$php" "${@:2}"
}

make_cluster() {
    install -d -m 700 cluster
    if as_root; then
        chown postgres:postgres cluster
    fi
    "${user[@]}" "$bin/initdb" -D "$PWD/cluster" -U postgres -A trust --no-sync --no-locale -E UTF8 --wal-segsize 1 \
        >initdb.out
}

# start_copy NAME: starts nginx, postgresql and php-fpm in one run.
start_copy() {
    nginx_copy "$1" 8080
    printf 'fastcgi_param %s;\n' 'REQUEST_METHOD GET' "SCRIPT_FILENAME $PWD/$1/php.php" >"$1/fastcgi.conf"
    sed -i 's|location / |location /php { fastcgi_pass 127.0.0.1:9000; include fastcgi.conf; } &|' "$1/nginx.conf"
    cp "$PROGRAMS/php.php" "$1"
    printf '%s\n' '[global]' "error_log = $PWD/$1/fpm.log" '[www]' 'listen = 127.0.0.1:9000' 'pm = static' \
        'pm.max_children = 2' >"$1/fpm.conf"
    if as_root; then
        printf '%s\n' 'user = nobody' 'group = nogroup' >>"$1/fpm.conf"
    fi
    nginx_command "$1"
    start "$1" portshim run -p 8080,5432,9000 -m "$1.json" -- "${nginx[@]}"
    within 10 test -e "$1.json"
    cp -a cluster "cluster-$1"
    start "postgres-$1" portshim run -j "$1.json" -- "${user[@]}" "$bin/postgres" -D "$PWD/cluster-$1" -p 5432 \
        -c listen_addresses=127.0.0.1 -c fsync=off -c unix_socket_directories= -c shared_buffers=1MB
    start "fpm-$1" portshim run -j "$1.json" -- "$fpm" -F -y "$PWD/$1/fpm.conf"
}

is_ready() {
    "$bin/pg_isready" -q -U postgres -h 127.0.0.1 -p "$(real "$1.json" 5432)"
}

@test "PHP's curl, sockets and pgsql reach the servers of their own run, in php and in php-fpm" {
    make_cluster
    for copy in "${copies[@]}"; do
        start_copy "$copy"
    done
    for copy in "${copies[@]}"; do
        within 20 is_ready "$copy"
        real "$copy.json" 8080 >/dev/null
        expected=$(printf '%s\n' "curl: $copy" "socket: $copy" 'peer: 127.0.0.1 8080' "pgsql: cluster-$copy")
        run -0 php "$copy" "$PROGRAMS/php.php"
        assert_output "$expected"
        real "$copy.json" 9000 >/dev/null
        assert_equal "$(curl -sS --max-time 60 "http://127.0.0.1:$(real "$copy.json" 8080)/php" | tr -d '\r')" "$expected"
    done
}

@test "several servers by PHP's sockets have one port, and a client of each run reaches its own" {
    for copy in "${copies[@]}"; do
        start "$copy" portshim run -p 8080 -m "$copy.json" -- "$php" "$PROGRAMS/php_serve.php" "$copy"
    done
    for copy in "${copies[@]}"; do
        assert_equal "$(socat -u -T 60 "TCP4:127.0.0.1:$(real "$copy.json" 8080)" -)" "$copy 8080"
        assert_equal "$(inside "$copy.json" socat -u -T 60 TCP4:127.0.0.1:8080 -)" "$copy 8080"
    done
}

@test "doctor says that php can be wrapped, and what PORTSHIM_DEEPBIND=keep means for it" {
    run -0 portshim doctor php
    refute_output --partial PORTSHIM_DEEPBIND
    PORTSHIM_DEEPBIND=keep run -0 portshim doctor php
    assert_line --regexp '^note +PORTSHIM_DEEPBIND: '
}
