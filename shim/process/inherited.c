#include "process/inherited.h"

#include "base/kernel.h"
#include "rules/kind.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>

/* The descriptor that an entry of /proc/self/fd names; -1 for "." and "..". */
static int descriptor(const char *name)
{
    int fd = 0;
    for (; *name >= '0' && *name <= '9'; name++)
        fd = fd * 10 + (*name - '0');
    return *name == '\0' ? fd : -1;
}

/* False when the directory could not be read to its end. */
static bool look_at_all(struct view *view, int directory)
{
    static _Alignas(struct dirent64) char entries[2048]; /* not on the stack, which may be small */
    for (;;) {
        long size = kernel_call(SYS_getdents64, directory, entries, sizeof entries);
        if (size <= 0)
            return size == 0;
        for (long at = 0; at < size;) {
            const struct dirent64 *entry = (const void *)(entries + at);
            kind_note_got(view, descriptor(entry->d_name));
            at += entry->d_reclen;
        }
    }
}

void inherited_look(struct view *view)
{
    int directory = kernel_open(AT_FDCWD, "/proc/self/fd");
    if (directory < 0 || !look_at_all(view, directory))
        atomic_store(&view->mixed, true); /* unknown: assume the worst */
    if (directory >= 0)
        kernel_close(directory);
}
