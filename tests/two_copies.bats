# Two copies of the library in one process, from two installations: only one of them rewrites.
load helper
load loading

setup() {
    cd "$(test_dir)"
    own_pool 4
    loading_build
    cp "$PORTSHIM_LIB" other.so
    once=${PORTSHIM_POOL##*,}
    ports=2=$once,$once # if both rewrote, 2 would become the real port of $once
    both=("$PORTSHIM_LIB:$PWD/other.so" "$PWD/other.so:$PORTSHIM_LIB")
}

@test "a port is rewritten once, whichever copy comes first" {
    for list in "${both[@]}"; do
        run -0 portshim run -p "$ports" --reveal -- env LD_PRELOAD="$list" ./program bind 2 direct
        assert_output "$once"
        run -0 portshim run -p "$ports" --reveal -- env LD_PRELOAD="$list" ./program bind 2 deepbind
        assert_output "$once"
        run -0 portshim run -p "$ports" --reveal -- env LD_PRELOAD="$list" ./program bind 2 dlsym
        assert_output "$once"
        run -0 portshim run -p "$ports" -- env LD_PRELOAD="$list" ./program bind 2 direct
        assert_output 2
    done
}

@test "so it is in what the program starts, with a fresh environment too" {
    for list in "${both[@]}"; do
        run -0 portshim run -p "$ports" --reveal -- env LD_PRELOAD="$list" env -i sh -c './program bind 2 direct'
        assert_output "$once"
        run -0 portshim run -p "$ports" --reveal -- env LD_PRELOAD="$list" sh -c './program bind 2 direct'
        assert_output "$once"
    done
}

@test "a program that is started by hand with both is found on the one real port" {
    for list in "${both[@]}"; do
        start server env PORTSHIM_PORTS="$ports" PORTSHIM_MAP_FILE="$PWD/m" LD_PRELOAD="$list" \
            socat -t 60 TCP4-LISTEN:2,bind=127.0.0.1 PIPE
        within 10 test -e m
        assert_equal "$(real m 2)" "$once"
        assert_equal "$(echo hello | socat -t 60 -T 60 - "TCP4:127.0.0.1:$once")" hello
        wait "$pid"
        rm m
    done
}

@test "a run in a run, with another installation's library, rewrites once" {
    mkdir -p bin lib
    cp "$(type -P portshim)" bin
    mv other.so lib/libportshim.so
    run -0 portshim run -p 3 -- env -u PORTSHIM_LIB bin/portshim run -p "$ports" --reveal -- ./program bind 2 direct
    assert_output "$once"
}

@test "an emulator and the program in it, which both have the library, rewrite a port once" {
    emulator=$(type -P "qemu-$(uname -m)") || skip 'qemu-user is not installed'
    run -0 portshim run -p "$ports" --reveal -- "$emulator" ./program bind 2 direct
    assert_output "$once"
    run -0 portshim run -p "$ports" -- "$emulator" ./program bind 2 direct
    assert_output 2
    start server portshim run -p "$ports" -n emulated -- "$emulator" "$(type -P socat)" -t 60 TCP4-LISTEN:2,bind=127.0.0.1 PIPE
    within 10 portshim ls emulated 2>/dev/null
    assert_equal "$(real emulated 2)" "$once"
    run -0 inside emulated "$emulator" "$(type -P socat)" -t 60 -T 60 - TCP4:127.0.0.1:2 <<<hello
    assert_output hello
}
