# Files of living runs stay where others clear directories by age.
load helper

setup() {
    cd "$(test_dir)"
}

@test "systemd-tmpfiles leaves the homes in /tmp alone" {
    type -P systemd-tmpfiles >/dev/null || skip 'no systemd-tmpfiles'
    make -s -C "$ROOT" install DESTDIR="$PWD/tree" PREFIX=/usr
    mkdir -p tree/etc/tmpfiles.d
    echo 'd /tmp 1777 - - 1ms' >tree/etc/tmpfiles.d/tmp.conf
    for home in portshim-0 portshim-1000; do
        mkdir -p "tree/tmp/$home/runs/0123456789abcd" "tree/tmp/other-$home"
        touch "tree/tmp/$home/"{leases,runs/0123456789abcd/map} "tree/tmp/other-$home/leases"
    done
    within 10 cleared
    find tree/tmp -type f | sort >left
    diff left - <<'END'
tree/tmp/portshim-0/leases
tree/tmp/portshim-0/runs/0123456789abcd/map
tree/tmp/portshim-1000/leases
tree/tmp/portshim-1000/runs/0123456789abcd/map
END
}

# cleared: whether systemd-tmpfiles removes what nobody has excluded.
cleared() {
    systemd-tmpfiles --root="$PWD/tree" --clean
    ! grep -q . <(find tree/tmp -path '*other*')
}

# as_old FILE...: as if nobody had touched them for two days.
as_old() {
    touch -h -d '2 days ago' "$@"
}

# young FILE...: whether each was touched in the last hour.
young() {
    local file
    for file in "$@"; do
        (($(stat -c %Y "$file") > $(date +%s) - 3600)) || return 1
    done
}

@test "every command that looks at the lease table keeps it young" {
    own_pool 4
    portshim pick $$ 0
    for command in "pick $$ 0" 'run -p 8080 -- true' 'release 8080' doctor; do
        as_old home/leases
        # shellcheck disable=SC2086 # they are words
        portshim $command >"out" 2>&1 || :
        young home/leases || fail "portshim $command"
    done
}

# kept NAME: whether all files of the run are young, after a command has looked at some runs.
kept() {
    portshim ls >ls.out
    young home/runs/* home/runs/*/* home/names/* && (($(stat -c %X map.json) > $(date +%s) - 3600))
}

@test "and the files of living runs, their names and map files" {
    own_pool 4
    start run portshim run -n one -p 8080 -m map.json -- sleep infinity
    within 10 test -e map.json # the name is there before
    as_old home/names/one map.json home/runs/*/* home/runs/*
    within 10 kept
    # For its readers the map file has not changed.
    (($(stat -c %Y map.json) < $(date +%s) - 3600))
}
