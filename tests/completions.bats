# The completions of bash, zsh and fish offer what portshim has: commands, options, living runs and their placeholders,
# and behind the options of run what the command's own completion offers. Real shells are asked.
load helper

setup() {
    cd "$(test_dir)"
    export HOME=$PWD/user XDG_CONFIG_HOME=$PWD/user XDG_DATA_HOME=$PWD/user TERM=dumb
    mkdir user
    touch map.json
    # portshim has two seconds to answer, which is not what most tests here are about: a busy machine may need more.
    mkdir patient
    printf '#!/bin/sh\nshift\nexec "$@"\n' >patient/timeout
    chmod +x patient/timeout
    patient=$PWD/patient:
    PACKAGE=/usr/share/bash-completion/bash_completion
    [[ -e $PACKAGE ]] || PACKAGE=''
}

needs() {
    type -P "$1" >/dev/null || skip "$1 is not installed"
}

# ask SHELL LINE...: prints what the shell completes at the end of each line, sorted, in a line for each.
ask() {
    local shell=$1 file=portshim.$1
    shift
    [[ $shell != zsh ]] || file=
    PACKAGE=$PACKAGE timeout 200 env PATH="${patient-}$PATH" "$PROGRAMS/complete.$shell" "$ROOT/scripts/completions/$file" "$@" >answers
    local answer=() line
    while IFS= read -r line; do
        if [[ $line != -- ]]; then
            [[ -z $line ]] || answer+=("$line")
        else
            ((${#answer[@]} == 0)) || mapfile -t answer < <(printf '%s\n' "${answer[@]}" | sort -u)
            echo "${answer[*]}"
            answer=()
        fi
    done <answers
}

# check SHELL: compares what it offers.
check() {
    local commands command lines=() expected=()
    portshim --help | sed -n 's/^  portshim \([a-z]*\) .*/\1/p' | sort >commands
    mapfile -t commands <commands
    # Each line: what is typed up to a "|", then what is offered.
    while IFS='|' read -r line words; do
        lines+=("$line")
        expected+=("$words")
    done <<END
portshim |${commands[*]}
portshim wa|wait
portshim help d|doctor
portshim run --tr|--trap
portshim run --trap |auto off on
portshim pick --family |inet inet6
portshim run -p 80 -j |$run inner web
portshim wait -t 5 |$run inner web
portshim wait web |53/udp 7001 7002
portshim wait web 700|7001 7002
portshim ls -q $run 7|7003
portshim port $run |7003
portshim ls w|web
portshim stop web |$run inner web
portshim run -m ma|map.json
portshim frobnicate |
END
    for command in "${commands[@]}"; do
        lines+=("portshim $command --")
        expected+=("$(portshim "$command" --help | sed -nE 's/^ {2,6}(-., )?(--[a-z-]+).*/\2/p' | sort | paste -sd ' ')")
    done
    ask "$1" "${lines[@]}" >offered
    for ((i = 0; i < ${#lines[@]}; i++)); do
        printf '%s|%s\n' "${lines[i]}" "${expected[i]}"
    done >wanted
    paste -d '|' <(printf '%s\n' "${lines[@]}") offered | diff wanted -
    cd sub # where RUN may be left out
    ask "$1" 'portshim port 7' 'portshim env inner 7' 'portshim port 7004 7' >offered
    words=7004
    [[ $run != 7* ]] || words=$(printf '%s\n' 7004 "$run" | sort | xargs) # one in sixteen ids
    assert_equal "$(<offered)" "$words"$'\n7004\n7004'
    cd "$OLDPWD"
}

# check_command SHELL LINE...: at the end of each, ls's own --size is offered.
check_command() {
    ask "$@" >offered
    shift
    assert_equal "$(grep -cE -- '(^| )--size( |=|$)' offered)" $#
}

# Three runs: web, one without a name, whose id is in $run, and one of the directory sub.
start_runs() {
    mkdir -m 700 home
    export PORTSHIM_HOME=$PWD/home
    start web portshim run -n web -p 7001,7002,53/udp -- sleep infinity
    start other portshim run -p 7003 -- sleep infinity
    mkdir sub
    cd sub
    start inner portshim run -n inner -p 7004 -- sleep infinity
    cd "$OLDPWD"
    within 10 all_run
    run=$(portshim ls | sed -nE 's/^([0-9a-f]{14}) .*/\1/p')
}

all_run() {
    (($(portshim ls | grep -c 'sleep infinity') == 3))
}

@test "bash completes, with and without the package bash-completion" {
    start_runs
    PACKAGE='' check bash
    [[ -n $PACKAGE ]] || skip 'bash-completion is not installed'
    check bash
    check_command bash 'portshim run -p 80 -- ls --si' 'portshim run -vp 80 ls --si' 'portshim doctor ls --si'
    ask bash 'portshim run --trap=o' 'portshim run --trap=' >offered
    assert_equal "$(<offered)" $'off on\nauto off on'
}

@test "zsh completes" {
    needs zsh
    start_runs
    check zsh
    check_command zsh 'portshim run -p 80 -- ls --si' 'portshim run -vp 80 ls --si' 'portshim doctor ls --si'
    ask zsh 'portshim run --trap=o' 'portshim run -j' >offered
    assert_equal "$(<offered)" "off on"$'\n'"$run inner web"
}

@test "fish completes" {
    needs fish
    start_runs
    check fish
    check_command fish 'portshim run -p 80 -- ls --si' 'portshim run -vp 80 ls --si' 'portshim doctor ls --si'
    ask fish 'portshim run --trap=o' >offered
    assert_equal "$(<offered)" '--trap=off --trap=on'
}

@test "where portshim fails or hangs, the shells offer nothing and say nothing" {
    patient='' # here, it is
    mkdir fails hangs
    printf '#!/bin/sh\necho "it has failed" >&2\nexit 1\n' >fails/portshim
    printf '#!/bin/sh\nexec sleep 100\n' >hangs/portshim # it hangs: the shell must not wait for it
    chmod +x fails/portshim hangs/portshim
    for how in fails hangs; do
        for shell in bash zsh fish; do
            type -P "$shell" >/dev/null || { echo "# $shell is not installed" >&3 && continue; }
            PATH=$PWD/$how:$PATH run -0 ask "$shell" 'portshim wait '
            assert_equal "$how $shell: $output" "$how $shell: "
            assert_equal "$how $shell: $(<answers)" "$how $shell: --" # it has not been ended
        done
    done
}
