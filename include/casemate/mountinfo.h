/*
 * What is mounted where: /proc/self/mountinfo, parsed. It only tells; nothing
 * may be mounted or opened by a path from here that was not checked otherwise.
 * cgroup/ and container/ call it.
 */
#ifndef CASEMATE_MOUNTINFO_H
#define CASEMATE_MOUNTINFO_H

#include <stddef.h>

#include "casemate/mem.h"

/* One line, see proc_pid_mountinfo(5); octal escapes are undone. */
struct mount_entry {
	int id;
	unsigned major, minor; /* of the file system */
	const char *root;      /* which part of the file system is mounted */
	const char *point;     /* where, below the root of this process */
	const char *type;      /* "cgroup2" */
	const char *super;     /* options of the superblock: "rw,cpu,cpuacct" */
};
struct mountinfo {
	struct mount_entry *v;
	size_t n, cap;
};

/* Reads the mounts of this process. -1 with error. */
int mountinfo_read(struct arena *a, struct mountinfo *out);
/* The same from a text; lines that are none are left out. */
void mountinfo_parse(struct arena *a, const char *text, struct mountinfo *out);
/* Undoes the octal escapes of a field, in place; the options of a superblock
 * still have theirs, since a comma in a value is written so, too. Returns s. */
const char *mountinfo_unescape(char *s);
/* The mount with this id (statx(2), STATX_MNT_ID), or NULL. */
const struct mount_entry *mountinfo_find(const struct mountinfo *m, int id);

/* All names that a file has: path is one of them, in the mount at. The file
 * may be seen through other mounts of its file system (bind mounts, a volume
 * that is one), and what is in a directory may be mounted elsewhere; each of
 * these names is added to out, path first; those that are in it are not again. */
void mountinfo_names(struct arena *a, const struct mountinfo *m, const struct mount_entry *at,
		     const char *path, struct strv *out);

#endif
