/* portshim env: prints a run's ports as assignments, for eval or an env file. */
#include "command/command.h"
#include "observe/watch.h"
#include "run/publish.h"

#include <stdio.h>
#include <stdlib.h>

static const char help[] = "usage: portshim env RUN\n"
                           "\n"
                           "Prints PORTSHIM_RUN and PORTSHIM_PORT_<placeholder> as lines NAME=VALUE, whose "
                           "values no shell changes:\n"
                           "\n"
                           "    eval \"$(portshim env RUN)\"; curl \"localhost:$PORTSHIM_PORT_8080\"\n"
                           "\n"
                           "  -h, --help  print this\n"
                           "\n"
                           "Exit status: 0; 125 when there is no such run, or portshim failed.\n";

static const char see_help[] = "see portshim env --help";

static int print_assignment(const char *assignment, void *context)
{
    (void)context;
    puts(assignment);
    return 0;
}

int command_env(int argc, char **argv)
{
    static struct watch watch;
    struct home home;
    command_no_option(argc, argv, help, see_help);
    if (argc - optind != 1)
        command_fail(argc == optind ? "none is given" : "more than one is given", see_help, "run");
    command_open_home(&home);
    watch.home = &home;
    watch.word = argv[optind];
    command_look_at_run(&watch);
    /* The path needs no quotes: home.h allows only characters that have no meaning to a shell. */
    printf("PORTSHIM_RUN=%s\n", watch.path);
    publish_variables(watch.map, PORT_COUNT, print_assignment, NULL);
    return command_printed(EXIT_SUCCESS);
}
