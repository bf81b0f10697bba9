/*
 * What the program's process, C, and its supervisor, S, do together before the program is executed, in either
 * shape (trap/start.h). S is ready before C installs the filter, which cannot be taken back.
 */
#ifndef SHIM_TRAP_PARTS_H
#define SHIM_TRAP_PARTS_H

#include "trap/start.h"
#include "trap/supervisor.h"
#include "trap/word.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct start {
    const struct trap_wish *wish;
    uint64_t cookie; /* of the filter */
    pid_t program;   /* C */
    int talk[2];     /* connected sockets: C's end, and S's */
};

enum part { PART_DONE, PART_REFUSED, PART_LOST };

/*
 * C: waits for S, installs the filter and hands its listener to S. PART_REFUSED: *problem says why; nothing
 * has changed, and S has been told. PART_LOST: S has ended since, all calls about ports fail in this process
 * from now on, and it must not execute the program.
 */
enum part part_of_program(const struct start *start, struct problem *problem);

/*
 * S: gets ready, and takes the listener when C has it. Then C still waits for WORD_SERVED. PART_REFUSED: C
 * has been told, or has told, what word->problem says. PART_LOST: C has ended.
 */
enum part part_of_supervisor(const struct start *start, struct supervision *supervision, int *listener,
                             struct word *word);

/* S: answers calls until nobody uses the filter. */
void part_serve(const struct supervision *supervision, int listener);

/* Fills in *problem, about the program. Returns false. */
bool part_refuse(struct problem *problem, const struct trap_wish *wish, const char *why, const char *remedy);

/* The same for a process or a pair of sockets that could not be made. */
bool part_refuse_process(struct problem *problem, const struct trap_wish *wish, int error);

/* The same for a supervisor that has ended. */
bool part_refuse_killed(struct problem *problem, const struct trap_wish *wish);

/* The same for an error of filter_install(). */
bool part_refuse_filter(struct problem *problem, const struct trap_wish *wish, int error);

#endif
