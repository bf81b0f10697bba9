/* The lease table: lease/table.h. In a network of the test's own, in which every port is free. */
#include "directory.h"
#include "network.h"

#include "error.h"
#include "lease/table.h"
#include "run/leases.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

enum { FIRST = 20000, PORTS = 40, OWNERS = 5, SOMEBODY = 65534 };

static struct home home;
static struct lease_table table;
static struct pool pool;

/* An empty table in a home of its own, and a pool of `count` ports. Ends the test well where there is no
 * network to be had. */
static void begin(unsigned count)
{
    static char variable[64];
    enter_own_network();
    enter_new_directory();
    snprintf(variable, sizeof variable, "PORTSHIM_HOME=%s/home", directory);
    equal(home_open(&home, (char *[]){variable, NULL}), 0);
    equal(leases_open(&table, &home), 0);
    memset(&pool, 0, sizeof pool);
    portbits_add_range(&pool.ports, FIRST, FIRST + count - 1);
    pool.count = count;
}

static lease_owner random_run(void)
{
    uint64_t id = (uint64_t)random() << 31 ^ (uint64_t)random();
    return lease_run_owner((id & ((UINT64_C(1) << RUN_ID_BITS) - 1)) | 1);
}

static int claim(unsigned port, lease_owner owner)
{
    return lease_claim(&table, port, &(struct lease_want){.owner = owner});
}

static int take(lease_owner owner)
{
    return lease_take(&table, &pool, &(struct lease_want){.owner = owner});
}

TEST("an owner's word says who it is")
{
    begin(1);
    for (unsigned round = 0; round < 1000; round++) {
        uint64_t id = ((uint64_t)random() << 31 ^ (uint64_t)random()) & ((UINT64_C(1) << RUN_ID_BITS) - 1);
        lease_owner run = lease_run_owner(id);
        equal(lease_kind(run), LEASE_RUN);
        equal(lease_owner_run(run), id);
        equal(lease_owner_pid(run), 0);
    }
    lease_owner process, served, other;
    equal(lease_process_owner(&table, LEASE_PROCESS, getpid(), &process), 0);
    equal(lease_process_owner(&table, LEASE_SERVED, getpid(), &served), 0);
    equal(lease_process_owner(&table, LEASE_SERVED, getppid(), &other), 0);
    equal(lease_kind(process), LEASE_PROCESS);
    equal(lease_kind(served), LEASE_SERVED);
    equal(lease_owner_pid(process), getpid());
    equal(lease_owner_run(served), 0);
    equal(lease_is_same_process(process, served), true);
    equal(lease_is_same_process(other, served), false);
    equal(lease_kind(0), LEASE_NOBODY);
}

TEST("what is to be avoided is not taken")
{
    static struct portbits avoid;
    begin(200);
    portbits_add_range(&avoid, FIRST, FIRST + 199);
    for (unsigned count = 0; count < 40; count++)
        portbits_remove(&avoid, FIRST + below(200));
    unsigned left = 200 - portbits_count(&avoid);
    const struct lease_want want = {.owner = random_run(), .avoid = &avoid};
    for (unsigned count = 0; count < left; count++) {
        int port = lease_take(&table, &pool, &want);
        check(port > 0 && !portbits_has(&avoid, (unsigned)port), "%d", port);
    }
    equal(lease_take(&table, &pool, &want), PORTMAP_EXHAUSTED);
}

TEST("after random claims, takings, releases and transfers each port has the owner it must have")
{
    lease_owner owners[OWNERS], holder[PORTS + 1] = {0}; /* the last port is not in the pool */
    begin(PORTS);
    for (unsigned i = 0; i < OWNERS; i++)
        owners[i] = random_run();
    for (unsigned round = 0; round < 3000; round++) {
        unsigned i = below(PORTS + 1), port = FIRST + i, leased = 0;
        lease_owner owner = owners[below(OWNERS)], other = owners[below(OWNERS)];
        for (unsigned k = 0; k < PORTS; k++)
            leased += holder[k] != 0;
        int result;
        switch (below(5)) {
        case 0:
            equal(claim(port, owner), holder[i] == 0 || holder[i] == owner ? 0 : PORTMAP_EHELD);
            holder[i] = holder[i] == 0 ? owner : holder[i];
            break;
        case 1:
        case 2:
            result = take(owner);
            if (leased == PORTS) {
                equal(result, PORTMAP_EXHAUSTED);
                break;
            }
            check(result >= FIRST && result < FIRST + PORTS, "%d is not in the pool", result);
            equal(holder[result - FIRST], 0);
            holder[result - FIRST] = owner;
            break;
        case 3:
            equal(lease_release(&table, port, owner), holder[i] == owner);
            if (holder[i] == owner)
                check(lease_released_at(&table, port) != 0, "%u", port);
            holder[i] = holder[i] == owner ? 0 : holder[i];
            break;
        default:
            equal(lease_transfer(&table, port, owner, other), holder[i] == owner);
            holder[i] = holder[i] == owner ? other : holder[i];
        }
        for (unsigned k = 0; k <= PORTS; k++)
            equal(lease_holder(&table, FIRST + k), holder[k]);
    }
}

