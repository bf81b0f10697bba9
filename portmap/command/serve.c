/* portshim serve: starts the port server, as a daemon or in the foreground, or asks a running one. */
#include "base/environment.h"
#include "base/lock.h"
#include "base/utf8.h"
#include "command/command.h"
#include "error.h"
#include "lease/portserver.h"
#include "serve/log.h"
#include "serve/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

static const char help[] =
    "usage: portshim serve [OPTION]...\n"
    "\n"
    "Leases ports to processes of all users of this host, by portpicker's protocol, until they end. Clients\n"
    "find it by PORTSERVER_ADDRESS. Returns when requests are answered, and goes on in the background.\n"
    "\n"
    "      --address ADDRESS  a path, or @NAME for an abstract socket; default: PORTSERVER_ADDRESS, else\n"
    "                         @unittest-portserver\n"
    "      --pool POOL        the ports: 20000-20999,23000; default: as PORTSHIM_POOL says\n"
    "      --per-user COUNT   how many leases one user may have; default: as many as there are for root and\n"
    "                         the server's own user, and for others while they are alone; three quarters\n"
    "                         of the pool for others while another user is there\n"
    "      --foreground       stay, and log to stderr instead of syslog; so it is under systemd's\n"
    "                         socket activation as well\n"
    "  -v, --verbose          log every lease and refusal\n"
    "      --debug            log every connection, too\n"
    "      --status           print the statistics of a running server\n"
    "  -h, --help             print this\n"
    "\n"
    "Known from portpicker's server: --portserver_address, --portserver_unix_socket_address and\n"
    "--portserver_static_pool. SIGUSR1 logs statistics, SIGTERM ends it.\n"
    "Exit status: 0, or 125 when portshim failed.\n";

static const char see_help[] = "see portshim serve --help";

struct serving {
    const char *address, *pool_list;
    unsigned cap;
    bool foreground, status;
    enum serve_log_level level;
    struct home home;
    struct pool pool;
    struct serve_listener listener;
};

static unsigned parse_cap(const char *word)
{
    unsigned cap = command_number(word, PORT_COUNT);
    if (cap == 0)
        command_fail("not a number of leases", "write one in 1-65536", "--per-user %s", word);
    return cap;
}

enum { ADDRESS = 256, POOL, PER_USER, FOREGROUND, DEBUG, STATUS };
static const struct option words[] = {{"address", required_argument, NULL, ADDRESS},
                                      {"portserver_address", required_argument, NULL, ADDRESS},
                                      {"portserver_unix_socket_address", required_argument, NULL, ADDRESS},
                                      {"pool", required_argument, NULL, POOL},
                                      {"portserver_static_pool", required_argument, NULL, POOL},
                                      {"per-user", required_argument, NULL, PER_USER},
                                      {"foreground", no_argument, NULL, FOREGROUND},
                                      {"verbose", no_argument, NULL, 'v'},
                                      {"debug", no_argument, NULL, DEBUG},
                                      {"status", no_argument, NULL, STATUS},
                                      {"help", no_argument, NULL, 'h'},
                                      {NULL, 0, NULL, 0}};

static void parse_options(struct serving *s, int argc, char **argv)
{
    for (int option; (option = command_option(argc, argv, "vh", words, help, see_help)) != -1;) {
        switch (option) {
        case ADDRESS:
            s->address = optarg;
            break;
        case POOL:
            s->pool_list = optarg;
            break;
        case PER_USER:
            s->cap = parse_cap(optarg);
            break;
        case FOREGROUND:
            s->foreground = true;
            break;
        case 'v':
            s->level = s->level < SERVE_LOG_VERBOSE ? SERVE_LOG_VERBOSE : s->level;
            break;
        case DEBUG:
            s->level = SERVE_LOG_DEBUG;
            break;
        case STATUS:
            s->status = true;
            break;
        }
    }
    if (optind < argc)
        command_fail("too many arguments", see_help, "%s", argv[optind]);
}

