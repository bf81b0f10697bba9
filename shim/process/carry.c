#include "process/carry.h"

#include "base/text.h"
#include "process/apart.h"
#include "process/borrow.h"
#include "process/loaded.h"
#include "process/memory.h"
#include "program/preload.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define PRELOAD "LD_PRELOAD="
#define RUN "PORTSHIM_RUN="
#define COMPACT COMPACT_VARIABLE "="

APART char carry_outer[PATH_MAX]; /* not on the stack, which may be small */

/*
 * Copies, as the program may overwrite the environment that it was started with (setproctitle(3)). They lie
 * one after the other, so that most processes touch one page.
 */
BEHIND_SMALL static char carry_copies[2 * PATH_MAX + sizeof RUN + PATH_MAX + sizeof COMPACT + COMPACT_SIZE];
static const char *library;       /* absolute */
static const char *library_given; /* as LD_PRELOAD had it */
static char *run_variable;        /* NULL: no run */
static char *compact_variable;

/* Room for a copy, behind what is there already. */
static struct text copy_after(const char *copy)
{
    char *start = carry_copies;
    if (copy != NULL)
        start += (size_t)(copy - carry_copies) + strlen(copy) + 1;
    return text_in(start, (size_t)(carry_copies + sizeof carry_copies - start));
}

char *carry_room(void)
{
    return copy_after(library).at;
}

bool carry_init(void)
{
    const struct link_map *self = loaded_self();
    run_variable = NULL;
    if (self == NULL)
        return false;
    const char *path = self->l_name;
    struct text given = copy_after(NULL);
    text_str(&given, path);
    library_given = given.at;
    while (strncmp(path, "./", 2) == 0)
        path += 2;
    struct text absolute = copy_after(library_given);
    library = absolute.at;
    return text_path(&absolute, path) == 0 && library[text_until(library, " :")] == '\0';
}

static bool set_run(const char *run_path)
{
    struct text run = copy_after(library);
    text_str(&run, RUN);
    text_str(&run, run_path);
    run_variable = run.at;
    return !run.cut;
}
bool carry_run(const char *run_path, const char *compact)
{
    if (!set_run(run_path))
        return false;
    struct text t = copy_after(run_variable);
    text_str(&t, COMPACT);
    text_str(&t, compact);
    compact_variable = t.at;
    return !t.cut;
}

bool carry_map(const char *run_path, const struct map *map, const char *secret, const char *around,
               const struct compact_trap *trap)
{
    if (!set_run(run_path))
        return false;
    struct text t = copy_after(run_variable);
    text_str(&t, COMPACT);
    compact_variable = t.at;
    char *compact = t.at + t.used;
    size_t size = t.size - t.used;
    bool fits = compact_write(map, secret, trap, compact, size);
    const char *head = NULL;
    for (unsigned n = 0; fits; n++) {
        if (around != NULL)
            head = compact_outer(around, n, carry_outer) ? carry_outer : NULL;
        else
            head = texts_get(map, TEXT_AROUND, n);
        if (head == NULL)
            break;
        fits = compact_add_outer(compact, size, head);
    }
    return fits;
}

const char *carry_library(void)
{
    return library;
}

const char *carry_compact(void)
{
    return compact_variable + strlen(COMPACT);
}

char *carry_run_variable(void)
{
    return run_variable;
}

/* The length of a string at any address; SIZE_MAX when it runs into memory that cannot be read. Each page is
 * checked before it is read. */
static size_t length(const char *string)
{
    for (size_t i = 0;; i++) {
        bool new_page = i == 0 || ((uintptr_t)(string + i) & 4095) == 0;
        if (new_page && !memory_is_readable(string + i, 1))
            return SIZE_MAX;
        if (string[i] == '\0')
            return i;
    }
}

static bool begins(const char *string, const char *prefix)
{
    return strncmp(string, prefix, strlen(prefix)) == 0;
}

/* Notes what one entry has of ours; false when it cannot be read: the kernel will fail with EFAULT. */
static bool look_at(struct carry *found, const char *entry)
{
    if (!memory_is_readable(entry, 1))
        return false;
    /* Our variables begin with LD_ or PORTSHIM; others are not read to their end. */
    if (*entry != 'L' && *entry != 'P')
        return true;
    size_t len = length(entry);
    if (len == SIZE_MAX)
        return false;
    if (begins(entry, PRELOAD) && found->preload == NULL) {
        found->preload = entry + strlen(PRELOAD);
        found->preload_length = len - strlen(PRELOAD);
    } else if (begins(entry, RUN)) {
        found->has_run = true;
        found->other_run = strcmp(entry, run_variable) != 0;
    } else if (begins(entry, COMPACT)) {
        found->has_compact = true;
    } else if (strcmp(entry, "PORTSHIM=0") == 0) {
        found->off = true;
    }
    return true;
}

struct carry carry_look(char *const environment[])
{
    struct carry found = {.environment = environment};
    if (environment == NULL || run_variable == NULL)
        return found;
    for (;; found.count++) {
        char *const *at = environment + found.count;
        bool new_page = found.count == 0 || ((uintptr_t)at & 4095) < sizeof *at;
        if ((new_page && !memory_is_readable(at, sizeof *at)) || (*at != NULL && !look_at(&found, *at))) {
            found.off = true;
            return found;
        }
        if (*at == NULL)
            return found;
    }
}

/* Whether nothing is missing. In a run by hand, the program itself lacks the compact variable, so that the
 * environments of programs that it starts are repaired too. */
static bool is_good(const struct carry *found)
{
    bool preloaded = found->preload != NULL && preload_lists(found->preload, library);
    return preloaded && found->has_run && (found->has_compact || found->other_run);
}

static size_t preload_size(const struct carry *found)
{
    return sizeof PRELOAD + strlen(library) + 1 + found->preload_length;
}

size_t carry_size(const struct carry *carry)
{
    if (run_variable == NULL || carry->off || is_good(carry))
        return 0;
    return (carry->count + 4) * sizeof(char *) + preload_size(carry);
}

char *const *carry_write(void *space, const struct carry *carry)
{
    char **entries = space, *strings = (char *)(entries + carry->count + 4);
    size_t used = 0;
    struct text preload = text_in(strings, preload_size(carry));
    text_str(&preload, PRELOAD);
    preload_write(&preload, library, library_given, carry->preload != NULL ? carry->preload : "");
    entries[used++] = strings;
    if (!carry->has_run)
        entries[used++] = run_variable;
    if (!carry->has_compact && !carry->other_run)
        entries[used++] = compact_variable;
    for (size_t i = 0; i < carry->count && carry->environment[i] != NULL; i++)
        if (!begins(carry->environment[i], PRELOAD))
            entries[used++] = carry->environment[i];
    entries[used] = NULL;
    return entries;
}

struct carried carry_into(void *stack, size_t size, const struct carry *carry)
{
    struct carried carried = {
        .environment = carry->environment, .leaves = carry->off, .other_run = carry->other_run};
    if (size == 0)
        return carried;
    if (stack == NULL)
        stack = carried.borrowed = borrow(size);
    carried.no_memory = stack == NULL;
    if (carried.no_memory)
        errno = ENOMEM;
    else
        carried.environment = carry_write(stack, carry);
    return carried;
}

void carry_end(const struct carried *carried)
{
    borrow_return(carried->borrowed);
}
