/* The version of the oldest symbols of libc. */
#ifdef __i386__
#define BASE_VERSION "GLIBC_2.0"
#elif defined __x86_64__
#define BASE_VERSION "GLIBC_2.2.5"
#else
#define BASE_VERSION "GLIBC_2.17"
#endif
