# The commands that a newcomer runs first, on a machine where nothing is installed.
load helper

setup() {
    cd "$(test_dir)"
}

# bare_path COMMAND...: makes ./bin, which has these commands and no others.
bare_path() {
    local command
    mkdir bin
    for command in "$@"; do
        ln -s "$(type -P "$command")" bin
    done
}

# test_deps ARGUMENT...: runs scripts/test-deps as an ordinary user.
test_deps() {
    local as=()
    ! as_root || as=(setpriv --reuid nobody --regid nogroup --clear-groups)
    run --separate-stderr "${as[@]}" env PATH="$PWD/bin" scripts/test-deps "$@"
}

@test "a user who lacks programs is told the packages that have them" {
    cp -r "$ROOT/scripts" .
    bare_path bash dirname grep
    printf '#!/bin/sh\nexit 1\n' >bin/dpkg-query # nothing is installed
    chmod 755 bin/dpkg-query
    test_deps
    assert_equal "$status $output" '1 '
    assert_equal "${#stderr_lines[@]}" 1
    for package in iproute2 apache2-utils procps bats bats-assert parallel python3-portpicker g++; do
        [[ " $stderr " == *" $package"[\ :]* ]] || fail "no $package: $stderr"
    done
    [[ $stderr == 'test-deps: not installed: '*': install these packages, or run scripts/test-deps as root' ]]
    test_deps demo
    assert_equal "$stderr" \
        'test-deps: not installed: python3: install these packages, or run scripts/test-deps as root'
}

@test "make check is parallel, and finds the runner, where both are installed on its way" {
    unset MAKELEVEL MFLAGS
    bare_path make sh gcc nproc uname
    run -0 env PATH="$PWD/bin" make -nC "$ROOT" check
    assert_line --regexp '^"\$\(PATH=.* command -v bats\)" --jobs [0-9]+ .*tests$'
}

@test "make check builds with what it has installed, and all of it before the tests run" {
    unset MAKELEVEL MFLAGS
    run -0 make -nC "$ROOT" B="$PWD/build" check
    printf '%s\n' "${lines[@]}" | awk '
        / -c -o .*\/build\/(portmap|shim|static)\// { print "build" }
        $1 == "scripts/test-deps" { print "install" }
        / --jobs .* tests$/ { print "run" }' | uniq >steps
    assert_equal "$(<steps)" $'install\nbuild\nrun'
}

@test "the tests' runs are not among the user's own" {
    start run portshim run -p 8080 -n "guest-$$" -- sleep infinity
    within 10 portshim port "guest-$$" 8080
    run -0 env -u PORTSHIM_HOME -u PORTSHIM_POOL portshim ls
    refute_output --partial "guest-$$"
}
