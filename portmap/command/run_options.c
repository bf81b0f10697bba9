#include "command/run_options.h"

#include "base/text.h"
#include "command/command.h"
#include "command/naming.h"
#include "command/settings.h"
#include "command/spelling.h"
#include "error.h"
#include "lease/key.h"
#include "run/name.h"
#include "run/publish.h"
#include "run/voice.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: portshim run [OPTION]... [--] COMMAND [ARGUMENT]...\n"
    "\n"
    "Runs COMMAND so that each placeholder port it binds becomes a free real port, for it and all it "
    "starts.\n"
    "\n"
    "  -p, --ports PORTS   placeholders: 8080, 8000-8010, 53/udp, 80=18080, all, !22; comma-separated,\n"
    "                      repeatable; default: PORTSHIM_PORTS\n"
    "  -n, --name NAME     name the run\n"
    "      --key WORD      give each placeholder the same real port as the last run with this key, wherever "
    "that\n"
    "                      is free; . stands for the path of the working directory\n"
    "  -j, --join RUN      join a run, given by name, directory or map file; with -p add placeholders to it\n"
    "  -m, --map FILE      publish the map: .json, .env or plain \"PLACEHOLDER REAL\" lines; repeatable\n"
    "      --reveal        let the command see real ports in its own addresses\n"
    "      --require-bind  end with 125 when no placeholder was bound, or a program was started that cannot\n"
    "                      be wrapped; portshim stays as the command's parent for this\n"
    "      --require-portserver\n"
    "                      no lease without the port server of PORTSERVER_ADDRESS\n"
    "      --strict        start no program that cannot be wrapped\n"
    "      --trap WHEN     auto: start programs that the library does not reach (static, Go, of another "
    "libc)\n"
    "                      under a system call filter that rewrites their ports; on: all; off: none;\n"
    "                      default: PORTSHIM_TRAP, else auto\n"
    "  -f, --file FILE     read settings from FILE; default: .portshim, here or above in the git worktree,\n"
    "                      for ports, name and key\n"
    "  -c, --check         start nothing, print what would be in force and where it comes from\n"
    "  -v, --verbose       say on stderr what will be rewritten\n"
    "  -q, --quiet         no warnings, now or while the command runs; default: PORTSHIM_QUIET\n"
    "  -h, --help          print this\n"
    "\n"
    "The command finds PORTSHIM_RUN in its environment, and PORTSHIM_PORT_<placeholder> for the 100 lowest\n"
    "placeholders; portshim env RUN prints all. A file of settings has a long option a line, without its\n"
    "dashes, such as \"ports 8080\", and # before comments.\n"
    "Exit status: the command's own; 125 when portshim failed, 126 when COMMAND cannot be executed, 127 when "
    "it\n"
    "is not found.\n";

static const char write_setting[] = "write a long option of portshim run, such as: ports 8080";
static const char see_help[] = "see portshim run --help";
static const char ports_variable[] = "PORTSHIM_PORTS", trap_variable[] = "PORTSHIM_TRAP";

static const char *const trap_words[] = {
    [RUN_TRAP_AUTO] = "auto", [RUN_TRAP_ON] = "on", [RUN_TRAP_OFF] = "off"};

static const struct option words[] = {
    {"ports", required_argument, NULL, 'p'},
    {"name", required_argument, NULL, 'n'},
    {"key", required_argument, NULL, 'K'},
    {"map", required_argument, NULL, 'm'},
    {"trap", required_argument, NULL, 'W'},
    {"reveal", no_argument, NULL, 'R'},
    {"require-bind", no_argument, NULL, 'B'},
    {"require-portserver", no_argument, NULL, 'S'},
    {"strict", no_argument, NULL, 'T'},
    /* The options above are settings of files too, in the order of enum run_setting. */
    {"join", required_argument, NULL, 'j'},
    {"file", required_argument, NULL, 'f'},
    {"check", no_argument, NULL, 'c'},
    {"verbose", no_argument, NULL, 'v'},
    {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0}};

static const char letters[] = "+p:n:j:m:f:cvqh";

bool run_options_has(const char *word)
{
    if (word[0] != '-' || word[1] != '-')
        return word[0] == '-' && isalpha((unsigned char)word[1]) && strchr(letters, word[1]) != NULL;
    for (const struct option *known = words; known->name != NULL; known++)
        if (word[2] != '\0' && strncmp(known->name, word + 2, strcspn(word + 2, "=")) == 0)
            return true;
    return false;
}

