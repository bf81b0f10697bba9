#include "command/unstarted.h"

#include "base/environment.h"
#include "base/text.h"
#include "error.h"
#include "program/elf.h"
#include "program/reach.h"
#include "program/search.h"
#include "run/portset.h"

#include <ctype.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

extern char **environ;

enum { HEAD_SIZE = 256 }; /* what the kernel reads of a script */

__attribute__((format(printf, 3, 4))) static void write_text(char *to, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(to, size, format, arguments);
    va_end(arguments);
    if (length >= (int)size)
        memcpy(to + size - sizeof "...", "...", sizeof "...");
}

#define say_why(unstarted, ...) write_text((unstarted)->why, sizeof(unstarted)->why, __VA_ARGS__)
#define say_remedy(unstarted, ...) write_text((unstarted)->remedy, sizeof(unstarted)->remedy, __VA_ARGS__)

static bool is_listed(const char *list, const char *word)
{
    char between_blanks[32];
    int length = snprintf(between_blanks, sizeof between_blanks, " %s ", word);
    return length < (int)sizeof between_blanks && strchr(word, ' ') == NULL &&
           strstr(list, between_blanks) != NULL;
}

/* The shell that has a word as a builtin command or a keyword; NULL: none has. A word that is a program, too,
 * such as test, has been found as that. */
static const char *shell_of(const char *word)
{
    if (is_listed(
            " . : ! { ( alias bg break case cd command continue eval exec exit export fg for getopts hash "
            "if jobs local read readonly return set shift times trap type ulimit umask unalias unset until "
            "wait while ",
            word))
        return "sh";
    return is_listed(
               " [[ (( bind builtin compgen complete coproc declare dirs disown enable function help "
               "history let logout mapfile popd pushd readarray select shopt source suspend time typeset ",
               word)
               ? "bash"
               : NULL;
}

static bool is_assignment(const char *word)
{
    size_t name = 0;
    while (isalnum((unsigned char)word[name]) || word[name] == '_')
        name++;
    return name > 0 && !isdigit((unsigned char)*word) && word[name] == '=';
}

/* Whether a word begins with a dash that is no "-": web pages and word processors make such of it. */
static bool has_long_dash(const char *word)
{
    static const char *const dashes[] = {"\xe2\x80\x93", "\xe2\x80\x94", "\xe2\x88\x92"};
    for (unsigned i = 0; i < sizeof dashes / sizeof *dashes; i++)
        if (strncmp(word, dashes[i], strlen(dashes[i])) == 0)
            return true;
    return false;
}

/* Whether a word holds a program and its arguments, as in "python3 -m http.server". */
static bool is_whole_line(const char *word)
{
    char first[PATH_MAX], path[PATH_MAX];
    size_t length = strcspn(word, " \t\n");
    if (word[length] == '\0' || length == 0 || length >= sizeof first)
        return false;
    memcpy(first, word, length);
    first[length] = '\0';
    return shell_of(first) != NULL || is_assignment(first) || search_command(first, path) == 0;
}

static bool is_port_list(const char *word)
{
    static struct portset ports;
    struct problem problem;
    return isdigit((unsigned char)*word) && portset_add(&ports, word, &problem) == 0;
}

/* Explains a word that is no program, but has a meaning elsewhere. False: it has none. */
static bool explain_word(struct unstarted *u, const char *word)
{
    const char *shell = shell_of(word);
    if (*word == '\0') {
        say_why(u, "the name is empty");
        say_remedy(u, "name a program");
    } else if (shell != NULL) {
        say_why(u, "a word of the shell, not a program");
        say_remedy(u, "write %s -c '%s ...'", shell, word);
    } else if (is_whole_line(word)) {
        say_why(u, "a whole command line in one word");
        say_remedy(u, "leave out the quotes, or write sh -c before them");
    } else if (is_assignment(word)) {
        say_why(u, "an assignment of the shell, not a program");
        say_remedy(u, "write env before it");
    } else if (has_long_dash(word)) {
        say_why(u, "its dash is not the one of options");
        say_remedy(u, "type - instead");
    } else if (*word == '~') {
        say_why(u, "a shell has left ~ as it is");
        say_remedy(u, "write it without quotes, or $HOME");
    } else if (is_port_list(word)) {
        say_why(u, "not found in PATH");
        say_remedy(u, "write -p before ports: portshim run -p %s COMMAND", word);
    } else
        return false;
    return true;
}

