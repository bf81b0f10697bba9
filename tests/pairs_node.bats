# node's servers and clients in one suite: net, dgram, http and http2.
load helper
load pairs

setup() {
    cd "$(test_dir)"
}

@test "four copies of a node suite with hard-coded ports pass at the same time" {
    four_at_once 9000-9002 node "$PROGRAMS/pairs_node.js"
    for i in 0 1 2 3; do
        assert_equal "$(cat "client-$i.out")" passed
    done
}
