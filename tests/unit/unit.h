/*
 * What the programs of tests/unit are made of:
 *
 *     TEST("what is written is read back")
 *     {
 *         unsigned written = below(1000);
 *         equal(read_back(written), written);
 *     }
 *
 * Tests run in the order of the file, each in a process of its own: the first check that fails ends it, and it may
 * crash, hang or change its process. Each prints "ok" or "not ok" and its sentence. Random numbers come from a seed,
 * which is printed first; UNIT_SEED sets it.
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
#define TEST_OF_LINE(sentence, line) TEST_NAMED(sentence, test_##line, add_##line)
#define TEST_NAMED(sentence, test, add)                                                                                \
    static void test(void);                                                                                            \
    __attribute__((constructor)) static void add(void)                                                                 \
    {                                                                                                                  \
        unit_tests[unit_count++] = (struct unit_test){sentence, test};                                                 \
    }                                                                                                                  \
    static void test(void)

/* Unless the condition is true, the test fails with a message for printf(3). */
#define check(condition, ...)                                                                                          \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            printf("# %s:%d: not true: %s: ", __FILE__, __LINE__, #condition);                                         \
            printf(__VA_ARGS__);                                                                                       \
            printf("\n");                                                                                              \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

/* Two numbers; two strings. */
#define equal(a, b)                                                                                                    \
    do {                                                                                                               \
        long long unit_a = (long long)(a), unit_b = (long long)(b);                                                    \
        check(unit_a == unit_b, "%s is %lld, %s is %lld", #a, unit_a, #b, unit_b);                                     \
    } while (0)
#define equal_text(a, b)                                                                                               \
    do {                                                                                                               \
        const char *unit_a = (a), *unit_b = (b);                                                                       \
        check(strcmp(unit_a, unit_b) == 0, "%s is \"%s\", %s is \"%s\"", #a, unit_a, #b, unit_b);                      \
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
    unsigned seed = given != NULL ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL) ^ (unsigned)getpid();
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
