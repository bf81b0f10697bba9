# sshd in a run: a login there, whose environment sshd makes anew, is in the run with all that it starts, trapped programs
# included.
load helper
load trap

setup() {
    cd "$(test_dir)"
    sshd=$(type -P sshd) || skip 'openssh-server is not installed'
    type -P ssh >/dev/null || skip 'openssh-client is not installed'
    as_root || skip 'only root can log in as anybody'
    needs_programs "$GO_SERVER"
    own_pool 40
    ssh-keygen -q -t ed25519 -N '' -f host_key
    ssh-keygen -q -t ed25519 -N '' -f key
    cp key.pub authorized_keys
    printf '%s\n' 'Port 2222' 'ListenAddress 127.0.0.1' "HostKey $PWD/host_key" 'PidFile none' 'UsePAM no' \
        'StrictModes no' "AuthorizedKeysFile $PWD/authorized_keys" 'PermitRootLogin prohibit-password' \
        'PasswordAuthentication no' >sshd_config
    # sshd wants /run/sshd, which its service makes.
    # shellcheck disable=SC2016 # expanded there
    in_runtime=(unshare -m sh -ec 'mount -t tmpfs none /run; mkdir -m 755 /run/sshd; exec "$@"' sh)
    "${in_runtime[@]}" true 2>unshare.err || skip "no mount namespace: $(head -n 1 unshare.err)"
    login=(ssh -F none -q -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes -i "$PWD/key"
        -p 2222 root@127.0.0.1)
}

# logs_in OPTION...: the test, with these options of the run. What root's shell says on stderr when it starts is root's.
logs_in() {
    local port
    start sshd "${in_runtime[@]}" portshim run -p 2222,8080 -n ssh "$@" -- "$sshd" -D -e -f "$PWD/sshd_config"
    within 10 portshim ls ssh >ls.out 2>&1 || fail "$(cat ls.out sshd.err)"
    real ssh 2222 || fail "$(cat sshd.err)"
    # shellcheck disable=SC2016 # expanded there
    run -0 --separate-stderr inside ssh "${login[@]}" 'echo "${SSH_CONNECTION##* } ${SUITE_DIR-a new environment}"'
    assert_output '2222 a new environment'
    start login portshim run -j ssh -- "${login[@]}" "sh -c 'echo \$\$ >$PWD/server.pid; exec $GO_SERVER login'; exit \$?"
    port=$(real ssh 8080/tcp)
    assert_equal "$(curl -s "http://127.0.0.1:$port/")" 'login at 127.0.0.1:8080'
    run -0 --separate-stderr inside ssh "${login[@]}" curl -s http://127.0.0.1:8080/
    assert_output 'login at 127.0.0.1:8080'
    # From outside, a login at the real port.
    run -0 --separate-stderr "${login[@]/#2222/$(portshim port ssh 2222)}" curl -s http://127.0.0.1:8080/
    assert_output 'login at 127.0.0.1:8080'
    kill -TERM "$(<server.pid)"
    status=0
    wait "$pid" || status=$?
    assert_equal "$status" 143
}

@test "who logs in at the placeholder starts a Go server in the run" {
    logs_in
}

@test "so it is where everything is trapped from the start" {
    portshim run --help | grep -q -- --trap || fail 'there is no --trap'
    logs_in --trap=on
}
