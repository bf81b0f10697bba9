#include "rules/seen.h"

#include "rules/kind.h"
#include "rules/local.h"

#include <errno.h>

static void note(const struct view *view, struct map *map, struct sighting sighting)
{
    const struct view_program *self = &view->program;
    view_settle(view);
    sighting.program = sighting_program(map, self->device, self->inode, self->name);
    _Atomic uint64_t *word = sighting_note(map, sighting);
    if (sighting.kind == SIGHTING_REFUSED && word != NULL && view->tell != NULL)
        view->tell(view, map, word);
}

void seen_bind(const struct view *view, int fd, const struct outbound *out, int error)
{
    struct map *map = view->map[0]; /* sightings are kept in the map */
    unsigned port = address_port(&out->to);
    if (map == NULL || !view->active || (error != 0 && error != EADDRINUSE) || out->len < ADDRESS_IPV4)
        return;
    if (!address_is_ip(&out->to) || port == 0 || view_to_program(view, port) != 0 ||
        !kind_matches(view, fd, PORTMAP_BOTH))
        return;
    note(view, map,
         (struct sighting){.kind = error == 0 ? SIGHTING_BIND : SIGHTING_REFUSED,
                           .port = port,
                           .protocols = map->head->discover ? kind_of(view, fd) : 0});
}

void seen_destination(const struct view *view, int fd, const struct outbound *out)
{
    struct map *map = view->map[0];
    unsigned port = address_port(&out->to);
    if (map == NULL || port == 0 || !address_is_ip(&out->to) || !local_has(view, &out->to, out->len))
        return;
    unsigned kind = kind_of(view, fd);
    if (kind != 0)
        note(view, map, (struct sighting){.kind = SIGHTING_CONNECT, .port = port, .protocols = kind});
}

/* Outer runs are told too: the library that was loaded gets past their placeholders as well. */
void seen_load(const struct view *view, enum sighting_kind kind)
{
    for (unsigned i = 0; view->map[i] != NULL; i++)
        note(view, view->map[i], (struct sighting){.kind = kind});
}
