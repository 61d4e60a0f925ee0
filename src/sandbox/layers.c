/*
 * The root file system where the engine mounted an overlay. The merged mount
 * cannot be idmapped (EINVAL), its layers can: they are found again by what the
 * mount tells of itself, each is opened through an idmapped mount, and overlay.c
 * makes a new one of them. Where the root is read-only, or the engine gave no upper
 * layer, the topmost one is memory of the container's own, for the mount points that
 * are made before it is sealed; else it is the engine's, so that what the container
 * writes is where the engine looks for it.
 */
#include "layers.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include "casemate/mountinfo.h"

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
	if (y->texts.n == 0 || !y->upper_text != !y->work_text)
		return fail(0, "its layers cannot be told from its options");
	return 0;
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

	/* path: the engine's folder on the host */
	*out = (struct layer){.path = "", .fd = -1};
	out->there = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (out->there < 0)
		return fail(0, "cannot open the layer %s: %s", path, strerror(errno));
	const char *real = fd_path(y->a, out->there);
	if (!real)
		return -1;
	out->path = real;
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
	if (y->lower.n == 0)
		return fail(0, "it has no layers");
	y->common = y->lower.v[0].path;
	for (size_t i = 1; i < y->lower.n; i++)
		y->common = common_part(y->a, y->common, y->lower.v[i].path);
	if (y->upper_text)
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
	if (y->upper_text && map_layer(y, &y->upper) < 0)
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
	if (y->upper_text) {
		vec_add(y->a, &y->lower);
		memmove(&y->lower.v[1], &y->lower.v[0], (y->lower.n - 1) * sizeof(*y->lower.v));
		y->lower.v[0] = y->upper;
	}
	y->upper = y->work = (struct layer){.there = -1, .fd = -1};
	return make_memory(y);
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
	static const struct layer none = {.path = "", .there = -1, .fd = -1};
	struct layers y = {.s = s,
			   .a = s->spec->arena,
			   .common = "",
			   .upper = none,
			   .work = none,
			   .tree = -1,
			   .memory = -1};
	struct statfs fs;
	int fd = -1;

	if (fstatfs(s->l->rootfs_fd, &fs) < 0)
		return fail(errno, "%s", s->l->rootfs_path);
	y.flags = (unsigned long)fs.f_flags;
	if (read_options(&y, s->spec->root_overlay) == 0 && open_layers(&y) == 0) {
		y.writable = !s->seal_root && !s->spec->root_readonly;
		fd = map_layers(&y) < 0 ? -1 : overlay_make(&y);
	}
	close_layers(&y);
	return fd < 0 ? fail_in("the overlay %s", s->l->rootfs_path) : fd;
}
