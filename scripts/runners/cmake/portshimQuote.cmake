# _portshim_quote(RESULT WORD): sets RESULT to WORD as a bracket argument, which CMake takes as it is.
function(_portshim_quote result word)
    set(equals "=")
    string(FIND "${word}]" "]${equals}]" found)
    while(NOT found EQUAL -1)
        string(APPEND equals "=")
        string(FIND "${word}]" "]${equals}]" found)
    endwhile()
    # CMake drops the first newline.
    set(${result} "[${equals}[\n${word}]${equals}]" PARENT_SCOPE)
endfunction()
