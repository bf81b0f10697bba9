# Java's servers and clients in one suite: sockets, datagrams, channels and HTTP, most of them IPv4 in IPv6.
load helper
load pairs

setup() {
    cd "$(test_dir)"
}

@test "four copies of a Java suite with hard-coded ports pass at the same time" {
    four_at_once 9000-9002 java -XX:TieredStopAtLevel=1 "$PROGRAMS/pairs_java.java"
    for i in 0 1 2 3; do
        assert_equal "$(cat "client-$i.out")" passed
    done
}
