# The plugin of pytest, from the installed tree with the source moved away.
load helper
load installed

setup_file() {
    install_tree
}

teardown_file() {
    remove_tree
}

setup() {
    cp "$PROGRAMS"/runners/*.py "$(test_dir)"
    cd "$(test_dir)"
    /usr/bin/python3 -c 'import pytest, xdist' 2>import.err ||
        skip "no python3-pytest or python3-pytest-xdist: $(tail -n 1 import.err)"
    hide_source
    INSTALLED+=(env -u PYTEST_ADDOPTS HERE="$PWD" PYTHONPATH="$TREE/share/portshim/python" PYTHONDONTWRITEBYTECODE=1
        PYTEST_DEBUG_TEMPROOT="$PWD") # the directory of its temporary files is named after the user, who may be root here
    pytest=("${INSTALLED[@]}" /usr/bin/python3 -m pytest -p no:cacheprovider)
}

@test "eight workers with a server on 8080 meet each other's, and with the plugin each has its own" {
    # In one run all eight have one 8080, as they would have the host's.
    run "${INSTALLED[@]}" portshim run -p 8080 -- /usr/bin/python3 -m pytest -p no:cacheprovider -q -n 8 test_eight.py
    assert_output --partial '7 failed, 1 passed'
    rm here.*
    run -0 "${pytest[@]}" -q -n 8 --portshim 8080 test_eight.py
    assert_output --partial '8 passed'
    within 5 nothing_is_left
}

@test "without workers the session is one run, which begins before a conftest can bind" {
    echo 'import os, socket
at_import = socket.create_server(("127.0.0.1", 8080))
assert at_import.getsockname()[1] == 8080 and os.environ["PORTSHIM_PORT_8080"]
at_import.close()
os.environ["CONFTEST_RAN"] = "twice" if "CONFTEST_RAN" in os.environ else "once"' >conftest.py
    run -0 "${pytest[@]}" --portshim 8080 test_session.py
    assert_output --partial '3 passed'
    assert_equal "$(grep -c 'test session starts' <<<"$output")" 1
}

@test "the same by pytest.ini, for a program that calls pytest.main, and its status is that of the tests" {
    printf '[pytest]\nportshim = 8080\naddopts = -v -k "real or fails"\n' >pytest.ini
    echo 'def test_fails(): assert False' >test_fails.py
    echo 'import pytest, sys; sys.exit(pytest.main(sys.argv[1:]))' >mine.py
    run -1 "${INSTALLED[@]}" /usr/bin/python3 mine.py -n 0 -p no:cacheprovider test_session.py test_fails.py
    assert_output --partial '1 failed, 1 passed, 2 deselected'
}

@test "a fixture starts programs in runs of their own, and all are ended with the test" {
    run -1 "${pytest[@]}" test_fixture.py
    assert_output --partial '1 failed, 5 passed'
    assert_output --partial 'test_all_is_ended_also_when_the_test_fails'
    within 5 nothing_is_left
    run -137 "${INSTALLED[@]}" env KILLED=yes /usr/bin/python3 -m pytest -p no:cacheprovider -k killed test_fixture.py
    within 10 nothing_is_left
}

@test "where the tests would be in no run, pytest says so and runs none" {
    run -4 "${pytest[@]}" -n 2 --portshim 80800 test_session.py
    assert_output --partial 'ERROR: portshim: bad port specification "80800"'
    run -125 "${pytest[@]}" --portshim 80800 test_session.py
    assert_output --partial 'portshim: bad port specification "80800"'
    run -4 "${INSTALLED[@]}" env PYTEST_XDIST_AUTO_NUM_WORKERS=0 /usr/bin/python3 -m pytest -n auto --portshim 8080
    assert_output --partial 'the tests would be in no run'
    run -4 "${INSTALLED[@]}" /usr/bin/python3 - <<<'import pytest, sys; sys.exit(pytest.main(["--portshim", "8080"]))'
    assert_output --partial 'read from stdin'
}

@test "make install puts the plugin where /usr/bin/python3 looks, and pip can make a wheel of it" {
    make -s -C "$ROOT" install DESTDIR="$PWD/tree" PYTHON=/usr/bin/python3
    directory=$(/usr/bin/python3 -c 'import site; print(site.getsitepackages()[0])')
    assert_equal "$(cd "tree$directory" && find . -type f | sort | xargs)" "$(cd "$TREE/share/portshim/python" &&
        find . -name 'portshim_pytest*' -type f -o -path '*.dist-info/*' | sort | xargs)"
    # What pip calls. Python imports from a wheel as it is.
    cp -r "$TREE/share/portshim/python" plugin
    wheel=$(cd plugin && /usr/bin/python3 -c 'import portshim_build; print(portshim_build.build_wheel(".."))')
    run -0 "${INSTALLED[@]}" env PYTHONPATH="$PWD/$wheel" /usr/bin/python3 -m pytest --portshim 8080 -k real test_session.py
    assert_output --partial '1 passed'
}

@test "the manual's example for pytest passes" {
    # shellcheck disable=SC2016 # expanded there
    printf '%s\n' '#!/bin/sh' 'listen() { socat "TCP4-LISTEN:$1,bind=127.0.0.1,fork" "SYSTEM:echo hello"; }' \
        '[ -z "$1" ] || listen 8443 &' 'listen 8080' >server
    # shellcheck disable=SC2016
    printf '%s\n' '#!/bin/sh' 'exec socat -u "TCP4:127.0.0.1:$1" -' >client
    chmod +x server client
    example pytest 2 >test_example.py
    run -0 "${pytest[@]}" test_example.py
    assert_output --partial '1 passed'
}
