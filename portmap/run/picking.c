#include "run/picking.h"

#include "error.h"
#include "lease/portserver.h"
#include "run/leases.h"
#include "run/life.h"
#include "run/sweep.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

extern char **environ;

/* What all threads share: opened at the first call, written under the lock. */
static struct {
    pthread_mutex_t lock;
    sigset_t mask;    /* the signal mask that the lock's holder had before */
    int cancellation; /* likewise, its cancelability state */
    bool open;
    struct home home; /* only the path; its descriptor is closed */
    struct pool pool;
    struct lease_table table;
    pid_t pid; /* the process that `owner` is the word for; 0: none */
    lease_owner owner;
} shared = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The ports that this process has leased, for itself or for another, and the owner of each in the table. */
static _Atomic uint64_t leased[PORTBITS_WORDS];
static _Atomic lease_owner given[PORT_COUNT];

/* Of these: those that the next pick gives, and those that the server is told of when they are released. */
static _Atomic uint64_t reserved[PORTBITS_WORDS], returning[PORTBITS_WORDS];

/* Those that a thread is giving back to the server just now. */
static _Atomic uint64_t releasing[PORTBITS_WORDS];

static bool test_bit(_Atomic uint64_t *set, unsigned port)
{
    return atomic_load(&set[port / 64]) >> (port % 64) & 1;
}

static void set_bit(_Atomic uint64_t *set, unsigned port)
{
    atomic_fetch_or(&set[port / 64], UINT64_C(1) << (port % 64));
}

/* Returns whether the bit was set. */
static bool clear_bit(_Atomic uint64_t *set, unsigned port)
{
    uint64_t bit = UINT64_C(1) << (port % 64);
    return atomic_fetch_and(&set[port / 64], ~bit) & bit;
}

/* Blocks signals and cancellation while the lock is held. A handler that forks would wait here for the very
 * thread that it has interrupted, and after a cancellation all others would wait forever. */
static void lock(void)
{
    sigset_t all, mask;
    int cancellation;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &mask);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancellation);
    pthread_mutex_lock(&shared.lock);
    shared.mask = mask;
    shared.cancellation = cancellation;
}

