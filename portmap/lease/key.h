/*
 * Keys: the same real port for the same placeholder in each run with the same key, without a store.
 *
 * A user's number, a key and a placeholder make a number, and this number a port of the pool. The number is
 * the same on every machine and in every version: portshim-run(1) says how to calculate it.
 */
#ifndef PORTMAP_LEASE_KEY_H
#define PORTMAP_LEASE_KEY_H

#include "base/portbits.h"

#include <sys/types.h>

enum {
    KEY_MAX = 255,     /* bytes of a key that a person has written */
    KEY_ATTEMPTS = 64, /* numbers of one placeholder, where other placeholders of its run have their ports */
};

/* The user's number for keys: home_number(), also where PORTSHIM_HOME is set; in a user namespace where that
 * is not known, the number inside. */
uid_t key_user(void);

/* The number of a placeholder. `attempt` is 0, or counts how many of its ports other placeholders of the run
 * have. */
uint32_t key_number(uid_t user, const char *key, unsigned placeholder, unsigned attempt);

/* The port that a number stands for in a pool of `count` ports; 0: the pool is empty. */
unsigned key_port(const struct portbits *pool, unsigned count, uint32_t number);

/* Whether a person may give this key: 1 to KEY_MAX bytes, none of them a control character. */
bool key_is_valid(const char *key);

#endif
