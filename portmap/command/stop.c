/* portshim stop: ends all processes of runs. */
#include "base/kernel.h"
#include "command/command.h"
#include "command/signals.h"
#include "command/stopping.h"
#include "error.h"
#include "host/socket_owners.h"
#include "observe/past.h"
#include "run/find.h"
#include "run/name.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DEFAULT_TIME UINT64_C(10000000000) /* nanoseconds */

enum { MOST_LINES = 5 };

static const char help[] =
    "usage: portshim stop [-t SECONDS] [-s SIGNAL] [-v] RUN...\n"
    "\n"
    "Ends all processes of runs: those that were started in them, and those of runs inside of them, also\n"
    "daemons and processes of other users, as far as this user may. Returns when they are gone and their\n"
    "ports are free. Each gets SIGTERM, and SIGKILL when the time is over. RUN is a name, a run directory "
    "or\n"
    "a map file. This process and its ancestors are spared.\n"
    "\n"
    "  -t, --timeout SECONDS  send SIGKILL after so long (fractions allowed); default: 10\n"
    "  -s, --signal SIGNAL    send this signal instead of SIGTERM, as HUP, SIGHUP or 1\n"
    "  -v, --verbose          say each process that gets a signal\n"
    "  -h, --help             print this\n"
    "\n"
    "Exit status: 0, also when a run had ended before; 125 when there was never such a run, when something\n"
    "could not be ended, or portshim failed.\n";

static const char see_help[] = "see portshim stop --help";

static bool failed; /* something was said that makes the exit status 125 */

#define complain(...) (failed = true, command_complain(__VA_ARGS__))

static const char *word_of(const struct stopping *s, unsigned number)
{
    return s->runs[number].word;
}

static void add_named(struct stopping *s, const char *word)
{
    char path[PATH_MAX];
    struct ended last;
    uint64_t run_id;
    bool is_name = name_is_valid(word) && name_find(s->home, word) != 0;
    if (!is_name && find_is_anothers_file(word)) {
        complain("another user's map file", "name the run, its directory or a file of this user's own",
                 "run %s", word);
        return;
    }
    int error = find_run(s->home, word, path, &run_id);
    if (error == 0)
        error = stopping_add(s, word, run_id);
    else if (error == PORTMAP_ENORUN && past_last(s->home, word, &last))
        return; /* it has ended, which is all that is wanted */
    if (error != 0)
        complain(portmap_strerror(error), "name a run, its directory or its map file", "run %s", word);
}

static void complain_of_member(struct stopping *s, const struct member *member)
{
    char name[32];
    const char *why = "it has not ended", *remedy = "see what keeps it";
    process_name(member->pid, name, sizeof name);
    if (member->error != 0) {
        why = portmap_strerror(member->error);
        remedy = "end it as its user, or run this as root";
    } else if (member->state == 'D') {
        why = "the kernel has not let it end";
        remedy = "it ends when what it waits for comes";
    }
    complain(why, remedy, "run %s, pid %d (%s)", word_of(s, member->run), (int)member->pid, name);
}

static bool complain_of_holder(struct stopping *s, unsigned number, pid_t pid, unsigned real)
{
    char name[32];
    process_name(pid, name, sizeof name);
    complain("it is not known to be of the run, and has a port of it", "end it, if it is",
             "run %s, port %u, pid %d (%s)", word_of(s, number), real, (int)pid, name);
    return true;
}

/* Says why a target has not ended, of which no member is known. */
static void complain_of_unseen(struct stopping *s, unsigned number)
{
    if (stopping_each_holder(s, number, complain_of_holder) == 0)
        complain("a process that cannot be seen from here is in it", "run this as root, or where it runs",
                 "run %s", word_of(s, number));
}

static void complain_of_all(struct stopping *s)
{
    unsigned lines = 0, more = 0;
    for (unsigned i = 0; i < s->members.count; i++) {
        const struct member *member = &s->members.list[i];
        if (member->spared || s->runs[member->run].is_over)
            continue;
        if (lines++ < MOST_LINES)
            complain_of_member(s, member);
        else
            more++;
    }
    if (more > 0)
        complain("they have not ended", "see portshim ls", "%u processes more", more);
    for (unsigned i = 0; lines == 0 && i < s->count; i++)
        if (!s->runs[i].is_over && !s->runs[i].is_ours)
            complain_of_unseen(s, i);
}

