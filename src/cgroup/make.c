/* Making the cgroup, and writing its limits. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "systemd.h"

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

static int note_inode(struct arena *a, struct cgroup_hierarchy *h)
{
	struct stat st;

	if (stat(cgroup_dir(a, h), &st) < 0)
		return fail(errno, "%s", cgroup_dir(a, h));
	h->inode = st.st_ino;
	return 0;
}

/* mkdir -p below the mount. A parent that another container's delete removes
 * meanwhile is made again. */
static int make_dirs(struct arena *a, struct cgroup_hierarchy *h)
{
	bool cpuset = cgroup_in_list(h->controllers, "cpuset");
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
			/* At once: what fails from here on undoes it by this. */
			if (h->path[i] == '\0' && note_inode(a, h) < 0)
				return -1;
		} else if (errno == ENOENT && tries++ < 16) {
			i = 0;
			parent = h->mountpoint;
			continue;
		} else if (errno != EEXIST || h->path[i] == '\0') {
			/* The container's own must be new: what others made is theirs. */
			bool taken = errno == EEXIST;

			fail(errno, "linux.cgroupsPath: cannot make %s", dir);
			return fail_hint(taken ? "if no container uses it, remove it with rmdir"
					       : "it is not delegated to this user: see "
						 "casemate(8), ROOTLESS");
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
		if (!cgroup_in_list(on, c))
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
		/* cgroup.max.depth and the like are there without one. */
		if (strcmp(w->v[i].controller, "cgroup") != 0 &&
		    !cgroup_in_list(have, w->v[i].controller)) {
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

	if (cg->user)
		return 0;
	device_rules(a, r, &rules);
	if (cg->mode == CGROUP_V2) {
		_fd_ int fd = cgroup_fd(cg);

		return fd < 0 ? -1 : device_attach(fd, &rules);
	}
	if (device_rules_check_v1(&rules) < 0)
		return -1;
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
	if (cgroup_check_empty(cg) < 0)
		return -1;
	/* A scope is made around the process: cgroup_adopt. */
	if (cg->unit)
		return 0;
	for (size_t i = 0; i < cg->h.n; i++)
		if (make_dirs(cg->arena, &cg->h.v[i]) < 0)
			goto undo;
	if (apply(cg, r, true) == 0)
		return 0;
undo:;
	struct error e = *error_last();

	/* What was not reached is not there, or another's. */
	for (size_t i = 0; i < cg->h.n; i++)
		if (cg->h.v[i].inode == 0)
			cg->h.v[i].made_from = NULL;
	cgroup_delete(cg);
	return error_adopt(&e);
}

int cgroup_adopt(struct cgroup *cg, pid_t pid, const struct spec_resources *r)
{
	if (!cg->unit)
		return 0;
	if (systemd_start(cg, pid, r) < 0)
		return -1;
	/* The state names this place: whatever else is elsewhere would be lost. */
	char *own = file_read(cg->arena, AT_FDCWD,
			      arena_printf(cg->arena, "/proc/%d/cgroup", (int)pid), 4096, NULL);
	const char *want = arena_printf(cg->arena, "0::%s\n", cg->h.v[0].path);
	if (!own || strcmp(own, want) != 0)
		return fail(0, "systemd put the container into %s in place of %s", own ? own : "?",
			    cg->h.v[0].path);
	return note_inode(cg->arena, &cg->h.v[0]) < 0 ? -1 : apply(cg, r, true);
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
	for (size_t i = 0; i < cg->h.n; i++)
		if (!cgroup_is_own(cg->arena, &cg->h.v[i]))
			return cgroup_fail_gone(cgroup_dir(cg->arena, &cg->h.v[i]));
	if (check_usage(cg, r) < 0 || (cg->unit && systemd_update(cg, r) < 0))
		return -1;
	return apply(cg, r, false);
}
