/* Makes system calls that portshim does not rewrite by libc's syscall(), with up to six arguments. */
#include "show.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void)
{
    FILE *file = tmpfile();
    int fd = fileno(file);
    char text[16] = {0};
    fputs("0123456789abcdef", file);
    must(ftruncate(fd, 8192) < 0 ? -1 : fflush(file), "file");
    must((int)pwrite(fd, "second page", 11, 4096), "pwrite");
    char *page = (char *)syscall(SYS_mmap, NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 4096);
    printf("mmap with an offset: %s\n", page);
    off_t from = 2, to = 5000;
    int other = must(open("/dev/null", O_RDWR), "open");
    printf("six arguments:");
    show_result(syscall(SYS_copy_file_range, fd, &from, fd, &to, 4, 0));
    show_result(syscall(SYS_pread64, fd, text, 4, 5000));
    printf(" %s, flags refused:", text);
    show_result(syscall(SYS_copy_file_range, fd, &from, fd, &to, 4, ~0U));
    printf("\nno such call:");
    show_result(syscall(100000));
    printf("\nbad descriptor:");
    show_result(syscall(SYS_close, -1));
    printf("\nno arguments:");
    errno = 0;
    show_success(syscall(SYS_getpid) == getpid() ? 0 : -1);
    printf(" errno %d\n", errno);
    close(other);
    return 0;
}
