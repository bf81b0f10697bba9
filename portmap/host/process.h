/*
 * Telling processes apart by more than a pid, which the kernel uses again: by start time and namespaces.
 * Whether a process is alive.
 */
#ifndef PORTMAP_HOST_PROCESS_H
#define PORTMAP_HOST_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { BOOT_ID_SIZE = 37 }; /* a UUID and its terminator */

/* The id of this boot (proc(5), random/boot_id), for people to compare; all zeroes when it cannot be read. No
 * code decides by it: a container may have a boot id of its own. */
void process_boot_id(char id[static BOOT_ID_SIZE]);

/*
 * When a process started, in clock ticks since boot (proc(5), stat field 22); 0 when there is no such process
 * or /proc does not show it. In every time namespace (time_namespaces(7)) this is the initial one's boot, and
 * in all but that one the result may be one tick too small.
 */
uint64_t process_start_time(pid_t pid);

/* Whether this process is in the initial pid namespace, of which all others are descendants. */
bool process_is_in_initial_pid_namespace(void);

/* Inode numbers of this process's namespaces (namespaces(7)); 0: unknown, without /proc before Linux 6.11. */
uint32_t process_pid_namespace(void);
uint32_t process_net_namespace(void);

/* Whether net_namespace is not this process's network namespace; false when either is unknown (0). */
bool process_is_other_network(uint32_t net_namespace);

/* Whether pid is the very process that started at start_time (low 32 bits; 0: unknown) and is alive; ticks
 * are compared as process_start_time() gives them. A zombie is not: it has closed everything it held. When
 * /proc hides the process, only its pid is compared. */
bool process_is_alive(pid_t pid, uint64_t start_time);

/* Whether that process, which is alive, is just ending: it exits, or a signal is to end it in a moment. False
 * when /proc hides it. */
bool process_is_ending(pid_t pid, uint64_t start_time);

/* What /proc tells of a process (proc(5), stat). */
struct process_stat {
    char state;
    pid_t parent;     /* 0: none that this pid namespace shows */
    uint64_t threads; /* a process whose first thread has ended is in state Z while its other threads go on */
    uint64_t ticks;   /* its start time, in ticks of our time namespace */
    bool is_ending;   /* it exits, or a signal is about to end it */
};

/* False when there is no such process, or /proc does not show it, or numbers processes differently. */
bool process_read_stat(pid_t pid, struct process_stat *line);

/* Whether that is no zombie. */
bool process_is_living(const struct process_stat *line);

/* Whether pid is alive in that sense. *start_time is when it started, 0 when /proc hides it. */
bool process_find(pid_t pid, uint64_t *start_time);

/* The most pid namespaces that can be nested, the initial one included (MAX_PID_NS_LEVEL,
 * include/linux/pid_namespace.h). */
enum { PROCESS_PIDS = 33 };

/* The pids of a process in every pid namespace from that of /proc to its own (proc(5), NSpid). Returns how
 * many, or a negated errno: -ENODATA before Linux 4.1. */
int process_pids(pid_t pid, pid_t pids[static PROCESS_PIDS]);

/* A process of another pid namespace. */
struct process_elsewhere {
    pid_t pid;              /* its number in that namespace */
    uint32_t pid_namespace; /* process_pid_namespace() there */
    uint32_t start_time;    /* the low bits of process_start_time(); 0 when it could not be read */
    bool gone;
};

/*
 * Sets `gone` for each of the processes: whether it is known to have ended. Goes through all of /proc once.
 * Only a process of the initial pid namespace that may inspect all others (ptrace(2), PTRACE_MODE_READ), as
 * root may, can know that; to others none is gone.
 */
void process_look_elsewhere(struct process_elsewhere *wanted, unsigned count);

/* Nanoseconds since boot, including time in suspend: comparable between processes, also of different time
 * namespaces. */
uint64_t process_clock(void);

/* Nanoseconds since 1970. Every time namespace has the same, so that no file in /proc has to be looked at,
 * which costs a program that does nothing else there 20 us; but somebody may set it. */
uint64_t process_date(void);

#endif
