#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

size_t text_until(const char *text, const char *stops)
{
    for (size_t len = 0;; len++)
        for (const char *stop = stops;; stop++) {
            if (text[len] == *stop)
                return len;
            if (*stop == '\0')
                break;
        }
}

int text_hex_value(char digit)
{
    return digit >= '0' && digit <= '9' ? digit - '0' : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

struct text text_in(char *buffer, size_t size)
{
    buffer[0] = '\0';
    return (struct text){.at = buffer, .size = size};
}

void text_bytes(struct text *t, const char *s, size_t len)
{
    size_t room = t->size - 1 - t->used;
    if (len > room) {
        len = room;
        t->cut = true;
    }
    memcpy(t->at + t->used, s, len);
    t->used += len;
    t->at[t->used] = '\0';
}

void text_char(struct text *t, char c)
{
    text_bytes(t, &c, 1);
}

void text_str(struct text *t, const char *s)
{
    text_bytes(t, s, strlen(s));
}

void text_uint(struct text *t, uint64_t n)
{
    char digits[20];
    size_t first = sizeof digits;
    do {
        digits[--first] = (char)('0' + n % 10);
        n /= 10;
    } while (n != 0);
    text_bytes(t, digits + first, sizeof digits - first);
}

void text_hex(struct text *t, uint64_t n, unsigned digits)
{
    while (digits-- > 0)
        text_char(t, "0123456789abcdef"[(n >> (digits * 4)) & 15]);
}

void text_mark_cut(struct text *t)
{
    for (size_t dots = 1; t->cut && dots <= 3 && dots <= t->used; dots++)
        t->at[t->used - dots] = '.';
}

int text_path(struct text *t, const char *path)
{
    char directory[PATH_MAX];
    if (*path != '/') {
        if (getcwd(directory, sizeof directory) == NULL)
            return -errno;
        text_str(t, directory);
        text_char(t, '/');
    }
    text_str(t, path);
    return t->cut ? -ENAMETOOLONG : 0;
}

uint64_t text_hash(uint64_t hash, const char *text)
{
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return hash;
}

bool text_take_uint(const char **at, const char *end, uint64_t max, uint64_t *out)
{
    const char *p = *at;
    uint64_t n = 0;
    for (; p < end && *p >= '0' && *p <= '9'; p++) {
        uint64_t digit = (uint64_t)(*p - '0');
        if (digit > max || n > (max - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    if (p == *at)
        return false;
    *at = p;
    *out = n;
    return true;
}

int text_read_file(const char *path, char *buffer, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    size_t used = 0;
    ssize_t got;
    while (used < size - 1 && (got = read(fd, buffer + used, size - 1 - used)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            int error = -errno;
            close(fd);
            return error;
        }
        used += (size_t)got;
    }
    close(fd);
    buffer[used] = '\0';
    return (int)used;
}

int text_read_once(const char *path, char *buffer, size_t size)
{
    ssize_t got;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    do
        got = read(fd, buffer, size - 1);
    while (got < 0 && errno == EINTR);
    int result = got < 0 ? -errno : (int)got;
    close(fd);
    buffer[got > 0 ? got : 0] = '\0';
    return result;
}

/* The search of text_read_line(), which reads the file in pieces. */
struct line_search {
    const char *word;
    size_t matched; /* how many characters of the word the current line has matched */
    bool other;     /* the current line does not begin with the word */
    struct text rest;
};

/* Continues the search with some bytes. True when the end of the wanted line was among them. */
static bool search_line(struct line_search *s, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\n') {
            if (!s->other && s->word[s->matched] == '\0')
                return true;
            s->matched = 0;
            s->other = false;
        } else if (!s->other && s->word[s->matched] == '\0') {
            text_char(&s->rest, bytes[i]);
        } else {
            s->other = s->other || bytes[i] != s->word[s->matched++];
        }
    }
    return false;
}

int text_read_line(const char *path, const char *word, char *buffer, size_t size)
{
    char bytes[1024];
    struct line_search search = {.word = word, .rest = text_in(buffer, size)};
    bool found = false;
    ssize_t got = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    while (!found && ((got = read(fd, bytes, sizeof bytes)) > 0 || (got < 0 && errno == EINTR)))
        found = got > 0 && search_line(&search, bytes, (size_t)got);
    int error = got < 0 ? -errno : -ENODATA;
    found = found || (got == 0 && search_line(&search, "\n", 1));
    close(fd);
    if (!found)
        return error;
    return search.rest.cut ? -EMSGSIZE : (int)search.rest.used;
}

int text_write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t done = write(fd, bytes, len);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return -errno;
        bytes += done;
        len -= (size_t)done;
    }
    return 0;
}
