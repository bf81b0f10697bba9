# A program with libraries, all of which find libraries by RUNPATH and $ORIGIN. See programs/loading/program.c.

# loading_build [OPTION]...: builds program, lib/libone.so and lib/deep/lib{two,three,four}.so in the working directory.
loading_build() {
    local name source=$PROGRAMS/loading
    mkdir -p lib/deep
    # shellcheck disable=SC2016 # ld.so replaces it
    gcc "$@" -fPIC -shared -Wl,-rpath,'$ORIGIN/deep',--enable-new-dtags -o lib/libone.so "$source/library.c"
    for name in two three four; do
        gcc "$@" -fPIC -shared -o "lib/deep/lib$name.so" "$source/library.c"
    done
    # shellcheck disable=SC2016 # likewise
    gcc "$@" -D_GNU_SOURCE -Wl,-rpath,'$ORIGIN/lib',--enable-new-dtags -o program "$source/program.c" -ldl
}

# loading_is_as_bare: libraries are found at the same paths in a run as bare, with RTLD_DEEPBIND (8) and without.
loading_is_as_bare() {
    local flags expected
    for flags in 0 8; do
        expected=$(./program paths $flags)
        [[ $expected == *"by \$ORIGIN of a library: found"* ]]
        assert_equal "$(portshim run -p 8080 -- ./program paths $flags)" "$expected"
    done
    expected=$(./program next)
    [[ $expected == *"bind by libc's handle, likewise: found"* ]]
    assert_equal "$(portshim run -p 8080 -- ./program next)" "$expected"
}
