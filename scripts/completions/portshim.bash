# bash completion for portshim. Commands, options and runs are those that portshim itself prints: nothing here has to
# follow it. Works with and without the package bash-completion, which adds the completions of other commands.
# shellcheck shell=bash disable=SC2207 # words of portshim have no blanks

# _portshim_ask ARGUMENT...: what portshim prints, nothing where it fails or takes long.
_portshim_ask() {
    local limit=()
    type -P timeout >/dev/null && limit=(timeout 2)
    "${limit[@]}" "$portshim" "$@" </dev/null 2>/dev/null
}

_portshim_commands() {
    _portshim_ask --help | sed -n 's/^  portshim \([a-z]*\) .*/\1/p'
}

# The names of living runs, or their ids.
_portshim_runs() {
    _portshim_ask ls | sed -n '1d; s/^\([^ ][^ ]*\) .*/\1/p'
}

# _portshim_ports RUN: the placeholders of the run; of the one that is meant without a name when RUN is none.
_portshim_ports() {
    local ports
    ports=$(_portshim_ask ls "$1" | sed -nE 's|^  ([0-9]+(/[a-z]+)?) +[0-9].*|\1|p')
    [[ -n $ports ]] || ports=$(_portshim_ask env | sed -n 's/^PORTSHIM_PORT_\([0-9]*\)=.*/\1/p')
    [[ -z $ports ]] || printf '%s\n' "$ports"
}

# _portshim_files: files that begin with $cur.
_portshim_files() {
    compopt -o filenames 2>/dev/null
    local IFS=$'\n'
    COMPREPLY+=($(compgen -f -- "$cur"))
}

# _portshim_argument KIND: completes a word that the help calls so.
_portshim_argument() {
    case $1 in
    RUN)
        COMPREPLY=($(compgen -W "$(_portshim_runs)" -- "$cur"))
        ((${#COMPREPLY[@]})) || _portshim_files
        ;;
    FILE | ADDRESS) _portshim_files ;;
    WHEN) COMPREPLY=($(compgen -W 'auto on off' -- "$cur")) ;;
    FAMILY) COMPREPLY=($(compgen -W 'inet inet6' -- "$cur")) ;;
    TYPE) COMPREPLY=($(compgen -W 'stream dgram' -- "$cur")) ;;
    HOST) COMPREPLY=($(compgen -W 'localhost 127.0.0.1 ::1' -- "$cur")) ;;
    SIGNAL) COMPREPLY=($(compgen -A signal -- "$cur")) ;;
    esac
}

# _portshim_command INDEX: completes the command that begins at that word, as if it stood alone.
_portshim_command() {
    if declare -F _command_offset >/dev/null; then
        _command_offset "$1"
    elif declare -F _comp_command_offset >/dev/null; then
        _comp_command_offset "$1"
    elif (($1 == COMP_CWORD)) && [[ $cur != */* ]]; then
        COMPREPLY=($(compgen -c -- "$cur"))
    else
        _portshim_files
    fi
}

# Reads the help into options, an array of each option's argument ("" for none), and usage.
_portshim_read_help() {
    local line argument in_usage='' option='^ {2,6}(-[A-Za-z])?(, )?(--[a-z_-]+)?( ([A-Z]+))?( |$)'
    while IFS= read -r line; do
        if [[ $line == usage:* || ($in_usage && $line == '       portshim'*) ]]; then
            usage+=$line$'\n' in_usage=yes
            continue
        fi
        in_usage=''
        [[ $line =~ $option ]] || continue
        argument=${BASH_REMATCH[5]}
        [[ -z ${BASH_REMATCH[1]} ]] || options[${BASH_REMATCH[1]}]=$argument
        [[ -z ${BASH_REMATCH[3]} ]] || options[${BASH_REMATCH[3]}]=$argument
    done < <(_portshim_ask "$1" --help)
}

# Completes the operand of this number, from 0; those before it are in operands.
_portshim_operand() {
    local number=$1
    if [[ ${COMP_WORDS[1]} == help ]]; then
        ((number > 0)) || COMPREPLY=($(compgen -W "$(_portshim_commands)" -- "$cur"))
    elif [[ $usage != *RUN* ]]; then
        return
    elif ((number == 0)) || [[ $usage == *RUN...* ]]; then
        _portshim_argument RUN
        [[ ! $usage =~ \[RUN\]\ \[?PORT ]] || COMPREPLY+=($(compgen -W "$(_portshim_ports '')" -- "$cur"))
    elif [[ $usage =~ RUN\]?\ \[?PORT ]]; then
        COMPREPLY=($(compgen -W "$(_portshim_ports "${operands[0]}")" -- "$cur"))
    fi
}

_portshim() {
    local portshim=${COMP_WORDS[0]/#\~\//$HOME/} cur=${COMP_WORDS[COMP_CWORD]} usage='' kind='' i word
    local -A options=()
    local operands=() is_ended=''
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        [[ $cur != -* ]] || options=([--help]='' [--version]='')
        COMPREPLY=($(compgen -W "$(_portshim_commands) ${!options[*]}" -- "$cur"))
        return
    fi
    _portshim_read_help "${COMP_WORDS[1]}"
    for ((i = 2; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ $word == = ]]; then # readline splits --trap=auto into three words
            continue
        elif [[ $kind ]]; then
            kind=''
        elif [[ ! $is_ended && $word == -- ]]; then
            is_ended=yes
        elif [[ ! $is_ended && $word == -?* ]]; then
            [[ $word == --* ]] || word=-${word: -1}
            kind=${options[$word]-}
        elif [[ $usage == *'COMMAND [ARGUMENT]'* ]]; then
            _portshim_command "$i"
            return
        else
            operands+=("$word") is_ended=yes
        fi
    done
    [[ $cur != = ]] || cur=''
    if [[ $kind ]]; then
        _portshim_argument "$kind"
    elif [[ ! $is_ended && $cur == -* ]]; then
        COMPREPLY=($(compgen -W "${!options[*]}" -- "$cur"))
    elif [[ $usage == *'COMMAND [ARGUMENT]'* ]]; then
        _portshim_command "$COMP_CWORD"
    else
        _portshim_operand "${#operands[@]}"
    fi
} && complete -F _portshim portshim
