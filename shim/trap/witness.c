#include "trap/witness.h"

#include "base/kernel.h"
#include "trap/aside.h"
#include "trap/mask.h"
#include "trap/word.h"

#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIGNALS = 65, QUEUED = 32 }; /* one more than there are; from which one on they are queued */

static int line = -1;
static pid_t child;

/* How often each signal has come, and who has sent the last one. */
struct seen {
    unsigned count;
    uint32_t sender;
};

static void look(int signals, struct seen *seen)
{
    struct signalfd_siginfo came;
    while (read(signals, &came, sizeof came) == sizeof came)
        if (came.ssi_signo < SIGNALS)
            seen[came.ssi_signo] = (struct seen){seen[came.ssi_signo].count + 1, came.ssi_pid};
}

static bool has_seen_stop(const struct seen *seen)
{
    return seen[SIGTSTP].count > 0 || seen[SIGTTIN].count > 0 || seen[SIGTTOU].count > 0;
}

_Noreturn static void witness(int asked, pid_t parent)
{
    static struct seen seen[SIGNALS];
    struct signalfd_siginfo came;
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != parent)
        _exit(0);
    aside_let_go(&asked, 1);
    aside_set_name("witness", parent);
    int signals = mask_open(MASK_ALL);
    while (recv(asked, &came, sizeof came, 0) == sizeof came && came.ssi_signo < SIGNALS) {
        struct seen *of = &seen[came.ssi_signo];
        look(signals, seen);
        bool saw = of->count > 0 && of->sender == came.ssi_pid;
        /* A stop signal makes the kernel forget a SIGCONT that was sent before. */
        bool is_over = came.ssi_signo == SIGCONT && has_seen_stop(seen);
        if (saw)
            of->count = came.ssi_signo >= QUEUED ? of->count - 1 : 0;
        saw = saw || is_over;
        send(asked, &saw, sizeof saw, MSG_NOSIGNAL);
    }
    _exit(0);
}

void witness_begin(void)
{
    int sockets[2];
    pid_t parent = getpid();
    if (word_pair(sockets) != 0)
        return;
    pid_t pid = mask_fork();
    if (pid == 0)
        witness(sockets[1], parent);
    kernel_close(sockets[1]);
    if (pid > 0) {
        child = pid;
        line = sockets[0];
    } else {
        kernel_close(sockets[0]);
    }
}

void witness_end(void)
{
    if (child > 0 && kill(child, SIGKILL) == 0)
        waitpid(child, NULL, 0);
}

bool witness_saw(const struct signalfd_siginfo *came)
{
    bool saw = false;
    return line >= 0 && send(line, came, sizeof *came, MSG_NOSIGNAL) == sizeof *came &&
           recv(line, &saw, sizeof saw, 0) == sizeof saw && saw;
}
