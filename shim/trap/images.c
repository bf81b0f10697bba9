#include "trap/images.h"

#include "base/text.h"
#include "run/sighting.h"
#include "trap/remote.h"
#include "trap/threads.h"
#include "trap/views.h"

#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEPT = 256 };

static struct image kept[KEPT];
static uint64_t questions;
static bool several_runs;

static struct text path_in_proc(char *path, size_t size, pid_t thread, const char *name)
{
    struct text t = text_in(path, size);
    text_str(&t, "/proc/");
    text_uint(&t, (uint64_t)thread);
    text_char(&t, '/');
    text_str(&t, name);
    return t;
}

/* Where the program finds its 16 random bytes: from proc(5), auxv, whose words are as wide as its own. */
static uint64_t find_random(const struct call *call)
{
    char path[40], content[1024];
    path_in_proc(path, sizeof path, call->thread, "auxv");
    int size = text_read_once(path, content, sizeof content);
    unsigned width = call->is_narrow ? 4 : 8;
    for (int at = 0; at + 2 * (int)width <= size; at += 2 * (int)width) {
        uint64_t key = 0, value = 0;
        memcpy(&key, content + at, width);
        memcpy(&value, content + at + width, width);
        if (key == AT_RANDOM)
            return value;
    }
    return 0;
}

static void describe(struct image *image, pid_t thread)
{
    char path[40], link[PATH_MAX];
    struct stat file;
    path_in_proc(path, sizeof path, thread, "exe");
    ssize_t len = readlink(path, link, sizeof link - 1);
    link[len < 0 ? 0 : len] = '\0';
    const char *base = strrchr(link, '/') != NULL ? strrchr(link, '/') + 1 : link;
    struct text t = text_in(image->name, sizeof image->name);
    text_str(&t, base);
    text_mark_cut(&t);
    image->program = (struct view_program){.name = image->name};
    if (stat(path, &file) == 0) {
        image->program.device = sighting_device(&file);
        image->program.inode = file.st_ino;
    }
}

static struct image *find(const unsigned char *id, const struct call *call)
{
    struct image *oldest = &kept[0];
    for (unsigned i = 0; i < KEPT; i++) {
        if (kept[i].used != 0 && memcmp(kept[i].id, id, IMAGE_ID_SIZE) == 0)
            return &kept[i];
        if (kept[i].used < oldest->used)
            oldest = &kept[i];
    }
    *oldest = (struct image){.view = views_own()};
    memcpy(oldest->id, id, IMAGE_ID_SIZE);
    describe(oldest, call->thread);
    if (several_runs)
        oldest->view = views_of(call->thread);
    return oldest;
}

static bool read_id(const struct call *call, uint64_t at, unsigned char id[static IMAGE_ID_SIZE])
{
    return at != 0 && remote_read(call, at, id, IMAGE_ID_SIZE) == 0;
}

static struct image *look_up(const struct call *call)
{
    unsigned char id[IMAGE_ID_SIZE];
    struct thread *thread = threads_find(call->thread);
    if (thread == NULL)
        return NULL;
    struct image *image = thread->image;
    if (image == NULL || !read_id(call, thread->random_at, id) || memcmp(image->id, id, sizeof id) != 0) {
        thread->random_at = find_random(call);
        image = read_id(call, thread->random_at, id) ? find(id, call) : NULL;
        thread->image = image;
    }
    if (image != NULL)
        image->used = ++questions;
    return image;
}

/* Looked up once for a call, however often that is asked about. */
struct image *image_of(const struct call *call)
{
    static struct image *last;
    static uint64_t last_id; /* of a call; no listener gives 0 */
    if (call->id == 0 || call->id != last_id) {
        last = look_up(call);
        last_id = call->id;
    }
    return last;
}

void images_look_for_runs(void)
{
    several_runs = true;
}

void images_forget(const struct view *view)
{
    for (unsigned i = 0; i < KEPT; i++)
        if (kept[i].view == view)
            kept[i] = (struct image){.view = views_own()};
}

struct view *image_view(const struct call *call)
{
    const struct image *image = several_runs ? image_of(call) : NULL;
    struct view *view = image != NULL ? image->view : views_own();
    view->pid = call->thread;
    return view;
}

void image_note_trapped(const struct call *call)
{
    struct image *image = image_of(call);
    if (image == NULL || image->has_library || image->is_exempt || image->is_noted)
        return;
    image->is_noted = true;
    const struct view_program *program = &image->program;
    for (unsigned i = 0; image->view->map[i] != NULL; i++)
        sighting_note(image->view->map[i],
                      (struct sighting){.kind = SIGHTING_TRAPPED,
                                        .program = sighting_program(image->view->map[i], program->device,
                                                                    program->inode, program->name)});
}

void image_tell_program(const struct call *call)
{
    const struct image *image = image_of(call);
    struct view *view = image_view(call);
    view->program = image != NULL ? image->program : (struct view_program){.name = "a program"};
}
