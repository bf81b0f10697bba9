# Wherever in memory a program keeps its addresses, its calls work and cause no other system calls.
load helper
load bare
load network

setup() {
    cd "$(test_dir)"
    places=$ROOT/build/tests/places
}

# calls_between_marks TRACE: prints the names of the system calls between "begin" and "end".
calls_between_marks() {
    awk '/"end/ { on = 0 } on { sub(/^[0-9]+ +/, ""); sub(/\(.*/, ""); print } /"begin/ { on = 1 }' "$1"
}

@test "once its pages are known, a program makes the system calls that it makes without portshim" {
    bare_ports 2
    strace -f -o bare.trace "$places" twice 127.0.0.1 "${bare_ports[@]}"
    strace -f -o wrapped.trace portshim run -p "$(placeholders)" -- "$places" twice 127.0.0.1 "${bare_ports[@]}"
    calls_between_marks bare.trace >bare.calls
    assert_equal "$(grep -cx recvmmsg bare.calls)" 7
    run diff bare.calls <(calls_between_marks wrapped.trace)
    assert_success
}

@test "so too on an older kernel" {
    bare_ports 2
    local old_kernel=$ROOT/build/tests/old_kernel
    strace -f -o bare.trace "$old_kernel" "$places" twice 127.0.0.1 "${bare_ports[@]}"
    strace -f -o wrapped.trace \
        portshim run -p "$(placeholders)" -- "$old_kernel" "$places" twice 127.0.0.1 "${bare_ports[@]}"
    run diff <(calls_between_marks bare.trace) <(calls_between_marks wrapped.trace)
    assert_success
    grep -q FUTEX_CMP_REQUEUE wrapped.trace
}

@test "a program lives under a filter of its own that kills it on every other call" {
    network
    for how in prctl seccomp; do
        "${in_network[@]}" "$places" "$how" 10.9.8.1 8080 8081
        # Under such a filter, nobody asks the kernel for a socket's protocol, or whether an address is local.
        "${in_network[@]}" portshim run -p 8080/tcp,8081/udp -- "$places" "$how" 10.9.8.1 8080 8081
        "${in_network[@]}" portshim run -p 8080,8081 -- "$places" "$how" 127.0.0.1 8080 8081
    done
}

@test "valgrind finds nothing wrong with it" {
    type -P valgrind >/dev/null || skip "valgrind is not installed"
    bare_ports 2
    portshim run -p "$(placeholders)" -- \
        valgrind -q --error-exitcode=99 "$places" twice 127.0.0.1 "${bare_ports[@]}" >out 2>&1 || cat out
    run cat out
    assert_output "$(printf 'begin\nend')"
}
