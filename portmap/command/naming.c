#include "command/naming.h"

#include "base/text.h"
#include "base/utf8.h"
#include "command/worktree.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Appends a word with a dash for each character that no name can have. */
static void add_mapped(struct text *name, const char *word)
{
    while (*word != '\0') {
        size_t len = utf8_sequence(word);
        char as_name[] = {'x', *word, '\0'};
        text_char(name, len <= 1 && name_is_valid(as_name) ? *word : '-');
        word += len > 0 ? len : 1;
    }
}

static void add_directory(struct text *name, const char *directory)
{
    char path[PATH_MAX];
    const char *slash = realpath(directory, path) != NULL ? strrchr(path, '/') : NULL;
    add_mapped(name, slash != NULL ? slash + 1 : "");
}

static void add_branch(struct text *name, const char *directory)
{
    char branch[PATH_MAX];
    add_mapped(name, worktree_branch(directory, branch, sizeof branch) ? branch : "nobranch");
}

bool naming_expand(const char *pattern, const char *directory, char name[static NAME_MAX_LENGTH + 1])
{
    char text[2 * PATH_MAX];
    struct text t = text_in(text, sizeof text);
    for (; *pattern != '\0'; pattern++) {
        if (*pattern != '%')
            text_char(&t, *pattern);
        else if (*++pattern == 'd')
            add_directory(&t, directory);
        else if (*pattern == 'b')
            add_branch(&t, directory);
        else
            return false;
    }
    struct text cut = text_in(name, NAME_MAX_LENGTH + 1);
    text_str(&cut, text + strspn(text, "._-"));
    return true;
}
