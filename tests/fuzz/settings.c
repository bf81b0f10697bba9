/*
 * Files of settings, such as a .portshim that came with somebody's sources: command/run_options.h. A bad one
 * ends the command, which comes back here instead.
 */
#include "fuzz.h"

#include "command/run_options.h"
#include "run/name.h"

#include <fcntl.h>
#include <getopt.h>
#include <setjmp.h>

/* What a command that fails has allocated goes with its process, which here lives on. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

static jmp_buf back;
static bool is_reading;

_Noreturn void __real_exit(int status);
_Noreturn void __wrap_exit(int status);

/* The linker puts it in place of exit(3). */
void __wrap_exit(int status)
{
    if (!is_reading)
        __real_exit(status);
    longjmp(back, status);
}

/* Sends stderr, with the command's complaints, nowhere, and back. Returns where it was. */
static void turn_stderr(bool away)
{
    static int nowhere = -1, before = -1;
    if (nowhere < 0) {
        nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
        before = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    }
    must(nowhere >= 0 && before >= 0 && dup2(away ? nowhere : before, STDERR_FILENO) == STDERR_FILENO);
}

static void free_settings(struct run_options *options)
{
    free(options->ports_text);
    for (unsigned i = 0; i < options->file_count; i++)
        free(options->files[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct run_options options;
    char path[32];
    fuzz_file(data, size, path);
    unsetenv("PORTSHIM_PORTS");
    memset(&options, 0, sizeof options);
    optind = 0;
    turn_stderr(true);
    int next = dup(STDERR_FILENO); /* the number that the file will have */
    must(next >= 0);
    close(next);
    is_reading = true;
    int status = setjmp(back);
    if (status == 0)
        run_options_read(&options, 4, (char *[]){"run", "-c", "-f", path, NULL});
    is_reading = false;
    turn_stderr(false);
    if (status != 0)
        close(next);
    must(status == 0 || status == 125);
    must(options.file_count <= RUN_MOST_FILES);
    if (status == 0) {
        must(!portset_is_empty(&options.ports) && options.ports_text != NULL);
        must(options.name == NULL || name_is_valid(options.name));
    }
    free_settings(&options);
    return 0;
}
