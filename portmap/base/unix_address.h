/*
 * The address of a port server as PORTSERVER_ADDRESS writes it: a path, or "@name" for a name in Linux'
 * abstract namespace (unix(7)), as portpicker has it.
 */
#ifndef PORTMAP_BASE_UNIX_ADDRESS_H
#define PORTMAP_BASE_UNIX_ADDRESS_H

#include <sys/socket.h>
#include <sys/un.h>

/* Fills *address and its length. 0, -EINVAL when the text is empty or "@" alone, -ENAMETOOLONG when it is
 * longer than the kernel takes. */
int unix_address_parse(const char *text, struct sockaddr_un *address, socklen_t *len);

#endif
