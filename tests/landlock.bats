# A program that allows itself only its placeholders by Landlock can use them.
load helper

landlock=$ROOT/build/tests/landlock

setup() {
    cd "$(test_dir)"
    (($("$landlock" version) >= 4)) || skip "this kernel's Landlock has no rules for ports (Linux 6.7)"
}

@test "a placeholder that may be bound and connected to can be" {
    for ports in 8080,8081 8080-9999 all; do
        prints 'both=8080: 0' 'bind 8080: 0' 'connect 8080: 0' 'bind 8081: EACCES' 'connect 8081: EACCES' -- \
            portshim run -p "$ports" -- "$landlock" both=8080 'bind 8080' 'connect 8080' 'bind 8081' 'connect 8081'
    done
}

@test "what may be bound may not be connected to, and the other way round" {
    for ports in 8080 all; do
        prints 'bind=8080: 0' 'bind 8080: 0' 'connect 8080: EACCES' -- \
            portshim run -p "$ports" -- "$landlock" bind=8080 'bind 8080' 'connect 8080'
    done
    prints 'connect=8080: 0' 'bind 8080: EACCES' 'connect 8080: ECONNREFUSED' -- \
        portshim run -p 8080 -- "$landlock" connect=8080 'bind 8080' 'connect 8080'
}

@test "a late placeholder that another program has bound can be connected to" {
    start server portshim run -p all -m m.json -- /usr/bin/python3 -m http.server --bind 127.0.0.1 8080
    real m.json 8080
    prints 'connect=8080: 0' 'connect 8080: 0' -- portshim run -j m.json -- "$landlock" connect=8080 'connect 8080'
}

@test "what is no placeholder of TCP is allowed as it is, and the rule of the placeholder itself stays" {
    prints 'bind=8080: 0' 'bind 8080: 0' 'udp 53: 0' -- portshim run -p 8080,53/udp -- "$landlock" bind=8080 'bind 8080' 'udp 53'
    # the program's own rule is added too: it allows the port on other hosts
    strace -f -o trace portshim run -p 8080 -- "$landlock" connect=8080 'connect 8080'
    assert_equal "$(grep -c landlock_add_rule trace)" 2
    strace -f -o trace portshim run -p 8080/udp -- "$landlock" bind=8080 bind=8081 bind=0 'udp 8080'
    assert_equal "$(grep -c landlock_add_rule trace)" 3
}

@test "rules that the kernel refuses are refused as it does" {
    "$landlock" bad >bare
    portshim run -p 8080 -- "$landlock" bad | diff bare -
    portshim run -p all -- "$landlock" bad | diff bare -
    grep -q EFAULT bare
}
