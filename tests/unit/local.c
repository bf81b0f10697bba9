/* Whether an address is this host's: rules/local.h. */
#include "asker.h"

#include "rules/local.h"

#include <ifaddrs.h>

static bool is_local(const char *text)
{
    union address address = address_of(text, 1 + below(65535));
    return local_has(&view, &address, length_of(&address));
}

static void check_random(void)
{
    for (unsigned i = 0; i < 100; i++) {
        char text[64];
        snprintf(text, sizeof text, "%s127.%u.%u.%u", below(2) == 0 ? "::ffff:" : "", below(256), below(256),
                 below(256));
        check(is_local(text), "%s", text);
        snprintf(text, sizeof text, "%s%u.%u.%u.%u", below(2) == 0 ? "::ffff:" : "", 224 + below(16),
                 below(256), below(256), below(256));
        check(is_local(text), "%s", text);
        snprintf(text, sizeof text, "ff%02x::%x", below(256), 1 + below(65535));
        check(is_local(text), "%s", text);
        snprintf(text, sizeof text, "%s203.0.113.%u", below(2) == 0 ? "::ffff:" : "", below(256));
        check(!is_local(text), "%s", text);
        snprintf(text, sizeof text, "2001:db8::%x", below(65536));
        check(!is_local(text), "%s", text);
    }
}

/* Every address of every interface. */
static void check_interfaces(void)
{
    struct ifaddrs *all;
    check(getifaddrs(&all) == 0, "%m");
    for (const struct ifaddrs *a = all; a != NULL; a = a->ifa_next) {
        union address address;
        memset(&address, 0, sizeof address);
        if (a->ifa_addr == NULL || (a->ifa_addr->sa_family != AF_INET && a->ifa_addr->sa_family != AF_INET6))
            continue;
        memcpy(&address, a->ifa_addr, a->ifa_addr->sa_family == AF_INET ? ADDRESS_IPV4 : ADDRESS_IPV6);
        check(local_has(&view, &address, length_of(&address)), "one of %s", a->ifa_name);
    }
    freeifaddrs(all);
}

TEST("loopback, multicast and what interfaces have is this host's, what documentation has is not")
{
    check_random();
    check_interfaces();
}

TEST("so it is when nothing may be asked any more, by what was noted before")
{
    local_note();
    atomic_store(&view.filters, 1);
    check_random();
    check_interfaces();
}

TEST("so it is with no descriptor left")
{
    local_note();
    use_up_descriptors();
    check_random();
}

TEST("the unspecified and the broadcast address are this host's without asking, also without a scope")
{
    atomic_store(&view.filters, 1);
    check(is_local("0.0.0.0") && is_local("::") && is_local("::ffff:0.0.0.0") && is_local("255.255.255.255"),
          "it is not");
    union address loopback = address_of("::1", 8080);
    check(local_has(&view, &loopback, ADDRESS_SHORT_IPV6), "::1");
}

TEST("errno is left alone")
{
    errno = ENOTTY;
    is_local("203.0.113.1");
    is_local("2001:db8::1");
    equal(errno, ENOTTY);
}
