/*
 * The root file system where the engine mounted an overlay. The merged mount
 * cannot be idmapped (EINVAL), its layers can: a new overlay of the same layers,
 * each seen through an idmapped mount. Where the root is read-only, or the engine
 * gave no upper layer, the topmost one is memory of the container's own, for the
 * mount points that are made before it is sealed; else it is the engine's, so that
 * what the container writes is where the engine looks for it.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include "casemate/mountinfo.h"
#include "casemate/path.h"
#include "internal.h"

/* A layer: where the engine has it, and the same through an idmapped mount. */
struct layer {
	const char *path; /* as the host knows it, without symlinks */
	int there, fd;
	bool in_common; /* seen through the mount of the common folder */
};

struct layers {
	struct setup *s;
	struct arena *a;
	struct {
		struct layer *v;
		size_t n, cap;
	} lower; /* the topmost first */
	struct layer upper, work;
	bool has_upper;
	bool has_mounts;     /* a layer is one; perhaps a later one than the engine's overlay */
	bool writable;	     /* the upper layer is the engine's */
	unsigned long flags; /* ST_x of the engine's mount */
	struct strv kept;    /* options of the engine's that the new overlay gets, too */
	const char *common;  /* the folder that all layers are in */
	int tree;	     /* that folder, idmapped */
	int memory;	     /* tmpfs with the upper layer of a read-only root */
	struct strv texts;   /* the lower layers as they are written in the options */
	const char *upper_text, *work_text;
};

/* --- the engine's options ---------------------------------------------- */

/* One option of the list; a comma in quotes (SELinux categories) is none. */
static char *next_option(char **rest)
{
	char *start = *rest, *p = start;
	bool quoted = false;

	if (!start || !*start)
		return NULL;
	for (; *p && (quoted || *p != ','); p++)
		quoted = *p == '"' ? !quoted && p > start && p[-1] == '=' : quoted;
	*rest = *p ? p + 1 : p;
	*p = '\0';
	return start;
}

/* overlayfs.rst: a backslash takes the meaning from a colon. */
static const char *unescape(struct arena *a, const char *text, size_t n)
{
	char *out = arena_strndup(a, text, n), *to = out;

	for (const char *p = out; *p; p++) {
		p += *p == '\\' && p[1];
		*to++ = *p;
	}
	*to = '\0';
	return out;
}

static const char *unquoted(struct arena *a, const char *option)
{
	char *out = arena_strdup(a, option), *to = out;

	for (const char *p = out; *p; p++)
		if (*p != '"')
			*to++ = *p;
	*to = '\0';
	return out;
}

static bool is_one(const char *word, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(word, list[i]) == 0)
			return true;
	return false;
}

static int split_lower(struct layers *y, const char *list)
{
	while (*list) {
		size_t n = 0;

		while (list[n] && list[n] != ':')
			n += list[n] == '\\' && list[n + 1] ? 2 : 1;
		/* "::" is followed by layers that only hold the data of others. */
		if (n == 0)
			return fail(0, "layers with data only (\"::\") are not supported");
		strv_add(y->a, &y->texts, unescape(y->a, list, n));
		list += n + (list[n] == ':');
	}
	return 0;
}

static int read_option(struct layers *y, const char *option)
{
	/* What is about the engine's own mount, its upper layer, or the same anyway. */
	static const char *const dropped[] = {"rw",
					      "ro",
					      "index",
					      "nfs_export",
					      "uuid",
					      "volatile",
					      "fsync",
					      "default_permissions",
					      "seclabel",
					      "override_creds",
					      "nooverride_creds"};
	static const char *const kept[] = {"redirect_dir", "metacopy",	"xino",
					   "userxattr",	   "context",	"fscontext",
					   "rootcontext",  "defcontext"};
	size_t n = strcspn(option, "=");
	const char *key = arena_strndup(y->a, option, n);
	const char *value = option[n] ? mountinfo_unescape(arena_strdup(y->a, option + n + 1)) : "";

	if (strcmp(key, "lowerdir") == 0)
		return split_lower(y, value);
	if (strcmp(key, "lowerdir+") == 0)
		strv_add(y->a, &y->texts, value);
	else if (strcmp(key, "upperdir") == 0)
		y->upper_text = unescape(y->a, value, strlen(value));
	else if (strcmp(key, "workdir") == 0)
		y->work_text = unescape(y->a, value, strlen(value));
	else if (is_one(key, kept, ARRAY_SIZE(kept)))
		strv_add(y->a, &y->kept, option);
	else if (!is_one(key, dropped, ARRAY_SIZE(dropped)))
		return fail(0, "its option %s is not known here", option);
	return 0;
}

