/*
 * Sightings: what the programs of a run did, which the library notes for people who ask why nothing happens.
 *
 * A fixed port that nobody listed, bound; with `portshim ports`, every fixed port, bound or connected to; a
 * program that the library cannot reach, started; a library that was loaded past ours. Each is noted once, in
 * a set in the map: one word made of what was done, the port, the protocol and the program, entered by
 * compare-and-swap. Nothing is allocated and no system call made; async-signal-safe, and safe between
 * vfork(2) and exec. Each kind has places of its own; when they are full, sightings are lost.
 */
#ifndef PORTMAP_RUN_SIGHTING_H
#define PORTMAP_RUN_SIGHTING_H

#include "program/reach.h"
#include "run/map.h"

#include <stdbool.h>
#include <sys/stat.h>

enum sighting_kind {
    SIGHTING_NONE,
    SIGHTING_BIND,          /* a port that is no placeholder */
    SIGHTING_REFUSED,       /* the same, but the address was in use */
    SIGHTING_CONNECT,       /* connected to, or a datagram sent to, a port of this host */
    SIGHTING_EXEC,          /* a program was started that the library cannot reach */
    SIGHTING_DEEPBIND,      /* a program loaded a library with RTLD_DEEPBIND, which was taken away */
    SIGHTING_DEEPBIND_KEPT, /* the same, but it was left, so that the library's calls are out of reach */
    SIGHTING_DLMOPEN,       /* a program loaded a library into a namespace of its own, out of reach */
};

struct sighting {
    enum sighting_kind kind;
    unsigned port;      /* host byte order; 0 for those without one */
    unsigned protocols; /* PORTMAP_TCP, PORTMAP_UDP */
    unsigned program;   /* index of map->programs, MAP_PROGRAMS when it is not known */
};

/*
 * The state of a file by its device and when it was last changed: a compiler that writes a new program often
 * does so under the inode number of the old one.
 */
uint64_t sighting_device(const struct stat *file);

/*
 * The number in the map of a program that the library is in, by sighting_device() and its inode number,
 * entered if it is new; MAP_PROGRAMS when there is no room. A long name ends in "...".
 */
unsigned sighting_program(struct map *map, uint64_t device, uint64_t inode, const char *name);

/* Remembers what a program is that reach_judge() has opened, and answers for it (struct reach_asker): the map
 * is the memory. */
void sighting_remember(struct map *map, const struct reach *reach);
bool sighting_knows(const void *map, struct reach *reach);

void sighting_note(struct map *map, struct sighting sighting);

/* Notes that a program was started, if the library does not reach it. */
void sighting_started(struct map *map, const struct reach *reach);

/* Whether there is no room left for a kind, so that some of it may have been lost. */
bool sighting_is_full(const struct map *map, enum sighting_kind kind);

/* The n-th sighting, from 0, in no order; kind is SIGHTING_NONE at the end. */
struct sighting sighting_get(const struct map *map, unsigned n);

/* The name of a program; "a program" when it is not known. */
const char *sighting_program_name(const struct map *map, unsigned program);

/* The first program of the run that the library could not reach, from *n on, which moves past it; NULL at the
 * end. One for which there was no room is "a program", static. */
const struct map_program *sighting_unhookable(const struct map *map, unsigned *n);

/* Why it could not; never NULL. */
const struct obstacle *sighting_obstacle(const struct map_program *program);

#endif
