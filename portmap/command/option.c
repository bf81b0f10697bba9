/* How a command reads its options (command.h), and what it says of those that make no sense. */
#include "command/command.h"
#include "command/spelling.h"

#include <ctype.h>
#include <string.h>

enum { LINE_SIZE = 512 }; /* bytes of a command line to write instead */

/* The command line that is read, as command_option() gets it. */
struct reading {
    int argc;
    char **argv;
    const char *letters;
    const struct option *words;
    const char *help, *see_help;
};

/* The long options that a name, which may be cut short, can mean. */
struct meant {
    const struct option *first;
    unsigned count;
};

static struct meant meant_by(const struct option *words, const char *name)
{
    struct meant meant = {0};
    size_t length = strcspn(name, "=");
    for (const struct option *word = words; word->name != NULL; word++) {
        if (strncmp(word->name, name, length) != 0)
            continue;
        if (word->name[length] == '\0')
            return (struct meant){word, 1};
        if (meant.count++ == 0)
            meant.first = word;
    }
    return meant;
}

/* Where a letter stands in the letters; NULL for a letter that is no option. */
static const char *find_letter(const char *letters, char letter)
{
    return isalnum((unsigned char)letter) ? strchr(letters, letter) : NULL;
}

_Noreturn static void refuse_ambiguous(const struct reading *r, const char *word)
{
    char list[LINE_SIZE];
    struct text t = text_in(list, sizeof list);
    size_t length = strcspn(word + 2, "=");
    text_str(&t, "it may be");
    for (const struct option *known = r->words; known->name != NULL; known++)
        if (strncmp(known->name, word + 2, length) == 0) {
            text_str(&t, t.used == strlen("it may be") ? " --" : ", --");
            text_str(&t, known->name);
        }
    command_fail(list, "write more of it", "%s", word);
}

/* Refuses an option that does not exist; `nearest` is one that the user may have meant, or NULL. */
_Noreturn static void refuse_unknown(const struct reading *r, const char *shown, const char *dashes,
                                     const char *nearest)
{
    char remedy[LINE_SIZE];
    struct text t = text_in(remedy, sizeof remedy);
    if (nearest == NULL)
        command_fail("unknown option", r->see_help, "%s", shown);
    text_str(&t, "did you mean ");
    text_str(&t, dashes);
    text_str(&t, nearest);
    text_str(&t, "?");
    command_fail("unknown option", remedy, "%s", shown);
}

_Noreturn static void refuse_long(const struct reading *r, const char *word)
{
    char name[SPELLING_LONGEST + 1];
    struct meant meant = meant_by(r->words, word + 2);
    struct spelling spelling = {.word = name};
    struct text t = text_in(name, sizeof name);
    if (meant.count == 1 && meant.first->has_arg == no_argument)
        command_fail("it takes no argument", "leave out what stands behind the name", "%s", word);
    if (meant.count == 1)
        command_fail("its argument is missing", r->see_help, "%s", word);
    if (meant.count > 1)
        refuse_ambiguous(r, word);
    text_bytes(&t, word + 2, strcspn(word + 2, "="));
    for (const struct option *known = r->words; known->name != NULL && !t.cut; known++)
        spelling_try(&spelling, known->name);
    refuse_unknown(r, word, "--", spelling.nearest);
}

_Noreturn static void refuse_short(const struct reading *r, const char *word, char letter)
{
    char shown[] = {'-', letter, '\0'};
    unsigned char c = (unsigned char)letter;
    char other[] = {(char)(isupper(c) ? tolower(c) : toupper(c)), '\0'};
    struct meant meant = meant_by(r->words, word + 1);
    if (find_letter(r->letters, letter) != NULL)
        command_fail("its argument is missing", r->see_help, "%s", shown);
    if (word[1] == letter && word[2] != '\0' && meant.count == 1)
        refuse_unknown(r, word, "--", meant.first->name);
    refuse_unknown(r, shown, "-", find_letter(r->letters, *other) != NULL ? other : NULL);
}

_Noreturn static void refuse(const struct reading *r, const char *word)
{
    if (strncmp(word, "--", 2) == 0)
        refuse_long(r, word);
    refuse_short(r, word, (char)optopt);
}

