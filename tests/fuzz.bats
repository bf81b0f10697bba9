# What others can write, and what comes from outside, is read without harm. Each reader has a fuzz target in tests/fuzz,
# for `make fuzz`. Here each target reads the inputs that are kept in tests/fuzz/corpus: what it must know, and what once
# went wrong.
load helper

# reads TARGET: gives it all of its inputs. It ends at the first that breaks what tests/fuzz/TARGET.c says of it.
reads() {
    local inputs=("$BATS_TEST_DIRNAME/fuzz/corpus/$1"/*)
    run -0 timeout 60 "$ROOT/build/tests/fuzz/$1" "${inputs[@]}"
    assert_line "${#inputs[@]} inputs"
}

@test "the private variable with a run's assignments" {
    reads compact
}

@test "the notes and the late tables of a run, which its processes write" {
    reads map
}

@test "all files of a run" {
    reads files
}

@test "a map file" {
    reads publish
}

@test "a program file" {
    reads elf
}

@test "port specifications" {
    reads portset
}

@test "a file of settings" {
    reads settings
}

@test "the pool" {
    reads pool
}

@test "the lease table" {
    reads table
}

@test "a port server's answers" {
    reads portserver
}

@test "what clients of portshim serve ask" {
    reads request
}

@test "names and command lines, as they are printed" {
    reads utf8
}

@test "every target has inputs, and a test" {
    local target
    for source in "$BATS_TEST_DIRNAME"/fuzz/*.c; do
        target=$(basename "$source" .c)
        [[ $target == replay ]] || grep -qx "    reads $target" "$BATS_TEST_FILENAME" || fail "no test: $target"
    done
    assert_equal "$(ls "$BATS_TEST_DIRNAME/fuzz/corpus")" \
        "$(cd "$BATS_TEST_DIRNAME/fuzz" && printf '%s\n' *.c | sed 's/\.c$//' | grep -vx replay)"
}

# A target that cannot fail would be worthless: here the first thing that one checks is not true.
@test "a target that finds something says so, and fails" {
    run "$ROOT/build/tests/fuzz/compact" nothing-there
    assert_failure
    assert_output --partial 'not true: file != NULL'
}

@test "what a supervisor reads of trapped programs" {
    reads trapped
}
