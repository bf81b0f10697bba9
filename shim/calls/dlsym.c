/*
 * dlsym(3) and dlvsym(3): ctypes, JNA and other bridges between languages look up functions by the handle of
 * libc, and so would get libc's bind() instead of ours.
 *
 * If the function found is the very one that a wrapper of ours calls, the answer is the wrapper. The wrapper
 * goes on to the function that was asked for, so that this makes no new loop of calls. Any other answer is
 * left alone, such as libc's function when another preloaded library is between libc and us.
 *
 * Look-ups of RTLD_DEFAULT and RTLD_NEXT depend on the caller, and are left to libc.
 */
#include "process/jump.h"
#include "process/loaded.h"
#include "process/next.h"

#include <dlfcn.h>

#ifdef JUMP_IS_BUILT

/* Our wrapper of that name if `found` is what it calls, else `found`. */
static void *in_front_of(void *found, const char *name)
{
    void *ours = found != NULL ? loaded_function(loaded_self(), name) : NULL;
    if (ours == NULL || ours == found)
        return found;
    void *behind = BEHIND(&next_functions, dlsym)(RTLD_NEXT, name);
    if (behind == NULL)
        dlerror(); /* clear our own error: the program's look-up succeeded */
    return behind == found ? ours : found;
}

static void *dlsym_of_handle(void *handle, const char *name)
{
    return in_front_of(BEHIND(&next_functions, dlsym)(handle, name), name);
}

static void *dlvsym_of_handle(void *handle, const char *name, const char *version)
{
    return in_front_of(BEHIND(&next_functions, dlvsym)(handle, name, version), name);
}

static bool is_handle(uintptr_t argument)
{
    return argument != (uintptr_t)RTLD_DEFAULT && argument != (uintptr_t)RTLD_NEXT;
}

JUMP_WAY(dlsym)
{
    return is_handle(arguments[0]) ? (void *)dlsym_of_handle : (void *)BEHIND(&next_functions, dlsym);
}

/*
 * Whether this is the version of the function that our wrapper calls: then the wrapper is to be found too.
 * dlvsym() passes it over, as it has no version; dlsym() finds it. The function behind the wrapper is not
 * looked up by dlsym(): another preloaded library's dlsym() may call back here.
 */
static bool is_version_behind(const char *name, const char *version)
{
    if (loaded_function(loaded_self(), name) == NULL)
        return false;
    void *found = BEHIND(&next_functions, dlvsym)(RTLD_NEXT, name, version);
    return found != NULL && found == loaded_next_function(name);
}

JUMP_WAY(dlvsym)
{
    if (is_handle(arguments[0]))
        return (void *)dlvsym_of_handle;
    if (is_version_behind((const char *)arguments[1], (const char *)arguments[2]))
        return (void *)BEHIND(&next_functions, dlsym);
    return (void *)BEHIND(&next_functions, dlvsym);
}

JUMP(dlsym);
JUMP(dlvsym);

#endif
