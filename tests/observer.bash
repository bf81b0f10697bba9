# The observer, which checks that no port has two holders: `load observer`.

# observe [connections]: starts programs/observer.py. Programs announce their ports to it at ./sock.
observe() {
    start observer /usr/bin/python3 "$PROGRAMS/observer.py" sock "$@"
    observer=$pid
    within 10 grep -qs ready observer.out
}

# judgement: ends the observer, which this shell alone can wait for, and reads its summary into $seen and $doubles.
judgement() {
    stop "$observer"
    # shellcheck disable=SC2034 # they are the caller's
    read -r seen doubles < <(sed -n 's/^seen \([0-9]*\) doubles \([0-9]*\)$/\1 \2/p' observer.out)
}
