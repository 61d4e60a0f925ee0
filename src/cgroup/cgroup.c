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
#include "internal.h"

#define MOUNT "/sys/fs/cgroup"

const char *cgroup_dir(struct arena *a, const struct cgroup_hierarchy *h)
{
	return arena_printf(a, "%s%s", h->mountpoint, h->path);
}

static bool in_list(const char *list, const char *item)
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
		if (in_list(cg->h.v[i].controllers, controller))
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

		if (*list ? strcmp(e->type, "cgroup") == 0 && in_list(e->super, first)
			  : strcmp(e->type, "cgroup2") == 0)
			return e;
	}
	return NULL;
}

/* The container's path in one hierarchy: own is where the runtime is. */
static const char *place(struct arena *a, const char *cgroups_path, const char *id, const char *own,
			 const char *root)
{
	if (!cgroups_path)
		return arena_printf(a, "/casemate/%s", id);
	if (*cgroups_path == '/')
		return cgroups_path;
	/* What the mount shows begins at its root. */
	size_t n = strlen(root);
	if (n > 1 && strncmp(own, root, n) == 0)
		own += n;
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

static bool has_processes(struct arena *a, const char *dir)
{
	char *text = file_read(a, AT_FDCWD, arena_printf(a, "%s/cgroup.procs", dir), 1 << 20, NULL);

	return text && *text;
}

/* A cgroup in use is another container's: it must never get into the state of
 * this one, whose end would be the end of that one's processes. */
static int check_empty(const struct cgroup *cg)
{
	for (size_t i = 0; i < cg->h.n; i++) {
		const char *dir = cgroup_dir(cg->arena, &cg->h.v[i]);

		if (has_processes(cg->arena, dir)) {
			fail(EBUSY, "linux.cgroupsPath: %s has processes in it", dir);
			return fail_hint("another container uses it: give a path of its own");
		}
	}
	error_clear();
	return 0;
}

int cgroup_plan(struct cgroup *cg, struct arena *a, const char *cgroups_path, const char *id)
{
	struct statfs fs;
	struct mountinfo mounts;
	char *own = file_read(a, AT_FDCWD, "/proc/self/cgroup", 1 << 20, NULL), *save;

	*cg = (struct cgroup){.arena = a};
	if (mountinfo_read(a, &mounts) < 0 || !own)
		return -1;
	if (cgroups_path && cgroups_path[strspn(cgroups_path, "/.")] == '\0')
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
			.path = place(a, cgroups_path, id, path, mount->root)};
	}
	if (cg->h.n == 0)
		return fail(ENOENT, "no cgroup hierarchy is mounted");
	for (size_t i = 0; i < cg->h.n; i++)
		cg->h.v[i].made_from = missing_part(a, &cg->h.v[i]);
	return check_empty(cg);
}

/* --- making ------------------------------------------------------------ */

/* A new cpuset is empty and takes no process: it begins as its parent's copy. */
static int inherit_cpuset(struct arena *a, const char *parent, const char *dir)
{
	static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		char *to = arena_printf(a, "%s/%s", dir, files[i]);
		char *have = file_read(a, AT_FDCWD, to, 65536, NULL);
		char *value = file_read(a, AT_FDCWD, arena_printf(a, "%s/%s", parent, files[i]),
					65536, NULL);

		if (!have || !value)
			return -1;
		if (have[strspn(have, "\n")] == '\0' && file_write(AT_FDCWD, to, value) < 0)
			return -1;
	}
	return 0;
}

/* mkdir -p below the mount. A parent that another container's delete removes
 * meanwhile is made again. */
static int make_dirs(struct arena *a, struct cgroup_hierarchy *h)
{
	bool cpuset = in_list(h->controllers, "cpuset");
	const char *parent = h->mountpoint;
	size_t len = strlen(h->path);
	unsigned tries = 0;

	h->made_from = NULL;
	for (size_t i = 1; i <= len; i++) {
		if (h->path[i] != '/' && h->path[i] != '\0')
			continue;
		const char *part = arena_strndup(a, h->path, i);
		const char *dir = arena_printf(a, "%s%s", h->mountpoint, part);

		if (mkdir(dir, 0755) == 0) {
			if (!h->made_from)
				h->made_from = part;
		} else if (errno == ENOENT && tries++ < 16) {
			i = 0;
			parent = h->mountpoint;
			continue;
		} else if (errno != EEXIST) {
			return fail(errno, "linux.cgroupsPath: cannot make %s", dir);
		}
		if (cpuset && inherit_cpuset(a, parent, dir) < 0)
			return -1;
		parent = dir;
	}
	return 0;
}

