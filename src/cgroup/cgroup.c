/* Where the cgroup is, making and removing it, and what is in it. */
#include "casemate/cgroup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <linux/magic.h>
#include <time.h>

#include "casemate/mountinfo.h"
#include "casemate/path.h"
#include "systemd.h"

#define MOUNT "/sys/fs/cgroup"

const char *cgroup_dir(struct arena *a, const struct cgroup_hierarchy *h)
{
	return arena_printf(a, "%s%s", h->mountpoint, h->path);
}

bool cgroup_in_list(const char *list, const char *item)
{
	size_t len = strlen(item);

	for (const char *p = list; *p; p += strspn(p, ",")) {
		size_t n = strcspn(p, ",");

		if (n == len && strncmp(p, item, n) == 0)
			return true;
		p += n;
	}
	return false;
}

const struct cgroup_hierarchy *cgroup_find(const struct cgroup *cg, const char *controller)
{
	for (size_t i = 0; i < cg->h.n; i++)
		if (cgroup_in_list(cg->h.v[i].controllers, controller))
			return &cg->h.v[i];
	return NULL;
}

/* --- plan -------------------------------------------------------------- */

/* Where the hierarchy with this list of controllers is ("" for v2). All names
 * of a list stand in one superblock, so that the first one finds it. */
static const struct mount_entry *find_mount(struct arena *a, const struct mountinfo *m,
					    const char *list)
{
	const char *first = arena_strndup(a, list, strcspn(list, ","));

	for (size_t i = 0; i < m->n; i++) {
		const struct mount_entry *e = &m->v[i];

		if (*list ? strcmp(e->type, "cgroup") == 0 && cgroup_in_list(e->super, first)
			  : strcmp(e->type, "cgroup2") == 0)
			return e;
	}
	return NULL;
}

/* The container's path in one hierarchy: own is where the runtime is. */
static const char *place(struct arena *a, const char *cgroups_path, const char *id, const char *own,
			 const char *root, bool user)
{
	/* What the mount shows begins at its root. */
	size_t n = strlen(root);

	if (n > 1 && strncmp(own, root, n) == 0)
		own += n;
	/* Beside its own: below a cgroup with processes no limit can be set. */
	if (!cgroups_path && user && *own == '/')
		return arena_printf(a, "%.*s/casemate/%s", (int)(strrchr(own, '/') - own), own, id);
	if (!cgroups_path)
		return arena_printf(a, "/casemate/%s", id);
	cgroups_path = path_clean(a, cgroups_path);
	if (*cgroups_path == '/')
		return cgroups_path;
	return arena_printf(a, "%s/%s", strcmp(own, "/") == 0 ? "" : own, cgroups_path);
}

/* The topmost part of the path that is not there yet: noted before anything is
 * made, so that the state knows it whenever this process dies. */
static const char *missing_part(struct arena *a, const struct cgroup_hierarchy *h)
{
	size_t len = strlen(h->path);

	for (size_t i = 1; i <= len; i++) {
		const char *part = arena_strndup(a, h->path, i);

		if ((h->path[i] == '/' || h->path[i] == '\0') &&
		    access(arena_printf(a, "%s%s", h->mountpoint, part), F_OK) < 0)
			return part;
	}
	return NULL;
}

/* Processes in it, or cgroups, which may get some at any time. */
static bool is_used(struct arena *a, const char *dir)
{
	char *text = file_read(a, AT_FDCWD, arena_printf(a, "%s/cgroup.procs", dir), 1 << 20, NULL);
	struct stat st;

	/* A directory has a link for itself, one in its parent, one for each child. */
	return (text && *text) || (stat(dir, &st) == 0 && st.st_nlink > 2);
}

/* A cgroup in use is another container's: it must never get into the state of
 * this one, whose end would be the end of that one's processes. */
int cgroup_check_empty(const struct cgroup *cg)
{
	for (size_t i = 0; i < cg->h.n; i++) {
		const char *dir = cgroup_dir(cg->arena, &cg->h.v[i]);

		if (is_used(cg->arena, dir)) {
			fail(EBUSY, "linux.cgroupsPath: %s has processes or cgroups in it", dir);
			return fail_hint("another container uses it: give a path of its own");
		}
	}
	error_clear();
	return 0;
}

