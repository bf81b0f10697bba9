# A program that has nothing to do with sockets hardly notices that it is in a run.
load helper
load bare

setup() {
    cd "$(test_dir)"
}

# calls_after_loading TRACE: prints the system calls of /bin/true after ld.so has unmapped its cache.
calls_after_loading() {
    sed 's/^[0-9]* *//; /^+++/d; /^---/d' "$1" | awk 'on; /^munmap/ { on = 1 }'
}

@test "a program that opens no socket joins its run with eight system calls, none of which asks /proc" {
    needs_strace
    strace -o bare.trace /bin/true
    portshim run -p 8080 -- strace -o wrapped.trace /bin/true
    bare=$(calls_after_loading bare.trace | wc -l)
    ((bare > 0)) || skip 'this ld.so has no cache'
    calls=$(calls_after_loading wrapped.trace)
    (($(wc -l <<<"$calls") - bare <= 8)) || fail "$calls"
    refute grep /proc <<<"$calls"
}

@test "it joins with one descriptor left, too" {
    start server portshim run -p 8080 -n few -- bash -c 'ulimit -n 4; exec sleep infinity'
    both_joined() { (($(portshim ls --log few | grep -c "pid $pid .*attached") == 2)); } # bash and sleep
    within 10 both_joined
}

@test "what a program has to ask about itself and its host it asks before its first socket, once" {
    needs_strace
    strace -f -o trace portshim run -p 8080 -- "$ROOT/build/tests/one_bind" 8080
    awk '/execve\("[^"]*one_bind"/ { on = 1 } on' trace >calls
    for call in 'socket\(AF_NETLINK' 'openat\(AT_FDCWD, "/proc/self/fd"' 'statx?\(AT_FDCWD, "/proc/self/exe"'; do
        assert_equal "$call: $(grep -cE "$call" calls)" "$call: 1"
    done
    # the last of them, then the program's own
    assert_equal "$(grep -oE 'socket\(AF_[A-Z]*' calls | paste -sd ' ')" 'socket(AF_NETLINK socket(AF_INET'
}

@test "a signal that comes while a program joins its run is handled in the run" {
    source=$PROGRAMS/early_signal
    gcc -fPIC -shared -o libearly.so "$source/library.c"
    gcc -o early "$source/program.c" -L. -learly -Wl,-rpath,"$PWD"
    bare_ports 1
    strangers # a bind that is not translated fails: a stranger holds the placeholder
    export PORT=${bare_ports[0]}
    # shellcheck disable=SC2016 # the inner shell counts
    run -0 portshim run -p "$PORT" -- bash -c '
        for ((delay = 1; delay < 400; delay += 4)); do DELAY=$delay ./early || exit; done'
    nobody_visited_strangers
}

@test "it writes to seven pages of memory for the library, most of which is for ports that it does not use" {
    start program portshim run -p 8080 -- sleep infinity
    # Behind the library's file is the memory without one, its tables and two pages of ld.so's.
    own_pages() {
        awk -v page="$(($(getconf PAGESIZE) / 1024))" '
            /^[0-9a-f]+-[0-9a-f]+ / {
                split($1, range, "-")
                ours = /libportshim\.so/ || (NF == 5 && range[1] == end)
                if (ours) end = range[2]
            }
            ours && /^Anonymous:/ { sum += $2 }
            END { print sum / page }' "/proc/$pid/smaps"
    }
    is_sleep() { [[ $(readlink "/proc/$pid/exe") == */sleep ]] && [[ $(portshim ls --log) == *"pid $pid "*attached* ]]; }
    within 10 is_sleep
    pages=$(own_pages)
    ((pages > 0 && pages <= 7)) || fail "$pages pages"
}

@test "of libc's functions it looks up twenty at most" {
    portshim run -p 8080 -- env LD_DEBUG=bindings /bin/true 2>bindings
    looked_up=$(grep -c 'libportshim\.so \[0\] to .*/libc' bindings)
    ((looked_up > 0 && looked_up <= 20)) || fail "$looked_up"
}
