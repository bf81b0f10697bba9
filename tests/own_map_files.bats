# A map file or a list of ports overwrites only files that portshim itself has written.
load helper

setup() {
    cd "$(test_dir)"
    own_pool 20
    by_hand=(env PORTSHIM_PORTS=80 "LD_PRELOAD=$PORTSHIM_LIB")
}

# What users keep in files of such names, and what only looks like a file of ours.
texts=(
    'SECRET=1'
    $'# portshim settings of mine\nSECRET=1'
    $'# portshim /srv/shop\nSECRET=1'
    $'PORTSHIM_RUN=shop\nSECRET=1'
    $'PORTSHIM_RUN=/srv/shop\nSECRET=1'
    $'PORTSHIM_PORTS=80\nSECRET=1'
    '{"run": "/tmp/portshim-0/runs/0123456789abcd", "name": "mine"}'
    '{"run": "fast", "pid": 1}'
    '{"secret": 1}'
    ' '
)

# is_left FILE TEXT COMMAND...: it fails with a line about the file, which stays as it is, and starts nothing.
is_left() {
    local file=$1 text=$2
    shift 2
    printf '%s\n' "$text" >"$file"
    chmod 640 "$file"
    stat -c '%i %a' "$file" >before
    fails_with "$PWD/$file: not written by portshim" "$@"
    assert_equal "$(<"$file")" "$text"
    stat -c '%i %a' "$file" | diff before -
    [[ ! -e started ]]
    assert_equal "$(find . -name '*.portshim-*')" ''
    rm "$file"
}

@test "a user's own file is left as it is, whatever its name, and nothing starts" {
    for file in .env my.json ports; do
        for text in "${texts[@]}"; do
            is_left "$file" "$text" portshim run -p 80 -m "$file" -- touch started
            is_left "$file" "$text" portshim run -p 80 -m other.json -m "$file" -- touch started
            is_left "$file" "$text" "${by_hand[@]}" "PORTSHIM_MAP_FILE=$file" touch started
        done
    done
    [[ ! -e other.json ]]
    assert_equal "$(portshim ls --json | jq -c .runs)" '[]'
}

@test "what a run has written, a later run writes again, in every format" {
    for file in .env my.json ports; do
        portshim run -p 80 -m "$file" -- cp "$file" "$file.first"
        for next in .env my.json ports; do
            cp "$file.first" "$next"
            portshim run -p 80 -m "$next" -- true
            refute cmp -s "$file.first" "$next"
        done
    done
}

# write_old: writes files as portshim 0.1.0 did.
write_old() {
    local run=/tmp/portshim-0/runs/0123456789abcd
    printf 'PORTSHIM_RUN=%s\nPORTSHIM_PORT_80=23456\n' "$run" >.env
    printf '# portshim %s\n80 23456\n' "$run" >ports
    printf '{"run": "%s", "pid": 4711, "ports": [{"placeholder": 80, "real": 23456, "protocols": ["tcp"]}]}\n' \
        "$run" >my.json
}

is_new() {
    assert_equal "$(sed -n 's/^PORTSHIM_PORT_\(.*\)=.*/\1/p' .env)" 81
    assert_equal "$(sed -n 's/ [0-9]*$//p' ports)" 81
    assert_equal "$(jq -c '[.ports[].placeholder]' my.json)" '[81]'
}

@test "what portshim 0.1.0 has written is written again" {
    write_old
    portshim run -p 81 -m .env -m ports -m my.json -- true
    is_new
    write_old
    for file in .env ports my.json; do
        "${by_hand[@]}" PORTSHIM_PORTS=81 "PORTSHIM_MAP_FILE=$file" true
    done
    is_new
}

@test "an empty file is written to, and the first line of .env and of plain files says by whom" {
    touch .env my.json ports
    portshim run -p 80 -m .env -m ports -m my.json -- true
    for file in .env ports; do
        assert_equal "$(head -n 1 "$file")" "# portshim $(jq -r .run my.json)"
    done
}

