/* Texts in a caller's buffer: base/text.h. */
#include "unit.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

/* Of any length in bits, or one of the largest. */
static uint64_t random_number(void)
{
    uint64_t n = (uint64_t)random() << 33 ^ (uint64_t)random() << 16 ^ (uint64_t)random();
    return below(10) == 0 ? UINT64_MAX - n % 100 : n >> below(64);
}

/* Appends something to both: as the module does, and to `whole` as printf(3) does. */
static void append(struct text *t, char *whole, size_t size)
{
    size_t used = strlen(whole);
    uint64_t n = random_number();
    unsigned digits = 1 + below(16);
    switch (below(4)) {
    case 0:
        text_uint(t, n);
        snprintf(whole + used, size - used, "%" PRIu64, n);
        break;
    case 1:
        n = digits < 16 ? n % (UINT64_C(1) << digits * 4) : n;
        text_hex(t, n, digits);
        snprintf(whole + used, size - used, "%0*" PRIx64, (int)digits, n);
        break;
    case 2:
        text_char(t, 'c');
        snprintf(whole + used, size - used, "c");
        break;
    default:
        text_str(t, "a word");
        snprintf(whole + used, size - used, "a word");
    }
}

TEST("a text is what printf() would write, cut where the buffer ends, and never past it")
{
    for (unsigned round = 0; round < 5000; round++) {
        char buffer[128], whole[512] = "", expected[128];
        size_t size = 1 + below(sizeof buffer - 1);
        memset(buffer, '#', sizeof buffer);
        struct text t = text_in(buffer, size);
        for (unsigned i = below(12); i > 0; i--)
            append(&t, whole, sizeof whole);
        snprintf(expected, size, "%s", whole);
        equal_text(buffer, expected);
        equal(t.used, strlen(expected));
        equal(t.cut, strlen(whole) >= size);
        equal(buffer[size], '#');
        text_mark_cut(&t);
        size_t dots = strlen(whole) < size ? 0 : t.used < 3 ? t.used : 3;
        check(strncmp(buffer, expected, t.used - dots) == 0, "%s, %s", buffer, expected);
        equal_text(buffer + t.used - dots, dots == 0 ? "" : "..." + 3 - dots);
    }
}

TEST("a number that is written is read back, unless it is larger than the largest allowed")
{
    for (unsigned round = 0; round < 20000; round++) {
        char buffer[32];
        uint64_t n = random_number(), max = random_number(), read = 0;
        bool fits = true;
        struct text t = text_in(buffer, sizeof buffer);
        text_uint(&t, n);
        if (below(4) == 0) {
            fits = n <= (UINT64_MAX - 7) / 10;
            n = n * 10 + 7;
            text_char(&t, '7');
        }
        size_t digits = t.used;
        text_str(&t, below(2) == 0 ? "" : "/udp");
        const char *at = buffer;
        bool taken = text_take_uint(&at, buffer + t.used, max, &read);
        check(taken == (fits && n <= max), "%s, at most %" PRIu64, buffer, max);
        equal(at - buffer, taken ? digits : 0);
        check(!taken || read == n, "%s is %" PRIu64, buffer, read);
    }
}

TEST("where there is no digit before the end, there is no number")
{
    static const char *const texts[] = {"", " 1", "-1", "+1", "x", "/1"};
    uint64_t n;
    for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *at = texts[i];
        equal(text_take_uint(&at, at + strlen(at), 99, &n), false);
        equal(at - texts[i], 0);
    }
    const char *at = "123";
    equal(text_take_uint(&at, at + 2, 99, &n), true);
    equal(n, 12);
}

/* A file without a name, with this in it; its path. */
static const char *file_of(const char *bytes, size_t len)
{
    static char path[32];
    int fd = memfd_create("text", 0);
    check(text_write_all(fd, bytes, len) == 0, "%s", strerror(errno));
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return path;
}

static void close_file(const char *path)
{
    close(atoi(strrchr(path, '/') + 1));
}

TEST("what is written to a file is read back, as far as the buffer goes")
{
    for (unsigned round = 0; round < 300; round++) {
        static char bytes[5000], back[5000];
        size_t len = below(sizeof bytes - 1), size = 1 + below(sizeof back - 1);
        for (size_t i = 0; i < len; i++)
            bytes[i] = (char)below(256);
        const char *path = file_of(bytes, len);
        size_t expected = len < size ? len : size - 1;
        equal(text_read_file(path, back, size), expected);
        check(memcmp(bytes, back, expected) == 0, "%zu of %zu bytes", expected, len);
        equal(back[expected], '\0');
        close_file(path);
    }
    char none[8];
    equal(text_read_file("/nowhere", none, sizeof none), -ENOENT);
}

