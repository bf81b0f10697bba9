/* main() of the command: calls the subcommand that is named, or says which may be meant. */
#include "command/command.h"
#include "command/run_options.h"
#include "command/spelling.h"
#include "command/trapping.h"
#include "program/elf.h"
#include "program/search.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef PORTSHIM_VERSION
#error "the Makefile says which version this is"
#endif

static int command_help_of(int argc, char **argv);
static int command_version(int argc, char **argv);

/* The subcommands, in the order of the help. */
static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *arguments; /* as the help shows them */
    const char *does;
    const char *others_say; /* what it is called elsewhere: " ps list " */
} commands[] = {
    {"run", command_run, "-p PORTS [OPTION]... [--] COMMAND...", "run a command whose ports are its own",
     " exec start launch "},
    {"wait", command_wait, "[-t SECONDS] [RUN] PORT...", "print the real ports once something listens", ""},
    {"port", command_port, "[RUN] PORT...", "print the real ports", " get lookup "},
    {"env", command_env, "[RUN]", "print them as assignments", " environment vars "},
    {"ls", command_ls, "[--json] [RUN]", "list runs, their ports and who is on them",
     " list ps status show top "},
    {"stop", command_stop, "[-t SECONDS] [-s SIGNAL] RUN...", "end all processes of runs",
     " kill end terminate down "},
    {"doctor", command_doctor, "[COMMAND]", "what can be wrapped here, and how", " check diagnose "},
    {"ports", command_ports, "[--] COMMAND...", "find out which ports a command uses",
     " discover scan trace "},
    {"pick", command_pick, "[PID [TIMEOUT]]", "lease a port for a process, print it", " alloc lease "},
    {"release", command_release, "PORT...", "give such ports back", " free "},
    {"serve", command_serve, "[OPTION]...", "lease ports for all users of this host",
     " server daemon portserver "},
    {"help", command_help_of, "[COMMAND]", "print this, or what COMMAND --help prints", " man usage "},
    {"version", command_version, "", "print the version", ""},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

/* An ELF note by which the library recognizes this command when a program of a run starts it. */
static const struct {
    uint32_t name_size, content_size, type;
    char name[(sizeof ELF_NOTE_NAME + 3) / 4 * 4];
} note __attribute__((section(".note.portshim"), aligned(4), used)) = {sizeof ELF_NOTE_NAME, 0, 0,
                                                                       ELF_NOTE_NAME};

enum {
    LINE_SIZE = 512,  /* bytes of a command line to write instead */
    HELP_COLUMN = 54, /* where the help says what a command does */
};

static const char see_help[] = "see portshim --help";

static int print_help(void)
{
    printf("usage: portshim COMMAND [OPTION]... [ARGUMENT]...\n\n"
           "Makes programs with hard-coded ports parallel-safe without touching them.\n\n");
    for (const struct command *command = commands; command < commands + COMMANDS; command++) {
        int width = printf("  portshim %-4s %s", command->name, command->arguments);
        printf("%*s%s\n", width < HELP_COLUMN ? HELP_COLUMN - width : 1, "", command->does);
    }
    printf("\nportshim COMMAND --help tells more.\n");
    return command_printed(EXIT_SUCCESS);
}

static int print_version(void)
{
    puts("portshim " PORTSHIM_VERSION);
    return command_printed(EXIT_SUCCESS);
}

static const struct command *find(const char *word)
{
    for (const struct command *command = commands; command < commands + COMMANDS; command++)
        if (strcmp(word, command->name) == 0)
            return command;
    return NULL;
}

/* The command that other programs call by this word, or the one that is nearest to it. NULL: none is. */
static const char *meant_by(const char *word)
{
    char between_blanks[SPELLING_LONGEST + 3];
    struct spelling spelling = {.word = word};
    snprintf(between_blanks, sizeof between_blanks, " %s ", word);
    for (const struct command *command = commands; command < commands + COMMANDS; command++)
        if (strstr(command->others_say, between_blanks) != NULL)
            return command->name;
    for (const struct command *command = commands; command < commands + COMMANDS; command++)
        spelling_try(&spelling, command->name);
    return spelling.nearest;
}

/* Fails at an option in the place of a command: most are those of `run`. */
_Noreturn static void refuse_option(char **words)
{
    char remedy[LINE_SIZE];
    struct text t = text_in(remedy, sizeof remedy);
    struct spelling spelling = {.word = words[0]};
    spelling_try(&spelling, "--help");
    spelling_try(&spelling, "--version");
    if (spelling.nearest != NULL || (strcmp(words[0], "-v") == 0 && words[1] == NULL)) {
        text_str(&t, "did you mean ");
        text_str(&t, spelling.nearest != NULL ? spelling.nearest : "--version");
        text_str(&t, "?");
        command_fail("unknown option", remedy, "%s", words[0]);
    }
    if (!run_options_has(words[0]))
        command_fail("no command stands before it", see_help, "%s", words[0]);
    text_str(&t, "did you mean portshim run");
    spelling_add_words(&t, words);
    text_mark_cut(&t);
    command_fail("no command stands before it", remedy, "%s", words[0]);
}

_Noreturn static void refuse_word(char **words)
{
    char remedy[LINE_SIZE], path[PATH_MAX];
    struct text t = text_in(remedy, sizeof remedy);
    const char *meant = meant_by(words[0]);
    if (meant != NULL) {
        text_str(&t, "did you mean portshim ");
        text_str(&t, meant);
        text_str(&t, "?");
    }
    /* A program may be missing, if a path names it. */
    bool is_program =
        *words[0] != '\0' && (strchr(words[0], '/') != NULL || search_command(words[0], path) == 0);
    if (is_program) {
        text_str(&t, meant != NULL ? " To run that program, write " : "to run that program, write ");
        text_str(&t, "portshim run -p PORTS --");
        spelling_add_words(&t, words);
    }
    text_mark_cut(&t);
    command_fail("no such command", t.used > 0 ? remedy : see_help, "%s", words[0]);
}

/* Named so because command_help() prints a text. */
static int command_help_of(int argc, char **argv)
{
    static const char help[] =
        "usage: portshim help [COMMAND]\n"
        "\n"
        "Prints what portshim COMMAND --help prints; without COMMAND, what portshim --help "
        "prints.\n"
        "\n"
        "  -h, --help  print this\n"
        "\n"
        "Exit status: 0; 125 when there is no such command.\n";
    static char option[] = "--help";
    command_no_option(argc, argv, help, "see portshim help --help");
    if (optind == argc)
        return print_help();
    if (argc - optind > 1)
        command_fail("more than one is given", "name one", "command %s", argv[optind + 1]);
    const struct command *command = find(argv[optind]);
    if (command == NULL)
        refuse_word(argv + optind);
    char *words[] = {argv[optind], option, NULL};
    optind = 1;
    return command->run(2, words);
}

static int command_version(int argc, char **argv)
{
    static const char help[] = "usage: portshim version\n"
                               "\n"
                               "Prints the version, as portshim --version does.\n"
                               "\n"
                               "  -h, --help  print this\n"
                               "\n"
                               "Exit status: 0.\n";
    static const char see_its_help[] = "see portshim version --help";
    command_no_option(argc, argv, help, see_its_help);
    if (optind < argc)
        command_fail("too many arguments", see_its_help, "%s", argv[optind]);
    return print_version();
}

int main(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "--help";
    if (strcmp(word, "trapped") == 0)
        return command_trapped(argc - 1, argv + 1);
    command_outlive_file_limit();
    command_outlive_cut_files();
    trapping_exempt();
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        return print_help();
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)
        return print_version();
    const struct command *command = find(word);
    if (command != NULL)
        return command->run(argc - 1, argv + 1);
    if (*word == '-')
        refuse_option(argv + 1);
    refuse_word(argv + 1);
}
