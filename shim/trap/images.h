/*
 * The programs that trapped threads run, as far as it matters for their calls.
 */
#ifndef SHIM_TRAP_IMAGES_H
#define SHIM_TRAP_IMAGES_H

#include "rules/view.h"
#include "trap/call.h"

#include <limits.h>

enum { IMAGE_ID_SIZE = 16 };

struct image {
    unsigned char id[IMAGE_ID_SIZE]; /* AT_RANDOM's bytes; see trap/threads.h */
    uint64_t used;                   /* when last, to find the one to forget */
    bool has_library;                /* ours, which translates what it passes on */
    bool is_exempt;                  /* the command portshim, or a program with PORTSHIM=0 */
    bool is_noted;                   /* as trapped: image_note_trapped() */
    unsigned unlisted;               /* the port that was noted last for being no placeholder */
    struct view *view;               /* of its run */
    struct view_program program;     /* for sightings; name points to `name` */
    char name[64];
};

/* The image of the calling thread; NULL when it cannot be told. Valid until the next question. */
struct image *image_of(const struct call *call);

/* From now on, a program that is new here is asked for its run (trap/views.h): it may be another one than the
 * supervisor's. */
void images_look_for_runs(void);

/* Forgets all programs whose run has the view: it has ended (views_ended()). */
void images_forget(const struct view *view);

/* The view of the run that the calling process belongs to, with the process filled in for the log. */
struct view *image_view(const struct call *call);

/* Fills in that view's program, for sightings (rules/seen.h). */
void image_tell_program(const struct call *call);

/* Notes in the map that the program of the call is wrapped by the trap, once, unless our library is in it.
 * Who has started it may not have noted that: the trap goes on to all that a program starts. */
void image_note_trapped(const struct call *call);

#endif
