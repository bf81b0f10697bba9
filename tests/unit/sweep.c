/* What becomes of what a dead run leaves, and when it is dead: run/sweep.h, run/rundir.h, run/life.h. */
#include "network.h"
#include "places.h"

#include "run/leases.h"
#include "run/life.h"
#include "run/sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>

static struct home home;
static struct lease_table leases;

static void begin(void)
{
    enter_own_network();
    enter_new_directory();
    home = new_home("home");
    equal(leases_open(&leases, &home), 0);
}

/* A run whose starter has ended, and in which nothing was executed. */
static struct map *new_orphan(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    check(child > 0 && waitpid(child, NULL, 0) == child, "%m");
    struct map *map = new_run(&home);
    map->head->starter = child;
    map->head->net_namespace = process_net_namespace();
    atomic_store(&map->head->ready, 1);
    return map;
}

static void lease(struct map *map, unsigned placeholder, unsigned real)
{
    equal(map_assign(map, placeholder, real, PORTMAP_BOTH << MAP_PROTOCOLS_SHIFT), 0);
    check(lease_transfer(&leases, real, 0, lease_run_owner(map->head->run_id)), "port %u", real);
}

static int bound(int type, unsigned port)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    int fd = socket(AF_INET6, type, 0);
    check(fd >= 0 && bind(fd, (struct sockaddr *)&any, sizeof any) == 0, "%m");
    return fd;
}

static void wait_for_grace(void)
{
    const struct timespec grace = {.tv_sec = LIFE_GRACE / 1000000000, .tv_nsec = 20000000};
    nanosleep(&grace, NULL);
}

TEST("a run lives while a process has its head mapped, or its starter lives, and no longer")
{
    begin();
    struct map *map = new_orphan();
    uint64_t id = map->head->run_id;
    equal(life_of(&home, id), RUN_ALIVE);
    int ends[2];
    char byte;
    check(pipe(ends) == 0, "%m");
    pid_t child = fork();
    if (child == 0) {
        close(ends[1]);
        _exit(read(ends[0], &byte, 1) == 0 ? 0 : 1);
    }
    drop_map(map);
    equal(life_of(&home, id), RUN_ALIVE);
    close(ends[1]);
    waitpid(child, NULL, 0);
    equal(life_of(&home, id), RUN_DEAD);
    equal(life_of(&home, id), RUN_DEAD);
    equal(life_of(&home, id + 1), RUN_GONE);
    map = new_orphan();
    id = map->head->run_id;
    map->head->starter = getpid();
    map->head->starter_start_time = process_start_time(getpid());
    drop_map(map);
    equal(life_of(&home, id), RUN_ALIVE);
}

TEST("when a program was executed, or one started that does not join, two looks are needed")
{
    begin();
    struct map *executed = new_orphan(), *unreached = new_orphan(), *torn = new_orphan();
    struct map *maps[] = {executed, unreached, torn};
    uint64_t ids[3];
    map_note_exec(executed);
    map_note_unreached(unreached);
    for (unsigned i = 0; i < 3; i++) {
        char notes[PATH_MAX];
        ids[i] = maps[i]->head->run_id;
        equal(rundir_path(&home, ids[i], notes), 0);
        strcat(notes, "/map");
        if (maps[i] == torn)
            check(unlink(notes) == 0, "%m");
        drop_map(maps[i]);
        equal(life_of(&home, ids[i]), RUN_DYING);
        equal(life_of(&home, ids[i]), RUN_DYING);
    }
    wait_for_grace();
    for (unsigned i = 0; i < 3; i++)
        equal(life_of(&home, ids[i]), RUN_DEAD);
}

TEST("a process that joins between two looks begins the grace anew, even if it was not seen")
{
    begin();
    struct map *map = new_orphan(), joined;
    uint64_t id = map->head->run_id;
    char run[PATH_MAX], head[PATH_MAX];
    int judge;
    equal(rundir_path(&home, id, run), 0);
    map_note_exec(map);
    drop_map(map);
    equal(life_of(&home, id), RUN_DYING);
    equal(files_join_own(&joined, run, head, &judge), 0);
    map_log(&joined, MAP_EVENT_ATTACH, getpid(), 0, 0, 0); /* as the library does */
    files_close(&joined);
    wait_for_grace();
    equal(life_of(&home, id), RUN_DYING);
    wait_for_grace();
    equal(life_of(&home, id), RUN_DEAD);
}

