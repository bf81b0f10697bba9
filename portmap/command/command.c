#include "command/command.h"

#include "base/file.h"
#include "base/text.h"
#include "base/utf8.h"
#include "command/unstarted.h"
#include "error.h"
#include "observe/past.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char **environ;

enum { MOST_OF_LINE = 1024 }; /* bytes of a command line in a map, with its '\0' */

static void print_line(const char *kind, const char *why, const char *remedy, const char *what,
                       va_list arguments)
{
    char *subject;
    if (vasprintf(&subject, what, arguments) < 0)
        subject = NULL;
    const char *shown = subject != NULL ? subject : what;
    size_t size = strlen(shown) + strlen(why) + strlen(remedy) + sizeof "portshim: warning: : : ";
    char *line = malloc(size);
    fflush(stdout);
    if (line != NULL)
        problem_write(line, size, kind, shown, why, remedy);
    free(line);
    free(subject);
}

static void (*before_end)(int status);

void command_before_end(void (*call)(int status))
{
    before_end = call;
}

void command_end(int status, const char *why, const char *remedy, const char *what, ...)
{
    va_list arguments;
    va_start(arguments, what);
    print_line("", why, remedy, what, arguments);
    va_end(arguments);
    if (before_end != NULL)
        before_end(status);
    exit(status);
}

void command_fail_of(const struct problem *problem)
{
    command_fail(problem->why, problem->remedy, "%s", problem->what);
}

void command_warn(const char *why, const char *remedy, const char *what, ...)
{
    va_list arguments;
    va_start(arguments, what);
    print_line("warning: ", why, remedy, what, arguments);
    va_end(arguments);
}

void command_complain(const char *why, const char *remedy, const char *what, ...)
{
    va_list arguments;
    va_start(arguments, what);
    print_line("", why, remedy, what, arguments);
    va_end(arguments);
}

static sigset_t held, mask_before;

