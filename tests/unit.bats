# What the modules promise in their headers, each asked by a program of tests/unit that is linked with them. It prints a
# sentence for each promise, and "not ok" where one is broken.
load helper

unit() {
    "$BATS_TEST_DIRNAME/../build/tests/unit/$1"
}

@test "port specifications" {
    unit portset
}

@test "what run -c prints" {
    unit settings
}

@test "the pool" {
    unit pool
}

@test "waiting for locks" {
    unit lock
}

@test "texts and numbers" {
    unit text
}

@test "UTF-8 and JSON" {
    unit utf8
}

@test "a problem in one line" {
    unit problem
}

@test "the map of a run" {
    unit map
}

@test "the files of a run" {
    unit files
}

@test "the texts about a run" {
    unit texts
}

@test "whether a run is alive" {
    unit life
}

@test "the compact text of a run's assignments" {
    unit compact
}

@test "what a process sees of its run" {
    unit view
}

@test "what becomes of a socket address" {
    unit rules
}

@test "late placeholders" {
    unit late
}

@test "which sockets are translated" {
    unit kind
}

@test "which addresses are this host's" {
    unit local
}

@test "what a program does besides its placeholders" {
    unit seen
}

@test "ELF files and scripts" {
    unit elf
}

@test "whether the library reaches a program" {
    unit reach
}

@test "which file a command means" {
    unit search
}

@test "what the programs of a run did" {
    unit sighting
}

@test "drafts of files" {
    unit draft
}

@test "map files and variables" {
    unit publish
}

@test "names of runs" {
    unit name
}

@test "which run a word means" {
    unit find
}

@test "what a port server answers" {
    unit portserver
}

@test "the list of preloaded libraries" {
    unit preload
}

@test "which ports sockets have" {
    unit occupied
}

@test "the lease table" {
    unit table
}

@test "clearing up after dead runs" {
    unit sweep
}

@test "the trap's filter, and a waiting thread's memory and descriptors" {
    unit trap
}

@test "descriptors of threads" {
    unit threads
}

@test "blocking connects that the supervisor makes" {
    unit connecting
}

@test "every program of tests/unit is run here" {
    for program in "$BATS_TEST_DIRNAME"/unit/*.c; do
        grep -qx "    unit $(basename "$program" .c)" "$BATS_TEST_FILENAME" || fail "not run: $program"
    done
}

@test "the line on the run's stderr" {
    unit voice
}

@test "messages of trapped programs" {
    unit message
}

@test "what /proc says of a trapped thread" {
    unit status
}

@test "the record of ended runs" {
    unit ended
}

@test "what a user may have meant" {
    unit spelling
}

@test "keys, and what a thousand of them get" {
    unit key
}
