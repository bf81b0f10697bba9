/*
 * Where large objects lie: behind all small ones. Every program of a run touches the small ones when it
 * starts, which then takes one or two pages of memory and not one for each of them.
 */
#ifndef SHIM_PROCESS_APART_H
#define SHIM_PROCESS_APART_H

/* Before the definition of an object that is not static, has no initializer and is larger than a page. The
 * linker puts "common" objects at the end. */
#define APART __attribute__((common))

/* Before the definition of the one large object of which a start touches the beginning. That lies right
 * behind the small objects, mostly in their page. (The linker puts sections of this name behind .bss.) */
#define BEHIND_SMALL __attribute__((section(".bss.behind")))

#endif
