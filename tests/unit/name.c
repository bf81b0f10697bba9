/* Names of runs: run/name.h. */
#include "places.h"

#include "error.h"
#include "run/name.h"

TEST("a name is letters, digits, dots, dashes and underscores, and begins with one of the first two")
{
    static const char *const good[] = {"a", "Z", "0", "web-1", "a.b_c", "9.", "x--"};
    static const char *const bad[] = {"",     ".",   "-a",  "_a",       ".hidden", "a/b",
                                      "../a", "a b", "a\n", "\xc3\xa4", "@a"};
    for (unsigned i = 0; i < sizeof good / sizeof *good; i++)
        check(name_is_valid(good[i]), "%s", good[i]);
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
        check(!name_is_valid(bad[i]), "%s", bad[i]);
}

TEST("a name has 64 characters at most")
{
    char name[NAME_MAX_LENGTH + 2] = "";
    for (unsigned i = 0; i <= NAME_MAX_LENGTH; i++) {
        equal(name_is_valid(name), i > 0);
        name[i] = 'x';
    }
    check(!name_is_valid(name), "%s", name);
}

TEST("of random characters, one that no name has makes a name bad, wherever it stands")
{
    for (unsigned round = 0; round < 10000; round++) {
        char name[9] = "abcdefgh", odd = (char)(1 + below(255));
        bool may = (odd >= '0' && odd <= '9') || (odd >= 'A' && odd <= 'Z') || (odd >= 'a' && odd <= 'z');
        unsigned at = below(8);
        name[at] = odd;
        may = may || (at > 0 && strchr("._-", odd) != NULL);
        check(name_is_valid(name) == may, "%s", name);
    }
}

TEST("a run is found by its name until that is forgotten")
{
    enter_new_directory();
    struct home home = new_home("home");
    struct map *run = new_run(&home), *other = new_run(&home);
    equal(name_find(&home, "web"), 0);
    equal(name_claim(&home, "web", run->head->run_id), 0);
    equal(name_claim(&home, "db", other->head->run_id), 0);
    equal(name_claim(&home, "web", run->head->run_id), 0); /* once more */
    equal(name_find(&home, "web"), run->head->run_id);
    name_forget(&home, "web", other->head->run_id);
    equal(name_find(&home, "web"), run->head->run_id);
    name_forget(&home, "web", run->head->run_id);
    equal(name_find(&home, "web"), 0);
    equal(name_find(&home, "db"), other->head->run_id);
}

TEST("a living run keeps its name, and one that is gone loses it")
{
    enter_new_directory();
    struct home home = new_home("home");
    struct map *run = new_run(&home), *other = new_run(&home);
    uint64_t id = run->head->run_id;
    equal(name_claim(&home, "web", id), 0);
    equal(name_claim(&home, "web", other->head->run_id), PORTMAP_ENAME);
    drop_map(run);
    remove_run(&home, id);
    equal(name_find(&home, "web"), id); /* dead or alive */
    equal(name_claim(&home, "web", other->head->run_id), 0);
    equal(name_find(&home, "web"), other->head->run_id);
}

TEST("of several that claim a name at once, one gets it")
{
    enum { ROUNDS = 40, CLAIMANTS = 8 };
    enter_new_directory();
    struct home home = new_home("home");
    struct map *runs[CLAIMANTS];
    for (unsigned i = 0; i < CLAIMANTS; i++)
        runs[i] = new_run(&home);
    fflush(stdout);
    for (unsigned round = 0; round < ROUNDS; round++) {
        int start[2], status;
        unsigned got = 0;
        char byte, name[8];
        snprintf(name, sizeof name, "web%u", round);
        check(pipe(start) == 0, "%m");
        for (unsigned i = 0; i < CLAIMANTS; i++)
            if (fork() == 0) {
                close(start[1]);
                _exit(read(start[0], &byte, 1) == 0 && name_claim(&home, name, runs[i]->head->run_id) == 0);
            }
        close(start[0]);
        close(start[1]); /* now */
        while (wait(&status) > 0)
            got += status != 0;
        equal(got, 1);
    }
}

TEST("all names that a map knows its run to have are forgotten, one for the library alone is not shown")
{
    enter_new_directory();
    struct home home = new_home("home");
    struct map *by_hand = new_run(&home), *run = new_run(&home);
    add_text(by_hand, TEXT_NAME, "@private");
    add_text(run, TEXT_NAME, "web");
    add_text(run, TEXT_NAME, "@private-too");
    check(name_given(by_hand) == NULL && name_given(new_map()) == NULL, "a name");
    equal_text(name_given(run), "web");
    equal(name_claim(&home, "web", run->head->run_id), 0);
    equal(name_claim(&home, "@private-too", run->head->run_id), 0);
    equal(name_claim(&home, "@private", by_hand->head->run_id), 0);
    name_forget_all(&home, run);
    equal(name_find(&home, "web"), 0);
    equal(name_find(&home, "@private-too"), 0);
    equal(name_find(&home, "@private"), by_hand->head->run_id);
}

TEST("the second run that wants a name gets it with a number, and a long one is cut for that")
{
    char name[NAME_MAX_LENGTH + 1], x64[NAME_MAX_LENGTH + 1], expected[NAME_MAX_LENGTH + 1];
    name_numbered(name, "web", 1);
    equal_text(name, "web");
    name_numbered(name, "web", 2);
    equal_text(name, "web-2");
    memset(x64, 'x', NAME_MAX_LENGTH);
    x64[NAME_MAX_LENGTH] = '\0';
    name_numbered(name, x64, 1);
    equal_text(name, x64);
    snprintf(expected, sizeof expected, "%.60s-100", x64);
    name_numbered(name, x64, 100);
    equal_text(name, expected);
}
