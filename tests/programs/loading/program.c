/*
 * program bind PORT HOW: a library, loaded as HOW says, binds the port; prints the port that the kernel sees.
 *     HOW: direct, by the program itself; plain, deepbind, dlmopen; dlsym, dlvsym: libc's bind() as a handle gives it
 * program paths FLAGS: loads libraries by the RUNPATH and $ORIGIN of the program and of a library; prints their paths
 * program next: prints what dlsym() finds by RTLD_NEXT, by RTLD_DEFAULT and for a missing name, and dlerror()
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "version.h"

typedef int bind_to(int fd, int port);
typedef int binder(int fd, const struct sockaddr *address, socklen_t len);

static void *check(void *found, const char *what)
{
    if (found == NULL) {
        fprintf(stderr, "%s: %s\n", what, dlerror());
        exit(1);
    }
    return found;
}

static void *libc(void)
{
    return check(dlopen("libc.so.6", RTLD_NOW), "libc.so.6");
}

static int bind_by(binder *call, int fd, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return call(fd, (struct sockaddr *)&address, sizeof address);
}

static int bind_port(int fd, int port, const char *how)
{
    void *library = NULL;
    if (strcmp(how, "direct") == 0)
        return bind_by(bind, fd, port);
    if (strcmp(how, "dlsym") == 0)
        return bind_by((binder *)check(dlsym(libc(), "bind"), "bind"), fd, port);
    if (strcmp(how, "dlvsym") == 0)
        return bind_by((binder *)check(dlvsym(libc(), "bind", BASE_VERSION), "bind"), fd, port);
    if (strcmp(how, "plain") == 0)
        library = dlopen("libone.so", RTLD_NOW);
    else if (strcmp(how, "deepbind") == 0)
        library = dlopen("libone.so", RTLD_NOW | RTLD_DEEPBIND);
    else if (strcmp(how, "dlmopen") == 0)
        library = dlmopen(LM_ID_NEWLM, "libone.so", RTLD_NOW);
    check(library, how);
    return ((bind_to *)check(dlsym(library, "bind_to"), "bind_to"))(fd, port);
}

static int print_port(int port, const char *how)
{
    struct sockaddr_in address;
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind_port(fd, port, how) < 0 || getsockname(fd, (struct sockaddr *)&address, &len) < 0) {
        perror(how);
        return 1;
    }
    printf("%d\n", ntohs(address.sin_port));
    return 0;
}

static void say(const char *what, const void *found)
{
    printf("%s: %s\n", what, found != NULL ? "found" : "not found");
}

static int print_paths(int flags)
{
    void *one = dlopen("libone.so", RTLD_NOW | flags);
    say("a library by the program's RUNPATH", one);
    if (one == NULL)
        return 1;
    void *(*load)(const char *, int) = (void *(*)(const char *, int))check(dlsym(one, "load"), "load");
    say("the library's own by the program's", dlopen("libtwo.so", RTLD_NOW | flags));
    say("a library by a library's RUNPATH", load("libtwo.so", RTLD_NOW | flags));
    say("by $ORIGIN of the program", dlopen("$ORIGIN/lib/deep/libthree.so", RTLD_NOW | flags));
    say("by $ORIGIN of a library", load("$ORIGIN/deep/libfour.so", RTLD_NOW | flags));
    say("by dlmopen", dlmopen(LM_ID_BASE, "libone.so", RTLD_NOW | flags));
    say("in another namespace", dlmopen(LM_ID_NEWLM, "libone.so", RTLD_NOW));
    say("what there is not", dlopen("libnone.so", RTLD_NOW | flags));
    return 0;
}

static int print_next(void)
{
    void *handle = libc(), *main_handle = dlopen(NULL, RTLD_NOW);
    dlerror();
    say("bind by RTLD_DEFAULT, as the program has it", dlsym(RTLD_DEFAULT, "bind") == (void *)bind ? handle : NULL);
    say("bind by RTLD_NEXT, likewise", dlsym(RTLD_NEXT, "bind") == (void *)bind ? handle : NULL);
    say("bind by libc's handle, likewise", dlsym(handle, "bind") == (void *)bind ? handle : NULL);
    say("bind by the program's handle, likewise", dlsym(main_handle, "bind") == (void *)bind ? handle : NULL);
    say("getpid by libc's handle, likewise",
        dlsym(handle, "getpid") == dlsym(RTLD_DEFAULT, "getpid") ? handle : NULL);
    say("dlsym by libc's handle, likewise", dlsym(handle, "dlsym") == (void *)dlsym ? handle : NULL);
    say("an error of all that", dlerror());
    say("what there is not", dlsym(handle, "no_such_function"));
    const char *error = dlerror();
    printf("%s\n", error != NULL ? error : "no error");
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "bind") == 0)
        return print_port(atoi(argv[2]), argv[3]);
    if (argc == 3 && strcmp(argv[1], "paths") == 0)
        return print_paths(atoi(argv[2]));
    if (argc == 2 && strcmp(argv[1], "next") == 0)
        return print_next();
    return 2;
}
