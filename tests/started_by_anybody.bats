# A server that the library does not reach is wrapped whoever starts it, and is the process that its starter knows.
# shellcheck disable=SC2016 # expanded by the shells that are started
load helper

setup() {
    cd "$(test_dir)"
    cc -static -o server "$PROGRAMS/keeps_port.c"
    printf 'all:\n\t@echo $$$$ >pid; exec ./server 8080 >server.told\n' >Makefile
    printf 'serve:\n\t@$(MAKE) -s all\n' >deep.mk
    sed -i 's/\$(MAKE) -s all/$(MAKE) -s -f Makefile all/' deep.mk
}

# keeps_pid: skips the test where the kernel lets only ancestors look into a process: the pid is another one there.
keeps_pid() {
    local scope=0
    [[ ! -r /proc/sys/kernel/yama/ptrace_scope ]] || scope=$(</proc/sys/kernel/yama/ptrace_scope)
    as_root || ((scope == 0)) || skip "kernel.yama.ptrace_scope is $scope"
}

# serves COMMAND...: in a run, this starts a server at 8080 and writes its pid to the file `pid`. The server is wrapped,
# is that process, ends by a signal to it, and then nothing is left.
serves() {
    rm -f pid server.told m.json
    start starter portshim run -q -p 8080 -m m.json -- "$@"
    local starter=$pid port server
    port=$(real m.json 8080)
    assert_not_equal "$port" 8080
    within 5 test -s server.told
    within 5 test -s pid # the server may be there before its starter has written that
    read -r server _ seen <server.told
    assert_equal "$*: pid $(<pid), sees $seen" "$*: pid $server, sees 8080"
    assert_equal "$(portshim ls -q m.json 8080)" "$server"
    : <>"/dev/tcp/127.0.0.1/$port" # it takes the connection
    kill -TERM "$server"
    within 10 gone "$starter"
    within 5 nobody_in "$(jq -r .run m.json)"
    wait "$starter" || :
}

@test "a shell, in the background, in a subshell, by exec, in a pipeline" {
    keeps_pid
    for shell in dash bash; do
        serves "$shell" -c './server 8080 >server.told & echo $! >pid; wait'
        serves "$shell" -c 'echo $$ >pid; exec ./server 8080 >server.told'
        serves "$shell" -c '(./server 8080 & echo $! >pid; wait) | cat >server.told'
        serves "$shell" -c 'set -m; ./server 8080 >server.told & echo $! >pid; wait; :'
    done
}

@test "a program that becomes another: env, nice, nohup, setsid, stdbuf, xargs" {
    keeps_pid
    for words in env 'env -i' 'env -u LD_PRELOAD' 'nice -n 1' nohup setsid 'stdbuf -o0'; do
        serves sh -c "$words ./server 8080 >server.told 2>err & echo \$! >pid; wait"
    done
    serves sh -c 'echo 8080 | xargs sh -c '\''echo $$ >pid; exec ./server "$@" >server.told'\'' -'
    serves sh -c 'find server -exec sh -c '\''echo $$ >pid; exec ./server 8080 >server.told'\'' \;'
}

