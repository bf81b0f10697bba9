/* portshim doctor: checks what this host allows, and whether a command can be wrapped. */
#include "base/json.h"
#include "base/lock.h"
#include "base/text.h"
#include "base/utf8.h"
#include "command/command.h"
#include "command/library.h"
#include "command/unstarted.h"
#include "error.h"
#include "host/probe.h"
#include "host/process.h"
#include "host/sockdiag.h"
#include "lease/portserver.h"
#include "lease/table.h"
#include "program/reach.h"
#include "program/versions.h"
#include "run/leases.h"
#include "trap/features.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <unistd.h>

extern char **environ;

enum { WILL_NOT_WORK = 1 };

static const char help[] =
    "usage: portshim doctor [--json] [COMMAND [ARGUMENT]...]\n"
    "       portshim doctor --library\n"
    "\n"
    "Says what this host allows and, for a COMMAND, whether it can be wrapped: a line each, \"ok\", "
    "\"note\"\n"
    "for what is to be known, or \"fail\" with a remedy. COMMAND is not started.\n"
    "\n"
    "      --json     print JSON: an object with verdict and checks[]\n"
    "      --library  print the path of libportshim.so, for LD_PRELOAD, and nothing else\n"
    "  -h, --help     print this\n"
    "\n"
    "Exit status: 0 when it will work; 1 when it will not; 125 when portshim failed.\n";

static const char see_help[] = "see portshim doctor --help";

enum verdict { DOCTOR_OK, DOCTOR_NOTE, DOCTOR_FAIL };

static struct {
    bool json;
    unsigned lines;
    enum verdict worst;
} report;

/* Reports one finding. remedy is NULL where there is nothing to do. */
__attribute__((format(printf, 4, 5))) static void say(enum verdict verdict, const char *what,
                                                      const char *remedy, const char *format, ...)
{
    static const char *const names[] = {"ok", "note", "fail"};
    char *finding;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&finding, format, arguments) < 0)
        command_fail(portmap_strerror(-ENOMEM), "free some memory", "%s", what);
    va_end(arguments);
    if (verdict > report.worst)
        report.worst = verdict;
    if (!report.json) {
        utf8_fit(finding, 0);
        printf("%-4s  %s: %s%s%s\n", names[verdict], what, finding, remedy != NULL ? ": " : "",
               remedy != NULL ? remedy : "");
        free(finding);
        return;
    }
    printf("%s{\"verdict\":\"%s\",\"check\":", report.lines++ > 0 ? ",\n " : "", names[verdict]);
    json_string(stdout, what);
    printf(",\"finding\":");
    json_string(stdout, finding);
    free(finding);
    printf(",\"remedy\":");
    json_string(stdout, remedy);
    putchar('}');
}

static void check_pool(void)
{
    struct pool pool;
    struct problem problem;
    struct ephemeral_range range = pool_ephemeral_range();
    int error = pool_load(&pool, environ, &problem);
    say(DOCTOR_OK, "ephemeral range", NULL, "%u-%u: the kernel gives these to clients by itself", range.first,
        range.last);
    if (error != 0) {
        say(DOCTOR_FAIL, "pool", problem.remedy, "%s: %s", problem.what, problem.why);
    } else if (pool.count == 0) {
        say(DOCTOR_FAIL, "pool", "list ports in PORTSHIM_POOL", "no port in it, from %s",
            pool_source(environ));
    } else if (pool.fallback) {
        say(DOCTOR_NOTE, "pool", "narrow net.ipv4.ip_local_port_range, or set PORTSHIM_POOL",
            "fewer than %d ports are not ephemeral, so clients of this host may take one of the %u",
            POOL_TOO_FEW, pool.count);
    } else {
        say(DOCTOR_OK, "pool", NULL, "%u ports, from %s", pool.count, pool_source(environ));
    }
}

