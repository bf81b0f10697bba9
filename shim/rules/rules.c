#include "rules/rules.h"

#include "rules/kind.h"
#include "rules/late.h"
#include "rules/local.h"
#include "rules/seen.h"

#include <errno.h>

/* Enough when a stranger holds the whole stock, and takes as many ports again as soon as they are leased. */
enum { MOST_SWAPS = 2 * MAP_STOCK };

static bool is_nobodys(const struct outbound *out)
{
    return out->entry == 0 && out->map == NULL;
}

bool rule_concerns(const struct view *view, struct outbound *out, enum rule_use use)
{
    bool ip = address_is_ip(&out->to);
    out->placeholder = 0;
    out->error = 0;
    out->fresh = false;
    out->out_of_reach = false;
    out->swaps = 0;
    if ((!ip && (out->to.any.sa_family != AF_UNSPEC || use == RULE_CONNECT)) ||
        !address_is_whole(&out->to, out->len))
        return false;
    unsigned port = address_port(&out->to);
    struct view_found found = view_to_kernel(view, port, use == RULE_BIND ? VIEW_BIND : VIEW_REACH);
    out->entry = found.entry;
    out->map = found.map;
    return !is_nobodys(out) || (view->discover && ip && use != RULE_BIND);
}

/* The protocols of a placeholder, whether it has its real port or will get one. */
static unsigned protocols_of(const struct outbound *out)
{
    return out->entry != 0 ? map_entry_protocols(out->entry)
                           : map_late_protocols(out->map, address_port(&out->to));
}

static bool assign(const struct view *view, struct outbound *out, unsigned placeholder)
{
    enum refill answer = late_assign(view, out->map, placeholder, &out->entry);
    out->fresh = answer == REFILL_ASSIGNED;
    out->out_of_reach = answer == REFILL_OUT_OF_REACH;
    return out->fresh;
}

/* Gives a late placeholder its first real port. If there is none to give, the call fails with `refusal`. */
static void assign_first(const struct view *view, struct outbound *out, int refusal)
{
    unsigned placeholder = address_port(&out->to);
    if (late_is_held(view, out->map, placeholder))
        return;
    out->placeholder = placeholder;
    if (assign(view, out, placeholder))
        view_log(view, MAP_EVENT_LATE, placeholder, map_entry_port(out->entry), 0);
    else if (out->entry == 0 && !out->out_of_reach)
        view_log(view, MAP_EVENT_EMPTY, placeholder, 0, 0);
    if (out->entry == 0)
        out->error = refusal;
}

/* Puts the real port into the address; a late placeholder without one gets it first. */
static void finish(const struct view *view, struct outbound *out, int refusal)
{
    unsigned port = address_port(&out->to);
    if (out->entry == 0)
        assign_first(view, out, refusal);
    if (out->entry == 0)
        return;
    if ((out->entry & (MAP_LATE | MAP_USED | MAP_ALIAS)) == MAP_LATE && !out->fresh)
        out->entry = map_share_late(out->map, port);
    if (out->entry == 0) { /* a process of the run has spoiled it meanwhile */
        out->error = refusal;
        return;
    }
    out->placeholder = port;
    address_set_port(&out->to, map_entry_port(out->entry));
}

void rule_local(const struct view *view, int fd, struct outbound *out)
{
    if (!kind_matches(view, fd, protocols_of(out)))
        return;
    finish(view, out, EADDRINUSE);
    if (out->out_of_reach)
        out->error = 0; /* the asker lets the kernel choose a port */
}

bool rule_retry(const struct view *view, struct outbound *out)
{
    if (!out->fresh || out->swaps == MOST_SWAPS || !assign(view, out, out->placeholder))
        return false;
    out->swaps++;
    view_log(view, MAP_EVENT_SWAP, out->placeholder, map_entry_port(out->entry), EADDRINUSE);
    address_set_port(&out->to, map_entry_port(out->entry));
    return true;
}

void rule_bound(const struct view *view, const struct outbound *out, int error)
{
    if (error == 0) {
        view_note_bound(view, out->placeholder);
        view_wake(view); /* a UDP server can be reached now, a TCP one from listen() on */
    } else {
        view_log(view, MAP_EVENT_REFUSED, out->placeholder, map_entry_port(out->entry), error);
    }
}

void rule_destination(const struct view *view, int fd, struct outbound *out)
{
    if (view->discover)
        seen_destination(view, fd, out);
    /* Refuse when there is no real port: no server of this run can be there, and one on the placeholder's own
     * number is a stranger. */
    if (!is_nobodys(out) && kind_matches(view, fd, protocols_of(out)) && local_has(view, &out->to, out->len))
        finish(view, out, ECONNREFUSED);
}

unsigned rule_port(const struct view *view, unsigned port, unsigned protocols, enum view_use use)
{
    struct view_found found = view_to_kernel(view, port, use);
    struct outbound out = {.entry = found.entry, .map = found.map};
    address_set_port(&out.to, port);
    if (is_nobodys(&out) || (protocols_of(&out) & protocols) == 0)
        return 0;
    if (out.entry == 0 && !late_is_held(view, out.map, port))
        late_assign(view, out.map, port, &out.entry);
    return map_entry_port(out.entry);
}

void rule_back(const struct view *view, int fd, union address *address, socklen_t len, enum owner owner)
{
    if (len < ADDRESS_IPV4)
        return; /* the kernel wrote no address, and the pointer may be bad */
    if (!address_is_ip(address) || !address_is_whole(address, len))
        return;
    uint32_t entry = view_to_program(view, address_port(address));
    if (entry == 0 && owner == OWNER_SELF)
        late_note_given(view, fd, address_port(address));
    if (entry != 0 && kind_matches(view, fd, map_entry_protocols(entry)) &&
        (owner == OWNER_SELF || local_has(view, address, len)))
        address_set_port(address, map_entry_port(entry));
}
