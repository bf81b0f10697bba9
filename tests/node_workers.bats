# `node --test` with portshim's file for its workers, from the installed tree.
load helper

setup() {
    type -P node || skip 'node is not installed'
    [[ $(node --help) == *--test-concurrency* ]] || skip "node $(node --version) runs test files one after another"
    cd "$(test_dir)"
    make -s -C "$ROOT" install DESTDIR="$PWD/tree"
    unset PORTSHIM_LIB
    workers=$PWD/tree/usr/local/lib/node_modules/portshim/workers.js
    mkdir arrived suite
    export ARRIVED=$PWD/arrived
}

teardown() {
    end_started
}

# write_copies PORT: eight test files that all use this port.
write_copies() {
    for i in {1..8}; do
        echo "require('node:test')('copy $i', () => require('$PROGRAMS/eight/copy.js')('$i', $1));" >"suite/$i.test.js"
    done
}

@test "eight test files on one port fail, and pass as runs of their own" {
    load bare
    bare_ports 1
    write_copies "${bare_ports[0]}"
    export PORTSHIM_PORTS=${bare_ports[0]}
    run -1 node --test --test-concurrency 8 suite/*
    assert_line --regexp '(#|ℹ) fail 7$'
    assert_output --partial EADDRINUSE
    rm arrived/*
    run -0 node --require "$workers" --test --test-concurrency 8 suite/*
    assert_line --regexp '(#|ℹ) pass 8$'
}

@test "what a test file starts belongs to the run of that file" {
    cat >suite/one.test.js <<'END'
const { execFileSync, fork } = require('child_process');
const run = process.env.PORTSHIM_RUN;
const same = (found) => require('assert').equal(found, run);
require('node:test')('one', async () => {
    require('assert').match(run, /./);
    same(execFileSync(process.execPath, ['-p', 'process.env.PORTSHIM_RUN']).toString().trim());
    const child = fork(__dirname + '/child.js');
    same(await new Promise((resolve) => child.on('message', resolve)));
});
END
    echo 'process.send(process.env.PORTSHIM_RUN)' >suite/child.js
    echo 'ports 8080' >.portshim
    NODE_OPTIONS="--require \"$workers\"" run -0 node --test suite/one.test.js
}

@test "without ports the test files fail, and it is said why" {
    echo "require('node:test')('one', () => {});" >suite/one.test.js
    run -1 node --require "$workers" --test suite/one.test.js
    assert_output --partial 'portshim: run: no ports are given'
}

@test "test files that would run in the one process of node are refused, or node has no such option" {
    [[ ! $(node --help) =~ --(experimental-)?test-isolation ]] || isolation=${BASH_REMATCH[0]}
    echo "require('node:test')('one', () => {});" >suite/one.test.js
    run ! node --require "$workers" "${isolation:---test-isolation}=none" --test suite/one.test.js
    if [[ -z ${isolation-} ]]; then
        assert_output --partial 'bad option: --test-isolation'
    else
        assert_output --partial 'all test files run in this one process'
        run -0 portshim run -p 8080 -- node --require "$workers" "$isolation=none" --test suite/one.test.js
    fi
}