static void check_sockets(void)
{
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct probe_scope scope = {.family = AF_INET6};
    probe_add_host(&scope, "localhost");
    if (fd < 0)
        say(DOCTOR_NOTE, "IPv6", NULL, "the kernel has none: IPv4 alone is probed");
    else if (probe_port_in(0, &scope) != PROBE_FREE)
        say(DOCTOR_NOTE, "IPv6", NULL, "there, but ::1 cannot be bound");
    else
        say(DOCTOR_OK, "IPv6", NULL, "there");
    if (fd >= 0)
        close(fd);
    int diag = sockdiag_open();
    struct sockdiag_port port;
    int error = diag < 0 ? diag : sockdiag_ask(diag, 1, SOCKDIAG_SERVERS, &port);
    if (error != 0)
        say(DOCTOR_NOTE, "sock_diag", "enable the kernel's inet_diag", "%s: portshim wait and ls cannot look",
            portmap_strerror(error));
    else
        say(DOCTOR_OK, "sock_diag", NULL, "portshim wait and ls can see who listens");
    if (diag >= 0)
        close(diag);
}

/* What a run with late placeholders and the lease table take, and as much again, in KiB. */
enum { DOCTOR_ROOM = 1280 };

static void check_home(void)
{
    struct home home;
    struct lease_table leases;
    struct statvfs disk;
    int error = home_open(&home, environ);
    if (error == 0)
        error = leases_open(&leases, &home);
    if (error != 0) {
        say(DOCTOR_FAIL, "lease directory",
            error == PORTMAP_ELOCKED ? home_remedy(error)
                                     : "set PORTSHIM_HOME to a private directory on a disk with room",
            "%s: %s", home.path, lock_strerror(error));
        return;
    }
    unsigned long long room =
        fstatvfs(home.fd, &disk) == 0 ? (unsigned long long)disk.f_bavail * disk.f_frsize / 1024 : 0;
    say(room < DOCTOR_ROOM ? DOCTOR_FAIL : DOCTOR_OK, "lease directory",
        room < DOCTOR_ROOM ? "make room: a run takes up to 640 KiB" : NULL, "%s, %llu KiB free", home.path,
        room);
    lease_close(&leases);
    home_close(&home);
}

static void check_library(void)
{
    char path[PATH_MAX];
    static struct problem problem;
    if (!library_look(path, &problem))
        say(DOCTOR_FAIL, "library", problem.remedy, "%s: %s", problem.what, problem.why);
    else
        say(DOCTOR_OK, "library", NULL, "%s", path);
    const char *flag = secure_getenv("PORTSHIM");
    if (flag != NULL && strcmp(flag, "0") == 0)
        say(DOCTOR_FAIL, "PORTSHIM", "unset it", "is 0, so the library rewrites nothing");
    const char *deepbind = secure_getenv("PORTSHIM_DEEPBIND");
    if (deepbind != NULL && strcmp(deepbind, "keep") == 0)
        say(DOCTOR_NOTE, "PORTSHIM_DEEPBIND", "unset it",
            "is keep, so what programs load with RTLD_DEEPBIND, as PHP its extensions, is not wrapped");
    else if (deepbind != NULL && *deepbind != '\0')
        say(DOCTOR_FAIL, "PORTSHIM_DEEPBIND", "set it to keep, or unset it", "is %s, which is no value of it",
            deepbind);
}

static void check_server(void)
{
    char answer[8192];
    const char *address = secure_getenv("PORTSERVER_ADDRESS");
    if (address == NULL || *address == '\0') {
        say(DOCTOR_NOTE, "port server", "start portshim serve if several users share this host",
            "PORTSERVER_ADDRESS names none, so leases are for this user alone");
        return;
    }
    int len = portserver_talk(address, "status\n", answer, sizeof answer, PORTSERVER_MILLISECONDS);
    if (len > 0)
        say(DOCTOR_OK, "port server", NULL, "%s is portshim serve", address);
    else if (len == 0 || len == PORTMAP_EREFUSED)
        say(DOCTOR_OK, "port server", NULL, "%s answers", address);
    else
        say(DOCTOR_NOTE, "port server", "start it with portshim serve, or unset PORTSERVER_ADDRESS",
            "%s: %s, so the lease table is used", address, portmap_strerror(len));
}

/* The number after a word at the beginning of a line of /proc/self/status, -1 when there is none. Reads by
 * lines of any length: the line of groups may list 65536. */
static long status_number(const char *word)
{
    FILE *status = fopen("/proc/self/status", "re");
    char *line = NULL;
    size_t size = 0;
    long number = -1;
    while (status != NULL && number < 0 && getline(&line, &size, status) > 0)
        if (strncmp(line, word, strlen(word)) == 0)
            number = strtol(line + strlen(word), NULL, 10);
    free(line);
    if (status != NULL)
        fclose(status);
    return number;
}

