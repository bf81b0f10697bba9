/* portshim port: prints the real ports of a run's placeholders. */
#include "command/asked.h"
#include "command/command.h"
#include "command/meant.h"
#include "observe/watch.h"

#include <stdlib.h>

static const char help[] =
    "usage: portshim port [--json] [RUN] PORT...\n"
    "\n"
    "Prints the real ports of the run's placeholders, one a line, in the order given, whether\n"
    "anything listens or not. RUN is a name, a run directory or a map file; without it, it is the run\n"
    "that was started in this directory, or nearest above it. PORT \"all\" stands for every placeholder\n"
    "that has a real port.\n"
    "\n"
    "      --json  print JSON: an object with run and ports[]\n"
    "  -h, --help  print this\n"
    "\n"
    "Exit status: 0, or 125 when there is no such run or placeholder.\n";

static const char see_help[] = "see portshim port --help";

static bool wants_json(int argc, char **argv)
{
    enum { JSON = 256 };
    static const struct option words[] = {
        {"json", no_argument, NULL, JSON}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    bool json = false;
    while (command_option(argc, argv, "h", words, help, see_help) == JSON)
        json = true;
    return json;
}

int command_port(int argc, char **argv)
{
    static struct portset ports;
    struct home home;
    bool json = wants_json(argc, argv);
    char **words = argv + optind;
    command_open_home(&home);
    const char *run = meant_take(&home, &words, true);
    asked_check(words, see_help);
    struct watch watch = {.home = &home, .word = meant_run(&home, run)};
    command_look_at_run(&watch);
    if (!json)
        return asked_print(watch.map, watch.word, words);
    asked_read(&ports, watch.map, watch.word, words);
    asked_print_json(watch.map, watch.path, &ports, false);
    return command_printed(EXIT_SUCCESS);
}
