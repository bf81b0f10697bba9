# portshim serve under attack: an honest client is still answered in time, and nothing is left of the attackers.
load helper
load serve

# An answer must come within so many milliseconds, plus five times what a server that does nothing takes, since other
# tests keep the host busy, without the time in which the client could not run itself. On an idle host, the server needs
# less than 50.
most_milliseconds=2000 # a server that one client holds up answers after five seconds; a busy machine stalls for one
# The most kilobytes by which the server may grow.
most_growth=8192

setup_file() {
    export BATS_NO_PARALLELIZE_WITHIN_FILE=true
}

# prompt COMMAND...: runs it with priority over the host's other programs, if that is allowed, as its time is measured.
prompt() {
    if as_root && nice -n -10 true 2>/dev/null; then
        nice -n -10 "$@"
    else
        "$@"
    fi
}

setup() {
    cd "$(test_dir)"
    cp "$PROGRAMS/hostile.py" . # where everybody can read it
    own_pool 2000
    prompt portshim serve --address "$ADDRESS"
    adopt "$ADDRESS"
    descriptors=$(count_descriptors)
    ((memory = $(most_memory)))
}

count_descriptors() {
    find "/proc/$server/fd" -type l | wc -l
}

# most_memory: prints the most memory that the server has used, in kilobytes.
most_memory() {
    sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB$/\1/p' "/proc/$server/status"
}

# attack KIND...: starts all these attackers at once, as another user if this is root.
attack() {
    local kind as=()
    ! as_root || as=(setpriv --reuid nobody --regid nogroup --clear-groups)
    for kind; do
        start "$kind.${#attackers[@]}" "${as[@]}" /usr/bin/python3 hostile.py "$kind" "$ADDRESS"
        within 10 grep -qs ready "$kind.${#attackers[@]}.out"
        attackers+=("$pid")
    done
}

# The server may still have had the connection of adopt() when its descriptors were counted first.
no_trace() {
    (($(count_descriptors) <= descriptors))
}

# withstands KIND...: while these attack, an honest client, whose user has a port already, gets its ports in time.
# Afterwards nothing is left of the attackers.
withstands() {
    local attacker present
    attackers=()
    start present sleep infinity
    present=$pid
    [[ $(say "$present\n") ]]
    attack "$@"
    prompt /usr/bin/python3 "$PROGRAMS/honest.py" "$ADDRESS" 200 >honest
    for attacker in "${attackers[@]}"; do
        stop "$attacker"
    done
    stop "$present"
    read -r slowest middle other_slowest other_middle failed <honest
    echo "# beside $*: $slowest ms at most, $middle in the middle; a server that does nothing: $other_slowest, $other_middle" >&3
    assert_equal "$failed" 0
    ((${slowest%.*} < most_milliseconds + 5 * ${other_slowest%.*}))
    within 10 no_trace
    ((growth = $(most_memory) - memory))
    echo "# the server has grown by $growth kB" >&3
    ((growth < most_growth))
    statistic_is pid "$server"
}

@test "two thousand connections that say nothing hold nobody up" {
    withstands silent
}

@test "clients that say a byte a second hold nobody up" {
    withstands drip
}

@test "requests of a megabyte hold nobody up" {
    withstands megabyte
}

@test "connections that are closed at once hold nobody up" {
    withstands storm
}

@test "descriptors that are sent along hold nobody up and are not kept" {
    withstands rights
}

@test "requests for other users' processes and rubbish hold nobody up" {
    as_root || skip 'needs root: there is one user only'
    withstands others
    (($(statistic denied-not-permitted) > 100 && $(statistic denied-init) > 100))
    (($(statistic requests-unparsable) > 100))
}

@test "clients that shut their side and do not read the answer hold nobody up" {
    as_root || skip 'needs root: of one user, they would get the ports that the honest one may have'
    withstands half half half
}

@test "a user who asks for as many ports as possible, from several processes, leaves others theirs" {
    as_root || skip 'needs root: of one user, they would get the ports that the honest one may have'
    withstands flood flood flood
    (($(statistic denied-over-cap) > 100))
    within 5 statistic_is leases 0
}

@test "all of these at once hold nobody up" {
    as_root || skip 'needs root: of one user, they would get the ports that the honest one may have'
    withstands silent drip megabyte storm rights others half flood
}
