# A program that is started with an environment that has lost the run stays in the run.
load helper

execs=$ROOT/build/tests/execs

setup() {
    cd "$(test_dir)"
}

@test "every way to start a program carries the run into an empty environment" {
    for way in execve execve-null execv execvp execvpe execl execlp execle fexecve execveat posix_spawn posix_spawnp \
        vfork system popen wordexp; do
        run portshim run -p 8080 -m m -- "$execs" "$way" "$execs"
        assert_success
        assert_line "LD_PRELOAD=$PORTSHIM_LIB"
        assert_line "PORTSHIM_RUN=$(head -n 1 m | cut -d ' ' -f 3)"
        # wordexp() splits the value at its spaces
        assert_output --regexp 'PORTSHIM_COMPACT=2[[:space:]][0-9a-f]{32}[[:space:]]@[^[:space:]]+[[:space:]]8080=[0-9]+'
    done
}

@test "nothing is put into an environment that has the run" {
    portshim run -p 8080 -- env | sort >before
    portshim run -p 8080 -- env env | sort >after
    assert_equal "$(sed 's/=.*//' after)" "$(sed 's/=.*//' before)"
}

@test "a server started by env -i, or without LD_PRELOAD, still binds its own real port" {
    for strip in 'env -i' 'env -u LD_PRELOAD' 'env -u PORTSHIM_RUN' 'env -i LD_PRELOAD='; do
        # shellcheck disable=SC2086 # words are meant
        start server portshim run -p 8080 -m m.json -- $strip /usr/bin/python3 -m http.server --bind 127.0.0.1 8080
        port=$(real m.json 8080)
        assert_not_equal "$port" 8080
        curl -sS -o page "http://127.0.0.1:$port/"
        stop "$pid"
    done
}

@test "what a program puts into LD_PRELOAD itself is kept, behind the library" {
    # An empty library: a copy of libc's would interfere.
    printf '' | cc -shared -fPIC -x c - -o other.so
    run portshim run -p 8080 -- env LD_PRELOAD="$PWD/other.so" env
    assert_line "LD_PRELOAD=$PORTSHIM_LIB:$PWD/other.so"
}

@test "a sanitizer's runtime stays first in LD_PRELOAD" {
    printf '' | cc -shared -fPIC -x c - -o libasan.so.8
    LD_PRELOAD=$PWD/libasan.so.8 run portshim run -p 8080 -- env
    assert_line "LD_PRELOAD=$PWD/libasan.so.8:$PORTSHIM_LIB"
}

@test "PORTSHIM=0 takes a program and its children out of the run" {
    run portshim run -q -p 8080 -- env -i PORTSHIM=0 env
    assert_output 'PORTSHIM=0'
}

@test "a relative LD_PRELOAD becomes absolute for programs started elsewhere" {
    cp "$PORTSHIM_LIB" .
    PORTSHIM_PORTS=8080 PORTSHIM_MAP_FILE=m LD_PRELOAD=./libportshim.so run sh -c 'cd / && env'
    assert_line "LD_PRELOAD=$PWD/libportshim.so"
    refute_output --partial 'cannot be preloaded'
}

@test "an environment of ten thousand variables is carried whole" {
    # shellcheck disable=SC2016 # expanded by that shell
    run portshim run -p 8080 -- bash -c 'for ((i = 0; i < 10000; i++)); do echo "V$i=$i"; done >vars
        mapfile -t vars <vars; exec env -i "${vars[@]}" '"$execs"' child'
    assert_success
    assert_equal "$(grep -c '^V[0-9]' <<<"$output")" 10000
    assert_line "LD_PRELOAD=$PORTSHIM_LIB"
}

@test "a large environment carries the run from a thread with a small stack, and leaves no memory behind" {
    for way in execve execv execvp execvpe execl execlp execle fexecve execveat syscall syscall-at posix_spawn \
        posix_spawnp system popen wordexp; do
        run timeout 60 portshim run -p 8080 -- "$ROOT/build/tests/large_environment" "$way"
        assert_equal "$way $status $output" "$way 0 "
    done
}
