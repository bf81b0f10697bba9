/*
 * Building short texts in a caller's buffer, without stdio: libportshim.so links this library, and inside
 * somebody else's process neither malloc nor stdio may run.
 *
 * A text is always terminated. What does not fit is cut and `cut` is set, so that a caller checks once, at
 * the end.
 */
#ifndef PORTMAP_BASE_TEXT_H
#define PORTMAP_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
    char *at;
    size_t size; /* of the buffer, terminator included; at least 1 */
    size_t used; /* without the terminator */
    bool cut;
};

/* An empty text in buffer[size]. */
struct text text_in(char *buffer, size_t size);

/* Append. All are async-signal-safe and leave errno alone. */
void text_char(struct text *t, char c);
void text_bytes(struct text *t, const char *s, size_t len);
void text_str(struct text *t, const char *s);
void text_uint(struct text *t, uint64_t n);
void text_hex(struct text *t, uint64_t n, unsigned digits);

/* Ends a text that was cut in "...", for people: they see that it goes on. */
void text_mark_cut(struct text *t);

/* Appends a path, made absolute with the working directory. 0, or a negated errno: -ENAMETOOLONG when it was
 * cut. */
int text_path(struct text *t, const char *path);

/*
 * Reads a decimal number from *at, which moves past it. False when there is no digit, or the number is
 * larger than max; *at has not moved then.
 */
bool text_take_uint(const char **at, const char *end, uint64_t max, uint64_t *out);

/* Reads at most size - 1 bytes of a file, terminates them, returns their number or a negated errno. */
int text_read_file(const char *path, char *buffer, size_t size);

/*
 * Finds the first line of a file, of any length, that begins with a word, and copies what follows the word to
 * buffer[size]. Returns its length, -ENODATA when no line begins so, -EMSGSIZE when it does not fit, or a
 * negated errno.
 */
int text_read_line(const char *path, const char *word, char *buffer, size_t size);

/* Writes all of it, over short writes and EINTR; 0 or a negated errno. */
int text_write_all(int fd, const char *bytes, size_t len);

#endif
