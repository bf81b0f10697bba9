#!/usr/bin/env bash
# complete.bash FILE LINE...: for each line, prints what bash completes at its end, one match a line, and then a line
# "--". The completions are those of the file; PACKAGE names bash-completion's, which is sourced before when it is set.
# readline, which splits lines into words, is not asked: words are what blanks and "=" separate.
[[ -z ${PACKAGE-} ]] || . "$PACKAGE"
. "$1"
shift
for COMP_LINE; do
    read -ra COMP_WORDS <<<"${COMP_LINE//=/ = }"
    [[ $COMP_LINE != *' ' ]] || COMP_WORDS+=('')
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_POINT=${#COMP_LINE}
    COMPREPLY=()
    _portshim "${COMP_WORDS[0]}" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
    printf '%s\n' "${COMPREPLY[@]}" --
done 2> >(grep -v 'compopt: not currently executing' >&2) # nobody has pressed Tab
