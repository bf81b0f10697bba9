# fish completion for portshim. Commands, options and runs are those that portshim itself prints: nothing here has to
# follow it.

# What portshim prints, nothing where it fails or takes long.
function __portshim_ask
    set -l portshim (commandline -poc)[1]
    set -l limit
    command -sq timeout; and set limit timeout 2
    command $limit $portshim $argv </dev/null 2>/dev/null
end

function __portshim_commands
    __portshim_ask --help | string replace -rf '^  portshim ([a-z]+) .*  (\S.*)$' '$1\t$2'
end

# The names of living runs, or their ids, with their commands.
function __portshim_runs
    __portshim_ask ls | tail -n +2 | string replace -rf '^(\S+) +\S+  (.*)$' '$1\t$2'
end

# The placeholders of a run; of the one that is meant without a name when it is none.
function __portshim_ports
    set -l ports
    if set -q argv[1]
        set ports (__portshim_ask ls $argv | string replace -rf '^  ([0-9]+(/[a-z]+)?) +([0-9]+) .*' '$1\t$3')
    end
    if not set -q ports[1]
        set ports (__portshim_ask env | string replace -rf '^PORTSHIM_PORT_([0-9]+)=(.*)' '$1\t$2')
    end
    set -q ports[1]; and printf '%s\n' $ports
end

# The options in a help that stands in $argv, as NAME, ARGUMENT and what it does, with tabs between.
function __portshim_options
    string replace -rf '^ {2,6}(?=-)(-[A-Za-z])?(?:, )?(--[a-z_-]+)?(?: ([A-Z]+))?(?: +(.*))?$' '$1\t$2\t$3\t$4' -- $argv |
        while read -l -d \t short long argument does
            for name in $short $long
                test -n "$name"; and printf '%s\t%s\t%s\n' $name "$argument" "$does"
            end
        end
end

# Completes a word that the help calls so.
function __portshim_argument
    switch "$argv[1]"
        case RUN
            set -l runs (__portshim_runs)
            if string match -q -- (commandline -ct)'*' $runs
                printf '%s\n' $runs
            else
                __fish_complete_path (commandline -ct)
            end
        case FILE ADDRESS
            __fish_complete_path (commandline -ct)
        case WHEN
            printf '%s\n' auto on off
        case FAMILY
            printf '%s\n' inet inet6
        case TYPE
            printf '%s\n' stream dgram
        case SIGNAL
            kill -l | string split ' ' | string match -r '[A-Z]+[0-9]*'
    end
end

# Completes the command that begins in $argv, as if it stood alone.
function __portshim_command
    complete -C (string join ' ' -- (string escape -- $argv) (commandline -ct))
end

function __portshim_operand
    set -l usage $argv[1]
    set -l operands $argv[2..-1]
    if string match -q '*portshim help*' -- $usage
        set -q operands[1]; or __portshim_commands
    else if not string match -q '*RUN*' -- $usage
        return
    else if not set -q operands[1]; or string match -rq 'RUN\.\.\.' -- $usage
        __portshim_argument RUN
        string match -rq '\[RUN\] \[?PORT' -- $usage; and __portshim_ports
    else if string match -rq 'RUN\]? \[?PORT' -- $usage
        __portshim_ports $operands[1]
    end
end

function __portshim_complete
    set -l words (commandline -poc)
    set -l current (commandline -ct)
    if not set -q words[2]
        __portshim_commands
        string match -q -- '-*' $current; and printf '%s\n' --help --version
        return
    end
    set -l help (__portshim_ask $words[2] --help)
    set -l options (__portshim_options $help)
    set -l usage (string match -r '^(?:usage:|      ) portshim .*' -- $help | string collect)
    set -l operands
    set -l kind
    set -l ended no
    for i in (seq 3 (count $words))
        set -l word $words[$i]
        if set -q kind[1]
            set -e kind
        else if test $ended = no; and string match -q -- -- $word
            set ended yes
        else if test $ended = no; and string match -q -- '-?*' $word
            string match -q -- '--*' $word; or set word -(string sub -s -1 -- $word)
            set kind (string replace -rf -- '^'$word'\t([A-Z]+)\t.*' '$1' $options)
        else if string match -rq 'COMMAND \[ARGUMENT' -- $usage
            __portshim_command $words[$i..-1]
            return
        else
            set ended yes
            set -a operands $word
        end
    end
    if test -n "$kind"
        __portshim_argument $kind
    else if test $ended = no; and string match -q -- '--*=*' $current
        set -l name (string split -m 1 = -- $current)[1]
        set kind (string replace -rf -- '^'$name'\t([A-Z]+)\t.*' '$1' $options)
        string replace -r -- '^' $name= (__portshim_argument $kind)
    else if test $ended = no; and string match -q -- '-*' $current
        string replace -r '\t[A-Z]*\t' '\t' -- $options
    else if string match -rq 'COMMAND \[ARGUMENT' -- $usage
        __portshim_command
    else
        __portshim_operand "$usage" $operands
    end
end

complete -c portshim -f -a '(__portshim_complete)'
