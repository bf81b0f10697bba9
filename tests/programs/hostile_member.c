/*
 * Processes of a run, of which one is hostile.
 *
 *     hostile_member fill ROUNDS [nobody] [paths] [cut] [TEXT] [PORT...]
 *
 * fills every byte of the run's files that it can write with values of its own making, again and again. It
 * writes where the library has mapped the files for it; with `paths` it also opens what it can by name. With
 * `nobody` it first drops its user, as the worker of a server does. With `cut`, it cuts what it has opened
 * short now and then. One of the values is TEXT, which has a "=", another are entries of late tables with the
 * PORTs and privileged ones. Prints "filling", how many bytes it has filled in the first
 * round, and "done" at the end.
 *
 *     hostile_member spoil NAME
 *
 * drops its user, and notes of the program of that name, which the run remembers, that it is static.
 *
 *     hostile_member use FIRST LAST FOREIGN...
 *
 * binds ports from FIRST to LAST, connects to them and asks for names, until SIGTERM. Prints what must not
 * be: the kernel has put its socket on a privileged port or on one of the FOREIGN ones. SIGBUS, which is the
 * answer to a file that was cut short, ends it without a word; any other signal does not.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_PARTS = 64, NOBODY = 65534, UNPRIVILEGED = 1024 };

static struct part {
    char *at;
    size_t size;
    int fd; /* of a file that was opened by name, else -1 */
} parts[MOST_PARTS];
static unsigned part_count;

static uint64_t state;

static uint32_t ports[64];
static unsigned port_count;

static uint64_t random_word(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void add_part(char *at, size_t size, int fd)
{
    if (part_count < MOST_PARTS)
        parts[part_count++] = (struct part){at, size, fd};
}

/* Maps a file of the run to be written, if this process may. */
static void add_file(const char *directory, const char *name, const char *ending)
{
    char path[4096 + 300];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s%s", directory, name, ending);
    int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return;
    char *at = fstat(fd, &st) == 0 && st.st_size > 0
                   ? mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
                   : MAP_FAILED;
    if (at != MAP_FAILED)
        add_part(at, (size_t)st.st_size, fd);
}

/* Finds the files of the run that the library has mapped; with `paths`, also others of the run and its home.
 */
static void find_parts(const char *run, bool paths)
{
    char line[5000], path[4097], mode[8];
    unsigned long first, last;
    FILE *maps = fopen("/proc/self/maps", "r");
    if (maps == NULL)
        exit(2);
    size_t len = strlen(run);
    char names[8][256];
    unsigned count = 0;
    while (fgets(line, sizeof line, maps) != NULL) {
        if (sscanf(line, "%lx-%lx %7s %*s %*s %*s %4096[^\n]", &first, &last, mode, path) != 4 ||
            strncmp(path, run, len) != 0 || path[len] != '/')
            continue;
        if (count < 8)
            snprintf(names[count++], sizeof names[0], "%.255s", path + len + 1);
        /* A mapping that is shared and cannot be written now may be made so, if it was opened to be. */
        char *at = (char *)first;
        if (mode[3] == 's' && mprotect(at, last - first, PROT_READ | PROT_WRITE) == 0)
            add_part(at, last - first, -1);
    }
    fclose(maps);
    if (!paths)
        return;
    for (unsigned i = 0; i < count; i++) {
        add_file(run, names[i], "");
        add_file(run, names[i], ".late");
    }
    add_file(run, "map", "");
    add_file(run, "texts", "");
}

/* An entry of a late table as the library would write it (run/map.h): a port, both protocols, that it is
 * late, and maybe an alias, used, or chosen by the kernel. */
static uint32_t entry(void)
{
    uint64_t word = random_word();
    uint32_t port =
        port_count > 0 && word % 2 == 0 ? ports[word / 2 % port_count] : (uint32_t)(word / 2 % 1024);
    return port | UINT32_C(0xb) << 16 | (uint32_t)(word >> 32 & 1) << 18 | (uint32_t)(word >> 33 & 3) << 21;
}

/* One of the values that the bytes are filled with: anything, or what might be taken for an entry. */
static uint64_t value(unsigned kind)
{
    uint64_t word = random_word();
    switch (kind) {
    case 0:
        return word;
    case 1: /* two ports with flags */
        return word & UINT64_C(0x007fffff007fffff);
    case 2: /* small numbers */
        return word & UINT64_C(0x000003ff000003ff);
    case 3:
        return 0;
    case 4:
        return ~UINT64_C(0);
    case 5:
    case 6:
        return (uint64_t)entry() << 32 | entry();
    default: /* mostly nothing, and now and then anything */
        return word % 16 == 0 ? random_word() : 0;
    }
}

static void fill(struct part *part, const char *text)
{
    enum { KINDS = 8 };
    unsigned kind = (unsigned)(random_word() % (text != NULL ? KINDS + 1 : KINDS));
    if (kind == KINDS) {
        size_t len = strlen(text) + 1; /* with its NUL */
        for (size_t i = 0; i < part->size; i++)
            part->at[i] = text[i % len];
        return;
    }
    for (size_t i = 0; i + sizeof(uint64_t) <= part->size; i += sizeof(uint64_t)) {
        uint64_t word = value(kind);
        memcpy(part->at + i, &word, sizeof word);
    }
}

static void cut_short(const struct part *part)
{
    if (part->fd < 0)
        return;
    if (ftruncate(part->fd, (off_t)(random_word() % part->size)) < 0 ||
        ftruncate(part->fd, (off_t)part->size) < 0)
        exit(2);
}

static bool become_nobody(void)
{
    return setgroups(0, NULL) == 0 && setgid(NOBODY) == 0 && setuid(NOBODY) == 0;
}

static int fill_all(unsigned long rounds, bool nobody, bool paths, bool cut, const char *text)
{
    const char *run = getenv("PORTSHIM_RUN");
    if (run == NULL)
        return 2;
    if (nobody && !become_nobody())
        return 2;
    find_parts(run, paths);
    size_t bytes = 0;
    for (unsigned i = 0; i < part_count; i++)
        bytes += parts[i].size;
    printf("filling %zu\n", bytes);
    fflush(stdout);
    for (unsigned long round = 0; round < rounds; round++) {
        for (unsigned i = 0; i < part_count; i++) {
            fill(&parts[i], text);
            if (cut)
                cut_short(&parts[i]);
        }
        usleep(200); /* so that the others do something between two rounds */
    }
    printf("done\n");
    return 0;
}

/* In a struct map_program (run/map.h) the kind, which is 1 for a static program, is right before the name. */
static int spoil(const char *name)
{
    const uint32_t is_static = 1;
    char *found = NULL;
    if (!become_nobody())
        return 2;
    find_parts(getenv("PORTSHIM_RUN"), false);
    for (unsigned i = 0; i < part_count && found == NULL; i++)
        found = memmem(parts[i].at, parts[i].size, name, strlen(name) + 1);
    if (found == NULL)
        return 3;
    memcpy(found - sizeof is_static, &is_static, sizeof is_static);
    return 0;
}

/* The kernel's port of a socket that listens; 0 when it is not found. */
static unsigned kernel_port(int fd)
{
    char line[300];
    struct stat st;
    unsigned port = 0, found;
    unsigned long inode;
    FILE *sockets = fopen("/proc/net/tcp", "r");
    if (sockets == NULL || fstat(fd, &st) < 0)
        exit(2);
    while (port == 0 && fgets(line, sizeof line, sockets) != NULL)
        if (sscanf(line, " %*u: %*x:%x %*x:%*x %*x %*x:%*x %*x:%*x %*x %*u %*u %lu", &found, &inode) == 2 &&
            inode == st.st_ino)
            port = found;
    fclose(sockets);
    return port;
}

static void check(unsigned placeholder, unsigned port, char **foreign)
{
    bool bad = port != 0 && port < UNPRIVILEGED;
    for (; *foreign != NULL; foreign++)
        bad = bad || (unsigned)atoi(*foreign) == port;
    if (bad) {
        printf("placeholder %u is bound at %u\n", placeholder, port);
        fflush(stdout);
    }
}

static void use(unsigned placeholder, char **foreign)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)placeholder),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int server = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (server < 0 || client < 0)
        exit(2);
    if (bind(server, (struct sockaddr *)&address, len) == 0 && listen(server, 1) == 0) {
        check(placeholder, kernel_port(server), foreign);
        getsockname(server, (struct sockaddr *)&address, &len);
    }
    address.sin_port = htons((uint16_t)placeholder);
    connect(client, (struct sockaddr *)&address, sizeof address);
    len = sizeof address;
    getpeername(client, (struct sockaddr *)&address, &len);
    /* A connection that is reset leaves nothing in TIME_WAIT. */
    struct linger reset = {.l_onoff = 1};
    setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(client);
    close(server);
}

