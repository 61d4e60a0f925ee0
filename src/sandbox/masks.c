/*
 * maskedPaths and readonlyPaths. A file is covered by the container's own
 * /dev/null, which is looked at first (CVE-2025-31133: a /dev/null that the
 * image exchanged), a directory by an empty read-only tmpfs. Then each is read
 * back by its name.
 */
#include <errno.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "internal.h"

static bool is_null(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3);
}

/* Not there is as good as masked. */
static bool is_missing(int errnum)
{
	return errnum == ENOENT || errnum == ENOTDIR;
}

static int clone_null(struct setup *s)
{
	struct stat st;
	_fd_ int null = rootfs_open(s->root, "/dev/null", O_PATH, ROOTFS_NO_SYMLINKS);

	if (null < 0 || fstat(null, &st) < 0)
		return fail(errno, "cannot open the container's /dev/null");
	if (!is_null(&st))
		return fail(EPERM, "the container's /dev/null is not the null device");
	int fd = open_tree(null, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	return fd < 0 ? fail(errno, "cannot clone the container's /dev/null") : fd;
}

/* The first empty directory is made, the others are clones of it. */
static int clone_empty(struct setup *s, int *empty)
{
	struct spec_mount m = {.type = "tmpfs", .source = "tmpfs"};

	if (*empty >= 0) {
		int fd = open_tree(*empty, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

		return fd < 0 ? fail(errno, "cannot clone the empty folder") : fd;
	}
	strv_add(s->spec->arena, &m.opt.data, "mode=755");
	strv_add(s->spec->arena, &m.opt.data, "nr_inodes=2");
	_fd_ int dir = rootfs_open(s->root, "/", O_PATH, 0);
	_fd_ int fd = fs_make(&m, s->spec->mount_label, dir);
	if (fd < 0)
		return -1;
	if (mount_attr(fd, false,
		       MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
		       0, 0) < 0)
		return fail(errno, "cannot make the empty folder read-only");
	*empty = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return *empty < 0 ? fail(errno, "dup") : fd_take(&fd);
}

static int mask(struct setup *s, const char *path, int *empty)
{
	struct stat st;
	struct statfs fs;
	_fd_ int dest = rootfs_open(s->root, path, O_PATH, 0);

	if (dest < 0)
		return is_missing(errno) ? 0 : fail(errno, "cannot open");
	if (fstat(dest, &st) < 0)
		return fail(errno, "cannot look at it");
	bool dir = S_ISDIR(st.st_mode);
	_fd_ int tree = dir ? clone_empty(s, empty) : clone_null(s);
	if (tree < 0)
		return -1;
	if (mount_attach(tree, dest) < 0)
		return fail(errno, "cannot mask");
	_fd_ int now = rootfs_open(s->root, path, O_PATH, 0);
	if (now < 0 || fstat(now, &st) < 0 || fstatfs(now, &fs) < 0)
		return fail(errno, "cannot look at the mask");
	if (dir ? fs.f_type != TMPFS_MAGIC || !(fs.f_flags & ST_RDONLY) : !is_null(&st))
		return fail(EPERM, "is not masked after it was done");
	return 0;
}

static int make_readonly(struct setup *s, const char *path)
{
	struct statfs fs;
	_fd_ int dest = rootfs_open(s->root, path, O_PATH, 0);

	if (dest < 0)
		return is_missing(errno) ? 0 : fail(errno, "cannot open");
	_fd_ int tree = open_tree(
		dest, "", AT_EMPTY_PATH | AT_RECURSIVE | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0 || mount_attr(tree, true, MOUNT_ATTR_RDONLY, 0, 0) < 0 ||
	    mount_attach(tree, dest) < 0)
		return fail(errno, "cannot make it read-only");
	_fd_ int now = rootfs_open(s->root, path, O_PATH, 0);
	if (now < 0 || fstatfs(now, &fs) < 0)
		return fail(errno, "cannot look at the mount");
	if (!(fs.f_flags & ST_RDONLY))
		return fail(EPERM, "is not read-only after it was done");
	return 0;
}

int masks_apply(struct setup *s)
{
	const struct strv *readonly = &s->spec->readonly_paths, *masked = &s->spec->masked_paths;
	_fd_ int empty = -1;

	for (size_t i = 0; i < readonly->n; i++)
		if (make_readonly(s, readonly->v[i]) < 0)
			return fail_in("linux.readonlyPaths[%zu] (%s)", i, readonly->v[i]);
	for (size_t i = 0; i < masked->n; i++)
		if (mask(s, masked->v[i], &empty) < 0)
			return fail_in("linux.maskedPaths[%zu] (%s)", i, masked->v[i]);
	return 0;
}
