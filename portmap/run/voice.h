/*
 * The line on the run's own stderr: what was noted of a run (run/sighting.h) and should not wait until
 * somebody looks. A fixed port that nobody listed was in use; a program was started that cannot be wrapped.
 * Each is told once in a run, from inside its programs.
 *
 * Standard error may be anything by the time: a client's socket, a pipe that a parser reads, a screen. So:
 *
 * - It is told only to the very file that `portshim run` had as stderr, and only if that is a terminal,
 *   a pipe, or a regular file on a file system that tells when a file was made (inode numbers are used
 *   again). Never in a run that was made by hand, or with -q.
 * - Nothing waits: a pipe that is full, or a terminal that is stopped, is left alone. So is a pipe
 *   without a reader.
 * - A terminal is written to only if it is the process's own, the process is in the foreground, and the
 *   terminal is in canonical mode: else a full-screen program has it.
 * - A process that has installed a seccomp filter, which may kill it for an unexpected call, says nothing;
 *   nor does the program that it executes then. The filters of a container were there before the run.
 *   Whoever calls this asks voice_filters().
 * - One write(2), without a signal: SIGPIPE, SIGTTOU and SIGXFSZ are blocked, and one that comes by the
 *   write is taken. Where SIGPIPE or SIGXFSZ was pending before, nothing is told.
 *
 * Who cannot tell leaves it to whoever meets the cause next. Async-signal-safe, and safe between vfork(2) and
 * exec; errno is left alone. All calls are of base/kernel.h, but for a speaker's `process`.
 */
#ifndef PORTMAP_RUN_VOICE_H
#define PORTMAP_RUN_VOICE_H

#include "run/map.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

/* The stderr of whom it is about. */
struct speaker {
    int fd;
    pid_t process; /* fd is a duplicate of this process's stderr; 0: of the calling process itself */
};

/* The calling process. */
#define SPEAKER_SELF ((struct speaker){.fd = 2})

/* Whether the value of PORTSHIM_QUIET, which may be NULL, asks for silence. */
static inline bool voice_is_quiet(const char *value)
{
    return value != NULL && *value != '\0' && strcmp(value, "0") != 0;
}

/* How many seccomp filters are in force in this process; 0 where that cannot be told: before Linux 5.9, and
 * without /proc. */
uint32_t voice_filters(void);

/* For `portshim run`: from now on, what is noted in the run is told on the stderr of this process. */
void voice_take(struct map_head *head);

/* Whether what is noted in this word of the map (sighting_note(); NULL: nothing) is to be told, and the
 * speaker may tell it. When it was told already, that costs one look. */
bool voice_may(const struct map *map, const _Atomic uint64_t *word, struct speaker speaker);

/* Tells it, after voice_may(), in the words of base/problem.h, unless somebody else does. Returns whether
 * this has told it. */
bool voice_say(const struct map *map, _Atomic uint64_t *word, struct speaker speaker, const char *kind,
               const char *what, const char *why, const char *remedy);

/* Both, in the words for that sighting. */
bool voice_tell(const struct map *map, _Atomic uint64_t *word, struct speaker speaker);

/* Counts what the speaker has told as told in this map as well, if that run has the same stderr. */
void voice_count_told(const struct map *map, _Atomic uint64_t *word, struct speaker speaker);

#endif
