/*
 * Staying as the parent of a command, for what has to be looked at when it has ended, and being as little in
 * its way as a parent can be.
 */
#ifndef PORTMAP_COMMAND_SUPERVISE_H
#define PORTMAP_COMMAND_SUPERVISE_H

/* How a command ended. */
struct supervised {
    int start_error; /* errno of the exec that failed; negated, of what came before it; else 0 */
    int status;      /* as waitpid(2) has it */
};

/*
 * Runs the command with the signal mask and dispositions that this process has, hands on the signals that are
 * sent to this process, and stops and goes on with it, until it ends.
 */
struct supervised supervise(char **command);

/* Ends this process as that one ended: by its status, or by the same signal (without a second core). */
_Noreturn void supervise_end(int status);

#endif
