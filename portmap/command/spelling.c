#include "command/spelling.h"

#include <ctype.h>
#include <string.h>

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static int letter(char c)
{
    return tolower((unsigned char)c);
}

/* The number in row i and column j is the distance between the first i and j letters: the "optimal string
 * alignment" of Damerau and Levenshtein. */
unsigned spelling_distance(const char *one, const char *other)
{
    unsigned row[SPELLING_LONGEST + 1][SPELLING_LONGEST + 1];
    size_t rows = strlen(one), columns = strlen(other);
    if (rows > SPELLING_LONGEST || columns > SPELLING_LONGEST)
        return SPELLING_FAR;
    for (size_t i = 0; i <= rows; i++)
        row[i][0] = (unsigned)i;
    for (size_t j = 0; j <= columns; j++)
        row[0][j] = (unsigned)j;
    for (size_t i = 1; i <= rows; i++)
        for (size_t j = 1; j <= columns; j++) {
            unsigned differs = letter(one[i - 1]) != letter(other[j - 1]);
            row[i][j] = least(row[i - 1][j - 1] + differs, least(row[i - 1][j], row[i][j - 1]) + 1);
            if (i > 1 && j > 1 && letter(one[i - 1]) == letter(other[j - 2]) &&
                letter(one[i - 2]) == letter(other[j - 1]))
                row[i][j] = least(row[i][j], row[i - 2][j - 2] + 1);
        }
    return row[rows][columns];
}

void spelling_try(struct spelling *spelling, const char *known)
{
    unsigned distance = spelling_distance(spelling->word, known);
    size_t may_differ = strlen(known) / 3;
    if (distance > may_differ && distance > 1)
        return;
    if (spelling->nearest != NULL && distance >= spelling->distance)
        return;
    spelling->nearest = known;
    spelling->distance = distance;
}

static bool is_plain(const char *word)
{
    for (const char *c = word; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c) && strchr("/._+@%=:,-", *c) == NULL)
            return false;
    return *word != '\0';
}

void spelling_add_word(struct text *line, const char *word)
{
    bool plain = is_plain(word);
    text_str(line, line->used > 0 ? " " : "");
    text_str(line, plain ? "" : "'");
    for (const char *c = word; *c != '\0'; c++)
        if (*c == '\'')
            text_str(line, "'\\''");
        else
            text_char(line, *c);
    text_str(line, plain ? "" : "'");
}

void spelling_add_words(struct text *line, char *const *words)
{
    for (; *words != NULL; words++)
        spelling_add_word(line, *words);
}