static char *absolute_path(const char *path)
{
    char absolute[PATH_MAX];
    if (*path == '\0')
        command_fail("the name is empty", "name a file", "map file");
    int error = publish_path(path, absolute);
    if (error == PORTMAP_EFOREIGN)
        command_fail("another user's link in a directory where everybody may make one", "name another file",
                     "map file %s", path);
    char *result = error == 0 ? strdup(absolute) : NULL;
    if (result == NULL)
        command_fail(portmap_strerror(error != 0 ? error : -ENOMEM), "use a short, absolute path",
                     "map file %s", path);
    return result;
}

static void add_file(struct run_options *options, const char *path)
{
    char *absolute = absolute_path(path);
    for (unsigned i = 0; i < options->file_count; i++)
        if (strcmp(options->files[i], absolute) == 0) {
            free(absolute);
            return;
        }
    if (options->file_count == RUN_MOST_FILES)
        command_fail("more than 16 are given", "publish fewer", "map file %s", path);
    options->files[options->file_count++] = absolute;
}

static void add_ports(struct run_options *options, const char *spec)
{
    char *before = options->ports_text;
    command_add_ports(&options->ports, spec);
    if (asprintf(&options->ports_text, "%s%s%s", before != NULL ? before : "", before != NULL ? "," : "",
                 spec) < 0)
        command_fail(portmap_strerror(-ENOMEM), "list fewer placeholders", "the placeholders");
    free(before);
}

/* Reads the word of a trap. `from` says where it stands. */
static enum run_trap read_trap(const char *word, const char *from)
{
    for (unsigned i = 0; i < sizeof trap_words / sizeof *trap_words; i++)
        if (strcmp(word, trap_words[i]) == 0)
            return (enum run_trap)i;
    command_fail("it can be auto, on or off", "write one of these", "%s \"%s\"", from, word);
}

/* Sets one setting, unless an overriding source has set it. */
static void set(struct run_options *options, enum run_setting setting, const char *value,
                enum run_source source, unsigned line)
{
    if (options->source[setting] > source)
        return;
    options->source[setting] = source;
    options->line[setting] = line;
    switch (setting) {
    case RUN_PORTS:
        add_ports(options, value);
        break;
    case RUN_NAME:
        options->name = value;
        break;
    case RUN_KEY:
        options->key = value;
        break;
    case RUN_MAP:
        add_file(options, value);
        break;
    case RUN_TRAP:
        options->trap = read_trap(value, source == RUN_FROM_ENVIRONMENT ? trap_variable : "--trap");
        break;
    case RUN_REVEAL:
        options->reveal = true;
        break;
    case RUN_REQUIRE_BIND:
        options->require_bind = true;
        break;
    case RUN_REQUIRE_PORTSERVER:
        options->require_server = true;
        break;
    case RUN_STRICT:
    case RUN_SETTINGS:
        options->strict = true;
        break;
    }
}

static void take_option(struct run_options *options, int option)
{
    switch (option) {
    case 'j':
        options->join = optarg;
        break;
    case 'f':
        options->settings_file = optarg;
        break;
    case 'c':
        options->check = true;
        break;
    case 'v':
        options->verbose = true;
        break;
    case 'q':
        options->quiet = true;
        break;
    default:
        for (unsigned setting = 0; setting < RUN_SETTINGS; setting++)
            if (words[setting].val == option)
                set(options, (enum run_setting)setting, optarg, RUN_FROM_OPTION, 0);
    }
}

static void parse_options(struct run_options *options, int argc, char **argv)
{
    for (int option; (option = command_option(argc, argv, letters, words, help, see_help)) != -1;) {
        take_option(options, option);
    }
    options->command = argv + optind;
}

/* The name that a line with %d or %b means. */
static const char *expand_name(struct run_options *options, const struct settings_line *line)
{
    if (!naming_expand(line->value, line->directory, options->expanded_name))
        command_fail("% is followed by neither d nor b",
                     "write %d for the file's directory, %b for the branch of git", "%s, line %u: \"%s\"",
                     line->file, line->number, line->text);
    if (options->expanded_name[0] == '\0')
        command_fail("no letter or digit that a name can have is in it here", "give another name with -n",
                     "%s, line %u: \"%s\"", line->file, line->number, line->text);
    return options->expanded_name;
}

_Noreturn static void refuse_setting(const struct settings_line *line)
{
    char word[SPELLING_LONGEST + 1], remedy[64];
    struct text t = text_in(word, sizeof word), meant = text_in(remedy, sizeof remedy);
    struct spelling spelling = {.word = word};
    size_t dashes = strspn(line->text, "-");
    text_bytes(&t, line->text + dashes, line->word_length - dashes);
    for (unsigned i = 0; i < RUN_SETTINGS && *word != '\0' && !t.cut; i++)
        spelling_try(&spelling, words[i].name);
    text_str(&meant, "did you mean ");
    text_str(&meant, spelling.nearest != NULL ? spelling.nearest : "");
    text_char(&meant, '?');
    command_fail("no such setting", spelling.nearest != NULL ? remedy : write_setting,
                 "%s, line %u: \"%.*s\"", line->file, line->number, (int)line->word_length, line->text);
}

