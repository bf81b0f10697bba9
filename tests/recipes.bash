# The blocks of docs/recipes.md, and what they are run on.

# block MARK [NUMBER]: prints the NUMBERth (1) block that follows the line <!-- MARK -->.
block() {
    awk -v mark="<!-- $1 -->" -v wanted="${2-1}" '
        $0 == mark { found = ++count == wanted }
        /^```$/ && open { exit }
        open
        found && /^```[a-z]+$/ { open = 1 }' "$ROOT/docs/recipes.md" >block.text
    [[ -s block.text ]] || fail "docs/recipes.md has no block <!-- $1 --> ${2-1}"
    cat block.text
}

# as_script MARK [NUMBER]: runs the block as a person's script.
as_script() {
    block "$@" >recipe
    run -0 bash -euo pipefail recipe 3>&-
}

# eight_jobs: a program ./job N that serves on port 8080, and ends when eight of them serve at the same time, and a
# Makefile of eight such jobs.
eight_jobs() {
    cp "$PROGRAMS/one_of_eight.py" job
    # shellcheck disable=SC2016 # make expands it
    printf 'all: 1 2 3 4 5 6 7 8\n1 2 3 4 5 6 7 8:\n\t./job $@\n' >Makefile
}

# all_eight: they did serve at the same time; forgets that.
all_eight() {
    run -0 find serving -type f
    assert_equal "${#lines[@]}" 8
    rm -r serving
}