static void check_kernel(void)
{
    char value[32];
    long seccomp = status_number("Seccomp:"), no_new_privs = status_number("NoNewPrivs:");
    if (process_pid_namespace() == 0)
        say(DOCTOR_NOTE, "/proc", "mount it",
            "not there: runs of other pid namespaces cannot be told from ours");
    else if (process_is_in_initial_pid_namespace())
        say(DOCTOR_OK, "pid namespace", NULL, "the host's");
    else
        say(DOCTOR_NOTE, "pid namespace", NULL,
            "a container's: a port server outside of it cannot lease to us");
    say(DOCTOR_OK, "seccomp", NULL, "%s%s",
        seccomp == 2   ? "a filter is in force, which may forbid calls that wrapped programs make anyway"
        : seccomp == 1 ? "strict mode"
                       : "no filter",
        no_new_privs == 1 ? ", no_new_privs is set: set-user-ID programs gain nothing" : "");
    int len = text_read_file("/proc/sys/kernel/yama/ptrace_scope", value, sizeof value);
    say(DOCTOR_OK, "Yama", NULL, "ptrace_scope is %.*s", len > 0 ? (int)strcspn(value, "\n") : 9,
        len > 0 ? value : "not there");
}

/* What the kernel has for the trap, and whether the environment switches that off. */
static struct {
    struct trap_features features;
    const struct obstacle *lack; /* why programs cannot be trapped; NULL: they can */
    bool on;                     /* all programs are to be trapped */
} trap;

static void say_feature(const char *what, int error, const char *lack)
{
    if (error == 0)
        say(DOCTOR_OK, what, NULL, "there");
    else
        say(DOCTOR_NOTE, what, NULL, "%s: %s",
            error == -ECANCELED ? "who uses it is killed" : portmap_strerror(error), lack);
}

static void say_features(const struct trap_features *features)
{
    static const char needed[] = "there is no trap without it";
    say_feature("seccomp notifications", features->filter, needed);
    say_feature("process_vm_readv", features->memory, needed);
    say_feature("pidfd_getfd", features->descriptors, needed);
    if (features->filter == 0)
        say_feature("SYNC_WAKE_UP", features->wake_up, "trapped calls take longer than on Linux 6.6");
    say_feature("PIDFD_THREAD", features->thread_pidfds,
                "trapped calls take one more system call than on Linux 6.9");
    if (features->takes_privileges)
        say(DOCTOR_NOTE, "no_new_privs", NULL,
            "is set in programs that are trapped: what these start gets no rights by sudo, su and the like");
}

static void say_trap(void)
{
    if (trap.lack != NULL)
        say(DOCTOR_NOTE, "trap", trap.lack->remedy_in_full,
            "static programs, those of Go, of another libc or class cannot be wrapped: %s",
            trap.lack->why_in_full);
    else if (trap.features.is_below_ours)
        say(DOCTOR_OK, "trap", NULL, "this process is below one");
    else if (trap.features.others != 0)
        say(DOCTOR_NOTE, "trap", "set kernel.yama.ptrace_scope to 0, or ask as root",
            "static programs, those of Go, of another libc or class can be wrapped, but get another pid than "
            "the one that was started");
    else
        say(DOCTOR_OK, "trap", NULL, "static programs, those of Go, of another libc or class can be wrapped");
}

static void check_trap(void)
{
    const char *word = secure_getenv("PORTSHIM_TRAP");
    int error = trap_features_try(&trap.features);
    trap.lack = untrapped_obstacle(error != 0 ? UNTRAPPED_PROCESSES : trap_features_lack(&trap.features));
    if (error == 0 && !trap.features.is_below_ours)
        say_features(&trap.features);
    say_trap();
    trap.on = word != NULL && strcmp(word, "on") == 0;
    if (word == NULL || *word == '\0' || strcmp(word, "auto") == 0)
        return;
    if (strcmp(word, "off") == 0) {
        trap.lack = untrapped_obstacle(UNTRAPPED_OFF);
        say(DOCTOR_NOTE, "PORTSHIM_TRAP", "unset it", "is off, so nothing is trapped");
    } else if (!trap.on)
        say(DOCTOR_FAIL, "PORTSHIM_TRAP", "set it to auto, on or off", "is %s, which is no value of it",
            word);
    else if (trap.lack != NULL)
        say(DOCTOR_FAIL, "PORTSHIM_TRAP", trap.lack->remedy_in_full, "is on, but %s", trap.lack->why_in_full);
    else
        say(DOCTOR_OK, "PORTSHIM_TRAP", NULL, "is on, so all programs are trapped");
}

