/*
 * at_once threads|processes WORKERS EACH FIRST: many workers bind at the same moment.
 *
 * Each worker makes sockets, waits for the others, and binds the sockets to ports of its own, from FIRST on. Then all
 * listen, and each is asked for its name. Prints how many were bound, and the port and the error of each other one.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 1024 };

static struct shared {
    pthread_barrier_t all_ready, all_bound;
    atomic_int bound;
} *shared;

static int sockets[MOST], each, first;

static int bind_one(int fd, int port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((in_port_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in name;
    socklen_t len = sizeof name;
    return bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 1) == 0 &&
           getsockname(fd, (struct sockaddr *)&name, &len) == 0 && ntohs(name.sin_port) == port;
}

static void *work(void *argument)
{
    int begin = (int)(long)argument * each;
    pthread_barrier_wait(&shared->all_ready);
    for (int i = begin; i < begin + each; i++)
        if (bind_one(sockets[i], first + i))
            atomic_fetch_add(&shared->bound, 1);
        else
            printf("%d: %s\n", first + i, strerror(errno));
    fflush(stdout);
    pthread_barrier_wait(&shared->all_bound); /* until then everybody keeps what it has */
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_barrierattr_t between_processes;
    pthread_t threads[MOST];
    if (argc != 5)
        return 2;
    int as_threads = strcmp(argv[1], "threads") == 0, workers = atoi(argv[2]);
    each = atoi(argv[3]);
    first = atoi(argv[4]);
    if (workers * each > MOST)
        return 2;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_barrierattr_init(&between_processes);
    pthread_barrierattr_setpshared(&between_processes, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(&shared->all_ready, &between_processes, (unsigned)workers);
    pthread_barrier_init(&shared->all_bound, &between_processes, (unsigned)workers);
    for (int i = 0; i < workers * each; i++)
        sockets[i] = socket(AF_INET, SOCK_STREAM, 0);
    for (long i = 0; i < workers; i++)
        if (as_threads) {
            pthread_create(&threads[i], NULL, work, (void *)i);
        } else if (fork() == 0) {
            work((void *)i);
            _exit(0);
        }
    for (int i = 0; i < workers; i++)
        if (as_threads)
            pthread_join(threads[i], NULL);
        else
            wait(NULL);
    printf("%d bound\n", shared->bound);
    return 0;
}
