# Two versions of portshim at once: after an upgrade, runs of the old version go on, and so do their libraries. Whatever
# one version does with what the other has made, it serves it or refuses with one line; it never takes a living run's
# ports or files.
load helper
load serve

# The last commit whose runs were one file.
other_commit=0123336c028e2c3abfc63ea68490183e9c754cc0

# Builds the other version below build/, where it stays. Sets the reason to skip where its sources are not to be had.
setup_file() {
    export OTHER=$ROOT/build/other SKIPPED=
    local err=$BATS_FILE_TMPDIR/err
    if [[ ! -e $OTHER/Makefile ]]; then
        { mkdir -p "$OTHER" && git -C "$ROOT" archive "$other_commit" | tar x -C "$OTHER"; } 2>"$err" ||
            SKIPPED="no sources of the other version: $(head -n 1 "$err")"
    fi
    [[ -n $SKIPPED ]] || make -s -C "$OTHER" -j2 CFLAGS=-O1 build/portshim build/libportshim.so 2>"$err" ||
        SKIPPED="the other version does not build here: $(head -n 1 "$err")"
}

setup() {
    [[ -z $SKIPPED ]] || skip "$SKIPPED"
    cd "$(test_dir)"
    own_pool 60
    # The library of a run is at one path, where an upgrade replaces it.
    mkdir lib
    new_version=$SUITE_DIR other_version=$OTHER/build
}

# by VERSION COMMAND...: runs a command with that version's portshim in PATH, and its library.
by() {
    local version=$1
    shift
    PATH=$version:$PATH PORTSHIM_LIB=$version/libportshim.so "$@"
}

# install_library VERSION: puts its library in place, as package managers do: by rename.
install_library() {
    cp "$1/libportshim.so" lib/next
    mv lib/next lib/libportshim.so
}

# start_run VERSION PORTS: starts the run "one" of that version. It has a server on 8080 and executes what it is told.
# Its real port is $real.
start_run() {
    install_library "$1"
    mkfifo orders
    # It keeps the FIFO open for writing too: else it would read its end when the last writer closes it.
    # shellcheck disable=SC2016 # the shell that is meant expands it
    start run env PATH="$1:$PATH" PORTSHIM_LIB="$PWD/lib/libportshim.so" portshim run -q -n one -m map.json -p "$2" -- \
        bash -c '/usr/bin/python3 -m http.server 8080 >server.out 2>&1 &
            echo $! >server.pid
            exec 4<>orders
            while read -r order <&4; do
                bash -c "$order" >order.out 2>order.err 4<&-; echo $? >order.status
            done'
    runner=$pid
    within 10 test -s server.pid
    STARTED+=("$(<server.pid)")
    real=$(by "$1" portshim wait -t 20 one 8080)
}

# tell ORDER: has the run execute it, and takes its status and output as `run` does.
tell() {
    rm -f order.status
    echo "$1" >orders
    within 20 test -s order.status
    status=$(<order.status) output=$(<order.out) stderr=$(<order.err)
}

# tell_port PLACEHOLDER: prints its real port, as the run's programs know it. Nothing is bound to it.
tell_port() {
    tell "printenv PORTSHIM_PORT_$1"
    [[ $status == 0 ]] && printf '%s\n' "$output"
}

# served_or_refused EXPECTED: the last command printed what was expected, or it failed with one line.
served_or_refused() {
    if [[ $status == 0 ]]; then
        [[ $output == *$1* ]] || fail "it printed: $output $stderr"
    else
        assert_equal "$status" 125
        [[ $stderr == 'portshim: '*': '*': '* && $stderr != *$'\n'* ]] || fail "not one line: $stderr"
    fi
    echo "$status: $output$stderr"
}

# refuses_home: whether the last command refused the home. The other version does so where others may pass through it,
# which is how this version makes it.
refuses_home() {
    [[ $stderr == *': not a private directory '* ]]
}

# goes_on VERSION: the run is alive to its own version, and so is its server.
goes_on() {
    curl -s --max-time 60 "http://127.0.0.1:$real/" >/dev/null
    run --separate-stderr by "$1" portshim port one 8080
    if [[ $1 == "$new_version" ]] || ! refuses_home; then
        assert_equal "$status $output" "0 $real"
    fi
    tell 'curl -s http://127.0.0.1:8080/'
    [[ $status == 0 && $output == *server.out* ]] || fail "inside of the run: $status $output $stderr"
}

