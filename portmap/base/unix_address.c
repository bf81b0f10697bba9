#include "base/unix_address.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

int unix_address_parse(const char *text, struct sockaddr_un *address, socklen_t *len)
{
    size_t used = strlen(text);
    if (used == 0 || strcmp(text, "@") == 0)
        return -EINVAL;
    if (used >= sizeof address->sun_path)
        return -ENAMETOOLONG;
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(address->sun_path, text, used);
    if (*text == '@')
        address->sun_path[0] = '\0'; /* every byte of an abstract name counts: no terminator */
    else
        used++;
    *len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + used);
    return 0;
}
