#include "run/obtain.h"

#include "base/environment.h"
#include "error.h"
#include "host/held.h"
#include "host/process.h"
#include "lease/key.h"
#include "lease/portserver.h"
#include "run/sweep.h"

#include <errno.h>
#include <time.h>

/* A server that gives this many unusable ports in a row has none for us. */
enum { SERVER_TRIES = 16 };

enum { PAUSE_MILLISECONDS = 50, SHORT_PAUSE_MILLISECONDS = 5 };

/* How long it may take until the others of a run have died of the same signal as its starter. */
#define OTHERS_FOLLOW UINT64_C(100000000) /* nanoseconds */

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

/* Whether ports come from a server, as far as is known. */
static bool is_asked(const struct obtain_server *server)
{
    return server != NULL && server->address != NULL && server->error == 0;
}

bool obtain_has_time(const struct obtaining *o)
{
    const struct obtain_server *server = o->means.server;
    if (!is_asked(server) || server->deadline == 0)
        return true;
    return process_clock() + (uint64_t)server->milliseconds * 500000 < server->deadline;
}

static void pause_for(unsigned milliseconds)
{
    const struct timespec time = {.tv_nsec = milliseconds * 1000000L};
    nanosleep(&time, NULL);
}

static void pause_briefly(void)
{
    pause_for(PAUSE_MILLISECONDS);
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

/* How long to wait for a port that a run owns. */
struct waiting {
    uint64_t until;    /* process_clock() */
    uint64_t ended_at; /* when its starter was last seen to end, or first found ended; 0: it lives */
};

static struct waiting begin_waiting(const struct obtaining *o)
{
    return (struct waiting){.until = process_clock() + o->means.patience};
}

/* Whether a living run is just ending: whoever has killed it may start it again at once. When its starter has
 * ended, its other processes may be about to. A run that has gone to the background has its port, and is
 * not waited for longer than it takes to die. */
static bool is_ending(const struct obtaining *o, uint64_t run_id, unsigned port, struct waiting *waiting)
{
    uint64_t now = process_clock();
    enum life_starter starter = life_starter(o->means.home, run_id);
    if (starter == STARTER_LIVES)
        return false;
    if (starter == STARTER_ENDING || waiting->ended_at == 0)
        waiting->ended_at = now;
    return now - waiting->ended_at < (held_port(port) ? OTHERS_FOLLOW : LIFE_GRACE);
}

/* Whether a port that another owner has may be free now: it is nobody's any more, or that of a run that is
 * dying or just ending, for which this waits a moment. */
static bool may_become_free(struct obtaining *o, unsigned port, struct waiting *waiting)
{
    lease_owner holder = lease_holder(o->leases, port);
    uint64_t run_id = lease_owner_run(holder);
    if (!may_wait(o, waiting->until) || lease_owner_pid(holder) != 0)
        return false;
    if (run_id != 0 && life_of(o->means.home, run_id) == RUN_ALIVE) {
        if (!is_ending(o, run_id, port, waiting))
            return false;
        pause_for(SHORT_PAUSE_MILLISECONDS);
        return true;
    }
    sweep_runs(o->means.home, o->leases, SWEEP_ALL);
    if (lease_holder(o->leases, port) != 0)
        pause_briefly();
    return true;
}

/* Leases this very port; waits while a run that is dying or just ending owns it. */
static int claim_patiently(struct obtaining *o, unsigned port, enum lease_effort effort)
{
    const struct lease_want wanted = want(o, effort);
    struct waiting waiting = begin_waiting(o);
    int error;
    do
        error = lease_claim(o->leases, port, &wanted);
    while (error == PORTMAP_EHELD && may_become_free(o, port, &waiting));
    return error;
}

/* Takes a port that the server has leased in this very table. A process's lease is good as it is. A run
 * becomes the owner of the port: it may outlive the process that the server leased for. */
static int take_over(struct obtaining *o, unsigned port, lease_owner holder, enum lease_effort effort)
{
    const struct lease_want wanted = want(o, effort);
    int error = lease_probe(port, &wanted);
    if (error != 0 || lease_owner_run(o->want.owner) == 0)
        return error;
    return lease_transfer(o->leases, port, holder, o->want.owner) ? 0 : PORTMAP_EHELD;
}

/* Sees to it that a port of the server is leased in the table. 0, or an error when it cannot be used. */
static int accept_port(struct obtaining *o, unsigned port, enum lease_effort effort)
{
    lease_owner holder = lease_holder(o->leases, port);
    if (o->avoid != NULL && portbits_has(o->avoid, port))
        return PORTMAP_EHELD;
    if (holder == o->want.owner)
        return PORTMAP_EHELD; /* it has been given to us before */
    if (lease_kind(holder) == LEASE_SERVED && lease_owner_pid(holder) == o->means.server->pid)
        return take_over(o, port, holder, effort);
    /* Wait: the port may still be owned by a run that has died, which the server knew first. */
    return claim_patiently(o, port, effort);
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

/* Gives back a port of the server that cannot be used. `portshim serve` takes it; another server keeps it
 * until the process has died. One that we own already is the server's again, which had forgotten that. */
static void decline(struct obtaining *o, unsigned port, uint64_t deadline)
{
    if (lease_holder(o->leases, port) != o->want.owner)
        portserver_release(o->means.server->address, port, milliseconds_until(deadline));
}

static int ask_server(struct obtaining *o)
{
    struct obtain_server *server = o->means.server;
    uint64_t deadline = deadline_of(server);
    for (unsigned tries = 0; tries < SERVER_TRIES; tries++) {
        int port = portserver_ask(server->address, server->pid, milliseconds_until(deadline));
        int error = port < 0 ? port : accept_port(o, (unsigned)port, LEASE_FREE_ONLY);
        if (port < 0 || error == 0)
            return port;
        decline(o, (unsigned)port, deadline);
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
    if (is_asked(server)) {
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
    if (is_asked(server))
        portserver_release(server->address, port, milliseconds_until(deadline_of(server)));
}

int obtain_given(struct obtaining *o, unsigned port)
{
    /* Whoever names a port may have used it a moment ago, so what connections have left does not matter. */
    return claim_patiently(o, port, LEASE_LEFT_OVER);
}

/* A server that does not understand the question may leave it unanswered. */
enum { NUMBER_MILLISECONDS = 1000 };

/* One question, and whether the port that is the answer can be used. */
static int ask_number_once(struct obtaining *o, uint32_t number, unsigned *port)
{
    struct obtain_server *server = o->means.server;
    uint64_t deadline = deadline_of(server);
    unsigned left = milliseconds_until(deadline);
    int error = portserver_ask_number(server->address, server->pid, number, port,
                                      left < NUMBER_MILLISECONDS ? left : NUMBER_MILLISECONDS);
    if (error == PORTMAP_EREFUSED || error == -ETIMEDOUT) {
        server->is_plain = true;
        return PORTMAP_EREFUSED;
    }
    if (error != 0) {
        server->error = error == PORTMAP_EHELD ? 0 : error;
        return error;
    }
    error = accept_port(o, *port, LEASE_LEFT_OVER);
    if (error != 0)
        decline(o, *port, deadline);
    return error;
}

static int ask_number(struct obtaining *o, uint32_t number, unsigned *port)
{
    struct waiting waiting = begin_waiting(o);
    for (;;) {
        int error = ask_number_once(o, number, port);
        if (error != PORTMAP_EHELD || lease_owner_run(lease_holder(o->leases, *port)) == 0)
            return error;
        while (lease_owner_run(lease_holder(o->leases, *port)) != 0)
            if (!may_become_free(o, *port, &waiting))
                return error;
    }
}

int obtain_number(struct obtaining *o, uint32_t number, unsigned *port)
{
    struct obtain_server *server = o->means.server;
    *port = 0;
    if (is_asked(server) && server->is_plain)
        return PORTMAP_EREFUSED;
    if (is_asked(server)) {
        int error = ask_number(o, number, port);
        if (server->error == 0)
            return error;
    }
    if (server != NULL && server->required)
        return PORTMAP_EREFUSED;
    int error = pool_settle(o->means.pool);
    if (error != 0)
        return error;
    *port = key_port(&o->means.pool->ports, o->means.pool->count, number);
    if (*port == 0 || (o->avoid != NULL && portbits_has(o->avoid, *port)) ||
        lease_holder(o->leases, *port) == o->want.owner)
        return PORTMAP_EHELD;
    return claim_patiently(o, *port, LEASE_LEFT_OVER);
}
