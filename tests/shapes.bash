# The two shapes of a start under the trap.

# shape SIBLING_OR_PROXY: ${as[@]} starts a command that gets this shape: it is an ordinary user's on a system with
# Yama's ptrace_scope 1 for `proxy`.
shape() {
    as=()
    [[ $1 == proxy ]] || return 0
    as_root || skip 'only root can show programs another /proc/sys/kernel'
    # shellcheck disable=SC2016 # expanded there
    as=(unshare -m sh -ec 'mount -t tmpfs none /proc/sys/kernel
        mkdir /proc/sys/kernel/yama
        echo 1 >/proc/sys/kernel/yama/ptrace_scope
        exec "$@"' sh setpriv --reuid=65534 --regid=65534 --clear-groups --)
    # Not the suite's pool: another home does not know what is leased in the suite's.
    [[ $PORTSHIM_HOME == "$PWD/home" ]] || own_pool 20
    mkdir -p -m 700 home
    chmod 777 .
    chown 65534 home
    "${as[@]}" true 2>unshare.err || skip "no mount namespace: $(head -n 1 unshare.err)"
}

# program NAME: builds a program of tests/programs without libc.so, so that it is trapped.
program() {
    cc -D_GNU_SOURCE -O1 -static -pthread -o "$1" "$PROGRAMS/$1.c"
}

in_run() {
    "${as[@]}" env "TRAP_TEST=$PWD" portshim run -q -p 8080 -- "$@"
}

# supervisor PID: prints the pid of the supervisor of the program with this pid.
supervisor() {
    pgrep -fx "portshim trap $1"
}

teardown() {
    end_started
    within 10 nothing_runs || fail "left: $(cut -d / -f 3 left.pids | xargs ps -o pid,ppid,stat,args -p)"
}
