#include "lease/key.h"

#include "base/kernel.h"
#include "base/text.h"
#include "lease/home.h"

#include <string.h>

/* Lets each bit of the hash depend on all of them: the last step of MurmurHash3. Keys such as web1 and web2
 * would have neighbouring numbers otherwise. */
static uint64_t mix(uint64_t h)
{
    h = (h ^ h >> 33) * UINT64_C(0xff51afd7ed558ccd);
    h = (h ^ h >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return h ^ h >> 33;
}

uid_t key_user(void)
{
    uid_t number, user = kernel_euid();
    return home_number(user, &number) == 0 ? number : user;
}

uint32_t key_number(uid_t user, const char *key, unsigned placeholder, unsigned attempt)
{
    char numbers[40];
    struct text t = text_in(numbers, sizeof numbers);
    text_uint(&t, user);
    text_char(&t, ':');
    text_uint(&t, placeholder);
    text_char(&t, ':');
    text_uint(&t, attempt);
    text_char(&t, ':');
    return (uint32_t)(mix(text_hash(text_hash(TEXT_HASH, numbers), key)) >> 32);
}

unsigned key_port(const struct portbits *pool, unsigned count, uint32_t number)
{
    return count > 0 ? portbits_nth(pool, number % count) : 0;
}

bool key_is_valid(const char *key)
{
    size_t len = strlen(key);
    bool plain = len > 0 && len <= KEY_MAX;
    for (size_t i = 0; plain && i < len; i++)
        plain = (unsigned char)key[i] >= ' ' && key[i] != 0x7f;
    return plain;
}
