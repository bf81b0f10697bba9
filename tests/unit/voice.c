/* The line on the run's own stderr: run/voice.h. */
#include "maps.h"

#include "run/sighting.h"
#include "run/voice.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <termios.h>

static struct map *map;
static _Atomic uint64_t *word;

/* A run whose stderr is this descriptor, in which a port was in use. */
static void begin(int fd)
{
    map = new_map();
    dup2(fd, STDERR_FILENO);
    voice_take(map->head);
    unsigned program = sighting_program(map, 1, 2, "server");
    word = sighting_note(map, (struct sighting){.kind = SIGHTING_REFUSED, .port = 5000, .program = program});
}

static const char line[] =
    "portshim: warning: port 5000, wanted by server: in use, and not listed: add -p 5000\n";

static void make_pipe(int ends[2])
{
    check(pipe(ends) == 0, "%m");
}

static void fill(int fd)
{
    static const char bytes[4096];
    fcntl(fd, F_SETFL, O_NONBLOCK);
    while (write(fd, bytes, sizeof bytes) > 0)
        ;
    fcntl(fd, F_SETFL, 0);
}

static bool says(void)
{
    return voice_say(map, word, SPEAKER_SELF, "", "what", "why", "remedy");
}

static bool is_pending(int number)
{
    sigset_t pending;
    sigpending(&pending);
    return sigismember(&pending, number);
}

static void equal_mask(const sigset_t *wanted)
{
    sigset_t mask;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    for (int i = 1; i < 32; i++)
        equal(sigismember(&mask, i), sigismember(wanted, i));
}

TEST("it is told once, whoever notes it again")
{
    int ends[2];
    char read_back[200];
    make_pipe(ends);
    begin(ends[1]);
    check(!sighting_get(map, 0).is_told, "nobody has told it");
    errno = 77;
    check(voice_tell(map, word, SPEAKER_SELF), "it is not told");
    equal(errno, 77);
    check(word == sighting_note(map, sighting_get(map, 0)), "noted as another");
    check(sighting_get(map, 0).is_told && sighting_get(map, 1).kind == SIGHTING_NONE, "not told, or two");
    check(!voice_tell(map, word, SPEAKER_SELF) && !says(), "told again");
    equal(read(ends[0], read_back, sizeof read_back), sizeof line - 1);
    check(memcmp(read_back, line, sizeof line - 1) == 0, "%.80s", read_back);
    equal(sighting_get(map, 0).port, 5000);
}

TEST("a program is told with why it is not wrapped")
{
    static const char told[] = "portshim: warning: the ports of tool stay as they are: statically linked, and the "
                               "trap is off: use --trap=auto\n";
    int ends[2];
    char read_back[200] = "";
    struct reach reach = {.kind = PROGRAM_STATIC, .path = "/bin/tool", .file = {.st_ino = 7}};
    make_pipe(ends);
    begin(ends[1]);
    word = sighting_untrapped(map, &reach, UNTRAPPED_OFF);
    check(voice_tell(map, word, SPEAKER_SELF), "it is not told");
    check(read(ends[0], read_back, sizeof read_back - 1) > 0, "%m");
    equal_text(read_back, told);
    map->head->strict = 1;
    word = sighting_untrapped(map, &reach, UNTRAPPED_UNREADABLE);
    check(voice_tell(map, word, SPEAKER_SELF), "it is not told");
    memset(read_back, 0, sizeof read_back);
    check(read(ends[0], read_back, sizeof read_back - 1) > 0, "%m");
    equal_text(read_back, "portshim: a call of tool about ports was refused: its memory may not be read: start "
                          "the run as root\n");
}

TEST("a pipe that was filled since it was looked at is not waited for")
{
    int ends[2];
    make_pipe(ends);
    begin(ends[1]);
    fill(ends[1]);
    check(!voice_may(map, word, SPEAKER_SELF) && !says(), "told into a full pipe");
    check(!sighting_get(map, 0).is_told, "left to nobody");
}

