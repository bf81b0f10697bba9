#include "serve/request.h"

#include "base/text.h"
#include "error.h"
#include "host/process.h"
#include "serve/log.h"
#include "serve/process.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool is_number(const char *text, uint64_t *number)
{
    const char *end = text + strlen(text);
    return text_take_uint(&text, end, UINT32_MAX, number) && text == end;
}

static int refuse(unsigned long *count, const char *why, pid_t pid, const struct ucred *peer)
{
    ++*count;
    serve_log(SERVE_LOG_VERBOSE, "no port for process %d, asked by process %d of user %u: %s", (int)pid,
              (int)peer->pid, peer->uid, why);
    return 0;
}

/* Whether the peer may lease for a process other than itself, and on which user's account. */
static int check_other(struct serve_refusals *refused, pid_t pid, const struct ucred *peer, uid_t *account)
{
    uid_t peer_uid, uid;
    bool foreign, peer_foreign;
    if (!serve_process_look(peer->pid, &peer_uid, &peer_foreign))
        return refuse(&refused->dead, "the client has ended", pid, peer);
    if (peer_foreign)
        return refuse(&refused->foreign_namespace, "it is in another pid namespace", pid, peer);
    if (!serve_process_look(pid, &uid, &foreign))
        return refuse(&refused->dead, "no such process", pid, peer);
    if (peer->uid != 0 && uid != peer->uid)
        return refuse(&refused->not_permitted, "another user's process", pid, peer);
    *account = uid;
    return 1;
}

static int check(struct serve_refusals *refused, pid_t pid, const struct ucred *peer, uid_t *account)
{
    *account = peer->uid;
    if (peer->pid == 0)
        return refuse(&refused->foreign_namespace, "it is in another pid namespace", pid, peer);
    if (pid <= 1)
        return refuse(&refused->init, "not a client's process", pid, peer);
    /* When the numbers are equal, the peer asks for itself, even if its number in its own namespace is the
     * same by chance. */
    return pid == peer->pid ? 1 : check_other(refused, pid, peer, account);
}

/* 0, or PORTMAP_EHELD, which the client is told. */
static int refuse_grant(struct serve_refusals *refused, int error, pid_t pid, const struct ucred *peer)
{
    switch (error) {
    case PORTMAP_ETOOMANY:
        return refuse(&refused->over_cap, "the user has as many ports as one may have", pid, peer);
    case PORTMAP_EXHAUSTED:
        return refuse(&refused->exhausted, "no port is free", pid, peer);
    case PORTMAP_EHELD:
        refuse(&refused->taken, "the one that it wants is taken", pid, peer);
        return PORTMAP_EHELD;
    case -ESRCH:
        return refuse(&refused->dead, "no such process", pid, peer);
    default:
        serve_log(SERVE_LOG_NOTICE, "cannot lease: %s", portmap_strerror(error));
        return refuse(&refused->failed, portmap_strerror(error), pid, peer);
    }
}

/* The port or a code, 0 when refused already. Opens the pidfd before check() reads the process: as long as
 * the pidfd has not ended, what check() read was not about a later process of the same number. */
static int grant_after_check(struct serve_state *state, pid_t pid, const struct ucred *peer, uid_t *account,
                             unsigned wanted)
{
    struct serve_refusals *refused = &state->refused;
    int pidfd = pid > 1 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    /* pidfd_open(2) fails with EINVAL, from Linux 6.16 on with ENOENT, for a thread other than the first. */
    bool absent = pid > 1 && pidfd < 0 && (errno == ESRCH || errno == EINVAL || errno == ENOENT);
    int may = check(refused, pid, peer, account);
    if (may && (absent || serve_process_has_ended(pidfd)))
        may = refuse(&refused->dead, "no such process", pid, peer);
    if (may)
        return serve_leases_grant(state->leases, pid, pidfd, *account, wanted);
    if (pidfd >= 0)
        close(pidfd);
    return 0;
}

/* Leases a port, `wanted` unless that is 0. The port; 0; or PORTMAP_EHELD where the wanted one is taken. A
 * process that asks for itself and has leases already need not be looked at again. */
