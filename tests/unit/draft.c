#include "base/draft.h"
#include "directory.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>

static void put(const char *text)
{
    struct draft draft;
    equal(draft_open(&draft, "file"), 0);
    check(write(draft.fd, text, strlen(text)) == (ssize_t)strlen(text), "%m");
    equal(draft_install(&draft, "file"), 0);
}

static bool is_there(const char *name)
{
    return access(name, F_OK) == 0;
}

TEST("a draft becomes the file, or nothing; it is the user's own whatever the umask is")
{
    struct draft draft;
    struct stat st;
    enter_new_directory();
    umask(0777);
    put("text");
    equal(system("test $(cat file) = text"), 0);
    check(stat("file", &st) == 0 && (st.st_mode & 0777) == 0600, "mode %o", st.st_mode);
    umask(022);
    put("other");
    check(stat("file", &st) == 0 && (st.st_mode & 0777) == 0644, "mode %o", st.st_mode);
    equal(draft_open(&draft, "file"), 0);
    check(is_there("file.portshim-0"), "no draft");
    draft_drop(&draft, "file");
    equal(system("test \"$(ls) $(cat file)\" = 'file other'"), 0);
}

TEST("several at once write drafts of their own, and none takes another's for left")
{
    struct draft draft[8];
    enter_new_directory();
    for (unsigned i = 0; i < 8; i++) {
        /* Beyond four, a process has but one draft of a file: others are other processes'. */
        int error = draft_open(&draft[i], "file");
        equal(error, i < 5 ? 0 : -EEXIST);
    }
    draft_clear("file");
    for (unsigned i = 0; i < 5; i++)
        equal(draft_install(&draft[i], "file"), 0);
    equal(system("test $(ls) = file"), 0);
}

TEST("what a killed process has left goes with the next draft, or when it is cleared")
{
    enter_new_directory();
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 4; i++) {
            int ready[2];
            char byte;
            check(pipe(ready) == 0, "%m");
            pid_t pid = fork();
            if (pid == 0) {
                struct draft mine[4];
                for (unsigned j = 0; j <= i; j++)
                    check(draft_open(&mine[j], "file") == 0, "%u", j);
                if (write(ready[1], "", 1) == 1)
                    pause();
                _exit(1);
            }
            check(read(ready[0], &byte, 1) == 1 && kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid,
                  "%m");
            check(is_there("file.portshim-0"), "no draft");
        }
        if (round == 0)
            put("text");
        draft_clear("file");
        equal(system("test $(ls) = file"), 0);
    }
}

TEST("what others have put in the place of a draft stays")
{
    struct draft draft;
    enter_new_directory();
    check(mkfifo("file.portshim-0", 0666) == 0 && symlink("target", "file.portshim-1") == 0, "%m");
    check(system("echo kept >target; ln target file.portshim-2; mkdir file.portshim-3") == 0, "%m");
    equal(draft_open(&draft, "file"), 0);
    check(draft.number > 3, "%u", draft.number);
    equal(draft_install(&draft, "file"), 0);
    draft_clear("file");
    equal(system("test \"$(echo *) $(cat target file.portshim-2)\" = "
                 "'file file.portshim-0 file.portshim-1 file.portshim-2 file.portshim-3 target kept\nkept'"),
          0);
}

TEST("a draft whose place has gone is an error")
{
    struct draft draft;
    char name[5000];
    enter_new_directory();
    equal(draft_open(&draft, "no/such/file"), -ENOENT);
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    equal(draft_open(&draft, name), -ENAMETOOLONG);
    equal(draft_open(&draft, "file"), 0);
    check(unlink("file.portshim-0") == 0, "%m");
    equal(draft_install(&draft, "file"), -ENOENT);
}

TEST("processes that are killed while others write never cost anybody the file")
{
    enter_new_directory();
    put("0");
    for (unsigned i = 0; i < 40; i++) {
        pid_t writers[4];
        for (unsigned j = 0; j < 4; j++) {
            writers[j] = fork();
            if (writers[j] == 0)
                for (;;)
                    put("1");
        }
        usleep(below(3000));
        kill(writers[0], SIGKILL);
        for (unsigned j = 0; j < 20; j++)
            put("2");
        for (unsigned j = 0; j < 4; j++) {
            int status;
            kill(writers[j], SIGKILL);
            waitpid(writers[j], &status, 0);
            equal(WIFSIGNALED(status) ? WTERMSIG(status) : -1, SIGKILL);
        }
        struct stat st;
        check(stat("file", &st) == 0 && st.st_size == 1, "round %u", i);
    }
    put("3");
    draft_clear("file");
    equal(system("test $(ls) = file"), 0);
}
