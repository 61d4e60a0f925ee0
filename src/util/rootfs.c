/* Paths below a root that somebody else made: openat2 and nothing else. */
#include "casemate/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "casemate/fd.h"

/* A rename or mount anywhere on the system makes openat2 give EAGAIN while it
 * passes ".."; a container that renames all the time must not win forever. */
enum { EAGAIN_TRIES = 128 };

static int open_in_root(int root, const char *path, uint64_t flags, uint64_t mode, unsigned how)
{
	struct open_how h = {
		/* openat2 refuses with O_PATH what open(2) ignores. */
		.flags = flags | O_CLOEXEC | (flags & O_PATH ? 0 : O_NOCTTY),
		.mode = mode,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	long fd;

	if (how & ROOTFS_NOFOLLOW)
		h.flags |= O_NOFOLLOW;
	if (how & ROOTFS_NO_SYMLINKS)
		h.resolve |= RESOLVE_NO_SYMLINKS;
	for (int i = 0; i < EAGAIN_TRIES; i++) {
		fd = syscall(SYS_openat2, root, path, &h, sizeof(h));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return (int)fd;
}

int rootfs_open(int root, const char *path, int flags, unsigned how)
{
	if (flags & O_CREAT || path[0] == '\0') {
		errno = EINVAL;
		return -1;
	}
	_fd_ int fd = open_in_root(root, path, (uint64_t)flags, 0, how);
	if (fd < 0)
		return -1;
	/* O_PATH|O_NOFOLLOW opens the symlink itself; the contract is ELOOP. */
	struct stat st;
	if (how & ROOTFS_NOFOLLOW && flags & O_PATH) {
		if (fstat(fd, &st) < 0)
			return -1;
		if (S_ISLNK(st.st_mode)) {
			errno = ELOOP;
			return -1;
		}
	}
	return fd_take(&fd);
}

/* The last component of path and how long what is before it is; "." and ".."
 * have no meaning for something that is to be made. */
static int split(const char *path, char *parent, size_t size, const char **name)
{
	const char *slash = strrchr(path, '/');

	*name = slash ? slash + 1 : path;
	size_t n = slash ? (size_t)(slash - path) : 0;
	if (**name == '\0' || strcmp(*name, ".") == 0 || strcmp(*name, "..") == 0) {
		errno = EINVAL;
		return -1;
	}
	if (n + 2 > size) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(parent, path, n);
	memcpy(parent + n, n ? "" : "/", n ? 1 : 2);
	return 0;
}

int rootfs_mkdirs(int root, const char *path, mode_t mode)
{
	char part[PATH_MAX];
	size_t len = strlen(path);

	int fd = rootfs_open(root, path, O_PATH | O_DIRECTORY, 0);
	if (fd >= 0 || errno != ENOENT)
		return fd;
	if (len >= sizeof(part)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	/* Each prefix is resolved anew below the root, so a component that is a
	 * symlink leads where it leads inside; one that dangles ends in ENOENT. */
	_fd_ int dir = open_in_root(root, "/", O_PATH | O_DIRECTORY, 0, 0);
	if (dir < 0)
		return -1;
	for (size_t i = 0; i < len;) {
		i += strspn(path + i, "/");
		size_t start = i;

		i += strcspn(path + i, "/");
		if (i == start)
			break;
		memcpy(part, path, i);
		part[i] = '\0';
		int next = open_in_root(root, part, O_PATH | O_DIRECTORY, 0, 0);
		if (next < 0 && errno == ENOENT) {
			if (strcmp(part + start, "..") == 0 ||
			    (mkdirat(dir, part + start, mode) < 0 && errno != EEXIST))
				return -1;
			next = open_in_root(root, part, O_PATH | O_DIRECTORY, 0, 0);
		}
		if (next < 0)
			return -1;
		close(dir);
		dir = next;
	}
	return fd_take(&dir);
}

int rootfs_parent(int root, const char *path, mode_t make_mode, const char **name)
{
	char parent[PATH_MAX];

	if (split(path, parent, sizeof(parent), name) < 0)
		return -1;
	return make_mode ? rootfs_mkdirs(root, parent, make_mode)
			 : rootfs_open(root, parent, O_PATH | O_DIRECTORY, 0);
}

int rootfs_mkfile(int root, const char *path, mode_t mode)
{
	const char *name;

	int fd = rootfs_open(root, path, O_PATH, 0);
	if (fd >= 0 || errno != ENOENT)
		return fd;
	_fd_ int dir = rootfs_parent(root, path, 0755, &name);
	if (dir < 0)
		return -1;
	/* mknod makes and never opens: what was put there meanwhile is left as
	 * it is, a dangling symlink is not followed. */
	if (mknodat(dir, name, S_IFREG | mode, 0) < 0 && errno != EEXIST)
		return -1;
	return rootfs_open(root, path, O_PATH, 0);
}

int fd_reopen(int procfd, int fd, int flags)
{
	char name[64];
	struct statfs fs;

	if (fstatfs(procfd, &fs) < 0)
		return -1;
	if (fs.f_type != PROC_SUPER_MAGIC) {
		errno = EXDEV;
		return -1;
	}
	snprintf(name, sizeof(name), "self/fd/%d", fd);
	return openat(procfd, name, (flags | O_CLOEXEC | O_NOCTTY) & ~O_NOFOLLOW);
}
