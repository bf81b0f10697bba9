# A server of the suite, for file.bats.
setup_suite() {
    bats_load_library portshim
    portshim_start suite 8080 -- socat TCP4-LISTEN:8080,bind=127.0.0.1,fork SYSTEM:"echo suite"
    portshim_wait suite 8080
}

teardown_suite() {
    portshim_in suite socat -u TCP4:127.0.0.1:8080 - >>"$HERE/said"
}
