/*
 * The functions that our wrappers stand in front of: libc's own, or those of the next preloaded library.
 *
 * Found once with dlsym(RTLD_NEXT), by the constructor or by the first call if one comes earlier, and dlsym
 * itself in the tables of the loaded objects. A name that libc does not have stays NULL; nothing can have
 * been linked against it.
 */
#ifndef SHIM_NEXT_H
#define SHIM_NEXT_H

#include <dlfcn.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <ucontext.h>
#include <wordexp.h>

struct next {
    int (*prctl)(int, ...);
    int (*socket)(int, int, int);
    int (*bind)(int, const struct sockaddr *, socklen_t);
    int (*listen)(int, int);
    int (*connect)(int, const struct sockaddr *, socklen_t);
    int (*accept)(int, struct sockaddr *, socklen_t *);
    int (*accept4)(int, struct sockaddr *, socklen_t *, int);
    int (*getsockname)(int, struct sockaddr *, socklen_t *);
    int (*getpeername)(int, struct sockaddr *, socklen_t *);
    ssize_t (*sendto)(int, const void *, size_t, int, const struct sockaddr *, socklen_t);
    ssize_t (*sendmsg)(int, const struct msghdr *, int);
    int (*sendmmsg)(int, struct mmsghdr *, unsigned, int);
    ssize_t (*recvfrom)(int, void *, size_t, int, struct sockaddr *, socklen_t *);
    ssize_t (*recvfrom_chk)(int, void *, size_t, size_t, int, struct sockaddr *, socklen_t *);
    ssize_t (*recvmsg)(int, struct msghdr *, int);
    int (*recvmmsg)(int, struct mmsghdr *, unsigned, int, struct timespec *);
#if __SIZEOF_POINTER__ == 4
    ssize_t (*sendmsg64)(int, const struct msghdr *, int);
    int (*sendmmsg64)(int, struct mmsghdr *, unsigned, int);
    ssize_t (*recvmsg64)(int, struct msghdr *, int);
    int (*recvmmsg64)(int, struct mmsghdr *, unsigned, int, struct timespec *);
#endif
    int (*execve)(const char *, char *const[], char *const[]);
    int (*execvpe)(const char *, char *const[], char *const[]);
    int (*fexecve)(int, char *const[], char *const[]);
    int (*execveat)(int, const char *, char *const[], char *const[], int);
    int (*addchdir_np)(posix_spawn_file_actions_t *, const char *);
    int (*addfchdir_np)(posix_spawn_file_actions_t *, int);
    int (*posix_spawn)(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
                       char *const[], char *const[]);
    int (*posix_spawnp)(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
                        char *const[], char *const[]);
    int (*system)(const char *);
    FILE *(*popen)(const char *, const char *);
    int (*wordexp)(const char *, wordexp_t *, int);
    long (*syscall)(long, ...);
    /* Those of libc itself, which have no wrapper: refill.c. */
    void (*makecontext)(ucontext_t *, void (*)(void), int, ...);
    int (*swapcontext)(ucontext_t *, const ucontext_t *);
    void *(*dlopen)(const char *, int);
    void *(*dlmopen)(Lmid_t, const char *, int);
    void *(*dlsym)(void *, const char *);
    void *(*dlvsym)(void *, const char *, const char *);
};

/* Resolves the last four, which need no other function for it: others ask for them before libc is at work. */
void next_resolve_loader(void);

/* Resolves every name; nothing happens the second time. */
void next_resolve(void);

extern struct next next_functions;

#endif
