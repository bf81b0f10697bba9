# A mistake is answered with what was meant: the word, the option, the line to write, or why a program did not start.
load helper

setup() {
    cd "$(test_dir)"
    unset POSIXLY_CORRECT
    PATH=$BUILD:/usr/bin:/bin # a user may look into all of them
}

# says LINE COMMAND...: portshim fails with this line alone, which "portshim: " stands before.
says() {
    ends_with 125 "$@"
    assert_equal "$stderr" "portshim: $1"
}

# cannot STATUS LINE COMMAND...: portshim run ends with the status and this line, as the command was not started.
cannot() {
    local line=$2
    ends_with "$1" "$line" portshim run -p 80 -- "${@:3}"
    assert_equal "$stderr" "portshim: $line"
}

# script NAME LINE...: an executable file of these lines.
script() {
    printf '%s\n' "${@:2}" >"$1"
    chmod +x "$1"
}

@test "a word that is no command names the one that is meant" {
    says 'rnu: no such command: did you mean portshim run?' portshim rnu -p 8080 ./x
    says 'RUN: no such command: did you mean portshim run?' portshim RUN
    says 'wiat: no such command: did you mean portshim wait?' portshim wiat web 8080
    says 'list: no such command: did you mean portshim ls?' portshim list
    says 'stpo: no such command: did you mean portshim stop?' portshim stpo web
    says 'status: no such command: did you mean portshim ls?' portshim status web
    says 'ps: no such command: did you mean portshim ls? To run that program, write portshim run -p PORTS -- ps' \
        portshim ps
    says 'frobnicate: no such command: see portshim --help' portshim frobnicate
    says ': no such command: see portshim --help' portshim ''
}

@test "a program without run is answered with the line that runs it" {
    says './server: no such command: to run that program, write portshim run -p PORTS -- ./server -x' \
        portshim ./server -x
    says 'python3: no such command: to run that program, write portshim run -p PORTS -- python3 -c '\''a b'\' \
        portshim python3 -c 'a b'
    says '-p: no command stands before it: did you mean portshim run -p 5000 ./x' portshim -p 5000 ./x
    says '--port=80: no command stands before it: did you mean portshim run --port=80 ./x' portshim --port=80 ./x
    says '--versoin: unknown option: did you mean --version?' portshim --versoin
    says '-v: unknown option: did you mean --version?' portshim -v
    says '--frob: no command stands before it: see portshim --help' portshim --frob
}

@test "an option that is unknown, ambiguous, or has too little or too much, says which" {
    says '--prots: unknown option: did you mean --ports?' portshim run --prots 8080 ./x
    says '--tiemout: unknown option: did you mean --timeout?' portshim wait --tiemout 5 web 8080
    says '-P: unknown option: did you mean -p?' portshim run -P 8080 ./x
    says '-x: unknown option: see portshim run --help' portshim run -x
    says '--frob: unknown option: see portshim run --help' portshim run --frob
    says '--re: it may be --reveal, --require-bind, --require-portserver: write more of it' portshim run --re
    says '-p: its argument is missing: see portshim run --help' portshim run -p
    says '--ports: its argument is missing: see portshim run --help' portshim run --ports
    says '--json=x: it takes no argument: leave out what stands behind the name' portshim ls --json=x
    says '-name: unknown option: did you mean --name?' portshim run -name web -p 80 true
    says '-json: unknown option: did you mean --json?' portshim ls -json
    says '-p=80: behind one letter no = is written: leave it out' portshim run -p=80 true
    run -0 portshim run -q --port 80 --nam web -- true # an abbreviation is none of these
}

@test "options behind operands are answered with the line to write" {
    says '-t: options stand before everything else: write portshim wait -t 5 web 8080' portshim wait web 8080 -t 5
    says '--json: options stand before everything else: write portshim wait -t5 --json web 8080' \
        portshim wait -t5 web --json 8080
    says '-n: options stand before everything else: write portshim pick -n 2 1' portshim pick 1 -n 2
    says '-t: its argument is missing: see portshim wait --help' portshim wait web 8080 -t
    says '--tiemout: unknown option: did you mean --timeout?' portshim wait web 8080 --tiemout 5
    run -0 portshim port web 8080 --help
    assert_output --partial 'usage: portshim port'
    fails_with 'bad port specification "-t"' portshim wait -- web -t
}

