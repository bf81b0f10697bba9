# A .portshim at the root of a git worktree serves all directories in it, and all worktrees that have a copy of it: its
# name may hold the directory (%d) and the branch (%b).
load helper

setup() {
    cd "$(test_dir)"
    HERE=$PWD
    mkdir home
    export HOME=$PWD/home
}

# in_force OPTION...: what -c prints, without its lines about the host.
in_force() {
    portshim run -c "$@" | grep -v '^# [a-z ]*: '
}

# is_found LINE...: the settings of the working directory begin with these lines.
is_found() {
    assert_equal "$(in_force | head -n $#)" "$(printf '%s\n' "$@")"
}

# found_nothing: there is no .portshim for the working directory.
found_nothing() {
    fails_with 'no ports are given' portshim run -c
}

# name_of PATTERN [DIRECTORY]: prints the name that this setting means there.
name_of() {
    printf 'ports 8080\nname %s\n' "$1" >"${2:-.}/.portshim"
    (cd "${2:-.}" && in_force) | sed -n 's/^name \(.*\)  # .*/\1/p'
}

# on_branch NAME [GIT_DIRECTORY]: HEAD is at this branch.
on_branch() {
    mkdir -p "${2:-.git}"
    echo "ref: refs/heads/$1" >"${2:-.git}/HEAD"
}

@test "the nearest .portshim counts, from the working directory up to the root of the worktree" {
    mkdir -p web/.git web/a/b/c web/none
    echo 'ports 1' >web/.portshim
    printf '#\nports 2\n' >web/a/.portshim
    cd web
    is_found 'ports 1  # .portshim, line 1'
    cd none
    is_found "ports 1  # $HERE/web/.portshim, line 1"
    cd ../a/b/c
    is_found "ports 2  # $HERE/web/a/.portshim, line 2"
    ln -s "$PWD" "$HERE/link"
    cd "$HERE/link" # what is above is above the real directory
    is_found "ports 2  # $HERE/web/a/.portshim, line 2"
    echo frob >"$HERE/web/a/.portshim"
    fails_with "$HERE/web/a/.portshim, line 1: \"frob\": no such setting" portshim run -- true
}

@test "it is not looked for above the root, nor above the directory where there is no worktree" {
    mkdir -p outer/.git outer/inner/a outer/loose/a loose/a
    echo 'ports 1' | tee .portshim >outer/.portshim
    echo 'gitdir: elsewhere' >outer/inner/.git
    (cd outer/inner/a && found_nothing)
    (cd outer/loose/a && is_found "ports 1  # $HERE/outer/.portshim, line 1")
    (cd loose/a && found_nothing)
    (cd loose && found_nothing)
}

@test "it is not looked for above HOME, which may be a worktree itself" {
    mkdir -p .git home/web/a
    echo 'ports 1' >.portshim
    (cd home/web/a && found_nothing)
    HOME=$PWD/nowhere
    (cd home/web/a && is_found "ports 1  # $HERE/.portshim, line 1")
    HOME=$PWD/home
    mkdir home/.git
    echo 'ports 2' >home/.portshim
    (cd home/web/a && is_found "ports 2  # $HOME/.portshim, line 1")
}

@test "it is not looked for on another file system" {
    as_root || skip 'only root can mount another file system'
    mkdir -p .git mounted
    echo 'ports 1' >.portshim
    run unshare -m sh -c 'mount -t tmpfs none mounted && mkdir mounted/a && cd mounted/a && portshim run -c'
    [[ $output != *'not permitted'* && $output != *denied* ]] || skip "no mount here: $output"
    assert_output --partial 'no ports are given'
}

