#include "lease/pool.h"

#include "base/environment.h"
#include "base/text.h"
#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Ports below are root's, unless the kernel is told otherwise. */
enum { PRIVILEGED = 1024 };

/* The longest entry of a pool file; blanks in a row count as one. */
enum { ENTRY_SIZE = 128 };

/* Room for any list of ports. At worst three ports take 12 characters: "10000-10001," without 10002. */
enum { RESERVED_SIZE = 4 * PORT_COUNT };

/* https://fetch.spec.whatwg.org/#port-blocking, above 1023: browsers refuse to connect to them. */
static const uint16_t refused_by_browsers[] = {1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000,
                                               6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static void trim(const char **first, const char **last)
{
    while (*first < *last && is_blank(**first))
        ++*first;
    while (*last > *first && is_blank((*last)[-1]))
        --*last;
}

/* PORT or FIRST-LAST, as PySys writes them. */
static bool take_range(const char *at, const char *end, unsigned *first, unsigned *last)
{
    uint64_t a, b;
    if (!text_take_uint(&at, end, PORT_COUNT - 1, &a) || a == 0)
        return false;
    b = a;
    const char *rest = at;
    if (rest < end) {
        trim(&rest, &end);
        if (rest == end || *rest++ != '-')
            return false;
        trim(&rest, &end);
        if (!text_take_uint(&rest, end, PORT_COUNT - 1, &b) || b < a || rest != end)
            return false;
    }
    *first = (unsigned)a;
    *last = (unsigned)b;
    return true;
}

/* A pool that is being read, and where from. */
struct reading {
    struct pool *pool;
    const char *where; /* the name of a variable, option or file, for messages */
    unsigned line;     /* the current line of a file; 0 for a list */
    struct problem *problem;
};

static int refuse_token(const struct reading *r, const char *token, size_t len)
{
    struct text what = problem_of(r->problem, r->where, "not a port or range",
                                  r->line > 0 ? "write lines such as 8000-8099"
                                              : "write ports and ranges such as 8000-8099,9000");
    if (r->line > 0) {
        text_str(&what, ", line ");
        text_uint(&what, r->line);
    }
    text_str(&what, ": \"");
    problem_add_word(&what, token, len);
    text_char(&what, '"');
    return PORTMAP_ESYNTAX;
}

static int refuse_file(struct problem *problem, const char *file, int error)
{
    problem_of(problem, file, portmap_strerror(error), "name a file that can be read");
    return error;
}

static int add_token(const struct reading *r, const char *first, const char *last)
{
    unsigned low, high;
    trim(&first, &last);
    if (!take_range(first, last, &low, &high))
        return refuse_token(r, first, (size_t)(last - first));
    portbits_add_range(&r->pool->ports, low, high);
    return 0;
}

static int add_list(const struct reading *r, const char *list)
{
    for (;;) {
        size_t len = strcspn(list, ",");
        int error = add_token(r, list, list + len);
        if (error != 0 || list[len] == '\0')
            return error;
        list += len + 1;
    }
}

/* The current entry of a pool file that is being read. */
struct entry {
    char text[ENTRY_SIZE];
    size_t len;
    bool in_list;    /* there was a comma in this line */
    bool in_comment; /* we are in one, which ends with the line */
};

static int end_entry(struct entry *entry, const struct reading *r)
{
    size_t len = entry->len;
    entry->len = 0;
    if (len == sizeof entry->text) /* too long for a range, and maybe cut */
        return refuse_token(r, entry->text, len);
    bool is_empty_line = len == 0 && !entry->in_list;
    return is_empty_line ? 0 : add_token(r, entry->text, entry->text + len);
}

/* Reads one character. A line is empty or a list; a comment may follow, from "#" on. */
static int take_character(struct entry *entry, char c, struct reading *r)
{
    int error = 0;
    if (c == '\n') {
        error = end_entry(entry, r);
        if (error == 0) /* an error message names this line */
            r->line++;
        entry->in_list = entry->in_comment = false;
    } else if (c == '#' || entry->in_comment) {
        entry->in_comment = true;
    } else if (c == ',') {
        entry->in_list = true;
        error = end_entry(entry, r);
    } else if (!is_blank(c)) {
        entry->text[entry->len++] = c;
    } else if (entry->len > 0 && entry->text[entry->len - 1] != ' ') {
        entry->text[entry->len++] = ' '; /* one for all blanks in a row */
    }
    return entry->len < sizeof entry->text ? error : end_entry(entry, r);
}

static int add_lines(struct reading *r, int fd)
{
    char buffer[1024];
    struct entry entry = {.len = 0};
    r->line = 1;
    for (;;) {
        ssize_t got = read(fd, buffer, sizeof buffer);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return refuse_file(r->problem, r->where, -errno);
        if (got == 0)
            return end_entry(&entry, r);
        for (ssize_t i = 0; i < got; i++) {
            int error = take_character(&entry, buffer[i], r);
            if (error != 0)
                return error;
        }
    }
}

static int load_file(struct pool *pool, const char *path, struct problem *problem)
{
    struct reading r = {.pool = pool, .where = path, .problem = problem};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return refuse_file(problem, path, -errno);
    int error = add_lines(&r, fd);
    close(fd);
    pool->count = portbits_count(&pool->ports);
    return error;
}

struct ephemeral_range pool_ephemeral_range(void)
{
    struct ephemeral_range iana = {49152, 65535};
    char buffer[64];
    uint64_t first, last;
    int len = text_read_once("/proc/sys/net/ipv4/ip_local_port_range", buffer, sizeof buffer);
    if (len <= 0)
        return iana;
    const char *at = buffer, *end = buffer + len;
    if (!text_take_uint(&at, end, PORT_COUNT - 1, &first))
        return iana;
    at += strspn(at, " \t");
    if (!text_take_uint(&at, end, PORT_COUNT - 1, &last))
        return iana;
    return (struct ephemeral_range){(unsigned)first, (unsigned)last};
}

unsigned pool_first_unprivileged(void)
{
    char buffer[32];
    uint64_t first;
    const char *at = buffer;
    int len = text_read_once("/proc/sys/net/ipv4/ip_unprivileged_port_start", buffer, sizeof buffer);
    if (len <= 0 || !text_take_uint(&at, buffer + len, PORT_COUNT - 1, &first))
        return PRIVILEGED;
    return (unsigned)first;
}

static void remove_listed(struct pool *pool, const char *list)
{
    for (const char *at = list; *at != '\0';) {
        const char *comma = at + strcspn(at, ",\n");
        unsigned first, last;
        if (take_range(at, comma, &first, &last))
            portbits_remove_range(&pool->ports, first, last);
        at = *comma != '\0' ? comma + 1 : comma;
    }
}

static const char reserved_file[] = "/proc/sys/net/ipv4/ip_local_reserved_ports";

/* Reads the list into memory that takes any list. Returns its length or a negated errno. */
static int remove_long_list(struct pool *pool)
{
    char *list = mmap(NULL, RESERVED_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (list == MAP_FAILED)
        return -errno;
    int len = text_read_once(reserved_file, list, RESERVED_SIZE);
    if (len > 0)
        remove_listed(pool, list);
    munmap(list, RESERVED_SIZE);
    return len == RESERVED_SIZE - 1 ? -EFBIG : len;
}

/*
 * Takes the ports in net.ipv4.ip_local_reserved_ports ("8080,9000-9010") out of the pool. Where /proc does
 * not have that file, none are reserved. The first read(2) has to take the whole list: the kernel gives
 * nothing to a second one (proc_do_large_bitmap), and clears a buffer as large as what is asked for.
 */
static int remove_reserved(struct pool *pool)
{
    char list[1024];
    int len = text_read_once(reserved_file, list, sizeof list);
    if (len == sizeof list - 1)
        len = remove_long_list(pool);
    else if (len > 0)
        remove_listed(pool, list);
    return len >= 0 || len == -ENOENT || len == -EACCES ? 0 : len;
}

static int load_default(struct pool *pool)
{
    struct ephemeral_range ephemeral = pool->ephemeral.last != 0 ? pool->ephemeral : pool_ephemeral_range();
    /* Some containers allow all ports to everybody. Those below 1024 still belong to well-known services. */
    unsigned first = pool_first_unprivileged();
    portbits_add_range(&pool->ports, first < PRIVILEGED ? PRIVILEGED : first, PORT_COUNT - 1);
    portbits_remove_range(&pool->ports, ephemeral.first, ephemeral.last);
    for (unsigned i = 0; i < sizeof refused_by_browsers / sizeof *refused_by_browsers; i++)
        portbits_remove(&pool->ports, refused_by_browsers[i]);
    int error = remove_reserved(pool);
    pool->count = portbits_count(&pool->ports);
    if (error == 0 && pool->count < POOL_TOO_FEW) {
        pool->fallback = true;
        portbits_add_range(&pool->ports, 1024, 49151);
        pool->count = portbits_count(&pool->ports);
    }
    return error;
}

static const struct {
    const char *list, *file;
} variables[] = {{"PORTSHIM_POOL", "PORTSHIM_POOL_FILE"}, {"PYSYS_PORTS", "PYSYS_PORTS_FILE"}};

const char *pool_source(char *const *env)
{
    for (unsigned i = 0; i < sizeof variables / sizeof *variables; i++) {
        if (environment_get_nonempty(env, variables[i].list) != NULL)
            return variables[i].list;
        if (environment_get_nonempty(env, variables[i].file) != NULL)
            return variables[i].file;
    }
    return "default";
}

int pool_choose(struct pool *pool, char *const *env, struct problem *problem)
{
    memset(pool, 0, sizeof *pool);
    for (unsigned i = 0; i < sizeof variables / sizeof *variables; i++) {
        const char *list = environment_get_nonempty(env, variables[i].list);
        const char *file = environment_get_nonempty(env, variables[i].file);
        if (list != NULL)
            return pool_parse(pool, list, variables[i].list, problem);
        if (file != NULL)
            return load_file(pool, file, problem);
    }
    pool->is_unread = true;
    return 0;
}

int pool_settle(struct pool *pool)
{
    if (pool->is_unread) {
        pool->is_unread = false;
        pool->error = load_default(pool);
    }
    return pool->error;
}

void pool_explain(const struct pool *pool, struct problem *problem)
{
    refuse_file(problem, reserved_file, pool->error);
}

int pool_load(struct pool *pool, char *const *env, struct problem *problem)
{
    int error = pool_choose(pool, env, problem);
    if (error == 0 && pool_settle(pool) != 0) {
        pool_explain(pool, problem);
        error = pool->error;
    }
    return error;
}

int pool_parse(struct pool *pool, const char *list, const char *where, struct problem *problem)
{
    const struct reading r = {.pool = pool, .where = where, .problem = problem};
    memset(pool, 0, sizeof *pool);
    int error = add_list(&r, list);
    pool->count = portbits_count(&pool->ports);
    return error;
}
