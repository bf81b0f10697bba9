/* Which ports sockets have, by one look: host/occupied.h. */
#include "network.h"
#include "unit.h"

#include "host/occupied.h"
#include "host/probe.h"
#include "host/sockdiag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum { FIRST = 20000, PORTS = 400 };

static struct occupied occupied;

static void set(const char *file, const char *value)
{
    int fd = open(file, O_WRONLY);
    check(fd >= 0 && write(fd, value, strlen(value)) > 0, "%s: %s", file, strerror(errno));
    close(fd);
}

/* Ends the test well where there is no network to be had. */
static void begin(void)
{
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    enter_own_network();
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    check(ioctl(fd, SIOCSIFFLAGS, &lo) == 0, "lo");
    close(fd);
}

static int bound(int type, const char *address, unsigned port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    bool is_v4 = inet_pton(AF_INET, address, &v4.sin_addr) == 1;
    int fd = socket(is_v4 ? AF_INET : AF_INET6, type, 0);
    check(fd >= 0 && (is_v4 || inet_pton(AF_INET6, address, &v6.sin6_addr) == 1), "%s", address);
    check((is_v4 ? bind(fd, (void *)&v4, sizeof v4) : bind(fd, (void *)&v6, sizeof v6)) == 0, "%s %u: %s",
          address, port, strerror(errno));
    return fd;
}

/* A connection to a server on the port, which is closed by the server first if `ends`. */
static void connection(unsigned port, bool ends)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int listener = bound(SOCK_STREAM, "127.0.0.1", port), client = socket(AF_INET, SOCK_STREAM, 0);
    check(listen(listener, 1) == 0 && connect(client, (void *)&to, sizeof to) == 0, "%s", strerror(errno));
    int accepted = accept(listener, NULL, NULL);
    close(listener);
    if (ends) {
        close(accepted);
        close(client);
    }
}

/* Puts a socket of some kind on every seventh port or so. */
static void occupy(void)
{
    static const char *const addresses[] = {"0.0.0.0", "127.0.0.1", "127.0.0.9", "::", "::1"};
    for (unsigned port = FIRST; port < FIRST + PORTS; port += 1 + below(12)) {
        const char *address = addresses[below(5)];
        switch (below(5)) {
        case 0:
            check(listen(bound(SOCK_STREAM, address, port), 1) == 0, "listen");
            break;
        case 1:
            bound(SOCK_STREAM, address, port);
            break;
        case 2:
            bound(SOCK_DGRAM, address, port);
            break;
        default:
            connection(port, below(2) == 0);
        }
    }
}

TEST("a look finds what probes find: listening, bound, connected and closing sockets of either family")
{
    unsigned taken = 0;
    begin();
    occupy();
    for (unsigned port = FIRST; port < FIRST + PORTS; port++) {
        int answer = probe_port(port);
        equal(occupied_probe(&occupied, port), answer);
        taken += answer == PROBE_TAKEN;
    }
    check(taken > 20 && taken < PORTS, "%u taken", taken);
    printf("# the kernel shows all of TCP: %d, UDP: %d\n", occupied.shows_tcp, occupied.shows_udp);
}

TEST("for a protocol that the kernel does not show, each port is probed")
{
    begin();
    equal(occupied_probe(&occupied, FIRST), PROBE_FREE);
    bound(SOCK_STREAM, "0.0.0.0", FIRST + 1);
    bound(SOCK_DGRAM, "0.0.0.0", FIRST + 2);
    occupied.shows_tcp = false;
    occupied.shows_udp = true;
    equal(occupied_probe(&occupied, FIRST + 1), PROBE_TAKEN);
    equal(occupied_probe(&occupied, FIRST + 2), PROBE_FREE);
    occupied.shows_tcp = true;
    occupied.shows_udp = false;
    equal(occupied_probe(&occupied, FIRST + 1), PROBE_FREE);
    equal(occupied_probe(&occupied, FIRST + 2), PROBE_TAKEN);
}

TEST("a port that may be privileged is probed, and when one is, all are")
{
    if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0) {
        printf("# skipped: only root can set which ports are privileged\n");
        exit(0);
    }
    set("/proc/sys/net/ipv4/ip_unprivileged_port_start", "20100");
    check(seteuid(65534) == 0, "seteuid");
    equal(occupied_probe(&occupied, FIRST + 200), PROBE_FREE);
    equal(occupied_probe(&occupied, FIRST + 50), PROBE_FORBIDDEN);
    bound(SOCK_STREAM, "127.0.0.1", FIRST + 300); /* after the look */
    equal(occupied_probe(&occupied, FIRST + 300), PROBE_TAKEN);
}

TEST("where there are more sockets than a look goes through, each port is probed")
{
    const struct rlimit many = {SOCKDIAG_MOST + 200, SOCKDIAG_MOST + 200};
    if (setrlimit(RLIMIT_NOFILE, &many) < 0) {
        printf("# skipped: not as many descriptors: %s\n", strerror(errno));
        exit(0);
    }
    begin();
    for (unsigned i = 0; i <= SOCKDIAG_MOST; i++)
        bound(SOCK_DGRAM, i % 2 == 0 ? "127.0.0.1" : "127.0.0.2", FIRST + i / 2);
    equal(occupied_probe(&occupied, FIRST - 100), PROBE_FREE);
    equal(occupied.looked, true);
    equal(occupied.shows_tcp || occupied.shows_udp, false);
    bound(SOCK_DGRAM, "127.0.0.1", FIRST - 50); /* after the look */
    for (unsigned port = FIRST - 60; port < FIRST + SOCKDIAG_MOST / 2; port += 10)
        equal(occupied_probe(&occupied, port),
              port < FIRST - 55 || (port > FIRST - 45 && port < FIRST) ? PROBE_FREE : PROBE_TAKEN);
}
