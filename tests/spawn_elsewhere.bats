# When posix_spawn() changes the directory first, the program in that directory is judged, not its namesake here.
load helper

places=$ROOT/build/tests/spawn_places
ways=(path absolute steps back fd below-fd opened)

# For each name there is a program here and one in `there`. The library reaches one of the two, and not the other.
setup() {
    cd "$(test_dir)"
    export PORTSHIM_TRAP=off # else static programs would be wrapped: see out_of_reach.bats
    mkdir -p there/below
    echo 'int main(void) { return STATUS; }' >program.c
    cc -DSTATUS=3 -o wrapped program.c
    cc -DSTATUS=4 -static -o static program.c
    cp wrapped out; cp static there/out
    cp static in; cp wrapped there/in
    printf '#!./out\n' >there/script_out
    printf '#!./in\n' >there/script_in
    chmod 755 there/script_*
}

# says EXPECTED COMMAND...: the command prints this.
says() {
    local expected=$1
    shift
    run "$@"
    assert_equal "$* $output" "$* $expected"
}

@test "--strict refuses the static program that is there, and no other" {
    for way in "${ways[@]}"; do
        says 4 "$places" "$way" ./out
        says EPERM portshim run -q --strict -p 8080 -- "$places" "$way" ./out
        says EPERM portshim run -q --strict -p 8080 -- "$places" "$way" below/../out
        says 3 portshim run --strict -p 8080 -- "$places" "$way" ./in
        says 3 portshim run --strict -p 8080 -- "$places" "$way" "$PWD/out"
        says EPERM portshim run -q --strict -p 8080 -- "$places" "$way" "$PWD/in"
    done
}

@test "--strict holds for what posix_spawnp() finds by a relative entry of PATH" {
    for path in . '' :/nowhere ./below/..; do
        for way in "${ways[@]}"; do
            says EPERM portshim run -q --strict -p 8080 -- env PATH="$path" "$places" "$way" -p out
            says 3 portshim run --strict -p 8080 -- env PATH="$path" "$places" "$way" -p in
            says EPERM portshim run -q --strict -p 8080 -- env PATH="/nowhere" "$places" "$way" -p ./out
        done
    done
    says 3 portshim run --strict -p 8080 -- env PATH="$PWD:." "$places" path -p out
    says EPERM portshim run -q --strict -p 8080 -- env PATH="below:.:$PWD" "$places" path -p out
}

@test "a script's interpreter is the one that is there" {
    for way in "${ways[@]}"; do
        says EPERM portshim run -q --strict -p 8080 -- "$places" "$way" ./script_out
        says 3 portshim run --strict -p 8080 -- "$places" "$way" ./script_in
    done
}

@test "--require-bind notices the program that is there" {
    for way in "${ways[@]}"; do
        run portshim run --require-bind -p 8080 -- "$places" "$way" ./out
        assert_output --partial 'program out: it cannot be wrapped'
        run portshim run --require-bind -p 8080 -- "$places" "$way" ./in
        assert_output --partial 'none of them was bound'
    done
}

@test "what posix_spawn() returns where the directory is not there is what it returns outside of a run" {
    for way in missing closed path; do
        for program in ./in ./none '' below "$(printf '%05000d' 1)"; do
            bare=$("$places" "$way" "$program")
            says "$bare" portshim run -p 8080 -- "$places" "$way" "$program"
            says "$bare" portshim run --strict -p 8080 -- "$places" "$way" "$program"
            bare=$("$places" "$way" -p "$program")
            says "$bare" portshim run --strict -p 8080 -- "$places" "$way" -p "$program"
        done
    done
}

@test "where the directory cannot be told, --strict refuses a relative path, and nothing else is refused" {
    # Another library, whose actions differ from libc's: it appends something else than it was asked for.
    cc -shared -fPIC -x c - -o strange.so <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <spawn.h>
int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *restrict actions, const char *restrict path)
{
    int (*libc)(posix_spawn_file_actions_t *, const char *) =
        dlsym(RTLD_NEXT, "posix_spawn_file_actions_addchdir_np");
    int error = libc(actions, path);
    return error != 0 ? error : posix_spawn_file_actions_adddup2(actions, 1, 1);
}
END
    strange=(env "LD_PRELOAD=$PWD/strange.so")
    says EPERM portshim run -q --strict -p 8080 -- "${strange[@]}" "$places" path ./out
    says EPERM portshim run -q --strict -p 8080 -- "${strange[@]}" "$places" path ./in
    says EPERM portshim run -q --strict -p 8080 -- "${strange[@]}" PATH=.:/ "$places" path -p in
    says 3 portshim run --strict -p 8080 -- "${strange[@]}" "$places" path "$PWD/out"
    says EPERM portshim run -q --strict -p 8080 -- "${strange[@]}" "$places" path "$PWD/in"
    says 3 portshim run -p 8080 -- "${strange[@]}" "$places" path ./in
    says 4 portshim run -p 8080 -- "${strange[@]}" "$places" path ./out
}
