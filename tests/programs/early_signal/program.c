/* Ends once the handler of library.c has bound its port; with status 1 if it could not. */
#include <signal.h>

extern volatile sig_atomic_t handled;

int main(void)
{
    while (!handled)
        ;
    return 0;
}
