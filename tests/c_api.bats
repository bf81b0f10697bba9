# Ports for C programs: libportmap, as installed. programs/c_api/c_api.c makes the calls and prints what they return.
load helper

# build OUTPUT FLAG...: builds c_api.c with the flags that pkg-config prints for the installed tree.
build() {
    local output=$1
    shift
    "${CC:-gcc}" -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -o "$output" "$PROGRAMS/c_api/c_api.c" "$@"
}

flags() {
    PKG_CONFIG_SYSROOT_DIR=$TREE PKG_CONFIG_PATH=$TREE/usr/lib/pkgconfig pkg-config "$@" portmap
}

setup_file() {
    export TREE=$BATS_FILE_TMPDIR/tree
    chmod 755 "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR"
    make -s -C "$ROOT" install DESTDIR="$TREE" PREFIX=/usr
    # shellcheck disable=SC2046 # words
    build "$BATS_FILE_TMPDIR/c_api" $(flags --cflags --libs) -pthread "-Wl,-rpath,$TREE/usr/lib"
}

setup() {
    PATH=$BATS_FILE_TMPDIR:$PATH
    cd "$(test_dir)"
    own_pool 40
    wide=$PORTSHIM_POOL
    mapfile -t -n 6 pool < <(tr , '\n' <<<"$wide")
    PORTSHIM_POOL=$(printf '%s\n' "${pool[@]}" | paste -sd ,)
}

# one_port: makes the pool a single port, $port.
one_port() {
    port=${pool[0]}
    export PORTSHIM_POOL=$port
}

# holding NAME CALL...: makes the calls in the background, in a process that then keeps running.
holding() {
    local name=$1
    shift
    start "$name" c_api "$@" hold
    within 10 grep -qs holding "$name.out"
}

@test "a picked port is nobody else's until its process has ended" {
    one_port
    holding first pick
    prints PORTMAP_EXHAUSTED -- c_api pick
    run -125 portshim pick
    stop "$pid" KILL
    prints "$port" -- c_api pick
}

