#include "json.h"

#include "utf8.h"

/* Besides those that JSON demands, the ones that a terminal would obey. */
static unsigned control_character(const char *s)
{
    if ((unsigned char)*s < ' ' || *s == '\177')
        return (unsigned char)*s;
    return *s == '\xC2' && (unsigned char)s[1] < 0xA0 ? (unsigned char)s[1] : 0;
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
        else if (control_character(s) != 0)
            fprintf(out, "\\u%04x", control_character(s));
        else
            fwrite(s, 1, length, out);
        s += length > 0 ? length : 1;
    }
    putc('"', out);
}