@test "a static server, one of musl, dynamic or not, and one of 32 bits" {
    keeps_pid
    local made=()
    musl-gcc -o server-musl "$PROGRAMS/keeps_port.c" && made+=(server-musl)
    musl-gcc -static -o server-musl-static "$PROGRAMS/keeps_port.c" && made+=(server-musl-static)
    gcc -m32 -o server-32 "$PROGRAMS/keeps_port.c" && made+=(server-32)
    gcc -m32 -static -o server-32-static "$PROGRAMS/keeps_port.c" && made+=(server-32-static)
    ((${#made[@]} > 0)) || skip 'there is neither musl-gcc nor gcc -m32'
    for server in "${made[@]}"; do
        for option in auto on; do
            PORTSHIM_TRAP=$option serves sh -c "./$server 8080 >server.told & echo \$! >pid; wait"
        done
    done
}

@test "make, also one below another" {
    keeps_pid
    serves make -s
    serves make -s -f deep.mk
    serves sh -c 'make -s -f deep.mk; :'
}

@test "Python: subprocess by vfork and by posix_spawn, os.posix_spawn, os.spawn, os.system" {
    keeps_pid
    for how in 'subprocess.Popen(words, stdout=out).pid' 'subprocess.Popen(words, stdout=out, close_fds=False).pid' \
        'subprocess.Popen(words, stdout=out, start_new_session=True).pid' \
        'subprocess.Popen(words, stdout=out, preexec_fn=lambda: None).pid' \
        'subprocess.Popen(words, stdout=out, env={}, cwd="/").pid' \
        'os.posix_spawn(words[0], words, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, out.fileno(), 1)])' \
        'os.posix_spawnp(words[0], words, {}, setsid=True, file_actions=[(os.POSIX_SPAWN_DUP2, out.fileno(), 1)])' \
        'os.dup2(out.fileno(), 1) and os.spawnv(os.P_NOWAIT, words[0], words)'; do
        serves /usr/bin/python3 -c "
import os, subprocess
words = [os.path.abspath('server'), '8080']
with open('server.told', 'w') as out:
    pid = $how
with open('pid', 'w') as file:
    print(pid, file=file)
os.waitpid(pid, 0)"
    done
    serves /usr/bin/python3 -c 'import os; os.system("echo $$ >pid; exec ./server 8080 >server.told")'
}

@test "node: spawn, exec and spawnSync, attached and detached" {
    keeps_pid
    type -P node >/dev/null || skip 'node is not installed'
    for options in '' 'detached: true'; do
        serves node -e "
const child_process = require('child_process'), fs = require('fs')
const out = fs.openSync('server.told', 'w')
const child = child_process.spawn('./server', ['8080'], { stdio: ['ignore', out, 'inherit'], $options })
fs.writeFileSync('pid', child.pid + '\n')"
    done
    serves node -e "require('child_process').exec('echo \$\$ >pid; exec ./server 8080 >server.told')"
    serves node -e "require('child_process').spawnSync('sh', ['-c', 'echo \$\$ >pid; exec ./server 8080 >server.told'])"
}

@test "Perl: system, exec, a pipe" {
    keeps_pid
    serves perl -e 'open my $f, ">", "pid"; print $f "$$\n"; close $f; open STDOUT, ">", "server.told";
        exec "./server", "8080"'
    serves perl -e 'my $pid = open my $out, "-|", "./server", "8080"; open my $f, ">", "pid"; print $f "$pid\n"; close $f;
        open my $told, ">", "server.told"; print $told scalar <$out>; close $told; waitpid $pid, 0'
    serves perl -e 'system "echo \$\$ >pid; exec ./server 8080 >server.told"'
}

@test "timeout and start-stop-daemon end it as they do outside of a run" {
    start starter portshim run -q -p 8080 -m m.json -- sh -c 'timeout 600 ./server 8080 & echo $! >pid; wait $!; echo $? >status'
    real m.json 8080
    within 5 test -s pid
    kill "$(<pid)"
    within 10 test -s status
    start bare timeout 600 sh -c ': >bare_runs; exec sleep infinity'
    within 10 test -e bare_runs
    stop "$pid"
    assert_equal "$(<status)" "$status"
    within 5 nobody_in "$(jq -r .run m.json)"
    type -P start-stop-daemon >/dev/null || skip 'start-stop-daemon is not installed'
    rm m.json
    start starter portshim run -q -p 8080 -m m.json -- start-stop-daemon --start --background --make-pidfile --pidfile "$PWD/pid" \
        --exec "$PWD/server" -- 8080
    real m.json 8080
    assert_equal "$(portshim ls -q m.json 8080)" "$(cat pid)"
    start-stop-daemon --stop --pidfile "$PWD/pid" --exec "$PWD/server" --retry 60
    within 5 nobody_in "$(jq -r .run m.json)"
}
