/* The pool, from a variable and from a file: lease/pool.h. */
#include "fuzz.h"

#include "error.h"
#include "lease/pool.h"

static void check_pool(const struct pool *pool, int error, const struct problem *problem)
{
    must(error == 0 || error == PORTMAP_ESYNTAX);
    must(error == 0 || strnlen(problem->what, sizeof problem->what) < sizeof problem->what);
    must(error != 0 || !portbits_has(&pool->ports, 0));
    must(error != 0 || pool->count == portbits_count(&pool->ports));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct pool pool;
    struct problem problem;
    char path[32], variable[64], *list = fuzz_string(data, size);
    check_pool(&pool, pool_parse(&pool, list, "list", &problem), &problem);
    free(list);
    fuzz_file(data, size, path);
    snprintf(variable, sizeof variable, "PORTSHIM_POOL_FILE=%s", path);
    check_pool(&pool, pool_load(&pool, (char *[]){variable, NULL}, &problem), &problem);
    return 0;
}
