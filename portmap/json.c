#include "json.h"

#include <stdbool.h>
#include <string.h>

/* The length of a well-formed UTF-8 sequence (RFC 3629), 0 when it is none. */
static size_t sequence(const unsigned char *s)
{
    static const struct {
        unsigned char first, last, low, high; /* of the first byte, of the second */
        size_t length;
    } forms[] = {{0x01, 0x7F, 0, 0, 1},       {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
                 {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3},
                 {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4}};
    for (unsigned i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (*s < forms[i].first || *s > forms[i].last)
            continue;
        bool good = forms[i].length == 1 || (s[1] >= forms[i].low && s[1] <= forms[i].high);
        for (size_t k = 2; good && k < forms[i].length; k++)
            good = s[k] >= 0x80 && s[k] <= 0xBF;
        return good ? forms[i].length : 0;
    }
    return 0;
}

void json_string(FILE *out, const char *text)
{
    if (text == NULL) {
        fputs("null", out);
        return;
    }
    putc('"', out);
    for (const unsigned char *s = (const unsigned char *)text; *s != '\0';) {
        size_t length = sequence(s);
        if (length == 0)
            fputs("\\ufffd", out);
        else if (*s == '"' || *s == '\\')
            fprintf(out, "\\%c", *s);
        else if (*s < ' ' || *s == 0x7F)
            fprintf(out, "\\u%04x", *s);
        else
            fwrite(s, 1, length, out);
        s += length > 0 ? length : 1;
    }
    putc('"', out);
}