/* Whether the next word is the argument of an option, which is known. */
static bool wants_next(const struct reading *r, const char *option)
{
    if (strncmp(option, "--", 2) == 0)
        return meant_by(r->words, option + 2).first->has_arg == required_argument &&
               strchr(option, '=') == NULL;
    const char *found = NULL;
    while (*++option != '\0' && (found = find_letter(r->letters, *option)) != NULL && found[1] != ':')
        ;
    return found != NULL && found[1] == ':' && option[1] == '\0';
}

static bool looks_like_option(const char *word)
{
    return word[0] == '-' && (isalpha((unsigned char)word[1]) || (word[1] == '-' && word[2] != '\0'));
}

/* Refuses a word that looks like an option and is none; answers --help. */
static void check_known(const struct reading *r, const char *word)
{
    struct meant meant = meant_by(r->words, word + 2);
    bool is_long = word[1] == '-', has_value = is_long && strchr(word, '=') != NULL;
    if (is_long ? meant.count == 1 && meant.first->val == 'h' : strcmp(word, "-h") == 0)
        command_help(r->help);
    if (is_long && (meant.count != 1 || (has_value && meant.first->has_arg == no_argument)))
        refuse_long(r, word);
    for (const char *c = word + 1; !is_long && *c != '\0'; c++) {
        const char *found = find_letter(r->letters, *c);
        if (found == NULL)
            refuse_short(r, word, *c);
        if (found[1] == ':')
            return;
    }
}

/* Writes the line with the options before the operands. Returns the first option that stood behind; NULL when
 * there is none. */
static const char *put_in_order(const struct reading *r, struct text *line)
{
    char rest[LINE_SIZE];
    const char *late = NULL;
    struct text operands = text_in(rest, sizeof rest);
    for (int i = 0; i < optind; i++)
        spelling_add_word(line, r->argv[i]);
    for (int i = optind; i < r->argc; i++) {
        const char *word = r->argv[i];
        if (!looks_like_option(word)) {
            spelling_add_word(&operands, word);
            continue;
        }
        check_known(r, word);
        late = late != NULL ? late : word;
        spelling_add_word(line, word);
        if (!wants_next(r, word))
            continue;
        if (i + 1 == r->argc)
            command_fail("its argument is missing", r->see_help, "%s", word);
        spelling_add_word(line, r->argv[++i]);
    }
    text_str(line, " ");
    text_str(line, rest);
    return late;
}

static void refuse_late_options(const struct reading *r)
{
    char remedy[2 * LINE_SIZE];
    struct text t = text_in(remedy, sizeof remedy);
    text_str(&t, "write portshim");
    const char *late = put_in_order(r, &t);
    text_mark_cut(&t);
    if (late != NULL)
        command_fail("options stand before everything else", remedy, "%s", late);
}

/* Refuses "-name web", which would be "-n ame", and "-p=8080". */
static void check_dashes(const struct reading *r, const char *word)
{
    if (word[0] != '-' || word[1] == '-' || word[1] == '\0' || word[2] == '\0')
        return;
    struct meant meant = meant_by(r->words, word + 1);
    if (meant.count == 1 && strlen(meant.first->name) == strcspn(word + 1, "="))
        refuse_unknown(r, word, "--", word + 1);
    if (word[2] == '=' && optarg == word + 2)
        command_fail("behind one letter no = is written", "leave it out", "%s", word);
}

static int next_option(const struct reading *r)
{
    char letters[32] = "+";
    int at = optind > 0 ? optind : 1; /* 0 makes getopt_long() begin anew */
    strncat(letters, r->letters, sizeof letters - 2);
    opterr = 0;
    int option = getopt_long(r->argc, r->argv, *r->letters == '+' ? r->letters : letters, r->words, NULL);
    bool is_ended = option == -1 && strcmp(r->argv[optind - 1], "--") == 0;
    if (option == '?')
        refuse(r, r->argv[at]);
    if (option != -1)
        check_dashes(r, r->argv[at]);
    else if (*r->letters != '+' && !is_ended)
        refuse_late_options(r);
    return option;
}

int command_option(int argc, char **argv, const char *letters, const struct option *words, const char *help,
                   const char *see_help)
{
    struct reading reading = {argc, argv, letters, words, help, see_help};
    int option = next_option(&reading);
    if (option == 'h')
        command_help(help);
    return option;
}

void command_no_option(int argc, char **argv, const char *help, const char *see_help)
{
    static const struct option words[] = {{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    while (command_option(argc, argv, "h", words, help, see_help) != -1)
        ;
}
