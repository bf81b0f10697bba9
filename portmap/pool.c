#include "pool.h"

#include "environment.h"
#include "error.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* https://fetch.spec.whatwg.org/#port-blocking, those above 1023: a browser refuses to talk to them. */
static const uint16_t refused_by_browsers[] = {1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000,
                                               6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080};

static void trim(const char **first, const char **last)
{
    while (*first < *last && strchr(" \t\r", **first) != NULL)
        ++*first;
    while (*last > *first && strchr(" \t\r", (*last)[-1]) != NULL)
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

static int add_token(struct pool *pool, const char *first, const char *last, struct pool_problem *problem)
{
    unsigned low, high;
    trim(&first, &last);
    if (!take_range(first, last, &low, &high)) {
        struct text token = text_in(problem->token, sizeof problem->token);
        text_bytes(&token, first, (size_t)(last - first));
        return PORTMAP_ESYNTAX;
    }
    portbits_add_range(&pool->ports, low, high);
    return 0;
}

static int add_list(struct pool *pool, const char *list, const char *end, struct pool_problem *problem)
{
    for (;;) {
        const char *comma = memchr(list, ',', (size_t)(end - list));
        int error = add_token(pool, list, comma != NULL ? comma : end, problem);
        if (error != 0 || comma == NULL)
            return error;
        list = comma + 1;
    }
}

/* A line of a pool file: empty, a comment, or a list. */
static int add_line(struct pool *pool, const char *line, const char *end, struct pool_problem *problem)
{
    const char *comment = memchr(line, '#', (size_t)(end - line));
    if (comment != NULL)
        end = comment;
    trim(&line, &end);
    problem->line++;
    return line == end ? 0 : add_list(pool, line, end, problem);
}

static int add_lines(struct pool *pool, int fd, struct pool_problem *problem)
{
    char buffer[4096];
    size_t used = 0;
    for (;;) {
        ssize_t got = read(fd, buffer + used, sizeof buffer - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        used += (size_t)got;
        char *line = buffer, *newline;
        while ((newline = memchr(line, '\n', used - (size_t)(line - buffer))) != NULL) {
            int error = add_line(pool, line, newline, problem);
            if (error != 0)
                return error;
            line = newline + 1;
        }
        used -= (size_t)(line - buffer);
        memmove(buffer, line, used);
        if (got == 0 || used == sizeof buffer)
            return used == 0 ? 0 : add_line(pool, buffer, buffer + used, problem);
    }
}

static int load_file(struct pool *pool, const char *path, struct pool_problem *problem)
{
    struct text where = text_in(problem->where, sizeof problem->where);
    text_str(&where, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int error = add_lines(pool, fd, problem);
    close(fd);
    return error;
}

static int load_list(struct pool *pool, const char *variable, const char *list, struct pool_problem *problem)
{
    struct text where = text_in(problem->where, sizeof problem->where);
    text_str(&where, variable);
    return add_list(pool, list, list + strlen(list), problem);
}

struct ephemeral_range pool_ephemeral_range(void)
{
    struct ephemeral_range iana = {49152, 65535};
    char buffer[64];
    uint64_t first, last;
    int len = text_read_file("/proc/sys/net/ipv4/ip_local_port_range", buffer, sizeof buffer);
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

static unsigned first_unprivileged(void)
{
    char buffer[32];
    uint64_t first;
    const char *at = buffer;
    int len = text_read_file("/proc/sys/net/ipv4/ip_unprivileged_port_start", buffer, sizeof buffer);
    if (len <= 0 || !text_take_uint(&at, buffer + len, PORT_COUNT - 1, &first))
        return 1024;
    /* Some containers open all ports to everyone; the low ones are still somebody's well-known ones. */
    return first < 1024 ? 1024 : (unsigned)first;
}

/* net.ipv4.ip_local_reserved_ports: "8080,9000-9010"; what cannot be read reserves nothing. */
static void remove_reserved(struct pool *pool)
{
    char buffer[4096];
    int len = text_read_file("/proc/sys/net/ipv4/ip_local_reserved_ports", buffer, sizeof buffer);
    const char *at = buffer, *end = buffer + (len > 0 ? len : 0);
    while (at < end) {
        const char *comma = at + strcspn(at, ",\n");
        unsigned first, last;
        if (take_range(at, comma, &first, &last))
            for (unsigned port = first; port <= last; port++)
                portbits_remove(&pool->ports, port);
        at = comma + 1;
    }
}

static void load_default(struct pool *pool)
{
    struct ephemeral_range ephemeral = pool_ephemeral_range();
    for (unsigned port = first_unprivileged(); port < PORT_COUNT; port++)
        if (port < ephemeral.first || port > ephemeral.last)
            portbits_add(&pool->ports, port);
    for (unsigned i = 0; i < sizeof refused_by_browsers / sizeof *refused_by_browsers; i++)
        portbits_remove(&pool->ports, refused_by_browsers[i]);
    remove_reserved(pool);
    if (portbits_count(&pool->ports) < POOL_TOO_FEW) {
        pool->fallback = true;
        portbits_add_range(&pool->ports, 1024, 49151);
    }
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

int pool_load(struct pool *pool, char *const *env, struct pool_problem *problem)
{
    int error = 0;
    bool given = false;
    memset(pool, 0, sizeof *pool);
    memset(problem, 0, sizeof *problem);
    for (unsigned i = 0; i < 2 && !given && error == 0; i++) {
        const char *list = environment_get_nonempty(env, variables[i].list);
        const char *file = environment_get_nonempty(env, variables[i].file);
        given = list != NULL || file != NULL;
        if (list != NULL)
            error = load_list(pool, variables[i].list, list, problem);
        else if (file != NULL)
            error = load_file(pool, file, problem);
    }
    if (!given)
        load_default(pool);
    pool->count = portbits_count(&pool->ports);
    return error;
}

void pool_describe(const struct pool_problem *problem, int error, char *buffer, size_t size)
{
    struct text t = text_in(buffer, size);
    text_str(&t, problem->where);
    if (problem->line > 0) {
        text_str(&t, ", line ");
        text_uint(&t, problem->line);
    }
    if (error == PORTMAP_ESYNTAX) {
        text_str(&t, ": \"");
        text_str(&t, problem->token);
        text_char(&t, '"');
    }
}

int pool_parse(struct pool *pool, const char *list, const char *where, struct pool_problem *problem)
{
    memset(pool, 0, sizeof *pool);
    memset(problem, 0, sizeof *problem);
    int error = load_list(pool, where, list, problem);
    pool->count = portbits_count(&pool->ports);
    return error;
}

void pool_remove(struct pool *pool, unsigned port)
{
    if (portbits_has(&pool->ports, port)) {
        portbits_remove(&pool->ports, port);
        pool->count--;
    }
}