/* Why a file that is there may not be executed. */
static void explain_file(struct unstarted *u, const char *path)
{
    struct stat file;
    struct statvfs system;
    if (stat(path, &file) < 0) {
        say_why(u, "%s", portmap_strerror(-errno));
        say_remedy(u, errno == EACCES ? "make the directories above it searchable" : "check its path");
    } else if (S_ISDIR(file.st_mode)) {
        say_why(u, "it is a directory");
        say_remedy(u, "name a program");
    } else if (!S_ISREG(file.st_mode)) {
        say_why(u, "it is not a regular file");
        say_remedy(u, "name a program");
    } else if (statvfs(path, &system) == 0 && (system.f_flag & ST_NOEXEC) != 0) {
        say_why(u, "its file system is mounted with noexec");
        say_remedy(u, "copy it to another, or start it by its interpreter");
    } else {
        say_why(u, "it is not executable%s", (file.st_mode & 0111) != 0 ? " for this user" : "");
        say_remedy(u, "chmod +x %s", path);
    }
}

/* Explains by a directory of PATH why the name was not found: it has a file of that name that may not be
 * executed, or may not be looked into. */
static bool explain_directory(struct unstarted *u, const char *directory, const char *name)
{
    char path[PATH_MAX];
    struct stat file;
    int length = snprintf(path, sizeof path, "%s%s%s", directory, *directory != '\0' ? "/" : "", name);
    if (length >= (int)sizeof path)
        return false;
    if (stat(path, &file) == 0) {
        struct unstarted of_file;
        explain_file(&of_file, path);
        say_why(u, "%s: %s", path, of_file.why);
        say_remedy(u, "%s", of_file.remedy);
        return true;
    }
    if (errno == EACCES) {
        say_why(u, "not found in PATH, of which %s may not be looked into", directory);
        say_remedy(u, "check its name, or take that directory out of PATH");
    }
    return false;
}

static void explain_name(struct unstarted *u, const char *name)
{
    const char *list = environment_get(environ, "PATH");
    struct stat file;
    say_why(u, list != NULL ? "not found in PATH" : "not found, and PATH is not set");
    say_remedy(u, list != NULL ? "check its name and PATH" : "set PATH, or name its directory");
    for (const char *at = list; at != NULL;) {
        char directory[PATH_MAX];
        size_t length = strcspn(at, ":");
        struct text t = text_in(directory, sizeof directory);
        text_bytes(&t, at, length);
        if (explain_directory(u, directory, name))
            return;
        at = at[length] == ':' ? at + length + 1 : NULL;
    }
    if (stat(name, &file) == 0 && S_ISREG(file.st_mode)) {
        say_why(u, "it is in the working directory, which is not in PATH");
        say_remedy(u, "write ./%s", name);
    }
}

void unstarted_search(struct unstarted *u, const char *command, int error)
{
    struct stat file;
    if (explain_word(u, command))
        return;
    if (strchr(command, '/') == NULL)
        explain_name(u, command);
    else if (error == -ENOENT && lstat(command, &file) == 0) {
        say_why(u, "a link to a file that is missing");
        say_remedy(u, "make the link anew");
    } else if (error == -EACCES)
        explain_file(u, command);
    else {
        say_why(u, "%s", portmap_strerror(error));
        say_remedy(u, "check its path");
    }
}

bool unstarted_is_for_the_shell(const char *file)
{
    char head[HEAD_SIZE];
    int length = text_read_file(file, head, sizeof head);
    return length >= 0 && memchr(head, '\0', (size_t)length) == NULL && strncmp(head, "#!", 2) != 0;
}

static const char *machine_name(unsigned machine)
{
    switch (machine) {
    case EM_386:
        return "x86 of 32 bits";
    case EM_X86_64:
        return "x86-64";
    case EM_ARM:
        return "ARM of 32 bits";
    case EM_AARCH64:
        return "AArch64";
    case EM_RISCV:
        return "RISC-V";
    case EM_PPC64:
        return "POWER";
    case EM_S390:
        return "s390";
    default:
        return "another kind of machine";
    }
}