/* Checks for AddressSanitizer's runtime, which ends a program where another library comes first. A runtime
 * that LD_PRELOAD already has stays first. */
static void check_sanitizer(const struct reach *program, int fd)
{
    const char *preloaded = getenv("LD_PRELOAD"), *options = getenv("ASAN_OPTIONS");
    char needed[64];
    if (!elf_needs(fd, "libasan.so", needed, sizeof needed) &&
        !elf_needs(fd, "libclang_rt.asan", needed, sizeof needed))
        return;
    if (preloaded != NULL && strstr(preloaded, "asan") != NULL)
        say(DOCTOR_OK, "command", NULL, "%s stays the first library: LD_PRELOAD has it", needed);
    else if (options != NULL && strstr(options, "verify_asan_link_order=0") != NULL)
        say(DOCTOR_OK, "command", NULL, "%s need not be the first library: ASAN_OPTIONS", needed);
    else
        say(DOCTOR_FAIL, "command",
            "set ASAN_OPTIONS=verify_asan_link_order=0, or LD_PRELOAD to that runtime",
            "%s wants %s to be its first library", program->path, needed);
}

/* Compares what the library needs with the libc beside the command's ld.so: both are of one build. */
static void check_libc(const char *linker)
{
    static struct problem problem;
    static struct versions_lack lack;
    char library[PATH_MAX], *real = realpath(linker, NULL);
    if (real == NULL || !library_look(library, &problem)) {
        free(real); /* a missing library has been reported before */
        return;
    }
    *strrchr(real, '/') = '\0';
    int result = versions_compare(library, real, &lack);
    if (result == 1 && *lack.version == '\0')
        say(DOCTOR_NOTE, "libc", NULL, "%s is not there, so it cannot be compared with what %s needs",
            lack.file, library);
    else if (result == 1)
        say(DOCTOR_FAIL, "libc", "build portshim on that system, or on an older one",
            "%s, which the command loads, has no %s, which %s needs", lack.file, lack.version, library);
    else if (result == 0)
        say(DOCTOR_OK, "libc", NULL, "that of %s has all that the library needs", real);
    free(real);
}

/* For a program that the library does not reach: whether the trap does. */
static void say_obstacle(const struct reach *program)
{
    const struct obstacle *obstacle = reach_obstacle(program->kind, program->is_privileged);
    if (!reach_wants_trap(program) || !reach_runs_here(program))
        say(DOCTOR_FAIL, "command", obstacle->remedy_in_full, "%s is %s", program->path,
            obstacle->why_in_full);
    else if (trap.lack == NULL)
        say(DOCTOR_OK, "command", NULL, "%s is started under the trap: it is %s", program->path,
            obstacle->why_in_full);
    else
        say(DOCTOR_FAIL, "command", trap.lack->remedy_in_full, "%s is %s, and %s", program->path,
            obstacle->why_in_full, trap.lack->why_in_full);
}

