# What the library exports, what it must not use, and that it intercepts every call that it should.
load helper

exported='__recvfrom_chk accept accept4 bind connect dlmopen dlopen dlsym dlvsym execl execle execlp execv execve
execveat execvp execvpe fexecve getpeername getsockname listen popen posix_spawn posix_spawn_file_actions_addchdir
posix_spawn_file_actions_addchdir_np posix_spawn_file_actions_addfchdir posix_spawn_file_actions_addfchdir_np posix_spawnp
prctl recvfrom recvmmsg recvmsg sendmmsg sendmsg sendto socket syscall
system wordexp'

@test "the library exports the calls it rewrites and nothing else, without a version" {
    run nm -D --defined-only "$PORTSHIM_LIB"
    assert_success
    assert_equal "$(awk '{ print $3 }' <<<"$output" | sort)" "$(tr ' ' '\n' <<<"$exported" | LC_ALL=C sort | sort)"
    run readelf --version-info "$PORTSHIM_LIB"
    refute_output --partial 'Version definition'
}

@test "the library uses no allocator, no stdio, no locks, and writes no environment" {
    run bash -c "nm -D --undefined-only '$PORTSHIM_LIB' | awk '{ print \$2 }' | sed 's/@.*//' | grep -xE \
        '(m|c|re)alloc|free|strn?dup|v?(f|d|s|sn|as)?printf|__[a-z]*printf_chk|f(open|write|puts|close)|puts|pthread_mutex_.*|setenv|putenv|unsetenv|getifaddrs|getaddrinfo'"
    assert_output ''
}

@test "the library and the command need libc alone" {
    run bash -c "readelf -d '$PORTSHIM_LIB' | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p'"
    assert_output libc.so.6
    run readelf -d "$ROOT/build/portshim" # not $BUILD's, which sanitizers make dynamic
    assert_output --partial 'no dynamic section'
}

@test "every exported call of a program is bound to the library" {
    cd "$(test_dir)"
    # LD_BIND_NOW: without it, symbols that are never called are never bound.
    LD_BIND_NOW=1 LD_DEBUG=bindings LD_DEBUG_OUTPUT=bindings \
        portshim run -p 8080 -- /usr/bin/python3 -c 'import socket, subprocess'
    for call in accept4 bind connect getpeername getsockname listen recvfrom sendto execve system; do
        grep -q "to $PORTSHIM_LIB \[0\]: normal symbol .$call'" bindings.* || fail "$call is not bound to the library"
    done
}

@test "a bind of a placeholder, a listen and a getsockname make no other system call" {
    cd "$(test_dir)"
    strace -f -o trace portshim run -p 8080 -- "$ROOT/build/tests/one_bind" 8080
    # Between its two marks the program makes just these three calls.
    run awk '/"end"/ { on = 0 } on { sub(/^[0-9]+ +/, ""); sub(/\(.*/, ""); print } /"begin"/ { on = 1 }' trace
    assert_output "$(printf 'bind\nlisten\ngetsockname')"
}
