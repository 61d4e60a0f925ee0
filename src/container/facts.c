/* What policy has to know of the host, read through the descriptors that are
 * used later: what was judged is what is mounted and joined. */
#include <dirent.h>
#include <errno.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>

#include "casemate/container.h"
#include "casemate/error.h"
#include "casemate/fd.h"
#include "casemate/mountinfo.h"
#include "casemate/owner.h"
#include "casemate/path.h"
#include "casemate/sandbox.h"

static bool holds_socket(int dir)
{
	static const char *const names[] = {
		"docker.sock", "containerd.sock", "containerd.sock.ttrpc", "crio.sock",
		"podman.sock", "buildkitd.sock",  "cri-dockerd.sock"};
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (fstatat(dir, names[i], &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(st.st_mode))
			return true;
	return false;
}

static bool holds_keys(int dir)
{
	static const char *const names[] = {".ssh", ".gnupg", ".aws", ".kube", ".docker"};
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (fstatat(dir, names[i], &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
			return true;
	return false;
}

/* The layers of an overlay are names, too: what is in one can be seen in it. */
static void add_layers(struct arena *a, const struct mount_entry *e, const char *path,
		       struct strv *names)
{
	char *options = arena_strdup(a, e->super), *save, *save2;
	const char *inside = path + (strcmp(e->point, "/") == 0 ? 0 : strlen(e->point));

	/* The runtime's own root: its layers are names of another place. */
	if (strcmp(e->type, "overlay") != 0 || strcmp(e->point, "/") == 0)
		return;
	for (char *o = strtok_r(options, ",", &save); o; o = strtok_r(NULL, ",", &save)) {
		char *list = strncmp(o, "lowerdir", 8) == 0 || strncmp(o, "upperdir", 8) == 0
				     ? strchr(o, '=')
				     : NULL;

		for (char *l = list ? strtok_r(list + 1, ":", &save2) : NULL; l;
		     l = strtok_r(NULL, ":", &save2))
			if (*l == '/')
				strv_add(a, names,
					 path_clean(a, arena_printf(a, "%s%s", l, inside)));
	}
}

static void add_names(struct arena *a, const struct mountinfo *mounts, const struct mount_entry *e,
		      const char *path, struct strv *names)
{
	mountinfo_names(a, mounts, e, path, names);
	add_layers(a, e, path, names);
}

/* The mount that an open file is in, or NULL: it is not one of the runtime's. */
static const struct mount_entry *mount_of(int fd, const struct mountinfo *mounts, bool *is_root)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0 || !(st.stx_mask & STATX_MNT_ID))
		return NULL;
	*is_root = st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
	return mountinfo_find(mounts, (int)st.stx_mnt_id);
}

/* Every name of the source that the runtime can see. */
static void gather_names(struct spec *s, struct spec_mount *m, const struct mountinfo *mounts)
{
	struct source_facts *f = &m->src;
	bool is_root;
	const struct mount_entry *at = mount_of(f->fd, mounts, &is_root);

	f->foreign = !at;
	if (!at) {
		strv_add(s->arena, &f->names, f->resolved);
		return;
	}
	add_names(s->arena, mounts, at, f->resolved, &f->names);
	strv_add(s->arena, &f->types, at->type);
	for (size_t i = 0; m->opt.recursive && i < mounts->n; i++) {
		const struct mount_entry *e = &mounts->v[i];

		if (e == at || !path_is_below(e->point, f->resolved))
			continue;
		add_names(s->arena, mounts, e, e->point, &f->names);
		strv_add(s->arena, &f->types, e->type);
	}
}

static int gather_root(struct spec *s, const char *bundle, const struct mountinfo *mounts)
{
	_free_ char *real = realpath(
		*s->root_path == '/' ? s->root_path
				     : arena_printf(s->arena, "%s/%s", bundle, s->root_path),
		NULL);
	_fd_ int fd = real ? open(real, O_PATH | O_CLOEXEC) : -1;
	const struct mount_entry *at = fd < 0 ? NULL : mount_of(fd, mounts, &s->root_is_mount);

	/* Not there: create says so, in its own words. */
	if (fd < 0)
		return 0;
	if (fstat(fd, &s->root_st) < 0)
		return fail(errno, "root.path: %s", real);
	strv_add(s->arena, &s->own_paths, real);
	/* A folder of an overlay that is bound somewhere is not what its layers make. */
	if (at && s->root_is_mount && strcmp(at->type, "overlay") == 0 &&
	    strcmp(at->root, "/") == 0)
		s->root_overlay = at->super;
	for (size_t i = 0; i < mounts->n; i++)
		if (&mounts->v[i] != at && strcmp(mounts->v[i].point, real) != 0 &&
		    path_is_below(mounts->v[i].point, real))
			s->root_has_mounts = true;
	if (at)
		mountinfo_names(s->arena, mounts, at, real, &s->root_names);
	else
		strv_add(s->arena, &s->root_names, real);
	return 0;
}

static int gather_source(struct spec *s, struct spec_mount *m, int bundle_fd,
			 const struct mountinfo *mounts, bool need)
{
	struct source_facts *f = &m->src;

	f->fd = openat(bundle_fd, m->source, O_PATH | O_CLOEXEC);
	if (f->fd < 0) {
		/* "No such file" would read as a missing command at the engine. */
		if (errno == ENOENT)
			fail(0, "%s: the source %s is not there", m->place, m->source);
		else
			fail(errno, "%s: cannot open the source %s", m->place, m->source);
		fail_hint("the host path must exist");
		return need ? -1 : (error_clear(), 0);
	}
	f->resolved = fd_path(s->arena, f->fd);
	if (!f->resolved)
		return fail_in("%s", m->place);
	if (fstat(f->fd, &f->st) < 0)
		return fail(errno, "%s: cannot look at the source %s", m->place, m->source);
	gather_names(s, m, mounts);
	if (S_ISDIR(f->st.st_mode)) {
		f->holds_engine_socket = holds_socket(f->fd);
		f->holds_key_folder = holds_keys(f->fd);
	}
	return 0;
}

static int gather_namespace(struct spec_namespace *ns, size_t i, bool need)
{
	char own[64];
	struct stat a, b;
	struct statfs fs;

	/* Only looked at first: to open a device for reading can do something. */
	_fd_ int path = open(ns->path, O_PATH | O_CLOEXEC);
	if (path < 0) {
		fail(errno, "linux.namespaces[%zu].path: %s", i, ns->path);
		return need ? -1 : (error_clear(), 0);
	}
	if (fstatfs(path, &fs) == 0 && fs.f_type == NSFS_MAGIC) {
		snprintf(own, sizeof(own), "/proc/self/fd/%d", path);
		ns->fd = open(own, O_RDONLY | O_CLOEXEC);
	}
	if (ns->fd < 0 || ioctl(ns->fd, NS_GET_NSTYPE) != ns->type) {
		fail(EINVAL, "linux.namespaces[%zu].path: %s is not a %s namespace", i, ns->path,
		     namespace_name(ns->type));
		return need ? -1 : (error_clear(), 0);
	}
	snprintf(own, sizeof(own), "/proc/self/ns/%s",
		 ns->type == CLONE_NEWNET  ? "net"
		 : ns->type == CLONE_NEWNS ? "mnt"
					   : namespace_name(ns->type));
	if (stat(own, &a) < 0 || fstat(ns->fd, &b) < 0)
		return fail(errno, "linux.namespaces[%zu].path: cannot compare with %s", i, own);
	ns->is_host = a.st_ino == b.st_ino && a.st_dev == b.st_dev;
	return 0;
}

/* What belongs to root on any host: in a user namespace that cannot be seen. */
static bool is_system(const char *path)
{
	static const char *const folders[] = {"/usr", "/etc", "/bin", "/sbin", "/lib", "/lib64"};

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		if (path_is_below(path, folders[i]))
			return true;
	return strcmp(path, "/") == 0;
}

/* NULL where nobody but root can exchange the file behind path: every folder on
 * the way is root's alone, also on the way of each symlink, so that what is found
 * now is what is executed later. */
static const char *distrust(struct arena *a, const char *path, unsigned links)
{
	const char *at = "/", *rest = path;
	char target[PATH_MAX];
	struct stat st;

	for (;;) {
		if (lstat(at, &st) < 0)
			return arena_printf(a, "%s: %s", at, strerror(errno));
		if (S_ISLNK(st.st_mode)) {
			ssize_t n = readlink(at, target, sizeof(target) - 1);

			if (n < 0 || links == 0)
				return arena_printf(a, "%s: %s", at,
						    strerror(n < 0 ? errno : ELOOP));
			target[n] = '\0';
			const char *parent = arena_strndup(a, at, (size_t)(strrchr(at, '/') - at));
			return distrust(a,
					*target == '/'
						? arena_printf(a, "%s/%s", target, rest)
						: arena_printf(a, "%s/%s/%s", parent, target, rest),
					links - 1);
		}
		if ((st.st_uid != 0 && !(owner_is_hidden(&st) && is_system(at))) ||
		    st.st_mode & 022)
			return arena_printf(a, "%s can be changed by others than root", at);
		rest += strspn(rest, "/");
		size_t n = strcspn(rest, "/");
		if (n == 0)
			return NULL;
		at = arena_printf(a, "%s/%.*s", strcmp(at, "/") == 0 ? "" : at, (int)n, rest);
		rest += n;
	}
}

static int gather_ids(struct spec *s, const char *path, struct id_maps *out)
{
	char *text = file_read(s->arena, AT_FDCWD, path, 65536, NULL), *save;

	if (!text)
		return -1;
	out->n = 0;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		struct id_map m;

		if (sscanf(line, "%u %u %u", &m.container, &m.host, &m.size) != 3)
			return fail(EINVAL, "%s", path);
		*vec_add(s->arena, out) = m;
	}
	return 0;
}