static int read_options(struct layers *y, const char *super)
{
	char *rest = arena_strdup(y->a, super), *option;

	while ((option = next_option(&rest)))
		if (read_option(y, option) < 0)
			return -1;
	return y->texts.n && !y->upper_text == !y->work_text
		       ? 0
		       : fail(0, "its layers cannot be told from its options");
}

/* --- where they are ---------------------------------------------------- */

static bool is_there(const char *base, const char *path)
{
	_arena_ struct arena *a = arena_new();
	struct stat st;

	/* path: the engine's folder on the host */
	return *path == '/' || (lstat(arena_printf(a, "%s/%s", base, path), &st) == 0);
}

static bool all_there(const struct layers *y, const char *base)
{
	for (size_t i = 0; i < y->texts.n; i++)
		if (!is_there(base, y->texts.v[i]))
			return false;
	return !y->upper_text || (is_there(base, y->upper_text) && is_there(base, y->work_text));
}

/* Engines shorten long lists by names relative to a folder that the mount does not
 * tell. It is above the upper layer, or above the root: the only one there from
 * which every name leads somewhere. */
static int find_base(struct layers *y, const char **base)
{
	const char *starts[] = {y->s->l->rootfs_path, y->upper_text ? y->upper_text : ""};

	*base = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
		char *at = arena_strdup(y->a, starts[i]);

		for (char *slash; *at == '/' && (slash = strrchr(at, '/')) > at;) {
			*slash = '\0';
			if (!all_there(y, at) || (*base && strcmp(*base, at) == 0))
				continue;
			if (*base)
				return fail(0, "its layers are relative, to %s or to %s", *base,
					    at);
			*base = arena_strdup(y->a, at);
		}
	}
	return *base ? 0 : fail(0, "its layers are relative, and not found");
}

static int open_layer(struct layers *y, const char *base, const char *text, struct layer *out)
{
	const char *path = *text == '/' ? text : arena_printf(y->a, "%s/%s", base, text);
	char link[64], real[PATH_MAX];

	/* path: the engine's folder on the host */
	*out = (struct layer){.fd = -1};
	out->there = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (out->there < 0)
		return fail(0, "cannot open the layer %s: %s", path, strerror(errno));
	snprintf(link, sizeof(link), "self/fd/%d", out->there);
	ssize_t n = readlinkat(y->s->proc, link, real, sizeof(real) - 1); /* path: own descriptor */
	if (n < 0)
		return fail(errno, "cannot find the layer %s", path);
	out->path = arena_strndup(y->a, real, (size_t)n);
	return 0;
}

static int open_layers(struct layers *y)
{
	const char *base = "";
	bool relative = y->upper_text && (*y->upper_text != '/' || *y->work_text != '/');

	for (size_t i = 0; i < y->texts.n; i++)
		relative = relative || *y->texts.v[i] != '/';
	if (relative && find_base(y, &base) < 0)
		return -1;
	for (size_t i = 0; i < y->texts.n; i++) {
		struct layer l;

		if (open_layer(y, base, y->texts.v[i], &l) < 0)
			return -1;
		*vec_add(y->a, &y->lower) = l;
	}
	if (!y->upper_text)
		return 0;
	y->has_upper = true;
	return open_layer(y, base, y->upper_text, &y->upper) < 0 ||
			       open_layer(y, base, y->work_text, &y->work) < 0
		       ? -1
		       : 0;
}

/* --- idmapped ---------------------------------------------------------- */

/* The part of both paths that is the same, in whole components. */
static const char *common_part(struct arena *a, const char *one, const char *other)
{
	size_t end = 0, i = 0;

	for (; one[i] && one[i] == other[i]; i++)
		end = one[i] == '/' ? i : end;
	if ((!one[i] && (!other[i] || other[i] == '/')) || (!other[i] && one[i] == '/'))
		end = i;
	return arena_strndup(a, one, end);
}

