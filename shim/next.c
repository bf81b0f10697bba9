#include "next.h"

#include "jump.h"
#include "loaded.h"

#include <dlfcn.h>
#include <gnu/libc-version.h>
#include <link.h>
#include <stddef.h>

struct next next_functions;

static const struct {
    const char *name;
    size_t offset;
} names[] = {
    {"bind", offsetof(struct next, bind)}, /* resolved last: see next_resolve() */
    {"prctl", offsetof(struct next, prctl)},
    {"socket", offsetof(struct next, socket)},
    {"listen", offsetof(struct next, listen)},
    {"connect", offsetof(struct next, connect)},
    {"accept", offsetof(struct next, accept)},
    {"accept4", offsetof(struct next, accept4)},
    {"getsockname", offsetof(struct next, getsockname)},
    {"getpeername", offsetof(struct next, getpeername)},
    {"sendto", offsetof(struct next, sendto)},
    {"sendmsg", offsetof(struct next, sendmsg)},
    {"sendmmsg", offsetof(struct next, sendmmsg)},
    {"recvfrom", offsetof(struct next, recvfrom)},
    {"__recvfrom_chk", offsetof(struct next, recvfrom_chk)},
    {"recvmsg", offsetof(struct next, recvmsg)},
    {"recvmmsg", offsetof(struct next, recvmmsg)},
#if __SIZEOF_POINTER__ == 4
    {"__sendmsg64", offsetof(struct next, sendmsg64)},
    {"__sendmmsg64", offsetof(struct next, sendmmsg64)},
    {"__recvmsg64", offsetof(struct next, recvmsg64)},
    {"__recvmmsg64", offsetof(struct next, recvmmsg64)},
#endif
    {"execve", offsetof(struct next, execve)},
    {"execvpe", offsetof(struct next, execvpe)},
    {"fexecve", offsetof(struct next, fexecve)},
    {"execveat", offsetof(struct next, execveat)},
    {"posix_spawn_file_actions_addchdir_np", offsetof(struct next, addchdir_np)},
    {"posix_spawn_file_actions_addfchdir_np", offsetof(struct next, addfchdir_np)},
    {"posix_spawn", offsetof(struct next, posix_spawn)},
    {"posix_spawnp", offsetof(struct next, posix_spawnp)},
    {"system", offsetof(struct next, system)},
    {"popen", offsetof(struct next, popen)},
    {"wordexp", offsetof(struct next, wordexp)},
    {"syscall", offsetof(struct next, syscall)},
};

void next_resolve_loader(void)
{
    if (next_functions.dlsym != NULL)
        return;
#ifdef JUMP_IS_BUILT
    *(void **)&next_functions.dlvsym = loaded_next_function("dlvsym");
    *(void **)&next_functions.dlmopen = loaded_next_function("dlmopen");
    *(void **)&next_functions.dlopen = loaded_next_function("dlopen");
    *(void **)&next_functions.dlsym = loaded_next_function("dlsym");
#else
    next_functions.dlsym = dlsym;
#endif
}

/* libc's own, also where a sanitizer's library comes between. */
static void *libc_function(const char *name)
{
    struct link_map *libc;
    Dl_info info;
    bool found = dladdr1((void *)gnu_get_libc_version, &info, (void **)&libc, RTLD_DL_LINKMAP) != 0;
    return loaded_function(found ? libc : NULL, name);
}

/* Another thread, or a signal handler, may come meanwhile: once bind is there, the others are. */
void next_resolve(void)
{
    if (next_functions.bind != NULL)
        return;
    next_resolve_loader();
    *(void **)&next_functions.makecontext = libc_function("makecontext");
    *(void **)&next_functions.swapcontext = libc_function("swapcontext");
    /* POSIX lets an object pointer of dlsym() be used as a function pointer; C needs it stored through one.
     */
    for (size_t i = sizeof names / sizeof *names; i-- > 0;)
        *(void **)((char *)&next_functions + names[i].offset) =
            next_functions.dlsym(RTLD_NEXT, names[i].name);
}
