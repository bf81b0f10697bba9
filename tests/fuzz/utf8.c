/* Names and command lines of other users' processes, as they are printed: base/utf8.h, base/json.h. */
#include "fuzz.h"

#include "base/json.h"
#include "base/utf8.h"

static void check_printable(const char *text, bool lines)
{
    while (*text != '\0') {
        size_t len = utf8_sequence(text);
        must(len > 0 && ((lines && *text == '\n') || !utf8_is_control(text)));
        text += len;
    }
}

static void check_json(const char *text)
{
    char *written;
    size_t size;
    FILE *out = open_memstream(&written, &size);
    must(out != NULL);
    json_string(out, text);
    must(fclose(out) == 0 && size >= 2 && written[0] == '"' && written[size - 1] == '"');
    for (size_t i = 0, len; i < size; i += len) {
        len = utf8_sequence(written + i);
        must(len > 0 && (unsigned char)written[i] >= ' ');
        if (written[i] == '\\')
            len = 2; /* the character behind it, which may be a quote */
        else
            must(written[i] != '"' || i == 0 || i == size - 1);
    }
    free(written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_string(data + (size > 0), size - (size > 0)), *lines = strdup(text);
    must(lines != NULL);
    check_json(text);
    utf8_fit(text, size > 0 ? data[0] : 0);
    check_printable(text, false);
    utf8_fit_lines(lines);
    check_printable(lines, true);
    free(text);
    free(lines);
    return 0;
}
