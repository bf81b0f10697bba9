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

/* The bits of a word that stand for ports from first to last; some of these are in the word. */
static inline uint64_t portbits_mask(unsigned word, unsigned first, unsigned last)
{
    uint64_t from = first / 64 == word ? ~UINT64_C(0) << (first % 64) : ~UINT64_C(0);
    uint64_t to = last / 64 == word ? ~UINT64_C(0) >> (63 - last % 64) : ~UINT64_C(0);
    return from & to;
}

static inline void portbits_add_range(struct portbits *set, unsigned first, unsigned last)
{
    for (unsigned word = first / 64; first <= last && word <= last / 64; word++)
        set->word[word] |= portbits_mask(word, first, last);
}

static inline void portbits_remove_range(struct portbits *set, unsigned first, unsigned last)
{
    for (unsigned word = first / 64; first <= last && word <= last / 64; word++)
        set->word[word] &= ~portbits_mask(word, first, last);
}

/* The lowest port of the set above `after`, 0 when there is none: for (port = 0; (port = next(port)) != 0;).
 */
static inline unsigned portbits_next(const struct portbits *set, unsigned after)
{
    unsigned word = (after + 1) / 64;
    uint64_t bits = word < PORTBITS_WORDS ? set->word[word] & ~UINT64_C(0) << ((after + 1) % 64) : 0;
    while (bits == 0 && ++word < PORTBITS_WORDS)
        bits = set->word[word];
    return bits != 0 ? word * 64 + (unsigned)__builtin_ctzll(bits) : 0;
}

/* How many bits of a word are set. Most words of a set are 0 or full, and where the processor's own
 * instruction cannot be counted on, the compiler's function takes long. */
static inline unsigned portbits_ones(uint64_t bits)
{
    return bits == 0 ? 0 : bits == ~UINT64_C(0) ? 64 : (unsigned)__builtin_popcountll(bits);
}

/* The n-th port of the set, from 0 on, in ascending order; 0 when there are not so many. */
static inline unsigned portbits_nth(const struct portbits *set, unsigned n)
{
    for (unsigned word = 0; word < PORTBITS_WORDS; word++) {
        uint64_t bits = set->word[word];
        unsigned count = portbits_ones(bits);
        if (n >= count) {
            n -= count;
            continue;
        }
        for (; n > 0; n--)
            bits &= bits - 1;
        return word * 64 + (unsigned)__builtin_ctzll(bits);
    }
    return 0;
}

static inline unsigned portbits_count(const struct portbits *set)
{
    unsigned count = 0;
    for (unsigned i = 0; i < PORTBITS_WORDS; i++)
        count += portbits_ones(set->word[i]);
    return count;
}

#endif
