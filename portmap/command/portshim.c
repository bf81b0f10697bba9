/* main() of the command: calls the subcommand that is named. */
#include "command/command.h"
#include "command/trapping.h"
#include "program/elf.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#ifndef PORTSHIM_VERSION
#error "the Makefile says which version this is"
#endif

static const char help[] =
    "usage: portshim COMMAND [OPTION]... [ARGUMENT]...\n"
    "\n"
    "Makes programs with hard-coded ports parallel-safe without touching them.\n"
    "\n"
    "  portshim run  -p PORTS [OPTION]... [--] COMMAND...  run a command whose ports are its own\n"
    "  portshim wait [-t SECONDS] RUN PORT...              print the real ports once something listens\n"
    "  portshim port RUN PORT...                           print the real ports\n"
    "  portshim env RUN                                    print them as assignments\n"
    "  portshim ls [--json] [RUN]                          list runs, their ports and who is on them\n"
    "  portshim doctor [COMMAND]                           what can be wrapped here, and how\n"
    "  portshim ports [--] COMMAND...                      find out which ports a command uses\n"
    "  portshim pick [PID [TIMEOUT]]                       lease a port for a process, print it\n"
    "  portshim release PORT...                            give such ports back\n"
    "  portshim serve [OPTION]...                          lease ports for all users of this host\n"
    "\n"
    "portshim COMMAND --help tells more. portshim --version prints the version.\n";

/* An ELF note by which the library recognizes this command when a program of a run starts it. */
static const struct {
    uint32_t name_size, content_size, type;
    char name[(sizeof ELF_NOTE_NAME + 3) / 4 * 4];
} note __attribute__((section(".note.portshim"), aligned(4), used)) = {sizeof ELF_NOTE_NAME, 0, 0,
                                                                       ELF_NOTE_NAME};

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int, char **);
    } commands[] = {{"run", command_run},     {"wait", command_wait}, {"port", command_port},
                    {"env", command_env},     {"ls", command_ls},     {"doctor", command_doctor},
                    {"ports", command_ports}, {"pick", command_pick}, {"release", command_release},
                    {"serve", command_serve}};
    const char *word = argc > 1 ? argv[1] : "--help";
    if (strcmp(word, "trapped") == 0)
        return command_trapped(argc - 1, argv + 1);
    command_outlive_file_limit();
    command_outlive_cut_files();
    trapping_exempt();
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        command_help(help);
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)
        command_help("portshim " PORTSHIM_VERSION "\n");
    for (unsigned i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(word, commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    command_fail("no such command", "see portshim --help", "%s", word);
}