TEST("what was given back rests while there are others, and is leased again when there is no other")
{
    begin(PORTS);
    lease_owner owner = random_run();
    unsigned resting = 0;
    bool taken[PORTS] = {false};
    for (unsigned i = 0; i < PORTS; i++)
        if (below(2) == 0) {
            equal(claim(FIRST + i, owner), 0);
            equal(lease_release(&table, FIRST + i, owner), true);
            resting++;
        }
    for (unsigned i = 0; i < PORTS; i++) {
        int port = take(owner);
        check(port >= FIRST && !taken[port - FIRST], "%d", port);
        taken[port - FIRST] = true;
        equal(lease_released_at(&table, (unsigned)port) != 0, i >= PORTS - resting);
    }
    equal(take(owner), PORTMAP_EXHAUSTED);
}

/* A socket that holds a port. */
static int hold(unsigned port, int type)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, type, 0);
    check(bind(fd, (struct sockaddr *)&address, sizeof address) == 0, "%u: %s", port, strerror(errno));
    return fd;
}

TEST("a port that a socket has is not leased, by TCP or UDP, and stays nobody's")
{
    begin(PORTS);
    int fds[PORTS];
    unsigned held = 0;
    bool is_held[PORTS] = {false};
    for (unsigned i = 0; i < PORTS; i++)
        if (below(2) == 0) {
            fds[held++] = hold(FIRST + i, below(2) == 0 ? SOCK_STREAM : SOCK_DGRAM);
            is_held[i] = true;
            equal(claim(FIRST + i, random_run()), PORTMAP_EINUSE);
            equal(lease_holder(&table, FIRST + i), 0);
        }
    for (unsigned i = held; i < PORTS; i++) {
        int port = take(random_run());
        check(port >= FIRST && !is_held[port - FIRST], "%d", port);
    }
    equal(take(random_run()), PORTMAP_EXHAUSTED);
    for (unsigned i = 0; i < held; i++) {
        close(fds[i]);
        int port = take(random_run());
        check(port >= FIRST && is_held[port - FIRST], "%d", port);
    }
}

TEST("a privileged port is not leased to who may not bind it")
{
    begin(1);
    if (geteuid() != 0)
        return;
    check(seteuid(SOMEBODY) == 0, "%s", strerror(errno));
    equal(claim(80, random_run()), -EACCES);
    equal(lease_holder(&table, 80), 0);
    equal(claim(FIRST, random_run()), 0);
    check(seteuid(0) == 0, "%s", strerror(errno));
}

/* A process that waits to be ended. */
static pid_t start(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pause();
        _exit(0);
    }
    return pid;
}

TEST("a process keeps what it leased until it has died, a run until it is taken from it")
{
    begin(2);
    lease_owner process, run = random_run(), next = random_run();
    pid_t pid = start();
    equal(lease_process_owner(&table, LEASE_PROCESS, pid, &process), 0);
    equal(claim(FIRST, process), 0);
    equal(claim(FIRST + 1, run), 0);
    equal(lease_owner_has_died(&table, process), false);
    equal(lease_owner_has_died(&table, run), false);
    equal(claim(FIRST, next), PORTMAP_EHELD);
    equal(take(next), PORTMAP_EXHAUSTED);
    kill(pid, SIGKILL);
    waitid(P_PID, (id_t)pid, NULL, WEXITED | WNOWAIT); /* a zombie holds nothing any more */
    equal(lease_owner_has_died(&table, process), true);
    if (below(2) == 0)
        equal(claim(FIRST, next), 0);
    else
        equal(take(next), FIRST);
    equal(lease_holder(&table, FIRST), next);
    equal(claim(FIRST + 1, next), PORTMAP_EHELD);
    waitpid(pid, NULL, 0);
    equal(lease_process_owner(&table, LEASE_PROCESS, pid, &process), -ESRCH);
}

