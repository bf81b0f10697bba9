# A run inside a run has its own placeholders for itself, and shares the outer run's other placeholders.
load helper

# The static command, also where another build is tested: a dynamic one would be preloaded by the run around it.
PATH=$ROOT/build:$PATH
load bare
load peer

setup() {
    cd "$(test_dir)"
    bare_ports 2
    own=${bare_ports[0]} shared=${bare_ports[1]}
}

# in_outer, in_inner: the words before a command that run it in that run.
in_outer=(portshim run -j outer.json --)
in_inner=(portshim run -j inner.json --)

# start_runs SPEC: starts an outer run with two placeholders and a server on both, and an inner run with those of SPEC.
start_runs() {
    start outer portshim run -p "$own,$shared" -m outer.json -- sleep infinity
    outer=$pid
    within 10 test -e outer.json
    serve outer "$own $shared" "${in_outer[@]}"
    outer_server=$pid
    start inner "${in_outer[@]}" portshim run -p "$1" -m inner.json -- sleep infinity
    within 10 test -e inner.json
}

@test "the inner run's placeholders are its own, and the outer's others are shared" {
    start_runs "$own"
    strangers
    answers 'Connection refused' "$own" "${in_inner[@]}"
    serve inner "$own" "${in_inner[@]}"
    answers inner "$own" "${in_inner[@]}"
    answers outer "$shared" "${in_inner[@]}"
    answers outer "$own $shared" "${in_outer[@]}"
    assert_equal "$(portshim port inner.json "$shared")" "$(portshim port outer.json "$shared")"
    assert_not_equal "$(portshim port inner.json "$own")" "$(portshim port outer.json "$own")"
    nobody_visited_strangers
}

@test "a server in the inner run serves the outer at a shared placeholder" {
    start_runs "$own"
    stop "$outer_server"
    serve inner "$shared" "${in_inner[@]}"
    answers inner "$shared" "${in_outer[@]}"
    answers 'Connection refused' "$own" "${in_outer[@]}"
}

@test "an inner run goes on with the same real ports when the outer one is killed" {
    start_runs "$own"
    real=$(portshim port inner.json "$shared")
    serve inner "$own" "${in_inner[@]}"
    stop "$outer_server" KILL
    stop "$outer" KILL
    answers 'Connection refused' "$shared" "${in_inner[@]}"
    strangers
    serve shared "$shared" "${in_inner[@]}"
    answers inner "$own" "${in_inner[@]}"
    answers shared "$shared" "${in_inner[@]}"
    assert_equal "$(portshim wait -t 60 inner.json "$shared")" "$real"
    # No other run gets that port.
    portshim run -p 1-10 -m others -- true
    assert_equal "$(grep -c '^[0-9]* [0-9]*$' others)" 10
    refute grep " $real\$" others
    nobody_visited_strangers
}

@test "an inner run for all ports has for itself what it binds, and shares the rest" {
    start_runs all
    strangers
    answers outer "$shared" "${in_inner[@]}"
    serve inner "$own" "${in_inner[@]}"
    answers inner "$own" "${in_inner[@]}"
    answers outer "$shared" "${in_inner[@]}"
    answers outer "$own $shared" "${in_outer[@]}"
    nobody_visited_strangers
}

@test "an inner run for all ports keeps apart what the outer one got late, too" {
    start outer portshim run -p all -m outer.json -- sleep infinity
    within 10 test -e outer.json
    serve outer "$own $shared" "${in_outer[@]}"
    start inner "${in_outer[@]}" portshim run -p all -m inner.json -- sleep infinity
    within 10 test -e inner.json
    answers outer "$own $shared" "${in_inner[@]}"
    serve inner "$own" "${in_inner[@]}"
    answers inner "$own" "${in_inner[@]}"
    answers outer "$shared" "${in_inner[@]}"
    answers outer "$own $shared" "${in_outer[@]}"
    # A client in the inner run gets the answer from the port that it asked.
    run "${in_inner[@]}" /usr/bin/python3 -c '
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
    client.settimeout(60)
    client.sendto(b"?", ("127.0.0.1", int(sys.argv[1])))
    print(client.recvfrom(64)[1][1])
' "$shared"
    assert_output "$shared"
}

@test "three runs inside each other keep apart what each of them lists" {
    start_runs "$own"
    start innermost "${in_inner[@]}" portshim run -p "$own" -m innermost.json -- sleep infinity
    within 10 test -e innermost.json
    serve inner "$own" "${in_inner[@]}"
    serve innermost "$own" portshim run -j innermost.json --
    answers innermost "$own" portshim run -j innermost.json --
    answers inner "$own" "${in_inner[@]}"
    answers outer "$own" "${in_outer[@]}"
    answers outer "$shared" portshim run -j innermost.json --
}

@test "ten runs deep, a late placeholder is the outermost's, and where a run cannot see that far it says so" {
    own_pool 100
    for i in {1..9}; do
        deep+=(portshim run -q -p "$i" --)
    done
    start server portshim run -p all -m deep.json -- "${deep[@]}" /usr/bin/python3 -m http.server 8080
    run portshim wait -t 60 deep.json 8080
    assert_success
    # shellcheck disable=SC2016 # expanded there
    run portshim run -p all -- sh -c 'echo "$PORTSHIM_COMPACT"; exec "$@"' sh "${deep[@]}" "${deep[@]}" true
    assert_failure 125
    assert_output --partial 'nest fewer runs'
    read -r _ secret _ <<<"${lines[0]}"
    [[ $secret =~ ^[0-9a-f]{32}$ ]]
    refute_line --partial --index $((${#lines[@]} - 1)) "$secret"
}

@test "an inner run below a trap leases late ports from its own pool" {
    cat >late.c <<'END'
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
int main(void)
{
    for (unsigned port = 9001; port <= 9030; port++) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
        socklen_t size = sizeof address;
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (bind(fd, (struct sockaddr *)&address, size) < 0 || getsockname(fd, (struct sockaddr *)&address, &size) < 0)
            perror("bind");
        printf("%d\n", ntohs(address.sin_port));
    }
    return 0;
}
END
    cc -static -o late late.c || skip 'gcc links no static programs here'
    own_pool 80
    local numbers
    IFS=, read -ra numbers <<<"$PORTSHIM_POOL"
    mkdir -m 700 other
    outer=$(IFS=, && echo "${numbers[*]:0:20}") inner=$(IFS=, && echo "${numbers[*]:20}")
    run -0 env PORTSHIM_POOL="$outer" portshim run -q --trap=on -p 80 -- \
        env PORTSHIM_POOL="$inner" PORTSHIM_HOME="$PWD/other" portshim run -q --reveal -p all -- ./late
    assert_equal "${#lines[@]}" 30
    for port in "${lines[@]}"; do
        [[ ,$inner, == *,$port,* ]]
    done
}
