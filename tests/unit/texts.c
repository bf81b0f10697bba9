/* The words about a run: run/texts.h. */
#include "places.h"

#include "base/text.h"
#include "error.h"

#include <errno.h>

static const char secret[] = "0123456789abcdef0123456789abcdef";
static const uint64_t run_id = 0x123456789abcd;
static struct texts texts;

/* The directory of a run below the test's. */
static int new_directory(void)
{
    enter_new_directory();
    check(mkdir("run", 0711) == 0, "%m");
    return open("run", O_RDONLY | O_DIRECTORY);
}

static void write_bytes(const char *bytes, size_t len)
{
    int fd = open("run/texts", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    check(fd >= 0 && text_write_all(fd, bytes, len) == 0, "%m");
    close(fd);
}

TEST("what was added is read back in its order, by whoever writes it and by whoever opens it")
{
    enum { FILES = 200 };
    struct map map = {.fd = -1}, opened = {.fd = -1};
    char file[64];
    int fd = new_directory();
    texts_begin(&texts, run_id, secret);
    check(texts_add(&texts, TEXT_COMMAND, ""), "no room");
    check(texts_add(&texts, TEXT_NAME, "web") && texts_add(&texts, TEXT_NAME, "@private"), "no room");
    check(texts_add(&texts, TEXT_OUTER, "/home/runs/00000000000001"), "no room");
    for (unsigned i = 0; i < FILES; i++) {
        snprintf(file, sizeof file, "/%u", i);
        check(texts_add(&texts, i % 2 == 0 ? TEXT_FILE : TEXT_AROUND, file), "no room");
    }
    equal(texts_write(&texts, &map, fd), 0);
    equal(texts_open(&opened, AT_FDCWD, "run"), 0);
    for (unsigned round = 0; round < 2; round++) {
        const struct map *of = round == 0 ? &map : &opened;
        equal_text(texts_get(of, TEXT_RUN, 0), "0123456789abcd");
        equal_text(texts_get(of, TEXT_SECRET, 0), secret);
        equal_text(texts_get(of, TEXT_COMMAND, 0), "");
        equal_text(texts_get(of, TEXT_NAME, 0), "web");
        equal_text(texts_get(of, TEXT_NAME, 1), "@private");
        equal_text(texts_get(of, TEXT_OUTER, 0), "/home/runs/00000000000001");
        for (unsigned i = 0; i < FILES; i++) {
            snprintf(file, sizeof file, "/%u", i);
            equal_text(texts_get(of, i % 2 == 0 ? TEXT_FILE : TEXT_AROUND, i / 2), file);
        }
        check(texts_get(of, TEXT_FILE, FILES / 2) == NULL && texts_get(of, TEXT_NAME, 2) == NULL &&
                  texts_get(of, TEXT_SECRET, 1) == NULL,
              "one more");
    }
    texts_close(&opened);
    check(texts_get(&opened, TEXT_RUN, 0) == NULL, "they are forgotten");
    texts_close(&map);
    check(texts_get(&map, TEXT_RUN, 0) == NULL, "they are forgotten");
    texts_close(&map); /* once more */
}

TEST("a value may be anything: other keys, equals signs, newlines, bytes of no character")
{
    static const char *const values[] = {"file=/not one", "=",        "==", "\n", "a\nfile=/b\n", " ",
                                         "\xff\xfe",      "secret=1", "run"};
    enum { VALUES = sizeof values / sizeof *values };
    struct map map = {.fd = -1}, opened = {.fd = -1};
    int fd = new_directory();
    texts_begin(&texts, run_id, secret);
    for (unsigned i = 0; i < VALUES; i++)
        check(texts_add(&texts, TEXT_NAME, values[i]), "no room");
    check(texts_add(&texts, TEXT_COMMAND, "name=x"), "no room");
    equal(texts_write(&texts, &map, fd), 0);
    equal(texts_open(&opened, AT_FDCWD, "run"), 0);
    for (unsigned i = 0; i < VALUES; i++)
        equal_text(texts_get(&opened, TEXT_NAME, i), values[i]);
    check(texts_get(&opened, TEXT_NAME, VALUES) == NULL && texts_get(&opened, TEXT_FILE, 0) == NULL &&
              texts_get(&opened, TEXT_SECRET, 1) == NULL && texts_get(&opened, TEXT_RUN, 1) == NULL,
          "a value is taken for a text");
}

TEST("what does not fit leaves those before as they are, and what fits after that is added")
{
    static char longer[TEXTS_MAX];
    struct map map = {.fd = -1}, opened = {.fd = -1};
    char file[PATH_MAX];
    unsigned files = 0;
    int fd = new_directory();
    memset(longer, 'x', sizeof longer - 1);
    texts_begin(&texts, run_id, secret);
    check(!texts_add(&texts, TEXT_FILE, longer), "there is room");
    check(texts_add(&texts, TEXT_COMMAND, "server"), "no room");
    do
        snprintf(file, sizeof file, "/%u/%.*s", files, (int)below(3000), longer);
    while (texts_add(&texts, TEXT_FILE, file) && ++files > 0);
    check(files >= 10, "%u", files);
    while (texts_add(&texts, TEXT_NAME, ""))
        ;
    check(texts.size <= TEXTS_MAX && texts.size > TEXTS_MAX - 16, "%zu", texts.size);
    equal(texts_write(&texts, &map, fd), 0);
    equal(texts_open(&opened, AT_FDCWD, "run"), 0);
    equal_text(texts_get(&opened, TEXT_COMMAND, 0), "server");
    equal_text(texts_get(&opened, TEXT_SECRET, 0), secret);
    for (unsigned i = 0; i < files; i++)
        equal(atoi(texts_get(&opened, TEXT_FILE, i) + 1), i);
    check(texts_get(&opened, TEXT_FILE, files) == NULL, "one more");
}

TEST("a path as long as paths may be fits several times")
{
    char path[PATH_MAX];
    unsigned count = 0;
    memset(path, 'x', sizeof path - 1);
    *path = '/';
    path[sizeof path - 1] = '\0';
    texts_begin(&texts, run_id, secret);
    while (texts_add(&texts, TEXT_FILE, path))
        count++;
    check(count >= 8, "%u", count);
}

TEST("texts are written over longer ones, of which nothing is left")
{
    struct map map = {.fd = -1}, opened = {.fd = -1};
    char file[1000];
    int fd = new_directory();
    memset(file, 'x', sizeof file - 1);
    file[sizeof file - 1] = '\0';
    texts_begin(&texts, run_id, secret);
    for (unsigned i = 0; i < 20; i++)
        check(texts_add(&texts, TEXT_FILE, file), "no room");
    equal(texts_write(&texts, &map, fd), 0);
    equal(texts_open(&opened, AT_FDCWD, "run"), 0);
    texts_begin(&texts, run_id + 1, secret);
    equal(texts_write(&texts, &map, fd), 0);
    check(texts_get(&map, TEXT_FILE, 0) == NULL, "they are left in the map");
    check(texts_get(&opened, TEXT_FILE, 19) != NULL, "who had opened them has lost them");
    equal_text(texts_get(&opened, TEXT_RUN, 0), "0123456789abcd");
    texts_close(&opened);
    equal(texts_open(&opened, AT_FDCWD, "run"), 0);
    equal_text(texts_get(&opened, TEXT_RUN, 0), "0123456789abce");
    check(texts_get(&opened, TEXT_FILE, 0) == NULL, "they are left in the file");
}

TEST("the file is its owner's alone, whatever the umask is")
{
    static const mode_t masks[] = {0, 022, 077, 0777};
    struct map map = {.fd = -1};
    struct stat st;
    int fd = new_directory();
    for (unsigned i = 0; i < 4; i++) {
        unlinkat(fd, "texts", 0);
        umask(masks[i]);
        texts_begin(&texts, run_id, secret);
        equal(texts_write(&texts, &map, fd), 0);
        check(fstatat(fd, "texts", &st, 0) == 0, "%m");
        equal(st.st_mode & 07777, 0600);
    }
}

TEST("a file that was cut is torn, unless it was cut between texts")
{
    struct map map = {.fd = -1}, opened = {.fd = -1};
    struct stat st;
    static char bytes[TEXTS_MAX];
    int fd = new_directory();
    texts_begin(&texts, run_id, secret);
    texts_add(&texts, TEXT_COMMAND, "server --port 8080");
    texts_add(&texts, TEXT_FILE, "/tmp/map");
    equal(texts_write(&texts, &map, fd), 0);
    check(stat("run/texts", &st) == 0, "%m");
    equal(st.st_size, texts.size);
    memcpy(bytes, texts.bytes, texts.size);
    for (size_t len = 0; len <= texts.size; len++) {
        write_bytes(bytes, len);
        int error = texts_open(&opened, AT_FDCWD, "run");
        equal(error, len == 0 ? -ENODATA : bytes[len - 1] == '\0' ? 0 : PORTMAP_ETORN);
        check((error == 0) == (opened.texts != NULL), "%zu of %zu bytes", len, texts.size);
        texts_close(&opened);
    }
}

TEST("any bytes are read without a crash, and no text goes on past the end")
{
    new_directory();
    for (unsigned round = 0; round < 2000; round++) {
        static char bytes[4096];
        struct map opened = {.fd = -1};
        size_t len = 1 + below(below(2) == 0 ? 64 : sizeof bytes);
        for (size_t i = 0; i < len; i++)
            bytes[i] = below(4) == 0 ? '\0' : "runsectfile=\n\xff"[below(14)];
        write_bytes(bytes, len);
        int error = texts_open(&opened, AT_FDCWD, "run");
        equal(error, bytes[len - 1] == '\0' ? 0 : PORTMAP_ETORN);
        for (int key = TEXT_RUN; key <= TEXT_FILE; key++) {
            const char *value;
            for (unsigned n = 0; (value = texts_get(&opened, (enum text_key)key, n)) != NULL; n++)
                check(value + strlen(value) < opened.texts + opened.texts_size, "past the end");
        }
        texts_close(&opened);
    }
}

TEST("what is no file of this user is not opened")
{
    struct map opened = {.fd = -1};
    char path[2 * PATH_MAX];
    new_directory();
    equal(texts_open(&opened, AT_FDCWD, "run"), -ENOENT);
    equal(texts_open(&opened, AT_FDCWD, "none"), -ENOENT);
    check(symlink("/dev/zero", "run/texts") == 0, "%m");
    equal(texts_open(&opened, AT_FDCWD, "run"), -ELOOP);
    check(unlink("run/texts") == 0 && mkdir("run/texts", 0700) == 0, "%m");
    equal(texts_open(&opened, AT_FDCWD, "run"), PORTMAP_EFOREIGN);
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    equal(texts_open(&opened, AT_FDCWD, path), -ENAMETOOLONG);
    check(opened.texts == NULL && opened.texts_size == 0, "something is there");
}

TEST("what is appended is read behind the rest, and one that does not fit is refused")
{
    struct map map = {.fd = -1}, opened = {.fd = -1};
    static char much[TEXTS_MAX];
    int fd = new_directory();
    texts_begin(&texts, run_id, secret);
    check(texts_add(&texts, TEXT_FILE, "/file"), "no room");
    equal(texts_write(&texts, &map, fd), 0);
    equal(texts_append(&texts, &map, "run", TEXT_NAME, "web"), 0);
    memset(much, 'x', sizeof much - 1);
    equal(texts_append(&texts, &map, "run", TEXT_NAME, much), PORTMAP_ETOOMANY);
    equal(texts_append(&texts, &map, "run", TEXT_NAME, "web-2"), 0);
    equal(texts_open(&opened, AT_FDCWD, "run"), 0);
    for (unsigned round = 0; round < 2; round++) {
        const struct map *of = round == 0 ? &map : &opened;
        equal_text(texts_get(of, TEXT_FILE, 0), "/file");
        equal_text(texts_get(of, TEXT_NAME, 0), "web");
        equal_text(texts_get(of, TEXT_NAME, 1), "web-2");
        check(texts_get(of, TEXT_NAME, 2) == NULL, "one more");
    }
    texts_close(&opened);
    close(fd);
}
