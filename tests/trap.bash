# Programs that the library does not reach: static ones, ones of other libcs and word sizes, and Go's.

# shellcheck disable=SC2034 # test files read them
{
    GO_SERVER=$ROOT/build/tests/go_server
    GO_CLIENT=$ROOT/build/tests/go_client
    STATIC=$ROOT/build/tests/static
}

# needs_programs FILE...: skips the test where one of them could not be built.
needs_programs() {
    local file
    for file; do
        [[ -x $file ]] || skip "there is no ${file#"$ROOT/"}: make trap-programs says why"
    done
}

# Debian's busybox is static if it is of busybox-static.
needs_busybox() {
    busybox=$(type -P busybox) || skip 'busybox is not installed'
    ! ldd "$busybox" >ldd.out 2>&1 || skip 'this busybox is dynamically linked'
}

# who ROOT_OR_USER: ${as[@]} starts a command as this user: `root`; `user`, an ordinary one; or `confined`, an ordinary
# one on a system where Yama lets a process look only into those that it has started (ptrace_scope 1). The test's
# directory is that user's then.
who() {
    local uid=65534
    as=()
    if ! as_root; then
        [[ $1 == user ]] || skip "only root can run this as $1"
        return 0
    fi
    [[ $1 != root ]] || return 0
    as=(setpriv "--reuid=$uid" "--regid=$uid" --clear-groups --)
    mkdir -m 711 home
    chown "$uid" . home
    [[ $1 == user ]] || as=("${under_yama[@]}" "${as[@]}")
}

# yama SCOPE: "${under_yama[@]}" before a command shows it a kernel with Yama, and this ptrace_scope.
yama() {
    as_root || skip 'only root can show programs another /proc/sys/kernel'
    mkdir kernel
    cp -r /proc/sys/kernel/. kernel 2>cp.err || : # a few files cannot be read
    mkdir -p kernel/yama
    echo "$1" >kernel/yama/ptrace_scope
    # shellcheck disable=SC2016 # expanded there
    under_yama=(unshare -m sh -ec 'mount --bind "$1" /proc/sys/kernel; shift; exec "$@"' sh "$PWD/kernel")
    "${under_yama[@]}" true 2>unshare.err || skip "no mount namespace: $(head -n 1 unshare.err)"
}

# leaves_nothing PORT...: after the end of all runs, no process, no run and no lease is left.
leaves_nothing() {
    local port number=9000 fixed=()
    within 10 nothing_runs || fail "left: $(cut -d / -f 3 left.pids | xargs ps -o pid,ppid,stat,args -p)"
    for port; do
        fixed+=("$((number++))=$port")
    done
    within 20 no_run_is_left || fail "runs are left: $("${as[@]}" portshim ls)"
    within 20 "${as[@]}" portshim run -p "$(
        IFS=,
        echo "${fixed[*]}"
    )" -- true 2>lease.err || fail "leases are left: $(cat lease.err)"
}

no_run_is_left() {
    [[ -z $("${as[@]}" portshim ls) ]]
}
