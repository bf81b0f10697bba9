/*
 * The lease table, which others who share the home write: lease/table.h. The input is a list of stores into
 * the file and of questions to the module, which has it mapped.
 */
#include "home.h"

#include "error.h"
#include "host/process.h"
#include "run/leases.h"

#include <errno.h>
#include <fcntl.h>

enum { FIRST = 20000, PORTS = 16 };

/* The file, as lease/table.c writes it. */
enum { HEADER = 56, NAMESPACES = 256, OWNERS = HEADER + 8 * NAMESPACES, RELEASED = OWNERS + 8 * PORT_COUNT };
enum { FILE_SIZE = RELEASED + 4 * PORT_COUNT };

static struct home home;
static struct lease_table table;
static struct pool pool;
static char *file;

static void map_file(void)
{
    int fd = openat(home.fd, "leases", O_RDWR | O_CLOEXEC);
    must(fd >= 0 && lseek(fd, 0, SEEK_END) == FILE_SIZE);
    file = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    must(file != MAP_FAILED);
    close(fd);
}

static void begin(void)
{
    fuzz_open_home(&home);
    must(leases_open(&table, &home) == 0);
    portbits_add_range(&pool.ports, FIRST, FIRST + PORTS - 1);
    pool.count = PORTS;
    map_file();
}

static void store(size_t at, uint64_t value, size_t bytes)
{
    memcpy(file + at, &value, bytes);
}

static unsigned port_of(uint64_t number)
{
    return FIRST + (unsigned)number % (PORTS + 2) - 1; /* one beside each end of the pool, too */
}

static void take(lease_owner owner)
{
    uint64_t before[PORTS];
    bool was_whole = memcmp(file, "psleases", 8) == 0;
    memcpy(before, file + OWNERS + 8 * FIRST, sizeof before);
    int port = lease_take(&table, &pool, &(struct lease_want){.owner = owner});
    must(port < 0 ||
         (portbits_has(&pool.ports, (unsigned)port) && lease_holder(&table, (unsigned)port) == owner));
    /* No port of a run is taken from it, nor one of a living process of ours. */
    must(port < 0 || before[port - FIRST] == 0 || lease_kind(before[port - FIRST]) != LEASE_RUN);
    must(was_whole || port < 0 || memcmp(file, "psleases", 8) != 0);
}

static void ask(unsigned port, lease_owner owner)
{
    struct lease_look look = {.table = &table};
    lease_owner holder = lease_holder(&table, port);
    bool died = lease_owner_has_died(&table, holder);
    must(!died || lease_kind(holder) != LEASE_RUN);
    must(!lease_look_has_died(&look, port, holder) || lease_kind(holder) != LEASE_RUN);
    lease_look_end(&look);
    int error = lease_claim(&table, port, &(struct lease_want){.owner = owner});
    must(error <= 0);
    must(error != 0 || lease_holder(&table, port) == owner);
    must(error == 0 || holder == owner || lease_holder(&table, port) != owner);
}

/* Opens what has become of the file, as the next command does, and makes it anew if it is torn. */
static void reopen(void)
{
    lease_close(&table);
    munmap(file, FILE_SIZE);
    must(leases_open(&table, &home) == 0);
    map_file();
    must(memcmp(file, "psleases", 8) == 0);
}

static void act(const uint8_t **data, size_t *size)
{
    lease_owner owner = lease_run_owner(1 + fuzz_number(data, size, 1) % 4);
    switch (fuzz_number(data, size, 1) % 10) {
    case 0:
        store(fuzz_number(data, size, 1) % HEADER, fuzz_number(data, size, 1), 1);
        break;
    case 1:
        store(HEADER + 8 * fuzz_number(data, size, 1), fuzz_number(data, size, 8), 8);
        break;
    case 2:
        store(OWNERS + 8 * port_of(fuzz_number(data, size, 1)), fuzz_number(data, size, 8), 8);
        break;
    case 3:
        store(RELEASED + 4 * port_of(fuzz_number(data, size, 1)), fuzz_number(data, size, 4), 4);
        break;
    case 4:
        take(owner);
        break;
    case 5:
        ask(port_of(fuzz_number(data, size, 1)), owner);
        break;
    case 6:
        lease_release(&table, port_of(fuzz_number(data, size, 1)), owner);
        break;
    case 7: {
        int error = lease_process_owner(&table, LEASE_PROCESS, getpid(), &owner);
        must(error == 0 || error == PORTMAP_ETOOMANY || error == -ESRCH);
        if (error == 0)
            must(lease_owner_pid(owner) == getpid() && lease_kind(owner) == LEASE_PROCESS);
        if (error == 0 && lease_renew_owner(&table, &owner) == 0)
            ask(port_of(fuzz_number(data, size, 1)), owner);
        break;
    }
    case 8:
        lease_is_current(&table, &home);
        break;
    case 9:
        reopen();
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (file == NULL)
        begin();
    memset(file + HEADER, 0, OWNERS - HEADER);
    memset(file + OWNERS + 8 * (FIRST - 1), 0, 8 * (PORTS + 2));
    memset(file + RELEASED + 4 * (FIRST - 1), 0, 4 * (PORTS + 2));
    while (size > 0)
        act(&data, &size);
    reopen();
    return 0;
}
