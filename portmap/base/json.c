#include "base/json.h"

#include "base/utf8.h"

/* The code point of a control character (1 to 3 bytes). More of them are escaped than JSON demands. */
static unsigned code_point(const char *s, size_t length)
{
    unsigned code = (unsigned char)*s & (length == 1 ? 0x7FU : length == 2 ? 0x1FU : 0x0FU);
    for (size_t i = 1; i < length; i++)
        code = code << 6 | ((unsigned char)s[i] & 0x3FU);
    return code;
}

void json_string(FILE *out, const char *text)
{
    if (text == NULL) {
        fputs("null", out);
        return;
    }
    putc('"', out);
    for (const char *s = text; *s != '\0';) {
        size_t length = utf8_sequence(s);
        if (length == 0)
            fputs("\\ufffd", out);
        else if (*s == '"' || *s == '\\')
            fprintf(out, "\\%c", *s);
        else if (utf8_is_control(s))
            fprintf(out, "\\u%04x", code_point(s, length));
        else
            fwrite(s, 1, length, out);
        s += length > 0 ? length : 1;
    }
    putc('"', out);
}

void json_separate(FILE *out, unsigned *count, const char *separator)
{
    if ((*count)++ > 0)
        fputs(separator, out);
}
