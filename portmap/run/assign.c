#include "run/assign.h"
#include "run/texts.h"

#include "error.h"
#include "lease/key.h"
#include "run/leases.h"
#include "run/rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

bool assign_knows(const struct map *map, unsigned port)
{
    bool found = map_to_program(map, port) != 0 || (map_to_kernel(map, port) & MAP_ALIAS) != 0;
    for (unsigned i = 0; i < MAP_STOCK; i++)
        found = found || map_stock(map, i) == port;
    return found;
}

static bool enter_claims(struct lease_table *fresh, void *context)
{
    const struct assigning *a = context;
    const struct home *home = a->means->home;
    lease_owner owner = a->obtaining.want.owner;
    char directory[RUNDIR_NAME_SIZE];
    rundir_name(directory, a->map->head->run_id);
    /* If the run's directory has gone with the table, nobody can find the run: its claims are lost. */
    bool all = home_is_in_place(home) && faccessat(home->fd, directory, F_OK, 0) == 0 &&
               leases_enter_run(fresh, a->map);
    for (unsigned i = 0; i < a->added_count; i++) {
        all = leases_enter(fresh, a->added[i].real, owner) && all;
        all = (a->added[i].alias == 0 || leases_enter(fresh, a->added[i].alias, owner)) && all;
    }
    return all;
}

int assign_settle(struct assigning *a)
{
    const struct claims claims = {.enter = enter_claims, .context = a};
    int error = leases_settle(&a->leases, a->means->home, &claims);
    if (error != 0)
        a->problem->step = RUN_STEP_TABLE;
    return error;
}

void assign_give_back(struct assigning *a, unsigned port)
{
    if (port != 0)
        lease_release(&a->leases, port, a->obtaining.want.owner);
}

void assign_avoid(struct assigning *a, unsigned port)
{
    portbits_add(&a->avoid, port);
}

void assign_avoid_known(struct assigning *a)
{
    uint32_t count = map_start_count(a->map);
    struct portbits assigned;
    for (uint32_t i = 0; i < count; i++) {
        struct map_pair pair = map_start(a->map, i);
        assign_avoid(a, pair.placeholder);
        if (pair.real != 0)
            assign_avoid(a, pair.real);
        if (pair.alias != 0)
            assign_avoid(a, pair.placeholder);
    }
    if (a->map->late == NULL)
        return;
    publish_assigned(a->map, &assigned);
    for (unsigned port = 0; (port = portbits_next(&assigned, port)) != 0;) {
        assign_avoid(a, map_real(a->map, port));
        if (map_alias(a->map, port) != 0)
            assign_avoid(a, port);
    }
}

int assign_begin(struct assigning *a, unsigned most)
{
    static struct portset none; /* a const one would be 53 KB of zeros in the library's file */
    if (a->ports == NULL)
        a->ports = &none;
    a->avoid = (struct portbits){0};
    a->added = NULL;
    a->added_count = 0;
    a->obtaining = (struct obtaining){.means = *a->means, .leases = &a->leases, .avoid = &a->avoid};
    /* Late placeholders are not avoided: with "all" listed, nothing would be left to lease. */
    portset_first(a->ports, most, &a->first);
    for (unsigned port = 0; (port = portbits_next(&a->first, port)) != 0;)
        assign_avoid(a, port);
    for (unsigned i = 0; i < a->ports->fixed_count; i++)
        assign_avoid(a, a->ports->fixed[i].real);
    a->problem->step = RUN_STEP_TABLE;
    int error = leases_open(&a->leases, a->means->home);
    if (error == 0 && a->vacancy != NULL)
        sweep_turn(a->means->home, &a->leases, a->vacancy);
    return error;
}

void assign_set_map(struct assigning *a)
{
    a->map = a->run->map;
    a->key = texts_get(a->map, TEXT_KEY, 0);
    if (a->key != NULL)
        a->user = key_user();
    a->obtaining.want.owner = lease_run_owner(a->map->head->run_id);
}

int assign_begin_for_run(struct assigning *a)
{
    int error = assign_begin(a, PORT_COUNT);
    assign_set_map(a);
    assign_avoid_known(a);
    return error;
}

static void name_problem(struct assigning *a, unsigned placeholder, unsigned real)
{
    a->problem->step = RUN_STEP_PORT;
    a->problem->placeholder = placeholder;
    a->problem->real = real;
}

