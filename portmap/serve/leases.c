#include "serve/leases.h"

#include "error.h"
#include "host/process.h"
#include "lease/key.h"
#include "lease/table.h"
#include "run/leases.h"
#include "run/life.h"
#include "run/sweep.h"
#include "serve/keep.h"
#include "serve/log.h"
#include "serve/process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { BUCKETS = 4096, NOBODY = 0 };

/* A user who asked for a port so recently counts as present: see is_at_cap(). */
#define ASKER_NANOSECONDS UINT64_C(60000000000)

/* A port found in use though not leased goes to the queue `busy`. After BUSY_NANOSECONDS the next request
 * moves it back to `free`, at most RETURNED_LOOKS ports at once. A request for which `free` has no port tries
 * up to BUSY_LOOKS busy ones. */
#define BUSY_NANOSECONDS UINT64_C(1000000000)
enum { BUSY_LOOKS = 64, RETURNED_LOOKS = 512 };

/* A lease is made in the table as it was so long ago or less, and it counts if the table is still the same
 * afterwards. */
#define SETTLED_NANOSECONDS UINT64_C(1000000)

/* A user may have ten thousands of dead processes and of runs in their home. One tick looks at TICK_LOOKS of
 * both, RUNS_OF_A_PROCESS runs for one process. */
enum { TICK_LOOKS = 1024, RUNS_OF_A_PROCESS = 16 };

/* How many leases a user has. Tenants and accounts are numbered from 1. */
struct account {
    uid_t uid;
    unsigned leases;
    uint32_t next; /* account of the bucket, or of the free list */
};

/* A process with leases. */
struct tenant {
    lease_owner owner; /* how the lease table names it */
    uint32_t account;
    uint32_t next; /* tenant of the bucket, or of the free list */
    uint32_t leases;
    int pidfd;           /* -1: serve_leases_tick() looks whether it lives */
    uint16_t first;      /* the first of its ports, a list through port_next */
    bool ended;          /* the process has died, and its leases are kept for runs */
    uint64_t dead_since; /* process_clock() when no living run was first found for its ports, else 0 */
};

/* A user who has asked for a port. */
struct asker {
    uid_t uid;
    uint64_t at; /* process_clock(); 0: nobody yet */
};

/* Ports, the least recently used first. */
struct queue {
    uint16_t port[PORT_COUNT];
    unsigned head, count;
};

struct serve_leases {
    struct home home; /* the caller's, until follow_home() opens another */
    struct lease_table table;
    uint64_t settled_at; /* process_clock() when the table was last found to be the home's */
    struct portbits pool;
    unsigned cap;                /* 0: see is_at_cap() */
    struct asker asker, another; /* who asked last, and the last other user before */
    unsigned most_pidfd;         /* the other half of the descriptors is for connections */
    int epoll;
    uint64_t tag;
    struct queue free, busy;
    uint64_t busy_since[PORT_COUNT];
    uint16_t port_next[PORT_COUNT], port_before[PORT_COUNT]; /* the tenant's list of ports; 0 ends it */
    uint32_t port_tenant[PORT_COUNT];                        /* NOBODY: not leased by this server */
    struct tenant tenants[PORT_COUNT];
    struct account accounts[PORT_COUNT];
    uint32_t tenant_bucket[BUCKETS], account_bucket[BUCKETS];
    uint32_t free_tenant, free_account; /* lists of numbers to use again */
    uint32_t tenant_mark, account_mark; /* the highest numbers used so far */
    uint32_t looked_at;                 /* the tenant at which the last tick stopped */
    struct serve_counts counts;
};

static void push(struct queue *queue, unsigned port)
{
    queue->port[(queue->head + queue->count++) % PORT_COUNT] = (uint16_t)port;
}

static unsigned pop(struct queue *queue)
{
    unsigned port = queue->port[queue->head];
    queue->head = (queue->head + 1) % PORT_COUNT;
    queue->count--;
    return port;
}

static void put_aside(struct serve_leases *l, unsigned port)
{
    l->busy_since[port] = process_clock();
    push(&l->busy, port);
}

