# What `make` builds, and with which tools.
load helper

setup() {
    unset MAKELEVEL MFLAGS
    cd "$(test_dir)"
}

build() {
    make -s -C "$ROOT" B="$PWD/build" "$@"
}

@test "what was made with other flags is made again, and with the same ones is not" {
    local object=$PWD/build/portmap/base/text.o
    build "$object"
    made=$(stat -c '%i %.Y' "$object")
    build "$object"
    assert_equal "$(stat -c '%i %.Y' "$object")" "$made"
    for flags in CFLAGS=-O1 "CFLAGS=-O1 -DA='\"b c\"'" CPPFLAGS=-DB LDFLAGS=-Wl,-O1 CC="${CC:-gcc} -pipe"; do
        build "$flags" "$object"
        assert_not_equal "$(stat -c '%i %.Y' "$object")" "$made"
        made=$(stat -c '%i %.Y' "$object")
        build "$flags" "$object"
        assert_equal "$(stat -c '%i %.Y' "$object")" "$made"
    done
}

@test "objcopy and ar are the compiler's own" {
    for tool in objcopy ar; do
        # shellcheck disable=SC2016 # expanded by that shell
        printf '#!/bin/sh\necho "$0" >>"%s"\nexec %s "$@"\n' "$PWD/used" "$tool" >"cross-$tool"
    done
    cat >cross-gcc <<END
#!/bin/sh
case \$1 in
-print-prog-name=*) echo "$PWD/cross-\${1#*=}" ;;
*) exec ${CC:-gcc} "\$@" ;;
esac
END
    chmod 755 cross-*
    build CC="$PWD/cross-gcc" -j 2 "$PWD/build/libportmap.a"
    assert_equal "$(sort -u used)" "$(printf '%s\n' "$PWD/cross-ar" "$PWD/cross-objcopy")"
}

@test "a library that was built to count what is executed does so, and has its program run" {
    build -j 2 CFLAGS='-O0 --coverage' "$PWD/build/libportshim.so"
    run -0 env PORTSHIM_LIB="$PWD/build/libportshim.so" portshim run -q -p 8080 -- true
    [[ -s build/shim/process/attach.gcda ]]
}

@test "the libraries need libc and nothing else" {
    local libc=libc.so.6
    [[ $(getconf GNU_LIBC_VERSION) > 'glibc 2.34' ]] || libc+=' libdl.so.2'
    run readelf -d "$ROOT/build/libportshim.so"
    assert_line --partial NEEDED
    sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' <<<"$output" >libraries
    while read -r needed; do
        [[ " $libc " == *" $needed "* ]] || fail "it needs $needed"
    done <libraries
    run readelf -d "$ROOT/build/portshim"
    refute_line --partial NEEDED
}

@test "what is installed below a path with a space is all that is installed" {
    make -s -C "$ROOT" install DESTDIR="$PWD/tree"
    make -s -C "$ROOT" install DESTDIR="$PWD/a tree of mine"
    diff -r tree 'a tree of mine'
    assert_equal "$(printf '%s\n' * | sort)" "$(printf '%s\n' 'a tree of mine' tree)"
}

serves() {
    server=$(portshim serve --status 2>status.err | sed -n 's/^pid //p')
    [[ -n $server ]]
}

@test "the daemon has none of its starter's descriptors where the kernel has no close_range either" {
    export PORTSERVER_ADDRESS=$PWD/socket
    strace -f -e inject=close_range:error=ENOSYS -e trace=close_range -o trace portshim serve 3>&- 8<"$0" &
    STARTED+=("$!")
    within 10 serves
    STARTED=("$server" "${STARTED[@]}")
    grep -q INJECTED trace
    run ls -l "/proc/$server/fd"
    assert_line --partial socket
    refute_line --regexp '[48] -> /.*bats'
}

@test "it builds, and loads libraries, where the compiler optimizes it as a whole" {
    build CFLAGS='-O2 -flto' "$PWD/build/libportshim.so"
    run -0 env PORTSHIM_LIB="$PWD/build/libportshim.so" portshim run -p 8080 -- python3 -c 'import ctypes; ctypes.CDLL(None, 8).bind'
    assert_output ''
}
