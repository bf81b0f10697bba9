#include "carry.h"

#include "compact.h"
#include "memory.h"
#include "preload.h"
#include "text.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define PRELOAD "LD_PRELOAD="
#define RUN "PORTSHIM_RUN="
#define COMPACT COMPACT_VARIABLE "="

/* What the process was started with may be overwritten (setproctitle): copies in our own memory. */
static char library[PATH_MAX];       /* absolute */
static char library_given[PATH_MAX]; /* as LD_PRELOAD had it */
static char run_variable[sizeof RUN + PATH_MAX];
static char compact_variable[sizeof COMPACT + COMPACT_SIZE];
static bool has_run;

/* What an environment has of ours. */
struct found {
    size_t count; /* entries, without the terminator */
    const char *preload;
    bool has_run, has_compact, other_run, off;
};

bool carry_init(void)
{
    Dl_info self;
    struct text absolute = text_in(library, sizeof library),
                given = text_in(library_given, sizeof library_given);
    if (dladdr((void *)library, &self) == 0 || self.dli_fname == NULL)
        return false;
    const char *path = self.dli_fname;
    text_str(&given, path);
    if (*path != '/') {
        if (getcwd(library, sizeof library) == NULL)
            return false;
        absolute.used = strlen(library);
        text_char(&absolute, '/');
        while (strncmp(path, "./", 2) == 0)
            path += 2;
    }
    text_str(&absolute, path);
    return !absolute.cut && strpbrk(library, " :") == NULL;
}

static bool set_run(const char *run_path)
{
    struct text run = text_in(run_variable, sizeof run_variable);
    text_str(&run, RUN);
    text_str(&run, run_path);
    has_run = !run.cut;
    return has_run;
}

bool carry_run(const char *run_path, const char *compact)
{
    struct text t = text_in(compact_variable, sizeof compact_variable);
    text_str(&t, COMPACT);
    text_str(&t, compact);
    return !t.cut && set_run(run_path);
}

bool carry_map(const char *run_path, const struct map *map)
{
    struct text t = text_in(compact_variable, sizeof compact_variable);
    text_str(&t, COMPACT);
    return compact_write(map, compact_variable + t.used, sizeof compact_variable - t.used) &&
           set_run(run_path);
}

char *carry_run_variable(void)
{
    return run_variable;
}

/* strncmp() with a prefix, for a string that may lie anywhere: each page is asked about before it is read. */
static bool begins(const char *string, const char *prefix)
{
    for (size_t i = 0; prefix[i] != '\0'; i++) {
        bool new_page = i == 0 || ((uintptr_t)(string + i) & 4095) == 0;
        if ((new_page && !memory_is_readable(string + i, 1)) || string[i] != prefix[i])
            return false;
    }
    return true;
}

static struct found look(char *const environment[])
{
    struct found found = {0};
    if (environment == NULL)
        return found;
    for (;; found.count++) {
        char *const *at = environment + found.count;
        bool new_page = found.count == 0 || ((uintptr_t)at & 4095) == 0;
        if (new_page && !memory_is_readable(at, sizeof *at)) {
            found.off = true; /* the kernel will say EFAULT */
            return found;
        }
        if (*at == NULL)
            return found;
        if (begins(*at, PRELOAD) && found.preload == NULL)
            found.preload = *at + strlen(PRELOAD);
        else if (begins(*at, RUN)) {
            found.has_run = true;
            found.other_run = strcmp(*at, run_variable) != 0;
        } else if (begins(*at, COMPACT))
            found.has_compact = true;
        else if (begins(*at, "PORTSHIM=0"))
            found.off = (*at)[strlen("PORTSHIM=0")] == '\0';
    }
}

static bool is_good(const struct found *found)
{
    bool preloaded = found->preload != NULL && preload_lists(found->preload, library);
    return preloaded && found->has_run && (found->has_compact || found->other_run);
}

size_t carry_size(char *const environment[])
{
    if (!has_run)
        return 0;
    struct found found = look(environment);
    if (found.off || is_good(&found))
        return 0;
    size_t preload =
        sizeof PRELOAD + strlen(library) + 1 + (found.preload != NULL ? strlen(found.preload) : 0);
    return (found.count + 4) * sizeof(char *) + preload;
}

char *const *carry_write(void *space, char *const environment[])
{
    struct found found = look(environment);
    char **entries = space, *strings = (char *)(entries + found.count + 4);
    size_t used = 0;
    size_t preload_size =
        sizeof PRELOAD + strlen(library) + 1 + (found.preload != NULL ? strlen(found.preload) : 0);
    struct text preload = text_in(strings, preload_size);
    text_str(&preload, PRELOAD);
    preload_write(&preload, library, library_given, found.preload != NULL ? found.preload : "");
    entries[used++] = strings;
    if (!found.has_run)
        entries[used++] = run_variable;
    if (!found.has_compact && !found.other_run)
        entries[used++] = compact_variable;
    for (size_t i = 0; i < found.count; i++)
        if (!begins(environment[i], PRELOAD))
            entries[used++] = environment[i];
    entries[used] = NULL;
    return entries;
}
