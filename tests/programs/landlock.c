/*
 * landlock CALL...: confines itself to ports, as a sandbox does, and tries to use them. The calls are
 *
 *     bind=PORT connect=PORT both=PORT   allow it (before the first of the following)
 *     bind PORT, connect PORT, udp PORT  do it on 127.0.0.1
 *     bad                                rules that the kernel refuses
 *
 * Prints the result of each. "landlock version" prints the kernel's version of the interface, 0 without one.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CREATE = 444, ADD = 445, RESTRICT = 446, VERSION_FLAG = 1, NET_PORT = 2, BIND = 1, CONNECT = 2 };

static int ruleset = -1, confined;

static void show(const char *what, long result)
{
    printf("%s: %s\n", what, result < 0 ? strerrorname_np(errno) : "0");
}

static int create(void)
{
    const uint64_t handled[2] = {0, BIND | CONNECT};
    return (int)syscall(CREATE, handled, sizeof handled, 0);
}

static long allow(uint64_t access, uint64_t port)
{
    uint64_t *rule = malloc(2 * sizeof *rule);
    rule[0] = access;
    rule[1] = port;
    long result = syscall(ADD, ruleset, NET_PORT, rule, 0);
    if (rule[0] != access || rule[1] != port)
        puts("the rule was written to");
    free(rule);
    return result;
}

static void confine(void)
{
    if (confined++ == 0 && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(RESTRICT, ruleset, 0) < 0))
        exit(99);
}

static int use(int type, const char *port, int by_connect)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(port)),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, type, 0);
    int result = by_connect ? connect(fd, (struct sockaddr *)&address, sizeof address)
                            : bind(fd, (struct sockaddr *)&address, sizeof address);
    if (result == 0 && !by_connect && type == SOCK_STREAM)
        result = listen(fd, 5);
    return result;
}

static void try_bad_rules(void)
{
    uint64_t none[2] = {0, 8080}, rule[2] = {BIND, 8080};
    show("no access", syscall(ADD, ruleset, NET_PORT, none, 0));
    show("port 65536", allow(BIND, 65536));
    show("flags", syscall(ADD, ruleset, NET_PORT, rule, 1));
    show("descriptor", syscall(ADD, -1, NET_PORT, rule, 0));
    show("pointer", syscall(ADD, ruleset, NET_PORT, (void *)8, 0));
    show("type", syscall(ADD, ruleset, 77, rule, 0));
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "version") == 0) {
        long version = syscall(CREATE, NULL, 0, VERSION_FLAG);
        printf("%ld\n", version < 0 ? 0 : version);
        return 0;
    }
    ruleset = create();
    for (int i = 1; i < argc; i++) {
        const char *port = strpbrk(argv[i], "= ");
        if (strcmp(argv[i], "bad") == 0) {
            try_bad_rules();
        } else if (port != NULL && *port == '=') {
            uint64_t access = *argv[i] == 'c' ? CONNECT : strncmp(argv[i], "both", 4) == 0 ? BIND | CONNECT : BIND;
            show(argv[i], allow(access, (uint64_t)atoi(port + 1)));
        } else if (port != NULL) {
            confine();
            show(argv[i], use(*argv[i] == 'u' ? SOCK_DGRAM : SOCK_STREAM, port + 1, *argv[i] == 'c'));
        }
    }
    return 0;
}
