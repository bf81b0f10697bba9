# A map file says which run to join. Only a user's own map file is believed.
# shellcheck disable=SC2016 # expanded by the shells that are started
load helper

setup() {
    cd "$(test_dir)"
    as_root || skip "only root makes files of another user"
    own_pool 20
    chmod 711 .
    start server portshim run -p 8080 -n keeper -m own.json -- sleep infinity
    within 10 test -s own.json
    run_directory=$(jq -r .run own.json)
    cp own.json others.json
    chown nobody others.json
    ln -s "$PWD/own.json" link.json
    chown -h nobody link.json
    by_hand=(env PORTSHIM_PORTS=8080 "LD_PRELOAD=$PORTSHIM_LIB")
}

# run_of COMMAND...: prints the run that the command starts a shell in, or fails with 125 and a line.
run_of() {
    "$@" sh -c 'echo "$PORTSHIM_RUN"'
}

@test "by hand, a run is joined by one's own map file" {
    run -0 run_of "${by_hand[@]}" PORTSHIM_MAP_FILE=own.json
    assert_output "$run_directory"
    ln -s own.json own-link.json
    run -0 run_of "${by_hand[@]}" PORTSHIM_MAP_FILE=own-link.json
    assert_output "$run_directory"
}

@test "by hand, no run is joined by another user's map file, and it stays as it is" {
    for file in others.json link.json; do
        fails_with "$file: another user's map file" "${by_hand[@]}" PORTSHIM_MAP_FILE=$file true
        fails_with "$file: another user's map file" env -u PORTSHIM_PORTS "${by_hand[@]}" PORTSHIM_MAP_FILE=$file true
        assert_equal "$(stat -c %U $file)" nobody
        assert_equal "$(jq -r .run $file)" "$run_directory"
    done
    # Another user does not believe root's map file either.
    chmod 644 own.json
    mkdir -m 777 open
    cp -p own.json open/roots.json
    fails_with "roots.json: another user's map file" setpriv --reuid=65534 --regid=65534 --clear-groups \
        "${by_hand[@]}" "PORTSHIM_HOME=$PWD/open/home" "PORTSHIM_MAP_FILE=$PWD/open/roots.json" true
}

@test "by hand, an empty file of another user names no run, and becomes the map" {
    : >empty.json
    chown nobody empty.json
    run -0 run_of "${by_hand[@]}" PORTSHIM_MAP_FILE=empty.json
    refute_output "$run_directory"
    assert_equal "$(jq -r .run empty.json)" "$output"
}

@test "run -j takes a run's name, its directory or one's own file, and no other's" {
    for name in keeper own.json "$run_directory"; do
        run -0 run_of portshim run -j "$name" --
        assert_output "$run_directory"
    done
    for file in others.json link.json; do
        fails_with "run $file: another user's map file" portshim run -j $file -p 9000 -- true
    done
    # Commands that only look believe anybody's map file: they change nothing.
    run -0 portshim port others.json 8080
    # A run's name is not taken for a file of the same name.
    cp others.json keeper
    chown nobody keeper
    run -0 run_of portshim run -j keeper --
    assert_output "$run_directory"
}
