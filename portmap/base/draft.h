/*
 * Writing a file under a temporary name beside its own, so that nobody reads half of it.
 *
 * The temporary name is FILE.portshim-N. Who writes a draft holds a lock on it, so what a killed process has
 * left is known by being unlocked: the next one who writes the same file removes it. Where the file system
 * has no locks, it stays. Drafts of other users are left alone. Nothing here allocates.
 */
#ifndef PORTMAP_BASE_DRAFT_H
#define PORTMAP_BASE_DRAFT_H

struct draft {
    int fd; /* to write to */
    unsigned number;
};

/* Makes an empty draft of a file, with the permissions that the umask leaves, but at least its owner's. 0 or
 * a negated errno. Then call draft_install() or draft_drop(). */
int draft_open(struct draft *draft, const char *file);

/* Renames the draft to the file, over one that is there. 0, or a negated errno and the draft is removed. */
int draft_install(struct draft *draft, const char *file);

/* Removes the draft. */
void draft_drop(struct draft *draft, const char *file);

/* Removes what killed processes have left of drafts of a file. */
void draft_clear(const char *file);

#endif
