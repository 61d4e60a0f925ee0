/*
 * A new overlay of layers that are open: by their descriptors, or before Linux 6.13
 * by names that they are given in a mount namespace that ends.
 */
#include <errno.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include "layers.h"

static const char *unquoted(struct arena *a, const char *option)
{
	char *out = arena_strdup(a, option), *to = out;

	for (const char *p = out; *p; p++)
		if (*p != '"')
			*to++ = *p;
	*to = '\0';
	return out;
}

/* overlayfs makes its folders as who mounts it: the host's root has no id in an
 * idmapped layer (EOVERFLOW), and what it mounts would be read-only without a
 * word. The container's root has one; the capabilities stay the runtime's. */
static int become(uid_t uid, gid_t gid)
{
	setfsgid(gid);
	setfsuid(uid);
	/* They tell what was, also where they failed. */
	if (setfsuid((uid_t)-1) != (int)uid || setfsgid((gid_t)-1) != (int)gid)
		return fail(ECANCELED, "cannot act as who is asked");
	return caps_raise() < 0 ? fail(ECANCELED, "cannot keep the capabilities") : 0;
}

static int by_descriptor(struct layers *y)
{
	_fd_ int fs = fsopen("overlay", FSOPEN_CLOEXEC);

	if (fs < 0)
		return fail(errno, "overlay");
	if (fs_option(fs, "source=overlay") < 0)
		return -1;
	for (size_t i = 0; i < y->kept.n; i++)
		if (fs_option(fs, unquoted(y->a, y->kept.v[i])) < 0)
			return -1;
	for (size_t i = 0; i < y->lower.n; i++)
		if (fsconfig(fs, FSCONFIG_SET_FD, "lowerdir+", NULL, y->lower.v[i].fd) < 0)
			return fs_fail(errno, fs, "lowerdir+");
	if (fsconfig(fs, FSCONFIG_SET_FD, "upperdir", NULL, y->upper.fd) < 0 ||
	    fsconfig(fs, FSCONFIG_SET_FD, "workdir", NULL, y->work.fd) < 0)
		return fs_fail(errno, fs, "upperdir");
	if (fs_option(fs, "index=off") < 0)
		return -1;
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return fs_fail(errno, fs, "cannot make an overlay");
	int fd = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	return fd < 0 ? fs_fail(errno, fs, "cannot mount an overlay") : fd;
}

static int as_root_of_container(struct layers *y, int (*build)(struct layers *y))
{
	int fd = become(ids_host(y->s->spec, 0), ids_host_group(y->s->spec, 0)) < 0 ? -1 : build(y);
	struct error e = *error_last();
	_fd_ int owned = fd;

	if (become(0, 0) < 0 || ids_stay_private() < 0)
		return -1;
	return fd < 0 ? error_adopt(&e) : fd_take(&owned);
}

