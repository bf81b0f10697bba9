/*
 * dlsym(3) and dlvsym(3) of a handle: ctypes, JNA and other bridges between languages ask the handle of libc
 * for its functions, and would have libc's own. Where the answer is the very function that one of ours stands
 * in front of, it is ours: a wrapper of what was asked for, so that nothing can call itself that would not
 * have done so anyway. Any other answer, such as libc's function where another preloaded library stands
 * between, is left alone.
 *
 * RTLD_DEFAULT and RTLD_NEXT are libc's to answer, and depend on who asks.
 */
#include "process/jump.h"
#include "process/loaded.h"
#include "process/next.h"

#include <dlfcn.h>

#ifdef JUMP_IS_BUILT

/* Ours in place of a function that was found by its name. */
static void *in_front_of(void *found, const char *name)
{
    void *ours = found != NULL ? loaded_function(loaded_self(), name) : NULL;
    if (ours == NULL || ours == found)
        return found;
    void *behind = next_functions.dlsym(RTLD_NEXT, name);
    if (behind == NULL)
        dlerror(); /* the program's own question was answered */
    return behind == found ? ours : found;
}

static void *dlsym_of_handle(void *handle, const char *name)
{
    return in_front_of(next_functions.dlsym(handle, name), name);
}

static void *dlvsym_of_handle(void *handle, const char *name, const char *version)
{
    return in_front_of(next_functions.dlvsym(handle, name, version), name);
}

static bool is_handle(uintptr_t argument)
{
    return argument != (uintptr_t)RTLD_DEFAULT && argument != (uintptr_t)RTLD_NEXT;
}

JUMP_WAY(dlsym)
{
    next_resolve_loader();
    return is_handle(arguments[0]) ? (void *)dlsym_of_handle : (void *)next_functions.dlsym;
}

/*
 * Our functions have no version, so that dlvsym() passes them over; where the one asked for is that of the
 * function behind ours, dlsym() finds the right one for whoever asks. What is behind ours is not asked of
 * dlsym: another preloaded library's may come back here.
 */
static bool is_version_behind(const char *name, const char *version)
{
    if (loaded_function(loaded_self(), name) == NULL)
        return false;
    void *found = next_functions.dlvsym(RTLD_NEXT, name, version);
    return found != NULL && found == loaded_next_function(name);
}

JUMP_WAY(dlvsym)
{
    next_resolve_loader();
    if (is_handle(arguments[0]))
        return (void *)dlvsym_of_handle;
    if (is_version_behind((const char *)arguments[1], (const char *)arguments[2]))
        return (void *)next_functions.dlsym;
    return (void *)next_functions.dlvsym;
}

JUMP(dlsym);
JUMP(dlvsym);

#endif