TEST("processes that lease at once never have the same port, and get all there are")
{
    enum { PROCESSES = 4, EACH = 100 };
    begin(PROCESSES * EACH);
    unsigned *count =
        mmap(NULL, sizeof *count * PORT_COUNT, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (unsigned i = 0; i < PROCESSES; i++)
        if (fork() == 0) {
            lease_owner owner = lease_run_owner(i + 1);
            for (unsigned k = 0; k < EACH; k++) {
                int port = take(owner);
                if (port <= 0)
                    _exit(1);
                __atomic_fetch_add(&count[port], 1, __ATOMIC_SEQ_CST);
            }
            _exit(0);
        }
    for (unsigned i = 0; i < PROCESSES; i++) {
        int status;
        check(wait(&status) > 0 && status == 0, "a process got no port");
    }
    for (unsigned i = 0; i < PROCESSES * EACH; i++)
        equal(count[FIRST + i], 1);
}

TEST("what is recorded in a draft is read back once it is in place, from the file as well")
{
    begin(PORTS);
    struct lease_table draft;
    lease_owner recorded[PORT_COUNT] = {0};
    equal(lease_is_current(&table, &home), true);
    equal(lease_draft(&draft, &home), 0);
    for (unsigned i = 0; i < 500; i++) {
        unsigned port = 1 + below(PORT_COUNT - 1);
        recorded[port] = random_run();
        lease_record(&draft, port, recorded[port]);
    }
    equal(lease_install(&home), 0);
    equal(lease_is_current(&table, &home), false);
    equal(lease_is_current(&draft, &home), true);
    lease_close(&table);
    equal(lease_open_existing(&table, &home), 0);
    int fd = openat(home.fd, "leases", O_RDONLY);
    equal(lease_is_table(fd), true);
    for (unsigned port = 1; port < PORT_COUNT; port++) {
        check(lease_holder(&table, port) == recorded[port], "%u", port);
        check(lease_peek(fd, port) == recorded[port], "%u", port);
    }
}

TEST("a table that is not whole, not a file or not this user's is told from one that is")
{
    begin(1);
    static char byte = 'x';
    for (unsigned round = 0; round < 200; round++) { /* magic, version, size */
        struct lease_table damaged;
        int fd = openat(home.fd, "leases", O_RDWR);
        char before;
        off_t at = below(16);
        check(pread(fd, &before, 1, at) == 1 && pwrite(fd, &byte, 1, at) == 1, "%d", (int)at);
        equal(lease_open_existing(&damaged, &home), PORTMAP_ETORN);
        equal(lease_is_current(&table, &home), false);
        equal(lease_is_table(fd), false);
        check(pwrite(fd, &before, 1, at) == 1, "%d", (int)at);
        equal(lease_is_current(&table, &home), true);
        close(fd);
    }
    int fd = openat(home.fd, "leases", O_RDWR);
    check(ftruncate(fd, lseek(fd, 0, SEEK_END) - 1) == 0, "truncate");
    equal(lease_open_existing(&table, &home), PORTMAP_ETORN);
    check(renameat(home.fd, "leases", home.fd, "other") == 0, "rename");
    equal(lease_open_existing(&table, &home), -ENOENT);
    check(symlinkat("other", home.fd, "leases") == 0, "symlink");
    equal(lease_open_existing(&table, &home), PORTMAP_EFOREIGN);
    check(unlinkat(home.fd, "leases", 0) == 0 && mkdirat(home.fd, "leases", 0700) == 0, "mkdir");
    equal(lease_open_existing(&table, &home), PORTMAP_EFOREIGN);
}

TEST("errors of a table that was damaged meanwhile mean that it is torn")
{
    begin(1);
    lease_owner owner = random_run(), other = random_run();
    equal(take(owner), FIRST);
    int fd = openat(home.fd, "leases", O_RDWR);
    check(pwrite(fd, "x", 1, 0) == 1, "%s", strerror(errno));
    equal(claim(FIRST, other), PORTMAP_ETORN);
    equal(take(other), PORTMAP_ETORN);
    equal(claim(FIRST, owner), 0);
}