static int print_status(const char *address)
{
    char answer[8192];
    int len = portserver_talk(address, "status\n", answer, sizeof answer, PORTSERVER_MILLISECONDS);
    if (len == 0)
        len = PORTMAP_EREFUSED;
    if (len == PORTMAP_EREFUSED)
        command_fail("it has no statistics to tell", "ask a server that is portshim serve", "port server %s",
                     address);
    if (len < 0)
        command_fail(portmap_strerror(len), "start one with portshim serve", "port server %s", address);
    utf8_fit_lines(answer); /* the server may be another program and answer anything */
    command_help(answer);
}

static void load_pool(struct serving *s)
{
    struct problem problem;
    if (s->pool_list == NULL)
        command_load_pool(&s->pool, false);
    else if (pool_parse(&s->pool, s->pool_list, "--pool", &problem) != 0)
        command_fail_of(&problem);
}

/* Takes the socket that systemd passes. False when it passes none. */
static bool take_inherited(struct serving *s)
{
    int inherited = serve_listen_inherited(&s->listener);
    if (inherited < 0)
        command_fail("not one listening unix stream socket", "pass a ListenStream= of that kind",
                     "LISTEN_FDS");
    if (inherited > 0) {
        s->foreground = true;
        s->address = "a socket of systemd";
    }
    return inherited > 0;
}

static void listen_on(struct serving *s)
{
    int error = serve_listen(&s->listener, s->address);
    if (error == -EADDRINUSE)
        command_fail("a server has it already", "end that, or name another with --address", "address %s",
                     s->address);
    if (error == PORTMAP_EFOREIGN)
        command_fail("something else than a socket is there", "name another with --address", "address %s",
                     s->address);
    if (error != 0)
        command_fail(portmap_strerror(error), "name another with --address", "address %s", s->address);
}

/* Closes inherited descriptors, so that the daemon keeps no pipe open and no lock held of those who started
 * it. To be called before it opens its own. */
static void close_starters(void)
{
    command_close_from(3);
}

/* Ends the first process once the daemon serves, or has failed and said why on the stderr of both. */
_Noreturn static void await(int ready)
{
    char byte;
    _exit(read(ready, &byte, 1) == 1 ? EXIT_SUCCESS : COMMAND_FAILED);
}

/* Returns in the daemon, with the descriptor on which it tells the first process that it serves. */
static int become_daemon(struct serving *s)
{
    int ready[2], nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (nothing < 0 || pipe2(ready, O_CLOEXEC) < 0)
        command_fail(portmap_strerror(-errno), "close some descriptors", "the background");
    pid_t pid = fork();
    if (pid < 0)
        command_fail(portmap_strerror(-errno), "use --foreground", "the background");
    if (pid > 0) {
        close(ready[1]);
        await(ready[0]);
    }
    close(ready[0]);
    setsid();
    if (chdir("/") < 0 || serve_listen_again(&s->listener) != 0)
        command_fail(portmap_strerror(-errno), "use --foreground", "the background");
    dup2(nothing, STDIN_FILENO);
    dup2(nothing, STDOUT_FILENO);
    return ready[1];
}

int command_serve(int argc, char **argv)
{
    static struct serving serving;
    struct serving *s = &serving;
    const char *named = environment_get_nonempty(environ, "PORTSERVER_ADDRESS");
    s->address = named != NULL ? named : "@unittest-portserver";
    parse_options(s, argc, argv);
    if (s->status)
        return print_status(s->address);
    command_fill_standard();
    load_pool(s);
    bool inherited = take_inherited(s);
    if (!s->foreground)
        close_starters();
    command_open_home(&s->home);
    if (!inherited)
        listen_on(s);
    serve_log_open(s->level, s->foreground);
    int ready = s->foreground ? -1 : become_daemon(s);
    const struct serve_settings settings = {
        .home = &s->home, .pool = &s->pool, .address = s->address, .cap = s->cap, .ready = ready};
    int error = serve(&settings, &s->listener);
    serve_listen_end(&s->listener);
    if (error != 0)
        command_fail(lock_strerror(error), home_remedy(error), "the port server");
    return EXIT_SUCCESS;
}
