/* What a program does besides its placeholders: rules/seen.h. */
#include "asker.h"

#include "rules/seen.h"

static int any_socket(int type)
{
    return new_socket(AF_INET, type);
}

/* bind(2) of a port that is no placeholder has ended with an error, or 0. */
static void see_bind(int fd, const union address *address, socklen_t len, int error)
{
    struct outbound out = ask_sized(fd, address, len, RULE_BIND);
    equal(out.placeholder, 0);
    seen_bind(&view, fd, &out, error);
}

static void see(const char *text, unsigned port, int error)
{
    union address address = address_of(text, port);
    see_bind(any_socket(SOCK_STREAM), &address, length_of(&address), error);
}

static unsigned count_of(const struct map *map)
{
    unsigned n = 0;
    while (sighting_get(map, n).kind != SIGHTING_NONE)
        n++;
    return n;
}

TEST("a fixed port that nobody listed is noted once, with the program that bound it or could not")
{
    struct map *map = new_map();
    pretend(map);
    see("127.0.0.1", 8080, 0);
    see("::", 8080, 0);
    equal(count_of(map), 1);
    struct sighting seen = sighting_get(map, 0);
    equal(seen.kind, SIGHTING_BIND);
    equal(seen.port, 8080);
    equal_text(sighting_program_name(map, seen.program).text, "pretended");
    see("127.0.0.1", 8080, EADDRINUSE);
    equal(count_of(map), 2);
}

TEST("nothing is noted of port 0, of a real port, of another error, of other families and of too short "
     "addresses")
{
    struct map *map = new_map();
    assign(map, 8080, 20000, PORTMAP_BOTH);
    pretend(map);
    union address none = address_of("127.0.0.1", 9090);
    see("127.0.0.1", 0, 0);
    see("127.0.0.1", 20000, 0);
    see("127.0.0.1", 9090, EACCES);
    see_bind(any_socket(SOCK_STREAM), &none, ADDRESS_IPV4 - 1, 0);
    none.any.sa_family = AF_UNIX;
    see_bind(new_socket(AF_UNIX, SOCK_STREAM), &none, ADDRESS_IPV4, 0);
    equal(count_of(map), 0);
}

TEST("while all fixed ports are discovered, the protocol is noted as well, and who is connected to")
{
    struct map *map = new_discovering_map();
    pretend(map);
    see("127.0.0.1", 8080, 0);
    equal(sighting_get(map, 0).protocols, PORTMAP_TCP);
    ask(any_socket(SOCK_DGRAM), "::1", 53, RULE_DATAGRAM);
    ask(any_socket(SOCK_STREAM), "203.0.113.1", 443, RULE_CONNECT);
    ask(new_socket(AF_UNIX, SOCK_STREAM), "::1", 54, RULE_CONNECT);
    equal(count_of(map), 2);
    for (unsigned i = 0; i < 2; i++)
        if (sighting_get(map, i).kind == SIGHTING_CONNECT) {
            equal(sighting_get(map, i).port, 53);
            equal(sighting_get(map, i).protocols, PORTMAP_UDP);
        }
}

TEST("a library that is loaded past ours is noted in every run around")
{
    struct map *map = new_map(), *outer = new_map();
    pretend(map);
    view_add_map(&view, outer);
    seen_load(&view, SIGHTING_DLMOPEN);
    equal(sighting_get(map, 0).kind, SIGHTING_DLMOPEN);
    equal(sighting_get(outer, 0).kind, SIGHTING_DLMOPEN);
}

TEST("without a map nobody can be told, and nothing is")
{
    memset(&view, 0, sizeof view);
    view.discover = true;
    see("127.0.0.1", 8080, 0);
    ask(any_socket(SOCK_STREAM), "127.0.0.1", 8080, RULE_CONNECT);
    seen_load(&view, SIGHTING_DLMOPEN);
}