int cgroup_fail_gone(const char *dir)
{
	errno = ENOENT;
	return fail(0, "cgroup not exist: %s is not the container's any more", dir);
}

/* Is the directory still the one that create made? Its name may have been given
 * to another container since. */
bool cgroup_is_own(struct arena *a, const struct cgroup_hierarchy *h)
{
	struct stat st;

	return h->inode != 0 && stat(cgroup_dir(a, h), &st) == 0 && st.st_ino == h->inode;
}

int cgroup_plan(struct cgroup *cg, struct arena *a, const char *cgroups_path, const char *id,
		unsigned driver)
{
	bool systemd = driver & CGROUP_SYSTEMD;
	struct statfs fs;
	struct mountinfo mounts;
	char *own = file_read(a, AT_FDCWD, "/proc/self/cgroup", 1 << 20, NULL), *save;

	*cg = (struct cgroup){.arena = a, .user = driver & CGROUP_USER};
	if (mountinfo_read(a, &mounts) < 0 || !own)
		return -1;
	if (cgroups_path && strstr(arena_printf(a, "/%s/", cgroups_path), "/../"))
		return fail(EINVAL, "linux.cgroupsPath: \"%s\" has a \"..\"", cgroups_path);
	if (cgroups_path && !systemd && cgroups_path[strspn(cgroups_path, "/.")] == '\0')
		return fail(EINVAL, "linux.cgroupsPath: \"%s\" is the root of the hierarchy",
			    cgroups_path);
	cg->mode =
		statfs(MOUNT, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC ? CGROUP_V2 : CGROUP_V1;
	/* "4:memory:/user.slice", "1:name=systemd:/", "0::/" */
	for (char *line = strtok_r(own, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *list = strchr(line, ':'), *path = list ? strchr(list + 1, ':') : NULL;
		const struct mount_entry *mount;

		if (!path)
			continue;
		*list++ = *path++ = '\0';
		if ((cg->mode == CGROUP_V2) != (*list == '\0') && cg->mode == CGROUP_V2)
			continue;
		mount = find_mount(a, &mounts, list);
		if (!mount)
			continue;
		*vec_add(a, &cg->h) = (struct cgroup_hierarchy){
			.controllers = list,
			.mountpoint = mount->point,
			.path = place(a, cgroups_path, id, path, mount->root, cg->user)};
	}
	if (cg->h.n == 0)
		return fail(ENOENT, "no cgroup hierarchy is mounted");
	if (systemd && cg->mode != CGROUP_V2) {
		fail(0, "--systemd-cgroup: needs cgroup v2, this host has v1");
		return fail_hint("use the cgroupfs driver");
	}
	if (systemd)
		return systemd_plan(cg, cgroups_path, id) < 0 ? -1 : cgroup_check_empty(cg);
	for (size_t i = 0; i < cg->h.n; i++)
		cg->h.v[i].made_from = missing_part(a, &cg->h.v[i]);
	return cgroup_check_empty(cg);
}

int cgroup_fd(const struct cgroup *cg)
{
	for (size_t i = 0; i < cg->h.n; i++) {
		if (*cg->h.v[i].controllers)
			continue;
		const char *dir = cgroup_dir(cg->arena, &cg->h.v[i]);
		_fd_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		struct stat st;

		if (fd < 0 || fstat(fd, &st) < 0)
			return fail(errno, "cannot open %s", dir);
		return st.st_ino == cg->h.v[i].inode ? fd_take(&fd) : cgroup_fail_gone(dir);
	}
	error_clear();
	errno = 0;
	return -1;
}

int cgroup_enter(const struct cgroup *cg)
{
	for (size_t i = 0; i < cg->h.n; i++) {
		const char *dir = cgroup_dir(cg->arena, &cg->h.v[i]);

		/* v2 is entered by clone3, or by systemd. */
		if (!*cg->h.v[i].controllers)
			continue;
		if (!cgroup_is_own(cg->arena, &cg->h.v[i]))
			return cgroup_fail_gone(dir);
		if (file_write(AT_FDCWD, arena_printf(cg->arena, "%s/tasks", dir), "0") < 0)
			return fail_in("cannot join the cgroup");
	}
	return 0;
}

int cgroup_delegate(const struct cgroup *cg, uid_t uid)
{
	/* What every kernel of cgroup v2 has, where it does not tell (before 4.15). */
	char known[] = "cgroup.procs\ncgroup.subtree_control\ncgroup.threads\n", *save;

	if (cg->mode != CGROUP_V2)
		return 0;
	const char *dir = cgroup_dir(cg->arena, &cg->h.v[0]);
	_fd_ int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char *list = file_read(cg->arena, AT_FDCWD, "/sys/kernel/cgroup/delegate", 65536, NULL);
	if (fd < 0 || fchownat(fd, "", uid, (gid_t)-1, AT_EMPTY_PATH) < 0)
		return fail(errno, "cannot give %s to the container", dir);
	for (char *f = strtok_r(list ? list : known, "\n", &save); f;
	     f = strtok_r(NULL, "\n", &save))
		if (fchownat(fd, f, uid, (gid_t)-1, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
			return fail(errno, "cannot give %s/%s to the container", dir, f);
	error_clear();
	return 0;
}

/* --- to and from the state file ---------------------------------------- */

void cgroup_save(const struct cgroup *cg, struct json_out *w, const char *key)
{
	json_out_open(w, key, '{');
	json_out_str(w, "mode", cg->mode == CGROUP_V2 ? "v2" : "v1");
	if (cg->unit) {
		json_out_str(w, "unit", cg->unit);
		json_out_str(w, "slice", cg->slice);
	}
	json_out_bool(w, "user", cg->user);
	json_out_open(w, "hierarchies", '[');
	for (size_t i = 0; i < cg->h.n; i++) {
		json_out_open(w, NULL, '{');
		json_out_str(w, "controllers", cg->h.v[i].controllers);
		json_out_str(w, "mountpoint", cg->h.v[i].mountpoint);
		json_out_str(w, "path", cg->h.v[i].path);
		json_out_str(w, "madeFrom", cg->h.v[i].made_from);
		json_out_uint(w, "inode", cg->h.v[i].inode);
		json_out_close(w);
	}
	json_out_close(w);
	json_out_close(w);
}

int cgroup_load(struct cgroup *cg, struct arena *a, struct json *o)
{
	const char *mode = NULL;
	struct json *list;

	*cg = (struct cgroup){.arena = a};
	if (json_str(o, "mode", "cgroup.mode", true, &mode) < 0 ||
	    json_bool(o, "user", "cgroup.user", &cg->user) < 0 ||
	    json_str(o, "unit", "cgroup.unit", false, &cg->unit) < 0 ||
	    json_str(o, "slice", "cgroup.slice", cg->unit != NULL, &cg->slice) < 0 ||
	    json_array(o, "hierarchies", "cgroup.hierarchies", &list) < 0)
		return -1;
	cg->mode = strcmp(mode, "v2") == 0 ? CGROUP_V2 : CGROUP_V1;
	json_each(item, list)
	{
		struct cgroup_hierarchy *h = vec_add(a, &cg->h);

		if (json_str(item, "controllers", "cgroup.controllers", true, &h->controllers) <
			    0 ||
		    json_str(item, "mountpoint", "cgroup.mountpoint", true, &h->mountpoint) < 0 ||
		    json_str(item, "path", "cgroup.path", true, &h->path) < 0 ||
		    json_str(item, "madeFrom", "cgroup.madeFrom", false, &h->made_from) < 0 ||
		    json_uint(item, "inode", "cgroup.inode", UINT64_MAX, NULL, &h->inode) < 0)
			return -1;
	}
	return cg->h.n ? 0 : fail(EINVAL, "cgroup.hierarchies: is empty");
}