static volatile sig_atomic_t is_over;

static void stop(int signal)
{
    (void)signal;
    is_over = 1;
}

static int use_all(unsigned first, unsigned last, char **foreign)
{
    signal(SIGTERM, stop);
    unsigned long count = 0;
    for (; !is_over; count++) {
        use(first + (unsigned)(random_word() % (last - first + 1)), foreign);
        if (count == 0) {
            printf("using\n");
            fflush(stdout);
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    state = (uint64_t)getpid() * UINT64_C(0x9e3779b97f4a7c15) | 1;
    if (argc >= 4 && strcmp(argv[1], "use") == 0)
        return use_all((unsigned)atoi(argv[2]), (unsigned)atoi(argv[3]), argv + 4);
    if (argc == 3 && strcmp(argv[1], "spoil") == 0)
        return spoil(argv[2]);
    if (argc < 3 || strcmp(argv[1], "fill") != 0)
        return 2;
    bool nobody = false, paths = false, cut = false;
    const char *text = NULL;
    for (int i = 3; i < argc; i++) {
        nobody = nobody || strcmp(argv[i], "nobody") == 0;
        paths = paths || strcmp(argv[i], "paths") == 0;
        cut = cut || strcmp(argv[i], "cut") == 0;
        text = strchr(argv[i], '=') != NULL ? argv[i] : text;
        if (atoi(argv[i]) > 0 && port_count < sizeof ports / sizeof *ports)
            ports[port_count++] = (uint32_t)atoi(argv[i]);
    }
    return fill_all(strtoul(argv[2], NULL, 10), nobody, paths, cut, text);
}
