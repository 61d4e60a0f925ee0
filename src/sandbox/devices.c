/*
 * Devices: nodes that are made in /dev, or bound from the host's where a user
 * namespace forbids mknod. The runtime-spec's default devices are always there.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "internal.h"

static const struct spec_device defaults[] = {
	{.path = "/dev/null", .type = 'c', .major = 1, .minor = 3, .file_mode = 0666},
	{.path = "/dev/zero", .type = 'c', .major = 1, .minor = 5, .file_mode = 0666},
	{.path = "/dev/full", .type = 'c', .major = 1, .minor = 7, .file_mode = 0666},
	{.path = "/dev/random", .type = 'c', .major = 1, .minor = 8, .file_mode = 0666},
	{.path = "/dev/urandom", .type = 'c', .major = 1, .minor = 9, .file_mode = 0666},
	{.path = "/dev/tty", .type = 'c', .major = 5, .minor = 0, .file_mode = 0666},
};
enum { DEFAULTS = sizeof(defaults) / sizeof(defaults[0]) };

static const struct {
	const char *name, *target;
} links[] = {
	{"/dev/fd", "/proc/self/fd"},	    {"/dev/stdin", "/proc/self/fd/0"},
	{"/dev/stdout", "/proc/self/fd/1"}, {"/dev/stderr", "/proc/self/fd/2"},
	{"/dev/ptmx", "pts/ptmx"},
};

static const struct spec_device *device(const struct setup *s, size_t i)
{
	return i < DEFAULTS ? &defaults[i] : &s->spec->devices.v[i - DEFAULTS];
}

static const char *place(const struct spec_device *d)
{
	return d->place ? d->place : d->path;
}

/* A default that config.json describes itself is made as it says there. */
static bool given(const struct setup *s, size_t i)
{
	for (size_t j = 0; i < DEFAULTS && j < s->spec->devices.n; j++)
		if (strcmp(s->spec->devices.v[j].path, defaults[i].path) == 0)
			return true;
	return false;
}

static mode_t type_of(const struct spec_device *d)
{
	return d->type == 'b' ? S_IFBLK : d->type == 'p' ? S_IFIFO : S_IFCHR;
}

static bool is_device(const struct stat *st, const struct spec_device *d)
{
	return (st->st_mode & S_IFMT) == type_of(d) &&
	       (d->type == 'p' || st->st_rdev == makedev((unsigned)d->major, (unsigned)d->minor));
}

size_t devices_count(const struct spec *s)
{
	return DEFAULTS + s->devices.n;
}

int devices_prepare(struct setup *s)
{
	size_t n = devices_count(s->spec);

	s->devices = arena_array(s->spec->arena, n, sizeof(int));
	for (size_t i = 0; i < n; i++)
		s->devices[i] = -1;
	for (size_t i = 0; i < n; i++) {
		const struct spec_device *d = device(s, i);
		struct stat st;

		if ((!has_user_namespace(s->spec) && !s->spec->in_user_namespace) ||
		    d->type == 'p' || given(s, i))
			continue;
		_fd_ int fd = open_tree(AT_FDCWD, d->path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
		if (fd < 0 || fstat(fd, &st) < 0)
			return fail(errno, "%s: cannot bind the host's %s", place(d), d->path);
		if (!is_device(&st, d))
			return fail(EINVAL, "%s: the host's %s is another device", place(d),
				    d->path);
		if (mount_attr(fd, false, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, 0, MS_PRIVATE) < 0)
			return fail(errno, "%s", place(d));
		s->devices[i] = fd_take(&fd);
	}
	return 0;
}

static int bind_device(struct setup *s, const struct spec_device *d, int tree)
{
	_fd_ int dest = rootfs_mkfile(s->root, d->path, 0666);

	if (dest < 0 || mount_attach(tree, dest) < 0)
		return fail(errno, "%s: cannot bind the device", place(d));
	close(tree);
	return 0;
}

static int make_node(struct setup *s, const struct spec_device *d)
{
	const char *name;
	struct stat st;
	_fd_ int dir = rootfs_parent(s->root, d->path, 0755, &name);

	if (dir < 0)
		return fail(errno, "%s: cannot make its folder", place(d));
	if (mknodat(dir, name, type_of(d) | d->file_mode,
		    d->type == 'p' ? 0 : makedev((unsigned)d->major, (unsigned)d->minor)) == 0) {
		if ((d->has_uid || d->has_gid) &&
		    fchownat(dir, name, d->has_uid ? d->uid : 0, d->has_gid ? d->gid : 0,
			     AT_SYMLINK_NOFOLLOW) < 0)
			return fail(errno, "%s: cannot set the owner", place(d));
		return 0;
	}
	/* path: one component below a descriptor; runtime-spec, Devices: what is there already must
	 * be the same device. */
	if (errno != EEXIST)
		return fail(errno, "%s: cannot make the device", place(d));
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !is_device(&st, d))
		return fail(EEXIST, "%s: something else has its place in the rootfs", place(d));
	return 0;
}

/* A /dev of the host's is as the host has it: nothing is made in there. */
static bool binds_dev(const struct spec *s)
{
	for (size_t i = 0; i < s->mounts.n; i++)
		if (s->mounts.v[i].opt.bind && strcmp(s->mounts.v[i].destination, "/dev") == 0)
			return true;
	return false;
}

int devices_make(struct setup *s)
{
	if (binds_dev(s->spec))
		return 0;
	for (size_t i = 0; i < devices_count(s->spec); i++) {
		const struct spec_device *d = device(s, i);

		if (given(s, i))
			continue;
		if (s->devices[i] >= 0 ? bind_device(s, d, s->devices[i]) < 0 : make_node(s, d) < 0)
			return -1;
	}
	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		const char *name;
		_fd_ int dir = rootfs_parent(s->root, links[i].name, 0755, &name);

		/* path: one component below a descriptor */
		if (dir < 0 || (symlinkat(links[i].target, dir, name) < 0 && errno != EEXIST))
			return fail(errno, "%s", links[i].name);
	}
	return 0;
}
