# Eight tests of a server on port 8080, which are all there at once. With WITH= they do without portshim.
bats_require_minimum_version 1.8.0
[[ -z $WITH ]] || bats_load_library portshim

copy() {
    local server=(socat TCP4-LISTEN:8080,bind=127.0.0.1,fork "SYSTEM:echo $1") client=()
    if [[ -n $WITH ]]; then
        portshim_start web 8080 -- "${server[@]}"
        client=(portshim_in web)
    else
        "${server[@]}" 3>&- &
        pid=$!
    fi
    until answer=$("${client[@]}" socat -u TCP4:127.0.0.1:8080 -); do
        sleep 0.1
    done
    touch "$HERE/here.$1"
    until here=("$HERE"/here.*) && ((${#here[@]} == 8)); do
        sleep 0.1
    done
    [ "$answer" = "$1" ]
}

teardown() {
    [[ -z ${pid-} ]] || kill "$pid" || :
}

@test "copy 1" { copy 1; }
@test "copy 2" { copy 2; }
@test "copy 3" { copy 3; }
@test "copy 4" { copy 4; }
@test "copy 5" { copy 5; }
@test "copy 6" { copy 6; }
@test "copy 7" { copy 7; }
@test "copy 8" { copy 8; }