# looked_at_by VERSION OTHER: what commands of the one version make of a run of the other.
looked_at_by() {
    local command
    start_run "$2" 8080
    for command in 'wait -t 20 one 8080' 'port one 8080' 'env one' 'ls one' 'ls --json one' 'port map.json 8080' \
        'run -j one -- printenv PORTSHIM_PORT_8080' "run -j map.json -p 8081 -- printenv PORTSHIM_PORT_8080"; do
        echo "$command:"
        # shellcheck disable=SC2086 # they are words
        run --separate-stderr by "$1" timeout 60 portshim $command
        served_or_refused "$real"
        goes_on "$2"
    done
    # Others' runs are shown all the same.
    run --separate-stderr by "$1" portshim ls
    [[ $1 == "$other_version" ]] && refuses_home && return
    [[ $1 == "$other_version" || $stderr == 'portshim: warning: run '*' is not listed: '*' another version: '* ]]
    start another env PATH="$1:$PATH" PORTSHIM_LIB="$1/libportshim.so" portshim run -n another -p 8080 -- sleep infinity
    within 10 by "$1" portshim port another 8080 2>port.err
    by "$1" portshim ls >ls.out
    grep another ls.out
    # Its name is not given away.
    run --separate-stderr by "$1" portshim run -n one -p 8080 -- true
    assert_equal "$status" 125
    goes_on "$2"
}

@test "commands of this version serve a run of the other one, or refuse it" {
    looked_at_by "$new_version" "$other_version"
}

@test "commands of the other version serve a run of this one, or refuse it" {
    looked_at_by "$other_version" "$new_version"
}

# swept_by VERSION OTHER PORTS: commands of one version clear up and lease for five seconds beside a run of the other.
# Its port is nobody else's, its files stay, and it leases a late placeholder that nobody else has.
swept_by() {
    local end late
    start_run "$2" "$3"
    spare=$(tell_port 8079)
    files=$(find home/runs)
    touch -d '1 hour ago' home/runs/* home/runs/*/* # a run of which so much is missing is not just being made
    end=$((SECONDS + 6))
    while ((SECONDS < end)); do
        for command in 'run -q -p 8080 -- true' ls "pick $$ 0"; do
            # shellcheck disable=SC2086 # they are words
            run --separate-stderr by "$1" portshim $command
            served_or_refused ''
        done
        [[ $status != 0 ]] || by "$1" portshim release "$output"
        read -rt 0.3 <> <(:) || :
    done
    goes_on "$2"
    diff <(sort <<<"$files") <(find home/runs | sort) | grep '^<' && fail 'files of the run are missing'
    late=
    if [[ $3 == *,all ]]; then
        tell '/usr/bin/python3 -c "import socket; socket.create_server((\"127.0.0.1\", 7777))"'
        assert_equal "$status: $stderr" '0: '
        late=$(by "$2" portshim port one 7777 2>port.err) || stderr=$(<port.err) refuses_home
    fi
    while by "$1" portshim pick $$ 0 >>picked 2>pick.err; do :; done
    stderr=$(<pick.err)
    refuses_home || grep 'pool exhausted' pick.err
    if grep -wE "$real|$spare${late:+|$late}" picked; then
        fail 'a port of the run was leased again'
    fi
    goes_on "$2"
}

@test "this version takes nothing from a living run of the other one" {
    swept_by "$new_version" "$other_version" 8079,8080
}

@test "the other version takes nothing from a living run of this one" {
    swept_by "$other_version" "$new_version" 8079,8080
}

@test "this version takes nothing from a run of the other one with late placeholders" {
    swept_by "$new_version" "$other_version" 8079,all
}

@test "the other version takes nothing from a run of this one with late placeholders" {
    swept_by "$other_version" "$new_version" 8079,all
}

# continued_by VERSION OTHER: the library of one version is loaded in a run of the other.
continued_by() {
    local ports
    for ports in 8080 all; do
        rm -rf orders home
        start_run "$2" "$ports"
        install_library "$1"
        tell "curl -s http://127.0.0.1:8080/"
        served_or_refused 'order.err'
        tell '/usr/bin/python3 -c "import socket; s = socket.socket(); s.bind((\"127.0.0.1\", 8081)); print(s.getsockname()[1])"'
        served_or_refused 8081
        install_library "$2"
        goes_on "$2"
        stop "$runner"
        stop "$(<server.pid)"
        rm server.pid
    done
}

