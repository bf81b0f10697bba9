# A test that waits for its server to end, and has one of the file's.
bats_require_minimum_version 1.8.0
bats_load_library portshim

setup_file() {
    portshim_start shared 9090 -- sleep 1000
}

@test "waits" {
    portshim_start web 8080 -- sleep 1000
    echo "$$" >"$HERE/ready"
    wait
}
