# A start costs what it lists.
load helper

setup() {
    cd "$(test_dir)"
}

# starts ARGUMENT...: portshim run ARGUMENT..., with its system calls up to the command in the file `calls`.
starts() {
    needs_strace
    # A leak check and strace cannot both trace a process.
    ASAN_OPTIONS=${ASAN_OPTIONS-}:detect_leaks=0 strace -o trace portshim run "$@"
    sed '1d; /^execve(.*= 0$/,$d' trace >calls
}

@test "for many placeholders the kernel's sockets are looked at once, and few ports are probed" {
    own_pool 420
    starts -p 2000-2399 -- true
    (($(grep -c '^bind(' calls) < 60)) || skip "the kernel does not show all sockets: $(uname -r)"
    (($(grep -c '^sendto(' calls) < 6))
    # A start in the same home looks at the ports of the first run as well, which is over.
    PORTSHIM_HOME=$PWD/another starts -p 2000-2009 -- true
    assert_equal "$(grep -c '^bind(' calls)" 20
    refute grep '^sendto(' calls
}

@test "none of many real ports has a socket of somebody else, of whatever kind" {
    own_pool 90
    start strangers /usr/bin/python3 -c '
import signal, socket, sys
kept = []
for n, port in enumerate(sys.argv[1].split(",")[::3]):
    family, address = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"), (socket.AF_INET, ""))[n % 3]
    s = socket.socket(family, (socket.SOCK_STREAM, socket.SOCK_DGRAM)[n // 3 % 2])
    s.bind((address, int(port)))
    if n % 4 == 0 and s.type == socket.SOCK_STREAM:
        s.listen()
    kept.append(s)
    print(port)
print("ready", flush=True)
signal.pause()' "$PORTSHIM_POOL"
    within 10 grep -qs ready strangers.out
    portshim run -p 2000-2059 -m m.json -- true
    jq -r '.ports[].real' m.json | sort -u | comm -23 - <(sort strangers.out) | wc -l >free
    assert_equal "$(cat free)" 60
    rm m.json
    fails_with 'pool exhausted' portshim run -p 2000-2060 -- true
}

@test "the kernel's settings are read once each, and not where the pool is not needed" {
    own_pool 2
    real=$(head -n 1 pool.ports)
    unset PORTSHIM_POOL
    starts -q -p 8080 -- true
    for name in ip_local_port_range ip_unprivileged_port_start ip_local_reserved_ports; do
        assert_equal "$(grep -c "/$name\"" calls)" 1
    done
    starts -q -p "8080=$real" -- true
    refute grep -E 'ip_unprivileged_port_start|ip_local_reserved_ports' calls
    start keeper portshim run -p "8080=$real" -n kept -m kept.json -- sleep infinity
    within 5 test -e kept.json
    starts -q -j kept -- true
    refute grep /proc/sys/net calls
}

@test "a program is judged by two reads" {
    starts -p 8080 -- cat /dev/null
    file=$(grep -oE '^openat\([^,]*, "[^"]*/cat"' calls | cut -d '"' -f 2)
    assert_equal "$(sed -n "\\|^openat.*\"$file\"|,/^close/p" calls | grep -cE '^p?read')" 2
}

@test "the command is looked for once, and a home that is there is not made again" {
    mkdir one two
    PATH=$PWD/one:$PWD/two:$PATH starts -p 8080 -- true # makes the home
    PATH=$PWD/one:$PWD/two:$PATH starts -p 8080 -- true
    refute grep '^execve(' calls
    assert_equal "$(grep -c '^mkdirat(.*EEXIST' calls)" 0
    assert_equal "$(grep -cE '^open(at)?\(.*/libportshim.so"' calls)" 1
}

@test "a program that is found but cannot be executed is passed over, as by the shell" {
    mkdir one two
    printf '#!/nowhere/sh\n' >one/hello
    # shellcheck disable=SC2016 # expanded by that script
    printf '#!/bin/sh\necho "$0 $*"\n' >two/hello
    chmod +x one/hello two/hello
    assert_equal "$(PATH=$PWD/one:$PWD/two:$PATH portshim run -q -p 8080 -- hello you)" "$PWD/two/hello you"
    printf 'echo a script without a head\n' >one/hello
    assert_equal "$(PATH=$PWD/one:$PWD/two:$PATH portshim run -q -p 8080 -- hello you)" 'a script without a head'
}

@test "a start asks /proc about itself once for each thing, and walks through the runs once" {
    own_pool 8 # nor do other tests' runs lie in its home
    for _ in 1 2 3; do starts -p 8080 -- true; done
    # The clock's namespace is looked at again before a process is taken for another one that has its pid.
    assert_equal "$(grep -oE '"/proc/self/[a-z/]+"' calls | grep -v /ns/time | sort | uniq -d)" ''
    grep -qE '"/proc/self/ns/pid"' calls
    grep -qE '^Seccomp:\s*[1-9]' /proc/self/status || refute grep '/proc/self/status' calls
    assert_equal "$(grep -cE '^openat\([0-9]+, "runs",' calls)" 1
}
