# Every process and thread that has a descriptor of a socket sees the placeholder, however it got the descriptor.
load helper
load bare

setup() {
    cd "$(test_dir)"
}

@test "threads, children, copies of descriptors and receivers of them all know a socket by the placeholder" {
    bare_ports 1
    same_as_bare "$ROOT/build/tests/descriptors" "${bare_ports[0]}"
    assert_equal "$(grep -c "127.0.0.1\]:${bare_ports[0]}\$" wrapped.out)" 13
}
