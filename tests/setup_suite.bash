# Once before and after all tests.
setup_suite() {
    SUITE_DIR=$(mktemp -d /tmp/portshim-test.XXXXXX)
    export SUITE_DIR
    chmod 755 "$SUITE_DIR"
    local build=${PORTSHIM_BUILD:-$BATS_TEST_DIRNAME/../build}
    cp "$build/portshim" "$build/libportshim.so" "$SUITE_DIR"
}

teardown_suite() {
    rm -rf "$SUITE_DIR"
}
