/*
 * portshim trapped: the library executes this in place of a program that it does not reach, and this executes
 * the program, under the trap where that can be had. Not for people: shim/calls/trapped.h has its words.
 *
 *     portshim trapped DIRFD FLAGS PATH [ARG0 [ARG]...]
 */
#include "base/environment.h"
#include "base/text.h"
#include "command/command.h"
#include "command/library.h"
#include "command/trapping.h"
#include "error.h"
#include "program/reach.h"
#include "run/compact.h"
#include "run/files.h"
#include "run/sighting.h"
#include "run/voice.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char **environ;

/* Added to FLAGS: DIRFD was close-on-exec, and is to be that again. */
enum { CLOSES = 1 << 30, KNOWN_FLAGS = AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW };

/* The program, as arguments of execveat(2). */
struct program {
    int dirfd, flags;
    const char *path;
    char **words;
};

/* What the environment says of the run. */
struct told {
    const char *run_path;
    char text[COMPACT_SIZE];
    struct compact compact; /* of the text */
};

_Noreturn static void refuse(const char *word)
{
    command_fail("portshim itself starts programs by this command", "use portshim run", "trapped %s", word);
}

static int read_number(const char *word)
{
    uint64_t number;
    const char *at = word, *end = word + strlen(word);
    if (!text_take_uint(&at, end, INT_MAX, &number) || at != end)
        refuse(word);
    return (int)number;
}

static void read_words(struct program *program, int argc, char **argv)
{
    if (argc < 4)
        refuse(argc > 1 ? argv[1] : "");
    int flags = read_number(argv[2]);
    *program = (struct program){.dirfd = strcmp(argv[1], "-") == 0 ? AT_FDCWD : read_number(argv[1]),
                                .flags = flags & ~CLOSES,
                                .path = argv[3],
                                .words = argv + 4};
    if ((program->flags & ~KNOWN_FLAGS) != 0)
        refuse(argv[2]);
    if ((flags & CLOSES) != 0)
        fcntl(program->dirfd, F_SETFD, FD_CLOEXEC);
}

static void read_environment(struct told *told)
{
    const char *text = environment_get_nonempty(environ, COMPACT_VARIABLE);
    struct text copy = text_in(told->text, sizeof told->text);
    told->run_path = environment_get_nonempty(environ, "PORTSHIM_RUN");
    text_str(&copy, text != NULL ? text : "");
    if (told->run_path == NULL || copy.cut || !compact_read_head(told->text, &told->compact))
        refuse("without a run");
}

/* Opens the run as one of its processes, whoever its owner is. */
static bool join(struct map *map, const struct told *told)
{
    char path[PATH_MAX];
    int judge;
    struct text t = text_in(path, sizeof path);
    text_str(&t, told->run_path);
    text_char(&t, '/');
    text_str(&t, told->compact.secret);
    return !t.cut && files_join(map, path, &judge) == 0;
}

/* Notes that the program is under the trap, or why not: then returns what sighting_note() does. */
static _Atomic uint64_t *note_in(struct map *map, const struct reach *reach,
                                 const struct trapping_refusal *refusal)
{
    if (refusal != NULL)
        return sighting_untrapped(map, reach, refusal->reason);
    sighting_trapped(map, reach);
    return NULL;
}

/* Says on the run's stderr that the program is not under the trap, where somebody can be told. */
static bool tell(const struct map *map, _Atomic uint64_t *word, const char *program,
                 const struct trapping_refusal *refusal)
{
    struct problem warning;
    if (voice_is_quiet(secure_getenv("PORTSHIM_QUIET")) || !voice_may(map, word, SPEAKER_SELF))
        return false;
    trapping_describe(program, refusal, &warning);
    return voice_say(map, word, SPEAKER_SELF, "warning: ", warning.what, warning.why, warning.remedy);
}

/* What is started in this run is started in the runs around it as well. The map may be out of reach. */
static void note(struct map *map, const struct told *told, const struct reach *reach, const char *program,
                 const struct trapping_refusal *refusal)
{
    char path[PATH_MAX];
    int judge;
    _Atomic uint64_t *word = map != NULL ? note_in(map, reach, refusal) : NULL;
    bool is_told = word != NULL && !told->compact.strict && tell(map, word, program, refusal);
    for (unsigned n = 0; compact_outer(told->text, n, path); n++) {
        struct map outer;
        if (files_join(&outer, path, &judge) != 0)
            break;
        word = note_in(&outer, reach, refusal);
        if (is_told)
            voice_count_told(&outer, word, SPEAKER_SELF);
        files_close(&outer);
    }
}

/* Starts the trap, unless it is off, and notes what becomes of the program. Fails where that must not run
 * without. */
static void start_trap(const struct told *told, const struct reach *reach, const char *shown)
{
    struct map opened, *map = join(&opened, told) ? &opened : NULL;
    static struct trapping_refusal refusal = {.reason = UNTRAPPED_OFF};
    bool is_trapped = !told->compact.trap.is_off && trapping_start(map, shown, &refusal);
    note(map, told, reach, shown, is_trapped ? NULL : &refusal);
    if (!is_trapped && told->compact.strict)
        trapping_fail(shown, &refusal);
}

/* Returns only the errno of a failure. */
static int execute(const struct program *program)
{
    command_put_back_file_limit();
    syscall(SYS_execveat, program->dirfd, program->path, program->words, environ, program->flags);
    return errno;
}

int command_trapped(int argc, char **argv)
{
    static struct told told;
    struct program program;
    struct reach reach;
    struct place here = {.dirfd = AT_FDCWD};
    command_outlive_cut_files();
    read_words(&program, argc, argv);
    read_environment(&told);
    reach_judge(&reach, program.dirfd, program.path, program.flags, &(struct reach_asker){.place = &here});
    if (reach_refuses_library(&reach))
        library_leave_out();
    const char *shown = *program.path != '\0'    ? program.path
                        : *program.words != NULL ? *program.words
                                                 : "a program";
    start_trap(&told, &reach, shown);
    /* A path that is relative to another directory names nothing here. */
    bool is_here = program.dirfd == AT_FDCWD || *program.path == '/';
    command_end_unstarted(execute(&program), shown, is_here ? program.path : "");
}
