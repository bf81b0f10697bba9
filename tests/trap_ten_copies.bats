# Ten copies each of servers that the library does not reach, at one hard-coded port: each is reached from inside its run
# and from outside, is stopped by the signal that stops it without portshim, sent to the same process, and leaves nothing.
# shellcheck disable=SC2034 # the names of variables are put together
load helper
load trap

copies=10

setup() {
    cd "$(test_dir)"
    own_pool 100
    export TRAP_TEST=$PWD
}

# A script that was ended by a failed test has left its server.
teardown() {
    nothing_runs || cut -d / -f 3 left.pids | xargs kill -TERM 2>/dev/null || :
    end_started
}

# Each kind of server: NAME_ports, NAME_needs, NAME_command COPY, which sets ${server[@]}, and NAME_answers COPY FETCH PORT
# REAL_PORT...: the copy's own answer comes when the command FETCH is given a URL.

httpd_ports=8080
httpd_needs() {
    needs_busybox
}
httpd_command() {
    mkdir -p "www$1"
    echo "copy $1" >"www$1/index.html"
    server=("$busybox" httpd -f -p 8080 -h "$PWD/www$1")
}
httpd_answers() {
    [[ $("${@:3}" "http://127.0.0.1:$2/index.html") == "copy $1" ]]
}

go_ports=8080
go_needs() {
    needs_programs "$GO_SERVER"
}
go_command() {
    server=("$GO_SERVER" "copy $1")
}
go_answers() {
    [[ $("${@:3}" "http://127.0.0.1:$2/") == "copy $1 at 127.0.0.1:8080" ]]
}

etcd_ports=2379,2380
etcd_needs() {
    type -P etcd >/dev/null || skip 'etcd is not installed'
}
etcd_command() {
    server=("$(type -P etcd)" --name "copy$1" --data-dir "$PWD/data$1" --logger zap --log-outputs stderr --log-level error
        --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379
        --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380
        --initial-cluster "copy$1=http://127.0.0.1:2380")
}
etcd_answers() { # etcd asks itself at its client port for this, and tells its peers' port
    local members
    members=$("${@:3}" -d '{}' "http://127.0.0.1:$2/v3/cluster/member/list")
    [[ $members == *"\"name\":\"copy$1\",\"peerURLs\":[\"http://127.0.0.1:2380\"]"* ]]
}

# is_the_server PID WHO: the process is the server's own, or stands for it, where Yama leaves no other way.
is_the_server() {
    if [[ $2 == confined || ($2 == user && $(cat /proc/sys/kernel/yama/ptrace_scope 2>&1) == 1) ]]; then
        [[ $(ps -o args= -p "$1") == 'portshim proxy '* ]]
    else
        [[ /proc/$1/exe -ef ${server[0]} || /proc/$1/exe -ef ${server[1]} ]]
    fi
}

