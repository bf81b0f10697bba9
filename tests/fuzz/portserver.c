/*
 * What a port server answers: lease/portserver.h. The first byte says how the answer is cut: into pieces of
 * so many bytes.
 */
#include "fuzz.h"

#include "base/portbits.h"
#include "error.h"
#include "lease/portserver.h"

#include <pthread.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

static char address[64];
static int listener = -1;
static const uint8_t *reply;
static size_t reply_size;

static void *serve(void *unused)
{
    static uint8_t copy[1 << 16];
    for (;;) {
        char request[64];
        int client = accept(listener, NULL, NULL);
        must(client >= 0 && read(client, request, sizeof request) > 0);
        /* The client goes on with the next input when it has read enough of this one. */
        size_t size = reply_size < sizeof copy ? reply_size : sizeof copy;
        memcpy(copy, reply, size);
        size_t piece = size > 0 && copy[0] != 0 ? copy[0] : sizeof copy;
        for (size_t at = 1; at < size; at += piece)
            if (send(client, copy + at, piece < size - at ? piece : size - at, MSG_NOSIGNAL) < 0)
                break;
        close(client);
    }
    return unused;
}

static void begin(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    pthread_t server;
    snprintf(address, sizeof address, "@portshim-fuzz-%d", (int)getpid());
    strcpy(name.sun_path + 1, address + 1);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(address));
    must(bind(listener, (struct sockaddr *)&name, len) == 0 && listen(listener, 5) == 0);
    must(pthread_create(&server, NULL, serve, NULL) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char answer[100];
    reply = data;
    reply_size = size;
    if (listener < 0)
        begin();
    int port = portserver_ask(address, 4711, PORTSERVER_MILLISECONDS);
    must((port > 0 && port < PORT_COUNT) || port == PORTMAP_EREFUSED);
    must(port < 0 || (size > 1 && data[1] >= '0' && data[1] <= '9'));
    int error = portserver_release(address, 4711, PORTSERVER_MILLISECONDS);
    must(error == 0 || error == PORTMAP_EREFUSED);
    int len = portserver_talk(address, "status\n", answer, sizeof answer, PORTSERVER_MILLISECONDS);
    must(len == PORTMAP_EREFUSED || (len >= 0 && len < (int)sizeof answer && answer[len] == '\0'));
    return 0;
}