TEST("nor is one with a name")
{
    char place[] = "/tmp/portshim-unit.XXXXXX", path[64], read_back[200];
    check(mkdtemp(place) != NULL, "%m");
    snprintf(path, sizeof path, "%s/pipe", place);
    check(mkfifo(path, 0600) == 0, "%m");
    int reads = open(path, O_RDONLY | O_NONBLOCK), writes = open(path, O_WRONLY);
    unlink(path);
    rmdir(place);
    begin(writes);
    check(voice_tell(map, word, SPEAKER_SELF), "it is not told");
    equal(read(reads, read_back, sizeof read_back), sizeof line - 1);
    sighting_disclaim(word);
    fill(writes);
    check(!voice_may(map, word, SPEAKER_SELF) && !says(), "told into a full pipe");
}

TEST("a reader that has gone since raises no signal")
{
    int ends[2];
    sigset_t none;
    sigemptyset(&none);
    make_pipe(ends);
    begin(ends[1]);
    close(ends[0]);
    check(!voice_may(map, word, SPEAKER_SELF), "there is no reader");
    check(!says() && !is_pending(SIGPIPE), "a signal");
    equal_mask(&none);
    signal(SIGPIPE, SIG_IGN);
    check(!says() && !is_pending(SIGPIPE), "a signal that is ignored");
}

TEST("a signal of the program's own stays pending")
{
    int ends[2];
    sigset_t one;
    make_pipe(ends);
    begin(ends[1]);
    close(ends[0]);
    sigemptyset(&one);
    sigaddset(&one, SIGPIPE);
    sigprocmask(SIG_BLOCK, &one, NULL);
    kill(getpid(), SIGPIPE);
    check(!says() && is_pending(SIGPIPE), "it was taken");
    equal_mask(&one);
}

TEST("a file that may not grow raises no signal")
{
    const struct rlimit nothing = {0, RLIM_INFINITY};
    FILE *file = tmpfile();
    check(file != NULL, "%m");
    begin(fileno(file));
    if (map->head->stderr_file.kind == 0) {
        printf("# this file system does not tell when a file was made: nothing to test\n");
        return;
    }
    setrlimit(RLIMIT_FSIZE, &nothing);
    check(!voice_tell(map, word, SPEAKER_SELF) && !is_pending(SIGXFSZ), "a signal");
    check(!sighting_get(map, 0).is_told, "left to nobody");
}

TEST("only the very file is written to, and only one of a kind that can be told from others")
{
    int ends[2], others[2];
    FILE *file = tmpfile();
    make_pipe(ends);
    make_pipe(others);
    begin(ends[1]);
    dup2(others[1], STDERR_FILENO);
    check(!voice_may(map, word, SPEAKER_SELF), "another pipe");
    dup2(fileno(file), STDERR_FILENO);
    check(!voice_may(map, word, SPEAKER_SELF), "a file");
    close(STDERR_FILENO);
    check(!voice_may(map, word, SPEAKER_SELF), "none");
    dup2(ends[1], STDERR_FILENO);
    check(voice_may(map, word, SPEAKER_SELF), "that one");
    map->head->stderr_file.born++;
    check(!voice_may(map, word, SPEAKER_SELF), "one that was made at another time");
    for (const char *const *name = (const char *const[]){"/dev/null", "/dev/ptmx", NULL}; *name != NULL; name++) {
        begin(open(*name, O_RDWR | O_NOCTTY));
        check(map->head->stderr_file.kind == 0 && !voice_may(map, word, SPEAKER_SELF), "%s", *name);
    }
}

TEST("a terminal that is not the process's own is left alone")
{
    int controller = posix_openpt(O_RDWR | O_NOCTTY);
    check(controller >= 0 && grantpt(controller) == 0 && unlockpt(controller) == 0, "%m");
    begin(open(ptsname(controller), O_RDWR | O_NOCTTY));
    check(map->head->stderr_file.kind != 0, "no terminal");
    check(!voice_may(map, word, SPEAKER_SELF), "nobody knows who is in the foreground");
    struct speaker other = {.fd = STDERR_FILENO, .process = getpid()};
    check(!voice_may(map, word, other), "nobody knows who is in the foreground");
}

TEST("PORTSHIM_QUIET asks for silence, unless it is empty or 0")
{
    check(voice_is_quiet("1") && voice_is_quiet("yes"), "not quiet");
    check(!voice_is_quiet(NULL) && !voice_is_quiet("") && !voice_is_quiet("0"), "quiet");
}
