/*
 * dlopen(3) and dlmopen(3), which can load a library that gets past this one.
 *
 * With RTLD_DEEPBIND, the loaded library looks for functions in itself and its dependencies first, and so
 * calls libc's bind() instead of ours. While a run is in force, the flag is taken away, unless
 * PORTSHIM_DEEPBIND is "keep". In a new namespace (dlmopen()), the loaded library has a libc of its own, and
 * no library of ours is in front of that. All three cases are noted in the map, for portshim-ls(1). Below a
 * trap, the supervisor serves the calls that get past this library.
 */
#include "process/attach.h"
#include "process/jump.h"
#include "process/supervised.h"
#include "rules/seen.h"

#include <dlfcn.h>

#ifdef JUMP_IS_BUILT

/* The flags to load with instead of these; notes RTLD_DEEPBIND. */
static uintptr_t judge(uintptr_t flags)
{
    if ((flags & RTLD_DEEPBIND) == 0)
        return flags;
    next();
    if (!own_view.active)
        return flags;
    bool keep = attach_keeps_deepbind;
    if (!keep || !supervised())
        seen_load(&own_view, keep ? SIGHTING_DEEPBIND_KEPT : SIGHTING_DEEPBIND);
    return keep ? flags : flags & ~(uintptr_t)RTLD_DEEPBIND;
}

JUMP_WAY(dlopen)
{
    arguments[1] = judge(arguments[1]);
    return (void *)BEHIND(&next_functions, dlopen);
}

JUMP_WAY(dlmopen)
{
    if ((Lmid_t)arguments[0] == LM_ID_BASE) {
        arguments[2] = judge(arguments[2]);
    } else {
        next();
        if (!supervised())
            seen_load(&own_view, SIGHTING_DLMOPEN);
    }
    return (void *)BEHIND(&next_functions, dlmopen);
}

JUMP(dlopen);
JUMP(dlmopen);

#endif
