#include "command/ls_pids.h"

#include "command/asked.h"
#include "command/command.h"
#include "error.h"
#include "host/socket_owners.h"
#include "run/portset.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOTHING_LISTENS = 1 };

/* Fails when a port asked for with -q is not a placeholder of the run. */
static void check_placeholders(const struct survey *run, const struct portset *ports, const char *word)
{
    if (run->elsewhere)
        command_fail("the run is in another network namespace", "run this command inside of it", "%s", word);
    for (unsigned port = 0; (port = portset_next_listed(ports, port)) != 0;)
        if ((map_protocols(&run->map, port) & portset_listed(ports, port)) == 0)
            command_fail("not a placeholder of this run", "see portshim ls", "%s, port %u", word, port);
}

static int by_pid(const void *a, const void *b)
{
    pid_t one = *(const pid_t *)a, other = *(const pid_t *)b;
    return one < other ? -1 : one > other;
}

struct pids {
    pid_t *list;
    size_t count;
    bool hidden; /* a socket listens whose process we may not look into */
};

static void collect_pids(struct pids *pids, const struct survey *run, const struct portset *ports)
{
    for (unsigned p = 0; p < run->port_count; p++) {
        const struct survey_port *port = &run->ports[p];
        unsigned asked = portset_listed(ports, port->placeholder) & port->used, seen = 0;
        pids->list = reallocarray(pids->list, pids->count + port->owner_count + 1, sizeof *pids->list);
        if (pids->list == NULL)
            command_fail(portmap_strerror(-ENOMEM), "free some memory", "the list of processes");
        for (unsigned i = 0; i < port->owner_count; i++) {
            if ((port->owners[i].serves & asked) != 0)
                pids->list[pids->count++] = port->owners[i].pid;
            seen |= port->owners[i].serves;
        }
        pids->hidden |= (asked & ~seen) != 0;
    }
    if (pids->count > 0)
        qsort(pids->list, pids->count, sizeof *pids->list, by_pid);
}

int ls_pids_print(const struct survey *run, const char *word, const char *port)
{
    static struct portset ports;
    struct pids pids = {0};
    const char *list = strcmp(port, "all") == 0 ? asked_list_all(&run->map) : port;
    if (*list != '\0')
        command_add_ports(&ports, list);
    check_placeholders(run, &ports, word);
    collect_pids(&pids, run, &ports);
    if (pids.count == 0 && pids.hidden)
        command_fail("another user's process is on it", "ask as that user or as root", "%s, port %s", word,
                     port);
    for (size_t i = 0; i < pids.count; i++)
        if (i == 0 || pids.list[i] != pids.list[i - 1])
            printf("%d\n", (int)pids.list[i]);
    int status = pids.count > 0 ? EXIT_SUCCESS : NOTHING_LISTENS;
    free(pids.list);
    return status;
}
