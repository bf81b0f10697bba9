#!/usr/bin/env bats
# make uninstall removes what make install has brought, and nothing else.
load helper

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
}

# quietly ACTION VARIABLE=VALUE...
quietly() {
    make -s -C "$ROOT" "$@"
}

@test "make uninstall leaves no file of ours and every file of others, also below paths with spaces" {
    where=(DESTDIR="$PWD/a tree" PREFIX='/opt/my programs' LIBDIR='/opt/my programs/lib/of mine')
    tree="$PWD/a tree/opt/my programs"
    quietly install "${where[@]}"
    run -0 "$tree/bin/portshim" --version
    mkdir -p "$tree/lib/of mine/portshim" "$tree/share/portshim/theirs"
    touch "$tree/bin/portshim-of-another" "$tree/share/portshim/theirs/file"
    quietly uninstall "${where[@]}"
    find "$tree" ! -type d | sort >left
    printf "$tree/%s\n" bin/portshim-of-another share/portshim/theirs/file | diff - left
    find "$tree" -type d -name 'port*' | sort >left
    printf "$tree/%s\n" 'lib/of mine/portshim' share/portshim | diff - left
    [[ -d $tree/lib/of\ mine && -d $tree/share/man/man1 ]]
    quietly uninstall "${where[@]}" # nothing is there any more, which is no error
}

@test "make install and make uninstall name what they touch, and all that is installed" {
    make -C "$ROOT" install DESTDIR="$PWD/tree" >said
    find "$PWD/tree" ! -type d | sort >installed
    grep "^$PWD/tree/" said | sort | diff - installed
    run -0 make -C "$ROOT" uninstall DESTDIR="$PWD/tree"
    grep "^$PWD/tree/" <<<"$output" | sort | diff - installed
    run find tree ! -type d -o -name 'port*'
    assert_output ''
    [[ -d tree/usr/local/bin ]]
}

@test "make install into ~/.local brings the pytest plugin to where the user's python3 looks, and uninstall removes it" {
    finds_plugin() {
        /usr/bin/python3 -B -c 'import importlib.metadata as m; print(m.version("portshim-pytest"))'
    }
    export HOME=$PWD/home
    unset PYTHONUSERBASE
    quietly install PREFIX="$HOME/.local"
    run -0 finds_plugin
    assert_output "$(sed -n 's/^VERSION = //p' "$ROOT/Makefile")"
    quietly uninstall PREFIX="$HOME/.local"
    run find home ! -type d
    assert_output ''
}

@test "make install replaces what an older one has installed, for all to read, and no link is written through" {
    (umask 077 && quietly install DESTDIR="$PWD/tree")
    run find tree/usr ! -type l ! -perm -0444 -o -type d ! -perm -0755
    assert_output ''
    echo theirs >file
    ln -sf "$PWD/file" tree/usr/local/bin/portshim
    quietly install DESTDIR="$PWD/tree"
    assert_equal "$(<file)" theirs
    cmp "$ROOT/build/portshim" tree/usr/local/bin/portshim
}
