# portshim env prints a run's ports as assignments.
load helper

setup() {
    cd "$(test_dir)"
    own_pool 20
}

start_keeper() {
    start keeper portshim run -p 80-81,443/tcp,53/udp -n web -m m.json -m m.env -- sleep infinity
    within 5 test -e m.env
}

@test "a run's ports and its directory are printed as assignments, as in a map file" {
    start_keeper
    for run in web m.json m.env "$(jq -r .run m.json)"; do
        portshim env "$run" | diff <(sed 1d m.env) -
    done
}

@test "what is printed means the same to every shell" {
    start_keeper
    {
        jq -r .run m.json
        portshim port web 80
    } >expected
    for shell in sh bash dash 'busybox sh' zsh ksh; do
        type -P "${shell% *}" || { echo "# ${shell% *} is not installed" >&3 && continue; }
        # shellcheck disable=SC2016,SC2086 # expanded inside; two words
        $shell -c 'set -efu; IFS=0/=; eval "$(portshim env web)"; printf "%s\n" "$PORTSHIM_RUN" "$PORTSHIM_PORT_80"' |
            diff expected -
    done
    refute grep -qvE '^PORTSHIM_[A-Z0-9_]+=[-A-Za-z0-9_./+]+$' <(sed 1d m.env)
}

@test "a home whose name a shell would change is refused, so that no assignment needs quotes" {
    # shellcheck disable=SC2016 # as it is
    for home in 'a b' "a'b" 'a$b' $'a\nb'; do
        PORTSHIM_HOME=$PWD/$home fails_with 'can be in the path' portshim env web
    done
}

@test "what a program has bound meanwhile is printed as well" {
    start server portshim run -p all -n late -m late.env -- /usr/bin/python3 -c '
import signal, socket
s = socket.create_server(("127.0.0.1", 8080))
signal.pause()'
    real late 8080
    assert_equal "$(portshim env late | sed -n 's/^PORTSHIM_PORT_8080=//p')" "$(portshim port late 8080)"
    portshim env late | diff <(sed 1d late.env) -
}

@test "a run that is not there, or has ended, is said, and nothing is printed" {
    run -125 --separate-stderr portshim env nobody
    assert_equal "$output$stderr" 'portshim: run nobody: no such run: name a living run, its directory or its map file'
    start_keeper
    stop "$pid"
    run -125 --separate-stderr portshim env m.json
    assert_equal "$output$stderr" \
        'portshim: run m.json: the run has ended: name a living run, its directory or its map file'
}

@test "env takes one run" {
    run -125 portshim env one two
    assert_output --partial 'bad port specification "two"'
}

@test "env that cannot write says so" {
    start_keeper
    run -125 bash -c 'portshim env web >&-'
    assert_output 'portshim: standard output: cannot write: give it an open stdout'
}

@test "the command has variables for the 100 lowest placeholders, and portshim env prints those of all" {
    own_pool 130
    start keeper portshim run -p 300/udp,2000-2118 -n many -m many.env -- sh -c 'printenv >all; mv all variables; exec sleep infinity'
    within 5 test -e variables
    portshim env many | diff <(sed 1d many.env) -
    assert_equal "$(grep -c ^PORTSHIM_PORT_ many.env)" 120
    diff <(grep ^PORTSHIM_PORT_ many.env | head -n 100) <(grep ^PORTSHIM_PORT_ variables | sort -t _ -k 3n)
}

@test "a variable of an outer run is not left for a placeholder that this run has for itself" {
    own_pool 150
    portshim run -p 300,2110 -- portshim run -p 2000-2110 -- printenv >both
    assert_equal "$(grep -c ^PORTSHIM_PORT_ both)" 100
    grep -q ^PORTSHIM_PORT_300= both
    refute grep ^PORTSHIM_PORT_2110= both
    portshim run -p 300 -- portshim run -p all -- printenv >late
    refute grep ^PORTSHIM_PORT_300= late
    # It is not a variable of ours.
    PORTSHIM_PORT_=1 PORTSHIM_PORT_300x=2 portshim run -p 300 -- printenv PORTSHIM_PORT_ PORTSHIM_PORT_300x
}
