# A strict run starts portshim itself, which is static, by what it is and not by its name.
# shellcheck disable=SC2016 # expanded by the shells that are started
load helper

setup() {
    cd "$(test_dir)"
    export PORTSHIM_TRAP=off # else static programs would be wrapped
    mkdir other
    echo 'int main(void) { return 0; }' | cc -static -o other/portshim -x c -
    cp "$SUITE_DIR/portshim" copy
    cp "$SUITE_DIR/portshim" stripped
    strip stripped
    ln -s "$SUITE_DIR/portshim" link
}

@test "another static program called portshim is refused" {
    fails_with 'statically linked' portshim run --strict -p 8080 -- ./other/portshim
    for start in ./other/portshim 'exec other/portshim' 'PATH=$PWD/other; portshim' 'portshim run -p 81 -- other/portshim'; do
        run portshim run --strict -p 8080 -- sh -c "$start"
        [[ $status != 0 ]] || fail "$start was started"
    done
}

@test "another static program called portshim is noticed" {
    fails_with 'program portshim: it cannot be wrapped' portshim run -q --require-bind -p 8080 -- sh -c ./other/portshim
}

@test "portshim is started under any name" {
    for name in "$SUITE_DIR/portshim" ./copy ./stripped ./link; do
        run -0 portshim run --strict -p 8080 -- sh -c "$name --version; $name run -p 81 -- true"
        run -0 portshim run --strict -p 8080 -- "$name" --version
        fails_with 'none of them was bound' portshim run --require-bind -p 8080 -- sh -c "$name --version >/dev/null"
        portshim doctor "$name" | grep 'is portshim itself' || [[ ${PORTSHIM_BUILD-} ]]
    done
}
