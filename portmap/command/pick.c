/* portshim pick: leases ports for a process and prints them, as `python3 -m portpicker` does. */
#include "base/lock.h"
#include "command/command.h"
#include "error.h"
#include "host/probe.h"
#include "host/process.h"
#include "lease/portserver.h"
#include "observe/holders.h"
#include "run/leases.h"
#include "run/picking.h"
#include "run/sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* How many dead runs a pick sweeps: few, as it is to be quick. */
enum { SWEPT_RUNS = 4 };

enum { MOST_PORTS = 4096 };

static const char help[] =
    "usage: portshim pick [OPTION]... [PID [TIMEOUT]]\n"
    "\n"
    "Leases a free port for process PID until that ends, and prints it. Default: the parent, so a script "
    "that\n"
    "says port=$(portshim pick) has the port until it ends; where the shell may put a process of its own in\n"
    "between, in a pipe say, give $$. The port server that PORTSERVER_ADDRESS names is\n"
    "asked, else the lease table. Without a server the port is also kept bound for TIMEOUT seconds, or "
    "until\n"
    "PID has ended; a server that sets SO_REUSEADDR can bind it meanwhile.\n"
    "\n"
    "  -n, --count COUNT  as many ports, one a line\n"
    "      --host HOST    free on this address of this host (\"\" for all, or localhost); repeatable;\n"
    "                     default: free on every address\n"
    "      --family FAMILY\n"
    "                     inet or inet6; default: both\n"
    "      --type TYPE    stream or dgram; default: both, TCP and UDP\n"
    "      --require-portserver\n"
    "                     no lease without the port server\n"
    "      --json         print JSON: an object with ports[]\n"
    "  -q, --quiet        no warnings\n"
    "  -h, --help         print this\n"
    "\n"
    "Exit status: 0, or 125 when portshim failed.\n";

static const char see_help[] = "see portshim pick --help";

struct picked {
    pid_t pid;
    unsigned count;
    uint64_t hold; /* nanoseconds */
    bool quiet, require_server, json;
    struct probe_scope scope;
    bool have_scope;
    const char *hosts[16];
    unsigned host_count;

    struct home home;
    struct pool pool;
    struct obtain_server server;
    unsigned short ports[MOST_PORTS]; /* 0: not leased yet */
    bool served[MOST_PORTS];          /* leased by the port server */
    unsigned held;                    /* how many are kept bound */
};

static unsigned parse_number(const char *word, unsigned most, const char *what)
{
    unsigned number = command_number(word, most);
    if (number == 0)
        command_fail("not a number in its range", see_help, "%s \"%s\"", what, word);
    return number;
}

static void set_family(struct picked *p, const char *word)
{
    if (strcmp(word, "inet") != 0 && strcmp(word, "inet6") != 0)
        command_fail("no such family", "write inet or inet6", "family \"%s\"", word);
    p->scope.family = strcmp(word, "inet") == 0 ? AF_INET : AF_INET6;
    p->have_scope = true;
}

static void set_type(struct picked *p, const char *word)
{
    if (strcmp(word, "stream") != 0 && strcmp(word, "dgram") != 0)
        command_fail("no such type", "write stream or dgram", "type \"%s\"", word);
    p->scope.no_udp = strcmp(word, "stream") == 0;
    p->scope.no_tcp = !p->scope.no_udp;
    p->have_scope = true;
}

static void keep_host(struct picked *p, const char *host)
{
    if (p->host_count == sizeof p->hosts / sizeof *p->hosts)
        command_fail("more than 16 are given", "leave some away", "host %s", host);
    p->hosts[p->host_count++] = host;
}

/* To be called after all options are read: --family may come after --host. */
static void add_hosts(struct picked *p)
{
    for (unsigned i = 0; i < p->host_count; i++) {
        int error = probe_add_host(&p->scope, p->hosts[i]);
        if (error == PORTMAP_ESYNTAX)
            command_fail("no address of that family", "write one such as 127.0.0.1 or ::1, or localhost",
                         "host \"%s\"", p->hosts[i]);
        if (error != 0)
            command_fail(portmap_strerror(error), "leave some away", "host \"%s\"", p->hosts[i]);
        p->have_scope = true;
    }
}

