/* shows_itself [ARGUMENT]...: prints its arguments, how it was executed and its descriptors from 3 on. Ends
 * with status 7. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/auxv.h>

int main(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        printf("%s ", argv[i]);
    printf("by %s", (const char *)getauxval(AT_EXECFN));
    for (int fd = 3; fd < 100; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            printf(" %d", fd);
    puts("");
    return 7;
}
