#include "base/utf8.h"

#include <stdbool.h>
#include <string.h>

size_t utf8_sequence(const char *s)
{
    static const struct {
        unsigned char first, last, low, high; /* ranges of the first byte and of the second */
        size_t length;
    } forms[] = {{0x01, 0x7F, 0, 0, 1},       {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
                 {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3},
                 {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4}};
    const unsigned char *bytes = (const unsigned char *)s;
    for (unsigned i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (*bytes < forms[i].first || *bytes > forms[i].last)
            continue;
        bool good = forms[i].length == 1 || (bytes[1] >= forms[i].low && bytes[1] <= forms[i].high);
        for (size_t k = 2; good && k < forms[i].length; k++)
            good = bytes[k] >= 0x80 && bytes[k] <= 0xBF;
        return good ? forms[i].length : 0;
    }
    return 0;
}

/* U+0000 to U+001F and U+007F to U+009F, and the characters that end a line or turn the writing direction:
 * U+061C, U+200E, U+200F, U+2028 to U+202E, U+2066 to U+2069. */
bool utf8_is_control(const char *s)
{
    const unsigned char *b = (const unsigned char *)s;
    if (*b < 0x80)
        return *b < ' ' || *b == 0x7F;
    if (*b == 0xC2 || *b == 0xD8)
        return *b == 0xC2 ? b[1] < 0xA0 : b[1] == 0x9C;
    if (*b != 0xE2 || b[1] < 0x80 || b[1] > 0x81)
        return false;
    return b[1] == 0x80 ? b[2] == 0x8E || b[2] == 0x8F || (b[2] >= 0xA8 && b[2] <= 0xAE)
                        : b[2] >= 0xA6 && b[2] <= 0xA9;
}

/* A terminal may show two columns for any character from U+1100 on, the first wide one. */
static unsigned columns(const char *s)
{
    return (unsigned char)*s > 0xE1 || (*s == '\xE1' && (unsigned char)s[1] >= 0x84) ? 2 : 1;
}

void utf8_fit(char *text, unsigned width)
{
    char *end = text, *cut = text; /* cut: where the line may end to leave a column for the mark */
    unsigned used = 0;
    for (const char *from = text; *from != '\0';) {
        size_t length = utf8_sequence(from);
        bool good = length > 0 && !utf8_is_control(from);
        unsigned wide = good ? columns(from) : 1;
        if (width > 0 && used + wide > width) {
            cut[0] = '>';
            cut[1] = '\0'; /* in the buffer: more text follows here */
            return;
        }
        memmove(end, good ? from : "?", good ? length : 1);
        end += good ? length : 1;
        from += length > 0 ? length : 1;
        used += wide;
        if (width > 0 && used < width)
            cut = end;
    }
    while (end > text && end[-1] == ' ')
        end--;
    *end = '\0';
}

void utf8_fit_lines(char *text)
{
    char *end = text;
    while (*text != '\0') {
        char *newline = strchr(text, '\n');
        char *next = newline != NULL ? newline + 1 : text + strlen(text);
        if (newline != NULL)
            *newline = '\0';
        utf8_fit(text, 0);
        size_t length = strlen(text);
        memmove(end, text, length);
        end += length;
        if (newline != NULL)
            *end++ = '\n';
        text = next;
    }
    *end = '\0';
}