@test "an option of portshim behind the command of run is shown in its place, where ports are missing" {
    local stand='run: no ports are given: options of portshim stand before the command: portshim run'
    says "$stand -p 8080 -- ./server" portshim run ./server -p 8080
    says "$stand -n web -p 8080-8090 -- ./server -v" portshim run -n web -- ./server --ports=8080-8090 -v
    says "$stand -p 8080 -- ./server a" portshim run 8080 ./server a
    says "$stand -p 8080 -- ./server a" portshim run 8080 -- ./server a
    says 'run: no ports are given: name placeholders with -p, such as -p 8080' portshim run ./server -psecret
    run -0 portshim run -q -p 80 -- echo -p 8080
    assert_output -- '-p 8080'
}

@test "a word in a file of settings that is no setting names the one that is meant" {
    echo 'prots 8080' >prots
    echo '--port 8080' >dashes
    echo 'frobnicate' >far
    echo '-- 8080' >none
    says 'prots, line 1: "prots": no such setting: did you mean ports?' portshim run -f prots true
    says 'dashes, line 1: "--port": no such setting: did you mean ports?' portshim run -f dashes true
    local write='write a long option of portshim run, such as: ports 8080'
    says "far, line 1: \"frobnicate\": no such setting: $write" portshim run -f far true
    says "none, line 1: \"--\": no such setting: $write" portshim run -f none true
}

@test "help prints what --help prints, and version what --version prints" {
    local count=0
    diff <(portshim help) <(portshim --help)
    while read -r command; do
        diff <(portshim help "$command") <(portshim "$command" --help)
        portshim help "$command" | grep -q "^usage: portshim $command"
        ((++count))
    done < <(portshim --help | sed -n 's/^  portshim \([a-z]*\) .*/\1/p')
    ((count > 10))
    diff <(portshim version) <(portshim --version)
    says 'wiat: no such command: did you mean portshim wait?' portshim help wiat
    says 'command ls: more than one is given: name one' portshim help run ls
    says 'x: too many arguments: see portshim version --help' portshim version x
    run bash -c 'portshim help >/dev/full'
    assert_equal "$status: $output" '125: portshim: standard output: cannot write: give it an open stdout'
}

@test "a word that is no program says what it is" {
    script here '#!/bin/sh'
    cannot 127 'no-such: not found in PATH: check its name and PATH' no-such
    cannot 127 'here: it is in the working directory, which is not in PATH: write ./here' here
    cannot 127 "cd: a word of the shell, not a program: write sh -c 'cd ...'" cd /tmp
    cannot 127 "export: a word of the shell, not a program: write sh -c 'export ...'" export X=1
    cannot 127 "ulimit: a word of the shell, not a program: write sh -c 'ulimit ...'" ulimit -n 100
    cannot 127 "source: a word of the shell, not a program: write bash -c 'source ...'" source ./env
    cannot 127 'X=1: an assignment of the shell, not a program: write env before it' X=1 ./here
    local whole='a whole command line in one word: leave out the quotes, or write sh -c before them'
    cannot 127 "python3 -m http.server: $whole" 'python3 -m http.server'
    cannot 127 "./here && true: $whole" './here && true'
    cannot 127 "cd x; ./here: $whole" 'cd x; ./here'
    cannot 127 'a name: not found in PATH: check its name and PATH' 'a name'
    cannot 127 '8080: not found in PATH: write -p before ports: portshim run -p 8080 COMMAND' 8080 ./here
    # shellcheck disable=SC2016,SC2088 # it is to stay as it is
    cannot 127 '~/here: a shell has left ~ as it is: write it without quotes, or $HOME' '~/here'
    cannot 127 '–q: its dash is not the one of options: type - instead' –q ./here
    cannot 127 ': the name is empty: name a program' ''
    ends_with 127 'here: not found, and PATH is not set: set PATH, or name its directory' \
        env -u PATH -C / "$BUILD/portshim" run -p 80 here
}