static uint32_t *account_slot(struct serve_leases *l, uid_t uid)
{
    uint32_t *slot = &l->account_bucket[uid % BUCKETS];
    while (*slot != NOBODY && l->accounts[*slot].uid != uid)
        slot = &l->accounts[*slot].next;
    return slot;
}

/* Always finds room: there are as many accounts as ports, and each has a lease. */
static uint32_t open_account(struct serve_leases *l, uid_t uid)
{
    uint32_t *slot = account_slot(l, uid);
    if (*slot == NOBODY) {
        uint32_t number = l->free_account != NOBODY ? l->free_account : ++l->account_mark;
        l->free_account = l->accounts[number].next;
        l->accounts[number] = (struct account){.uid = uid};
        *slot = number;
    }
    return *slot;
}

static void close_account(struct serve_leases *l, uint32_t number)
{
    uint32_t *slot = account_slot(l, l->accounts[number].uid);
    *slot = l->accounts[number].next;
    l->accounts[number].next = l->free_account;
    l->free_account = number;
}

static uint32_t *tenant_slot(struct serve_leases *l, lease_owner owner, uid_t account)
{
    uint32_t *slot = &l->tenant_bucket[(unsigned)lease_owner_pid(owner) % BUCKETS];
    while (*slot != NOBODY &&
           (l->tenants[*slot].owner != owner || l->accounts[l->tenants[*slot].account].uid != account))
        slot = &l->tenants[*slot].next;
    return slot;
}

/* Adds the tenant's pidfd to epoll, or closes it where that fails: serve_leases_tick() looks then. */
static void watch(struct serve_leases *l, uint32_t number)
{
    struct tenant *tenant = &l->tenants[number];
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = l->tag | number};
    if (tenant->pidfd >= 0 && ((unsigned)tenant->pidfd > l->most_pidfd ||
                               epoll_ctl(l->epoll, EPOLL_CTL_ADD, tenant->pidfd, &event) < 0)) {
        close(tenant->pidfd);
        tenant->pidfd = -1;
    }
}

static void unwatch(struct tenant *tenant)
{
    if (tenant->pidfd >= 0)
        close(tenant->pidfd);
    tenant->pidfd = -1;
}

/* Finds or makes the tenant of a process. Takes pidfd over: a tenant that is there has its own. */
static uint32_t enter(struct serve_leases *l, lease_owner owner, int pidfd, uid_t uid)
{
    uint32_t *slot = tenant_slot(l, owner, uid);
    if (*slot != NOBODY) {
        if (pidfd >= 0)
            close(pidfd);
        return *slot;
    }
    uint32_t number = l->free_tenant != NOBODY ? l->free_tenant : ++l->tenant_mark;
    l->free_tenant = l->tenants[number].next;
    l->tenants[number] = (struct tenant){.owner = owner, .account = open_account(l, uid), .pidfd = pidfd};
    *slot = number;
    l->counts.processes++;
    watch(l, number);
    return number;
}

/* Removes a dead process from its bucket, so that enter() does not find it, and closes its pidfd. */
static void forget_process(struct serve_leases *l, uint32_t number)
{
    struct tenant *tenant = &l->tenants[number];
    *tenant_slot(l, tenant->owner, l->accounts[tenant->account].uid) = tenant->next;
    unwatch(tenant);
    tenant->ended = true;
}

static void leave(struct serve_leases *l, uint32_t number)
{
    struct tenant *tenant = &l->tenants[number];
    if (!tenant->ended)
        forget_process(l, number);
    if (l->accounts[tenant->account].leases == 0)
        close_account(l, tenant->account);
    tenant->next = l->free_tenant;
    l->free_tenant = number;
    l->counts.processes--;
}

static void enter_lease(struct serve_leases *l, uint32_t number, unsigned port)
{
    struct tenant *tenant = &l->tenants[number];
    l->port_tenant[port] = number;
    l->port_next[port] = tenant->first;
    l->port_before[port] = 0;
    l->port_before[tenant->first] = (uint16_t)port;
    tenant->first = (uint16_t)port;
    tenant->leases++;
    l->accounts[tenant->account].leases++;
    l->counts.leases++;
}