@test "a library of this version serves a run of the other one, or refuses it" {
    continued_by "$new_version" "$other_version"
}

@test "a library of the other version serves a run of this one, or refuses it" {
    continued_by "$other_version" "$new_version"
}

# by_hand_of VERSION COMMAND...
by_hand_of() {
    local version=$1
    shift
    env LD_PRELOAD="$version/libportshim.so" PORTSHIM_PORTS=8080 PORTSHIM_MAP_FILE="$PWD/map.json" "$@"
}

# by_hand_after VERSION OTHER: a program by hand of one version meets a run by hand of the other.
by_hand_after() {
    start server env LD_PRELOAD="$2/libportshim.so" PORTSHIM_PORTS=8080 PORTSHIM_MAP_FILE="$PWD/map.json" \
        /usr/bin/python3 -m http.server 8080
    within 10 test -e map.json
    cp map.json map.before
    real=$(jq '.ports[0].real' map.json)
    within 10 listens "$real"
    run --separate-stderr by_hand_of "$1" curl -s http://127.0.0.1:8080/
}

@test "a program by hand of this version joins a run by hand of the other one, or refuses it" {
    by_hand_after "$new_version" "$other_version"
    served_or_refused map.before
    cmp map.json map.before
}

# The other version takes a run that it does not understand for one that has ended, and makes its own.
@test "a program by hand of the other version has another port than a run by hand of this one" {
    by_hand_after "$other_version" "$new_version"
    [[ $(jq '.ports[0].real' map.json) != "$real" ]] || served_or_refused map.before
    curl -s "http://127.0.0.1:$real/" >/dev/null
}

# served_for VERSION OTHER: a port server of one version, and a run of the other whose first process has ended.
served_for() {
    PATH=$1:$PATH serve --per-user 4
    install_library "$2"
    # shellcheck disable=SC2016 # the shell that is meant expands it
    PATH=$2:$PATH PORTSHIM_LIB=$PWD/lib/libportshim.so PORTSERVER_ADDRESS=$ADDRESS \
        portshim run -n one --require-portserver -p 8080 -- \
        bash -c 'setsid sleep infinity >&2 3>&- & echo "$! $PORTSHIM_PORT_8080"' >left.out 2>left.err || :
    stderr=$(<left.err)
    if [[ $2 == "$other_version" ]] && refuses_home; then
        echo '# the other version refuses what the server has made in the home: nothing to keep' >&3
        return
    fi
    read -r left real <left.out
    STARTED+=("$left")
    local end=$((SECONDS + 5))
    while ((SECONDS < end)); do
        PORTSERVER_ADDRESS=$ADDRESS run --separate-stderr by "$1" portshim run --require-portserver -p 8080 -- \
            printenv PORTSHIM_PORT_8080
        served_or_refused ''
        echo "$output" >>got
        read -rt 0.3 <> <(:) || :
    done
    if grep -wx "$real" got; then
        fail 'the port of the run was leased again'
    fi
    run --separate-stderr by "$2" portshim port one 8080
    if [[ $2 == "$new_version" ]] || ! refuses_home; then
        assert_equal "$status $output" "0 $real"
    fi
}

@test "a port server of this version keeps the ports of a run of the other one" {
    served_for "$new_version" "$other_version"
}

@test "a port server of the other version keeps the ports of a run of this one" {
    served_for "$other_version" "$new_version"
}

@test "this version clears up after an ended run of the other one" {
    start_run "$other_version" 8079,8080
    spare=$(tell_port 8079)
    ends=("$(<server.pid)" "$runner")
    for one in "${ends[@]}"; do
        kill "$one"
        within 5 gone "$one"
    done
    echo home/runs/* >runs_before
    within 20 cleared_up
}

# cleared_up: after a few commands of this version, the run is gone, and its ports are free for others.
cleared_up() {
    by "$new_version" portshim run -q -p 8080 -- true
    by "$new_version" portshim ls >ls.out
    [[ ! -e $(<runs_before) ]] || return 1
    : >picked
    while by "$new_version" portshim pick $$ 0 >>picked 2>pick.err; do :; done
    xargs portshim release <picked
    grep -qwx "$spare" picked && grep -qwx "$real" picked
}