@test "a link stays, and what it leads to is judged and written" {
    mkdir far
    ln -s far/real.env link.env
    ln -s "$PWD/link.env" second.env
    portshim run -p 80 -m second.env -- true
    assert_equal "$(readlink link.env) $(readlink second.env)" "far/real.env $PWD/link.env"
    grep -q ^PORTSHIM_PORT_80= far/real.env
    rm far/real.env
    "${by_hand[@]}" PORTSHIM_MAP_FILE=second.env true
    assert_equal "$(readlink second.env)" "$PWD/link.env"
    grep -q ^PORTSHIM_PORT_80= far/real.env
    echo SECRET=1 >far/real.env
    fails_with "$PWD/far/real.env: not written by portshim" portshim run -p 80 -m link.env -- touch started
    fails_with "$PWD/far/real.env: not written by portshim" "${by_hand[@]}" PORTSHIM_MAP_FILE=link.env touch started
    assert_equal "$(<far/real.env)" SECRET=1
    ln -s loop loop
    fails_with 'loop: Too many levels of symbolic links' portshim run -p 80 -m loop -- touch started
    [[ ! -e started ]]
}

@test "a link that another user has laid where everybody may is not followed" {
    as_root || skip "needs another user"
    nobody=(setpriv --reuid nobody --regid nogroup --clear-groups)
    install -d -m 1777 shared
    mkdir own
    for place in new old.env old.json; do
        "${nobody[@]}" ln -sf "$PWD/own/$place" "shared/$place"
        fails_with "another user's link" portshim run -p 80 -m "shared/$place" -- touch started
        fails_with "another user's " "${by_hand[@]}" PORTSHIM_MAP_FILE="shared/$place" touch started
    done
    # Nor is it followed when another link leads to it.
    ln -s "$PWD/shared/new" own/way
    fails_with "another user's link" portshim run -p 80 -m own/way -- touch started
    [[ ! -e started && $(ls own) == way ]]
    # Links of the directory's owner are followed, and a user's own links in any directory.
    chown nobody shared
    portshim run -p 80 -m shared/old.env -- true
    chown root shared
    ln -s "$PWD/own/mine" shared/mine
    portshim run -p 80 -m shared/mine -- true
    grep -q PORTSHIM_PORT_80 own/old.env
    [[ -s own/mine ]]
}

@test "an open file's name in /dev or /proc is no place for a map, and what is open there stays" {
    for name in /dev/stdout /dev/fd/1 /proc/self/fd/1; do
        # shellcheck disable=SC2016 # expanded inside
        fails_with 'not a regular file' bash -c 'portshim run -p 80 -m "$1" -- touch started >file' - "$name"
        assert_equal "$(stat -c %F file)" 'regular empty file'
    done
    [[ -L /dev/stdout && ! -e started ]]
}

@test "a file that cannot be read, and so may be anybody's, is left as it is" {
    local nobody=()
    ! as_root || nobody=(setpriv --reuid nobody --regid nogroup --clear-groups env "PORTSHIM_HOME=$PWD/theirs/home")
    install -d -m 777 theirs
    echo SECRET=1 >theirs/.env
    chmod 0 theirs/.env
    fails_with 'theirs/.env: Permission denied' "${nobody[@]}" portshim run -p 80 -m theirs/.env -- touch theirs/started
    chmod 600 theirs/.env
    assert_equal "$(<theirs/.env)" SECRET=1
    [[ ! -e theirs/started ]]
}

@test "portshim ports -o writes over a list, an empty file or none" {
    for text in "${texts[@]}"; do
        printf '%s\n' "$text" >notes
        fails_with 'notes: not written by portshim' portshim ports -o notes -- touch started
        assert_equal "$(<notes)" "$text"
    done
    [[ ! -e started ]]
    : >notes
    for _ in 1 2; do
        portshim ports -o notes -- true
        [[ $(<notes) == ' PORT  TYPE '* ]]
    done
    rm notes
    portshim ports -o notes -- true
    [[ -s notes ]]
}

@test "portshim ports -o writes to pipes and to what is open, after what is there" {
    mkfifo pipe
    start reader cat pipe
    portshim ports -o pipe -- true
    wait "$pid"
    [[ $(<reader.out) == ' PORT  TYPE '* ]]
    [[ $(portshim ports -o /dev/stdout -- true) == ' PORT  TYPE '* ]]
    echo first >log
    portshim ports -o /dev/fd/7 -- true 7>>log
    portshim ports -o /dev/stdout -- echo second >>log
    assert_equal "$(sed 's/ TYPE.*//' log)" "$(printf '%s\n' first ' PORT ' second ' PORT ')"
}
