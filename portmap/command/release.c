/* portshim release: gives leased ports back before their process ends. */
#include "base/lock.h"
#include "command/command.h"
#include "error.h"
#include "lease/portserver.h"
#include "lease/table.h"
#include "observe/holders.h"
#include "run/leases.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "usage: portshim release PORT...\n"
    "\n"
    "Gives back ports that portshim pick, or a program by libportmap, has leased; `portshim serve`, where\n"
    "PORTSERVER_ADDRESS names it, is told. (Those of a run go with the run.)\n"
    "\n"
    "  -h, --help         print this\n"
    "\n"
    "Exit status: 0; 125 when one of them is not leased, or portshim failed.\n";

static const char see_help[] = "see portshim release --help";

static unsigned parse_port(const char *word)
{
    unsigned port = command_number(word, PORT_COUNT - 1);
    if (port == 0)
        command_fail("not a port", "write a number in 1-65535", "port \"%s\"", word);
    return port;
}

static void release(const struct home *home, struct lease_table *leases, const struct obtain_server *server,
                    unsigned port)
{
    lease_owner holder = lease_holder(leases, port);
    char whose[256];
    if (lease_owner_run(holder) != 0) {
        holders_describe_port(home, port, whose, sizeof whose);
        command_fail("it belongs to a run", "end that", "port %u of %s", port, whose);
    }
    int told = PORTMAP_EREFUSED;
    if (server->address != NULL)
        told = portserver_release(server->address, port, server->milliseconds);
    bool released = holder != 0 && lease_release(leases, port, holder);
    if (told != 0 && !released && lease_kind(holder) != LEASE_SERVED)
        command_fail("nobody has leased it", "name a port that portshim pick has printed", "port %u", port);
}

int command_release(int argc, char **argv)
{
    struct home home;
    struct lease_table leases;
    command_no_option(argc, argv, help, see_help);
    if (optind == argc)
        command_fail("none is given", see_help, "port");
    for (int i = optind; i < argc; i++)
        parse_port(argv[i]);
    struct obtain_server server = command_port_server(getpid(), false);
    command_open_home(&home);
    /* Makes a missing table: it has no leases, but the port server may know of some. */
    int error = leases_open(&leases, &home);
    if (error != 0)
        command_fail(lock_strerror(error), home_remedy(error), "%s", home.path);
    for (int i = optind; i < argc; i++)
        release(&home, &leases, &server, parse_port(argv[i]));
    return EXIT_SUCCESS;
}
