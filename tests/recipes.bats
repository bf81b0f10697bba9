# The recipes of docs/recipes.md for runners, eight jobs at once. tests/long/recipes.bats runs those that need more.
# shellcheck disable=SC2016,SC1091 # expanded by the shells that are started; a file that a step writes
load helper
load network
load recipes

setup() {
    unset MAKEFLAGS MAKELEVEL MFLAGS
    cd "$(test_dir)"
}

@test "make, xargs and parallel: each job is a run of its own" {
    eight_jobs
    make_namespace network # here 8080 may be another test's real port
    run ! "${in_network[@]}" make -s -j8 # without portshim
    assert_output --partial 'Address already in use'
    rm -rf serving
    for number in 1 2 3 4; do
        as_script eight "$number"
        all_eight
    done
    { block makefile && cat Makefile; } >with.mk
    run -0 make -s -j8 -f with.mk
    all_eight
}

@test "the steps of the workflow for GitHub Actions and of the pipeline for Jenkins" {
    eight_jobs
    printf 'test:\n\t./job $(OUT) 4\n' | sed 's/(OUT)/(subst .,,$(OUT))/' >Makefile
    sed -i 's/8080/9123/' job
    export RUNNER_TEMP=$PWD GITHUB_ENV=$PWD/environment
    block actions >workflow
    awk '/^        run: \|$/ { script = "step" ++n ".sh"; next } /^      - / { script = "" }
        script != "" { print substr($0, 11) >script }' workflow
    [[ -e step4.sh ]]
    for number in 1 2 3 4; do
        [[ $number != 3 ]] || { set -a && . ./environment && set +a; }
        run -0 bash -eo pipefail "step$number.sh" 3>&-
    done
    run ! portshim port web.env 8080
    unset "${!PORTSHIM_PORT_@}" PORTSHIM_RUN
    rm -r serving
    printf 'test:\n\t./job 1 1\n' >Makefile
    block jenkins | sed -n "s/.* sh '\(.*\)' }.*/\1/p" >jenkins.sh
    assert_equal "$(wc -l <jenkins.sh)" 2
    run -0 bash -e jenkins.sh
}

@test "the template unit for systemd, with a /tmp of its own" {
    as_root || skip 'only root makes mount namespaces'
    type -P systemd-analyze >/dev/null || skip 'systemd-analyze is not installed'
    block unit >web@.service
    sed "s|/usr/local/bin/portshim|$SUITE_DIR/portshim|" web@.service >verified@.service
    run -0 systemd-analyze verify --man=no "$PWD/verified@.service"
    refute_output --partial verified
    own_pool 20
    home=$(sed -n 's/^Environment=PORTSHIM_HOME=//p' web@.service)
    mkdir -p "run${home%/*}" && mkdir -m 711 "run$home"
    for instance in one two; do
        mkdir -p "run/run/web-$instance"
        sed -n 's/^ExecStart=//p' web@.service | sed "s|%i|$instance|; s|/usr/local/bin/||; s|/run/web|$PWD/run/run/web|" >start.sh
        # With a /tmp of its own, in which there is the suite's directory.
        start "$instance" unshare -m --propagation slave sh -ec 'mount --bind "$SUITE_DIR" /mnt; mount -t tmpfs none /tmp
            mkdir "$SUITE_DIR"; mount --bind /mnt "$SUITE_DIR"; cd "$PWD"; PORTSHIM_HOME=$1 exec sh -c "exec $(cat start.sh)"' \
            sh "$PWD/run$home"
        within 10 test -s "run/run/web-$instance/ports.env"
    done
    export PORTSHIM_HOME=$PWD/run$home
    first=$(portshim wait -t 60 run/run/web-one/ports.env 8080)
    assert_not_equal "$(portshim wait -t 60 run/run/web-two/ports.env 8080)" "$first"
}

@test "a port for a container that is published beside a wrapped server" {
    block compose >compose.yaml
    grep -qF 'DATABASE_PORT:-5432' compose.yaml
    printf '#!/bin/sh\necho "$DATABASE_URL"\n' >server
    printf '#!/bin/sh\necho "$DATABASE_PORT" >published\n' >docker
    chmod +x server docker
    block database >recipe
    PATH=$PWD:$PATH run -0 bash -eu recipe
    assert_output "postgres://localhost:$(<published)/"
}
