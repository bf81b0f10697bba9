#include "process/next.h"

#include "process/loaded.h"
#include "process/supervised.h"

struct next next_functions;

/* In the order of struct next. One string needs no relocation at each start. */
static const char names[] =
#define NEXT(name, result, parameters) #name "\0"
#define LOADER(name, result, parameters) #name "\0"
#include "process/interposed.h"
    ;

void *next_find(size_t offset)
{
    const char *name = names;
    for (size_t before = offset / sizeof(void *); before > 0; before--)
        while (*name++ != '\0')
            ;
    void *function = loaded_next_function(name);
    if (atomic_load(&supervised_state) != SUPERVISED_NOT)
        function = supervised_way(offset, name, function);
    /* Other threads and signal handlers store the same. */
    __atomic_store_n((void **)((char *)&next_functions + offset), function, __ATOMIC_RELAXED);
    return function;
}
