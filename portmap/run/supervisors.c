#include "run/supervisors.h"

#include "base/kernel.h"

#include <linux/futex.h>
#include <stdint.h>
#include <sys/syscall.h>

/* A list of one lock, which is where futex_offset says, from `held` on. */
static struct robust_list_head locks;
static struct robust_list held;
static _Atomic uint32_t *own;

static unsigned words(const struct map *map)
{
    return sizeof map->notes->supervisors / sizeof *map->notes->supervisors;
}

void supervisors_enter(struct map *map)
{
    uint32_t thread = (uint32_t)kernel_call(SYS_gettid);
    for (unsigned i = 0; map != NULL && map->notes != NULL && i < words(map) && own == NULL; i++) {
        uint32_t none = 0;
        if (atomic_compare_exchange_strong(&map->notes->supervisors[i], &none, thread))
            own = &map->notes->supervisors[i];
    }
    if (own == NULL)
        return;
    locks.futex_offset = (char *)own - (char *)&held;
    held.next = &locks.list;
    locks.list.next = &held;
    kernel_call(SYS_set_robust_list, &locks, sizeof locks);
}

void supervisors_leave(void)
{
    locks.list.next = &locks.list;
    if (own != NULL)
        atomic_store(own, 0);
    own = NULL;
}

unsigned supervisors_killed(const struct map *map)
{
    unsigned killed = 0;
    for (unsigned i = 0; map->notes != NULL && i < words(map); i++)
        killed += (atomic_load(&map->notes->supervisors[i]) & FUTEX_OWNER_DIED) != 0;
    return killed;
}
