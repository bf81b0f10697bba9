/*
 * The one list of the functions of libc that the library interposes. struct next (process/next.h), the code
 * that fills it (process/next.c) and the exported names (Makefile) are made from it. Each includes this file
 * with its own macros, so that there is no include guard.
 *
 * NEXT: the wrapper calls the function behind it, which has a place in struct next. ALSO: the wrapper calls a
 * function of NEXT. LOADER: a function of the dynamic linker (process/jump.h).
 */
#ifndef NEXT
#define NEXT(name, result, parameters)
#endif
#ifndef ALSO
#define ALSO(name)
#endif
#ifndef LOADER
#define LOADER(name, result, parameters)
#endif

/* clang-format off */
NEXT(bind, int, (int, const struct sockaddr *, socklen_t))
NEXT(prctl, int, (int, ...))
NEXT(socket, int, (int, int, int))
NEXT(listen, int, (int, int))
NEXT(connect, int, (int, const struct sockaddr *, socklen_t))
NEXT(accept, int, (int, struct sockaddr *, socklen_t *))
NEXT(accept4, int, (int, struct sockaddr *, socklen_t *, int))
NEXT(getsockname, int, (int, struct sockaddr *, socklen_t *))
NEXT(getpeername, int, (int, struct sockaddr *, socklen_t *))
NEXT(sendto, ssize_t, (int, const void *, size_t, int, const struct sockaddr *, socklen_t))
NEXT(sendmsg, ssize_t, (int, const struct msghdr *, int))
NEXT(sendmmsg, int, (int, struct mmsghdr *, unsigned, int))
NEXT(recvfrom, ssize_t, (int, void *, size_t, int, struct sockaddr *, socklen_t *))
NEXT(__recvfrom_chk, ssize_t, (int, void *, size_t, size_t, int, struct sockaddr *, socklen_t *))
NEXT(recvmsg, ssize_t, (int, struct msghdr *, int))
NEXT(recvmmsg, int, (int, struct mmsghdr *, unsigned, int, struct timespec *))
#if __SIZEOF_POINTER__ == 4
NEXT(__sendmsg64, ssize_t, (int, const struct msghdr *, int))
NEXT(__sendmmsg64, int, (int, struct mmsghdr *, unsigned, int))
NEXT(__recvmsg64, ssize_t, (int, struct msghdr *, int))
NEXT(__recvmmsg64, int, (int, struct mmsghdr *, unsigned, int, struct timespec *))
#endif
NEXT(execve, int, (const char *, char *const[], char *const[]))
NEXT(execvpe, int, (const char *, char *const[], char *const[]))
NEXT(fexecve, int, (int, char *const[], char *const[]))
NEXT(execveat, int, (int, const char *, char *const[], char *const[], int))
ALSO(execl)
ALSO(execle)
ALSO(execlp)
ALSO(execv)
ALSO(execvp)
NEXT(posix_spawn_file_actions_addchdir_np, int, (posix_spawn_file_actions_t *, const char *))
NEXT(posix_spawn_file_actions_addfchdir_np, int, (posix_spawn_file_actions_t *, int))
ALSO(posix_spawn_file_actions_addchdir)
ALSO(posix_spawn_file_actions_addfchdir)
NEXT(posix_spawn, int, (pid_t *, const char *, const posix_spawn_file_actions_t *,
                        const posix_spawnattr_t *, char *const[], char *const[]))
NEXT(posix_spawnp, int, (pid_t *, const char *, const posix_spawn_file_actions_t *,
                         const posix_spawnattr_t *, char *const[], char *const[]))
NEXT(system, int, (const char *))
NEXT(popen, FILE *, (const char *, const char *))
NEXT(wordexp, int, (const char *, wordexp_t *, int))
NEXT(syscall, long, (long, ...))
LOADER(dlvsym, void *, (void *, const char *, const char *))
LOADER(dlmopen, void *, (Lmid_t, const char *, int))
LOADER(dlopen, void *, (const char *, int))
LOADER(dlsym, void *, (void *, const char *))
/* clang-format on */

#undef NEXT
#undef ALSO
#undef LOADER
