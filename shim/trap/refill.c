#include "trap/refill.h"

#include "base/environment.h"
#include "rules/late.h"
#include "run/late.h"
#include "trap/views.h"

#include <errno.h>

enum refill trap_refill(const struct view *view, struct map *map, unsigned placeholder, uint32_t *entry)
{
    char *const *environment = views_environment(view);
    const char *path = environment_get_nonempty(environment, "PORTSHIM_RUN");
    int result = path != NULL ? run_lease_late(path, map, environment, placeholder, entry) : -ENOENT;
    if (result >= 0)
        late_alias(view, map, placeholder);
    return late_refilled(result, run_server(map, environment).required);
}