TEST("a socket on one of its ports keeps a run alive: TCP, UDP, listening or not; one in TIME_WAIT does not")
{
    enum { PORT = 31000 };
    begin();
    check(system("ip link set lo up") == 0, "no ip(8)");
    struct map *map = new_orphan();
    uint64_t id = map->head->run_id;
    lease(map, 80, PORT);
    drop_map(map);
    for (unsigned i = 0; i < 3; i++) {
        int fd = bound(i == 0 ? SOCK_DGRAM : SOCK_STREAM, PORT);
        if (i == 2)
            check(listen(fd, 1) == 0, "%m");
        equal(life_of(&home, id), RUN_ALIVE);
        close(fd);
    }
    int listener = bound(SOCK_STREAM, PORT), client = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 here = {
        .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback, .sin6_port = htons(PORT)};
    check(listen(listener, 1) == 0 && connect(client, (struct sockaddr *)&here, sizeof here) == 0, "%m");
    int accepted = accept(listener, NULL, NULL);
    close(listener);
    equal(life_of(&home, id), RUN_ALIVE); /* a server that serves its last client */
    close(accepted);
    close(client);
    /* The kernel may need a moment to exchange the last packets; TIME_WAIT is a minute. */
    for (unsigned tries = 0; tries < 300 && life_of(&home, id) == RUN_ALIVE; tries++)
        usleep(100000);
    equal(life_of(&home, id), RUN_DEAD);
    equal(sweep_runs(&home, &leases, SWEEP_SOME).freed, 1);
    equal(lease_holder(&leases, PORT), 0);
}

TEST("with many ports one look at all sockets tells")
{
    enum { FIRST = 20000, PORTS = 300 };
    begin();
    struct map *map = new_orphan();
    uint64_t id = map->head->run_id;
    for (unsigned i = 0; i < PORTS; i++)
        lease(map, 1000 + i, FIRST + i);
    drop_map(map);
    int fd = bound(SOCK_DGRAM, FIRST + PORTS / 2);
    equal(life_of(&home, id), RUN_ALIVE);
    close(fd);
    fd = bound(SOCK_STREAM, FIRST + PORTS - 1);
    equal(life_of(&home, id), RUN_ALIVE);
    close(fd);
    fd = bound(SOCK_STREAM, FIRST + PORTS);
    equal(life_of(&home, id), RUN_DEAD);
    close(fd);
    struct sweep swept = sweep_runs(&home, &leases, SWEEP_SOME);
    equal(swept.freed, PORTS);
    equal(swept.removed, 1);
    equal(life_of(&home, id), RUN_GONE);
}

TEST("who may join while others judge is not refused later, and a run that is refused is not joined")
{
    enum { ROUNDS = 300, JUDGES = 3, JOINERS = 3 };
    begin();
    fflush(stdout);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct map *map = new_orphan();
        uint64_t id = map->head->run_id;
        char run[PATH_MAX], head[PATH_MAX];
        int start[2], status, bad = 0;
        char byte;
        equal(rundir_path(&home, id, run), 0);
        check(pipe(start) == 0, "%m");
        drop_map(map);
        for (unsigned i = 0; i < JUDGES + JOINERS; i++)
            if (fork() == 0) {
                struct map joined;
                int judge;
                close(start[1]);
                if (read(start[0], &byte, 1) != 0)
                    _exit(1);
                if (i < JUDGES) {
                    for (unsigned looks = 0; looks < 20; looks++)
                        life_of(&home, id);
                    _exit(0);
                }
                if (files_join_own(&joined, run, head, &judge) != 0)
                    _exit(0);
                for (unsigned looks = 0; looks < 200; looks++)
                    if (map_life_state(atomic_load(&joined.head->life)) == MAP_DEAD)
                        _exit(1);
                _exit(life_of(&home, id) != RUN_ALIVE);
            }
        close(start[0]);
        close(start[1]); /* now */
        while (wait(&status) > 0)
            bad += status != 0;
        equal(bad, 0);
        equal(life_of(&home, id), RUN_DEAD);
        struct map late;
        int judge;
        check(files_join_own(&late, run, head, &judge) != 0, "joined a dead run");
        struct vacancy vacancy;
        sweep_turn(&home, &leases, &vacancy);
        rundir_remove(&home, &vacancy.dir);
    }
}

TEST("what was not decided by a judge who was killed, the next one decides")
{
    begin();
    struct map *map = new_orphan();
    uint64_t id = map->head->run_id;
    atomic_store(&map->head->life, id << MAP_LIFE_BITS | MAP_DECIDING);
    equal(life_of(&home, id), RUN_ALIVE);
    equal(map_life_state(atomic_load(&map->head->life)), MAP_LIVES);
    atomic_store(&map->head->life, id << MAP_LIFE_BITS | MAP_DECIDING);
    drop_map(map);
    equal(life_of(&home, id), RUN_DEAD);
}

TEST("the run that was made last is looked at in each turn, so that its grace begins")
{
    begin();
    struct map *dead = new_orphan(), *last = new_orphan();
    struct vacancy vacancy;
    struct life_judge judge = {0};
    uint64_t id = last->head->run_id, position;
    map_note_exec(last);
    drop_map(dead);
    do {
        lease_set_last_run(&leases, 0);
        position = lease_sweep_position(&leases);
        sweep_turn(&home, &leases, &vacancy);
    } while (vacancy.dir.fd < 0);
    rundir_unlock(&vacancy.dir);
    drop_map(last);
    lease_set_last_run(&leases, id);
    lease_set_sweep_position(&leases, position); /* of the dead one */
    sweep_turn(&home, &leases, &vacancy);
    check(vacancy.dir.fd >= 0, "none");
    rundir_unlock(&vacancy.dir);
    wait_for_grace();
    struct life_look look = life_look(&home, id, &judge);
    equal(look.state, RUN_DEAD);
    life_look_away(&look);
}