/* Explains why an ELF file was not started, of which head[] is the beginning. */
static void explain_elf(struct unstarted *u, int fd, const char *head, int error)
{
    static const uint16_t one = 1;
    char linker[PATH_MAX];
    Elf32_Ehdr header; /* the machine is at the same place in 64 bits */
    memcpy(&header, head, sizeof header);
    unsigned machine = header.e_machine;
    if (header.e_ident[EI_DATA] != (*(const unsigned char *)&one == 1 ? ELFDATA2LSB : ELFDATA2MSB))
        machine = (machine & 0xff) << 8 | machine >> 8;
    elf_interpreter(fd, linker, sizeof linker);
    if (error == -ENOEXEC && !elf_is_for_this_machine(fd)) {
        say_why(u, "it is built for %s", machine_name(machine));
        say_remedy(u, "build it for this one, or install qemu-user-binfmt");
    } else if (error == -ENOENT && *linker != '\0' && access(linker, F_OK) < 0) {
        say_why(u, "its dynamic linker %s is missing", linker);
        say_remedy(u, "install the libc that it is linked to");
    } else if (error == -ENOENT && *linker == '\0') {
        say_why(u, "its dynamic linker is missing");
        say_remedy(u, "install the libc of programs for %s", machine_name(machine));
    }
}

/* Copies the path from "#! /bin/sh -e" to interpreter[size]. */
static void take_interpreter(const char *head, char *interpreter, size_t size)
{
    struct text t = text_in(interpreter, size);
    head += 2 + strspn(head + 2, " \t");
    text_bytes(&t, head, strcspn(head, " \t\n"));
}

/* Explains why a script was not started. Where that is its interpreter's fault, and that is there, returns
 * true with its path. */
static bool explain_script(struct unstarted *u, const char *file, char *interpreter)
{
    size_t length = strlen(interpreter);
    if (length > 0 && interpreter[length - 1] == '\r') {
        say_why(u,
                "the first line ends in a carriage return, as on Windows, so its interpreter is not found");
        say_remedy(u, "sed -i 's/\\r$//' %s", file);
        return false;
    }
    if (length == 0) {
        say_why(u, "it names no interpreter behind #!");
        say_remedy(u, "write one, such as /bin/sh");
        return false;
    }
    if (access(interpreter, X_OK) == 0)
        return true;
    say_why(u, "its interpreter %s: %s", interpreter, portmap_strerror(-errno));
    say_remedy(u, "install that interpreter, or write another after #!");
    return false;
}

static void explain_errno(struct unstarted *u, int error)
{
    say_why(u, "%s", portmap_strerror(error));
    say_remedy(u, error == -E2BIG     ? "shorten its arguments or the environment"
                  : error == -ETXTBSY ? "wait until nobody has it open for writing"
                  : error == -ENOEXEC ? "name a program or a script"
                                      : "check that file");
}

void unstarted_exec(struct unstarted *u, const char *file, int error)
{
    char head[HEAD_SIZE] = "", interpreter[HEAD_SIZE], now[HEAD_SIZE];
    explain_errno(u, error);
    if (error != -ENOENT && error != -EACCES && error != -ENOEXEC)
        return;
    for (unsigned scripts = 0; scripts <= SCRIPT_DEPTH; scripts++) {
        int fd = open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        ssize_t got = fd >= 0 ? pread(fd, head, sizeof head - 1, 0) : 0;
        bool goes_on = false;
        head[got > 0 ? got : 0] = '\0';
        if (got >= (ssize_t)sizeof(Elf32_Ehdr) && memcmp(head, ELFMAG, SELFMAG) == 0)
            explain_elf(u, fd, head, error);
        else if (got > 2 && strncmp(head, "#!", 2) == 0) {
            take_interpreter(head, interpreter, sizeof interpreter);
            goes_on = explain_script(u, file, interpreter);
        } else if (error == -ENOEXEC && strncmp(head, "MZ", 2) == 0) {
            say_why(u, "a program for Windows");
            say_remedy(u, "start it with wine");
        } else if (error == -ENOEXEC)
            say_why(u, "neither a program nor a script");
        if (fd >= 0)
            close(fd);
        if (!goes_on)
            return;
        file = memcpy(now, interpreter, sizeof now);
    }
}