@test "one above that is another user's, or that everybody may write, is not read, which is said" {
    mkdir -p .git a/b
    echo 'ports 1' >.portshim
    echo 'ports 2' >a/.portshim
    chmod 666 a/.portshim
    cd a/b
    run -0 --separate-stderr portshim run -p 80 -- true
    assert_equal "$stderr" "portshim: warning: $HERE/a/.portshim is not read: everybody may write it: chmod o-w $HERE/a/.portshim"
    run -125 portshim run -q -- true # nor is the next one
    assert_output --partial 'no ports are given'
    as_root || skip 'only root can give a file away'
    chmod 644 ../.portshim
    chown nobody ../.portshim
    run -0 --separate-stderr portshim run -p 80 -- true
    assert_equal "$stderr" "portshim: warning: $HERE/a/.portshim is not read: it is another user's: own it, use -f FILE, or remove it"
}

@test "%d in a name is the directory of the file, %b its branch, in .portshim and in -f's file" {
    mkdir -p web/a/b
    cd web
    on_branch main
    assert_equal "$(name_of '%d-%b')" web-main
    assert_equal "$(name_of 'x-%b.%d_%b')" x-main.web_main
    assert_equal "$(cd a/b && in_force | sed -n 2p)" "name x-main.web_main  # $HERE/web/.portshim, line 2"
    printf 'ports 1\nname %%d-%%b\n' >a/settings
    assert_equal "$(in_force -f a/settings | sed -n 2p)" 'name a-main  # a/settings, line 2'
    assert_equal "$(cd a && in_force -f settings | sed -n 2p)" 'name a-main  # settings, line 2'
    assert_equal "$(in_force -p 1 -n plain | sed -n 2p)" 'name plain  # option'
    fails_with 'run name "%d": not a name' portshim run -p 1 -n %d -- true
}

@test "a % before anything else is refused with its line" {
    local name
    for name in % %% %x 'a%' '%d%' '%B'; do
        printf 'ports 1\nname %s\n' "$name" >.portshim
        fails_with ".portshim, line 2: \"name $name\": % is followed by neither d nor b" portshim run -- true
    done
    mkdir ___
    printf 'ports 1\nname %%d\n' >___/.portshim
    cd ___
    fails_with '.portshim, line 2: "name %d": no letter or digit' portshim run -- true
    run -0 portshim run -n other -- true
}

@test "what a name cannot have is mapped, and a long one is cut" {
    mkdir -p 'my web (ä)' .config "$(printf 'd%.0s' {1..100})" 'b=c'
    on_branch 'feature/ünder_%d.x'
    assert_equal "$(name_of %b)" 'feature--nder_-d.x'
    assert_equal "$(name_of %d 'my web (ä)')" my-web----
    assert_equal "$(name_of %d .config)" config
    assert_equal "$(name_of %d b=c)" b-c
    assert_equal "$(name_of 'x%d-%b' ddd*)" "x$(printf 'd%.0s' {1..63})"
}

@test "the branch is read from HEAD as git has it in worktrees, submodules, detached, and in old repositories" {
    local id=0123456789abcdef0123456789abcdef01234567
    on_branch main
    assert_equal "$(name_of %b)" main
    echo "$id" >.git/HEAD
    assert_equal "$(name_of %b)" 0123456
    echo "${id}89abcdef0123456789abcdef" >.git/HEAD # sha256
    assert_equal "$(name_of %b)" 0123456
    rm .git/HEAD
    ln -s refs/heads/linked .git/HEAD # the branch need not have a commit
    assert_equal "$(name_of %b)" linked
    mkdir -p tree module
    on_branch side/tree .git/worktrees/tree
    echo "gitdir: $PWD/.git/worktrees/tree" >tree/.git
    assert_equal "$(name_of %b tree)" side-tree
    on_branch sub .git/modules/module
    printf 'gitdir: ../.git/modules/module' >module/.git
    assert_equal "$(name_of %b module)" sub
    mv .git real
    ln -s real .git
    assert_equal "$(name_of %b)" linked
}

