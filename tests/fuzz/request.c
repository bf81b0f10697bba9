/* What clients ask of `portshim serve`: serve/request.h. The first byte says who asks. */
#include "home.h"

#include "lease/pool.h"
#include "serve/request.h"

#include <fcntl.h>
#include <sys/epoll.h>

enum { FIRST = 20000, PORTS = 200, CAP = 3, SOMEBODY = 4711, ANOTHER };

static struct home home;
static struct pool pool;
static struct serve_state state;

static void begin(void)
{
    fuzz_open_home(&home);
    portbits_add_range(&pool.ports, FIRST, FIRST + PORTS - 1);
    pool.count = PORTS;
    state.address = "@fuzz";
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    must(epoll >= 0 && serve_leases_open(&state.leases, &home, &pool, CAP, epoll, 0) == 0);
}

static struct ucred peer_of(unsigned byte)
{
    const pid_t pids[] = {getpid(), getppid(), 0, 1};
    const uid_t uids[] = {SOMEBODY, ANOTHER, 0, getuid()};
    return (struct ucred){.pid = pids[byte & 3], .uid = uids[byte >> 2 & 3]};
}

/* A port of ANOTHER, which nobody but root and ANOTHER may give back. */
static unsigned lease_one(void)
{
    char own[16], answer[SERVE_ANSWER_SIZE];
    unsigned port;
    snprintf(own, sizeof own, "%d", (int)getpid());
    serve_request(&state, own, &(struct ucred){.pid = getpid(), .uid = ANOTHER}, answer, &port);
    must(port != 0);
    return port;
}

static void take_all_back(void)
{
    for (unsigned port = FIRST; port < FIRST + PORTS; port++)
        serve_leases_release(state.leases, port, 0);
    must(serve_leases_count(state.leases).leases == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char answer[SERVE_ANSWER_SIZE];
    unsigned port;
    if (state.leases == NULL)
        begin();
    unsigned kept = lease_one();
    struct ucred peer = peer_of(size > 0 ? data[0] : 0);
    char *all = fuzz_string(data + (size > 0), size - (size > 0)), *rest = all, *line;
    while ((line = strsep(&rest, "\n")) != NULL) {
        if (strlen(line) > SERVE_REQUEST_MAX)
            line[SERVE_REQUEST_MAX] = '\0';
        unsigned len = serve_request(&state, line, &peer, answer, &port);
        must(len < sizeof answer && (port == 0 || (len > 0 && answer[len - 1] == '\n')));
        must(port == 0 || (portbits_has(&pool.ports, port) && peer.pid != 0));
        must(serve_leases_count(state.leases).leases <= PORTS);
    }
    free(all);
    bool is_there = serve_leases_release(state.leases, kept, ANOTHER);
    must(is_there || peer.uid == 0 || peer.uid == ANOTHER);
    take_all_back();
    return 0;
}
