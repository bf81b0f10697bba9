/*
 * What the programs of tests/unit are made of:
 *
 *     TEST("what is written is read back")
 *     {
 *         unsigned written = below(1000);
 *         equal(read_back(written), written);
 *     }
 *
 * Tests run in the order of the file, each in a process of its own: the first check that fails ends it, and
 * it may crash, hang or change its process. Each prints "ok" or "not ok" and its sentence. Random numbers
 * come from a seed, which is printed first; UNIT_SEED sets it.
 */
#ifndef UNIT_H
#define UNIT_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { UNIT_SECONDS = 60, UNIT_MOST = 64 };

static struct unit_test {
    const char *sentence;
    void (*run)(void);
} unit_tests[UNIT_MOST];
static unsigned unit_count;

#define TEST(sentence) TEST_OF_LINE(sentence, __LINE__)
#define TEST_OF_LINE(sentence, line) TEST_NAMED(sentence, line)
#define TEST_NAMED(sentence, line)                                            \
    static void test_##line(void);                                            \
    __attribute__((constructor)) static void add_##line(void)                 \
    {                                                                         \
        unit_tests[unit_count++] = (struct unit_test){sentence, test_##line}; \
    }                                                                         \
    static void test_##line(void)

/* Ends the test, which has failed; the message is for printf(3). */
#define fail(...) (printf("# %s:%d: ", __FILE__, __LINE__), printf(__VA_ARGS__), printf("\n"), exit(1))

/* A condition, with a message for when it is not true; two numbers; two strings. */
#define check(condition, ...) \
    ((condition) ? (void)0 : (printf("# not true: %s\n", #condition), fail(__VA_ARGS__)))
#define equal(a, b)                                                 \
    do {                                                            \
        long long unit_a = (long long)(a), unit_b = (long long)(b); \
        if (unit_a != unit_b)                                       \
            fail("%s is %lld, %s is %lld", #a, unit_a, #b, unit_b); \
    } while (0)
#define equal_text(a, b)                                                \
    do {                                                                \
        const char *unit_a = (a), *unit_b = (b);                        \
        if (strcmp(unit_a, unit_b) != 0)                                \
            fail("%s is \"%s\", %s is \"%s\"", #a, unit_a, #b, unit_b); \
    } while (0)

/* A random number less than n, which is at most 2^31. */
__attribute__((unused)) static unsigned below(unsigned n)
{
    return (unsigned)random() % n;
}

static bool unit_passes(const struct unit_test *test, unsigned seed)
{
    int status;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(UNIT_SECONDS);
        srandom(seed);
        test->run();
        exit(0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return false;
    if (WIFSIGNALED(status))
        printf("# ended by signal %d\n", WTERMSIG(status));
    return status == 0;
}

int main(void)
{
    const char *given = getenv("UNIT_SEED");
    unsigned seed =
        given != NULL ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL) ^ (unsigned)getpid();
    unsigned failed = 0;
    printf("# UNIT_SEED=%u\n1..%u\n", seed, unit_count);
    for (unsigned i = 0; i < unit_count; i++) {
        bool passes = unit_passes(&unit_tests[i], seed);
        printf("%s %u - %s\n", passes ? "ok" : "not ok", i + 1, unit_tests[i].sentence);
        failed += !passes;
    }
    return failed == 0 ? 0 : 1;
}

#endif
