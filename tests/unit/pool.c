/* The pool: lease/pool.h. */
#include "unit.h"

#include "base/text.h"
#include "error.h"
#include "lease/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

static struct pool pool;
static struct portbits wanted;
static struct problem problem;

/* A blank, or more of them, or none. */
static void add_blanks(struct text *t)
{
    static const char *const blanks[] = {"", "", "", " ", "\t", "   ", " \t "};
    text_str(t, blanks[below(sizeof blanks / sizeof *blanks)]);
}

/* PORT or FIRST-LAST, which the pool is to have then. */
static void add_entry(struct text *t)
{
    unsigned first = 1 + below(PORT_COUNT - 1), last = first + below(PORT_COUNT - first) % 50;
    add_blanks(t);
    text_uint(t, first);
    if (last != first) {
        add_blanks(t);
        text_char(t, '-');
        add_blanks(t);
        text_uint(t, last);
    }
    add_blanks(t);
    portbits_add_range(&wanted, first, last);
}

static void check_pool(const char *text)
{
    check(memcmp(&pool.ports, &wanted, sizeof wanted) == 0, "%s", text);
    equal(pool.count, portbits_count(&wanted));
    check(!pool.fallback, "%s", text);
}

static int load(const char *variable, const char *value)
{
    char text[8192];
    snprintf(text, sizeof text, "%s=%s", variable, value);
    return pool_load(&pool, (char *[]){text, NULL}, &problem);
}

TEST("a random list is the pool, no port more or less")
{
    for (unsigned round = 0; round < 200; round++) {
        char list[4096];
        struct text t = text_in(list, sizeof list);
        memset(&wanted, 0, sizeof wanted);
        add_entry(&t);
        for (unsigned i = below(30); i > 0; i--) {
            text_char(&t, ',');
            add_entry(&t);
        }
        equal(pool_parse(&pool, list, "--pool", &problem), 0);
        check_pool(list);
        equal(load("PORTSHIM_POOL", list), 0);
        check_pool(list);
        equal(load("PYSYS_PORTS", list), 0);
        check_pool(list);
    }
}

static void write_file(const char *path, const char *text, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    check(fd >= 0 && write(fd, text, len) == (ssize_t)len, "%s: %s", path, strerror(errno));
    close(fd);
}

/* A file of the test's, without a name. */
static const char *file_path(void)
{
    static char path[32];
    if (*path == '\0')
        snprintf(path, sizeof path, "/proc/self/fd/%d", memfd_create("pool", 0));
    return path;
}

TEST("a random file is the pool, whatever blanks, comments and empty lines are in it")
{
    for (unsigned round = 0; round < 200; round++) {
        char file[8192];
        struct text t = text_in(file, sizeof file);
        memset(&wanted, 0, sizeof wanted);
        for (unsigned line = below(30); line > 0; line--) {
            if (below(4) > 0)
                add_entry(&t);
            else
                add_blanks(&t);
            while (t.used > 0 && t.at[t.used - 1] >= '0' && t.at[t.used - 1] <= '9' && below(3) == 0) {
                text_char(&t, ',');
                add_entry(&t);
            }
            text_str(&t, below(3) == 0 ? "# all, 70000 - x" : "");
            text_str(&t, line == 1 && below(2) == 0 ? "" : below(2) == 0 ? "\n" : "\r\n");
        }
        write_file(file_path(), file, t.used);
        equal(load("PORTSHIM_POOL_FILE", file_path()), 0);
        check_pool(file);
        equal(load("PYSYS_PORTS_FILE", file_path()), 0);
        check_pool(file);
    }
}

TEST("the line that is wrong is named, with the word")
{
    static const char *const bad[] = {"x",     "0",     "65536", "9-8", "8080,",
                                      ",8080", "80 81", "80-",   "-80", "all"};
    for (unsigned round = 0; round < 500; round++) {
        char file[2048], where[64];
        struct text t = text_in(file, sizeof file);
        unsigned lines = below(50);
        for (unsigned i = 0; i < lines; i++)
            text_str(&t, below(2) == 0 ? "8000-8010 # ok\n" : "\n");
        text_str(&t, bad[below(sizeof bad / sizeof *bad)]);
        text_str(&t, "\n8011\n");
        write_file(file_path(), file, t.used);
        equal(load("PORTSHIM_POOL_FILE", file_path()), PORTMAP_ESYNTAX);
        snprintf(where, sizeof where, "%s, line %u: \"", file_path(), lines + 1);
        check(strncmp(problem.what, where, strlen(where)) == 0, "%s", problem.what);
    }
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
        equal(load("PORTSHIM_POOL", bad[i]), PORTMAP_ESYNTAX);
    equal(load("PORTSHIM_POOL_FILE", "/nowhere"), -ENOENT);
    equal_text(problem.what, "/nowhere");
}

TEST("by default no port is privileged, ephemeral or refused by browsers")
{
    struct ephemeral_range ephemeral = pool_ephemeral_range();
    equal(pool_load(&pool, (char *[]){"PORTSHIM_POOL=", "HOME=/", NULL}, &problem), 0);
    equal(pool.count, portbits_count(&pool.ports));
    if (pool.fallback)
        return;
    for (unsigned port = 0; port < PORT_COUNT; port++)
        check(!portbits_has(&pool.ports, port) ||
                  (port >= 1024 && (port < ephemeral.first || port > ephemeral.last)),
              "%u", port);
    equal(portbits_has(&pool.ports, 6000), false);
    equal(portbits_has(&pool.ports, 10080), false);
}

TEST("our own variables come first, a list before a file, and empty ones are none")
{
    char *env[] = {"PORTSHIM_POOL=1", "PORTSHIM_POOL_FILE=/nowhere", "PYSYS_PORTS=2",
                   "PYSYS_PORTS_FILE=/nowhere", NULL};
    equal_text(pool_source(env), "PORTSHIM_POOL");
    equal_text(pool_source(env + 1), "PORTSHIM_POOL_FILE");
    equal_text(pool_source(env + 2), "PYSYS_PORTS");
    equal_text(pool_source(env + 3), "PYSYS_PORTS_FILE");
    equal_text(pool_source(env + 4), "default");
    equal_text(pool_source(NULL), "default");
    equal(pool_load(&pool, env, &problem), 0);
    equal(portbits_has(&pool.ports, 1), true);
    env[0] = "PORTSHIM_POOL=";
    equal_text(pool_source(env), "PORTSHIM_POOL_FILE");
    equal(pool_load(&pool, env, &problem), -ENOENT);
}

TEST("the kernel's settings are read when they are needed, and a list from a variable at once")
{
    static struct pool loaded;
    equal(pool_choose(&pool, (char *[]){"PORTSHIM_POOL=7,9", NULL}, &problem), 0);
    equal(pool.is_unread, false);
    equal(pool.count, 2);
    equal(pool_settle(&pool), 0);
    equal(pool.count, 2);
    equal(pool_choose(&pool, (char *[]){NULL}, &problem), 0);
    equal(pool.is_unread, true);
    equal(pool.count, 0);
    equal(pool_settle(&pool), 0);
    equal(pool_load(&loaded, (char *[]){NULL}, &problem), 0);
    equal(memcmp(&loaded, &pool, sizeof pool), 0);
}
