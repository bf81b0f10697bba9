#include "run/obtain.h"

#include "base/environment.h"
#include "error.h"
#include "host/process.h"
#include "lease/portserver.h"
#include "run/sweep.h"

#include <errno.h>
#include <time.h>

/* A server that gives this many unusable ports in a row has none for us. */
enum { SERVER_TRIES = 16 };

enum { PAUSE_MILLISECONDS = 50 };

/* How long `portshim serve` may take to see that a run has died: it looks once a second. */
#define SERVER_FOLLOWS UINT64_C(2000000000) /* nanoseconds */

struct obtain_server obtain_server_of(char *const *env, pid_t pid)
{
    return (struct obtain_server){.address = environment_get_nonempty(env, "PORTSERVER_ADDRESS"),
                                  .pid = pid,
                                  .milliseconds = PORTSERVER_MILLISECONDS};
}

void obtain_limit(struct obtain_server *server, unsigned milliseconds)
{
    server->milliseconds = milliseconds;
    server->deadline = process_clock() + (uint64_t)milliseconds * 1000000;
}

bool obtain_has_time(const struct obtaining *o)
{
    const struct obtain_server *server = o->means.server;
    if (server == NULL || server->address == NULL || server->error != 0 || server->deadline == 0)
        return true;
    return process_clock() + (uint64_t)server->milliseconds * 500000 < server->deadline;
}

static void pause_briefly(void)
{
    const struct timespec time = {.tv_nsec = PAUSE_MILLISECONDS * 1000000L};
    nanosleep(&time, NULL);
}

static struct lease_want want(const struct obtaining *o, enum lease_effort effort)
{
    return (struct lease_want){
        .owner = o->want.owner, .effort = effort, .scope = o->want.scope, .avoid = o->avoid};
}

static bool may_wait(const struct obtaining *o, uint64_t deadline)
{
    return process_clock() < deadline && (o->means.stop == NULL || !o->means.stop());
}

/* Leases this very port; waits while a dying run owns it. */
static int claim_patiently(struct obtaining *o, unsigned port, enum lease_effort effort)
{
    const struct lease_want wanted = want(o, effort);
    uint64_t deadline = process_clock() + o->means.patience;
    for (;;) {
        int error = lease_claim(o->leases, port, &wanted);
        lease_owner holder = lease_holder(o->leases, port);
        uint64_t run_id = lease_owner_run(holder);
        if (error != PORTMAP_EHELD || !may_wait(o, deadline) || lease_owner_pid(holder) != 0)
            return error;
        if (run_id != 0 && life_of(o->means.home, run_id) == RUN_ALIVE)
            return error;
        sweep_runs(o->means.home, o->leases, SWEEP_ALL);
        if (lease_holder(o->leases, port) != 0)
            pause_briefly();
    }
}

/* Takes a port that the server has leased in this very table. A process's lease is good as it is. A run
 * becomes the owner of the port: it may outlive the process that the server leased for. */
static int take_over(struct obtaining *o, unsigned port, lease_owner holder)
{
    int answer = probe_port_in(port, o->want.scope);
    if (answer != PROBE_FREE)
        return answer < 0 ? answer : PORTMAP_EINUSE;
    if (lease_owner_run(o->want.owner) == 0)
        return 0;
    return lease_transfer(o->leases, port, holder, o->want.owner) ? 0 : PORTMAP_EHELD;
}

/* Sees to it that a port of the server is leased in the table. 0, or an error when it cannot be used. */
static int accept_port(struct obtaining *o, unsigned port)
{
    lease_owner holder = lease_holder(o->leases, port);
    if (o->avoid != NULL && portbits_has(o->avoid, port))
        return PORTMAP_EHELD;
    if (holder == o->want.owner)
        return PORTMAP_EHELD; /* it has been given to us before */
    if (lease_kind(holder) == LEASE_SERVED && lease_owner_pid(holder) == o->means.server->pid)
        return take_over(o, port, holder);
    /* Wait: the port may still be owned by a run that has died, which the server knew first. */
    return claim_patiently(o, port, LEASE_FREE_ONLY);
}

static uint64_t deadline_of(const struct obtain_server *server)
{
    uint64_t deadline = process_clock() + (uint64_t)server->milliseconds * 1000000;
    return server->deadline != 0 && server->deadline < deadline ? server->deadline : deadline;
}

