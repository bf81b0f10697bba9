# An owner that cannot be judged is not taken for dead: nobody loses a port because somebody else cannot look.
load helper

setup() {
    cd "$(test_dir)"
    own_pool 3
    IFS=, read -ra ports <<<"$PORTSHIM_POOL"
    start owner sleep infinity
    owner=$pid
}

# Places where /proc is not the usual one, and the commands that make them.
declare -gA places=(
    ['this /proc']=:
    ['a boot id of its own']="mount --bind boot_id /proc/sys/kernel/random/boot_id"
    ['subset=pid']='mount -t proc -o subset=pid proc /proc'
    ['no /proc']='mount -t tmpfs none /proc'
)

# place NAME: puts the words that run a command there into the array in_place.
place() {
    # shellcheck disable=SC2016 # expanded there
    in_place=("${own_mounts[@]}" sh -ec "${places[$1]}"' && exec "$@"' sh)
}

# need_places: removes the places that cannot be made here; there must be more than one left.
need_places() {
    local place
    own_mounts=(unshare -m)
    as_root || own_mounts=(unshare -rm)
    echo 11111111-2222-3333-4444-555555555555 >boot_id
    for place in "${!places[@]}"; do
        place "$place"
        "${in_place[@]}" true 2>/dev/null || unset_place "$place" 'it cannot be mounted here'
    done
    ((${#places[@]} > 1)) || skip 'no /proc can be mounted here'
}

unset_place() {
    echo "# not tested with $1: $2" >&3
    unset "places[$1]"
}

# stays: no command in this place takes a port from a living owner.
stays() {
    fails_with 'pool exhausted' "${in_place[@]}" portshim pick "$owner"
    fails_with 'pool exhausted' "${in_place[@]}" portshim run -p 80 -- true
}

pool_is_free() {
    portshim pick -n 3 "$owner" >/dev/null 2>&1
}

# tells_without_proc: whether the kernel tells a process its namespaces without /proc.
tells_without_proc() {
    local major minor
    IFS=.- read -r major minor _ <<<"$(uname -r)"
    ((major > 6 || (major == 6 && minor >= 11)))
}

# knowing_themselves: drops the places where a process cannot tell its pid namespace. Only runs, which live by a lock,
# can be made there.
knowing_themselves() {
    tells_without_proc || unset_place 'no /proc' 'Linux before 6.11 does not tell a pid namespace then'
}

# the_living_stay COMMAND...: the command takes all ports and makes living.env. It is started in each place and judged
# from each. When it is dead, its ports are free.
the_living_stay() {
    local made judged
    [[ -z ${PORTSHIM_BUILD-} ]] || skip 'a command with sanitizers prints that it misses /proc'
    need_places
    for made in "${!places[@]}"; do
        rm -f living.env
        place "$made"
        start living "${in_place[@]}" "$@"
        within 10 test -e living.env
        for judged in "${!places[@]}"; do
            echo "made with $made, judged with $judged"
            place "$judged"
            stays
        done
        stop "$pid"
        within 10 pool_is_free
        portshim release "${ports[@]}"
    done
}

@test "a living run keeps its ports, whoever cannot read the boot id or the namespaces" {
    the_living_stay portshim run -p 80-82 -m living.env -- bash -c 'while sleep 0.1; do :; done'
}

@test "so does one whose starter alone says that it lives" {
    type -P busybox >/dev/null || skip 'no static program here: busybox'
    knowing_themselves
    the_living_stay portshim run -q -p 80-82 -m living.env -- busybox sleep 1000
}

@test "so does a process that has leased ports" {
    knowing_themselves
    # shellcheck disable=SC2016 # expanded inside
    the_living_stay bash -c 'portshim pick -n 3 $$ >picked && mv picked living.env && exec sleep infinity'
}

@test "so does a run by hand" {
    the_living_stay env PORTSHIM_PORTS=80-82 PORTSHIM_MAP_FILE=living.env "LD_PRELOAD=$PORTSHIM_LIB" sleep infinity
}

@test "a program of the run joins it where the boot id is another" {
    need_places
    [[ ${places['a boot id of its own']-} ]] || skip 'no boot id can be mounted here'
    portshim run -p 80 -m a.env -- "${own_mounts[@]}" sh -ec "${places['a boot id of its own']}; env" >inner
    grep -xF "$(grep ^PORTSHIM_RUN= a.env)" inner
}

@test "a lease table that cannot be made again for want of descriptors is not made without a living run" {
    local most
    [[ -z ${PORTSHIM_BUILD-} ]] || skip 'a command with sanitizers needs more descriptors and libraries'
    start holder portshim run -p 80-82 -m living.env -- sleep infinity
    within 10 test -e living.env
    for most in {4..10}; do
        rm -f home/leases
        run -125 prlimit --nofile="$most" portshim pick "$owner"
        fails_with 'pool exhausted' portshim pick "$owner"
    done
}

@test "a run whose first program is just starting lives, also for who looks from another pid namespace" {
    unshare -mpf --mount-proc true 2>unshare.err || skip "no pid namespace: $(head -n 1 unshare.err)"
    # What this library does at the start of a program is done before ours joins the run.
    cc -shared -fPIC -x c - -o slow.so <<'END'
#include <unistd.h>
__attribute__((constructor)) static void wait_for_go(void)
{
    while (access("go", F_OK) != 0)
        usleep(10000);
}
END
    start living env LD_PRELOAD="$PWD/slow.so" portshim run -p 80-82 -m living.env -- sleep infinity
    within 10 test -e living.env
    within 10 is_program "$pid" sleep
    run -1 grep -F "$PWD/home/runs/" "/proc/$pid/maps"
    unshare -mpf --mount-proc portshim ls
    touch go
    within 10 grep -qsF "$PWD/home/runs/" "/proc/$pid/maps" || fail "$(<living.err)"
    fails_with 'pool exhausted' portshim pick "$owner"
}

# dies_with OFFSET COUNT BYTE: a run with all ports dies; then COUNT bytes of its head, whose name is the secret, are set
# to BYTE from OFFSET on.
dies_with() {
    local secret
    printf -v secret '%32s' ''
    start dying portshim run -p 80-82 -m living.env -- sleep infinity
    within 10 test -e living.env
    stop "$pid" KILL
    head -c "$2" /dev/zero | tr '\0' "$3" | dd of="$(find home/runs -name "${secret// /[0-9a-f]}")" bs=1 seek="$1" conv=notrunc status=none
    touch -d '1 minute ago' home/runs/*/
}

@test "a run whose map another version has written keeps its ports" {
    dies_with 8 1 9
    fails_with 'pool exhausted' portshim pick "$owner"
}

@test "one whose map was never written does not: the host has lost its power" {
    dies_with 0 4096 '\0'
    within 10 pool_is_free
}