TEST("a turn passes over runs that are just dying, to find a dead one")
{
    enum { DYING = 3 };
    begin();
    struct map *dead = new_orphan(), *dying[DYING];
    struct vacancy vacancy;
    for (unsigned i = 0; i < DYING; i++) {
        dying[i] = new_orphan();
        map_note_exec(dying[i]);
        drop_map(dying[i]);
    }
    drop_map(dead);
    sweep_turn(&home, &leases, &vacancy);
    check(vacancy.dir.fd >= 0, "none");
    rundir_unlock(&vacancy.dir);
}

TEST("a turn offers one dead run's directory, locked, and no living one's")
{
    begin();
    struct map *living = new_run(&home), *dead = new_orphan();
    uint64_t id = dead->head->run_id, another;
    struct vacancy vacancy, none;
    lease(dead, 80, 31000);
    drop_map(dead);
    sweep_turn(&home, &leases, &vacancy);
    if (vacancy.dir.fd < 0) /* the turn was the living one's */
        sweep_turn(&home, &leases, &vacancy);
    check(vacancy.dir.fd >= 0, "none");
    equal(vacancy.dir.entry.run_id, id);
    equal(lease_holder(&leases, 31000), 0);
    struct rundir dir;
    equal(rundir_lock(&home, &vacancy.dir.entry, &dir), -EWOULDBLOCK);
    sweep_turn(&home, &leases, &none);
    equal(none.dir.fd, -1);
    equal(sweep_runs(&home, &leases, SWEEP_ALL).removed, 0);
    equal(rundir_new_id(&another), 0);
    equal(rundir_rename(&home, &vacancy.dir, another), 0);
    equal(life_of(&home, id), RUN_GONE);
    rundir_unlock(&vacancy.dir);
    /* Its files name another run: its maker was killed. */
    equal(life_of(&home, another), RUN_DEAD);
    equal(sweep_runs(&home, &leases, SWEEP_ALL).removed, 1);
    equal(life_of(&home, living->head->run_id), RUN_ALIVE);
}

TEST("turns come to every run, however many there are")
{
    enum { LIVING = 60, DEAD = 40 };
    begin();
    for (unsigned i = 0; i < LIVING; i++)
        new_run(&home);
    for (unsigned i = 0; i < DEAD; i++) {
        struct map *map = new_orphan();
        lease(map, 80, 31000 + i);
        drop_map(map);
    }
    for (unsigned i = 0; i < LIVING + DEAD; i++)
        sweep_turn(&home, &leases, NULL);
    for (unsigned i = 0; i < DEAD; i++)
        equal(lease_holder(&leases, 31000 + i), 0);
    struct sweep left = sweep_runs(&home, &leases, SWEEP_ALL);
    equal(left.removed, 0);
    lease_set_sweep_position(&leases, UINT64_C(0x3635343332313039)); /* as older versions left it */
    struct map *map = new_orphan();
    lease(map, 80, 31000);
    drop_map(map);
    for (unsigned i = 0; i < LIVING + 1; i++)
        sweep_turn(&home, &leases, NULL);
    equal(lease_holder(&leases, 31000), 0);
}

TEST(
    "leases that a run's head does not have are given back when its maker has died, or its directory is gone")
{
    begin();
    struct map *map = new_orphan();
    atomic_store(&map->head->ready, 0);
    check(lease_transfer(&leases, 31000, 0, lease_run_owner(map->head->run_id)), "not leased");
    check(lease_transfer(&leases, 31001, 0, lease_run_owner(4711)), "not leased");
    drop_map(map);
    sweep_runs(&home, &leases, SWEEP_SOME);
    equal(lease_holder(&leases, 31000), 0);
    check(lease_holder(&leases, 31001) != 0, "freed");
    int fd = bound(SOCK_STREAM, 31001);
    sweep_runs(&home, &leases, SWEEP_ALL);
    check(lease_holder(&leases, 31001) != 0, "freed");
    close(fd);
    sweep_runs(&home, &leases, SWEEP_ALL);
    equal(lease_holder(&leases, 31001), 0);
}

TEST("a run of another network namespace is judged by its locks alone")
{
    begin();
    struct map *map = new_orphan();
    uint64_t id = map->head->run_id;
    map->head->net_namespace++;
    lease(map, 80, 31000);
    int fd = bound(SOCK_STREAM, 31000);
    equal(life_of(&home, id), RUN_ALIVE);
    drop_map(map);
    equal(life_of(&home, id), RUN_DEAD);
    close(fd);
}

TEST("a draft that is removed before its maker has locked it is made again")
{
    enum { ROUNDS = 200 };
    begin();
    fflush(stdout);
    pid_t sweeper = fork();
    if (sweeper == 0)
        for (;;)
            sweep_runs(&home, &leases, SWEEP_SOME);
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct rundir dir;
        equal(rundir_create(&home, &dir), 0);
        rundir_remove(&home, &dir);
    }
    kill(sweeper, SIGKILL);
    waitpid(sweeper, NULL, 0);
}
