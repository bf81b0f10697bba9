# What the documentation says is true.
load helper

setup() {
    unset MAKEFLAGS MAKELEVEL MFLAGS
    cd "$(test_dir)"
}

teardown() {
    [[ ! -e daemon/redis.pid ]] || kill "$(cat daemon/redis.pid)" || :
    end_started
}

# subcommands: prints those that portshim --help lists.
subcommands() {
    portshim --help | sed -n 's/^  portshim \([a-z]*\) .*/\1/p'
}

# Both print the options of a subcommand, one a line, with their dashes: from its help, and from its manual page.
options_in_help() {
    portshim "$1" --help | sed -n 's/^ *\(-.*\)/\1/p' | sed 's/  .*//' |
        grep -oE -- '(^|[ ,])--?[a-z]+' | tr -d ' ,' | sort
}
options_in_page() {
    sed -n 's/^\.It Fl //p' "$ROOT/docs/portshim-$1.1" | grep -oE -- '(^|Fl )-?[a-z]+' | sed 's/^\(Fl \)\?/-/' | sort
}

@test "every subcommand but help and version has a manual page, and every page a subcommand" {
    subcommands | sort >commands
    [[ -s commands ]]
    for page in "$ROOT"/docs/portshim-*.1; do
        page=${page##*/portshim-}
        echo "${page%.1}"
    done | cat - <(printf '%s\n' help version) | sort | diff commands -
    sed -n 's/^\.It Cm \([a-z]*\).*/\1/p' "$ROOT/docs/portshim.1" | sort | diff commands -
}

@test "every option has its place in the help and in the manual page" {
    for command in $(subcommands | grep -vxE 'help|version'); do
        options_in_help "$command" >help
        grep -qx -e --help help
        options_in_page "$command" | diff help -
    done
}

@test "every variable that is read or set is in portshim(1)" {
    grep -rohE '"(PORTSHIM|PYSYS)(_[A-Z]+)*(_|=)?"' "$ROOT/portmap" "$ROOT/shim" |
        tr -d '"=' | sed 's/_$//' | grep -vx PORTSHIM_MULTIARCH | sort -u >variables
    grep -qx PORTSHIM_RUN variables
    while read -r variable; do
        grep -qE "\b${variable}_?\b" "$ROOT/docs/portshim.1" || fail "portshim(1) lacks $variable"
    done <variables
}

@test "the manual pages have no mistake that mandoc knows of" {
    type -P mandoc || skip "mandoc is not installed"
    for page in "$ROOT"/docs/*.[1-8]; do
        mandoc -T lint -W warning "$page"
    done
}

@test "all documents are of one version" {
    version=$(sed -n 's/^VERSION = //p' "$ROOT/Makefile")
    assert_equal "$(portshim --version)" "portshim $version"
    assert_equal "$(sed -n 's/^## \[\([^]]*\)\].*/\1/p' "$ROOT/CHANGELOG.md" | head -n 1)" "$version"
    for page in "$ROOT"/docs/*.[1-8]; do
        grep -qx ".Os portshim $version" "$page"
    done
}

@test "the README names five limits, and where all of them are" {
    sed -n '/^## What it cannot do/,/^## How/p' "$ROOT/README.md" >limits
    assert_equal "$(grep -c '^- ' limits)" 5
    grep -qF '(docs/limits.md)' limits
}

@test "the README is of at most 200 lines" {
    (($(wc -l <"$ROOT/README.md") <= 200))
}

@test "every file that the README and docs link to is there" {
    for document in "$ROOT"/README.md "$ROOT"/docs/*.md; do
        grep -oE '\]\([^):#]+\)' "$document" | tr -d ']()' >links || continue
        while read -r file; do
            [[ -e ${document%/*}/$file ]] || fail "$document: no $file"
        done <links
    done
}

# Writes each block of the README and of docs/recipes.md that follows "<!-- run -->" to a file: 1.sh, 2.sh and so on.
recipes() {
    awk '/^<!-- run -->$/ { name = ++n ".sh" }
         /^```$/ { open = 0; name = "" }
         open { print >name }
         /^```sh$/ && name != "" { open = 1 }' "$ROOT/README.md" "$ROOT/docs/recipes.md"
}

# Writes a suite for the README's recipes: servers and clients on three ports.
write_suite() {
    cat >suite.py <<'END'
import os, socket
for port in 9123, 9124, 9125:
    server = socket.create_server(("127.0.0.1", port))
    client = socket.create_connection(("127.0.0.1", port))
    server.accept()[0].sendall(str(os.getpid()).encode())
    assert client.recv(100) == str(os.getpid()).encode()
END
    # shellcheck disable=SC2016 # make expands it
    printf 'test:\n\tpython3 suite.py >$(OUT)\n' >Makefile
}

# keep_suite_ports: leases the suite's fixed ports, since one recipe binds them and no other test may get them: those of
# the suite's pool in its home, the others in the user's, where own_pool leases.
keep_suite_ports() {
    for port in 9123 9124 9125; do
        home=
        [[ ,$PORTSHIM_POOL, != *,$port,* ]] || home=$PORTSHIM_HOME
        within 60 keeps "$port"
    done
}

keeps() {
    start keeper env PORTSHIM_HOME="$home" portshim run -q -p "1=$1" -m "$1.env" -- sleep infinity
    within 5 has_decided "$pid" "$1.env"
    [[ -e $1.env ]]
}

has_decided() {
    [[ -e $2 ]] || gone "$1"
}

@test "the recipes in the README and in docs/recipes.md do what they say" {
    keep_suite_ports
    own_pool 30
    unset PORTSHIM_LIB # a reader does not have it
    recipes
    [[ -e 8.sh ]]
    for recipe in *.sh; do
        dir=${recipe%.sh}
        grep -q -e --daemonize "$recipe" && dir=daemon
        mkdir "$dir"
        sed -n 's/.*# prints: //p' "$recipe" >"$dir/expected"
        (cd "$dir" && write_suite)
        {
            echo "trap 'trap - EXIT; kill \$(jobs -p) 2>/dev/null || :; wait' EXIT"
            sed 's/ wait -t 10 / wait -t 70 /g' "$recipe" # a busy machine may need more
        } >"$dir/recipe"
        run bash -c 'cd "$1" && exec bash -euo pipefail recipe 3>&-' - "$dir"
        [[ $status == 0 ]] || fail "$(cat "$recipe")"$'\n'"ended with $status: $output"
        while read -r line; do
            assert_line "$line"
        done <"$dir/expected"
    done
}

@test "what make install puts into a tree works there" {
    unset PORTSHIM_LIB
    for libdir in lib lib/portshim "lib/$("${CC:-gcc}" -print-multiarch)"; do
        rm -rf tree
        make -s -C "$ROOT" install DESTDIR="$PWD/tree" PREFIX=/usr "LIBDIR=/usr/$libdir"
        run tree/usr/bin/portshim run -p 8080 -- printenv LD_PRELOAD
        assert_output "$PWD/tree/usr/$libdir/libportshim.so"
    done
    find tree -name '*.[1-8]' | sed 's|.*/||' | sort >installed
    (cd "$ROOT/docs" && printf '%s\n' *.[1-8]) | sort | diff - installed
    cmp tree/usr/share/portshim/ls.schema.json "$ROOT/docs/ls.schema.json"
    cmp tree/usr/share/doc/portshim/limits.md "$ROOT/docs/limits.md"
    run -0 env PATH="$PWD/tree/usr/bin:$PATH" portshim --version
    assert_output "portshim $(sed -n 's/^VERSION = //p' "$ROOT/Makefile")"
}