/* Takes a port off its tenant's list. The tenant stays, even without a port. */
static void strike_lease(struct serve_leases *l, unsigned port)
{
    struct tenant *tenant = &l->tenants[l->port_tenant[port]];
    uint16_t before = l->port_before[port], next = l->port_next[port];
    *(before != 0 ? &l->port_next[before] : &tenant->first) = next;
    l->port_before[next] = before;
    l->port_tenant[port] = NOBODY;
    tenant->leases--;
    l->accounts[tenant->account].leases--;
    l->counts.leases--;
    l->counts.kept -= tenant->ended;
}

/* The port is free when this server still had it in the table; a run, say, may have taken it over. */
static void give_back(struct serve_leases *l, unsigned port, lease_owner owner)
{
    bool ours = lease_release(&l->table, port, owner);
    if (!portbits_has(&l->pool, port))
        return;
    if (ours)
        push(&l->free, port);
    else
        put_aside(l, port);
}

static bool enter_leases(struct lease_table *fresh, void *context)
{
    struct serve_leases *l = context;
    serve_log(SERVE_LOG_NOTICE, "the lease table was replaced: %u leases are entered again",
              l->counts.leases);
    for (uint32_t number = 1; number <= l->tenant_mark; number++) {
        struct tenant *tenant = &l->tenants[number];
        if (tenant->leases == 0 || lease_renew_owner(fresh, &tenant->owner) != 0)
            continue;
        for (unsigned port = tenant->first; port != 0; port = l->port_next[port])
            leases_enter(fresh, port, tenant->owner);
    }
    return true;
}

/* Opens the home anew where somebody has removed it, with the table in it. */
static void follow_home(struct serve_leases *l)
{
    struct home another = l->home;
    if (home_is_in_place(&l->home) || home_reopen(&another) != 0)
        return;
    home_close(&l->home);
    l->home = another;
}

/* Opens the table anew where somebody has damaged or removed it, and enters our leases in the new one. */
static int settle(struct serve_leases *l)
{
    const struct claims claims = {.enter = enter_leases, .context = l};
    uint64_t now = process_clock();
    int error = 0;
    if (!lease_is_current(&l->table, &l->home)) {
        error = leases_settle(&l->table, &l->home, &claims);
        if (error == 0)
            follow_home(l);
    }
    l->settled_at = error == 0 ? now : 0;
    return error;
}

static bool is_settled(const struct serve_leases *l)
{
    return process_clock() - l->settled_at < SETTLED_NANOSECONDS;
}

static int compare_ages(const void *a, const void *b, void *context)
{
    const struct lease_table *table = context;
    uint32_t one = lease_released_at(table, *(const uint16_t *)a);
    uint32_t other = lease_released_at(table, *(const uint16_t *)b);
    return one != other ? (one < other ? -1 : 1) : *(const uint16_t *)a - *(const uint16_t *)b;
}

static void adopt(struct serve_leases *l, unsigned port, lease_owner owner)
{
    pid_t pid = lease_owner_pid(owner);
    uid_t account = 0;
    bool foreign;
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    serve_process_look(pid, &account, &foreign);
    enter_lease(l, enter(l, owner, pidfd, account), port);
}

/* Leases in the table that an earlier server gave to processes that have died. */
struct inherited {
    struct serve_leases *l;
    lease_owner own; /* how the table names this server */
    struct portbits ports;
};