/* Names the nearest ancestor that is in the run. */
static void tell_of_ours(const struct stopping *s, unsigned number)
{
    const struct members *members = &s->members;
    pid_t pid = getppid();
    char name[32];
    for (unsigned i = 1; i < members->ancestor_count; i++)
        if (members_keeps(members, members->ancestors[i], number)) {
            pid = members->ancestors[i];
            break;
        }
    process_name(pid, name, sizeof name);
    command_warn("this command was started from inside of it", "it ends with that process",
                 "run %s goes on with pid %d (%s)", word_of(s, number), (int)pid, name);
}

static void complain_of_supervisor(const struct stopping *s, unsigned number)
{
    complain("it was killed, as it still served programs, which cannot be found", "look for them with ps",
             "run %s, supervisor %d", word_of(s, number), (int)s->runs[number].killed_supervisor);
}

/* Without descriptors left, a process that cannot be looked at would seem to have ended. */
static int check_descriptors(int first)
{
    int spare = fcntl(first, F_DUPFD_CLOEXEC, first + STOPPING_SPARE);
    if (spare < 0)
        return -EMFILE;
    close(spare);
    return 0;
}

static void check_kernel(void)
{
    int pidfd = (int)kernel_call(SYS_pidfd_open, getpid(), 0);
    long error = pidfd < 0 ? pidfd : kernel_call(SYS_pidfd_send_signal, pidfd, 0, NULL, 0);
    if (error == -ENOSYS || error == -EPERM)
        command_fail("the kernel, or a filter, has no pidfd_open(2) and pidfd_send_signal(2)",
                     "use Linux 5.3 or later", "portshim stop");
    if (error == 0)
        error = check_descriptors(pidfd);
    if (error < 0)
        command_fail(portmap_strerror((int)error), "close some descriptors, or raise ulimit -n",
                     "portshim stop");
    close(pidfd);
}

static int read_signal(const char *word)
{
    int number = signals_number(word);
    if (number == 0)
        command_fail("no such signal", "write one such as TERM, SIGTERM or 15", "signal \"%s\"", word);
    if (number == SIGSTOP || number == SIGTSTP || number == SIGTTIN || number == SIGTTOU)
        command_fail("it stops processes and does not end them", "write one such as TERM or INT",
                     "signal \"%s\"", word);
    return number;
}

int command_stop(int argc, char **argv)
{
    static const struct option words[] = {{"timeout", required_argument, NULL, 't'},
                                          {"signal", required_argument, NULL, 's'},
                                          {"verbose", no_argument, NULL, 'v'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    static struct stopping stopping;
    static struct home home;
    uint64_t patience = DEFAULT_TIME;
    stopping.signal = SIGTERM;
    for (int option; (option = command_option(argc, argv, "t:s:vh", words, help, see_help)) != -1;) {
        if (option == 't')
            patience = command_seconds(optarg);
        else if (option == 's')
            stopping.signal = read_signal(optarg);
        else
            stopping.verbose = true;
    }
    if (optind == argc)
        command_fail("none is given", see_help, "run");
    signal(SIGPIPE, SIG_IGN); /* whoever reads stderr may be of the run */
    check_kernel();
    if (members_begin(&stopping.members) != 0)
        command_fail("it does not show the processes of this pid namespace", "mount it here", "/proc");
    command_open_home(&home);
    stopping.home = &home;
    for (int i = optind; i < argc; i++)
        add_named(&stopping, argv[i]);
    stopping.deadline = process_clock() + patience;
    if (stopping.count > 0 && !stopping_all(&stopping))
        complain_of_all(&stopping);
    for (unsigned i = 0; i < stopping.count; i++) {
        if (stopping.runs[i].killed_supervisor != 0)
            complain_of_supervisor(&stopping, i);
        if (stopping.runs[i].is_ours)
            tell_of_ours(&stopping, i);
    }
    return failed ? COMMAND_FAILED : EXIT_SUCCESS;
}
