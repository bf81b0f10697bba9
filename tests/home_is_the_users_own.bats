# The home is that of the user as the kernel knows it, whatever fakeroot or a user namespace calls that user.
load helper

# Root tests the homes of other users below a private /tmp; another user tests the home of his own.
setup() {
    cd "$(test_dir)"
    unset PORTSHIM_HOME
    in_tmp=()
    user=()
    uid=$(id -u)
    as_root || { unset PORTSHIM_POOL && return 0; } # its ports are leased in that home
    unshare -m true 2>/dev/null || skip 'no mount namespace can be made here'
    mkdir -m 1777 tmp
    # shellcheck disable=SC2016 # expanded there
    in_tmp=(unshare -m sh -ec '
        mkdir -p "$1/tmp/${2##*/}"
        mount --bind "$2" "$1/tmp/${2##*/}"
        mount --rbind "$1/tmp" /tmp
        shift 2
        exec "$@"' sh "$PWD" "$SUITE_DIR")
    user=(setpriv --reuid nobody --regid nogroup --clear-groups)
    uid=$(id -u nobody)
}

# as_user COMMAND...: runs it as the user whose home is tested.
as_user() {
    "${in_tmp[@]}" "${user[@]}" "$@"
}

need_user_namespaces() {
    as_user unshare -r true 2>/dev/null || skip 'no user namespace can be made here'
}

# homes UID...: the homes of exactly these users were made. Only checked by root.
homes() {
    as_root || return 0
    run find tmp -maxdepth 1 -name 'portshim-[0-9]*' -printf '%f of %U\n'
    assert_output "$(for uid in "$@"; do echo "portshim-$uid of $uid"; done)"
}

# roots_runs_start: root's runs still start, so nobody else has made root's home.
roots_runs_start() {
    as_root || return 0
    "${in_tmp[@]}" portshim run -p 80 -- true
}

@test "root of a user namespace has the home of the user who made it" {
    need_user_namespaces
    run as_user unshare -r portshim run -p 80 -- printenv PORTSHIM_RUN
    assert_output --regexp "^/tmp/portshim-$uid/runs/"
    homes "$uid"
    roots_runs_start
}

@test "user and root of that namespace have one lease table" {
    need_user_namespaces
    port=$(as_user portshim pick $$)
    run as_user unshare -r env "PORTSHIM_POOL=$port" portshim pick $$
    assert_failure 125
    assert_output --partial 'pool exhausted'
    as_user unshare -r portshim release "$port"
}

@test "so has a user who is another, or the same, in the namespace" {
    need_user_namespaces
    for map in -c '--map-user=1234'; do
        as_user unshare "$map" true 2>unshare.err || { echo "# no unshare $map: $(head -n 1 unshare.err)" >&3 && continue; }
        run as_user unshare "$map" portshim run -p 80 -- printenv PORTSHIM_RUN
        assert_output --regexp "^/tmp/portshim-$uid/runs/"
    done
    homes "$uid"
}

@test "in a container each user has the home of the user outside" {
    as_root || skip 'only root can map two users'
    start container unshare -U sleep infinity
    within 10 different_namespaces "$pid"
    cat <<<$'0 70000 1\n1 70001 5' >"/proc/$pid/uid_map" # the kernel wants one write(2)
    echo 0 70000 6 >"/proc/$pid/gid_map"
    for inside in 0 3; do
        run "${in_tmp[@]}" nsenter -t "$pid" -U -S "$inside" portshim run -p 80 -- printenv PORTSHIM_RUN
        assert_output --regexp "^/tmp/portshim-$((70000 + inside))/runs/"
    done
}

different_namespaces() {
    [[ $(readlink "/proc/$1/ns/user") != "$(readlink /proc/self/ns/user)" ]]
}

@test "a namespace that does not tell whose home it would be makes nobody's" {
    need_user_namespaces
    as_user unshare -r unshare -r true 2>/dev/null || skip 'no namespace in a namespace can be made here'
    ((uid != 0)) || skip 'for root there is no other root'
    fails_with 'does not tell whose home it would be: set PORTSHIM_HOME' \
        as_user unshare -r unshare -r portshim run -p 80 -- true
    fails_with 'does not tell whose home it would be: set PORTSHIM_HOME' as_user unshare -U portshim run -p 80 -- true
    homes
    mkdir -m 777 open
    as_user unshare -r unshare -r env "PORTSHIM_HOME=$PWD/open/home" portshim run -p 80 -- true
    roots_runs_start
}

@test "by hand under fakeroot the home is the kernel's user's" {
    type -P fakeroot >/dev/null || skip 'fakeroot is not installed'
    # shellcheck disable=SC2016 # expanded there
    run as_user fakeroot sh -c 'id -u; LD_PRELOAD=$LD_PRELOAD:$1 PORTSHIM_PORTS=80 env' sh "$PORTSHIM_LIB"
    assert_line 0
    assert_line --regexp "^PORTSHIM_RUN=/tmp/portshim-$uid/runs/"
    homes "$uid"
    roots_runs_start
}

@test "others may pass through a home, also one that version 0.1 made, but not list or change it" {
    as_root || skip 'only root has a /tmp of its own to try that in'
    mkdir -m 777 open
    as_user mkdir -m 700 "/tmp/portshim-$uid" "/tmp/portshim-$uid/runs" open/own
    as_user portshim run -p 80 -- true
    run stat -c '%a %n' "tmp/portshim-$uid" "tmp/portshim-$uid"/*
    assert_output "711 tmp/portshim-$uid
600 tmp/portshim-$uid/leases
700 tmp/portshim-$uid/names
711 tmp/portshim-$uid/runs"
    run stat -c %a "tmp/portshim-$uid"/runs/*
    assert_output 711
    as_user env "PORTSHIM_HOME=$PWD/open/own" portshim run -p 80 -- true
    run stat -c %a open/own open/own/runs open/own/names
    assert_output $'700\n711\n700'
    for mode in 750 740 720 705 702 777; do
        chmod "$mode" open/own
        fails_with 'not a private directory' as_user env "PORTSHIM_HOME=$PWD/open/own" portshim run -p 80 -- true
    done
    chmod 711 open/own
    as_user env "PORTSHIM_HOME=$PWD/open/own" portshim run -p 80 -- true
}