/* Keeps the inherited ports that runs of this user have, as serve_leases_ended() would have done. */
static void adopt_kept(uid_t uid, void *context)
{
    struct inherited *inherited = context;
    struct serve_leases *l = inherited->l;
    struct serve_keep keep;
    uint32_t number = NOBODY;
    serve_keep_open(&keep, uid);
    for (unsigned port = 1; keep.table >= 0 && port < PORT_COUNT; port++) {
        if (!portbits_has(&inherited->ports, port) || !serve_keep_is_named(&keep, port) ||
            !lease_transfer(&l->table, port, lease_holder(&l->table, port), inherited->own))
            continue;
        if (number == NOBODY) {
            number = enter(l, inherited->own, -1, uid);
            forget_process(l, number);
        }
        enter_lease(l, number, port);
        l->counts.kept++;
        portbits_remove(&inherited->ports, port);
    }
    serve_keep_close(&keep);
}

static void take_over(struct serve_leases *l)
{
    struct inherited inherited = {.l = l};
    struct lease_look look = {.table = &l->table};
    for (unsigned port = 1; port < PORT_COUNT; port++) {
        lease_owner holder = lease_holder(&l->table, port);
        if (lease_kind(holder) != LEASE_SERVED)
            continue;
        if (lease_look_has_died(&look, port, holder))
            portbits_add(&inherited.ports, port);
        else
            adopt(l, port, holder);
    }
    lease_look_end(&look);
    if (portbits_count(&inherited.ports) > 0 &&
        lease_process_owner(&l->table, LEASE_SERVED, getpid(), &inherited.own) == 0)
        serve_keep_each_user(adopt_kept, &inherited);
}

static void fill(struct serve_leases *l)
{
    take_over(l);
    for (unsigned port = 1; port < PORT_COUNT; port++)
        if (l->port_tenant[port] == NOBODY && portbits_has(&l->pool, port))
            push(&l->free, port);
    qsort_r(l->free.port, l->free.count, sizeof *l->free.port, compare_ages, &l->table);
    if (l->counts.leases > 0)
        serve_log(SERVE_LOG_NOTICE, "%u leases of %u processes are taken over", l->counts.leases,
                  l->counts.processes);
}

int serve_leases_open(struct serve_leases **leases, const struct home *home, const struct pool *pool,
                      unsigned cap, int epoll, uint64_t tag)
{
    struct serve_leases *l = calloc(1, sizeof *l);
    if (l == NULL)
        return -ENOMEM;
    /* Assigning a whole struct here would write to every page of the arrays. */
    l->home = *home;
    l->pool = pool->ports;
    l->cap = cap;
    l->epoll = epoll;
    l->tag = tag;
    l->counts.managed = pool->count;
    l->most_pidfd = (unsigned)sysconf(_SC_OPEN_MAX) / 2;
    int error = leases_open(&l->table, home);
    if (error != 0) {
        free(l);
        return error;
    }
    fill(l);
    *leases = l;
    return 0;
}

/* Leases a port just taken off a queue and returns it. Otherwise puts it into a queue and returns 0, or a
 * code. */
static int try_port(struct serve_leases *l, unsigned port, const struct lease_want *want)
{
    l->counts.checked++;
    /* lease_claim() would succeed where another server of this table has leased the port to this process. */
    int error =
        lease_holder(&l->table, port) == want->owner ? PORTMAP_EHELD : lease_claim(&l->table, port, want);
    if (error == 0)
        return (int)port;
    if (error == PORTMAP_EHELD || error == PORTMAP_EINUSE || error == -EACCES) {
        put_aside(l, port);
        return 0;
    }
    push(&l->free, port);
    return error;
}

/* Leases a free port and returns it, 0 when there is none, or a code. */
static int take_port(struct serve_leases *l, lease_owner owner)
{
    uint64_t now = process_clock();
    struct lease_look look = {.table = &l->table};
    const struct lease_want want = {.owner = owner, .effort = LEASE_FREE_ONLY, .look = &look};
    int port = 0;
    l->counts.checked = 0;
    for (unsigned i = 0; i < RETURNED_LOOKS && l->busy.count > 0 &&
                         now - l->busy_since[l->busy.port[l->busy.head]] > BUSY_NANOSECONDS;
         i++)
        push(&l->free, pop(&l->busy));
    while (port == 0 && l->free.count > 0)
        port = try_port(l, pop(&l->free), &want);
    for (unsigned i = l->busy.count < BUSY_LOOKS ? l->busy.count : BUSY_LOOKS; port == 0 && i > 0; i--)
        port = try_port(l, pop(&l->busy), &want);
    lease_look_end(&look);
    return port;
}