@test "ports picked by processes that are there together are all different" {
    for i in {1..6}; do
        holding "$i" pick
    done
    cat ./*.out | grep -v holding | sort -n | diff - <(printf '%s\n' "${pool[@]}" | sort -n)
}

@test "a port can be picked for another process, and is leased until that ends" {
    one_port
    start other sleep infinity
    prints "$port" -- c_api "pick $pid"
    prints PORTMAP_EXHAUSTED -- c_api pick
    stop "$pid"
    prints "$port" -- c_api pick
}

@test "no port is picked for a process that has ended, or for none" {
    one_port
    start ended /bin/true
    ended=$pid
    within 5 gone "$ended"
    prints ESRCH ESRCH ESRCH "$port" -- c_api "pick $ended" "pick -1" "pick -$$" pick
    wait "$ended"
    prints ESRCH -- c_api "pick $ended"
}

@test "a bad pool is said when a port is picked" {
    PORTSHIM_POOL=80x prints PORTMAP_ESYNTAX PORTMAP_ESYNTAX PORTMAP_ESYNTAX -- \
        c_api pick 'lease any any' 'reserve 8080'
    PORTSHIM_POOL='' PORTSHIM_POOL_FILE=none prints ENOENT -- c_api pick
}

@test "a home that others can read is refused" {
    mkdir -m 755 open
    PORTSHIM_HOME=$PWD/open prints PORTMAP_EFOREIGN -- c_api pick
    PORTSHIM_HOME="$PWD/a b" prints PORTMAP_EPATH -- c_api pick
}

@test "a port that is taken on one address can be leased on another" {
    one_port
    prints 0 PORTMAP_EXHAUSTED "$port" 0 PORTMAP_EXHAUSTED PORTMAP_EXHAUSTED -- c_api \
        "occupy inet stream 127.0.0.2 $port" 'lease inet stream' 'lease inet stream 127.0.0.1 127.0.0.3' 'release @3' \
        'lease inet stream every' 'lease inet stream 127.0.0.1 127.0.0.2'
}

@test "a port that is taken for TCP can be leased for UDP" {
    one_port
    prints 0 PORTMAP_EXHAUSTED PORTMAP_EXHAUSTED PORTMAP_EXHAUSTED "$port" 0 "$port" -- c_api \
        "occupy inet stream 127.0.0.1 $port" pick 'lease any any localhost' 'find_unused inet stream' \
        'find_unused inet dgram' 'release @5' 'lease any dgram localhost'
}

@test "a port that is taken on IPv6 alone can be leased on IPv4" {
    has_ipv6 || skip "there is no IPv6"
    one_port
    prints 0 PORTMAP_EXHAUSTED PORTMAP_EXHAUSTED PORTMAP_EXHAUSTED "$port" -- c_api "occupy inet6 stream ::1 $port" \
        pick 'find_unused inet6 stream' 'lease any stream localhost' 'lease inet stream localhost'
}

@test "hosts that are none of the family, or not this host's, are told apart" {
    prints PORTMAP_ESYNTAX PORTMAP_ESYNTAX PORTMAP_ESYNTAX EADDRNOTAVAIL -- c_api 'lease inet6 any 127.0.0.1' \
        'lease inet any ::1' 'lease any any no-such-host' 'lease any any 127.0.0.1 192.0.2.1'
}

@test "sixteen addresses can be asked for, and no more" {
    one_port
    mapfile -t hosts < <(printf '127.0.0.%d\n' {1..16})
    prints "$port" PORTMAP_ETOOMANY -- c_api "lease inet any ${hosts[*]}" "lease inet any ${hosts[*]} 127.0.0.17"
}

@test "a family or type that there is not is refused" {
    prints EINVAL EINVAL EINVAL EINVAL -- c_api 'lease unix any' 'lease inet raw' 'find_unused unix stream' 'bind 0 raw'
}

@test "a port is given back once, and by the process that leased it alone" {
    one_port
    prints "$port" 0 PORTMAP_ENOTOURS -- c_api pick 'release @1' 'release @1'
    holding other pick
    prints PORTMAP_ENOTOURS PORTMAP_EXHAUSTED -- c_api "release $port" pick
    prints PORTMAP_ENOTOURS PORTMAP_ENOTOURS PORTMAP_ENOTOURS -- c_api 'release 0' 'release 65536' 'release 4000000000'
}

@test "a port that was leased for another process can be given back by who leased it" {
    one_port
    start other sleep infinity
    prints "$port" 0 "$port" -- c_api "pick $pid" 'release @1' pick
}

@test "a port that was given back is leased again by whoever asks" {
    one_port
    holding first pick "release $port"
    prints "$port" -- c_api pick
}

@test "a reserved port is the next that is picked, and comes back when it is given back" {
    one_port
    strange=${pool[1]}
    prints 0 "$strange" "$port" PORTMAP_EXHAUSTED 0 "$strange" 0 PORTMAP_ENOTOURS "$strange" -- c_api \
        "reserve $strange" pick pick pick "release $strange" pick "release $strange" "release $strange" pick
}

@test "a reserved port is not given to others, picked or not, until its process has ended" {
    one_port
    holding reserver "reserve $port"
    prints PORTMAP_EXHAUSTED PORTMAP_EHELD -- c_api pick "reserve $port"
    stop "$pid"
    prints 0 "$port" -- c_api "reserve $port" pick
}

@test "a reserved port is not asked for sockets" {
    prints 0 0 "${pool[1]}" -- c_api "occupy inet stream 127.0.0.1 ${pool[1]}" "reserve ${pool[1]}" pick
}

@test "a port for another process is not one of the reserved" {
    one_port
    start other sleep infinity
    prints 0 "$port" -- c_api "reserve ${pool[1]}" "pick $pid"
}

@test "a port that somebody else has leased cannot be reserved" {
    one_port
    holding other pick
    prints PORTMAP_EHELD -- c_api "reserve $port"
    stop "$pid"
    start run portshim run -p 80 -m m -- sleep infinity
    within 10 test -e m
    prints PORTMAP_EHELD EINVAL EINVAL -- c_api "reserve $port" 'reserve 0' 'reserve 65536'
}

is_reserved() {
    [[ $(c_api "reserve $port") == 0 ]]
}

@test "a port of a run that has died can be reserved" {
    one_port
    start run portshim run -p 80 -m m -- sleep infinity
    within 10 test -e m
    stop "$pid" KILL
    within 10 is_reserved
}

@test "a port is free when no socket has it, TCP or UDP, on any address" {
    one_port
    prints 1 0 0 -- c_api "is_free $port" "occupy inet stream 127.0.0.2 $port" "is_free $port"
    prints 0 0 -- c_api "occupy inet dgram 127.0.0.1 $port" "is_free $port"
    has_ipv6 && prints 0 0 -- c_api "occupy inet6 dgram ::1 $port" "is_free $port"
    prints "$port" 1 EINVAL EINVAL -- c_api pick 'is_free @1' 'is_free 0' 'is_free 65536'
}

@test "a user who may not bind a port is told so" {
    as_root || skip "needs root"
    (($(</proc/sys/net/ipv4/ip_unprivileged_port_start) > 987)) || skip "port 987 is for everybody here"
    run setpriv --reuid=65534 --regid=65534 --clear-groups "$BATS_FILE_TMPDIR/c_api" 'is_free 987' 'bind 987 stream'
    assert_output $'EACCES\nEACCES'
}

@test "a port that is bound and closed is free again, and one that is taken is said to be" {
    one_port
    prints "$port" "$port" 1 0 EADDRINUSE "$port" EINVAL -- c_api \
        "bind $port stream" "bind $port dgram" "is_free $port" "occupy inet stream 127.0.0.2 $port" \
        "bind $port stream" "bind $port dgram" 'bind 65536 stream'
}

@test "port 0 is bound to a port of the kernel's choice" {
    run -0 c_api 'ephemeral_range' 'bind 0 stream' 'bind 0 dgram'
    read -r first last _ <<<"${lines[0]}"
    ((first <= lines[1] && lines[1] <= last))
    ((first <= lines[2] && lines[2] <= last))
}

@test "a socket of the caller's is bound on the loopback address, or on the host that is given" {
    run -0 c_api 'bind_port inet stream' 'bind_port inet dgram 127.0.0.5' 'bind_port inet stream every' \
        'bind_port inet stream localhost'
    assert_line -n 0 --regexp '^127\.0\.0\.1 port [0-9]+$'
    assert_line -n 1 --regexp '^127\.0\.0\.5 port [0-9]+$'
    assert_line -n 2 --regexp '^0\.0\.0\.0 port [0-9]+$'
    assert_line -n 3 --regexp '^127\.0\.0\.1 port [0-9]+$'
    has_ipv6 || skip "there is no IPv6"
    run -0 c_api 'bind_port inet6 stream' 'bind_port inet6 dgram every'
    assert_line -n 0 --regexp '^::1 port [0-9]+$'
    assert_line -n 1 --regexp '^:: port [0-9]+$'
}

@test "a socket is not bound to an address of another family or host" {
    prints PORTMAP_ESYNTAX PORTMAP_ESYNTAX EADDRNOTAVAIL EAFNOSUPPORT -- c_api 'bind_port inet stream ::1' \
        'bind_port inet6 stream 127.0.0.1' 'bind_port inet stream 192.0.2.1' 'bind_port unix stream'
}

@test "a stream socket that would share its port is refused, a datagram socket is not" {
    prints PORTMAP_EREUSE PORTMAP_EREUSE -- c_api 'bind_port inet stream 127.0.0.1 reuseaddr' \
        'bind_port inet stream 127.0.0.1 reuseport'
    run -0 c_api 'bind_port inet dgram 127.0.0.1 reuseaddr' 'bind_port inet dgram 127.0.0.1 reuseport'
    assert_line -n 0 --regexp '^127\.0\.0\.1 port [0-9]+$'
    assert_line -n 1 --regexp '^127\.0\.0\.1 port [0-9]+$'
}

@test "the pool is told, ascending, as far as the array holds it" {
    export PORTSHIM_POOL=9001,8000-8002
    prints '8000 8001 8002 9001 4' '8000 8001 4' '4' '4' -- c_api pool 'pool 2' 'pool 0' silent_pool
}

@test "the pool is read from PySys' variables and from files, too" {
    printf '9001\n8000-8001\n' >file
    unset PORTSHIM_POOL
    PORTSHIM_POOL_FILE='file' prints '8000 8001 9001 3' -- c_api pool
    PYSYS_PORTS=7000-7001 prints '7000 7001 2' -- c_api pool
    PYSYS_PORTS_FILE='file' prints '8000 8001 9001 3' -- c_api pool
}

@test "the pool without any variable is the ports that are not ephemeral" {
    unset PORTSHIM_POOL
    c_api ephemeral_range pool >told
    # The first line is the ephemeral range, the second the ports and their number.
    awk 'NR == 1 { first = $1; last = $2 }
         NR == 2 && NF - 1 != $NF { exit 1 }
         NR == 2 && $NF >= 50 { for (i = 1; i < NF; i++) if ($i < 1024 || $i >= first && $i <= last) exit 1 }' told
}

@test "a bad entry of the pool is told with its place, as far as there is room to tell it" {
    PORTSHIM_POOL=8000,80x0 prints 'PORTSHIM_POOL: "80x0": PORTMAP_ESYNTAX' 'PORTSHI: PORTMAP_ESYNTAX' PORTMAP_ESYNTAX -- \
        c_api pool 'silent_pool small' silent_pool
    printf '8000\n# so\n9-\n' >file
    PORTSHIM_POOL='' PORTSHIM_POOL_FILE=file prints 'file, line 3: "9-": PORTMAP_ESYNTAX' -- c_api pool
    PORTSHIM_POOL='' PORTSHIM_POOL_FILE=none prints 'none: ENOENT' -- c_api pool
}

@test "the ephemeral range is the kernel's" {
    read -r first last </proc/sys/net/ipv4/ip_local_port_range
    prints "$first $last 0" -- c_api ephemeral_range
}

@test "a child of fork(2) gets other ports, and cannot give back those of its parent" {
    run -0 c_api pick "reserve ${pool[5]}" 'child pick' 'child release @1' "child release ${pool[5]}" 'release @1' \
        'release @1'
    refute [ "${lines[2]}" = "${lines[0]}" ]
    refute [ "${lines[2]}" = "${pool[5]}" ]
    assert_equal "${lines[4]}" PORTMAP_ENOTOURS
    assert_equal "${lines[6]}" PORTMAP_ENOTOURS
    assert_equal "${lines[8]}" 0
    assert_equal "${lines[9]}" PORTMAP_ENOTOURS
}

@test "what a child of fork(2) has leased is free when the child has ended" {
    one_port
    prints "$port" 0 "$port" -- c_api 'child pick' pick
}

@test "a child in a pid namespace of its own is not taken for the process of its number in its parent's" {
    as_root && [[ $(stat -Lc %i /proc/self/ns/pid) == $((0xEFFFFFFC)) ]] ||
        skip 'only root of the first pid namespace knows that the child has ended'
    one_port
    prints "$port" 0 0 "$port" 0 "$port" -- c_api pick 'release @1' leave 'child pick' pick
}

@test "eight threads lease and give back, and no two of them have the same port" {
    PORTSHIM_POOL=$wide prints 0 -- c_api threads
}

@test "so it is while the lease table is removed and made again, all the time" {
    PORTSHIM_POOL=$wide prints 0 -- c_api "replaced 6 $PWD/home/leases"
}

@test "children of a process whose threads lease get ports as well" {
    PORTSHIM_POOL=$wide prints 0 -- c_api 'threads 50'
}

# has_open PID FILE: whether the process has the file open.
has_open() {
    readlink /proc/"$1"/fd/* | grep -qxF "$(realpath "$2")"
}

is_locked() {
    ! flock --nonblock "$1" true
}

has_forked_twice() {
    [[ $(grep -cx forked picker.out) == 2 ]]
}

@test "a signal handler may fork, also while its thread is in a call" {
    one_port
    portshim ls # makes the home
    start keeper flock --no-fork home sleep infinity
    keeper=$pid
    within 10 is_locked home
    start picker c_api fork_on_signal pick hold
    within 10 has_open "$pid" home # it waits for the lock
    kill -USR1 "$pid"
    stop "$keeper"
    within 10 grep -qx holding picker.out
    kill -USR1 "$pid"
    within 10 has_forked_twice
    grep -qx "$port" picker.out
}

@test "a thread that is cancelled in a call leaves the others what they need" {
    run timeout 60 c_api cancelled pick
    assert_success
    assert_line -n 0 0
    assert_line -n 1 --regexp '^[0-9]+$'
}

@test "no call keeps a descriptor open" {
    run -0 c_api descriptors pick 'lease inet stream 127.0.0.1' 'release @2' "reserve ${pool[5]}" "is_free @2" \
        'bind 0 stream' 'lease inet any 192.0.2.1' pool 'shell rm home/leases' pick 'shell rm -r home' pick \
        'pick -1' 'bind_port inet stream' pick pick pick pick pick pick descriptors
    assert_line -n 20 PORTMAP_EXHAUSTED
    assert_equal "${lines[-1]}" "${lines[0]}"
}

@test "a lease table that is removed meanwhile is made again, with what the process has leased" {
    holding first pick "reserve ${pool[5]}" 'shell rm home/leases' 'lease any any' 'shell rm -r home' 'lease any any'
    mapfile -t ports < <(grep -vx -e 0 -e holding first.out)
    mapfile -t others < <(c_api pick pick pick)
    assert_equal "${others[2]}" PORTMAP_EXHAUSTED
    printf '%s\n' "${ports[@]}" "${pool[5]}" "${others[@]:0:2}" | sort -n | diff - <(printf '%s\n' "${pool[@]}" | sort -n)
}

@test "a port that was leased before the table was removed is given back as any other" {
    one_port
    prints "$port" 0 0 PORTMAP_ENOTOURS "$port" -- c_api pick 'shell rm home/leases' 'release @1' 'release @1' pick
}

@test "a table that somebody else made meanwhile is followed" {
    one_port
    holding first 'shell true' 'shell rm -f home/leases; portshim pick -q 1 >picked' pick
    assert_equal "$(cat picked)" "$port"
    assert_equal "$(sed -n 3p first.out)" PORTMAP_EXHAUSTED
}

@test "a port of portshim's server goes back to it" {
    one_port
    ranges=$(printf ',%s' "${pool[@]:1:3}")
    start server portshim serve --foreground --address "$PWD/server.sock" --pool "${ranges#,}"
    within 20 portshim serve --status --address "$PWD/server.sock"
    export PORTSERVER_ADDRESS=$PWD/server.sock
    run -0 c_api pick 'release @1' 'release @1' pick pick pick pick
    assert_equal "${lines[1]}" 0
    assert_equal "${lines[2]}" PORTMAP_ENOTOURS
    printf '%s\n' "${lines[@]:3:3}" | sort | diff - <(printf '%s\n' "${pool[@]:1:3}" | sort)
    assert_equal "${lines[6]}" "$port"
    portshim serve --status | grep -x 'released 1'
}

# accepts SOCKET: a server listens there. The socket is there a moment before.
accepts() {
    socat -u /dev/null "UNIX-CONNECT:$1" 2>connect.err
}

@test "a port of portpicker's server is picked again when it has been given back" {
    one_port
    start server portserver --portserver_address "$PWD/server.sock" \
        --portserver_static_pool "$(printf '%s-%s\n' "${pool[1]}" "${pool[1]}" "${pool[2]}" "${pool[2]}" | paste -sd ,)"
    within 20 accepts server.sock
    run -0 c_api "server $PWD/server.sock" pick 'release @2' 'release @2' pick pick pick
    assert_equal "${lines[2]}" 0
    assert_equal "${lines[3]}" PORTMAP_ENOTOURS
    assert_equal "${lines[4]}" "${lines[1]}"
    printf '%s\n' "${lines[1]}" "${lines[5]}" | sort | diff - <(printf '%s\n' "${pool[@]:1:2}" | sort)
    assert_equal "${lines[6]}" "$port"
}

@test "a port that portpicker's server gave for another process is not picked again by this one" {
    one_port
    start other sleep infinity
    other=$pid
    start server portserver --portserver_address "$PWD/server.sock" --portserver_static_pool "${pool[1]}-${pool[1]}"
    within 20 accepts server.sock
    prints 0 "${pool[1]}" 0 "$port" -- c_api "server $PWD/server.sock" "pick $other" 'release @2' pick
}

@test "a server is not asked for another port where none would do" {
    one_port
    start server portserver --portserver_address "$PWD/server.sock" --portserver_static_pool "${pool[1]}-${pool[1]},${pool[2]}-${pool[2]}"
    within 20 accepts server.sock
    run -0 c_api "server $PWD/server.sock" 'lease any any 192.0.2.1' pick
    assert_equal "${lines[1]}" EADDRNOTAVAIL
    refute [ "${lines[2]}" = "$port" ]
}

@test "a server that is not there is passed over, and asked once it is" {
    one_port
    prints 0 "$port" 0 0 "$port" -- c_api "server $PWD/none" pick 'release @2' server pick
}

@test "a program is linked with the archive as well, and the same holds" {
    # shellcheck disable=SC2046 # words
    build static -static $(flags --static --cflags --libs)
    # shellcheck disable=SC2046 # words
    build archive $(flags --cflags) "$TREE/usr/lib/libportmap.a" -pthread
    for program in static archive; do
        PORTSHIM_POOL=$wide run -0 "./$program" pick 'child release @1' 'release @1' 'release @1' threads
        assert_line -n 1 PORTMAP_ENOTOURS
        assert_equal "${lines[3]}" 0
        assert_equal "${lines[4]}" PORTMAP_ENOTOURS
        assert_equal "${lines[5]}" 0
    done
    run -1 grep -c libportmap <(readelf -d archive)
}

# The functions that portmap.h and error.h declare.
declared() {
    grep -ohE '\bportmap_[a-z_]+\(' "$ROOT/portmap/portmap.h" "$ROOT/portmap/error.h" | grep -v 'portmap_error' |
        tr -d '(' | sort -u
}

@test "the libraries have no names but those of the header" {
    nm -D --defined-only "$TREE/usr/lib/libportmap.so" | awk '{ print $3 }' | sort | diff <(declared) -
    nm -g --defined-only "$TREE/usr/lib/libportmap.a" | awk 'NF == 3 { print $3 }' | sort | diff <(declared) -
}

@test "the headers are C11 and C++, without a warning" {
    printf '#include <portmap/portmap.h>\nint main(void) { return portmap_is_free(0) != -22; }\n' >user.c
    # shellcheck disable=SC2046 # words
    "${CC:-gcc}" -std=c11 -Wall -Wextra -pedantic -Werror -o user user.c $(flags --cflags --libs) "-Wl,-rpath,$TREE/usr/lib"
    ./user
    cxx=$(type -P g++ clang++ | head -n 1)
    [[ $cxx ]] || skip "no C++ compiler is installed"
    sed 's/(void)/()/' user.c >user.cc
    # shellcheck disable=SC2046 # words
    "$cxx" -std=c++11 -Wall -Wextra -pedantic -Werror -o user user.cc $(flags --cflags --libs) "-Wl,-rpath,$TREE/usr/lib"
    ./user
}

@test "make install puts the library, its headers and its description where pkg-config and the linker look" {
    version=$(sed -n 's/^VERSION = //p' "$ROOT/Makefile")
    lib=$TREE/usr/lib
    assert_equal "$(readlink "$lib/libportmap.so")" libportmap.so.0
    assert_equal "$(readlink "$lib/libportmap.so.0")" "libportmap.so.$version"
    [[ -f $lib/libportmap.so.$version && ! -L $lib/libportmap.so.$version ]]
    readelf -d "$lib/libportmap.so" | grep -F 'soname: [libportmap.so.0]'
    assert_equal "$(cd "$TREE/usr/include/portmap" && echo *)" 'error.h portmap.h'
    assert_equal "$(flags --modversion)" "$version"
    make -s -C "$ROOT" install DESTDIR="$PWD/moved" PREFIX=/opt/p LIBDIR=/opt/p/lib64
    moved() {
        PKG_CONFIG_PATH=$PWD/moved/opt/p/lib64/pkgconfig pkg-config "$@" portmap | xargs
    }
    assert_equal "$(moved --cflags --libs)" '-I/opt/p/include -L/opt/p/lib64 -lportmap'
    assert_equal "$(moved --static --libs)" '-L/opt/p/lib64 -lportmap -pthread'
}
