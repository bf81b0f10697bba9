/* Which run a person means by a word: run/find.h. */
#include "places.h"

#include "error.h"
#include "run/find.h"
#include "run/name.h"
#include "run/publish.h"

#include <errno.h>
#include <sys/stat.h>

static struct home home;
static struct map *run;
static char run_path[PATH_MAX];

static void begin(void)
{
    enter_new_directory();
    home = new_home("home");
    run = new_run(&home);
    equal(rundir_path(&home, run->head->run_id, run_path), 0);
}

/* The word means the run. */
static void check_found(const char *word)
{
    char path[PATH_MAX];
    uint64_t id = 0;
    int error = find_run(&home, word, path, &id);
    check(error == 0 && id == run->head->run_id, "%s: %d", word, error);
    equal_text(path, run_path);
}

static int error_of(const char *word)
{
    char path[PATH_MAX];
    uint64_t id;
    return find_run(&home, word, path, &id);
}

TEST("a run is found by its name, and by its directory in whatever way that is written")
{
    begin();
    equal(name_claim(&home, "web", run->head->run_id), 0);
    check_found("web");
    check_found(run_path);
    check_found(in_directory("home/runs/../runs//%s///", strrchr(run_path, '/') + 1));
    symlink("home", in_directory("link"));
    check_found(in_directory("link/runs/%s", strrchr(run_path, '/') + 1));
}

TEST("a run is found by its id, which is the last part of its directory, as long as that is there")
{
    begin();
    check_found(strrchr(run_path, '/') + 1);
    equal(error_of("0123456789abcd"), PORTMAP_ENORUN);
    equal(name_claim(&home, "0123456789abcd", run->head->run_id), 0); /* may be a name, too */
    check_found("0123456789abcd");
}

TEST("a run is found by a map file of each format")
{
    static const char *const files[] = {"plain", "map.env", "map.json"};
    const char *failed;
    begin();
    assign(run, 8080, 20000, PORTMAP_BOTH);
    for (unsigned i = 0; i < 3; i++)
        add_text(run, TEXT_FILE, in_directory("%s", files[i]));
    equal(publish_files(run, run_path, PUBLISH_FIRST, &failed), 0);
    for (unsigned i = 0; i < 3; i++)
        check_found(in_directory("%s", files[i]));
}

TEST("a name is looked for first, whatever file has it")
{
    begin();
    equal(name_claim(&home, "web", run->head->run_id), 0);
    write_text("web", "something else\n");
    check_found("web");
    equal(error_of("./web"), PORTMAP_ESYNTAX);
}

TEST("what is no run says why")
{
    begin();
    struct home another = new_home("another");
    struct map *foreign = new_run(&another);
    char path[PATH_MAX];
    rundir_path(&another, foreign->head->run_id, path);
    check(mkdir("web", 0700) == 0, "%m");
    equal(error_of("nobody"), PORTMAP_ENORUN);
    equal(error_of("no/such/file"), PORTMAP_ENORUN);
    equal(error_of("web"), PORTMAP_ENORUN); /* as a run that is to come may have that name */
    equal(error_of("./web"), PORTMAP_ESYNTAX);
    equal(error_of(path), PORTMAP_EFOREIGN);
    write_text("map", "# portshim /tmp\n8080 20000\n");
    equal(error_of("./map"), PORTMAP_ESYNTAX);
    equal(error_of("/dev/null"), PORTMAP_ENOTFILE);
}

TEST("a file of one's own is not another user's, nor is what no run can be named by")
{
    begin();
    write_text(in_directory("mine"), "# portshim /tmp\n");
    symlink("mine", in_directory("link"));
    check(!find_is_anothers_file(in_directory("mine")) && !find_is_anothers_file(in_directory("link")),
          "mine");
    check(!find_is_anothers_file(in_directory("none")) && !find_is_anothers_file(directory), "no file");
}

TEST("another user's file is told, and a link that another user has laid to one's own")
{
    enum { SOMEBODY = 4711 };
    begin();
    write_text(in_directory("mine"), "# portshim /tmp\n");
    write_text(in_directory("theirs"), "# portshim /tmp\n");
    write_text(in_directory("empty"), "");
    symlink("mine", in_directory("link"));
    if (chown(in_directory("theirs"), SOMEBODY, (gid_t)-1) != 0) /* only root may */
        return;
    check(lchown(in_directory("link"), SOMEBODY, (gid_t)-1) == 0, "%m");
    symlink("theirs", in_directory("to-theirs"));
    check(chown(in_directory("empty"), SOMEBODY, (gid_t)-1) == 0, "%m");
    check(find_is_anothers_file(in_directory("theirs")), "the file");
    check(find_is_anothers_file(in_directory("to-theirs")), "what the link leads to");
    check(find_is_anothers_file(in_directory("link")), "the link");
    check(!find_is_anothers_file(in_directory("empty")), "it names no run");
}