/* Takes a port out of the middle of a queue; false when it is not in it. */
static bool take_out(struct queue *queue, unsigned port)
{
    unsigned i = 0;
    while (i < queue->count && queue->port[(queue->head + i) % PORT_COUNT] != port)
        i++;
    if (i == queue->count)
        return false;
    for (; i + 1 < queue->count; i++)
        queue->port[(queue->head + i) % PORT_COUNT] = queue->port[(queue->head + i + 1) % PORT_COUNT];
    queue->count--;
    return true;
}

/* Frees a port that a run of this very home had, if that is over. Usually the run's next command does so, but
 * the client may have another home. */
static void free_of_dead_run(struct serve_leases *l, unsigned port)
{
    lease_owner holder = lease_holder(&l->table, port);
    uint64_t run_id = lease_owner_run(holder);
    if (run_id != 0 && life_of(&l->home, run_id) >= RUN_DEAD)
        lease_release(&l->table, port, holder);
}

/* Leases this port of the pool. Whoever wants it may have used it a moment ago, so what connections have left
 * on it does not matter. */
static int take_wanted(struct serve_leases *l, lease_owner owner, unsigned port)
{
    struct lease_look look = {.table = &l->table};
    const struct lease_want want = {.owner = owner, .effort = LEASE_LEFT_OVER, .look = &look};
    l->counts.checked = 0;
    free_of_dead_run(l, port);
    int result = take_out(&l->free, port) || take_out(&l->busy, port) ? try_port(l, port, &want) : 0;
    lease_look_end(&look);
    return result != 0 ? result : PORTMAP_EHELD;
}

static void note_asker(struct serve_leases *l, uid_t uid)
{
    if (l->asker.uid != uid)
        l->another = l->asker;
    l->asker = (struct asker){.uid = uid, .at = process_clock()};
}

/* Whether a user other than the one who has just asked has leases, or asked within ASKER_NANOSECONDS. */
static bool another_is_there(const struct serve_leases *l, unsigned own_leases)
{
    return l->counts.leases > own_leases ||
           (l->another.at != 0 && process_clock() - l->another.at < ASKER_NANOSECONDS);
}

/*
 * The default where no cap is given: none for root and the server's own user; any other user leaves a quarter
 * of the pool free while another user is present.
 */
static bool is_at_cap(struct serve_leases *l, uid_t uid)
{
    uint32_t number = *account_slot(l, uid);
    unsigned leases = number != NOBODY ? l->accounts[number].leases : 0;
    if (l->cap != 0)
        return leases >= l->cap;
    if (uid == 0 || uid == geteuid() || !another_is_there(l, leases))
        return false;
    return leases >= l->counts.managed - l->counts.managed / 4;
}

/* Whether the lease just made is ours in the current table. If the table was replaced meanwhile and another
 * process has the port in the new one, the lease is undone. */
static bool stands(struct serve_leases *l, unsigned port)
{
    const struct tenant *tenant = &l->tenants[l->port_tenant[port]];
    if (settle(l) == 0 && lease_holder(&l->table, port) == tenant->owner)
        return true;
    strike_lease(l, port);
    give_back(l, port, tenant->owner);
    return false;
}

struct grant {
    struct serve_leases *l;
    pid_t pid;
    int pidfd; /* -1 once the tenant has it */
    uid_t account;
    uint32_t number; /* the tenant's, NOBODY until there is one */
    unsigned wanted; /* this port; 0: any */
};

/* The word for the process: a tenant has one, which settle() keeps right for the current table. */
static int name_owner(struct grant *grant, lease_owner *owner)
{
    struct serve_leases *l = grant->l;
    if (grant->number == NOBODY)
        return lease_process_owner(&l->table, LEASE_SERVED, grant->pid, owner);
    *owner = l->tenants[grant->number].owner;
    return 0;
}

