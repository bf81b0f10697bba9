# Libraries that a program loads itself: RTLD_DEEPBIND, functions looked up by a handle, namespaces.
load helper
load loading

setup() {
    cd "$(test_dir)"
    own_pool 4
    loading_build
}

# kernel_port HOW: prints the port that the kernel sees when the program or its library binds placeholder 2.
kernel_port() {
    portshim run -p 2 --reveal -- ./program bind 2 "$1"
}

leased() {
    [[ ,$PORTSHIM_POOL, == *,$1,* ]]
}

@test "a library that is loaded with RTLD_DEEPBIND binds the real port" {
    leased "$(kernel_port plain)"
    leased "$(kernel_port deepbind)"
}

@test "PORTSHIM_DEEPBIND=keep leaves the flag, PORTSHIM=0 as well, and another value is an error" {
    port=$(portshim pick)
    PORTSHIM_DEEPBIND=keep run -0 portshim run -p "$port" --reveal -- ./program bind "$port" deepbind
    assert_output "$port"
    run -0 portshim run -p "$port" --reveal -- env PORTSHIM=0 ./program bind "$port" deepbind
    assert_output "$port"
    PORTSHIM_DEEPBIND=no fails_with PORTSHIM_DEEPBIND portshim run -p 2 -- ./program bind 2 plain
}

@test "bind as a handle of libc gives it is the library's, by dlsym and by dlvsym" {
    leased "$(kernel_port dlsym)"
    leased "$(kernel_port dlvsym)"
    port=$(portshim pick)
    run -0 portshim run -p "$port" --reveal -- env PORTSHIM=0 ./program bind "$port" dlsym
    assert_output "$port"
}

@test "ctypes binds the real port, by libc's handle and by the program's" {
    for library in None '"libc.so.6"'; do
        run -0 portshim run -p 2 --reveal -- /usr/bin/python3 -c "
import ctypes, socket
s = socket.socket()
assert ctypes.CDLL($library).bind(s.fileno(), b'\2\0\0\2\x7f\0\0\1' + bytes(8), 16) == 0
print(s.getsockname()[1])"
        leased "$output"
    done
}

@test "RUNPATH, \$ORIGIN and namespaces are as without a run, of a program and of a library" {
    loading_is_as_bare
}

@test "they are so too with a library that is built without optimization, or with sanitizers" {
    for flags in -O0 '-O1 -fsanitize=undefined -fno-sanitize=alignment -fsanitize-undefined-trap-on-error'; do
        make -s -C "$ROOT" B="$PWD/build" CFLAGS="$flags" "$PWD/build/libportshim.so"
        export PORTSHIM_LIB=$PWD/build/libportshim.so
        loading_is_as_bare
        leased "$(kernel_port deepbind)"
        rm -r build
    done
}

@test "beside another preloaded library, however that finds the next function, no call goes in a circle" {
    for how in 1 2 3 4 5; do
        gcc -D_GNU_SOURCE -DHOW=$how -fPIC -shared -o "other$how.so" "$PROGRAMS/loading/interposer.c" -ldl
        for list in "$PWD/other$how.so:$PORTSHIM_LIB" "$PORTSHIM_LIB:$PWD/other$how.so"; do
            for way in direct deepbind dlsym dlvsym; do
                # With another library between ours and libc, libc's bind() of a handle is left alone, and 2 is root's.
                [[ $list == "$PORTSHIM_LIB"* && $way == dl* ]] && ! as_root && continue
                run -0 portshim run -p 2 --reveal -- env LD_PRELOAD="$list" ./program bind 2 $way
                [[ $list == "$PORTSHIM_LIB"* && $way == dl* ]] || leased "$output"
            done
        done
    done
}

@test "a program under ThreadSanitizer or AddressSanitizer, which ask dlsym before libc is at work, starts" {
    for sanitizer in thread address; do
        gcc -D_GNU_SOURCE "-fsanitize=$sanitizer" -o sanitized "$PROGRAMS/loading/program.c" -ldl
        export ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0
        run -0 portshim run -p 2 --reveal -- ./sanitized bind 2 direct
        leased "$output"
        assert_equal "$(portshim run -p 2 -- ./sanitized next)" "$(./sanitized next)"
    done
}

@test "ls tells of libraries that were loaded past the library, or would have been" {
    start keeper portshim run -p 2 -n web -- sleep infinity
    within 5 portshim ls web 2>/dev/null
    inside web ./program bind 2 plain
    assert_equal "$(portshim ls --json web | jq -c '.runs[0].libraries')" '[]'
    inside web ./program bind 2 deepbind
    PORTSHIM_DEEPBIND=keep inside web ./program bind "$(portshim pick)" deepbind
    inside web ./program bind "$(portshim pick)" dlmopen
    run -0 portshim ls web
    assert_line '  wrapped: libraries of program: RTLD_DEEPBIND was taken from the flags of its dlopen(): PORTSHIM_DEEPBIND=keep leaves it'
    assert_line "  not wrapped: libraries of program: RTLD_DEEPBIND was kept, so these libraries reach the kernel's ports: unset PORTSHIM_DEEPBIND"
    assert_line "  not wrapped: libraries of program: dlmopen has a libc of its own, so these libraries reach the kernel's ports: load them by dlopen()"
    portshim ls --json web >ls.json
    assert_equal "$(jq -c '[.runs[0].libraries[] | [.program, .loaded_by, .wrapped]] | sort' ls.json)" \
        '[["program","RTLD_DEEPBIND",false],["program","RTLD_DEEPBIND",true],["program","dlmopen",false]]'
    valid ls.json
}
