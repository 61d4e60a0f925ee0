/*
 * Safe paths: the only code that may touch a container's rootfs by name. Every
 * function resolves below a root descriptor with openat2(RESOLVE_IN_ROOT |
 * RESOLVE_NO_MAGICLINKS) and gives a descriptor back: a symlink of the image
 * can lead anywhere inside the root and nowhere outside it. EAGAIN, which the
 * kernel gives while somebody renames, is retried a bounded number of times.
 * tests/source-check fails the build on a raw path call in sandbox/.
 */
#ifndef CASEMATE_ROOTFS_H
#define CASEMATE_ROOTFS_H

#include <stdint.h>
#include <sys/types.h>

/* How a path is resolved; combined by or. */
enum {
	ROOTFS_NOFOLLOW = 1,	/* the last component may not be a symlink (ELOOP) */
	ROOTFS_NO_SYMLINKS = 2, /* no component may be one (ELOOP) */
};

/* Opens path below root; flags as for open(2) (O_CLOEXEC is added; O_CREAT is
 * refused here, see rootfs_create). Returns a descriptor, or -1 with errno and
 * no error record, so that callers can tell ENOENT apart. */
int rootfs_open(int root, const char *path, int flags, unsigned how);

/* Makes the directory path and its missing parents (mode before umask 0) and
 * opens it O_PATH. One that exists is opened. -1 with errno. */
int rootfs_mkdirs(int root, const char *path, mode_t mode);

/* Makes an empty regular file, parents included, unless something is there;
 * opens it O_PATH, following symlinks inside the root. -1 with errno. */
int rootfs_mkfile(int root, const char *path, mode_t mode);

/* Opens the parent directory of path below root (made where make_mode is not
 * 0), O_PATH, and points *name to the last component inside path. EINVAL for a
 * path without one ("/", "..", "."). For mknodat, symlinkat, unlinkat on the
 * descriptor. -1 with errno. */
int rootfs_parent(int root, const char *path, mode_t make_mode, const char **name);

/* Opens again what fd (O_PATH) stands for, with other flags, by openat on its
 * own descriptor directory of a procfs that is checked to be one. procfd: a
 * descriptor of /proc opened before the container was entered. -1 with errno. */
int fd_reopen(int procfd, int fd, int flags);

#endif
