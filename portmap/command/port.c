/* portshim port: prints the real ports of a run's placeholders. */
#include "command/command.h"
#include "observe/watch.h"

#include <stddef.h>

static const char help[] =
    "usage: portshim port RUN PORT...\n"
    "\n"
    "Prints the real ports of the run's placeholders, one a line, in the order given, whether\n"
    "anything listens or not. RUN is a name, a run directory or a map file.\n"
    "\n"
    "  -h, --help  print this\n"
    "\n"
    "Exit status: 0, or 125 when there is no such run or placeholder.\n";

static const char see_help[] = "see portshim port --help";

int command_port(int argc, char **argv)
{
    struct home home;
    command_no_option(argc, argv, help, see_help);
    command_check_run_and_ports(argc - optind, argv + optind, see_help);
    command_open_home(&home);
    struct watch watch = {.home = &home, .word = argv[optind]};
    command_look_at_run(&watch);
    return command_print_ports(watch.map, watch.word, argv + optind + 1);
}
