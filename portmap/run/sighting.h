/*
 * Sightings: what the programs of a run did, as far as it explains why a port was not rewritten. The library
 * notes them for people who ask why nothing happens.
 *
 * A sighting is: a fixed port that nobody listed was bound; with `portshim ports`, any fixed port was bound
 * or connected to; a program was started that the library cannot reach, under the trap or not; a library was
 * loaded past ours. Each is noted once, in a set in the map, as one word of kind, port, protocols and program
 * that is entered by compare-and-swap. Nothing is allocated and no system call is made: async-signal-safe,
 * and safe between vfork(2) and exec. Some kinds have places of their own; when the places are full,
 * sightings are lost.
 */
#ifndef PORTMAP_RUN_SIGHTING_H
#define PORTMAP_RUN_SIGHTING_H

#include "base/text.h"
#include "program/reach.h"
#include "program/untrapped.h"
#include "run/map.h"

#include <stdbool.h>
#include <sys/stat.h>

enum sighting_kind {
    SIGHTING_NONE,
    SIGHTING_BIND,          /* a port that is no placeholder */
    SIGHTING_REFUSED,       /* the same, but the address was in use */
    SIGHTING_CONNECT,       /* connected to, or a datagram sent to, a port of this host */
    SIGHTING_EXEC,          /* a program was started that the library cannot reach, and not trapped */
    SIGHTING_DEEPBIND,      /* a program loaded a library with RTLD_DEEPBIND, and the flag was removed */
    SIGHTING_DEEPBIND_KEPT, /* the same, but the flag was kept: we do not see that library's calls */
    SIGHTING_DLMOPEN,       /* a program loaded a library into another namespace: we do not see its calls */
    SIGHTING_TRAPPED,       /* a program that the library is not in is under the trap */
    SIGHTING_KINDS,         /* how many there are */
};

/* A program for which there was no room. */
#define SIGHTING_UNKNOWN 0xffffu

struct sighting {
    enum sighting_kind kind;
    unsigned port;      /* host byte order; 0 for those without one */
    unsigned protocols; /* PORTMAP_TCP, PORTMAP_UDP */
    unsigned program;   /* of sighting_program() */
    unsigned reason;    /* of SIGHTING_EXEC: enum untrapped; of others 0 */
    unsigned is_told;   /* 1: somebody has been told, by sighting_claim() */
};

/* A number for a file's device and the time of its last change. The time is needed, as a compiler often
 * writes a new program under the inode number of the old one. */
uint64_t sighting_device(const struct stat *file);

/* The index, among the programs that the map remembers, of a program that runs, found by sighting_device()
 * and inode number, and entered if it is new: then nobody has judged it (reach_judge()). SIGHTING_UNKNOWN
 * when there is no room. A long name ends in "...". */
unsigned sighting_program(struct map *map, uint64_t device, uint64_t inode, const char *name);

/* Remembers in the map what reach_judge() has found out about a file. sighting_knows() answers from there: it
 * is `knows` of struct reach_asker, with the map as `memory`. */
void sighting_remember(struct map *map, const struct reach *reach);
bool sighting_knows(const void *map, struct reach *reach);

/* Returns the sighting's word in the set, entered now or before; NULL when there is no room. `is_told` does
 * not matter. */
_Atomic uint64_t *sighting_note(struct map *map, struct sighting sighting);

/* The sighting of a word. */
struct sighting sighting_read(const _Atomic uint64_t *word);

/* Notes that somebody is told of the sighting (run/voice.h). True for one caller: that one has to tell it, or
 * to disclaim it when it could not. */
bool sighting_claim(_Atomic uint64_t *word);
void sighting_disclaim(_Atomic uint64_t *word);

/* Notes that a program was started, and not under the trap, if the library does not reach it. `reason` says
 * why not; UNTRAPPED_UNSAID for one that is not to be trapped (reach_wants_trap()). Returns what
 * sighting_note() does; NULL for a program that the library reaches. */
_Atomic uint64_t *sighting_untrapped(struct map *map, const struct reach *reach, enum untrapped reason);
static inline void sighting_started(struct map *map, const struct reach *reach)
{
    sighting_untrapped(map, reach, UNTRAPPED_UNSAID);
}

/* Notes that a program is started under the trap. */
void sighting_trapped(struct map *map, const struct reach *reach);

/* Whether there is no room left for a kind: some of it may have been lost. */
bool sighting_is_full(const struct map *map, enum sighting_kind kind);

/* The n-th sighting, from 0, in no order; kind is SIGHTING_NONE at the end. */
struct sighting sighting_get(const struct map *map, unsigned n);

/* The name of a program; "a program" when it is not known. It may be any bytes. */
struct sighting_name {
    char text[sizeof((struct map_program *)NULL)->name + 1];
};
struct sighting_name sighting_program_name(const struct map *map, unsigned program);

/* The next program, from sighting *n on, that was started and that neither the library nor the trap reaches;
 * moves *n past it. False at the end. One that there was no room for is "a program". A program comes once for
 * each reason. */
bool sighting_unhookable(const struct map *map, unsigned *n, struct map_program *program);

/* The program of one such sighting. */
struct map_program sighting_of_program(const struct map *map, struct sighting sighting);

/* The same for programs that were started under the trap. */
bool sighting_hooked_by_trap(const struct map *map, unsigned *n, struct map_program *program);

/* Why the library could not reach it; never NULL. */
const struct obstacle *sighting_obstacle(const struct map_program *program);

/* Why a program of sighting_unhookable() is not under the trap; NULL when that is not said. *in_part: it is,
 * but some of its calls could not be rewritten. */
const struct obstacle *sighting_trap_obstacle(const struct map_program *program, bool *in_part);

/* Appends to a text why a program of sighting_unhookable() was not wrapped, in short, and returns what helps.
 * *in_part as for sighting_trap_obstacle(). */
const char *sighting_explain(const struct map_program *program, struct text *why, bool *in_part);

/* By which way a program is wrapped, known by what stat(2) says of its file: by the library when nothing is
 * noted that says otherwise. */
enum reach_way sighting_way(const struct map *map, const struct stat *file);

#endif
