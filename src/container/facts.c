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

/* Every name of the source that the runtime can see. */
static int gather_names(struct spec *s, struct source_facts *f, const struct mountinfo *mounts)
{
	struct statx st;
	const struct mount_entry *at;

	if (statx(f->fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0 || !(st.stx_mask & STATX_MNT_ID))
		return fail(errno, "statx");
	at = mountinfo_find(mounts, (int)st.stx_mnt_id);
	f->foreign = !at;
	if (at)
		mountinfo_names(s->arena, mounts, at, f->resolved, &f->names);
	else
		strv_add(s->arena, &f->names, f->resolved);
	return 0;
}

static int gather_source(struct spec *s, struct spec_mount *m, int bundle_fd,
			 const struct mountinfo *mounts, bool need)
{
	char link[64], path[4096];
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
	snprintf(link, sizeof(link), "/proc/self/fd/%d", f->fd);
	ssize_t n = readlink(link, path, sizeof(path) - 1);
	if (n < 0 || fstat(f->fd, &f->st) < 0)
		return fail(errno, "%s: cannot look at the source %s", m->place, m->source);
	path[n] = '\0';
	f->resolved = arena_strdup(s->arena, path);
	if (gather_names(s, f, mounts) < 0)
		return fail_in("%s", m->place);
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

/* NULL where nobody but root can exchange the file behind path. */
static const char *distrust(struct arena *a, const char *path)
{
	_free_ char *real = realpath(path, NULL);
	struct stat st;

	if (!real)
		return arena_printf(a, "the hook's file cannot be found: %s", strerror(errno));
	for (char *p = real + strlen(real);;) {
		const char *part = *real ? real : "/";

		if (stat(part, &st) < 0)
			return arena_printf(a, "%s: %s", part, strerror(errno));
		if (st.st_uid != 0 || st.st_mode & 022)
			return arena_printf(a, "%s can be changed by others than root", part);
		if (p == real)
			return NULL;
		while (p > real && *p != '/')
			p--;
		*p = '\0';
	}
}

static void add_own_path(struct spec *s, const char *path)
{
	_free_ char *real = realpath(path, NULL);

	if (real)
		strv_add(s->arena, &s->own_paths, real);
}

static int gather_mounts(struct spec *s, int bundle_fd, bool need)
{
	struct mountinfo mounts;
	bool read = false;

	for (size_t i = 0; i < s->mounts.n; i++) {
		struct spec_mount *m = &s->mounts.v[i];

		if (!m->opt.bind || m->opt.remount)
			continue;
		if (!read && mountinfo_read(s->arena, &mounts) < 0)
			return -1;
		read = true;
		if (gather_source(s, m, bundle_fd, &mounts, need) < 0)
			return -1;
	}
	return 0;
}

int facts_gather(struct spec *s, int bundle_fd, const char *bundle, const char *root, bool need)
{
	if (gather_mounts(s, bundle_fd, need) < 0)
		return -1;
	add_own_path(s, bundle);
	add_own_path(s, root);
	add_own_path(s, *s->root_path == '/'
				? s->root_path
				: arena_printf(s->arena, "%s/%s", bundle, s->root_path));
	for (size_t i = 0; i < s->namespaces.n; i++)
		if (s->namespaces.v[i].path && gather_namespace(&s->namespaces.v[i], i, need) < 0)
			return -1;
	for (int kind = 0; kind < HOOK_KINDS; kind++)
		for (size_t i = 0; i < s->hooks[kind].n; i++) {
			struct spec_hook *h = &s->hooks[kind].v[i];

			/* Resolved inside the container, which nobody vouches for anyway. */
			if (kind != HOOK_START_CONTAINER)
				h->untrusted = distrust(s->arena, h->path);
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
