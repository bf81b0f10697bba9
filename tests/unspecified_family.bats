# An address of AF_UNSPEC counts as IPv4 where the kernel takes it for that, and disconnects a socket where the kernel
# does.
load helper
load bare

unspecified_family=$ROOT/build/tests/unspecified_family

setup() {
    cd "$(test_dir)"
    bare_ports 1
}

@test "bind, connect and send with AF_UNSPEC do what they do without portshim" {
    same_as_bare "$unspecified_family" libc "${bare_ports[0]}"
    grep -q "^bind family 2 type 1 0.0.0.0 length 16: 0, own name 0 \[0.0.0.0\]:${bare_ports[0]}\$" wrapped.out
    grep -q 'disconnect 0, peer Transport endpoint is not connected' wrapped.out
    grep -q '^sendto family 2 127.0.0.1: 1, 1 arrived' wrapped.out
}

@test "the same holds for calls through syscall()" {
    same_as_bare "$unspecified_family" syscall "${bare_ports[0]}"
}
