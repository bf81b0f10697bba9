# A file may have settings for portshim run, in the words of its options. run -c prints which settings would be in force
# and where each comes from, and starts nothing.
# shellcheck disable=SC2016 # expanded by the shells that are started
load helper

setup() {
    cd "$(test_dir)"
}

# placeholders OPTION...: prints the placeholders of a run with these options.
placeholders() {
    portshim run "$@" -- env | sed -n 's/^PORTSHIM_PORT_\([0-9]*\)=.*/\1/p' | sort -n | paste -sd ' '
}

# refused WORDS COMMAND...: it fails with 125 and one line with the words, and starts nothing.
refused() {
    fails_with "$@"
    [[ ! -e started ]]
}

# in_force OPTION...: what -c prints, without its lines about the host.
in_force() {
    portshim run -c "$@" | grep -v '^# [a-z ]*: '
}

@test "a .portshim in the working directory gives the ports and the name" {
    printf 'ports 8080\nname from-%s\n' $$ >.portshim
    start keeper portshim run -- sleep infinity
    within 10 portshim port from-$$ 8080
    assert_equal "$(placeholders -n other-$$)" 8080
}

@test "comments, empty lines, spaces, tabs, equals signs and DOS line ends are as they should be" {
    printf '# ports 1\n\n  ports 8080  # and 1\n\tports\t9000-9001/tcp\r\nports=53/udp, 80\nports !9001\n#\nname x-%s' $$ >.portshim
    assert_equal "$(placeholders)" '53 80 8080 9000'
    assert_equal "$(in_force -q | head -n 2)" "$(printf '%s\n' 'ports 8080,9000-9001/tcp,53/udp, 80,!9001  # .portshim, line 6' \
        "name x-$$  # .portshim, line 8")"
}

@test "with -f a file has any long option of a run" {
    printf '%s\n' 'ports 8080' "name words-$$" 'map m.json' 'map m.env' reveal require-bind strict >settings
    run portshim run -f settings -- true
    assert_equal "$status" 125
    assert_output --partial 'none of them was bound'
    jq -e '.ports[0].placeholder == 8080' m.json
    grep -q PORTSHIM_PORT_8080 m.env
    run -0 in_force -f settings
    assert_line 'strict  # settings, line 7'
    assert_line 'reveal  # settings, line 5'
    assert_line "map $PWD/m.json  # settings, line 4"
    assert_line '# no require-portserver  # default'
    echo require-portserver >>settings
    refused PORTSERVER_ADDRESS portshim run -f settings -- touch started
    PORTSERVER_ADDRESS=$PWD/none refused "$PWD/none" portshim run -f settings -- touch started
}

@test "an option is heard before -f's file, that before the environment, and that before a .portshim" {
    echo 'ports 1' >.portshim
    assert_equal "$(placeholders)" 1
    assert_equal "$(PORTSHIM_PORTS=2 placeholders)" 2
    echo 'ports 3' >settings
    assert_equal "$(PORTSHIM_PORTS=2 placeholders -f settings)" 3
    assert_equal "$(PORTSHIM_PORTS=2 placeholders -f settings -p 4 -p 5)" '4 5'
    assert_equal "$(PORTSHIM_PORTS='' placeholders)" 1
    echo "name named-$$" >settings
    assert_equal "$(PORTSHIM_PORTS=2 placeholders -f settings)" 2
}

@test "with -f a .portshim is not read" {
    echo 'frob' >.portshim
    echo 'ports 3' >settings
    assert_equal "$(placeholders -f settings)" 3
}

@test "a .portshim that was found may not do more than name ports and the run" {
    local word
    for word in 'map m.json' 'trap off' reveal require-bind require-portserver strict; do
        printf 'ports 8080\n%s\n' "$word" >.portshim
        refused ".portshim, line 2: \"$word\": a file that was found by itself may set ports, name and key only" \
            portshim run -- touch started
        [[ ! -e m.json ]]
    done
    printf 'ports 8080\nmap m.json\n' >.portshim
    run -0 portshim run -f .portshim -- true
    [[ -e m.json ]]
}

@test "a file that says what makes no sense is refused with its line" {
    local line
    for line in frob 'port 80' '-p 80' '--ports 80' 'PORTS 80' 'join x' 'quiet' 'command true' ports 'ports ' 'name'; do
        printf '# first\n%s\n' "$line" >.portshim
        refused '.portshim, line 2: "' portshim run -p 80 -- touch started
        cp .portshim settings
        refused 'settings, line 2: "' portshim run -f settings -- touch started
    done
    printf 'ports 80\nstrict yes\n' >settings
    refused 'settings, line 2: "strict yes": it takes no value' portshim run -f settings -- touch started
    echo 'ports 80-20' >.portshim
    refused '"80-20"' portshim run -- touch started
    printf 'ports 80\nname a/b\n' >.portshim
    refused 'run name "a/b": not a name' portshim run -- touch started
}

@test "a file that is no text is refused" {
    head -c 70000 /dev/zero | tr '\0' '#' >settings
    refused 'settings: too long' portshim run -p 80 -f settings -- touch started
    printf 'ports 80\0\n' >settings
    refused 'settings: too long, or not a text' portshim run -p 80 -f settings -- touch started
    refused 'none: No such file' portshim run -p 80 -f none -- touch started
    refused '.: Is a directory' portshim run -p 80 -f . -- touch started
    cp settings .portshim
    refused '.portshim: too long, or not a text' portshim run -p 80 -- touch started
}