/* Leases the real port that was given for the placeholder, or any. Returns it or an error. */
static int find_real(struct assigning *a, unsigned placeholder)
{
    unsigned fixed = portset_fixed(a->ports, placeholder);
    name_problem(a, placeholder, fixed);
    if (fixed == 0)
        return obtain_port(&a->obtaining);
    if (assign_knows(a->map, fixed))
        return PORTMAP_EHELD;
    int error = obtain_given(&a->obtaining, fixed);
    return error != 0 ? error : (int)fixed;
}

/* Leases the port that the run's key wants for the placeholder, *port. It is another one where a lower
 * placeholder of the run wants the same, whether that one gets it or not: so it depends on nothing but the
 * run's own numbers. 0 or an error. */
static int lease_by_key(struct assigning *a, unsigned placeholder, unsigned *port)
{
    int error = PORTMAP_EHELD;
    name_problem(a, placeholder, 0);
    for (unsigned attempt = 0; attempt < KEY_ATTEMPTS; attempt++) {
        error = obtain_number(&a->obtaining, key_number(a->user, a->key, placeholder, attempt), port);
        if (*port == 0 || !portbits_has(&a->avoid, *port))
            break;
    }
    if (*port != 0)
        assign_avoid(a, *port);
    return error;
}

static int enter_addition(struct map *map, const struct addition *added)
{
    uint32_t protocols = (uint32_t)added->protocols << MAP_PROTOCOLS_SHIFT;
    return map_assign(map, added->placeholder, added->real, protocols | added->flags);
}

static bool is_full(const struct assigning *a)
{
    return a->added != NULL && map_start_count(a->map) + a->added_count == MAP_START_MAX;
}

static int enter(struct assigning *a, unsigned placeholder, unsigned real, uint32_t flags)
{
    const struct addition added = {.placeholder = (uint16_t)placeholder,
                                   .real = (uint16_t)real,
                                   .protocols = (uint16_t)portset_listed(a->ports, placeholder),
                                   .flags = flags};
    if (a->added == NULL)
        return enter_addition(a->map, &added);
    a->added[a->added_count++] = added;
    return 0;
}

static int assign(struct assigning *a, unsigned placeholder)
{
    if (is_full(a))
        return PORTMAP_ETOOMANY;
    int real = find_real(a, placeholder);
    if (real < 0)
        return real;
    return enter(a, placeholder, (unsigned)real, portbits_has(a->unkeyed, placeholder) ? MAP_UNKEYED : 0);
}

/* Whether an error says that the key's port is not to be had, and not that none is. */
static bool is_other_port_wanted(int error)
{
    return error == PORTMAP_EHELD || error == PORTMAP_EINUSE || error == PORTMAP_EREFUSED || error == -EACCES;
}

static int assign_by_key(struct assigning *a, unsigned placeholder)
{
    unsigned real = 0;
    if (is_full(a))
        return PORTMAP_ETOOMANY;
    int error = lease_by_key(a, placeholder, &real);
    if (error == 0)
        return enter(a, placeholder, real, MAP_KEYED);
    if (!is_other_port_wanted(error))
        return error;
    portbits_add(a->unkeyed, placeholder);
    map_log(a->map, MAP_EVENT_UNKEYED, getpid(), placeholder, real, 0);
    return 0;
}

static int assign_each(struct assigning *a, struct portbits *left, bool by_key)
{
    for (unsigned port = 0; (port = portbits_next(left, port)) != 0;) {
        if (by_key && portset_fixed(a->ports, port) != 0)
            continue;
        if (a->means->stop != NULL && a->means->stop())
            return -EINTR;
        int error = by_key ? assign_by_key(a, port) : assign(a, port);
        if (error != 0)
            return error;
        if (!portbits_has(a->unkeyed, port))
            portbits_remove(left, port);
    }
    return 0;
}

/* Those that the key gives a port to come first: an ordinary port may be one that it wants for another. */
static int assign_all(struct assigning *a)
{
    struct portbits left = a->first, unkeyed = {0};
    for (unsigned port = 0; (port = portbits_next(&left, port)) != 0;)
        if (map_late_protocols(a->map, port) != 0 || map_real(a->map, port) != 0)
            portbits_remove(&left, port);
    a->unkeyed = &unkeyed;
    int error = a->key != NULL ? assign_each(a, &left, true) : 0;
    if (error == 0)
        error = assign_each(a, &left, false);
    a->unkeyed = NULL;
    return error;
}

