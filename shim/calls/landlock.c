/*
 * landlock_add_rule(2): a program that confines itself allows the ports that it will use. The kernel will see
 * their real ports, so these are allowed too. libc has no function for the call; it comes through syscall(2).
 */
#include "calls/calls.h"
#include "process/attach.h"
#include "process/memory.h"
#include "run/portset.h"

#include <string.h>

/* As in linux/landlock.h since Linux 6.7 (Landlock ABI 4). Older headers do not have them. */
enum { RULE_NET_PORT = 2, MAY_BIND = 1 };

struct net_port {
    uint64_t access, port; /* in host byte order */
};

/* The real port of the placeholder that a rule allows, 0 when there is none. A late placeholder gets its real
 * port now: one that it got later would not be allowed. */
static unsigned real_port(const struct net_port *rule)
{
    if (rule->port == 0 || rule->port >= PORT_COUNT)
        return 0;
    enum view_use use = rule->access & MAY_BIND ? VIEW_BIND : VIEW_REACH;
    return rule_port(&own_view, (unsigned)rule->port, PORTMAP_TCP, use);
}

long call_landlock_add_rule(long ruleset, long type, long rule, long flags)
{
    next();
    const void *address = (const void *)rule;
    struct net_port copy;
    long result = BEHIND(&next_functions, syscall)(SYS_landlock_add_rule, ruleset, type, rule, flags);
    if (result != 0 || (int)type != RULE_NET_PORT || !own_view.active ||
        !memory_is_readable(address, sizeof copy))
        return result;
    memcpy(&copy, address, sizeof copy);
    unsigned real = real_port(&copy);
    if (real == 0 || real == copy.port)
        return result;
    copy.port = real;
    return BEHIND(&next_functions, syscall)(SYS_landlock_add_rule, ruleset, type, &copy, flags);
}