static void ignore_it(int signal)
{
    (void)signal;
}

TEST("all of it is written, also when a signal interrupts the call")
{
    static char bytes[300000], back[sizeof bytes + 1];
    int ends[2], held = 0;
    check(pipe(ends) == 0, "pipe");
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)below(256);
    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = ignore_it}, NULL);
    pid_t writer = fork();
    if (writer == 0) {
        close(ends[0]);
        _exit(text_write_all(ends[1], bytes, sizeof bytes) == 0 ? 0 : 1);
    }
    close(ends[1]);
    while (held < fcntl(ends[0], F_GETPIPE_SZ)) /* then it waits in a write(2) */
        ioctl(ends[0], FIONREAD, &held);
    kill(writer, SIGUSR1);
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
    equal(text_read_file(path, back, sizeof back), sizeof bytes);
    check(memcmp(bytes, back, sizeof bytes) == 0, "other bytes");
}

TEST("to write to a pipe that nobody reads is an error")
{
    int ends[2];
    check(pipe(ends) == 0, "pipe");
    close(ends[0]);
    signal(SIGPIPE, SIG_IGN);
    equal(text_write_all(ends[1], "x", 1), -EPIPE);
}

/* What text_read_line() promises, of a file that is in memory. */
static const char *line_after(char *file, const char *word)
{
    for (char *line = file, *end; line != NULL; line = end) {
        end = strchr(line, '\n');
        if (end != NULL)
            *end++ = '\0';
        if (strncmp(line, word, strlen(word)) == 0)
            return line + strlen(word);
    }
    return NULL;
}

TEST("the first line that begins with a word is found in a random file, whole or not at all")
{
    static const char *const words[] = {"Pid:", "NSpid:", "P", "Pi", "PPid:"};
    unsigned found = 0;
    for (unsigned round = 0; round < 3000; round++) {
        static char file[8192];
        struct text t = text_in(file, sizeof file);
        for (unsigned lines = below(6); lines > 0; lines--) {
            text_str(&t, words[below(sizeof words / sizeof *words)] + below(2));
            for (unsigned i = below(10) == 0 ? below(1200) : below(20); i > 0; i--)
                text_char(&t, (char)('a' + below(26)));
            text_str(&t, lines > 1 || below(2) == 0 ? "\n" : "");
        }
        const char *word = words[below(sizeof words / sizeof *words)], *path = file_of(file, t.used);
        char rest[1024];
        size_t size = 1 + below(sizeof rest);
        int len = text_read_line(path, word, rest, size);
        close_file(path);
        const char *expected = line_after(file, word);
        if (expected == NULL) {
            equal(len, -ENODATA);
        } else if (strlen(expected) >= size) {
            equal(len, -EMSGSIZE);
        } else {
            equal(len, strlen(expected));
            equal_text(rest, expected);
            found++;
        }
    }
    check(found > 300, "%u", found);
}

TEST("a relative path is made absolute with the working directory")
{
    char buffer[PATH_MAX], small[8];
    check(chdir("/usr") == 0, "%s", strerror(errno));
    struct text t = text_in(buffer, sizeof buffer);
    equal(text_path(&t, "bin/env"), 0);
    equal_text(buffer, "/usr/bin/env");
    t = text_in(buffer, sizeof buffer);
    equal(text_path(&t, "/bin/env"), 0);
    equal_text(buffer, "/bin/env");
    t = text_in(small, sizeof small);
    equal(text_path(&t, "bin/env"), -ENAMETOOLONG);
}

TEST("the length up to some characters is strcspn(3)'s, and the value of a digit strtoul(3)'s")
{
    static const char characters[] = "a :/";
    for (unsigned i = 0; i < 1000; i++) {
        char text[8], stops[3];
        size_t length = below(sizeof text), count = below(sizeof stops);
        for (size_t n = 0; n < length; n++)
            text[n] = characters[below(sizeof characters - 1)];
        for (size_t n = 0; n < count; n++)
            stops[n] = characters[below(sizeof characters - 1)];
        text[length] = stops[count] = '\0';
        equal(text_until(text, stops), strcspn(text, stops));
    }
    for (int c = 1; c < 256; c++) {
        const char digit[] = {(char)c, '\0'};
        bool is_digit = strchr("0123456789abcdef", c) != NULL;
        equal(text_hex_value(digit[0]), is_digit ? (int)strtoul(digit, NULL, 16) : -1);
    }
}
