/*
 * Another preloaded library that interposes bind(). HOW says how it finds the next bind(): 1 by RTLD_NEXT; 2 by a
 * handle of libc; 3 by dlvsym(); 4 by RTLD_NEXT while it interposes dlsym() as well; 5 like 4, and it calls socket() while
 * somebody looks socket() up, as another thread or a signal handler may. It ends a program in which it calls itself.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "version.h"

#if HOW >= 4
void *dlsym(void *handle, const char *name)
{
#if HOW == 5
    static int calls;
    if (strcmp(name, "socket") == 0 && calls++ == 0)
        close(socket(AF_INET, SOCK_STREAM, 0));
#endif
    void *(*next)(void *, const char *) =
        (void *(*)(void *, const char *))dlvsym(RTLD_NEXT, "dlsym", BASE_VERSION);
    return next(handle, name);
}
#endif

static void *find(void)
{
#if HOW == 2
    return dlsym(dlopen("libc.so.6", RTLD_NOW), "bind");
#elif HOW == 3
    return dlvsym(RTLD_NEXT, "bind", BASE_VERSION);
#else
    return dlsym(RTLD_NEXT, "bind");
#endif
}

int bind(int fd, const struct sockaddr *address, socklen_t len)
{
    static int depth;
    static int (*next)(int, const struct sockaddr *, socklen_t);
    if (next == NULL)
        next = (int (*)(int, const struct sockaddr *, socklen_t))find();
    if (++depth > 1)
        abort();
    int result = next(fd, address, len);
    depth--;
    return result;
}