/* Sets what a line of a file says, or fails. */
static void take_line(struct run_options *options, const struct settings_line *line, enum run_source source)
{
    unsigned setting = 0;
    while (setting < RUN_SETTINGS && (strlen(words[setting].name) != line->word_length ||
                                      strncmp(words[setting].name, line->text, line->word_length) != 0))
        setting++;
    if (setting == RUN_SETTINGS)
        refuse_setting(line);
    if ((words[setting].has_arg == required_argument) != (*line->value != '\0'))
        command_fail(*line->value != '\0' ? "it takes no value" : "its value is missing", write_setting,
                     "%s, line %u: \"%s\"", line->file, line->number, line->text);
    if (source == RUN_FROM_FOUND_FILE && setting != RUN_PORTS && setting != RUN_NAME && setting != RUN_KEY)
        command_fail("a file that was found by itself may set ports, name and key only", "give it with -f",
                     "%s, line %u: \"%s\"", line->file, line->number, line->text);
    if (options->source[setting] > source)
        return;
    const char *value =
        setting == RUN_NAME && strchr(line->value, '%') != NULL ? expand_name(options, line) : line->value;
    if (source == RUN_FROM_FOUND_FILE)
        options->found_file = line->file;
    set(options, (enum run_setting)setting, value, source, line->number);
    if (setting == RUN_KEY)
        options->key_directory = line->directory;
}

static void take_named(const struct settings_line *line, void *options)
{
    take_line(options, line, RUN_FROM_FILE);
}

static void take_found(const struct settings_line *line, void *options)
{
    take_line(options, line, RUN_FROM_FOUND_FILE);
}

/* Words of the command that were meant for portshim: ports as its first word, or an option -p behind it. */
struct misplaced {
    char **from, **to; /* the first, and the one behind the last */
    const char *ports;
};

static bool is_ports(const char *word)
{
    static struct portset ports;
    struct problem problem;
    return word != NULL && portset_add(&ports, word, &problem) == 0;
}

static bool find_misplaced(char **command, struct misplaced *found)
{
    *found = (struct misplaced){command, command + 1, *command};
    if (is_ports(*command))
        return true;
    for (char **word = command; *word != NULL; word++) {
        bool is_alone = strcmp(*word, "-p") == 0 || strcmp(*word, "--ports") == 0;
        const char *behind = strncmp(*word, "--ports=", 8) == 0 ? *word + 8
                             : strncmp(*word, "-p", 2) == 0     ? *word + 2
                                                                : NULL;
        *found = (struct misplaced){word, word + 1 + is_alone, is_alone ? word[1] : behind};
        if (is_ports(found->ports))
            return true;
    }
    return false;
}

/* Fails because there are no ports; where they stand in the command, with the line to write. */
_Noreturn static void fail_without_ports(const struct run_options *options, char **argv)
{
    char remedy[512];
    struct text t = text_in(remedy, sizeof remedy);
    struct misplaced misplaced;
    if (!find_misplaced(options->command, &misplaced))
        command_fail("no ports are given", "name placeholders with -p, such as -p 8080", "run");
    text_str(&t, "options of portshim stand before the command: portshim");
    for (char **word = argv; word < options->command; word++)
        if (strcmp(*word, "--") != 0)
            spelling_add_word(&t, *word);
    text_str(&t, " -p");
    spelling_add_word(&t, misplaced.ports);
    text_str(&t, " --");
    for (char **word = options->command; word < misplaced.from; word++)
        spelling_add_word(&t, *word);
    if (misplaced.from == options->command && *misplaced.to != NULL && strcmp(*misplaced.to, "--") == 0)
        misplaced.to++; /* portshim run 8080 -- ./server */
    spelling_add_words(&t, misplaced.to);
    text_mark_cut(&t);
    command_fail("no ports are given", remedy, "run");
}

/* The path, without symbolic links, of the directory that the key "." means. */
static const char *path_of_key(const struct run_options *options)
{
    const char *directory = options->source[RUN_KEY] != RUN_FROM_OPTION ? options->key_directory : ".";
    char *path = realpath(directory, NULL);
    if (path == NULL)
        command_fail(portmap_strerror(-errno), "give another key", "the directory that key . means");
    return path;
}

