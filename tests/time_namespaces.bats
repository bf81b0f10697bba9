# In another time namespace every process seems to have started at another time. That does not make it another process.
load helper

# How far ahead the clocks of the namespaces are: seconds and nanoseconds.
offsets=('1000000 0' '123 456789012' "-$(cut -d . -f 1 /proc/uptime) 1")

setup() {
    cd "$(test_dir)"
    shifted=(/usr/bin/python3 "$PROGRAMS/time_namespace.py")
    as_root || shifted=(unshare -r "${shifted[@]}")
    "${shifted[@]}" 5 0 true 2>refusal.err || skip "no time namespace can be made here: $(<refusal.err)"
    own_pool 3
}

# shifted OFFSET COMMAND...: runs the command in a time namespace.
shifted() {
    local offset
    read -ra offset <<<"$1"
    shift
    "${shifted[@]}" "${offset[@]}" "$@"
}

@test "a lease of a living process stays with it, in whatever time namespace it was made and is looked at" {
    local made judged
    for made in "${offsets[@]}" '0 0'; do
        start owner sleep infinity
        owner=$pid
        shifted "$made" portshim pick -n 3 "$owner" 0
        for judged in "${offsets[@]}" '0 0'; do
            echo "made $made, judged $judged"
            fails_with 'pool exhausted' shifted "$judged" portshim pick "$owner"
            fails_with 'pool exhausted' portshim pick "$owner"
        done
        stop "$owner"
        # When the process has ended, its ports are free.
        shifted "${offsets[0]}" portshim pick -n 3 $$ 0 >ports
        xargs portshim release <ports
    done
}

# as_it_is RUN OFFSET: whether `ls` in that time namespace shows the run as alive, and as young as it is.
as_it_is() {
    shifted "$2" portshim ls --json "$1" >ls.json &&
        jq -e '.runs[0] | (.ending | not) and .age >= 0 and .age < 1000' ls.json
}

@test "a run whose processes the library does not reach is alive in every time namespace" {
    local made judged name
    type -P busybox >/dev/null || skip 'no busybox, a static program'
    for made in "${offsets[@]}" '0 0'; do
        name=by${made//[ -]/.}
        start run "${shifted[@]}" "${made% *}" "${made#* }" \
            portshim run -q -n "$name" -p 8080 -- busybox sleep 1000
        within 10 portshim ls "$name"
        for judged in "${offsets[@]}" '0 0'; do
            echo "made $made, judged $judged"
            as_it_is "$name" "$judged"
        done
        stop "$pid"
    done
}

@test "the log has the right seconds, in whatever time namespace a process joins and the log is read" {
    local joined
    start run portshim run -q -n logged -p 8080 -- sleep 1000
    within 10 has_attached logged # the first record
    for joined in "${offsets[@]}"; do
        shifted "$joined" portshim run -j logged -- true
        shifted "$joined" portshim ls --log logged >log
        awk '$1 < 0 || $1 > 100 { bad = 1 } END { exit bad || NR < 2 }' log || fail "$(<log)"
    done
}
