# `bats_load_library portshim`, from the installed tree with the source moved away.
load helper
load installed

setup_file() {
    install_tree
}

teardown_file() {
    remove_tree
}

setup() {
    cp "$PROGRAMS"/runners/*.ba* "$(test_dir)"
    cd "$(test_dir)"
    hide_source
    INSTALLED+=(env HERE="$PWD" BATS_LIB_PATH="$TREE/lib/bats")
}

# inner OPTION... FILE: runs bats in the installed tree.
inner() {
    run "${INSTALLED[@]}" bats --formatter tap "$@"
}

@test "eight tests with a server on 8080 meet each other's, and with the library each has its own" {
    # In one run all eight have one 8080, as they would have the host's.
    WITH='' run "${INSTALLED[@]}" portshim run -p 8080 -- bats --formatter tap --jobs 8 eight.bats
    assert_equal "$(grep -c '^not ok' <<<"$output")" 7
    rm here.*
    WITH=yes inner --jobs 8 eight.bats
    assert_equal "$(grep -c '^ok' <<<"$output")" 8
    assert_equal "$status" 0
    within 5 nothing_is_left
}

@test "what a test has started is ended after its own teardown, daemons too, however the test ends" {
    inner --jobs 4 --filter '^(passes|fails|is|has)' ends.bats
    assert_line 'ok 1 passes'
    assert_line 'not ok 2 fails'
    assert_line 'ok 3 is skipped # skip so that what it has started is ended all the same'
    assert_line 'not ok 4 has a bad teardown'
    assert_line 'ok 5 has a teardown that skips'
    assert_line 'ok 6 has ended its own before'
    # bats names the lines of the tests that have failed, and none of the library's.
    assert_line --partial 'in test file ends.bats'
    refute_output --partial load.bash
    assert_equal "$(grep -c ': hello$' said)" 6
    within 5 nothing_is_left
    BATS_TEST_TIMEOUT=2 inner --filter 'too long' ends.bats
    assert_line 'not ok 1 takes too long # timeout after 2s'
    within 5 nothing_is_left
}

@test "an interrupted bats and a killed test leave nothing running" {
    start interrupted setsid env --default-signal=INT "${INSTALLED[@]}" bats interrupted.bats
    within 10 test -s ready
    kill -INT -- "-$pid"
    within 10 nothing_is_left
    rm ready
    start killed "${INSTALLED[@]}" bats interrupted.bats
    within 10 test -s ready
    kill -KILL "$(<ready)"
    within 10 nothing_is_left
}

@test "what setup_file or setup_suite has started is there for all tests of the file, and for its own teardown" {
    # The library finds the portshim that it was installed with, where PATH has none.
    INSTALLED+=(env PATH="${PATH//"$SUITE_DIR:$BUILD:"/}")
    inner --jobs 2 --setup-suite-file suite.bash file.bats
    assert_equal "$status: $output" "0: 1..2"$'\n''ok 1 one'$'\n''ok 2 two'
    assert_equal "$(<said)" $'shared\nsuite'
    within 5 nothing_is_left
}

@test "a mistake fails the test with a line about it, and a wait in vain shows the program's output" {
    inner mistakes.bats
    assert_equal "$(grep -c '^not ok' <<<"$output")" 8
    for line in 'nothing listens' 'the run has ended' 'I am on another port' 'and sorry' 'portshim: bad port specification "80800"' \
        'portshim: portshim_start: usage: ' 'in a subshell' 'it is running' 'portshim: wbe: nothing of that name' \
        'is there, and is no map'; do
        assert_output --partial "$line"
    done
    within 5 nothing_is_left
}

@test "the manual's example for bats passes" {
    printf '%s\n' '#!/bin/sh' 'exec /usr/bin/python3 -m http.server --bind 127.0.0.1 8080' >server
    chmod +x server
    { echo 'bats_require_minimum_version 1.8.0' && example bats 2; } >example.bats
    inner example.bats
    assert_equal "$status: $output" $'0: 1..1\nok 1 the front page is there'
}
