/*
 * replay FILE...: gives the content of each file to a fuzz target, once. It links in libFuzzer's place, so
 * that the suite needs no clang.
 */
#include "fuzz.h"

static void replay(const char *path)
{
    static uint8_t data[1 << 16];
    FILE *file = fopen(path, "rb");
    must(file != NULL);
    size_t size = fread(data, 1, sizeof data, file);
    must(size < sizeof data && !ferror(file));
    fclose(file);
    uint8_t *copy = malloc(size); /* what is read behind it is noticed under a sanitizer and valgrind */
    must(copy != NULL || size == 0);
    if (size > 0)
        memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        replay(argv[i]);
    printf("%d inputs\n", argc - 1);
    return argc > 1 ? 0 : 1;
}
