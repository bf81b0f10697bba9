#include "process/next.h"

#include "process/jump.h"
#include "process/loaded.h"

#include <dlfcn.h>
#include <gnu/libc-version.h>
#include <link.h>
#include <stddef.h>

struct next next_functions;

static const struct {
    const char *name;
    size_t offset;
} names[] = {
#define NEXT(name, result, parameters) {#name, offsetof(struct next, name)},
#include "process/interposed.h"
};

void next_resolve_loader(void)
{
    if (next_functions.dlsym != NULL)
        return;
#ifdef JUMP_IS_BUILT
#define LOADER(name, result, parameters) *(void **)&next_functions.name = loaded_next_function(#name);
#include "process/interposed.h"
#else
    next_functions.dlsym = dlsym;
#endif
}

/* libc's own function, even if a sanitizer's library comes before libc. */
static void *libc_function(const char *name)
{
    struct link_map *libc;
    Dl_info info;
    bool found = dladdr1((void *)gnu_get_libc_version, &info, (void **)&libc, RTLD_DL_LINKMAP) != 0;
    return loaded_function(found ? libc : NULL, name);
}

/* Another thread or a signal handler may call this meanwhile. `bind` is set last, when all others are. */
void next_resolve(void)
{
    if (next_functions.bind != NULL)
        return;
    next_resolve_loader();
    *(void **)&next_functions.makecontext = libc_function("makecontext");
    *(void **)&next_functions.swapcontext = libc_function("swapcontext");
    /* dlsym() returns functions as object pointers (POSIX); C wants them stored through a pointer. */
    for (size_t i = sizeof names / sizeof *names; i-- > 0;)
        *(void **)((char *)&next_functions + names[i].offset) =
            next_functions.dlsym(RTLD_NEXT, names[i].name);
}
