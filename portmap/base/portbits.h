/*
 * A set of port numbers: one bit for each of 0..65535. Ports are in host byte order everywhere in portmap/.
 */
#ifndef PORTMAP_BASE_PORTBITS_H
#define PORTMAP_BASE_PORTBITS_H

#include <stdbool.h>
#include <stdint.h>

enum { PORT_COUNT = 65536, PORTBITS_WORDS = PORT_COUNT / 64 };

struct portbits {
    _Alignas(8) uint64_t word[PORTBITS_WORDS]; /* 32-bit and 64-bit processes share it */
};

static inline bool portbits_has(const struct portbits *set, unsigned port)
{
    return set->word[port / 64] >> (port % 64) & 1;
}

static inline void portbits_add(struct portbits *set, unsigned port)
{
    set->word[port / 64] |= UINT64_C(1) << (port % 64);
}

static inline void portbits_remove(struct portbits *set, unsigned port)
{
    set->word[port / 64] &= ~(UINT64_C(1) << (port % 64));
}

static inline void portbits_add_range(struct portbits *set, unsigned first, unsigned last)
{
    for (unsigned port = first; port <= last; port++)
        portbits_add(set, port);
}

static inline unsigned portbits_count(const struct portbits *set)
{
    unsigned count = 0;
    for (unsigned i = 0; i < PORTBITS_WORDS; i++)
        count += (unsigned)__builtin_popcountll(set->word[i]);
    return count;
}

#endif
