# A placeholder may be in the kernel's ephemeral range, as 56379 is. Then no program sees that number on another socket.
load helper
load bare
load network

ephemeral=$ROOT/build/tests/ephemeral

setup() {
    cd "$(test_dir)"
}

# narrow FIRST LAST: makes these ports the ephemeral range of the test's network.
narrow() {
    network
    "${in_network[@]}" sh -c "echo $1 $2 >/proc/sys/net/ipv4/ip_local_port_range"
}

is_given_four_others() {
    for address in 127.0.0.1 ::1; do
        for type in 1 2; do
            assert_line "$address type $type: 4 ports, then Address already in use"
        done
    done
    assert_equal "$(grep -c '^4 distinct, 0 are the placeholder, 4 reached$' <<<"$output")" 4
}

@test "all four ports that the kernel can give are given to the program under other numbers than the placeholder" {
    narrow 56378 56381
    run "${in_network[@]}" portshim run -p 56379 -- "$ephemeral" 56379
    assert_success
    is_given_four_others
}

@test "the same holds for a placeholder that was assigned late" {
    narrow 56378 56381
    # shellcheck disable=SC2016 # expanded by that shell
    run "${in_network[@]}" portshim run -p 10000-11500,56379 -- sh -c '
        /usr/bin/python3 -c "import socket; socket.socket().bind((\"127.0.0.1\", 56379))"; exec "$0" 56379' "$ephemeral"
    assert_success
    is_given_four_others
}

@test "ports that the kernel gives are reached when they are among more than a thousand placeholders" {
    narrow 56378 56381
    run "${in_network[@]}" portshim run -p 55000-56400 -- "$ephemeral" 55000
    assert_success
    is_given_four_others
}

@test "without portshim the placeholder would have been among them" {
    narrow 56378 56381
    run "${in_network[@]}" "$ephemeral" 56379
    assert_failure 2
    assert_output --partial 'bind to the placeholder: Address already in use'
}
