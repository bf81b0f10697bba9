# postgresql with pgbench: several connections at once from several threads.
load helper
load pairs

bin=/usr/lib/postgresql/15/bin
copies=3

setup() {
    cd "$(test_dir)"
    user=()
    if as_root; then
        user=(setpriv --reuid postgres --regid postgres --clear-groups)
    fi
}

# make_cluster NAME: makes the data of a copy, in a directory that the server's user owns.
make_cluster() {
    install -d -m 700 "$1"
    if as_root; then
        chown postgres:postgres "$1"
    fi
    "${user[@]}" "$bin/initdb" -D "$PWD/$1" -U postgres -A trust --no-sync --no-locale -E UTF8 --wal-segsize 1 \
        >initdb.out
}

# sql NAME QUERY: asks the server of that copy.
sql() {
    "$bin/psql" -XAtq -U postgres -d postgres -h 127.0.0.1 -p "$(real "$1.json" 5432)" -c "$2"
}

@test "pgbench in each of several runs changes its own postgresql" {
    make_cluster cluster
    for ((i = 0; i < copies; i++)); do
        cp -a cluster "$i"
        start "$i" portshim run -p 5432 -m "$i.json" -- "${user[@]}" "$bin/postgres" -D "$PWD/$i" -p 5432 \
            -c listen_addresses='127.0.0.1,::1' -c fsync=off -c unix_socket_directories= -c shared_buffers=1MB
    done
    for ((i = 0; i < copies; i++)); do
        within 20 "$bin/pg_isready" -q -U postgres -h ::1 -p "$(real "$i.json" 5432)"
        client "$i" "$bin/pgbench" -h 127.0.0.1 -p 5432 -U postgres -i -q postgres
    done
    clients_end
    for ((i = 0; i < copies; i++)); do
        client "$i" "$bin/pgbench" -h localhost -p 5432 -U postgres -n -c 4 -j 2 -t "$((20 * (i + 1)))" postgres
    done
    clients_end
    for ((i = 0; i < copies; i++)); do
        count=$((4 * 20 * (i + 1)))
        grep -qF "actually processed: $count/$count" "client-$i.out"
        assert_equal "$(sql "$i" 'select count(*) from pgbench_history')" "$count"
        assert_equal "$(sql "$i" 'show data_directory')" "$PWD/$i"
    done
}