int facts_gather(struct spec *s, int bundle_fd, const char *bundle, const char *root, bool need)
{
	_free_ char *real_bundle = realpath(bundle, NULL), *real_root = realpath(root, NULL);
	struct mountinfo mounts;

	s->host_lsm = lsm_host();
	s->in_user_namespace = in_user_namespace();
	if (mountinfo_read(s->arena, &mounts) < 0 ||
	    gather_ids(s, "/proc/self/uid_map", &s->runtime_uids) < 0 ||
	    gather_ids(s, "/proc/self/gid_map", &s->runtime_gids) < 0)
		return -1;
	s->state_root = arena_strdup(s->arena, real_root ? real_root : root);
	if (real_bundle)
		strv_add(s->arena, &s->own_paths, real_bundle);
	if (gather_root(s, bundle, &mounts) < 0)
		return -1;
	for (size_t i = 0; i < s->mounts.n; i++) {
		struct spec_mount *m = &s->mounts.v[i];

		if (m->opt.bind && !m->opt.remount &&
		    gather_source(s, m, bundle_fd, &mounts, need) < 0)
			return -1;
	}
	for (size_t i = 0; i < s->namespaces.n; i++)
		if (s->namespaces.v[i].path && gather_namespace(&s->namespaces.v[i], i, need) < 0)
			return -1;
	for (int kind = 0; kind < HOOK_KINDS; kind++)
		for (size_t i = 0; i < s->hooks[kind].n; i++) {
			struct spec_hook *h = &s->hooks[kind].v[i];

			/* Resolved inside the container, which nobody vouches for anyway. */
			if (kind != HOOK_START_CONTAINER)
				h->untrusted = distrust(s->arena, h->path, 40);
		}
	return 0;
}

void facts_release(struct spec *s)
{
	for (size_t i = 0; i < s->mounts.n; i++)
		cleanup_fd(&s->mounts.v[i].src.fd);
	for (size_t i = 0; i < s->namespaces.n; i++)
		if (s->namespaces.v[i].path)
			cleanup_fd(&s->namespaces.v[i].fd);
}
