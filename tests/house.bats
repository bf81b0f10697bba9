# Every subject has its room, and rooms include each other in one direction only (scripts/check-house).
load helper

setup() {
    cd "$(test_dir)"
}

# a_copy: copies what check-house looks at, so that a test can break it.
a_copy() {
    mkdir scripts
    cp -r "$ROOT/portmap" "$ROOT/shim" .
    cp "$ROOT/scripts/check-house" scripts
}

# complains WORDS: check-house finds exactly this in the copy.
complains() {
    run -1 scripts/check-house "${2:-nothing-built}"
    assert_equal "$output" "check-house: $1"
}

@test "no arrow between the rooms points back, and no rule knows a process" {
    run -0 "$ROOT/scripts/check-house" "$ROOT/build"
    assert_output ''
}

@test "an include against an arrow is found" {
    a_copy
    sed -i '1i #include "run/map.h"' portmap/base/text.c
    complains 'portmap/base/text.c:1: run/map.h is included against the arrows: base may not know run'
}

@test "a rule that includes what a process has is found" {
    a_copy
    sed -i '1i #include "process/attach.h"' shim/rules/view.c
    complains 'shim/rules/view.c:1: process/attach.h is included against the arrows: rules may not know process'
}

@test "an include without its room is found" {
    a_copy
    sed -i '1i #include "text.h"' portmap/run/map.c
    complains 'portmap/run/map.c:1: text.h is included without its room: write "room/text.h"'
}

@test "headers of a room that include each other are found" {
    a_copy
    sed -i '1i #include "run/map.h"' portmap/run/portset.h
    run -1 scripts/check-house nothing-built
    assert_output --partial 'check-house: headers include each other: '
}

# broken_build FILE NAME: makes the build that there would be if a function of FILE called NAME.
broken_build() {
    mkdir -p "build/${1%/*}"
    cp "$ROOT"/build/libportshim.{so,map,objects} build
    cp -r "$ROOT/build/shim" "$ROOT/build/portmap" build
    printf 'extern int %s(void); int broken(void); int broken(void) { return %s(); }\n' "$2" "$2" |
        gcc -x c -c -o build/broken.o -
    ld -r -o build/both.o "build/$1" build/broken.o
    mv build/both.o "build/$1"
}

@test "a rule that calls what knows a process is found" {
    a_copy
    broken_build shim/rules/view.o dlsym
    complains 'shim/rules knows a process: dlsym' build
}

@test "a module in the library that calls what the library wraps is found" {
    a_copy
    broken_build portmap/run/map.o connect
    complains 'portmap/run/map.o calls what the library wraps, instead of kernel.h: connect' build
}
