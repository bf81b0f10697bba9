#!/usr/bin/env fish
# complete.fish FILE LINE...: for each line, prints what fish completes at its end, one match a line, without what
# describes it, and then a line "--". The completions are those of the file, and fish's own.
source $argv[1]
for line in $argv[2..-1]
    complete -C $line | string replace -r '\t.*' ''
    string repeat -n 2 -- -
end
