# For bad pointers and lengths, a program gets the kernel's error, and never a fault inside the library.
load helper
load bare

bad_pointers=$ROOT/build/tests/bad_pointers

setup() {
    cd "$(test_dir)"
    bare_ports 2
}

@test "every call answers bad pointers and lengths as it does without portshim" {
    same_as_bare "$bad_pointers" libc "${bare_ports[@]}"
}

@test "the same holds for fortified programs" {
    same_as_bare "$bad_pointers" fortified "${bare_ports[@]}"
}

@test "the same holds for calls through syscall()" {
    same_as_bare "$bad_pointers" syscall "${bare_ports[@]}"
}

@test "the same holds on an older kernel, and under a filter that was there before the program" {
    same_as_bare "$ROOT/build/tests/old_kernel" "$bad_pointers" libc "${bare_ports[@]}"
}
