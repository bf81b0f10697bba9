/* What `portshim run -c` prints is read again and means the same: command/run_options.h. */
#include "directory.h"
#include "specs.h"

#include "command/run_options.h"

#include <getopt.h>

static struct portset alone;
static struct problem problem;
static struct run_options written, again;

static void read_options(struct run_options *options, char **argv)
{
    int argc = 0;
    while (argv[argc] != NULL)
        argc++;
    optind = 0;
    memset(options, 0, sizeof *options);
    run_options_read(options, argc, argv);
}

/* In one piece, or each item with a -p of its own. */
static void read_spec(struct spec *spec)
{
    char items[SPEC_ITEMS][64], *argv[3 + 2 * SPEC_ITEMS] = {"run", "-c", "-p", spec->text};
    unsigned count = below(2) == 0 ? spec->count : 0;
    for (unsigned i = 0; i < count; i++) {
        struct text t = text_in(items[i], sizeof items[i]);
        write_item(&t, &spec->items[i]);
        argv[2 + 2 * i] = "-p";
        argv[3 + 2 * i] = items[i];
    }
    read_options(&written, argv);
}

TEST("every specification printed by -c is read again to the same set")
{
    unsetenv("PORTSHIM_PORTS");
    enter_new_directory();
    int out = dup(STDOUT_FILENO);
    for (unsigned round = 0; round < 60; round++) {
        struct spec spec;
        random_spec(&spec);
        memset(&alone, 0, sizeof alone);
        equal(portset_add(&alone, spec.text, &problem), 0);
        if (portset_is_empty(&alone))
            continue; /* it is refused */
        read_spec(&spec);
        fflush(stdout);
        check(freopen("settings", "w", stdout) != NULL, "settings");
        run_options_print(&written);
        fflush(stdout);
        dup2(out, STDOUT_FILENO);
        read_options(&again, (char *[]){"run", "-c", "-f", "settings", NULL});
        check(memcmp(&alone, &again.ports, sizeof again.ports) == 0, "%s", spec.text);
    }
}