@test "a file that cannot be executed says why" {
    ln -s nowhere dangling
    echo 'no program' >text
    mkdir -m 755 directory
    mkfifo pipe
    cannot 127 './none: No such file or directory: check its path' ./none
    cannot 127 './dangling: a link to a file that is missing: make the link anew' ./dangling
    cannot 126 './text: it is not executable: chmod +x ./text' ./text
    cannot 126 './directory: it is a directory: name a program' ./directory
    cannot 126 './pipe: it is not a regular file: name a program' ./pipe
    cannot 126 './text/x: Not a directory: check its path' ./text/x
    PATH=$PATH:$PWD cannot 126 "text: $PWD/text: it is not executable: chmod +x $PWD/text" text
    PATH=$PATH:$PWD cannot 126 "directory: $PWD/directory: it is a directory: name a program" directory
}

@test "a script without its interpreter and a program for another machine say so" {
    script no_interpreter '#!/no/such -u'
    script by_script "#!./no_interpreter"
    script dos $'#!/bin/sh\r' $'true\r'
    script nameless '#!'
    local missing='its interpreter /no/such: No such file or directory: install that interpreter, or write another after #!'
    cannot 127 "./no_interpreter: $missing" ./no_interpreter
    cannot 127 "./by_script: $missing" ./by_script
    cannot 126 './nameless: it names no interpreter behind #!: write one, such as /bin/sh' ./nameless
    ends_with 127 './dos: the first line ends in a carriage return' portshim run -p 80 -- ./dos
    printf 'MZ\0\0' >program.exe
    head -c 100 /dev/zero >zeroes
    cp "$(type -P true)" elsewhere
    cp "$(type -P true)" other_libc
    chmod +x program.exe zeroes elsewhere other_libc
    printf '\377\177' | dd of=elsewhere bs=1 seek=18 conv=notrunc status=none
    LC_ALL=C sed -i 's|/lib\(64\)\?/ld-|/lib\1/no-|' other_libc
    cannot 126 './program.exe: a program for Windows: start it with wine' ./program.exe
    cannot 126 './zeroes: neither a program nor a script: name a program or a script' ./zeroes
    ends_with 126 'elsewhere: it is built for another kind of machine: build it for this one' \
        portshim run -q --trap=auto -p 80 -- ./elsewhere
    ends_with 127 'is missing: install the libc' portshim run -q -p 80 -- ./other_libc
    printf 'echo "no format"\n' >plain
    chmod +x plain
    run -0 portshim run -q -p 80 -- ./plain
    assert_output 'no format'
}

# unprivileged COMMAND...: runs it where ports below 1024 are root's, without the right to them.
unprivileged() {
    local namespace=-n
    as_root || namespace=-rn
    unshare "$namespace" setpriv --bounding-set=-net_bind_service --inh-caps=-net_bind_service -- "$@"
}

@test "privileged ports say that they are privileged" {
    unshare -rn true 2>/dev/null || as_root || skip 'this user may make no network namespace'
    mkdir -m 700 home
    export PORTSHIM_HOME=$PWD/home
    local remedy='be root, lower net.ipv4.ip_unprivileged_port_start, or'
    PORTSHIM_POOL=10 says "no real port for placeholder 80: the only port of PORTSHIM_POOL is privileged: $remedy list other ports" \
        unprivileged portshim run -p 80 -- true
    echo 10-12 >pool
    PORTSHIM_POOL='' PYSYS_PORTS_FILE=pool fails_with "every port of PYSYS_PORTS_FILE is privileged: $remedy list other ports" \
        unprivileged portshim pick
    PORTSHIM_POOL=1022-1024 fails_with "0 of them in TIME_WAIT, 2 are privileged: $remedy list other ports" \
        unprivileged portshim run -p 80-82 -- true
    PORTSHIM_POOL=1022-1024 run -0 unprivileged portshim run -p 80 -- true # one will do
    says "real port 81 for placeholder 80: it is privileged: $remedy name another" \
        unprivileged portshim run -p 80=81 -- true
}
