/*
 * Building short texts in a caller's buffer, without malloc and stdio: libportshim.so does so inside other
 * programs, where neither may be called.
 *
 * A text is always terminated. What does not fit is left out and `cut` is set, so that a caller checks once,
 * at the end.
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

/* All append. text_hex() writes exactly `digits` digits. Async-signal-safe; errno is left alone. */
void text_char(struct text *t, char c);
void text_bytes(struct text *t, const char *s, size_t len);
void text_str(struct text *t, const char *s);
void text_uint(struct text *t, uint64_t n);
void text_hex(struct text *t, uint64_t n, unsigned digits);

/* If the text was cut, replaces its last three characters by "...", so that people see that it goes on. */
void text_mark_cut(struct text *t);

/* Appends a path; a relative one is made absolute with the working directory. 0, -ENAMETOOLONG when the text
 * was cut, or another negated errno. */
int text_path(struct text *t, const char *path);

/* Adds a text to a hash, which begins as TEXT_HASH: FNV-1a of 64 bits, the same on every machine.
 * Async-signal-safe. */
#define TEXT_HASH UINT64_C(0xcbf29ce484222325)
uint64_t text_hash(uint64_t hash, const char *text);

/*
 * The length of a text up to the first of the characters `stops`, as strcspn(3) tells it, and the value of a
 * hexadecimal digit in lower case, -1 for any other character. Every program of a run asks that of a few
 * short texts when it starts, and the search for each of libc's functions then costs more than they could
 * save.
 */
size_t text_until(const char *text, const char *stops);
int text_hex_value(char digit);

/* Reads the decimal number at *at, no further than end, and moves *at past it. False, with *at unmoved, when
 * there is no digit or the number is larger than max. */
bool text_take_uint(const char **at, const char *end, uint64_t max, uint64_t *out);

/* Reads up to size - 1 bytes of a file and terminates them. Returns their number or a negated errno. */
int text_read_file(const char *path, char *buffer, size_t size);

/* The same with one read(2), which is enough for files of /proc: the kernel gives them whole, or as much as
 * fits, and for a number in /proc/sys a second read would only say that there is no more. */
int text_read_once(const char *path, char *buffer, size_t size);

/*
 * Finds the first line of a file that begins with `word`, and copies the rest of that line to buffer[size].
 * Lines may be of any length. Returns the length of the copy, -ENODATA when no line begins with the word,
 * -EMSGSIZE when the rest does not fit, or another negated errno.
 */
int text_read_line(const char *path, const char *word, char *buffer, size_t size);

/* Writes all bytes, over short writes and EINTR. 0 or a negated errno. */
int text_write_all(int fd, const char *bytes, size_t len);

#endif
