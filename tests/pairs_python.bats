# Python's servers and clients in one suite: socketserver, asyncio, multiprocessing and xmlrpc.
load helper
load pairs

setup() {
    cd "$(test_dir)"
}

@test "four copies of a Python suite with hard-coded ports pass at the same time" {
    four_at_once 9000-9005 /usr/bin/python3 "$PROGRAMS/pairs_python.py"
}