# ten KIND WHO HOW: HOW is `directly` or `by_script`.
ten() {
    local kind=$1 how=$3 ports i real_ports=() pids=() target
    local -n placeholders=$1_ports
    local first=${placeholders%%,*}
    "$1_needs"
    [[ $2 != confined ]] || yama 1
    who "$2"
    # shellcheck disable=SC2016 # expanded there
    printf '%s\n' '#!/bin/sh' '"$@" &' 'echo $! >"$0.pid"' 'wait $!' >script
    for ((i = 0; i < copies; i++)); do
        "${kind}_command" $i
        if [[ $how == by_script ]]; then
            install -m 755 script "script$i"
            server=("$PWD/script$i" "${server[@]}")
        fi
        start "$i" "${as[@]}" portshim run -p "$placeholders" -m "$i.json" -- "${server[@]}"
        pids[i]=$pid
    done
    for ((i = 0; i < copies; i++)); do
        # shellcheck disable=SC2086 # one or two words
        ports=$("${as[@]}" portshim wait -t 90 "$i.json" ${placeholders//,/ }) || fail "copy $i: $(cat "$i.err")"
        # shellcheck disable=SC2206
        real_ports+=($ports)
        within 20 "${kind}_answers" $i "${ports%%$'\n'*}" curl -s || fail "copy $i does not answer outside"
        "${kind}_answers" $i "$first" "${as[@]}" portshim run -j "$i.json" -- curl -s || fail "copy $i does not answer inside"
    done
    assert_equal "$(printf '%s\n' "${real_ports[@]}" | sort -u | wc -l)" "${#real_ports[@]}"
    # What will be gone is seen now: servers, their supervisors, leases.
    if nothing_runs || (($(wc -l <left.pids) < 2 * copies)); then
        fail "seen: $(cat left.pids)"
    fi
    ! "${as[@]}" portshim run -p "9000=${real_ports[0]}" -- true 2>lease.err || fail 'the port is not leased'
    for ((i = 0; i < copies; i++)); do
        target=${pids[i]}
        if [[ $how == by_script ]]; then
            within 10 test -s "script$i.pid" # the script writes it while its server starts
            target=$(<"script$i.pid")
        fi
        is_the_server "$target" "$2" || fail "copy $i: $target is $(ps -o args= -p "$target")"
        kill -TERM "$target"
    done
    for ((i = 0; i < copies; i++)); do
        status=0
        wait "${pids[i]}" || status=$?
        assert_equal "$i: $status: $(grep -E '^(portshim|ERROR: ld.so)' "$i.err")" "$i: 143: "
    done
    leaves_nothing "${real_ports[@]}"
}

@test "ten copies of busybox httpd, started by root" {
    ten httpd root directly
}

@test "ten copies of busybox httpd, started by root's script" {
    ten httpd root by_script
}

@test "ten copies of busybox httpd, started by a user" {
    ten httpd user directly
}

@test "ten copies of busybox httpd, started by a user's script" {
    ten httpd user by_script
}

@test "ten copies of busybox httpd, started by a user under Yama" {
    ten httpd confined directly
}

@test "ten copies of busybox httpd, started by a user's script under Yama" {
    ten httpd confined by_script
}

@test "ten copies of a Go server, started by root" {
    ten go root directly
}

@test "ten copies of a Go server, started by root's script" {
    ten go root by_script
}

@test "ten copies of a Go server, started by a user" {
    ten go user directly
}

@test "ten copies of a Go server, started by a user's script" {
    ten go user by_script
}

@test "ten copies of a Go server, started by a user under Yama" {
    ten go confined directly
}

@test "ten copies of a Go server, started by a user's script under Yama" {
    ten go confined by_script
}

@test "ten copies of etcd, started by root" {
    ten etcd root directly
}

@test "ten copies of etcd, started by root's script" {
    ten etcd root by_script
}

@test "ten copies of etcd, started by a user" {
    ten etcd user directly
}

@test "ten copies of etcd, started by a user's script" {
    ten etcd user by_script
}

@test "ten copies of etcd, started by a user under Yama" {
    ten etcd confined directly
}

@test "ten copies of etcd, started by a user's script under Yama" {
    ten etcd confined by_script
}

@test "a static daemon that goes to the background is served until it ends" {
    local server real_port
    httpd_needs
    as=()
    httpd_command 0
    timeout 60 portshim run -p 8080 -n daemon -- "$busybox" httpd -p 8080 -h "$PWD/www0" >daemon.out 2>daemon.err 3>&-
    real_port=$(real daemon 8080)
    httpd_answers 0 "$real_port" curl -s
    httpd_answers 0 8080 portshim run -j daemon -- curl -s
    server=$(portshim ls -q daemon 8080 | head -n 1)
    assert_equal "$(readlink -f "/proc/$server/exe")" "$(readlink -f "$busybox")"
    kill -TERM "$server"
    within 10 gone "$server"
    leaves_nothing "$real_port"
}
