# A 32-bit library for 32-bit programs, which may call the functions for a 64-bit time_t.
load helper
load loading

setup() {
    cd "$(test_dir)"
    build_narrow
    gcc -m32 -O2 -o time64 "$PROGRAMS/time64.c"
    PATH=$PWD/build:$PATH
    export PORTSHIM_LIB=$PWD/build/libportshim.so
}

@test "a 32-bit program hears its own datagrams from the placeholder" {
    run nm -D time64
    assert_output --partial __recvmmsg64
    run portshim run -p 9000 -- ./time64 9000
    assert_success
    assert_output $'9000\n9000'
}

@test "a 32-bit and a 64-bit run share one lease table" {
    echo 'int pause(void); int main(void) { return pause(); }' | gcc -m32 -x c - -o pause
    start narrow portshim run -p 9000 -m narrow.json -- ./pause
    PORTSHIM_LIB=$BUILD/libportshim.so
    start wide "$BUILD/portshim" run -p 9000 -m wide.json -- sleep infinity
    within 5 test -e narrow.json
    within 5 test -e wide.json
    assert_not_equal "$(portshim port narrow.json 9000)" "$("$BUILD/portshim" port wide.json 9000)"
    assert_equal "$(portshim port wide.json 9000)" "$("$BUILD/portshim" port wide.json 9000)"
}

@test "a 32-bit program loads libraries as it does without a run, but for RTLD_DEEPBIND" {
    loading_build -m32
    loading_is_as_bare
    for way in direct deepbind dlsym dlvsym; do
        run -0 portshim run -p 9000 --reveal -- ./program bind 9000 $way
        refute_output 9000
    done
}

@test "a 32-bit program under AddressSanitizer, whose runtime calls syscall() before libc is at work, starts" {
    echo 'int main(void) { return 0; }' | gcc -m32 -fsanitize=address -x c - -o sanitized ||
        skip 'no 32-bit AddressSanitizer is installed'
    run -0 env ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0 ./sanitized
    run -0 env ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0 portshim run -p 9000 -- ./sanitized
    assert_output ''
}

@test "a key means the same port to a 32-bit portshim" {
    own_pool 50
    portshim run --key web -v -p 8080 -- ./time64 8080 2>narrow.err
    PORTSHIM_LIB=$BUILD/libportshim.so "$BUILD/portshim" run --key web -v -p 8080 -- true 2>wide.err
    assert_equal "$(grep " 8080 -> " narrow.err)" "$(grep " 8080 -> " wide.err)"
}
