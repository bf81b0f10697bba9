# shellcheck shell=bash
# For bats 1.8 and later: `bats_load_library portshim` loads this file. portshim-runners(7) describes its functions.
#
# What a test starts has its map, NAME.json, and its output, NAME.out and NAME.err, in the test's own directory. So names
# of tests that run at the same time cannot clash. What setup_file or setup_suite has started has them in the directory
# of the file or of the suite, where tests find it.

if ! _portshim_command=$(type -P portshim); then
    # This file is PREFIX/lib/bats/portshim/load.bash.
    _portshim_command=${BASH_SOURCE[0]%/lib/bats/portshim/load.bash}/bin/portshim
    if [[ ! -x $_portshim_command ]]; then
        echo 'bats_load_library portshim: there is no portshim: not in PATH: add the directory where it is installed' >&2
        return 1
    fi
fi
[[ $_portshim_command == /* ]] || _portshim_command=$PWD/$_portshim_command

# What this shell has started and not yet ended: the process of each map.
declare -gA _portshim_started=()

# portshim_start NAME PORTS -- COMMAND...: starts the command in the background, in a run of its own. Returns when the
# run has its ports. The run is ended after teardown, or teardown_file or teardown_suite, as it has been started there.
portshim_start() {
    local map pid
    if (($# < 4)) || [[ $3 != -- ]]; then
        _portshim_fail 'portshim_start' 'usage' 'portshim_start NAME PORTS -- COMMAND...'
    elif [[ $1 == */* || -z $1 ]]; then
        _portshim_fail "portshim_start $1" 'not a name' 'choose one that can be a file'\''s'
    elif ((BASH_SUBSHELL)); then
        _portshim_fail "portshim_start $1" 'in a subshell, where nothing can be ended in teardown' \
            'call it without run, parentheses or a pipe'
    else
        map=$(_portshim_directory)/$1.json
        if "$_portshim_command" env "$map" >/dev/null 2>&1; then
            _portshim_fail "portshim_start $1" 'it is running' 'portshim_stop it before, or choose another name'
            return 125
        elif [[ -e $map ]] && ! grep -q '^{"run": "' "$map"; then
            _portshim_fail "portshim_start $1" "$map is there, and is no map" 'remove it, or choose another name'
            return 125
        fi
        rm -f "$map" # of a run that has ended
        _portshim_end_with_bats
        # The shell makes background commands ignore SIGINT, which a program may be stopped with. bats waits until its
        # descriptor 3 is closed everywhere.
        (
            trap - INT QUIT
            exec "$_portshim_command" run -p "$2" -m "$map" -- "${@:4}"
        ) >"${map%.json}.out" 2>"${map%.json}.err" 3>&- &
        pid=$!
        until [[ -e $map ]]; do
            if ! kill -0 "$pid" 2>/dev/null && [[ ! -e $map ]]; then
                cat "${map%.json}.err" >&2
                return 125
            fi
            sleep 0.01
        done
        _portshim_started[$map]=$pid
        _portshim_watch "$map"
    fi
}

