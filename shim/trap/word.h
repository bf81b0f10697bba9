/*
 * What the processes of a start tell each other: C, the program's; S, its supervisor; P, the one that keeps
 * the pid where C cannot. All three are forks of one process, so that a text at a fixed address is the same
 * for all.
 */
#ifndef SHIM_TRAP_WORD_H
#define SHIM_TRAP_WORD_H

#include "base/problem.h"

#include <stdbool.h>

enum word_kind {
    WORD_NONE,      /* the other one has ended */
    WORD_REFUSED,   /* with `problem`: there will be no trap */
    WORD_READY,     /* S to C: it could supervise */
    WORD_LISTENER,  /* C to S: the filter is on; `number` is its listener in C */
    WORD_SERVED,    /* S to C: the calls are answered from now on */
    WORD_STARTED,   /* S to P: C, whose pid is `number`, waits; a pidfd of it comes along */
    WORD_STOPPED,   /* S to P: by signal `number` */
    WORD_CONTINUED, /* S to P */
    WORD_STOPPING,  /* P to S: it is about to stop as well */
    WORD_RUNNING,   /* P to S: it stands in for C; also when it has stopped, and was continued */
    WORD_ENDED,     /* S to P: C has ended, `number` is its status (waitpid(2)) */
    WORD_YOURS,     /* S to P: S ends, and C, which has ended or is just ending, is P's child then */
};

struct word {
    enum word_kind kind;
    int number;
    struct problem problem; /* WORD_REFUSED; not sent with others */
};

/* A pair of connected sockets, close-on-exec, that keep words apart. 0 or a negated errno. */
int word_pair(int sockets[2]);

/* False when the other one has ended. Makes no call that the filter stops. */
bool word_send(int to, const struct word *word);

/* Waits for a word, and returns its kind. */
enum word_kind word_receive(int from, struct word *word);

/* The same with a descriptor; *fd is -1 when none came. */
bool word_send_with(int to, const struct word *word, int fd);
enum word_kind word_receive_with(int from, struct word *word, int *fd);

#endif
