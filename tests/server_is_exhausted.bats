# A port server all of whose ports belong to dead runs: a run that requires the server waits until they are free, as a
# run without a server waits for those of the lease table.
load helper
load serve

setup() {
    cd "$(test_dir)"
}

teardown() {
    end_started
    [[ -z ${stranger-} ]] || rm -rf "/tmp/portshim-$stranger"
}

# needs_a_stranger: $stranger is a uid whose home is not the server's.
needs_a_stranger() {
    as_root || skip 'needs root: there is one user only'
    # A suite that was killed has left its home.
    for ((stranger = 60500 + RANDOM % 400; ; stranger++)); do
        [[ -e /tmp/portshim-$stranger ]] || break
    done
    as_stranger=(setpriv "--reuid=$stranger" "--regid=$stranger" --clear-groups env -u PORTSHIM_HOME)
}

# runs_in_a_row COMMAND...: three runs of thirty ports each, from a server that has forty.
runs_in_a_row() {
    local ports
    for _ in 1 2 3; do
        # shellcheck disable=SC2016 # the shell that is meant expands it
        PORTSERVER_ADDRESS=$ADDRESS run --separate-stderr "$@" portshim run --require-portserver -p 1-30 -- \
            bash -c 'printf "%s\n" "${!PORTSHIM_PORT_@}" | while read -r name; do echo "${!name}"; done'
        assert_equal "$status: $stderr" '0: '
        mapfile -t ports <<<"$output"
        assert_equal "${#ports[@]}" 30
        are_different "${ports[@]}"
    done
}

@test "runs in a row have their ports from a server that has no more than one of them needs" {
    own_pool 40
    serve
    runs_in_a_row env
}

@test "so have those of another user, in a home of its own" {
    needs_a_stranger
    own_pool 40
    serve
    runs_in_a_row "${as_stranger[@]}"
}

@test "so they have from portpicker's server" {
    own_pool 40
    start server portserver --portserver_address "$ADDRESS" \
        --portserver_static_pool "$(sed -E 's/[0-9]+/&-&/g' <<<"$PORTSHIM_POOL")"
    within 20 grep -qs Serving server.err
    runs_in_a_row env
}

@test "a pick waits for what a run has left, too" {
    own_pool 4
    serve
    PORTSERVER_ADDRESS=$ADDRESS portshim run --require-portserver -p 1-4 -- true
    PORTSERVER_ADDRESS=$ADDRESS portshim pick --require-portserver -n 4 $$
}

@test "what a living run has is not waited for" {
    own_pool 4
    serve
    PORTSERVER_ADDRESS=$ADDRESS start run portshim run --require-portserver -p 1-4 -m map.env -- sleep infinity
    within 10 test -e map.env
    export PORTSERVER_ADDRESS=$ADDRESS
    promptly 4 fails_with 'it gave no port that can be used' portshim pick --require-portserver $$
}
