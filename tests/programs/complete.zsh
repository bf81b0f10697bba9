#!/usr/bin/env -S zsh -f
# complete.zsh DIRECTORY LINE...: for each line, prints what zsh completes at its end, one match a line in no order, and
# then a line "--". The completions are those of the directory, and zsh's own. What zsh says instead is printed, too.
zmodload zsh/zpty zsh/zselect
out=$(mktemp)
trap 'rm -f $out $out.dump $out.setup' EXIT
cat >$out.setup <<'END'
fpath=($1 $fpath)
autoload -Uz compinit && compinit -u -d $out.dump
# What completion functions add is written down, and then added.
compadd() {
    local -a hits
    if [[ ${@[1,(i)(-|--)]} != *-[A-Za-z]#[OAD]\ * ]]; then
        builtin compadd -A hits "$@"
        (( $#hits )) && print -rl -- $hits >>$out
    fi
    builtin compadd "$@"
}
write_down() {
    _main_complete 2>>$out
    compstate[insert]= compstate[list]=
    print -r -- -- >>$out
}
setopt extended_glob
zle -C write-down complete-word write_down
bindkey '^I' write-down
bindkey '^X' kill-whole-line
print -r -- -- >>$out
END
# wait_for COUNT: waits until that many "--" have been written.
wait_for() {
    local -i tries
    for ((tries = 0; tries < 1000 && $(grep -cx -- -- $out) < $1; tries++)); do
        zpty -r -t zsh >/dev/null # a terminal that nobody reads stops the shell
        zselect -t 2
    done
    ((tries < 1000)) || { print -u 2 "zsh says nothing"; exit 1 }
}
zpty zsh "out=${(q)out} exec zsh -f -i"
zpty -w zsh "out=${(q)out}; set -- ${(q)1}; source ${(q)out}.setup"
wait_for 1
count=1
shift
for line; do
    zpty -w -n zsh "$line"$'\t'
    wait_for $((++count))
    zpty -w -n zsh $'\x18'
done
zpty -d zsh
sed 1d $out