static unsigned milliseconds_until(uint64_t deadline)
{
    uint64_t now = process_clock();
    return now < deadline ? (unsigned)((deadline - now) / 1000000) : 0;
}

static int ask_server(struct obtaining *o)
{
    struct obtain_server *server = o->means.server;
    uint64_t deadline = deadline_of(server);
    for (unsigned tries = 0; tries < SERVER_TRIES; tries++) {
        int port = portserver_ask(server->address, server->pid, milliseconds_until(deadline));
        int error = port < 0 ? port : accept_port(o, (unsigned)port);
        if (port < 0 || error == 0)
            return port;
        /* `portshim serve` takes the port back; another server keeps it until the process has died. If we own
         * it already, the server had forgotten that, and is to know it again. */
        if (lease_holder(o->leases, (unsigned)port) != o->want.owner)
            portserver_release(server->address, (unsigned)port, milliseconds_until(deadline));
        if (error != PORTMAP_EHELD && error != PORTMAP_EINUSE && error != -EACCES)
            return error; /* it would be the same with another port */
    }
    return PORTMAP_EREFUSED;
}

/* Asks the server. If it is required and has no port, waits for those of runs that are dying: until they are
 * freed in our table, and then until the server sees, a moment later, that they are free. They may have been
 * freed just before. */
static int ask_patiently(struct obtaining *o)
{
    uint64_t deadline = process_clock() + o->means.patience, hope = 0;
    for (bool first = true;; first = false) {
        int port = ask_server(o);
        if (port != PORTMAP_EREFUSED || !o->means.server->required)
            return port;
        if (first && lease_was_released(o->leases, SERVER_FOLLOWS / 1000000000))
            hope = process_clock() + SERVER_FOLLOWS;
        struct sweep swept = {.dying = 1};
        while (swept.dying > 0 && swept.freed == 0 && may_wait(o, deadline)) {
            swept = sweep_runs(o->means.home, o->leases, SWEEP_ALL);
            if (swept.dying + swept.freed > 0)
                hope = process_clock() + SERVER_FOLLOWS;
            if (process_clock() < hope)
                pause_briefly();
        }
        if (!may_wait(o, hope < deadline ? hope : deadline))
            return port;
    }
}

/* Leases a port when the pool has none left: one of a dead run, or else one in TIME_WAIT. */
static int take_reclaimed(struct obtaining *o)
{
    struct lease_want free_only = want(o, LEASE_FREE_ONLY), time_wait = want(o, LEASE_TIME_WAIT);
    uint64_t deadline = process_clock() + o->means.patience;
    struct sweep swept;
    do {
        swept = sweep_runs(o->means.home, o->leases, SWEEP_ALL);
        int port = lease_take(o->leases, o->means.pool, &free_only);
        if (port != PORTMAP_EXHAUSTED)
            return port;
        if (swept.dying > 0)
            pause_briefly();
    } while (swept.dying > 0 && may_wait(o, deadline));
    return lease_take(o->leases, o->means.pool, &time_wait);
}

int obtain_port(struct obtaining *o)
{
    struct lease_want free_only = want(o, LEASE_FREE_ONLY);
    struct obtain_server *server = o->means.server;
    if (server != NULL && server->address != NULL && server->error == 0) {
        int port = ask_patiently(o);
        if (port > 0 || port == PORTMAP_ETORN) /* a torn table is not the server's fault */
            return port;
        server->error = port;
    }
    if (server != NULL && server->required)
        return server->error;
    int error = pool_settle(o->means.pool);
    if (error != 0)
        return error;
    free_only.occupied = o->occupied;
    int port = lease_take(o->leases, o->means.pool, &free_only);
    return port == PORTMAP_EXHAUSTED ? take_reclaimed(o) : port;
}

void obtain_return(struct obtaining *o, unsigned port)
{
    struct obtain_server *server = o->means.server;
    lease_release(o->leases, port, o->want.owner);
    if (server != NULL && server->address != NULL && server->error == 0)
        portserver_release(server->address, port, milliseconds_until(deadline_of(server)));
}

int obtain_given(struct obtaining *o, unsigned port)
{
    /* Whoever names a port may have used it a moment ago, so TIME_WAIT does not matter. */
    return claim_patiently(o, port, LEASE_TIME_WAIT);
}
