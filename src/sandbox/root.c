/*
 * The root file system as a mount: cloned from the descriptor that was checked (an
 * overlay that is to be mapped is made anew of its layers, see layers.c),
 * attached at its own path in the container's mount namespace (createContainer
 * hooks look for it there), and made the root by pivot_root.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "casemate/log.h"
#include "internal.h"

int mount_attr(int fd, bool recursive, uint64_t set, uint64_t clear, uint64_t propagation)
{
	struct mount_attr attr = {.attr_set = set, .attr_clr = clear, .propagation = propagation};

	if (!set && !clear && !propagation)
		return 0;
	return mount_setattr(fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr,
			     sizeof(attr));
}

bool is_unmappable(int errnum)
{
	return errnum == EINVAL || errnum == EPERM || errnum == EOPNOTSUPP || errnum == 0;
}

int mount_idmap(int fd, bool recursive, int userns)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (unsigned)userns};

	return mount_setattr(fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr,
			     sizeof(attr));
}

int mount_attach(int tree, int dest)
{
	return move_mount(tree, "", dest, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

static int clone_root(struct setup *s)
{
	s->root = open_tree(s->l->rootfs_fd, "",
			    AT_EMPTY_PATH | AT_RECURSIVE | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	return s->root < 0 ? fail(errno, "cannot clone the mount of %s", s->l->rootfs_path) : 0;
}

/* Inside, the files of the image belong to whom they belong to in the image. */
static int map_root(struct setup *s)
{
	int userns = ids_container_userns(s);

	if (userns < 0)
		return -1;
	if (s->spec->root_overlay) {
		if (s->spec->root_has_mounts)
			return fail(0, "%s is an overlay with mounts in it", s->l->rootfs_path);
		s->root = layers_map(s);
		return s->root < 0 ? -1 : 0;
	}
	if (clone_root(s) < 0)
		return -1;
	if (mount_idmap(s->root, true, userns) == 0)
		return 0;
	fail(errno, "the ids of %s cannot be mapped: its file system has no idmapped mounts",
	     s->l->rootfs_path);
	close(fd_take(&s->root));
	return -1;
}

static int make_root(struct setup *s)
{
	if (!s->spec->idmap || map_root(s) == 0)
		return s->spec->idmap ? 0 : clone_root(s);
	if (s->spec->unmappable_as_is && is_unmappable(error_last()->errnum)) {
		log_warn("root.path: warned by rule user.namespace: is taken as it is: %s%s",
			 error_last()->context, error_last()->message);
		error_clear();
		return clone_root(s);
	}
	return is_unmappable(error_last()->errnum)
		       ? fail_hint("put it on another file system, or set the profile's "
				   "user.namespace.unmappable to as-is: files would belong to "
				   "nobody")
		       : -1;
}

int root_prepare(struct setup *s)
{
	const struct spec *spec = s->spec;
	/* Never in the peer group of the host's mounts while it is attached there:
	 * shared and unbindable come when it is the root (root_pivot). */
	unsigned long propagation = spec->rootfs_propagation == MS_SLAVE ? MS_SLAVE : MS_PRIVATE;
	uint64_t all = spec->root_attr | (spec->root_readonly ? MOUNT_ATTR_RDONLY : 0);

	if (make_root(s) < 0)
		return fail_in("root.path");
	/* What is mounted below the rootfs is read-only at once; the rootfs itself
	 * when the mount points in it are made (mounts_seal). */
	if (mount_attr(s->root, true, all, 0, propagation) < 0 ||
	    mount_attr(s->root, false, 0, all & MOUNT_ATTR_RDONLY, 0) < 0)
		return fail(errno, "root: cannot set the flags of the mount");
	return 0;
}

/* In a user namespace of its own the child may go only where everybody, or root as
 * the owner, may: not through the home of the user whose bundle it is. */
int root_place(struct setup *s)
{
	char link[32];

	snprintf(link, sizeof(link), "%d/root", (int)s->l->pid);
	/* path: the child's root is the host's yet; root_attach compares what is there */
	_fd_ int top = openat(s->proc, link, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return top < 0 ? -1
		       : openat(top, s->l->rootfs_path + 1,
				O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int root_attach(struct setup *s)
{
	struct mount_attr attr = {.propagation = MS_PRIVATE};
	struct stat want, got;

	/* Nothing that is mounted or unmounted in here may reach the host. */
	if (mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &attr, sizeof(attr)) < 0)
		return fail(errno, "cannot make the mounts private");
	/* path: the host's name of the rootfs, compared with what was checked */
	_fd_ int dest = s->place >= 0 ? fd_take(&s->place)
				      : open(s->l->rootfs_path,
					     O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dest < 0 || fstat(dest, &got) < 0 || fstat(s->l->rootfs_fd, &want) < 0)
		return fail(errno, "root.path: cannot open %s", s->l->rootfs_path);
	if (got.st_dev != want.st_dev || got.st_ino != want.st_ino)
		return fail(EAGAIN, "root.path: %s was exchanged", s->l->rootfs_path);
	if (mount_attach(s->root, dest) < 0)
		return fail(errno, "root.path: cannot attach the mount of %s", s->l->rootfs_path);
	return 0;
}

int root_pivot(struct setup *s)
{
	/* pivot_root(2), "pivot_root(".", ".")": the old root ends up on top of the
	 * new one, and goes without ever having a name in the container. */
	if (fchdir(s->root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
		return fail(errno, "pivot_root");
	if (umount2(".", MNT_DETACH) < 0) /* path: "." is the old root */
		return fail(errno, "cannot detach the host's root");
	if (chdir("/") < 0) /* path: the container's root, by now */
		return fail(errno, "chdir to the new root");
	if (s->spec->rootfs_propagation && mount_attr(s->root, s->spec->rootfs_propagation_rec, 0,
						      0, s->spec->rootfs_propagation) < 0)
		return fail(errno, "linux.rootfsPropagation");
	return 0;
}
