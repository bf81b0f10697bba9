/* Whether a run is alive: run/life.h, and what a process that joins meanwhile is told by run/files.h. */
#include "places.h"

#include "error.h"
#include "run/life.h"

#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

static struct home home;

/* A run whose starter has ended, with the map that this process has of it. */
static struct map *orphan(void)
{
    struct map *run = new_run(&home);
    int status;
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    check(waitpid(pid, &status, 0) == pid, "%m");
    run->head->starter = pid;
    return run;
}

static void begin(void)
{
    enter_new_directory();
    home = new_home("home");
}

/* Closes a map, of which the id and the path of the head are needed on. */
static uint64_t leave(struct map *run, char path[static PATH_MAX])
{
    uint64_t id = run->head->run_id;
    snprintf(path, PATH_MAX, "%s", head_of(&home, run));
    files_close(run);
    return id;
}

static int join(const char *path)
{
    struct map map;
    int judge, error = files_join(&map, path, &judge);
    if (error == 0)
        files_close(&map);
    return error;
}

TEST("a run is alive while its starter lives, or any process has it mapped")
{
    char path[PATH_MAX];
    begin();
    uint64_t started = leave(new_run(&home), path); /* by this process */
    equal(life_of(&home, started), RUN_ALIVE);
    equal(join(path), 0);
    struct map *run = orphan(), joined;
    int judge;
    equal(life_of(&home, run->head->run_id), RUN_ALIVE);
    equal(files_join(&joined, head_of(&home, run), &judge), 0);
    uint64_t id = leave(run, path);
    equal(life_of(&home, id), RUN_ALIVE);
    equal(life_settled(&home, id), RUN_ALIVE);
    files_close(&joined);
    equal(life_settled(&home, id), RUN_DEAD);
}

TEST("a run without processes is dead in the end, and nobody joins it any more")
{
    char path[PATH_MAX], again[PATH_MAX];
    int judge;
    begin();
    uint64_t id = leave(orphan(), path);
    struct map map;
    equal(life_settled(&home, id), RUN_DEAD);
    equal(join(path), PORTMAP_EENDED);
    equal(files_join_own(&map, in_directory("home/runs/%014llx", (unsigned long long)id), again, &judge),
          PORTMAP_EENDED);
    equal(life_of(&home, id), RUN_DEAD); /* for ever */
}

TEST("a run in which a program was executed, or one that the library is not in, is dead only after a while")
{
    for (unsigned unreached = 0; unreached < 2; unreached++) {
        char path[PATH_MAX];
        if (unreached == 0)
            begin();
        struct map *run = orphan();
        if (unreached)
            map_note_unreached(run);
        else
            map_note_exec(run);
        uint64_t id = leave(run, path), before = process_clock();
        equal(life_of(&home, id), RUN_DYING);
        equal(life_of(&home, id), RUN_DYING);
        equal(join(path), 0); /* the program that was executed */
        equal(life_settled(&home, id), RUN_DEAD);
        check(process_clock() - before >= LIFE_GRACE, "at once");
        equal(join(path), PORTMAP_EENDED);
    }
}

TEST("who joins a dying run makes it live, and the while begins anew when that process has ended")
{
    char path[PATH_MAX];
    struct map joined;
    int judge;
    begin();
    struct map *run = orphan();
    map_note_exec(run);
    uint64_t id = leave(run, path);
    equal(life_of(&home, id), RUN_DYING);
    equal(files_join(&joined, path, &judge), 0);
    equal(life_of(&home, id), RUN_ALIVE);
    files_close(&joined);
    uint64_t before = process_clock();
    equal(life_of(&home, id), RUN_DYING);
    equal(life_settled(&home, id), RUN_DEAD);
    check(process_clock() - before >= LIFE_GRACE, "it is counted from the first time on");
}

TEST("a run whose directory has gone is gone, and one whose files are not known is not judged")
{
    char path[PATH_MAX];
    uint32_t version = MAP_VERSION + 1;
    begin();
    uint64_t id = leave(orphan(), path);
    int fd = open(path, O_RDWR);
    check(pwrite(fd, &version, sizeof version, offsetof(struct map_head, version)) == sizeof version, "%m");
    close(fd);
    equal(life_settled(&home, id), RUN_ALIVE);
    remove_run(&home, id);
    equal(life_of(&home, id), RUN_GONE);
    equal(life_settled(&home, id), RUN_GONE);
}

