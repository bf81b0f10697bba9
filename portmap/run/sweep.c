#include "run/sweep.h"

#include "host/probe.h"
#include "host/process.h"
#include "host/sockdiag.h"
#include "run/life.h"
#include "run/map.h"
#include "run/name.h"
#include "run/rundir.h"

/* Whether a dead run's port may go to somebody else; also when it cannot be probed, in another namespace. */
static bool is_free_again(const struct life_look *look, unsigned port, enum lease_effort effort)
{
    if (look->map.head != NULL && process_is_other_network(look->map.head->net_namespace))
        return true;
    return probe_port(port) == PROBE_FREE ||
           (effort == LEASE_TIME_WAIT && sockdiag_only_time_wait(port) == 1);
}

/* Clears up a dead run. */
static void end_run(const struct home *home, struct lease_table *leases, struct life_look *look,
                    enum lease_effort effort, struct sweep *sweep)
{
    lease_owner owner = lease_run_owner(look->run_id);
    bool all_free = true;
    for (unsigned port = 1; port < PORT_COUNT; port++) {
        if (lease_holder(leases, port) != owner)
            continue;
        if (is_free_again(look, port, effort)) {
            lease_release(leases, port, owner);
            sweep->freed++;
        } else {
            all_free = false;
        }
    }
    if (!all_free)
        return;
    if (look->map.head != NULL)
        name_forget_all(home, &look->map);
    rundir_remove(home, look->run_id);
    sweep->removed++;
}

struct sweeping {
    const struct home *home;
    struct lease_table *leases;
    enum lease_effort effort;
    unsigned skip, left; /* runs to pass over first, then to look at */
    struct sweep result;
};

static bool count_run(uint64_t run_id, void *context)
{
    (void)run_id;
    ++*(unsigned *)context;
    return true;
}

static bool sweep_run(uint64_t run_id, void *context)
{
    struct sweeping *sweeping = context;
    if (sweeping->skip > 0) {
        sweeping->skip--;
        return true;
    }
    struct life_look look = life_look(sweeping->home, run_id);
    if (look.state == RUN_DEAD)
        end_run(sweeping->home, sweeping->leases, &look, sweeping->effort, &sweeping->result);
    sweeping->result.dying += look.state == RUN_DYING;
    life_look_away(&look);
    return --sweeping->left > 0;
}

/* Gives back the leases of runs whose directory somebody has removed by hand. */
static void sweep_orphans(struct sweeping *sweeping)
{
    uint64_t last = 0;
    bool gone = false;
    struct life_look nothing = {.map.fd = -1};
    for (unsigned port = 1; port < PORT_COUNT; port++) {
        lease_owner owner = lease_holder(sweeping->leases, port);
        uint64_t run_id = lease_owner_run(owner);
        if (run_id != 0 && run_id != last) {
            gone = life_of(sweeping->home, run_id) == RUN_GONE;
            last = run_id;
        }
        if (run_id != 0 && gone && is_free_again(&nothing, port, sweeping->effort)) {
            lease_release(sweeping->leases, port, owner);
            sweeping->result.freed++;
        }
    }
}

struct sweep sweep_runs(const struct home *home, struct lease_table *leases, unsigned most,
                        enum lease_effort effort)
{
    struct sweeping sweeping = {.home = home, .leases = leases, .effort = effort, .left = most};
    unsigned runs = 0;
    rundir_each(home, count_run, &runs);
    if (runs > most)
        sweeping.skip = (unsigned)(process_clock() / 1000 % (runs - most + 1));
    rundir_each(home, sweep_run, &sweeping);
    if (most == SWEEP_ALL)
        sweep_orphans(&sweeping);
    return sweeping.result;
}

void sweep_discard(const struct home *home, struct lease_table *leases, uint64_t run_id)
{
    lease_owner owner = lease_run_owner(run_id);
    for (unsigned port = 1; port < PORT_COUNT; port++)
        lease_release(leases, port, owner);
    rundir_remove(home, run_id);
}
