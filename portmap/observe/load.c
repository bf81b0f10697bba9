#include "observe/load.h"

#include <stddef.h>

const struct load *load_of(enum sighting_kind kind)
{
    static const struct load taken = {"RTLD_DEEPBIND", "was taken from the flags of its dlopen()",
                                      "PORTSHIM_DEEPBIND=keep leaves it", true};
    static const struct load kept = {"RTLD_DEEPBIND", "was kept, so these libraries reach the kernel's ports",
                                     "unset PORTSHIM_DEEPBIND", false};
    static const struct load elsewhere = {
        "dlmopen", "has a libc of its own, so these libraries reach the kernel's ports",
        "load them by dlopen()", false};
    switch (kind) {
    case SIGHTING_DEEPBIND:
        return &taken;
    case SIGHTING_DEEPBIND_KEPT:
        return &kept;
    case SIGHTING_DLMOPEN:
        return &elsewhere;
    default:
        return NULL;
    }
}
