# For tests of what `make install` installs. Each of their files has an installed tree of its own.

# The tree's PREFIX, in a directory that every user can enter.
TREE=$SUITE_DIR/${BATS_TEST_FILENAME##*/}.tree/opt/portshim

# install_tree: installs into it; for setup_file.
install_tree() {
    make -s -C "$ROOT" install DESTDIR="${TREE%/opt/portshim}" PREFIX=/opt/portshim
}

remove_tree() {
    rm -rf "${TREE%/opt/portshim}"
}

# hide_source: sets INSTALLED to what runs a command with the tree's portshim in PATH, in a mount namespace where the
# source and what has been built from it are not there; for setup.
hide_source() {
    local namespace=(unshare --mount) hidden=("$ROOT"/{scripts,shim,portmap,docs} "$BUILD"/{portshim,libportshim.so})
    as_root || namespace+=(--map-root-user)
    if ! "${namespace[@]}" true 2>unshare.err; then
        printf '# the source stays where it is: %s\n' "$(<unshare.err)" >&3
        namespace=() hidden=()
    fi
    # shellcheck disable=SC2016,SC2034 # expanded there; the test files use it
    INSTALLED=("${namespace[@]}" env -u PORTSHIM_LIB PATH="$TREE/bin:${PATH//"$SUITE_DIR:$BUILD:"/}" bash -euc '
        while [[ $1 != -- ]]; do
            if [[ -d $1 ]]; then mount -t tmpfs none "$1"; else mount --bind /dev/null "$1"; fi
            shift
        done
        shift
        exec "$@"' - "${hidden[@]}" --)
}

# nothing_is_left: whether all has gone that was started with this test's mark in its environment: HERE=$PWD.
nothing_is_left() {
    ! grep -qzsx "HERE=$PWD" /proc/[0-9]*/environ
}

# example RUNNER NUMBER: prints an example of portshim-runners(7), as it is installed.
example() {
    sed -n "/^\.Ss $1\$/,/^\.S[sh] [^$1]/p" "$TREE/share/man/man7/portshim-runners.7" |
        awk -v number="$2" '/^\.Ed/ { inside = 0 } inside { print } /^\.Bd/ { inside = ++count == number }' | sed 's/\\e/\\/g'
}
