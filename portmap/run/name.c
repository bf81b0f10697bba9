#include "run/name.h"
#include "run/texts.h"

#include "base/lock.h"
#include "base/text.h"
#include "error.h"
#include "run/life.h"
#include "run/rundir.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CLAIM_TRIES = 3 };

enum { LINK_SIZE = NAME_MAX_LENGTH + 8 };

static void link_name(char link[static LINK_SIZE], const char *name)
{
    struct text t = text_in(link, LINK_SIZE);
    text_str(&t, "names/");
    text_str(&t, name);
}

bool name_is_valid(const char *name)
{
    static const char alnum[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t len = strlen(name);
    return len > 0 && len <= NAME_MAX_LENGTH && strspn(name, alnum) == len && strchr("._-", *name) == NULL;
}

const char *name_given(const struct map *map)
{
    const char *given = NULL, *name;
    for (unsigned i = 0; (name = texts_get(map, TEXT_NAME, i)) != NULL; i++)
        if (*name != '@')
            given = name;
    return given;
}

uint64_t name_find(const struct home *home, const char *name)
{
    char link[LINK_SIZE], target[32];
    uint64_t run_id;
    link_name(link, name);
    ssize_t len = readlinkat(home->fd, link, target, sizeof target - 1);
    if (len < 0)
        return 0;
    target[len] = '\0';
    return rundir_id(target, &run_id) ? run_id : 0;
}

/* Names are made and removed under the lock of their directory. Returns a descriptor that holds it, or a
 * negated errno. */
static int lock_names(const struct home *home, unsigned milliseconds)
{
    return lock_directory(home->fd, "names", milliseconds);
}

static int claim_locked(const struct home *home, const char *name, uint64_t run_id)
{
    char link[LINK_SIZE], target[RUNDIR_NAME_SIZE];
    link_name(link, name);
    rundir_name(target, run_id);
    uint64_t holder = name_find(home, name);
    if (holder != 0 && holder != run_id && life_of(home, holder) == RUN_ALIVE)
        return PORTMAP_ENAME;
    if (unlinkat(home->fd, link, 0) < 0 && errno != ENOENT)
        return -errno;
    return symlinkat(target + strlen("runs/"), home->fd, link) < 0 ? -errno : 0;
}

int name_claim(const struct home *home, const char *name, uint64_t run_id)
{
    /* A port that another command is just probing looks like a socket of the run that has the name. */
    const struct timespec moment = {.tv_nsec = 10000000};
    int error = PORTMAP_ENAME;
    for (unsigned tries = 0; tries < CLAIM_TRIES && error == PORTMAP_ENAME; tries++) {
        if (tries > 0)
            nanosleep(&moment, NULL);
        int lock = lock_names(home, LOCK_PATIENT);
        if (lock < 0)
            return lock;
        error = claim_locked(home, name, run_id);
        lock_release(lock);
    }
    return error;
}

bool name_is_free(const struct home *home, const char *name)
{
    uint64_t holder = name_find(home, name);
    return holder == 0 || life_of(home, holder) != RUN_ALIVE;
}

void name_numbered(char numbered[static NAME_MAX_LENGTH + 1], const char *name, unsigned number)
{
    char suffix[16] = "";
    struct text end = text_in(suffix, sizeof suffix), t = text_in(numbered, NAME_MAX_LENGTH + 1);
    if (number > 1) {
        text_char(&end, '-');
        text_uint(&end, number);
    }
    text_bytes(&t, name, strnlen(name, NAME_MAX_LENGTH - end.used));
    text_str(&t, suffix);
}

void name_forget(const struct home *home, const char *name, uint64_t run_id)
{
    char link[LINK_SIZE];
    link_name(link, name);
    int lock = lock_names(home, LOCK_BRIEF);
    if (lock < 0)
        return;
    if (name_find(home, name) == run_id)
        unlinkat(home->fd, link, 0);
    lock_release(lock);
}

void name_forget_run(const struct home *home, uint64_t run_id)
{
    union {
        struct dirent64 entry;
        char bytes[4096];
    } buffer;
    ssize_t got;
    int lock = lock_names(home, LOCK_BRIEF);
    while (lock >= 0 && (got = getdents64(lock, (void *)&buffer, sizeof buffer)) > 0)
        for (ssize_t at = 0; at < got;) {
            const struct dirent64 *entry = (const void *)(buffer.bytes + at);
            char target[RUNDIR_NAME_SIZE] = "";
            uint64_t named;
            at += entry->d_reclen;
            if (readlinkat(lock, entry->d_name, target, sizeof target - 1) > 0 && rundir_id(target, &named) &&
                named == run_id)
                unlinkat(lock, entry->d_name, 0);
        }
    if (lock >= 0)
        lock_release(lock);
}

void name_forget_all(const struct home *home, const struct map *map)
{
    const char *name;
    for (unsigned i = 0; (name = texts_get(map, TEXT_NAME, i)) != NULL; i++)
        name_forget(home, name, map->head->run_id);
}
