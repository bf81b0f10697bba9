/* UTF-8 for a terminal, and in JSON: base/utf8.h, base/json.h. */
#include "unit.h"

#include "base/json.h"
#include "base/utf8.h"

enum { LAST_CODE = 0x10FFFF };

/* By the table of RFC 3629, section 3. */
static size_t encode(unsigned code, char s[static 5])
{
    size_t len = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char heads[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = len - 1; i > 0; i--, code >>= 6)
        s[i] = (char)(0x80 | (code & 0x3F));
    s[0] = (char)(heads[len] | code);
    s[len] = '\0';
    return len;
}

static unsigned decode(const char *s, size_t len)
{
    unsigned code = (unsigned char)*s & (len == 1 ? 0x7FU : 0xFFU >> (len + 1));
    for (size_t i = 1; i < len; i++)
        code = code << 6 | ((unsigned char)s[i] & 0x3F);
    return code;
}

static bool is_surrogate(unsigned code)
{
    return code >= 0xD800 && code <= 0xDFFF;
}

/* Bytes that are UTF-8 in good part, and no other in good part; terminated. */
static void random_text(char *text, size_t size)
{
    static const unsigned limits[] = {0x80, 0x80, 0x80, 0x100, 0x800, 0x3000, 0x10000, LAST_CODE + 1};
    size_t used = 0, len = below((unsigned)size - 5);
    while (used < len) {
        char s[5];
        size_t n = encode(1 + below(limits[below(8)] - 1), s);
        if (below(10) == 0)
            s[below((unsigned)n)] = (char)(1 + below(255));
        else if (below(10) == 0)
            s[0] = "  \"\\\x7f\n\x1b"[below(7)];
        memcpy(text + used, s, n);
        used += n;
    }
    text[used] = '\0';
}

TEST("every code point has its sequence, and a surrogate has none")
{
    char s[5];
    for (unsigned code = 1; code <= LAST_CODE; code++) {
        size_t len = encode(code, s);
        size_t found = utf8_sequence(s);
        check(found == (is_surrogate(code) ? 0 : len), "U+%04X: %zu bytes", code, found);
    }
}

TEST("whatever is a sequence is the one way to write its code point")
{
    unsigned sequences = 0;
    for (unsigned round = 0; round < 2000000; round++) {
        char s[5] = {(char)(0x80 | random()), (char)(0x80 | random()), (char)(random() | 0x80),
                     (char)random(), 0},
             again[5];
        size_t len = utf8_sequence(s);
        if (len == 0)
            continue;
        sequences++;
        unsigned code = decode(s, len);
        check(code <= LAST_CODE && !is_surrogate(code), "U+%04X", code);
        check(encode(code, again) == len && memcmp(s, again, len) == 0, "U+%04X of %zu bytes", code, len);
    }
    check(sequences > 1000, "%u", sequences);
}

TEST("controls are the blocks C0 and C1, DEL, and what turns lines and writing around")
{
    char s[5];
    for (unsigned code = 1; code <= LAST_CODE; code++) {
        bool control = code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x61C || code == 0x200E ||
                       code == 0x200F || (code >= 0x2028 && code <= 0x202E) ||
                       (code >= 0x2066 && code <= 0x2069);
        if (is_surrogate(code))
            continue;
        encode(code, s);
        check(utf8_is_control(s) == control, "U+%04X", code);
    }
}

static unsigned width_of(const char *text)
{
    unsigned columns = 0;
    for (size_t len; *text != '\0'; text += len) {
        len = utf8_sequence(text);
        check(len > 0 && !utf8_is_control(text), "%s", text);
        columns += decode(text, len) >= 0x1100 ? 2 : 1;
    }
    return columns;
}

TEST("what fits a line has no control in it, no blank at its end, and is no wider than asked for")
{
    for (unsigned round = 0; round < 20000; round++) {
        char text[200], fit[200], cut[200], again[200], end[201];
        random_text(text, sizeof text);
        strcpy(fit, text);
        utf8_fit(fit, 0);
        snprintf(end, sizeof end, "%s|", text); /* so that blanks before it stay */
        utf8_fit(end, 0);
        unsigned whole = width_of(end) - 1, width = 1 + below(120);
        check(*fit == '\0' || fit[strlen(fit) - 1] != ' ', "\"%s\"", fit);
        strcpy(cut, text);
        utf8_fit(cut, width);
        check(width_of(cut) <= width, "%u columns of %u: %s", width_of(cut), width, cut);
        if (whole <= width) {
            equal_text(cut, fit);
        } else { /* the beginning of the whole, and the mark */
            size_t len = strlen(cut) - 1;
            check(cut[len] == '>' && strncmp(cut, end, len) == 0, "\"%s\" of \"%s\"", cut, end);
            check(width_of(cut) + 2 > width, "\"%s\" of \"%s\"", cut, end);
        }
        strcpy(again, fit);
        utf8_fit(again, 0);
        equal_text(again, fit);
    }
}

TEST("lines stay lines, each fit for itself")
{
    for (unsigned round = 0; round < 5000; round++) {
        char text[400], fit[800] = "", *line = text;
        random_text(text, 200);
        char lines[400];
        strcpy(lines, text);
        utf8_fit_lines(lines);
        for (char *end; line != NULL; line = end) {
            end = strchr(line, '\n');
            if (end != NULL)
                *end++ = '\0';
            utf8_fit(line, 0);
            strcat(fit, line);
            strcat(fit, end != NULL ? "\n" : "");
        }
        equal_text(lines, fit);
    }
}

/* Reads a JSON string back; its end is that of the text. */
static void read_json(const char *json, char *text)
{
    check(*json == '"', "%s", json);
    for (json++; *json != '"';) {
        check((unsigned char)*json >= ' ' && *json != '\x7f', "%s", json);
        if (*json != '\\') {
            *text++ = *json++;
        } else if (json[1] == 'u') {
            char digits[5] = "", s[5];
            memcpy(digits, json + 2, 4);
            check(strspn(digits, "0123456789abcdef") == 4, "%s", json);
            size_t len = encode((unsigned)strtoul(digits, NULL, 16), s);
            memcpy(text, s, len);
            text += len;
            json += 6;
        } else {
            check(json[1] == '"' || json[1] == '\\', "%s", json);
            *text++ = json[1];
            json += 2;
        }
    }
    equal_text(json, "\"");
    *text = '\0';
}

TEST("a JSON string is read back, with U+FFFD for each byte that is no UTF-8")
{
    for (unsigned round = 0; round < 20000; round++) {
        char text[200], expected[800] = "", back[1600], *json;
        size_t size;
        random_text(text, sizeof text);
        for (const char *s = text; *s != '\0';) {
            size_t len = utf8_sequence(s);
            strncat(expected, len > 0 ? s : "\xEF\xBF\xBD", len > 0 ? len : 3);
            s += len > 0 ? len : 1;
        }
        FILE *out = open_memstream(&json, &size);
        json_string(out, text);
        fclose(out);
        for (const char *s = json; *s != '\0'; s += utf8_sequence(s))
            check(utf8_sequence(s) > 0 && !utf8_is_control(s), "%s", json);
        read_json(json, back);
        equal_text(back, expected);
        free(json);
    }
}

TEST("no string is null")
{
    char *json;
    size_t size;
    FILE *out = open_memstream(&json, &size);
    json_string(out, NULL);
    fclose(out);
    equal_text(json, "null");
}
