/* portshim env: prints a run's ports as assignments, for eval or an env file, or as URLs. */
#include "command/asked.h"
#include "command/command.h"
#include "command/meant.h"
#include "observe/watch.h"
#include "run/publish.h"

#include <stdio.h>
#include <stdlib.h>

static const char help[] =
    "usage: portshim env [--url] [--json] [RUN] [PORT...]\n"
    "\n"
    "Prints PORTSHIM_RUN and PORTSHIM_PORT_<placeholder> as lines NAME=VALUE, whose values no shell "
    "changes:\n"
    "\n"
    "    eval \"$(portshim env RUN)\"; curl \"localhost:$PORTSHIM_PORT_8080\"\n"
    "\n"
    "RUN is a name, a run directory or a map file; without it, it is the run that was started in this\n"
    "directory, or nearest above it. Default for PORT: every placeholder that has a real port.\n"
    "\n"
    "      --url   print http://localhost:<real port> for each TCP placeholder\n"
    "      --json  print JSON: an object with run and ports[]\n"
    "  -h, --help  print this\n"
    "\n"
    "Exit status: 0; 125 when there is no such run or placeholder, or portshim failed.\n";

static const char see_help[] = "see portshim env --help";

struct form {
    bool url, json;
};

static struct form read_options(int argc, char **argv)
{
    enum { JSON = 256, URL };
    static const struct option words[] = {{"json", no_argument, NULL, JSON},
                                          {"url", no_argument, NULL, URL},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    struct form form = {0};
    for (int option; (option = command_option(argc, argv, "h", words, help, see_help)) != -1;) {
        form.url = form.url || option == URL;
        form.json = form.json || option == JSON;
    }
    return form;
}

/* Fills in the ports that are asked for; without a word, all that there are. */
static void read_ports(struct portset *ports, const struct watch *watch, char *const *words)
{
    const char *all = asked_list_all(watch->map);
    if (*words != NULL)
        asked_read(ports, watch->map, watch->word, words);
    else if (*all != '\0')
        command_add_ports(ports, all);
}

static void print_assignments(const struct watch *watch, const struct portset *ports)
{
    /* The path needs no quotes: home.h allows only characters that have no meaning to a shell. */
    printf("PORTSHIM_RUN=%s\n", watch->path);
    for (unsigned port = 0; (port = portset_next_listed(ports, port)) != 0;)
        printf("PORTSHIM_PORT_%u=%u\n", port, map_real(watch->map, port));
}

/* Those of UDP alone have no URL: they are left out, unless they were asked for. */
static void print_urls(const struct watch *watch, const struct portset *ports, bool asked)
{
    char url[ASKED_URL_SIZE];
    for (unsigned port = 0; (port = portset_next_listed(ports, port)) != 0;) {
        if (asked_url(watch->map, ports, port, url))
            puts(url);
        else if (asked)
            command_fail("it is for UDP alone", "name a TCP port", "%s, port %u", watch->word, port);
    }
}

int command_env(int argc, char **argv)
{
    static struct watch watch;
    static struct portset ports;
    struct home home;
    const struct form form = read_options(argc, argv);
    char **words = argv + optind;
    command_open_home(&home);
    const char *run = meant_take(&home, &words, false);
    if (*words != NULL)
        asked_check(words, see_help);
    watch.home = &home;
    watch.word = meant_run(&home, run);
    command_look_at_run(&watch);
    read_ports(&ports, &watch, words);
    if (form.json)
        asked_print_json(watch.map, watch.path, &ports, form.url);
    else if (form.url)
        print_urls(&watch, &ports, *words != NULL && !asked_all(words));
    else
        print_assignments(&watch, &ports);
    return command_printed(EXIT_SUCCESS);
}
