/*
 * The placeholders that a person asks for by PORT..., and how their real ports are printed. Each PORT is a
 * list of ports; "all" alone stands for every placeholder that has a real port.
 */
#ifndef PORTMAP_COMMAND_ASKED_H
#define PORTMAP_COMMAND_ASKED_H

#include "run/map.h"
#include "run/portset.h"

#include <stdbool.h>

/* Whether these words are "all" alone. */
bool asked_all(char *const *words);

/* Fails when there is no word, or one that is not a list of ports, or lists none. */
void asked_check(char *const *words, const char *see_help);

/* The list that "all" stands for: empty where no placeholder has a real port yet. Valid until the next call,
 * which is needed for a late assignment. */
char *asked_list_all(const struct map *map);

/*
 * Fills in the ports that are listed. Fails at one that is no placeholder of the run, or has no real port
 * yet; also for "all" when none has. `run` is for messages.
 */
void asked_read(struct portset *ports, const struct map *map, const char *run, char *const *words);

/* Prints the real ports, one a line, in the order given. Fails as asked_read(). Returns the exit status. */
int asked_print(const struct map *map, const char *run, char *const *words);

/* Prints {"run":...,"ports":[{"placeholder":...,"real":...}]} in ascending order, with "url" for each TCP
 * port if they are asked for. `path` is the run's directory. */
void asked_print_json(const struct map *map, const char *path, const struct portset *ports, bool urls);

enum { ASKED_URL_SIZE = sizeof "http://localhost:65535" };

/* Writes the URL of a placeholder's real port on this host. False when it has none: it is for UDP alone. */
bool asked_url(const struct map *map, const struct portset *ports, unsigned port,
               char url[static ASKED_URL_SIZE]);

#endif
