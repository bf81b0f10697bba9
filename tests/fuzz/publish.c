/* A map file, which another user may have written: run/publish.h. */
#include "fuzz.h"

#include "run/publish.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char file[32], path[PATH_MAX];
    fuzz_file(data, size, file);
    for (size_t room = 1; room <= sizeof path; room = room < 64             ? room + 21
                                                      : room == sizeof path ? room + 1
                                                                            : sizeof path) {
        memset(path, 'x', sizeof path);
        if (publish_read_run(file, path, room) != 0)
            continue;
        size_t len = strnlen(path, room);
        must(len < room && *path == '/' && memmem(data, size, path, len) != NULL);
    }
    return 0;
}