static void parse_options(struct picked *p, int argc, char **argv)
{
    enum { HOST = 256, FAMILY, TYPE, REQUIRE_PORTSERVER, JSON };
    static const struct option words[] = {{"count", required_argument, NULL, 'n'},
                                          {"host", required_argument, NULL, HOST},
                                          {"family", required_argument, NULL, FAMILY},
                                          {"type", required_argument, NULL, TYPE},
                                          {"require-portserver", no_argument, NULL, REQUIRE_PORTSERVER},
                                          {"json", no_argument, NULL, JSON},
                                          {"quiet", no_argument, NULL, 'q'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    for (int option; (option = command_option(argc, argv, "n:qh", words, help, see_help)) != -1;) {
        switch (option) {
        case 'n':
            p->count = parse_number(optarg, MOST_PORTS, "count");
            break;
        case HOST:
            keep_host(p, optarg);
            break;
        case FAMILY:
            set_family(p, optarg);
            break;
        case TYPE:
            set_type(p, optarg);
            break;
        case REQUIRE_PORTSERVER:
            p->require_server = true;
            break;
        case JSON:
            p->json = true;
            break;
        case 'q':
            p->quiet = true;
            break;
        }
    }
}

_Noreturn static void fail_of_process(const struct picked *p)
{
    command_fail("no such process", "name a living one of this pid namespace", "pid %d", (int)p->pid);
}

/* Reads PID and TIMEOUT. getppid(2) gives 0 for a parent outside of the pid namespace. */
static void parse_arguments(struct picked *p, int count, char **words)
{
    p->pid = getppid();
    if (count > 2)
        command_fail("too many arguments", see_help, "%s", words[2]);
    if (count > 0)
        p->pid = (pid_t)parse_number(words[0], INT32_MAX, "pid");
    if (count > 1)
        p->hold = command_seconds(words[1]);
    if (p->pid == 0 || !process_is_alive(p->pid, process_start_time(p->pid)))
        fail_of_process(p);
}

static void give_back(struct picked *p)
{
    int told = 0;
    for (unsigned i = 0; i < p->count; i++) {
        if (p->ports[i] == 0)
            continue;
        if (p->served[i] && told == 0) /* a server that failed to take one port takes no other */
            told = portserver_release(p->server.address, p->ports[i], p->server.milliseconds);
        picking_drop(p->ports[i]);
    }
}

_Noreturn static void fail_of_lease(const struct picked *p, int error)
{
    char why[1280];
    command_let_signals(); /* ends this process if the failure is a pending signal's */
    if (error == -ESRCH)
        fail_of_process(p);
    if (p->server.required)
        command_check_server(&p->server, false);
    if (error == PORTMAP_ETORN)
        command_fail(portmap_strerror(error), "check who removes it", "%s/leases", p->home.path);
    if (error != PORTMAP_EXHAUSTED)
        command_fail(lock_strerror(error),
                     error == -EADDRNOTAVAIL ? "name addresses of this host" : home_remedy(error),
                     "no port for pid %d", (int)p->pid);
    const char *remedy = holders_explain(&p->home, &p->pool, why, sizeof why);
    command_fail(why, remedy, "no port for pid %d", (int)p->pid);
}

/* Leases all ports, and anew those that are lost because the lease table is replaced meanwhile. Returns 0, or
 * an error with p->ports holding what was leased so far. */
static int lease_all(struct picked *p)
{
    struct picking picking = {.pid = p->pid,
                              .scope = p->have_scope ? &p->scope : NULL,
                              .server = &p->server,
                              .stop = command_must_end};
    const unsigned count = p->count;
    unsigned had = 0; /* how many ports in a row were found leased */
    for (unsigned i = 0; had < count; i = (i + 1) % count, had++) {
        if (picking_has(p->ports[i]))
            continue;
        int port = command_must_end() ? -EINTR : picking_lease(&picking);
        if (port < 0)
            return port;
        for (unsigned j = 0; j < count; j++)
            if (p->ports[j] == port) /* it was lost, and has now been leased again */
                p->ports[j] = 0;
        p->ports[i] = (unsigned short)port;
        p->served[i] = picking.served;
        had = 0;
    }
    return 0;
}

static void pick(struct picked *p)
{
    struct lease_table leases;
    int error = leases_open(&leases, &p->home);
    if (error != 0)
        command_fail(lock_strerror(error), home_remedy(error), "%s", p->home.path);
    sweep_runs(&p->home, &leases, SWEPT_RUNS);
    picking_use(&p->home, &p->pool, &leases);
    error = lease_all(p);
    if (error == 0)
        return;
    give_back(p);
    fail_of_lease(p, error);
}

/* Keeps the ports bound until TIMEOUT is over or process PID has ended. Leaves the caller's session,
 * directory and stdout: $(portshim pick) waits until its pipe is closed everywhere. */
_Noreturn static void hold_on(const struct picked *p)
{
    uint64_t start = process_start_time(p->pid), deadline = process_clock() + p->hold, now;
    const struct timespec second = {.tv_sec = 1};
    int nothing = open("/dev/null", O_RDWR);
    setsid();
    if (chdir("/") < 0 || nothing < 0)
        _exit(EXIT_FAILURE);
    for (int fd = 0; fd < 3; fd++)
        dup2(nothing, fd);
    while ((now = process_clock()) < deadline && process_is_alive(p->pid, start)) {
        uint64_t left = deadline - now;
        struct timespec rest = {.tv_nsec = (long)(left % 1000000000)};
        nanosleep(left > 1000000000 ? &second : &rest, NULL);
    }
    _exit(EXIT_SUCCESS);
}

/* If a blocked signal is pending, gives the ports back, as nobody has been told of them, and ends by it. */
static void end_if_told(struct picked *p)
{
    if (command_must_end()) {
        give_back(p);
        command_let_signals();
    }
}

/* Binds the ports of the lease table, which programs that do not ask the table could bind. Closes all other
 * descriptors first: the caller's, such as a lock, must not stay open with them. Returns 0 or an error. */
static int bind_ports(struct picked *p)
{
    static struct probe_held held;
    int answer = PROBE_FREE;
    command_fill_standard();
    command_close_from(3);
    for (unsigned i = 0; i < p->count && answer == PROBE_FREE; i++)
        if (!p->served[i] &&
            (answer = probe_hold(p->ports[i], p->have_scope ? &p->scope : NULL, &held)) == PROBE_FREE)
            p->held++;
    return answer == PROBE_FREE || answer < 0 ? answer : -EADDRINUSE;
}

static void hold(const struct picked *p, int error)
{
    pid_t pid = p->held > 0 ? fork() : -1;
    if (pid == 0)
        hold_on(p);
    if (pid < 0 && p->held > 0)
        error = -errno;
    if (error != 0 && !p->quiet)
        command_warn(portmap_strerror(error), "bind it soon, or give TIMEOUT 0", "cannot hold every port");
}

static void print(struct picked *p)
{
    const char *between = p->json ? "," : "\n";
    bool written = !p->json || printf("{\"ports\":[") > 0;
    for (unsigned i = 0; i < p->count; i++)
        written = printf("%s%u", i > 0 ? between : "", p->ports[i]) > 0 && written;
    written = puts(p->json ? "]}" : "") != EOF && written;
    if (fflush(stdout) != EOF && written)
        return;
    give_back(p);
    command_let_signals(); /* a pending SIGPIPE ends this process here */
    command_fail("cannot write", "give it an open stdout", "standard output");
}

int command_pick(int argc, char **argv)
{
    static struct picked picked = {.count = 1};
    struct picked *p = &picked;
    parse_options(p, argc, argv);
    add_hosts(p);
    parse_arguments(p, argc - optind, argv + optind);
    p->server = command_port_server(p->pid, p->require_server);
    command_load_pool(&p->pool, p->quiet);
    command_open_home(&p->home);
    command_hold_signals();
    pick(p);
    command_check_server(&p->server, p->quiet);
    int error = p->hold > 0 ? bind_ports(p) : 0;
    end_if_told(p);
    print(p);
    command_let_signals();
    hold(p, error);
    return EXIT_SUCCESS;
}