TEST("the decision of a judge that was killed is made by the next one")
{
    char path[PATH_MAX];
    begin();
    struct map *run = orphan();
    atomic_store(&run->head->life, run->head->run_id << 8 | MAP_DECIDING);
    uint64_t id = leave(run, path);
    equal(life_settled(&home, id), RUN_DEAD);
    equal(join(path), PORTMAP_EENDED);
}

/* A process that judges, and stops each time when it has asked whether there are locks. */
static pid_t start_judge(uint64_t id)
{
    int status;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        check(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 && raise(SIGSTOP) == 0, "%m");
        _exit(life_settled(&home, id));
    }
    check(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status), "it does not stop");
    check(ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)) == 0,
          "%m");
    return pid;
}

static bool asks_for_locks(const struct __ptrace_syscall_info *info)
{
#ifdef SYS_fcntl64
    bool is_fcntl = info->entry.nr == SYS_fcntl || info->entry.nr == SYS_fcntl64;
#else
    bool is_fcntl = info->entry.nr == SYS_fcntl;
#endif
    return info->op == PTRACE_SYSCALL_INFO_ENTRY && is_fcntl && info->entry.args[1] == F_OFD_GETLK;
}

/* Lets it go on to where it has asked once more; false when it has ended instead. */
static bool let_ask(pid_t pid, int *status)
{
    struct __ptrace_syscall_info info = {.op = PTRACE_SYSCALL_INFO_NONE};
    bool asked = false;
    for (;;) {
        check(ptrace(PTRACE_SYSCALL, pid, NULL, NULL) == 0 && waitpid(pid, status, 0) == pid, "%m");
        if (!WIFSTOPPED(*status))
            return false;
        if (asked)
            return true;
        check(ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof info, &info) > 0, "%m");
        asked = asks_for_locks(&info);
    }
}

/* Whether processes can be stopped like that; says so if not. */
static bool can_trace(void)
{
    int status;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0);
    bool can = waitpid(pid, &status, 0) == pid && status == 0;
    if (!can)
        printf("# skipped, as no process may be traced here\n");
    return can;
}

TEST("wherever a judge is when a process joins, either that is told that the run is over, or the run lives")
{
    unsigned places = 0, joins = 0, refusals = 0;
    begin();
    if (!can_trace())
        return;
    for (bool more = true; more; places++) {
        char path[PATH_MAX];
        struct map *run = orphan(), joined = {.fd = -1};
        int status = 0, by, error = 0;
        atomic_store(&run->head->dead_since, process_clock() - 2 * LIFE_GRACE);
        uint64_t id = leave(run, path);
        pid_t pid = start_judge(id);
        for (unsigned i = 0; i <= places && more; i++)
            more = let_ask(pid, &status);
        error = files_join(&joined, path, &by);
        if (more) {
            check(ptrace(PTRACE_DETACH, pid, NULL, NULL) == 0 && waitpid(pid, &status, 0) == pid, "%m");
        } else {
            equal(WEXITSTATUS(status), RUN_DEAD); /* nobody joined in time */
            equal(error, PORTMAP_EENDED);
        }
        check(WIFEXITED(status), "%d", status);
        if (error == 0) {
            equal(WEXITSTATUS(status), RUN_ALIVE);
            equal(life_of(&home, id), RUN_ALIVE);
            equal(atomic_load(&joined.head->life) & 3, MAP_LIVES);
            files_close(&joined);
        } else if (error == PORTMAP_EUNDECIDED) {
            equal(by, pid);
        } else {
            equal(error, PORTMAP_EENDED);
            equal(WEXITSTATUS(status), RUN_DEAD);
        }
        joins += error == 0;
        refusals += error == PORTMAP_EENDED;
    }
    check(places >= 3 && joins > 0 && refusals > 0, "%u places, %u joins, %u refusals", places, joins,
          refusals);
}

TEST("wherever a judge was killed, the next one decides, whether there are processes or not")
{
    begin();
    if (!can_trace())
        return;
    for (unsigned processes = 0; processes < 2; processes++)
        for (unsigned places = 1; places < 8; places++) {
            char path[PATH_MAX];
            struct map *run = orphan(), joined = {.fd = -1};
            int status = 0, by, error = 0;
            atomic_store(&run->head->dead_since, process_clock() - 2 * LIFE_GRACE);
            uint64_t id = leave(run, path);
            pid_t pid = start_judge(id);
            bool more = true;
            for (unsigned i = 0; i < places && more; i++)
                more = let_ask(pid, &status);
            if (!more)
                break;
            check(kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid, "%m");
            if (processes)
                error = files_join(&joined, path, &by);
            check(error == 0 || error == PORTMAP_EUNDECIDED, "%d", error);
            equal(life_settled(&home, id), processes && error == 0 ? RUN_ALIVE : RUN_DEAD);
            equal(join(path), processes && error == 0 ? 0 : PORTMAP_EENDED);
            files_close(&joined);
        }
}