/* Gives a mount a name in the folder that is at hand, so that an option can. */
static int attach_as(int mount, const char *name)
{
	/* path: entries of the new tmpfs, the working directory */
	_fd_ int dest = mkdirat(AT_FDCWD, name, 0700) < 0
				? -1
				: openat(AT_FDCWD, name, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return dest < 0 || mount_attach(mount, dest) < 0 ? fail(errno, "cannot attach a layer") : 0;
}

/* What an option says for a layer that is seen through the common mount. */
static const char *through_common(struct layers *y, const struct layer *l)
{
	return arena_printf(y->a, "common%s", l->path + strlen(y->common));
}

/* Short names, since all options together are a page at most. */
static int name_lower(struct layers *y, const char **list)
{
	for (size_t i = 0; i < y->lower.n; i++) {
		const struct layer *l = &y->lower.v[i];
		const char *name = arena_printf(y->a, "%zu", i);

		/* path: an entry of the new tmpfs, the working directory */
		if (l->in_common ? symlinkat(through_common(y, l), AT_FDCWD, name) < 0
				 : attach_as(l->fd, name) < 0)
			return fail(errno, "cannot name a layer");
		*list = arena_printf(y->a, "%s%s%s", *list, i ? ":" : "", name);
	}
	return 0;
}

static int by_name(struct layers *y)
{
	const char *list = "", *options = "";
	const char *upper = y->writable ? through_common(y, &y->upper) : "memory/upper";
	const char *work = y->writable ? through_common(y, &y->work) : "memory/work";

	/* path: links in the new tmpfs, the working directory: in an option a name would
	 * be read for what is in it */
	if (name_lower(y, &list) < 0)
		return -1;
	if (symlinkat(upper, AT_FDCWD, "upper") < 0 || symlinkat(work, AT_FDCWD, "work") < 0)
		return fail(errno, "cannot name a layer");
	for (size_t i = 0; i < y->kept.n; i++)
		options = arena_printf(y->a, "%s,%s", options, y->kept.v[i]);
	options = arena_printf(y->a, "lowerdir=%s,upperdir=upper,workdir=work,index=off%s", list,
			       options);
	/* old mount call: a value of fsconfig is 255 bytes at most. path: a new one */
	if (mkdirat(AT_FDCWD, "merged", 0700) < 0 ||
	    mount("overlay", "merged", "overlay", 0, options) < 0)
		return fail(errno, "cannot make an overlay");
	/* path: entry of the new tmpfs, the working directory */
	int fd = open_tree(AT_FDCWD, "merged", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	return fd < 0 ? fail(errno, "cannot clone the overlay") : fd;
}

/* Before Linux 6.13 overlayfs takes no descriptors, and a mount has a name only
 * where it is attached: in the mount namespace of a process that ends. */
static int by_path(void *layers)
{
	struct layers *y = layers;
	struct mount_attr attr = {.propagation = MS_PRIVATE};
	struct spec_mount m = {.type = "tmpfs", .source = "tmpfs"};

	strv_add(y->a, &m.opt.data, "mode=700");
	/* path: any folder will do, the engine's is there */
	_fd_ int dest = mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &attr, sizeof(attr)) < 0
				? -1
				: open(y->s->l->rootfs_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dest < 0)
		return fail(errno, "cannot make a place for the layers");
	_fd_ int top = fs_make(&m, NULL, -1);
	if (top < 0)
		return -1;
	if (mount_attach(top, dest) < 0 || fchdir(top) < 0)
		return fail(errno, "cannot make a place for the layers");
	if ((y->tree >= 0 && attach_as(y->tree, "common") < 0) ||
	    (y->memory >= 0 && attach_as(y->memory, "memory") < 0))
		return -1;
	return as_root_of_container(y, by_name);
}

/* The layers were found again by their names, over which something else may have
 * been mounted since. Reading the root takes each layer's: only where one is a mount. */
static int check_root(struct layers *y, int fd)
{
	struct strv want = {0}, got = {0};

	if (fd_names(y->a, y->s->l->rootfs_fd, &want) < 0 || fd_names(y->a, fd, &got) < 0)
		return fail_in("its root");
	for (size_t i = 0; i < want.n || i < got.n; i++)
		if (i >= want.n || i >= got.n || strcmp(want.v[i], got.v[i]) != 0)
			return fail(0, "its layers are not what its options say: %s",
				    i < want.n ? want.v[i] : got.v[i]);
	return 0;
}

/* What the engine's mount forbids, the new one does. */
static int forbid(struct layers *y, int fd)
{
	static const struct {
		unsigned long flag;
		uint64_t attr;
	} flags[] = {{ST_NOSUID, MOUNT_ATTR_NOSUID},
		     {ST_NODEV, MOUNT_ATTR_NODEV},
		     {ST_NOEXEC, MOUNT_ATTR_NOEXEC},
		     {ST_NOATIME, MOUNT_ATTR_NOATIME}};
	uint64_t set = 0;

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		set |= y->flags & flags[i].flag ? flags[i].attr : 0;
	if (mount_attr(fd, false, set, set & MOUNT_ATTR_NOATIME ? MOUNT_ATTR__ATIME : 0, 0) < 0)
		return fail(errno, "cannot set the flags of the engine's mount");
	return 0;
}

int overlay_make(struct layers *y)
{
	struct statfs fs;
	_fd_ int fd = as_root_of_container(y, by_descriptor);

	if (fd < 0 && (error_last()->errnum == EINVAL || error_last()->errnum == EOPNOTSUPP))
		fd = fd_from_child(CLONE_NEWNS, by_path, y);
	if (fd < 0)
		return -1;
	/* Where it cannot work with its folders it says so in the log alone. */
	if (fstatfs(fd, &fs) < 0 || fs.f_flags & ST_RDONLY)
		return fail(0, "the new overlay cannot be written");
	return (y->has_mounts && check_root(y, fd) < 0) || forbid(y, fd) < 0 ? -1 : fd_take(&fd);
}
