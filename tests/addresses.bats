# A program that asks for an address gets the placeholder in it, however small its buffer is.
load helper
load bare

addresses=$ROOT/build/tests/addresses

setup() {
    cd "$(test_dir)"
    bare_ports 2
}

@test "address buffers of every size hold what they would hold without portshim" {
    same_as_bare "$addresses" libc "${bare_ports[@]}"
}

@test "the same holds for fortified programs" {
    same_as_bare "$addresses" fortified "${bare_ports[@]}"
}

@test "the same holds for calls through syscall()" {
    same_as_bare "$addresses" syscall "${bare_ports[@]}"
}

@test "--reveal shows a program its real port" {
    read_name='import socket; s = socket.socket(); s.bind(("127.0.0.1", int("'${bare_ports[0]}'"))); print(s.getsockname()[1])'
    run portshim run -p "${bare_ports[0]}" -m map -- /usr/bin/python3 -c "$read_name"
    assert_output "${bare_ports[0]}"
    run portshim run --reveal -p "${bare_ports[0]}" -m map -- /usr/bin/python3 -c "$read_name"
    assert_output "$(awk -v port="${bare_ports[0]}" '$1 == port { print $2 }' map)"
}