/* A list of the kernel's, "cpu io memory\n", as "cpu,io,memory". */
static char *read_list(struct arena *a, const char *dir, const char *file)
{
	char *text = file_read(a, AT_FDCWD, arena_printf(a, "%s/%s", dir, file), 4096, NULL);

	if (text)
		text[strcspn(text, "\n")] = '\0';
	for (char *p = text; p && *p; p++)
		*p = *p == ' ' ? ',' : *p;
	return text;
}

/* Passes on every controller that dir has, so that statistics are there also
 * without a limit. What cannot be passed on is missed where it is needed. */
static int pass_on(struct arena *a, const char *dir)
{
	char *have = read_list(a, dir, "cgroup.controllers"), *save;
	char *on = read_list(a, dir, "cgroup.subtree_control");
	const char *file = arena_printf(a, "%s/cgroup.subtree_control", dir), *all = "";

	if (!have || !on)
		return -1;
	for (char *c = strtok_r(have, ",", &save); c; c = strtok_r(NULL, ",", &save))
		if (!in_list(on, c))
			all = arena_printf(a, "%s+%s ", all, c);
	if (!*all || file_write(AT_FDCWD, file, all) == 0)
		return 0;
	/* One that is refused takes the others with it: each alone. */
	char *each = arena_strdup(a, all);
	for (char *c = strtok_r(each, " ", &save); c; c = strtok_r(NULL, " ", &save))
		(void)file_write(AT_FDCWD, file, c);
	error_clear();
	return 0;
}

/* v2: a controller works in a cgroup only when each one above it passes it on. */
static int enable_controllers(struct arena *a, const struct cgroup_hierarchy *h,
			      const struct cgroup_writes *w)
{
	const char *dir = cgroup_dir(a, h);

	for (size_t n = 0; n < strlen(h->path); n++)
		if (h->path[n] == '/' && pass_on(a, arena_printf(a, "%s%s", h->mountpoint,
								 arena_strndup(a, h->path, n))) < 0)
			return -1;
	char *have = read_list(a, dir, "cgroup.controllers");
	if (!have)
		return -1;
	for (size_t i = 0; i < w->n; i++)
		if (!in_list(have, w->v[i].controller)) {
			fail(ENOENT, "linux.resources.%s: the controller %s is not there in %s",
			     w->v[i].place, w->v[i].controller, dir);
			return fail_hint("enable it in cgroup.subtree_control above, or "
					 "remove the limit");
		}
	return 0;
}

static int write_one(const struct cgroup *cg, const struct cgroup_write *w)
{
	const struct cgroup_hierarchy *h =
		cg->mode == CGROUP_V2 ? &cg->h.v[0] : cgroup_find(cg, w->controller);
	struct arena *a = cg->arena;

	if (!h) {
		fail(0, "linux.resources.%s: this host has no %s controller", w->place,
		     w->controller);
		return fail_hint("enable the controller, or remove the limit");
	}
	const char *dir = cgroup_dir(a, h);
	if (file_write(AT_FDCWD, arena_printf(a, "%s/%s", dir, w->file), w->value) == 0)
		return 0;
	if (error_last()->errnum == ENOENT && w->optional)
		return 0;
	if (error_last()->errnum == ENOENT && w->other_file &&
	    file_write(AT_FDCWD, arena_printf(a, "%s/%s", dir, w->other_file), w->other_value) == 0)
		return 0;
	return fail_in("linux.resources.%s", w->place);
}

static int write_devices(const struct cgroup *cg, const struct spec_resources *r)
{
	struct arena *a = cg->arena;
	struct device_rules rules = {0};

	device_rules(a, r, &rules);
	if (cg->mode == CGROUP_V2) {
		_fd_ int fd = cgroup_fd(cg);

		return fd < 0 ? -1 : device_attach(fd, &rules);
	}
	const struct cgroup_hierarchy *h = cgroup_find(cg, "devices");
	if (!h) {
		fail(0, "linux.resources.devices: this host has no devices controller");
		return fail_hint("mount the devices hierarchy");
	}
	const char *dir = cgroup_dir(a, h);
	const char *deny = arena_printf(a, "%s/devices.deny", dir);
	const char *allow = arena_printf(a, "%s/devices.allow", dir);
	if (file_write(AT_FDCWD, deny, "a") < 0)
		return fail_in("linux.resources.devices");
	for (size_t i = 0; i < rules.n; i++)
		if (file_write(AT_FDCWD, rules.v[i].allow ? allow : deny,
			       device_rule_text(a, &rules.v[i])) < 0)
			return fail_in("linux.resources.devices[%zu]", i);
	return 0;
}