static void unlock(void)
{
    sigset_t mask = shared.mask;
    int cancellation = shared.cancellation;
    pthread_mutex_unlock(&shared.lock);
    pthread_setcancelstate(cancellation, NULL);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

static void clear_all(_Atomic uint64_t *set)
{
    for (unsigned word = 0; word < PORTBITS_WORDS; word++)
        if (atomic_load(&set[word]) != 0)
            atomic_store(&set[word], 0);
}

/* The parent keeps its leases; the child has none. */
static void begin_child(void)
{
    clear_all(leased);
    clear_all(reserved);
    clear_all(returning);
    clear_all(releasing);
    shared.pid = 0; /* in a new pid namespace, the child may have its parent's pid */
    unlock();
}

/* Holds the lock during fork: in the child, no other thread would be there to release it. */
__attribute__((constructor)) static void survive_fork(void)
{
    pthread_atfork(lock, unlock, begin_child);
}

/* Opens the home again, and makes it anew if somebody has removed it. */
static int open_home(struct home *home)
{
    *home = shared.home;
    return home_reopen(home);
}

static int open_table(void)
{
    struct home home;
    struct lease_table table;
    int error = open_home(&home);
    if (error != 0)
        return error;
    error = leases_open(&table, &home);
    home_close(&home);
    if (error != 0)
        return error;
    shared.table = table;
    shared.pid = 0;
    return 0;
}

void picking_use(const struct home *home, const struct pool *pool, const struct lease_table *table)
{
    shared.home = *home;
    shared.pool = *pool;
    shared.table = *table;
    shared.open = true;
}

static int open_shared(void)
{
    struct problem problem;
    int error = pool_load(&shared.pool, environ, &problem);
    if (error == 0) {
        error = home_open(&shared.home, environ);
        home_close(&shared.home);
    }
    if (error == 0)
        error = open_table();
    shared.open = error == 0;
    return error;
}

static int find_owner(void)
{
    pid_t pid = getpid();
    if (shared.pid == pid)
        return 0;
    lease_enter_namespaces(&shared.table);
    int error = lease_process_owner(&shared.table, LEASE_PROCESS, pid, &shared.owner);
    shared.pid = error == 0 ? pid : 0;
    return error;
}

/* Enters what this process has leased in a new table, unless others were quicker. A lease that the server has
 * made, the server enters itself, maybe before us. */
static bool carry_over(struct lease_table *fresh, void *context)
{
    (void)context;
    for (unsigned port = 1; port < PORT_COUNT; port++) {
        lease_owner owner = test_bit(leased, port) ? atomic_load(&given[port]) : 0;
        if (owner == 0)
            continue;
        bool is_ours = lease_renew_owner(fresh, &owner) == 0 && lease_transfer(fresh, port, 0, owner);
        if (!is_ours && (lease_kind(owner) != LEASE_SERVED || lease_holder(fresh, port) != owner))
            clear_bit(leased, port);
        atomic_store(&given[port], owner);
    }
    shared.pid = 0; /* the word for this process may differ in that table */
    return true;
}

static int settle(void)
{
    static const struct claims claims = {.enter = carry_over, .shared = true};
    return leases_settle(&shared.table, &shared.home, &claims);
}

/* Gets a copy of the shared table, and the word for this process in it. */
static int use(struct lease_table *table, lease_owner *own)
{
    lock();
    int error = shared.open ? 0 : open_shared();
    if (error == 0 && !lease_is_current(&shared.table, &shared.home))
        error = settle(); /* nobody would see a claim in a table that is not current */
    if (error == 0)
        error = find_owner();
    *table = shared.table;
    *own = shared.owner;
    unlock();
    return error;
}

/* Notes a claim just made, and settles it. 0; or PORTMAP_ETORN when it was lost with a table that has been
 * replaced, and is to be made again. Other threads may use the old table, so it stays mapped. */
static int keep(const struct lease_table *table, unsigned port, lease_owner owner, bool comes_back)
{
    lease_owner holder = lease_holder(table, port);
    lock();
    bool kept = table->file == shared.table.file;
    if (kept) {
        /* If the server has leased it for the process, note the server's word. After the process has died,
         * the port may have another owner: not that one's. */
        atomic_store(&given[port], lease_is_same_process(holder, owner) ? holder : owner);
        if (comes_back)
            set_bit(returning, port);
        else
            clear_bit(returning, port);
        clear_bit(releasing, port);
        set_bit(leased, port);
    }
    int error = settle();
    if (error != 0 && kept) {
        lease_release(&shared.table, port, atomic_load(&given[port]));
        clear_bit(leased, port);
    }
    kept = kept && test_bit(leased, port);
    unlock();
    return kept || error != 0 ? error : PORTMAP_ETORN;
}

/* Leases a port: from the table, or with a server or an exhausted pool by obtain_port(), which needs the home
 * to clear up after dead runs. */
static int obtain(struct lease_table *table, struct picking *picking)
{
    struct home home;
    struct obtain_server *server = picking->server;
    struct obtaining obtaining = {.means = {.home = &home,
                                            .pool = &shared.pool,
                                            .server = server,
                                            .patience = OBTAIN_PATIENT,
                                            .stop = picking->stop},
                                  .leases = table,
                                  .want = {.owner = picking->owner, .scope = picking->scope}};
    int port = server->address == NULL ? lease_take(table, &shared.pool, &obtaining.want) : PORTMAP_EXHAUSTED;
    picking->served = false;
    if (port != PORTMAP_EXHAUSTED)
        return port;
    int error = open_home(&home);
    if (error != 0)
        return error;
    port = obtain_port(&obtaining);
    home_close(&home);
    picking->served = port > 0 && server->address != NULL && server->error == 0;
    return port;
}

static int try_lease(void *context)
{
    struct picking *picking = context;
    struct lease_table table;
    lease_owner own;
    int error = use(&table, &own);
    if (error == 0 && picking->pid == getpid())
        picking->owner = own;
    else if (error == 0 && picking->file != table.file)
        error = lease_process_owner(&table, LEASE_PROCESS, picking->pid, &picking->owner);
    if (error != 0)
        return error;
    picking->file = table.file;
    int port = obtain(&table, picking);
    if (port < 0)
        return port;
    error = keep(&table, (unsigned)port, picking->owner, picking->served);
    if (error == 0)
        return port;
    if (picking->served)
        portserver_release(picking->server->address, (unsigned)port, picking->server->milliseconds);
    return error;
}

int picking_lease(struct picking *picking)
{
    return leases_retry(try_lease, picking);
}

bool picking_has(unsigned port)
{
    return test_bit(leased, port);
}

int picking_take_reserved(void)
{
    for (unsigned word = 0; word < PORTBITS_WORDS; word++) {
        uint64_t bits;
        while ((bits = atomic_load(&reserved[word])) != 0) {
            unsigned port = word * 64 + (unsigned)__builtin_ctzll(bits);
            if (clear_bit(reserved, port))
                return (int)port;
        }
    }
    return 0;
}

/* Whether the server took the port back, as `portshim serve` does. Others keep it for us until we end. */
static bool tell_server(unsigned port)
{
    struct obtain_server server = obtain_server_of(environ, getpid());
    return server.address != NULL && portserver_release(server.address, port, server.milliseconds) == 0;
}

/* To be called with the lock. A lease that the server made, and has taken back, may be another's by now. */
static void drop(unsigned port, bool server_has_it)
{
    lease_owner owner = atomic_load(&given[port]);
    clear_bit(leased, port);
    if (!server_has_it || lease_kind(owner) != LEASE_SERVED)
        lease_release(&shared.table, port, owner);
}

void picking_drop(unsigned port)
{
    lock();
    if (test_bit(leased, port))
        drop(port, true);
    unlock();
}

enum releasing { NOT_LEASED, RELEASED, TO_BE_RETURNED };

/*
 * Removes a port from `leased` and from the table in one step, under the lock. In two steps, a new table
 * could come in between, in which another thread leases the port, and this one would free that lease. A port
 * that may come back stays leased until the server has answered.
 */
static enum releasing begin_release(unsigned port)
{
    enum releasing what = NOT_LEASED;
    lock();
    if (test_bit(leased, port) && !test_bit(reserved, port) && !test_bit(releasing, port))
        what = test_bit(returning, port) ? TO_BE_RETURNED : RELEASED;
    if (what == TO_BE_RETURNED)
        set_bit(releasing, port);
    if (what == RELEASED)
        drop(port, false);
    unlock();
    return what;
}

static void finish_release(unsigned port, bool server_has_it)
{
    lock();
    /* If not, the server has given the port to another thread by now. */
    if (clear_bit(releasing, port) && test_bit(leased, port)) {
        if (!server_has_it && lease_owner_pid(atomic_load(&given[port])) == getpid())
            set_bit(reserved, port);
        else
            drop(port, server_has_it);
    }
    unlock();
}

int picking_release(unsigned port)
{
    enum releasing what = begin_release(port);
    if (what == TO_BE_RETURNED)
        finish_release(port, tell_server(port));
    return what == NOT_LEASED ? PORTMAP_ENOTOURS : 0;
}

/* Frees the ports of a run that has died: it owns them until somebody clears up. */
static void clear_up_run(struct lease_table *table, uint64_t run_id)
{
    struct home home;
    if (open_home(&home) != 0)
        return;
    if (life_of(&home, run_id) != RUN_ALIVE)
        sweep_runs(&home, table, SWEEP_ALL);
    home_close(&home);
}

static int try_reserve(void *context)
{
    unsigned port = *(unsigned *)context;
    struct lease_table table;
    lease_owner own;
    int error = use(&table, &own);
    if (error != 0)
        return error;
    uint64_t run_id = lease_owner_run(lease_holder(&table, port));
    if (run_id != 0)
        clear_up_run(&table, run_id);
    lease_owner holder = lease_holder(&table, port);
    bool ours = lease_is_same_process(holder, own);
    if (!ours && holder != 0 && !lease_owner_has_died(&table, holder))
        return PORTMAP_EHELD;
    if (!ours && !lease_transfer(&table, port, holder, own))
        return PORTMAP_EHELD;
    return keep(&table, port, own, true);
}

int picking_reserve(unsigned port)
{
    int error = leases_retry(try_reserve, &port);
    if (error == 0)
        set_bit(reserved, port);
    return error;
}
