#include "dlopen.h"

#include "attach.h"
#include "jump.h"
#include "seen.h"

#include <dlfcn.h>
#include <string.h>

static bool keep;

bool dlopen_init(const char *setting)
{
    keep = setting != NULL && strcmp(setting, "keep") == 0;
    return setting == NULL || keep;
}

#ifdef JUMP_IS_BUILT

/* The flags to load with. */
static uintptr_t judge(uintptr_t flags)
{
    if ((flags & RTLD_DEEPBIND) == 0)
        return flags;
    next();
    if (!own_view.active)
        return flags;
    seen_load(&own_view, keep ? SIGHTING_DEEPBIND_KEPT : SIGHTING_DEEPBIND);
    return keep ? flags : flags & ~(uintptr_t)RTLD_DEEPBIND;
}

JUMP_WAY(dlopen)
{
    next_resolve_loader();
    arguments[1] = judge(arguments[1]);
    return (void *)next_functions.dlopen;
}

JUMP_WAY(dlmopen)
{
    next_resolve_loader();
    if ((Lmid_t)arguments[0] == LM_ID_BASE) {
        arguments[2] = judge(arguments[2]);
    } else {
        next();
        seen_load(&own_view, SIGHTING_DLMOPEN);
    }
    return (void *)next_functions.dlmopen;
}

JUMP(dlopen);
JUMP(dlmopen);

#endif
