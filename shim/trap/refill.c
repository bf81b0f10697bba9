#include "trap/refill.h"

#include "base/environment.h"
#include "rules/late.h"
#include "run/late.h"

#include <errno.h>
#include <unistd.h>

extern char **environ;

enum refill trap_refill(const struct view *view, struct map *map, unsigned placeholder, uint32_t *entry)
{
    const char *run_path = environment_get_nonempty(environ, "PORTSHIM_RUN");
    int result = run_path != NULL ? run_lease_late(run_path, map, environ, placeholder, entry) : -ENOENT;
    if (result >= 0)
        late_alias(view, map, placeholder);
    return late_refilled(result, run_server(map, environ).required);
}