static int try_grant(void *context)
{
    struct grant *grant = context;
    struct serve_leases *l = grant->l;
    lease_owner owner;
    int error = is_settled(l) ? 0 : settle(l);
    if (error == 0)
        error = name_owner(grant, &owner);
    if (error != 0)
        return error;
    note_asker(l, grant->account);
    if (is_at_cap(l, grant->account))
        return PORTMAP_ETOOMANY;
    int port = grant->wanted != 0 ? take_wanted(l, owner, grant->wanted) : take_port(l, owner);
    if (port <= 0)
        return port == 0 ? PORTMAP_EXHAUSTED : port;
    if (grant->number == NOBODY)
        grant->number = enter(l, owner, grant->pidfd, grant->account);
    grant->pidfd = -1;
    enter_lease(l, grant->number, (unsigned)port);
    return stands(l, (unsigned)port) ? port : PORTMAP_ETORN;
}

static int make_grant(struct grant *grant)
{
    struct serve_leases *l = grant->l;
    int port = leases_retry(try_grant, grant);
    if (grant->pidfd >= 0)
        close(grant->pidfd);
    if (grant->number != NOBODY && l->tenants[grant->number].leases == 0)
        leave(l, grant->number);
    l->counts.allocated += port > 0;
    return port;
}

int serve_leases_grant(struct serve_leases *l, pid_t pid, int pidfd, uid_t account, unsigned wanted)
{
    struct grant grant = {l, pid, pidfd, account, NOBODY, wanted};
    return make_grant(&grant);
}

uint32_t serve_leases_find(const struct serve_leases *l, pid_t pid, uid_t account)
{
    uint32_t number = l->tenant_bucket[(unsigned)pid % BUCKETS];
    while (number != NOBODY && (lease_owner_pid(l->tenants[number].owner) != pid ||
                                l->accounts[l->tenants[number].account].uid != account))
        number = l->tenants[number].next;
    const struct tenant *tenant = &l->tenants[number];
    bool lives = number != NOBODY && tenant->pidfd >= 0 && !serve_process_has_ended(tenant->pidfd);
    return lives && lease_owner_is_ours(&l->table, tenant->owner) ? number : NOBODY;
}

int serve_leases_grant_more(struct serve_leases *l, uint32_t number, unsigned wanted)
{
    const struct tenant *tenant = &l->tenants[number];
    struct grant grant = {l,     lease_owner_pid(tenant->owner), -1, l->accounts[tenant->account].uid, number,
                          wanted};
    return make_grant(&grant);
}

bool serve_leases_release(struct serve_leases *l, unsigned port, uid_t by)
{
    settle(l);
    uint32_t number = l->port_tenant[port];
    struct tenant *tenant = &l->tenants[number];
    if (number == NOBODY || (by != 0 && by != l->accounts[tenant->account].uid))
        return false;
    strike_lease(l, port);
    give_back(l, port, tenant->owner);
    l->counts.released++;
    if (tenant->leases == 0)
        leave(l, number);
    return true;
}

/*
 * Whether a run has the port; look_after_kept() finds out later whether that run lives. If so, the lease
 * becomes the server's: others who share the table take ports from dead processes. *own is how the table
 * names the server, 0 as long as no port was kept.
 */
static bool keep_port(struct serve_leases *l, const struct serve_keep *keep, unsigned port, lease_owner from,
                      lease_owner *own)
{
    return serve_keep_is_named(keep, port) &&
           (*own != 0 || lease_process_owner(&l->table, LEASE_SERVED, getpid(), own) == 0) &&
           lease_transfer(&l->table, port, from, *own);
}

