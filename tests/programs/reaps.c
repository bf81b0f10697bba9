/* Waits for all children, of which it has one, as the first process of a container does before it ends. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    int children = 0;
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    while (wait(NULL) > 0)
        children++;
    printf("process %d: %d\n", (int)getpid(), children);
    return 0;
}