static int map_tree(struct layers *y, int there)
{
	int userns = ids_container_userns(y->s);
	_fd_ int fd = userns < 0 ? -1
				 : open_tree(there, "",
					     AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (userns < 0)
		return -1;
	if (fd < 0)
		return fail(errno, "cannot clone the mount of a layer");
	if (mount_idmap(fd, false, userns) < 0)
		return fail(errno, "the ids of its layers cannot be mapped: their file system has "
				   "no idmapped mounts");
	return fd_take(&fd);
}

/* One idmapped mount for all that are in one folder: each that is closed again
 * costs a grace period. A layer that is a mount itself is not seen through it. */
static int map_layer(struct layers *y, struct layer *l)
{
	struct statx want, got;
	const char *below = l->path + strlen(y->common);

	l->fd = y->tree < 0 ? -1
			    : rootfs_open(y->tree, *below ? below : "/", O_PATH | O_DIRECTORY,
					  ROOTFS_NO_SYMLINKS);
	if (statx(l->there, "", AT_EMPTY_PATH, STATX_INO, &want) < 0)
		return fail(errno, "%s", l->path);
	y->has_mounts = y->has_mounts || want.stx_attributes & STATX_ATTR_MOUNT_ROOT;
	if (l->fd >= 0 && statx(l->fd, "", AT_EMPTY_PATH, STATX_INO, &got) == 0 &&
	    got.stx_dev_major == want.stx_dev_major && got.stx_dev_minor == want.stx_dev_minor &&
	    got.stx_ino == want.stx_ino) {
		l->in_common = true;
		return 0;
	}
	cleanup_fd(&l->fd);
	l->fd = map_tree(y, l->there);
	return l->fd < 0 ? fail_in("%s", l->path) : 0;
}

static int map_common(struct layers *y)
{
	y->common = y->lower.v[0].path;
	for (size_t i = 1; i < y->lower.n; i++)
		y->common = common_part(y->a, y->common, y->lower.v[i].path);
	if (y->has_upper)
		y->common = common_part(y->a, common_part(y->a, y->common, y->upper.path),
					y->work.path);
	if (!*y->common)
		return 0;
	/* path: the engine's folder on the host */
	_fd_ int there = open(y->common, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (there < 0)
		return fail(errno, "cannot open %s", y->common);
	y->tree = map_tree(y, there);
	/* Another file system than that of the layers, perhaps. */
	return y->tree < 0 && !is_unmappable(error_last()->errnum) ? fail_in("%s", y->common) : 0;
}

/* The engine's own overlay is at work in its folder: another one beside it. */
static int own_work(struct layers *y)
{
	const char *name = "casemate";
	struct stat st;

	/* path: one component below the engine's folder, which is root's */
	if (mkdirat(y->work.there, name, 0700) < 0 && errno != EEXIST)
		return fail(errno, "cannot make %s/%s", y->work.path, name);
	if (fstatat(y->work.there, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
		return fail(ENOTDIR, "%s/%s", y->work.path, name);
	_fd_ int there = openat(y->work.there, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (there < 0)
		return fail(errno, "cannot open %s/%s", y->work.path, name);
	cleanup_fd(&y->work.there);
	y->work.there = fd_take(&there);
	y->work.path = arena_printf(y->a, "%s/%s", y->work.path, name);
	return 0;
}

/* Both are the container's root's, and look as the image's root does. */
static int make_memory(struct layers *y)
{
	const struct spec *s = y->s->spec;
	struct spec_mount m = {.type = "tmpfs", .source = "tmpfs"};
	static const char *const names[] = {"upper", "work"};
	struct layer *dirs[] = {&y->upper, &y->work};
	struct stat st;

	if (fstat(y->s->l->rootfs_fd, &st) < 0)
		return fail(errno, "%s", y->s->l->rootfs_path);
	strv_add(y->a, &m.opt.data, "mode=700");
	strv_add(y->a, &m.opt.data, "size=64m");
	y->memory = fs_make(&m, s->mount_label, -1);
	if (y->memory < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		/* path: entries of the new tmpfs */
		if (mkdirat(y->memory, names[i], 0700) < 0 ||
		    (dirs[i]->fd =
			     openat(y->memory, names[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 ||
		    fchown(dirs[i]->fd, ids_host(s, st.st_uid), ids_host_group(s, st.st_gid)) < 0 ||
		    fchmod(dirs[i]->fd, st.st_mode & 07777) < 0)
			return fail(errno, "cannot make the upper layer");
	}
	return 0;
}

static int map_layers(struct layers *y)
{
	if (y->writable && own_work(y) < 0)
		return -1;
	if (map_common(y) < 0)
		return -1;
	/* What the engine has put into its upper layer until now is part of the image. */
	if (y->has_upper && map_layer(y, &y->upper) < 0)
		return -1;
	for (size_t i = 0; i < y->lower.n; i++)
		if (map_layer(y, &y->lower.v[i]) < 0)
			return -1;
	if (y->writable) {
		if (map_layer(y, &y->work) < 0)
			return -1;
		/* overlayfs wants them in one mount. */
		return y->upper.in_common && y->work.in_common
			       ? 0
			       : fail(0, "its upper and work folder are in different mounts");
	}
	if (y->has_upper) {
		vec_add(y->a, &y->lower);
		memmove(&y->lower.v[1], &y->lower.v[0], (y->lower.n - 1) * sizeof(*y->lower.v));
		y->lower.v[0] = y->upper;
	}
	y->upper = y->work = (struct layer){.there = -1, .fd = -1};
	return make_memory(y);
}

/* --- the new overlay --------------------------------------------------- */

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

static int by_name_of(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in a folder, in order. */
static int read_names(struct arena *a, int fd, struct strv *out)
{
	/* path: the folder itself */
	int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_dir_ DIR *d = again < 0 ? NULL : fdopendir(again);
	struct dirent *e;

	if (!d)
		return fail(errno, "cannot read its root");
	while ((e = readdir(d)))
		strv_add(a, out, e->d_name);
	qsort(out->v, out->n, sizeof(*out->v), by_name_of);
	return 0;
}

/* The layers were found again by their names, over which something else may have
 * been mounted since. Reading the root takes each layer's: only where one is a mount. */
static int check_root(struct layers *y, int fd)
{
	struct strv want = {0}, got = {0};

	if (read_names(y->a, y->s->l->rootfs_fd, &want) < 0 || read_names(y->a, fd, &got) < 0)
		return -1;
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

static int make_overlay(struct layers *y)
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

static void close_layers(struct layers *y)
{
	for (size_t i = 0; i < y->lower.n; i++) {
		cleanup_fd(&y->lower.v[i].there);
		cleanup_fd(&y->lower.v[i].fd);
	}
	cleanup_fd(&y->upper.there);
	cleanup_fd(&y->upper.fd);
	cleanup_fd(&y->work.there);
	cleanup_fd(&y->work.fd);
	cleanup_fd(&y->tree);
	cleanup_fd(&y->memory);
}

bool layers_writable(const struct setup *s)
{
	char *rest = arena_strdup(s->spec->arena, s->spec->root_overlay), *option;
	struct statfs fs;
	bool upper = false;

	while ((option = next_option(&rest)))
		upper = upper || strncmp(option, "upperdir=", 9) == 0;
	return upper && fstatfs(s->l->rootfs_fd, &fs) == 0 && !(fs.f_flags & ST_RDONLY);
}

int layers_map(struct setup *s)
{
	static const struct layer none = {.there = -1, .fd = -1};
	struct layers y = {
		.s = s, .a = s->spec->arena, .upper = none, .work = none, .tree = -1, .memory = -1};
	struct statfs fs;
	int fd = -1;

	if (fstatfs(s->l->rootfs_fd, &fs) < 0)
		return fail(errno, "%s", s->l->rootfs_path);
	y.flags = (unsigned long)fs.f_flags;
	if (read_options(&y, s->spec->root_overlay) == 0 && open_layers(&y) == 0) {
		y.writable = !s->seal_root && !s->spec->root_readonly;
		fd = map_layers(&y) < 0 ? -1 : make_overlay(&y);
	}
	close_layers(&y);
	return fd < 0 ? fail_in("the overlay %s", s->l->rootfs_path) : fd;
}
