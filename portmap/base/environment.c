#include "base/environment.h"

#include <string.h>
#include <sys/auxv.h>

bool environment_is_anothers(void)
{
    return getauxval(AT_SECURE) != 0;
}

const char *environment_get(char *const *env, const char *name)
{
    size_t len = strlen(name);
    for (; env != NULL && *env != NULL; env++)
        if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
            return *env + len + 1;
    return NULL;
}

const char *environment_get_nonempty(char *const *env, const char *name)
{
    const char *value = environment_is_anothers() ? NULL : environment_get(env, name);
    return value != NULL && *value != '\0' ? value : NULL;
}
