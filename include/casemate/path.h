/*
 * Paths as text: no system call, no trust. Whether a name leads where it says
 * is for casemate/rootfs.h and the descriptors to tell. Everybody may call it.
 */
#ifndef CASEMATE_PATH_H
#define CASEMATE_PATH_H

#include <stdbool.h>

#include "casemate/mem.h"

/* Is path the directory top or below it? By whole components, never by prefix
 * ("/etcetera" is not below "/etc"); a slash at the end of top is no matter. */
bool path_is_below(const char *path, const char *top);

/* The same path without empty components, "." and a slash at the end; ".." is
 * left as it is. In the arena. */
const char *path_clean(struct arena *a, const char *path);

#endif