void command_hold_signals(void)
{
    static const int ending[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM, SIGPIPE,
                                 SIGALRM, SIGUSR1, SIGUSR2, SIGXCPU};
    sigemptyset(&held);
    for (unsigned i = 0; i < sizeof ending / sizeof *ending; i++) {
        struct sigaction action;
        if (sigaction(ending[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
            sigaddset(&held, ending[i]);
    }
    sigprocmask(SIG_BLOCK, &held, &mask_before);
    /* A signal that was blocked before is not ours to act on. */
    for (int signal = 1; signal < NSIG; signal++)
        if (sigismember(&mask_before, signal) == 1)
            sigdelset(&held, signal);
}

void command_let_signals(void)
{
    sigprocmask(SIG_SETMASK, &mask_before, NULL);
}

bool command_must_end(void)
{
    sigset_t come;
    sigpending(&come);
    return sigandset(&come, &come, &held) == 0 && !sigisemptyset(&come);
}

static struct sigaction file_limit_before;

void command_outlive_file_limit(void)
{
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGXFSZ, &ignore, &file_limit_before);
}

void command_put_back_file_limit(void)
{
    sigaction(SIGXFSZ, &file_limit_before, NULL);
}

/* Puts an empty page where a mapped file has ended before its time. */
static void fill_in(int number, siginfo_t *info, void *context)
{
    uintptr_t size = (uintptr_t)sysconf(_SC_PAGESIZE), page = (uintptr_t)info->si_addr / size * size;
    (void)context;
    if (info->si_code != BUS_ADRERR || mmap((void *)page, size, PROT_READ | PROT_WRITE,
                                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
        signal(number, SIG_DFL); /* it comes again, and ends the command */
}

void command_outlive_cut_files(void)
{
    struct sigaction handle = {.sa_sigaction = fill_in, .sa_flags = SA_SIGINFO}, before;
    sigemptyset(&handle.sa_mask);
    /* What is ignored has to stay so, as the command that is executed inherits it. */
    if (sigaction(SIGBUS, &handle, &before) == 0 && before.sa_handler == SIG_IGN)
        sigaction(SIGBUS, &before, NULL);
}

static char found_program[PATH_MAX]; /* the file of the command, from command_find_program() */

/* Has the shell execute a file that the kernel knows no format of, as execvp(3) of glibc does and that of
 * musl does not. */
static void execute_as_script(char *file, char **words)
{
    static char shell[] = "/bin/sh";
    size_t count = 0;
    while (words[count] != NULL)
        count++;
    char **all = calloc(count + 2, sizeof *all);
    if (all == NULL)
        return;
    all[0] = shell;
    all[1] = file;
    memcpy(all + 2, words + 1, count * sizeof *all);
    execv(shell, all);
    free(all);
    errno = ENOEXEC;
}

/* Returns only the errno of a failure. */
static int execute(char **words)
{
    execv(found_program, words); /* execvp(3) would try each directory of PATH before its own again */
    if (errno == ENOEXEC) {
        if (unstarted_is_for_the_shell(found_program))
            execute_as_script(found_program, words);
        return ENOEXEC;
    }
    execvp(words[0], words);
    return errno;
}

int command_execute(char **words)
{
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    command_put_back_file_limit();
    int error = execute(words);
    sigaction(SIGXFSZ, &ignore, NULL);
    return error;
}

void command_end_unstarted(int error, const char *command, const char *file)
{
    static struct unstarted unstarted;
    if (error < 0)
        command_fail(portmap_strerror(error), "end some processes, or close some descriptors",
                     "a parent for %s", command);
    unstarted_exec(&unstarted, file != NULL ? file : found_program, -error);
    command_end(error == ENOENT ? COMMAND_NOT_FOUND : COMMAND_NOT_EXECUTABLE, unstarted.why, unstarted.remedy,
                "%s", command);
}

void command_print_text(FILE *out, const char *text)
{
    char *shown = isatty(fileno(out)) ? strdup(text) : NULL;
    if (shown != NULL)
        utf8_fit(shown, 0);
    fputs(shown != NULL ? shown : text, out);
    free(shown);
}

int command_printed(int status)
{
    if (fflush(stdout) == EOF || ferror(stdout))
        command_fail("cannot write", "give it an open stdout", "standard output");
    return status;
}

void command_help(const char *text)
{
    fputs(text, stdout);
    exit(command_printed(EXIT_SUCCESS));
}

unsigned command_number(const char *word, unsigned most)
{
    uint64_t number;
    const char *at = word, *end = word + strlen(word);
    return text_take_uint(&at, end, most, &number) && at == end ? (unsigned)number : 0;
}

uint64_t command_seconds(const char *word)
{
    char *end;
    errno = 0;
    double seconds = strtod(word, &end);
    if (end == word || *end != '\0' || errno != 0 || !isfinite(seconds) || seconds < 0 || seconds > 1e9)
        command_fail("not a number of seconds", "write one such as 10 or 0.5", "timeout \"%s\"", word);
    return (uint64_t)(seconds * 1e9);
}

void command_add_ports(struct portset *ports, const char *spec)
{
    struct problem problem;
    if (portset_add(ports, spec, &problem) != 0)
        command_fail(problem.why, problem.remedy, "bad port specification \"%s\"", problem.what);
}

struct obtain_server command_port_server(pid_t pid, bool required)
{
    struct obtain_server server = obtain_server_of(environ, pid);
    server.required = required;
    if (required && server.address == NULL)
        command_fail("PORTSERVER_ADDRESS is not set", "set it to the address of a port server",
                     "--require-portserver");
    return server;
}

void command_check_server(const struct obtain_server *server, bool quiet)
{
    if (server->error == 0 && server->is_plain && !quiet)
        command_warn("it cannot be asked for the port of a key", "use portshim serve, or leave the key away",
                     "port server %s", server->address);
    if (server->error == 0)
        return;
    const char *why = portmap_strerror(server->error);
    if (server->required)
        command_fail(why, "start one with portshim serve, or see portshim serve --status", "port server %s",
                     server->address);
    if (!quiet)
        command_warn(why, "ports are leased without it; start it, or unset PORTSERVER_ADDRESS",
                     "port server %s", server->address);
}

void command_find_program(const char *command, struct reach *reach)
{
    int error = search_command(command, found_program);
    static struct unstarted unstarted;
    if (error != 0) {
        unstarted_search(&unstarted, command, error);
        command_end(error == -ENOENT ? COMMAND_NOT_FOUND : COMMAND_NOT_EXECUTABLE, unstarted.why,
                    unstarted.remedy, "%s", command);
    }
    reach_judge_here(reach, found_program);
}

void command_check_class(const struct reach *reach)
{
    const struct obstacle *obstacle = reach_obstacle(reach->kind, false);
    if (reach->kind == PROGRAM_WRONG_CLASS)
        command_fail(obstacle->why, obstacle->remedy, "%s", reach->path);
}

char *command_line(char **words)
{
    char *line = malloc(MOST_OF_LINE);
    if (line == NULL)
        command_fail(portmap_strerror(-ENOMEM), "free some memory", "the command line");
    struct text t = text_in(line, MOST_OF_LINE);
    for (char **word = words; *word != NULL; word++) {
        text_str(&t, t.used > 0 ? " " : "");
        text_str(&t, *word);
    }
    text_mark_cut(&t);
    return line;
}

void command_fill_standard(void)
{
    int nothing = 0;
    while (nothing >= 0 && nothing <= STDERR_FILENO)
        nothing = open("/dev/null", O_RDONLY);
    if (nothing >= 0)
        close(nothing);
}

void command_close_from(int first)
{
    if (syscall(__NR_close_range, first, ~0U, 0) == 0)
        return;
    /* Linux before 5.9 has no close_range(2). */
    DIR *own = opendir("/proc/self/fd");
    for (struct dirent *entry; own != NULL && (entry = readdir(own)) != NULL;) {
        int fd = (int)strtol(entry->d_name, NULL, 10);
        if (fd >= first && fd != dirfd(own))
            close(fd);
    }
    if (own != NULL)
        closedir(own);
}

void command_fail_of_run(const struct home *home, const char *word, int error, const char *remedy)
{
    struct ended last;
    char why[256], how[96];
    snprintf(why, sizeof why, "%s", portmap_strerror(error));
    if ((error == PORTMAP_ENORUN || error == PORTMAP_EENDED) && past_last(home, word, &last)) {
        past_tell(&last, how, sizeof how);
        snprintf(why, sizeof why, "%s, %s %s", portmap_strerror(error),
                 error == PORTMAP_ENORUN ? "the last one" : "it", how);
    }
    command_fail(why, remedy, "run %s", word);
}

void command_look_at_run(struct watch *watch)
{
    int error = watch_find(watch);
    if (error == 0)
        error = watch_stay(watch);
    if (error != 0)
        command_fail_of_run(watch->home, watch->word, error,
                            "name a living run, its directory or its map file");
    watch_look_after(watch);
}

void command_open_home(struct home *home)
{
    int error = home_open(home, environ);
    if (error != 0)
        command_fail(portmap_strerror(error), "set PORTSHIM_HOME to a private directory that can be written",
                     "%s", home->path);
}

void command_choose_pool(struct pool *pool)
{
    struct problem problem;
    if (pool_choose(pool, environ, &problem) != 0)
        command_fail_of(&problem);
    if (pool->count == 0 && !pool->is_unread)
        command_fail("no port in it", "list ports such as 8000-8099,9000", "the pool");
}

void command_warn_of_pool(const struct pool *pool)
{
    if (pool->fallback)
        command_warn("clients of this host may take a leased port",
                     "narrow net.ipv4.ip_local_port_range, or set PORTSHIM_POOL",
                     "fewer than %d ports are not ephemeral, so 1024-49151 are used", POOL_TOO_FEW);
}

void command_load_pool(struct pool *pool, int quiet)
{
    struct problem problem;
    command_choose_pool(pool);
    if (pool_settle(pool) != 0) {
        pool_explain(pool, &problem);
        command_fail_of(&problem);
    }
    if (!quiet)
        command_warn_of_pool(pool);
}