int assign_start(struct assigning *a)
{
    struct occupied occupied = {0};
    if (portbits_count(&a->first) > OCCUPIED_WORTH)
        a->obtaining.occupied = &occupied;
    int error = assign_all(a);
    a->obtaining.occupied = NULL;
    return error;
}

static bool is_real(const struct map *map, unsigned port)
{
    uint32_t entry = map_to_program(map, port);
    return entry != 0 && (entry & MAP_ALIAS) == 0;
}

/* Whether the number is a real port of a run around this one. It needs no alias: the socket on it is that
 * run's server, which programs call by that run's placeholder. */
static bool is_real_around(const struct map *map, unsigned port)
{
    const char *head;
    bool found = false;
    for (unsigned n = 0; !found && (head = texts_get(map, TEXT_AROUND, n)) != NULL; n++) {
        struct map outer;
        int judge;
        if (files_join(&outer, head, &judge) == 0) {
            found = is_real(&outer, port);
            files_close(&outer);
        }
    }
    return found;
}

/* Whether a placeholder needs an alias. A number that is a real port, in the map or in a->added, needs none
 * and can have none. */
static bool wants_alias(const struct assigning *a, unsigned placeholder)
{
    if (!map_is_ephemeral(a->map, placeholder) || map_to_program(a->map, placeholder) != 0)
        return false;
    for (unsigned i = 0; i < a->added_count; i++)
        if (a->added[i].real == placeholder)
            return false;
    return !is_real_around(a->map, placeholder);
}

/* Takes over the outer run's alias, unless its number is a placeholder of this run. */
static bool inherit_alias(struct assigning *a, unsigned placeholder)
{
    unsigned alias = a->outer != NULL ? map_alias(a->outer, placeholder) : 0;
    return alias != 0 && map_late_protocols(a->map, alias) == 0 &&
           map_enter_alias(a->map, placeholder, alias, MAP_INHERITED);
}

/* Leases an alias, as a real port is leased. Returns it or an error. */
static int obtain_alias(struct assigning *a, unsigned placeholder)
{
    name_problem(a, placeholder, 0);
    return obtain_port(&a->obtaining);
}

int assign_aliases(struct assigning *a)
{
    uint32_t count = map_start_count(a->map);
    for (uint32_t i = 0; i < count; i++) {
        struct map_pair pair = map_start(a->map, i);
        unsigned port = pair.placeholder;
        bool inherited = (map_pair_entry(pair) & MAP_INHERITED) != 0;
        if (pair.real == 0)
            continue;
        while (wants_alias(a, port) && !(inherited && inherit_alias(a, port))) {
            int alias = obtain_alias(a, port);
            if (alias < 0)
                return alias;
            if (map_enter_alias(a->map, port, (unsigned)alias, 0))
                break;
            assign_avoid(a, (unsigned)alias); /* its number has become a placeholder */
            obtain_return(&a->obtaining, (unsigned)alias);
        }
    }
    return 0;
}

int assign_lease_aliases(struct assigning *a)
{
    for (unsigned i = 0; i < a->added_count; i++) {
        if (!wants_alias(a, a->added[i].placeholder))
            continue;
        int alias = obtain_alias(a, a->added[i].placeholder);
        if (alias < 0)
            return alias;
        a->added[i].alias = (uint16_t)alias;
    }
    return 0;
}

int assign_enter_added(struct assigning *a)
{
    int error = 0;
    for (unsigned i = 0; i < a->added_count && error == 0; i++)
        error = enter_addition(a->map, &a->added[i]);
    for (unsigned i = 0; i < a->added_count && error == 0; i++)
        if (a->added[i].alias != 0 && !map_enter_alias(a->map, a->added[i].placeholder, a->added[i].alias, 0))
            assign_give_back(a, a->added[i].alias);
    return error;
}

void assign_forget_added(struct assigning *a)
{
    while (a->added_count > 0) {
        const struct addition *added = &a->added[--a->added_count];
        assign_give_back(a, added->real);
        assign_give_back(a, added->alias);
    }
}
