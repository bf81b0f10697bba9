# A program gets "Address already in use" exactly where it would get it without portshim.
load helper
load bare

address_in_use=$ROOT/build/tests/address_in_use

setup() {
    cd "$(test_dir)"
    bare_ports 1
}

@test "a second server is refused, or not, as without portshim, for all addresses and reuse options" {
    same_as_bare "$address_in_use" libc "${bare_ports[0]}"
    assert_equal "$(grep -c 'Address already in use' wrapped.out)" "$(grep -c 'Address already in use' bare.out)"
    grep -q 'listen Address already in use' bare.out # SO_REUSEADDR alone: bind() succeeds, listen() fails
}

@test "the same holds for calls through syscall()" {
    same_as_bare "$address_in_use" syscall "${bare_ports[0]}"
}

@test "a server restarted in TIME_WAIT is refused without SO_REUSEADDR, and starts with it, as without portshim" {
    same_as_bare "$address_in_use" libc "${bare_ports[0]}" restart
    assert_equal "$(grep -c 'bind Address already in use' wrapped.out)" 2
}
