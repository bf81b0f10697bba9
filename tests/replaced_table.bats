# The lease table is removed or damaged and made again while a command leases ports. What the command claimed in the old
# table is then in the new one as well, or is leased again. A fake port server answers only after the table has been
# replaced, so that this happens between the command's question and its claim.
load helper

setup() {
    cd "$(test_dir)"
    own_pool 24
    IFS=, read -ra ports <<<"$PORTSHIM_POOL"
    wanted=${ports[22]} other=${ports[23]}
    PORTSHIM_POOL=$(IFS=, && echo "${ports[*]:0:22}")
    mkdir -m 700 home
    server=@${SUITE_DIR##*/}.$BATS_SUITE_TEST_NUMBER
}

# slow_server ANSWER...: starts a port server that answers the first question once there is a file "answer".
slow_server() {
    rm -f server.out answer
    start server "$PROGRAMS/fake_portserver.py" "$server" after answer "$@"
    within 10 grep -qs ready server.out
}

is_asked() {
    grep -qs '[0-9]' server.out
}

# The commands that lose or damage a table.
losses=('rm home/leases' 'dd if=/dev/zero of=home/leases bs=64 count=1 conv=notrunc status=none')

# replace LOSS: when this returns, there is another table.
replace() {
    local before
    exec 8<home/leases # while it is open, no other file has its number
    before=$(stat -c %i home/leases)
    eval "$1"
    portshim release "$(portshim pick $$)"
    assert_not_equal "$(stat -c %i home/leases)" "$before"
    exec 8<&-
}

assert_not_equal() {
    [[ $1 != "$2" ]] || fail "both are $1"
}

# is_leased PORT: nobody else can lease it.
is_leased() {
    PORTSHIM_POOL=$1 fails_with 'pool exhausted' portshim pick $$
}

listening_web() {
    rm -f web.out
    start web portshim run -p "$1" -n web -m web.json -- /usr/bin/python3 -u -m http.server --bind 127.0.0.1 8080
    within 20 grep -qs Serving web.out
}

@test "a placeholder that is added to a run while the table is replaced keeps its real port" {
    for loss in "${losses[@]}"; do
        listening_web 8080
        web=$pid
        slow_server "$wanted\n" "$wanted\n"
        PORTSERVER_ADDRESS=$server start join portshim run -j web -p 81 -- sleep infinity
        join=$pid
        within 10 is_asked
        replace "$loss"
        touch answer
        within 10 portshim port web 81
        assert_equal "$(portshim port web 81)" "$wanted"
        is_leased "$wanted"
        is_leased "$(portshim port web 8080)"
        stop "$join"
        stop "$web"
        end_round
    done
}

# end_round: ends all but the process that the pool's ports are leased for, and empties the home: its runs still have
# their leases.
end_round() {
    local pool=${STARTED[0]}
    STARTED=("${STARTED[@]:1}")
    end_started
    STARTED=("$pool")
    rm -r home
    mkdir -m 700 home
}

@test "a placeholder that is added while another leases its port in the new table gets another port" {
    listening_web 8080
    slow_server "$wanted\n" "$other\n"
    PORTSERVER_ADDRESS=$server start join portshim run -j web -p 81 -- sleep infinity
    within 10 is_asked
    replace 'rm home/leases'
    assert_equal "$(PORTSHIM_POOL=$wanted portshim pick $$)" "$wanted"
    touch answer
    within 10 portshim port web 81
    assert_equal "$(portshim port web 81)" "$other"
    is_leased "$other"
}

@test "a port that is leased for later placeholders while the table is replaced stays the run's" {
    for loss in "${losses[@]}"; do
        listening_web all
        slow_server "$wanted\n" "$wanted\n"
        PORTSERVER_ADDRESS=$server start join portshim run -j web -- sleep infinity
        within 10 is_asked
        replace "$loss"
        touch answer
        within 10 gone_to_sleep "$pid"
        is_leased "$wanted"
        end_round
    done
}

gone_to_sleep() {
    [[ $(ps -o comm= -p "$1") == sleep ]]
}

@test "a run that starts while the table is replaced has its ports" {
    for loss in "${losses[@]}"; do
        portshim release "$(portshim pick $$)"
        slow_server "$wanted\n" "$wanted\n"
        PORTSERVER_ADDRESS=$server start web portshim run -p 80,81 -n web -m web.json -- sleep infinity
        within 10 is_asked
        replace "$loss"
        touch answer
        within 10 gone_to_sleep "$pid"
        for port in $(portshim port web 80 81); do
            is_leased "$port"
        done
        end_round
    done
}

@test "a port that is picked while the table is replaced is its process's" {
    for loss in "${losses[@]}"; do
        portshim release "$(portshim pick $$)"
        slow_server "$wanted\n" "$wanted\n"
        start owner sleep infinity
        owner=$pid
        PORTSERVER_ADDRESS=$server start pick portshim pick "$owner"
        within 10 is_asked
        replace "$loss"
        touch answer
        wait "$pid"
        assert_equal "$(cat pick.out)" "$wanted"
        is_leased "$wanted"
        stop "$owner"
        end_round
    done
}
