# What portshim_wrap_tests() has CTest read before the tests of a directory: add_test(), by which a test file names
# each test and its command, puts a wrapper before some of the commands.

if(COMMAND _portshim_wrap_test)
    return()
endif()
cmake_policy(PUSH)
cmake_policy(VERSION 3.18...3.31)
include("${CMAKE_CURRENT_LIST_DIR}/portshimQuote.cmake")

# WRAPPER, which is code, is for the test of this name that FILE adds; other directories may have one of the same name.
function(_portshim_wrap_test file test wrapper)
    set_property(GLOBAL PROPERTY "portshim ${file} ${test}" "${wrapper}")
endfunction()

function(add_test test)
    get_property(wrapper GLOBAL PROPERTY "portshim ${CMAKE_CURRENT_LIST_FILE} ${test}")
    if(ARGC EQUAL 2 AND ARGV1 STREQUAL "NOT_AVAILABLE") # in this configuration
        set(wrapper "")
    endif()
    _portshim_quote(test "${test}")
    set(command "")
    set(i 1)
    while(i LESS ARGC)
        _portshim_quote(word "${ARGV${i}}")
        string(APPEND command " ${word}")
        math(EXPR i "${i} + 1")
    endwhile()
    cmake_language(EVAL CODE "_add_test(${test} ${wrapper} ${command})")
endfunction()

cmake_policy(POP)