static void settle_key(struct run_options *options)
{
    if (options->key == NULL)
        return;
    if (!key_is_valid(options->key))
        command_fail("not a key", "use 1 to 255 bytes, no control characters", "key \"%s\"", options->key);
    if (options->join != NULL)
        command_fail("a run that is joined has its key, or none", "give it when the run is started",
                     "key \"%s\"", options->key);
    if (strcmp(options->key, ".") == 0)
        options->key = path_of_key(options);
}

static void check_options(const struct run_options *options, char **argv)
{
    if (*options->command == NULL && !options->check)
        command_fail("nothing to run", "name one after the options", "command");
    if (options->source[RUN_PORTS] == RUN_FROM_DEFAULT && options->join == NULL)
        fail_without_ports(options, argv);
    if (options->source[RUN_PORTS] != RUN_FROM_DEFAULT && portset_is_empty(&options->ports))
        command_fail("every one of them is excluded", "name a placeholder", "ports");
    if (options->name != NULL && !name_is_valid(options->name))
        command_fail("not a name", "use up to 64 letters, digits, dots, dashes and underscores",
                     "run name \"%s\"", options->name);
}

static void check_join(const struct run_options *options)
{
    if (options->join == NULL)
        return;
    if (options->name != NULL)
        command_fail("a run that is joined has its name already", "leave -n away", "run name \"%s\"",
                     options->name);
    if (options->reveal || options->strict)
        command_fail("it is a matter of the whole run", "give it when the run is started", "%s with -j",
                     options->reveal ? "--reveal" : "--strict");
    if (options->file_count > 0)
        command_fail("a run publishes where it was told to at its start", "give it when the run is started",
                     "map file %s", options->files[0]);
}

void run_options_read(struct run_options *options, int argc, char **argv)
{
    const char *ports = secure_getenv(ports_variable), *trap = secure_getenv(trap_variable);
    options->quiet = voice_is_quiet(secure_getenv("PORTSHIM_QUIET"));
    parse_options(options, argc, argv);
    if (options->settings_file != NULL)
        settings_read(options->settings_file, take_named, options);
    if (ports != NULL && *ports != '\0' && options->join == NULL)
        set(options, RUN_PORTS, ports, RUN_FROM_ENVIRONMENT, 0);
    if (trap != NULL && *trap != '\0')
        set(options, RUN_TRAP, trap, RUN_FROM_ENVIRONMENT, 0);
    if (options->settings_file == NULL && options->join == NULL)
        settings_find(options->quiet, take_found, options);
    check_options(options, argv);
    check_join(options);
    settle_key(options);
}

static void print_source(const struct run_options *options, enum run_setting setting)
{
    switch (options->source[setting]) {
    case RUN_FROM_DEFAULT:
        printf("  # default\n");
        break;
    case RUN_FROM_FOUND_FILE:
        printf("  # %s, line %u\n", options->found_file, options->line[setting]);
        break;
    case RUN_FROM_ENVIRONMENT:
        printf("  # %s\n", setting == RUN_TRAP ? trap_variable : ports_variable);
        break;
    case RUN_FROM_FILE:
        printf("  # ");
        command_print_text(stdout, options->settings_file);
        printf(", line %u\n", options->line[setting]);
        break;
    case RUN_FROM_OPTION:
        printf("  # option\n");
    }
}

enum run_trap run_options_trap(void)
{
    const char *word = secure_getenv(trap_variable);
    return word == NULL || *word == '\0' ? RUN_TRAP_AUTO : read_trap(word, trap_variable);
}

void run_options_print(const struct run_options *options)
{
    const bool flags[RUN_SETTINGS] = {[RUN_REVEAL] = options->reveal,
                                      [RUN_REQUIRE_BIND] = options->require_bind,
                                      [RUN_REQUIRE_PORTSERVER] = options->require_server,
                                      [RUN_STRICT] = options->strict};
    if (options->source[RUN_PORTS] != RUN_FROM_DEFAULT) {
        printf("ports ");
        command_print_text(stdout, options->ports_text);
        print_source(options, RUN_PORTS);
    }
    if (options->name != NULL) {
        printf("name %s", options->name);
        print_source(options, RUN_NAME);
    }
    if (options->key != NULL) {
        printf("key ");
        command_print_text(stdout, options->key);
        print_source(options, RUN_KEY);
    }
    for (unsigned i = 0; i < options->file_count; i++) {
        printf("map ");
        command_print_text(stdout, options->files[i]);
        print_source(options, RUN_MAP);
    }
    printf("trap %s", trap_words[options->trap]);
    print_source(options, RUN_TRAP);
    for (unsigned setting = RUN_REVEAL; setting < RUN_SETTINGS; setting++) {
        printf("%s%s", flags[setting] ? "" : "# no ", words[setting].name);
        print_source(options, (enum run_setting)setting);
    }
}