# foreign FILE: makes it another user's file.
foreign() {
    if as_root; then
        chown nobody "$1"
    else
        rm -f "$1"
        ln -s /etc/hostname "$1"
    fi
}

@test "another user's .portshim is not read, which is said" {
    echo 'ports 8080' >.portshim
    foreign .portshim
    run -0 --separate-stderr portshim run -p 80 -- true
    assert_equal "$stderr" "portshim: warning: .portshim is not read: it is another user's: own it, use -f FILE, or remove it"
    run -0 portshim run -q -p 80 -- true
    assert_output ''
    run portshim run -q -- touch started
    assert_equal "$status" 125
    assert_output --partial 'no ports are given'
}

# not_read WHY REMEDY: portshim run warns of .portshim in these words, and runs.
not_read() {
    run -0 --separate-stderr timeout 60 portshim run -p 80 -- true
    assert_equal "$stderr" "portshim: warning: .portshim is not read: $1: $2"
}

@test "a .portshim that everybody may write, or that is no file, is not read, and the warning says which" {
    echo 'ports 8080' >.portshim
    chmod 666 .portshim
    not_read 'everybody may write it' 'chmod o-w .portshim'
    chmod o-w .portshim
    run -0 portshim run -p 80 -- true
    assert_output ''
    rm .portshim
    mkfifo .portshim
    not_read 'it is not a regular file' 'use -f FILE, or remove it'
    rm .portshim
    mkdir .portshim
    not_read 'it is not a regular file' 'use -f FILE, or remove it'
    rmdir .portshim
    ln -s nowhere .portshim
    run -0 portshim run -p 80 -- true
    assert_output ''
}

@test "a .portshim that is another user's link to one's own file is not read" {
    as_root || skip 'only root can make a link for another user'
    echo 'ports 8080' >settings
    ln -s settings .portshim
    chown -h nobody .portshim
    not_read 'another user has made the link' 'use -f FILE, or remove it'
}

@test "a .portshim that the user's own group may write is read" {
    echo 'ports 8080' >.portshim
    chmod 664 .portshim
    assert_equal "$(placeholders)" 8080
}

@test "a .portshim is that of the working directory, not of one above, and none of who joins" {
    echo 'ports 8080' >.portshim
    mkdir below
    cd below
    refused 'no ports are given' portshim run -- touch started
    start keeper portshim run -p 80 -m m.json -- sleep infinity
    within 10 test -e m.json
    printf 'ports 81\nname other\n' >.portshim
    assert_equal "$(placeholders -j m.json)" 80
}

@test "-c says where each value comes from, and starts nothing" {
    own_pool 2
    mkdir -m 700 home
    printf 'ports 8080\nname web\n' >.portshim
    find . >before
    run -0 portshim run -c -- touch started
    assert_line 'ports 8080  # .portshim, line 1'
    assert_line 'name web  # .portshim, line 2'
    assert_line '# no strict  # default'
    assert_line "# pool: 2 ports  # PORTSHIM_POOL"
    assert_line "# home: $PWD/home  # PORTSHIM_HOME"
    assert_line "# library: $PORTSHIM_LIB  # PORTSHIM_LIB"
    assert_line '# port server: none  # default'
    PORTSHIM_PORTS=81 run -0 in_force -n other --strict -m m.json
    assert_line 'ports 81  # PORTSHIM_PORTS'
    assert_line 'name other  # option'
    assert_line "map $PWD/m.json  # option"
    assert_line 'strict  # option'
    PORTSERVER_ADDRESS=@nobody run -0 portshim run -c -p 80
    assert_line 'ports 80  # option'
    assert_line '# port server: @nobody  # PORTSERVER_ADDRESS'
    [[ ! -e started ]]
    find . ! -path './home/*' | diff before - # the home has been made
    [[ -z $(find home/runs home/names -mindepth 1) ]]
}

@test "what -c prints is a file for -f that means the same" {
    portshim run -c -p 8080,53/udp -p '!22' -n same -m m.json --reveal --strict >settings
    portshim run -c -f settings | sed 's/  # .*//' | diff <(sed 's/  # .*//' settings) -
}

@test "-c refuses what run refuses" {
    refused '"70000"' portshim run -c -p 70000
    refused 'no ports are given' portshim run -c -- touch started
    run -127 portshim run -c -p 80 -- ./no-such-command
    PORTSHIM_LIB=$PWD/none.so refused none.so portshim run -c -p 80 -- touch started
    PORTSHIM_POOL=x refused PORTSHIM_POOL portshim run -c -p 80 -- touch started
}

@test "-v says what will be rewritten before the command starts" {
    printf 'ports 8080,53/udp\n' >.portshim
    run -0 portshim run -v -- sh -c 'echo "command $PORTSHIM_PORT_8080 $PORTSHIM_PORT_53" >&2'
    assert_line --index 0 --regexp '^portshim: run /.*/runs/'
    assert_line --index 1 --regexp '^portshim: /.*/sh: wrapped by the library$'
    assert_line --index 2 --regexp '^portshim: 53/udp -> [0-9]+$'
    assert_line --index 3 --regexp '^portshim: 8080 -> [0-9]+$'
    assert_line --index 4 "command ${lines[3]##* } ${lines[2]##* }"
    run -0 portshim run -v -p all -- true
    assert_line 'portshim: others when they are first bound'
}