static int apply(const struct cgroup *cg, const struct spec_resources *r, bool create)
{
	struct cgroup_writes w = {.a = cg->arena};

	if ((cg->mode == CGROUP_V2 ? resources_v2(r, &w) : resources_v1(r, &w)) < 0)
		return -1;
	if (cg->mode == CGROUP_V2 && enable_controllers(cg->arena, &cg->h.v[0], &w) < 0)
		return -1;
	for (size_t i = 0; i < w.n; i++) {
		if (write_one(cg, &w.v[i]) == 0)
			continue;
		if (create || !w.v[i].pair || i + 1 == w.n || write_one(cg, &w.v[i + 1]) < 0 ||
		    write_one(cg, &w.v[i]) < 0)
			return -1;
		i++;
	}
	return create || r->devices.n > 0 ? write_devices(cg, r) : 0;
}

int cgroup_create(struct cgroup *cg, const struct spec_resources *r)
{
	/* Again: it may have been taken since the plan. */
	if (check_empty(cg) < 0)
		return -1;
	for (size_t i = 0; i < cg->h.n; i++)
		if (make_dirs(cg->arena, &cg->h.v[i]) < 0)
			goto undo;
	if (apply(cg, r, true) == 0)
		return 0;
undo:;
	struct error e = *error_last();

	cgroup_delete(cg);
	return error_adopt(&e);
}

int cgroup_fd(const struct cgroup *cg)
{
	for (size_t i = 0; i < cg->h.n; i++) {
		if (*cg->h.v[i].controllers)
			continue;
		const char *dir = cgroup_dir(cg->arena, &cg->h.v[i]);
		int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		return fd < 0 ? fail(errno, "cannot open %s", dir) : fd;
	}
	error_clear();
	errno = 0;
	return -1;
}

int cgroup_enter(const struct cgroup *cg)
{
	for (size_t i = 0; i < cg->h.n; i++) {
		const char *dir = cgroup_dir(cg->arena, &cg->h.v[i]);

		if (*cg->h.v[i].controllers &&
		    file_write(AT_FDCWD, arena_printf(cg->arena, "%s/tasks", dir), "0") < 0)
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

static int check_usage(const struct cgroup *cg, const struct spec_resources *r)
{
	bool v2 = cg->mode == CGROUP_V2;
	const struct cgroup_hierarchy *h = v2 ? &cg->h.v[0] : cgroup_find(cg, "memory");
	char *text;

	if (!r->memory.check_before_update || !r->memory.limit.set || r->memory.limit.v < 0 || !h)
		return 0;
	text = file_read(cg->arena, AT_FDCWD,
			 arena_printf(cg->arena, "%s/%s", cgroup_dir(cg->arena, h),
				      v2 ? "memory.current" : "memory.usage_in_bytes"),
			 64, NULL);
	if (!text)
		return -1;
	if (strtoull(text, NULL, 10) > (unsigned long long)r->memory.limit.v)
		return fail(EBUSY, "linux.resources.memory.limit: %lld is below what is in use",
			    (long long)r->memory.limit.v);
	return 0;
}

int cgroup_update(const struct cgroup *cg, const struct spec_resources *r)
{
	return check_usage(cg, r) < 0 ? -1 : apply(cg, r, false);
}

/* --- to and from the state file ---------------------------------------- */

void cgroup_save(const struct cgroup *cg, struct json_out *w, const char *key)
{
	json_out_open(w, key, '{');
	json_out_str(w, "mode", cg->mode == CGROUP_V2 ? "v2" : "v1");
	json_out_open(w, "hierarchies", '[');
	for (size_t i = 0; i < cg->h.n; i++) {
		json_out_open(w, NULL, '{');
		json_out_str(w, "controllers", cg->h.v[i].controllers);
		json_out_str(w, "mountpoint", cg->h.v[i].mountpoint);
		json_out_str(w, "path", cg->h.v[i].path);
		json_out_str(w, "madeFrom", cg->h.v[i].made_from);
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
		    json_str(item, "madeFrom", "cgroup.madeFrom", false, &h->made_from) < 0)
			return -1;
	}
	return cg->h.n ? 0 : fail(EINVAL, "cgroup.hierarchies: is empty");
}
