#include "refill.h"

#include "carry.h"
#include "home.h"
#include "pool.h"
#include "run.h"
#include "text.h"

#include <errno.h>
#include <string.h>

extern char **environ;

/* The home that the run is in: the program may have emptied the environment that could tell. */
static bool open_home(struct home *home)
{
    char variable[PATH_MAX + 16];
    char *environment[] = {variable, NULL};
    const char *run_path = strchr(carry_run_variable(), '=') + 1;
    struct text t = text_in(variable, sizeof variable);
    text_str(&t, "PORTSHIM_HOME=");
    text_str(&t, run_path);
    for (unsigned parts = 0; parts < 2; parts++) { /* runs/ID */
        char *slash = strrchr(variable, '/');
        if (slash == NULL)
            return false;
        *slash = '\0';
    }
    return home_open(home, environment) == 0;
}

static bool fill(struct map *map)
{
    struct run run = {.map = map};
    struct pool_problem problem;
    struct pool pool;
    struct home home;
    if (!open_home(&home))
        return false;
    bool filled = pool_load(&pool, environ, &problem) == 0;
    if (filled)
        run_refill(&run, &home, &pool);
    home_close(&home);
    return filled;
}

bool refill(struct map *map)
{
    int saved = errno;
    bool filled = fill(map);
    errno = saved;
    return filled;
}