/* Checks a dynamic program of the library's ELF class: whether its ld.so is there, and its libc fits. */
static void check_dynamic(const struct reach *program)
{
    char linker[PATH_MAX];
    int fd = open(program->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return; /* the file has just vanished */
    elf_interpreter(fd, linker, sizeof linker);
    if (*linker != '\0' && access(linker, X_OK) < 0)
        say(DOCTOR_FAIL, "command", "install that libc", "%s needs %s: %s", program->path, linker,
            portmap_strerror(-errno));
    else if (program->kind == PROGRAM_OTHER_LIBC)
        say_obstacle(program);
    else if (*linker == '\0')
        say(DOCTOR_OK, "command", NULL, "%s is ld.so, which preloads for what it loads", program->path);
    else {
        say(DOCTOR_OK, "command", NULL, "%s is dynamically linked: the library reaches it%s", program->path,
            trap.on ? ", and it is trapped as well" : "");
        check_libc(linker);
    }
    check_sanitizer(program, fd);
    close(fd);
}

static void check_command(const char *command);

/* Whether a script starts through env, as "#!/usr/bin/env -S python3 -u" does. Writes the program that env is
 * to start, "python3", into word[size]. */
static bool is_by_env(const char *script, const char *interpreter, char *word, size_t size)
{
    char line[256], *rest, *next;
    const char *slash = strrchr(interpreter, '/');
    if (slash == NULL || strcmp(slash, "/env") != 0 || text_read_file(script, line, sizeof line) <= 0)
        return false;
    line[strcspn(line, "\n")] = '\0';
    for (next = strtok_r(line + 2, " \t", &rest); next != NULL && *next != '\0';) {
        next = strtok_r(NULL, " \t", &rest);
        if (next != NULL && *next != '-' && strchr(next, '=') == NULL) {
            snprintf(word, size, "%s", next);
            return true;
        }
    }
    return false;
}

static void check_unknown(const char *path, const char *file)
{
    if (access(file, F_OK) < 0)
        say(DOCTOR_FAIL, "command", "install that interpreter, or write another after #!", "%s: %s", file,
            portmap_strerror(-errno));
    else if (access(file, R_OK) < 0)
        say(DOCTOR_FAIL, "command", "let this user read it, or ask as root", "%s cannot be read: %s", file,
            portmap_strerror(-errno));
    else if (strcmp(path, file) == 0 && unstarted_is_for_the_shell(file)) {
        say(DOCTOR_OK, "command", NULL, "%s has no #!, so it is a script for /bin/sh", file);
        check_command("/bin/sh");
    } else
        say(DOCTOR_FAIL, "command", "name a program or a script", "%s is neither", file);
}

static void check_program(const char *path)
{
    static struct reach program;
    char word[256];
    reach_judge_here(&program, path);
    bool is_script = strcmp(path, program.path) != 0;
    if (is_script)
        say(DOCTOR_OK, "command", NULL, "%s is a script for %s", path, program.path);
    if (is_script && is_by_env(path, program.path, word, sizeof word)) {
        check_command(word);
        return;
    }
    if (program.is_privileged) {
        say_obstacle(&program);
        return;
    }
    switch (program.kind) {
    case PROGRAM_DYNAMIC:
    case PROGRAM_OTHER_LIBC:
        check_dynamic(&program);
        break;
    case PROGRAM_PORTSHIM:
        say(DOCTOR_OK, "command", NULL, "%s is portshim itself", program.path);
        break;
    case PROGRAM_UNKNOWN:
        check_unknown(path, program.path);
        break;
    case PROGRAM_STATIC:
    case PROGRAM_GO:
    case PROGRAM_WRONG_CLASS:
        say_obstacle(&program);
    }
}

static void check_command(const char *command)
{
    static unsigned depth;
    static struct unstarted unstarted;
    char path[PATH_MAX];
    int error = search_command(command, path);
    if (depth++ == SCRIPT_DEPTH)
        say(DOCTOR_FAIL, "command", "write a program after #!", "%s: too many scripts for scripts", command);
    else if (error != 0) {
        unstarted_search(&unstarted, command, error);
        say(DOCTOR_FAIL, "command", unstarted.remedy, "%s: %s", command, unstarted.why);
    } else
        check_program(path);
}

static int print_library(void)
{
    char path[PATH_MAX];
    library_find(path);
    puts(path);
    return command_printed(EXIT_SUCCESS);
}

int command_doctor(int argc, char **argv)
{
    enum { JSON = 256, LIBRARY };
    static const struct option words[] = {{"json", no_argument, NULL, JSON},
                                          {"library", no_argument, NULL, LIBRARY},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    for (int option; (option = command_option(argc, argv, "+h", words, help, see_help)) != -1;) {
        if (option == LIBRARY)
            return print_library();
        report.json = true;
    }
    if (report.json)
        printf("{\"checks\":[");
    check_library();
    check_pool();
    check_home();
    check_sockets();
    check_server();
    check_kernel();
    check_trap();
    if (optind < argc)
        check_command(argv[optind]);
    bool good = report.worst != DOCTOR_FAIL;
    if (report.json)
        printf("],\n \"verdict\":\"%s\"}\n", good ? "ok" : "fail");
    return command_printed(good ? EXIT_SUCCESS : WILL_NOT_WORK);
}
