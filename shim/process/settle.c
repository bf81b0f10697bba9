#include "process/settle.h"

#include "base/kernel.h"
#include "process/attach.h"
#include "process/copies.h"
#include "process/supervised.h"
#include "rules/kind.h"
#include "rules/local.h"
#include "run/sighting.h"

#include <dirent.h>
#include <errno.h>
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
static bool look_at_all(int directory)
{
    _Alignas(struct dirent64) char entries[512]; /* small: a signal handler's stack may be, too */
    for (;;) {
        long size = kernel_call(SYS_getdents64, directory, entries, sizeof entries);
        if (size <= 0)
            return size == 0;
        for (long at = 0; at < size;) {
            const struct dirent64 *entry = (const void *)(entries + at);
            int fd = descriptor(entry->d_name);
            if (fd >= 0 && fd != directory)
                kind_note_got(&own_view, fd);
            at += entry->d_reclen;
        }
    }
}

static void look_at_descriptors(void)
{
    int directory = kernel_open(AT_FDCWD, "/proc/self/fd");
    if (directory < 0 || !look_at_all(directory))
        atomic_store(&own_view.mixed, true);
    if (directory >= 0)
        kernel_close(directory);
}

/* Not inlined: its buffers are on the stack only while it runs. */
__attribute__((noinline)) static void look_at_program(void)
{
    struct stat running;
    if (kernel_stat(AT_FDCWD, "/proc/self/exe", 0, &running) < 0)
        return;
    own_view.program.device = sighting_device(&running);
    own_view.program.inode = running.st_ino;
    copies_tell(&running);
}

void settle(void)
{
    if (atomic_load(&own_view.settled) || !own_view.active || view_is_filtered(&own_view))
        return;
    int saved = errno;
    supervised();
    look_at_descriptors();
    look_at_program();
    local_note();
    errno = saved;
    atomic_store(&own_view.settled, true);
}