@test "a branch that cannot be read is called nobranch, whatever is in the place of git's files" {
    local head
    assert_equal "$(name_of x-%b)" x-nobranch # no worktree
    mkdir .git
    assert_equal "$(name_of x-%b)" x-nobranch
    # Tables of references, a reference that is no branch, a commit that is none, nothing, an endless one.
    for head in 'ref: refs/heads/.invalid' 'ref: refs/remotes/origin/main' 0123 \
        0123456789abcdef0123456789abcdef0123456g '' 'ref: refs/heads/' "ref: refs/heads/$(printf 'x%.0s' {1..5000})"; do
        printf %s "$head" >.git/HEAD
        assert_equal "$head: $(name_of x-%b)" "$head: x-nobranch"
    done
    rm .git/HEAD
    mkfifo .git/HEAD
    assert_equal "$(timeout 60 bash -c "$(declare -f name_of in_force); name_of x-%b")" x-nobranch
    rm -r .git
    echo 'gitdir: nowhere' >.git
    assert_equal "$(name_of x-%b)" x-nobranch
    echo 'not git' >.git
    assert_equal "$(name_of x-%b)" x-nobranch
}

@test "git itself makes what is read: two worktrees with one committed file" {
    type -P git >/dev/null || skip 'git is not installed'
    mkdir repo
    cd repo
    git init -q
    git symbolic-ref HEAD refs/heads/trunk
    printf 'ports 8080\nname %%d-%%b\n' >.portshim
    git add .portshim
    git -c user.name=x -c user.email=x@localhost commit -qm x
    git worktree add -q -b fix/it ../other
    mkdir sub
    assert_equal "$(cd sub && in_force | sed -n 2p)" "name repo-trunk  # $PWD/.portshim, line 2"
    assert_equal "$(cd ../other && in_force | sed -n 2p)" 'name other-fix-it  # .portshim, line 2'
    git -C ../other checkout -q --detach
    assert_equal "$(cd ../other && in_force | sed -n 2p)" "name other-$(git rev-parse HEAD | head -c 7)  # .portshim, line 2"
}

# names: prints the names of the living runs.
names() {
    portshim ls --json | jq -r '.runs[].name' | sort | paste -sd ' '
}

has_names() {
    [[ $(names) == "$*" ]]
}

@test "a name from .portshim that a living run has gets a number, one from -n or -f is refused" {
    export PORTSHIM_HOME=$PWD/own
    mkdir -m 700 own
    printf 'ports 8080\nname web\n' >.portshim
    start first portshim run -- sleep infinity
    within 10 portshim port web 8080
    start second portshim run -v -m second.env -- sleep infinity
    local second=$pid
    within 10 portshim port web-2 8080
    within 10 grep -qE '^portshim: run .*, name web-2$' second.err # after its map file
    assert_equal "$(portshim env web-2 | head -n 1)" "$(grep PORTSHIM_RUN second.env)"
    start third portshim run -- sleep infinity
    within 10 has_names web web-2 web-3
    fails_with 'run name "web": the name belongs to a living run' portshim run -n web -- true
    fails_with 'run name "web": the name belongs to a living run' portshim run -f .portshim -- true
    stop "$second" # its number is free again
    start fourth portshim run -- sleep infinity
    within 10 has_names web web-2 web-3
    run -0 portshim run -v -- true
    assert_line --partial ', name web-4'
}

@test "runs that start at once with one .portshim get different names, and leave none" {
    export PORTSHIM_HOME=$PWD/own
    mkdir -m 700 own
    printf 'ports 8080\nname %s\n' "$(printf 'w%.0s' {1..64})" >.portshim
    # Each with a stderr of its own: a line is not always one write.
    # shellcheck disable=SC2016 # the shells expand it
    seq 6 | xargs -P 6 -I{} sh -c 'exec portshim run -m {}.env -v -- sh -c "$1" 2>{}.told' sh \
        'echo >>there; while [ "$(wc -l <there)" -lt 6 ]; do sleep 0.02; done'
    cat ./*.told | grep -o 'name w.*' | sort >got
    { printf 'name %s\n' "$(printf 'w%.0s' {1..64})" && printf "name $(printf 'w%.0s' {1..62})-%s\n" 2 3 4 5 6; } | sort | diff - got
    nothing_left() {
        portshim run -p 1 -n last -- true && [[ $(ls own/names) == last ]]
    }
    within 20 nothing_left
}