# portshim_wait NAME PORT [SECONDS]: waits (10 seconds) until something listens on the placeholder, and prints the real
# port. When it fails, it shows what the program has printed.
portshim_wait() {
    local map run status=0
    if (($# < 2)); then
        _portshim_fail 'portshim_wait' 'usage' 'portshim_wait NAME PORT [SECONDS]'
        return 125
    fi
    map=$(_portshim_map "$1") || return 125
    run=$(_portshim_run "$map") # for its map file, wait would wait for the next run when this one has ended
    "$_portshim_command" wait -t "${3-10}" "$run" "$2" || status=$?
    ((status == 0)) || tail -n 50 -v "${map%.json}.out" "${map%.json}.err" >&2
    return "$status"
}

# portshim_port NAME PORT: prints the real port, whether or not anything listens.
portshim_port() {
    local map
    map=$(_portshim_map "${1-}") && "$_portshim_command" port "$map" "${@:2}"
}

# portshim_in NAME COMMAND...: runs the command in the run.
portshim_in() {
    local map
    map=$(_portshim_map "${1-}") && "$_portshim_command" run -j "$map" -- "${@:2}"
}

# portshim_stop NAME [SIGNAL]: sends the signal (TERM) to all processes of the run, and SIGKILL after 10 seconds. Returns
# when all are gone.
portshim_stop() {
    local map
    map=$(_portshim_map "${1-}") && _portshim_end "${2-TERM}" "$map"
}

# bats calls teardown in a trap. There, `return` without a number returns what the trap has interrupted: write the number.

# _portshim_fail WHAT WHY REMEDY
_portshim_fail() {
    printf 'portshim: %s: %s: %s\n' "$@" >&2
    return 125
}

# Prints the directory of what is started now: the test's, else the file's, else the suite's. A bats that a test starts
# has the variables of that test, too.
_portshim_directory() {
    local directory
    for directory in "${BATS_TEST_TMPDIR-}" "${BATS_FILE_TMPDIR-}" "${BATS_SUITE_TMPDIR-}"; do
        if [[ $directory == "$BATS_RUN_TMPDIR"/* ]]; then
            printf '%s\n' "$directory"
            return 0
        fi
    done
}

# _portshim_map NAME: prints the path of its map, of the nearest that has been started.
_portshim_map() {
    local directory
    for directory in "${BATS_TEST_TMPDIR-}" "${BATS_FILE_TMPDIR-}" "${BATS_SUITE_TMPDIR-}"; do
        if [[ -n $1 && $directory == "$BATS_RUN_TMPDIR"/* && -e $directory/$1.json ]]; then
            printf '%s\n' "$directory/$1.json"
            return 0
        fi
    done
    _portshim_fail "${1:-no name}" 'nothing of that name has been started' 'portshim_start it before'
}

# _portshim_run MAP: prints the run's directory.
_portshim_run() {
    sed -n 's/^{"run": "\([^"]*\)".*/\1/p' "$1"
}

# _portshim_end SIGNAL MAP...: ends all processes of the runs, and waits for those that this shell has started.
_portshim_end() {
    local map
    "$_portshim_command" stop -t 10 -s "$@" || return 125
    for map in "${@:2}"; do
        wait "${_portshim_started[$map]-}" 2>/dev/null || :
        unset -v '_portshim_started[$map]'
    done
}

# Ends everything that this shell has started.
_portshim_end_all() {
    ((${#_portshim_started[@]})) || return 0
    # When a test's time is over, bats ends the children of its shell: it may be the first attempt that it ends.
    _portshim_end TERM "${!_portshim_started[@]}" || _portshim_end TERM "${!_portshim_started[@]}"
}

# Has everything ended by the function in which bats ends: it is called last, however a test ends, and after the test's
# own teardown, which stays as it is. The second and third are those of files and suites.
_portshim_end_with_bats() {
    local name definition
    ! declare -F _portshim_exit >/dev/null || return 0
    for name in bats_exit_trap bats_file_exit_trap bats_suite_exit_trap; do
        definition=$(declare -f "$name") || continue
        eval "_portshim_exit${definition#"$name"}"
        eval "$name() { _portshim_end_before_exit \"\$?\" \"\$@\"; }"
        # bats must not take our lines for those that have failed.
        BATS_DEBUG_EXCLUDE_PATHS+=("${BASH_SOURCE[0]%/*}")
        return 0
    done
}

# _portshim_end_before_exit STATUS ARGUMENT...: what bats calls in the place of its function. That gets STATUS as $?.
_portshim_end_before_exit() {
    local status=$1
    shift
    trap '' ABRT # by which bats says that the time is over: the test has ended
    if ! _portshim_end_all >>"$BATS_OUT" 2>&1; then
        # shellcheck disable=SC2034 # bats reads them
        BATS_TEARDOWN_COMPLETED='' BATS_TEARDOWN_FILE_COMPLETED='' BATS_TEARDOWN_SUITE_COMPLETED=''
    fi
    if ((status == 0)); then
        _portshim_exit "$@"
    else
        _portshim_status "$status" || _portshim_exit "$@"
    fi
}

_portshim_status() {
    return "$1"
}

# _portshim_watch MAP: starts a process that ends the run when this shell has ended without doing so: when it is killed.
# It is no child of this shell, and has none of its descriptors.
_portshim_watch() {
    local run descriptor
    run=$(_portshim_run "$1")
    (
        trap '' TERM INT HUP
        cd /
        for descriptor in /proc/"$BASHPID"/fd/*; do
            eval "exec ${descriptor##*/}>&-"
        done
        (
            tail --pid=$$ -s 0.2 -f /dev/null && exec "$_portshim_command" stop -t 5 "$run"
        ) </dev/null >/dev/null 2>&1 &
    )
}
