/*
 * Which process, of which boot and which namespaces: what makes a pid mean the same thing tomorrow.
 */
#ifndef PORTMAP_HOST_PROCESS_H
#define PORTMAP_HOST_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { BOOT_ID_SIZE = 37 }; /* a UUID and its terminator */

/* The id of this boot (proc(5), random/boot_id), for people to compare; all zeroes where it is not to be had.
 * Nothing is judged by it: a container may have one of its own. */
void process_boot_id(char id[static BOOT_ID_SIZE]);

/* When a process started, in clock ticks since boot (proc(5), stat field 22); 0 when there is no such
 * process. */
uint64_t process_start_time(pid_t pid);

/* Whether this process is in the pid namespace that all others are below. */
bool process_is_in_initial_pid_namespace(void);

/* Inode numbers of this process's namespaces (namespaces(7)); 0 where they cannot be known: without /proc,
 * before Linux 6.11. */
uint32_t process_pid_namespace(void);
uint32_t process_net_namespace(void);

/* Whether that is known to be another network namespace than this process's. */
bool process_is_other_network(uint32_t net_namespace);

/*
 * True when pid is the very process that started at start_time: it exists and is not a zombie, which has
 * closed everything it held. The low 32 bits of start_time are compared. Of a process that /proc hides, only
 * whether there is one of that number is known.
 */
bool process_is_alive(pid_t pid, uint64_t start_time);

/* True when there is a process of that number, in the same sense, and when it started; 0 when /proc hides it.
 */
bool process_find(pid_t pid, uint64_t *start_time);

/* Namespaces below one another, and the first (MAX_PID_NS_LEVEL, include/linux/pid_namespace.h). */
enum { PROCESS_PIDS = 33 };

/* What a process is called in each pid namespace from that of /proc to its own (proc(5), NSpid): how many, or
 * a negated errno: -ENODATA before Linux 4.1. */
int process_pids(pid_t pid, pid_t pids[static PROCESS_PIDS]);

/* A process of another pid namespace. */
struct process_elsewhere {
    pid_t pid;              /* as that namespace numbers it */
    uint32_t pid_namespace; /* process_pid_namespace() there */
    uint32_t start_time;    /* the low bits of process_start_time(); 0 when it could not be read */
    bool gone;
};

/*
 * Sets `gone` of those that are known to be no more, by one look at all of /proc. Only in the initial
 * namespace this can be known, and only by who may look into every process of another namespace that there
 * is (ptrace(2), PTRACE_MODE_READ): by root. To others none is gone.
 */
void process_look_elsewhere(struct process_elsewhere *wanted, unsigned count);

/* Nanoseconds since boot, suspended time included: comparable between processes. */
uint64_t process_clock(void);

#endif
