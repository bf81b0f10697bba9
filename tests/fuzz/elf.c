/* A program file, which the library judges before an exec, and doctor on demand: program/elf.h, versions.h.
 */
#include "fuzz.h"

#include "program/elf.h"
#include "program/versions.h"

static void check_string(const char *text, size_t size)
{
    must(strnlen(text, size) < size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[32], interpreter[256], loader[64], needed[48];
    struct versions_lack lack;
    int fd = fuzz_file(data, size, path);
    memset(interpreter, 'x', sizeof interpreter);
    memset(loader, 'x', sizeof loader);
    memset(needed, 'x', sizeof needed);
    enum program_kind kind = elf_judge(fd, interpreter, sizeof interpreter);
    must(kind <= PROGRAM_PORTSHIM);
    check_string(interpreter, sizeof interpreter);
    elf_interpreter(fd, loader, sizeof loader);
    check_string(loader, sizeof loader);
    if (elf_needs(fd, "lib", needed, sizeof needed))
        must(strncmp(needed, "lib", 3) == 0);
    if (*needed != 'x')
        check_string(needed, sizeof needed);
    elf_is_our_library(fd);
    if (versions_compare(path, "/proc/self/fd", &lack) == 1) {
        check_string(lack.file, sizeof lack.file);
        check_string(lack.version, sizeof lack.version);
    }
    return 0;
}
