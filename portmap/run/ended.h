/*
 * The record of ended runs: the last ENDED_RECORDS of this user, in a file of the home (HOME/ended). For
 * people who ask what has become of a run; nothing else depends on it, so that whatever is wrong with the
 * file is nobody's error.
 *
 * Who is there when a run ends writes when that was, and its status. Of others it is recorded that somebody
 * found them dead (run/sweep.h). A run that could not be made is recorded as well.
 */
#ifndef PORTMAP_RUN_ENDED_H
#define PORTMAP_RUN_ENDED_H

#include "lease/home.h"
#include "run/map.h"
#include "run/name.h"

#include <stdbool.h>
#include <stdint.h>

enum { ENDED_RECORDS = 256, ENDED_FILES = 4, ENDED_PROGRAMS = 2, ENDED_PORTS = 4, ENDED_NO_STATUS = -1 };

enum ended_how {
    ENDED_EMPTY,   /* no record */
    ENDED_EXACTLY, /* it ended at that date */
    ENDED_COMMAND, /* its command did; others of its processes may have gone on */
    ENDED_FOUND,   /* it was found dead then */
};

/* A program of the run that could not be wrapped, as struct map_program has it. */
struct ended_program {
    uint32_t kind;
    char name[44];
};

/* A fixed port that a program of the run wanted, and that was no placeholder. */
struct ended_port {
    uint16_t port;
    uint16_t bound; /* else it was in use */
    char program[28];
};

/* What the file has of a run. */
struct ended {
    uint64_t run_id;             /* or what ended_unmade() gives */
    uint64_t date;               /* process_date() */
    uint64_t made;               /* process_date() when it was, or was to be made */
    uint64_t found;              /* of ENDED_COMMAND: when it was found dead; 0: not yet */
    uint32_t how;                /* enum ended_how */
    int32_t status;              /* of its command, as waitpid(2) has it; or ENDED_NO_STATUS */
    uint64_t files[ENDED_FILES]; /* ended_file() of its map files; 0: no more */
    uint64_t directory;          /* the same of the one in which it was started; 0: unknown */
    char name[NAME_MAX_LENGTH + 1];
    uint8_t was_bound; /* a program had bound a placeholder */
    uint8_t has_more;  /* programs or ports than there was room for */
    uint8_t padding;
    struct ended_program programs[ENDED_PROGRAMS]; /* no name: no more */
    struct ended_port ports[ENDED_PORTS];          /* no port: no more */
    char command[140];
};

/* Describes the run of this map, as far as its texts and notes are there. The rest is unset. */
void ended_describe(struct ended *ended, const struct map *map);

/* Describes a run that could not be made. Name or command may be NULL. */
void ended_unmade(struct ended *ended, const char *name, const char *const *files, const char *command);

/* Whether that is a run that could not be made. */
bool ended_is_unmade(const struct ended *ended);

/* Writes a record, in place of a less exact one of the same run. False when that could not be done. */
bool ended_write(const struct home *home, const struct ended *ended);

/* Reads all records; that of the run that was made last comes first. Returns how many. What is read is
 * checked: texts are terminated. */
unsigned ended_read(const struct home *home, struct ended records[static ENDED_RECORDS]);

/* The number by which a map file, or a directory, is known, by its absolute path. */
uint64_t ended_file(const char *path);

#endif