static int lease(struct serve_state *state, pid_t pid, const struct ucred *peer, unsigned wanted)
{
    uid_t account = peer->uid;
    bool for_itself = pid > 1 && pid == peer->pid;
    uint32_t known = for_itself ? serve_leases_find(state->leases, pid, account) : 0;
    int port = known != 0 ? serve_leases_grant_more(state->leases, known, wanted)
                          : grant_after_check(state, pid, peer, &account, wanted);
    if (port < 0)
        return refuse_grant(&state->refused, port, pid, peer);
    if (port > 0)
        serve_log(SERVE_LOG_VERBOSE, "port %d for process %d of user %u", port, (int)pid, account);
    return port;
}

unsigned serve_statistics(const struct serve_state *state, char *text, unsigned size)
{
    const struct serve_refusals *r = &state->refused;
    struct serve_counts counts = serve_leases_count(state->leases);
    int len = snprintf(
        text, size,
        "pid %d\naddress %s\nuptime-seconds %llu\n"
        "client-request-errors %lu\ndenied-allocations %lu\nnum-ports-managed %u\n"
        "num-ports-checked-for-last-request %lu\ntotal-allocations %lu\n"
        "leases %u\nleases-kept-for-runs %u\nprocesses %u\nreclaimed %lu\nreleased %lu\n"
        "connections %u\ntotal-connections %lu\n"
        "requests-unparsable %lu\nrequests-too-long %lu\nrequests-too-slow %lu\n"
        "denied-init %lu\ndenied-dead %lu\ndenied-foreign-namespace %lu\ndenied-not-permitted %lu\n"
        "denied-over-cap %lu\ndenied-exhausted %lu\ndenied-taken %lu\ndenied-failed %lu\n",
        (int)getpid(), state->address, (unsigned long long)((process_clock() - state->started) / 1000000000),
        r->unparsable + r->too_long + r->too_slow,
        r->init + r->dead + r->foreign_namespace + r->not_permitted + r->over_cap + r->exhausted + r->taken +
            r->failed,
        counts.managed, counts.checked, counts.allocated, counts.leases, counts.kept, counts.processes,
        counts.reclaimed, counts.released, state->connections, state->connections_total, r->unparsable,
        r->too_long, r->too_slow, r->init, r->dead, r->foreign_namespace, r->not_permitted, r->over_cap,
        r->exhausted, r->taken, r->failed);
    return len < 0 ? 0 : (unsigned)len < size ? (unsigned)len : size - 1;
}

static unsigned write_text(char *answer, const char *text)
{
    struct text t = text_in(answer, SERVE_ANSWER_SIZE);
    text_str(&t, text);
    return (unsigned)t.used;
}

/* Reads "PID" or "PID NUMBER"; *is_key: there is a number. */
static bool read_wish(const char *request, uint64_t *pid, bool *is_key, uint64_t *number)
{
    const char *at = request + strspn(request, " \t"), *end = request + strlen(request);
    if (!text_take_uint(&at, end, INT32_MAX, pid))
        return false;
    *is_key = *at == ' ';
    return *is_key ? is_number(at + 1, number) : at == end;
}

static unsigned answer_with(char *answer, const char *word, unsigned port)
{
    struct text t = text_in(answer, SERVE_ANSWER_SIZE);
    text_str(&t, word);
    text_uint(&t, port);
    text_char(&t, '\n');
    return (unsigned)t.used;
}

unsigned serve_request(struct serve_state *state, const char *request, const struct ucred *peer, char *answer,
                       unsigned *port)
{
    static const char release[] = "release ";
    uint64_t number, pid;
    bool is_key;
    *port = 0;
    if (strcmp(request, "status") == 0)
        return serve_statistics(state, answer, SERVE_ANSWER_SIZE);
    if (strncmp(request, release, sizeof release - 1) == 0 &&
        is_number(request + sizeof release - 1, &number) && number < PORT_COUNT) {
        bool released = serve_leases_release(state->leases, (unsigned)number, peer->uid);
        return released ? write_text(answer, "ok\n") : 0;
    }
    if (!read_wish(request, &pid, &is_key, &number)) {
        state->refused.unparsable++;
        serve_log(SERVE_LOG_VERBOSE, "not a request, of process %d of user %u", (int)peer->pid, peer->uid);
        return 0;
    }
    unsigned wanted = is_key ? serve_leases_port(state->leases, (uint32_t)number) : 0;
    int leased = lease(state, (pid_t)pid, peer, wanted);
    *port = leased > 0 ? (unsigned)leased : 0;
    if (leased == PORTMAP_EHELD)
        return answer_with(answer, "taken ", wanted);
    return leased > 0 ? answer_with(answer, is_key ? "leased " : "", *port) : 0;
}