void serve_leases_ended(struct serve_leases *l, uint32_t number)
{
    struct tenant *tenant = &l->tenants[number];
    struct serve_keep keep;
    settle(l);
    lease_owner was = tenant->owner, own = 0;
    unsigned kept = 0;
    forget_process(l, number);
    serve_keep_open(&keep, l->accounts[tenant->account].uid);
    for (unsigned port = tenant->first, next; port != 0; port = next) {
        next = l->port_next[port];
        l->counts.kept++;
        if (keep_port(l, &keep, port, was, &own)) {
            kept++;
            continue;
        }
        strike_lease(l, port);
        give_back(l, port, was);
        l->counts.reclaimed++;
    }
    tenant->owner = own;
    serve_keep_close(&keep);
    serve_log(SERVE_LOG_VERBOSE, "process %d has ended, %u of its ports are kept for runs",
              (int)lease_owner_pid(was), kept);
    if (tenant->leases == 0)
        leave(l, number);
}

static void reclaim(struct serve_leases *l, unsigned port)
{
    lease_owner owner = l->tenants[l->port_tenant[port]].owner;
    strike_lease(l, port);
    give_back(l, port, owner);
    l->counts.reclaimed++;
}

/* Frees the ports that the user's table has for no run any more: the run was swept there. */
static void reclaim_unnamed(struct serve_leases *l, const struct serve_keep *keep, uint32_t number)
{
    for (unsigned port = l->tenants[number].first, next; port != 0 && keep->table >= 0; port = next) {
        next = l->port_next[port];
        if (!serve_keep_is_named(keep, port))
            reclaim(l, port);
    }
}

/* Frees the ports kept for runs once those were dead for LIFE_GRACE. Returns how many runs it tested. */
static unsigned look_after_kept(struct serve_leases *l, uint32_t number)
{
    struct tenant *tenant = &l->tenants[number];
    struct serve_keep keep;
    uint64_t now = process_clock();
    bool needed = false;
    serve_keep_open(&keep, l->accounts[tenant->account].uid);
    reclaim_unnamed(l, &keep, number);
    for (unsigned port = tenant->first; port != 0 && !needed && keep.asked < RUNS_OF_A_PROCESS;
         port = l->port_next[port])
        needed = serve_keep_is_needed(&keep, port);
    serve_keep_close(&keep);
    if (needed)
        tenant->dead_since = 0;
    else if (tenant->dead_since == 0)
        tenant->dead_since = now;
    if (tenant->first != 0 && (needed || now - tenant->dead_since < LIFE_GRACE))
        return keep.asked;
    while (tenant->first != 0)
        reclaim(l, tenant->first);
    leave(l, number);
    return keep.asked;
}

/* Finds out what epoll does not report about a process or its runs. Returns how many looks that took. */
static unsigned look_after(struct serve_leases *l, uint32_t number, struct lease_look *look)
{
    const struct tenant *tenant = &l->tenants[number];
    if (tenant->leases == 0 || (!tenant->ended && tenant->pidfd >= 0))
        return 0;
    if (tenant->ended)
        return 1 + look_after_kept(l, number);
    if (lease_look_has_died(look, tenant->first, tenant->owner))
        serve_leases_ended(l, number);
    return 1;
}

unsigned serve_leases_port(struct serve_leases *l, uint32_t number)
{
    struct lease_look look = {.table = &l->table};
    unsigned port = key_port(&l->pool, l->counts.managed, number);
    /* The second look is at what the first one has made of a dead process's lease. */
    for (unsigned i = 0; i < 2 && l->port_tenant[port] != NOBODY; i++)
        look_after(l, l->port_tenant[port], &look);
    lease_look_end(&look);
    return port;
}

void serve_leases_tick(struct serve_leases *l)
{
    if (settle(l) == 0)
        follow_home(l);
    /* Busy ports may be those of dead runs in this table, which perhaps nobody else sweeps. */
    if (l->busy.count > 0)
        sweep_runs(&l->home, &l->table, SWEEP_SOME);
    struct lease_look look = {.table = &l->table};
    unsigned looks = 0;
    for (uint32_t i = 0; i < l->tenant_mark && looks < TICK_LOOKS; i++) {
        l->looked_at = l->looked_at % l->tenant_mark + 1;
        looks += look_after(l, l->looked_at, &look);
    }
    lease_look_end(&look);
}

struct serve_counts serve_leases_count(const struct serve_leases *l)
{
    return l->counts;
}