/* What each of several processes found, which begin at once. */
enum { JOINERS = 3, JUDGES = JOINERS, RACERS = JOINERS + JUDGES };
enum finding { JOINED = 'j', REFUSED = 'r', DEAD = 'd', ALIVE = 'a', ODD = '?' };

struct race {
    char path[PATH_MAX]; /* of the head */
    uint64_t id;
    int start[2], finish[2], findings[2]; /* pipes; the first two are closed to say now */
    char found[RACERS];
    unsigned count;
};

static void wait_for(int fd)
{
    char byte;
    while (read(fd, &byte, 1) < 0 && errno == EINTR)
        ;
}

/* Joins, and stays until all have judged. */
static enum finding join_and_stay(const struct race *race)
{
    struct map map;
    int by, error = files_join(&map, race->path, &by);
    if (error != 0)
        return error == PORTMAP_EENDED ? REFUSED : ODD;
    wait_for(race->finish[0]);
    return (atomic_load(&map.head->life) & 3) == MAP_LIVES ? JOINED : ODD;
}

static enum finding judge(const struct race *race)
{
    enum run_state state = life_settled(&home, race->id);
    return state == RUN_DEAD ? DEAD : state == RUN_ALIVE ? ALIVE : ODD;
}

static void start_racer(const struct race *race, bool joins, unsigned late)
{
    if (fork() != 0)
        return;
    close(race->start[1]);
    close(race->finish[1]);
    wait_for(race->start[0]);
    for (volatile unsigned spin = late; spin > 0; spin--)
        ;
    char finding = (char)(joins ? join_and_stay(race) : judge(race));
    _exit(write(race->findings[1], &finding, 1) != 1);
}

static char next_finding(struct race *race)
{
    char *finding = &race->found[race->count++];
    check(race->count <= RACERS && read(race->findings[0], finding, 1) == 1, "one has found nothing");
    check(*finding != ODD, "one stays in a dead run, or was refused for another reason, or cannot judge");
    return *finding;
}

/* On one processor, who is started first or last has the advantage. */
static void run_race(struct race *race, unsigned lateness, bool joiners_first)
{
    race->count = 0;
    check(pipe(race->start) == 0 && pipe(race->finish) == 0 && pipe(race->findings) == 0, "%m");
    fflush(stdout);
    for (unsigned i = 0; i < RACERS; i++)
        start_racer(race, (i < RACERS / 2) == joiners_first, lateness > 0 ? below(lateness) : 0);
    close(race->findings[1]);
    close(race->start[0]);
    close(race->finish[0]);
    close(race->start[1]);
    for (unsigned judged = 0; judged < JUDGES;) {
        char finding = next_finding(race);
        judged += finding == DEAD || finding == ALIVE;
    }
    close(race->finish[1]);
    while (race->count < RACERS)
        next_finding(race);
    close(race->findings[0]);
    while (wait(NULL) > 0)
        ;
}

static unsigned count_of(const struct race *race, enum finding finding)
{
    unsigned count = 0;
    for (unsigned i = 0; i < RACERS; i++)
        count += race->found[i] == (char)finding;
    return count;
}

TEST("of processes that join and others that judge at once, all join and find the run alive, or none does")
{
    unsigned alive = 0, dead = 0;
    begin();
    for (unsigned round = 0; round < 150; round++) {
        struct race race;
        struct map *run = orphan();
        /* No program was executed, nor was it found with processes lately: the first who judges may decide.
         */
        atomic_store(&run->head->dead_since, process_clock() - 2 * LIFE_GRACE);
        race.id = leave(run, race.path);
        run_race(&race, round % 4 * 2000, round / 4 % 2 == 0);
        unsigned joined = count_of(&race, JOINED), refused = count_of(&race, REFUSED);
        equal(joined + refused, JOINERS);
        check((count_of(&race, DEAD) > 0) == (joined == 0), "%u joined a dead run", joined);
        check(joined == 0 || refused == 0, "%u joined, %u were refused", joined, refused);
        alive += joined > 0;
        dead += joined == 0;
    }
    check(alive > 0 && dead > 0, "it was no race: %u lived on, %u were over", alive, dead);
}
