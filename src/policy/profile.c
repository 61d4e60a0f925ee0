/* Reading a profile: JSON, strict, from files that only root can have written. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "casemate/fd.h"
#include "casemate/owner.h"
#include "judge.h"

#ifndef PROFILE_DIR
#define PROFILE_DIR "/usr/local/share/casemate/profiles"
#endif
#define ADMIN_DIR "/etc/casemate/profiles"

enum { EXTENDS_DEPTH = 8, PROFILE_MAX = 1 << 20 };

static const char *const profile_directories[] = {ADMIN_DIR, PROFILE_DIR};

/* Opens path component by component: each must be this user's or root's and
 * writable by nobody else, none may be a symlink. */
static int open_trusted(struct arena *a, const char *path)
{
	_fd_ int dir = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const char *p = path;

	while (dir >= 0) {
		p += strspn(p, "/");
		size_t n = strcspn(p, "/");
		const char *name = arena_strndup(a, p, n);
		bool last = p[n] == '\0';
		struct stat st;
		_fd_ int next = openat(dir, name,
				       O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK |
					       (last ? O_RDONLY : O_PATH | O_DIRECTORY));

		if (next < 0 || fstat(next, &st) < 0)
			return fail(errno, "profile %s: cannot open", path);
		/* In a user namespace root's files are of a hidden owner; the profile is
		 * one that the caller named, or in a folder of the installation. */
		if ((st.st_uid != 0 && st.st_uid != geteuid() && !owner_is_hidden(&st)) ||
		    st.st_mode & 022) {
			fail(EPERM, "profile %s: \"%s\" can be changed by others", path, name);
			return fail_hint(
				"chown it to root and take write permission from the others");
		}
		if (last)
			return fd_take(&next);
		p += n;
		close(dir);
		dir = fd_take(&next);
	}
	return fail(errno, "profile %s: cannot open", path);
}

static struct json *read_file(struct arena *a, const char *path)
{
	_fd_ int fd = open_trusted(a, path);
	size_t len;

	if (fd < 0)
		return NULL;
	char *text = fd_read_all(a, fd, PROFILE_MAX, &len);
	struct json *o = text ? json_parse(a, text, len) : NULL;
	if (o && o->type != JSON_OBJECT) {
		fail(0, "expected an object");
		o = NULL;
	}
	if (!o)
		fail_in("profile %s", path);
	return o;
}

/* The file of a profile, or NULL with the error set. */
static const char *find_file(struct arena *a, const char *name)
{
	if (strchr(name, '/')) {
		char *cwd = arena_alloc(a, PATH_MAX);

		if (*name == '/')
			return name;
		if (getcwd(cwd, PATH_MAX))
			return arena_printf(a, "%s/%s", cwd, name);
		fail(errno, "profile %s", name);
		return NULL;
	}
	for (size_t i = 0; i < ARRAY_SIZE(profile_directories); i++) {
		const char *path = arena_printf(a, "%s/%s.json", profile_directories[i], name);

		if (faccessat(AT_FDCWD, path, F_OK, AT_EACCESS) == 0)
			return path;
	}
	fail(0, "--profile %s: there is no such profile in %s or %s", name, ADMIN_DIR, PROFILE_DIR);
	fail_hint("known are restricted, baseline, unconfined, or give a path");
	return NULL;
}

/* --- the keys ---------------------------------------------------------- */

static int read_rules(struct json *top, struct profile *p)
{
	struct json *rules;

	if (json_object(top, "rules", "rules", &rules) < 0)
		return -1;
	for (int i = 0; i < RULE_COUNT; i++) {
		const char *word = NULL;
		int action = 0;

		if (json_str(rules, policy_rules[i].id, policy_rules[i].id, false, &word) < 0)
			return -1;
		if (!word)
			continue;
		while (action < 4 && strcmp(policy_action_names[action], word) != 0)
			action++;
		if (action == 4)
			return fail(0, "rules.%s: \"%s\" is not enforce, deny, warn or off",
				    policy_rules[i].id, word);
		p->action[i] = (enum policy_action)action;
	}
	return 0;
}

/* A list that is given replaces the parent's. */
static int read_list(struct arena *a, struct json *o, const char *key, const char *where,
		     struct strv *out)
{
	struct strv list = {0};
	bool given = json_get(o, key) != NULL;

	if (json_strv(a, o, key, where, &list) < 0)
		return -1;
	if (given)
		*out = list;
	return 0;
}

/* Which part of the pool is free is for the
 * host to say, when a container is made. */
static int read_ids(struct json *user, struct profile *p)
{
	struct json *ns, *pool;
	const char *unmappable = NULL;
	uint64_t first = p->ids.first, count = p->ids.count;

	if (json_object(user, "namespace", "user.namespace", &ns) < 0 ||
	    json_object(ns, "pool", "user.namespace.pool", &pool) < 0 ||
	    json_uint(pool, "hostID", "user.namespace.pool.hostID", UINT32_MAX, NULL, &first) < 0 ||
	    json_uint(pool, "size", "user.namespace.pool.size", UINT32_MAX, NULL, &count) < 0 ||
	    json_str(ns, "unmappable", "user.namespace.unmappable", false, &unmappable) < 0)
		return -1;
	if (unmappable && strcmp(unmappable, "refuse") != 0 && strcmp(unmappable, "as-is") != 0)
		return fail(0, "user.namespace.unmappable: \"%s\" is not refuse or as-is",
			    unmappable);
	if (unmappable)
		p->ids.unmappable_as_is = *unmappable == 'a';
	if (first == 0 || count == 0 || first % ID_RANGE || count % ID_RANGE ||
	    first + count > UINT32_MAX)
		return fail(0,
			    "user.namespace.pool: hostID and size must be multiples of %d, above "
			    "0 and below 4294967295",
			    ID_RANGE);
	p->ids.first = (uint32_t)first;
	p->ids.count = (uint32_t)count;
	return 0;
}

static int read_user(struct json *top, struct profile *p)
{
	struct json *user, *fallback;
	uint64_t uid = p->fallback.uid, gid = p->fallback.gid;

	if (json_object(top, "user", "user", &user) < 0 ||
	    json_object(user, "fallback", "user.fallback", &fallback) < 0 ||
	    json_uint(fallback, "uid", "user.fallback.uid", UINT32_MAX - 1, NULL, &uid) < 0 ||
	    json_uint(fallback, "gid", "user.fallback.gid", UINT32_MAX - 1, NULL, &gid) < 0 ||
	    json_bool(user, "rootInUserNamespace", "user.rootInUserNamespace", &p->root_in_userns) <
		    0)
		return -1;
	p->fallback.uid = (uint32_t)uid;
	p->fallback.gid = (uint32_t)gid;
	if (read_ids(user, p) < 0)
		return -1;
	if (uid >= ID_RANGE || gid >= ID_RANGE)
		return fail(0, "user.fallback: %llu:%llu is not among the %d ids of a container",
			    (unsigned long long)uid, (unsigned long long)gid, ID_RANGE);
	return 0;
}

static int read_capabilities(struct arena *a, struct json *top, struct profile *p)
{
	struct json *o;
	struct strv names = {0};

	if (json_object(top, "capabilities", "capabilities", &o) < 0 ||
	    read_list(a, o, "allow", "capabilities.allow", &names) < 0)
		return -1;
	if (json_get(o, "allow"))
		p->capabilities = 0;
	for (size_t i = 0; i < names.n; i++) {
		int n = capability_number(names.v[i]);

		if (n < 0)
			return fail(0, "capabilities.allow[%zu]: unknown capability \"%s\"", i,
				    names.v[i]);
		p->capabilities |= 1ULL << n;
	}
	return 0;
}

static int read_mounts(struct arena *a, struct json *top, struct profile *p)
{
	struct json *mounts, *list;
	size_t i = 0;

	if (json_object(top, "mounts", "mounts", &mounts) < 0 ||
	    json_bool(mounts, "noexec", "mounts.noexec", &p->mounts_noexec) < 0 ||
	    json_array(mounts, "allow", "mounts.allow", &list) < 0)
		return -1;
	if (list)
		p->mounts_allow.n = 0;
	json_each(item, list)
	{
		struct profile_mount *m = vec_add(a, &p->mounts_allow);

		if (item->type == JSON_STRING)
			m->path = item->text;
		else if (json_str(item, "path", "mounts.allow.path", true, &m->path) < 0 ||
			 json_bool(item, "writable", "mounts.allow.writable", &m->writable) < 0)
			return -1;
		if (*m->path != '/')
			return fail(0, "mounts.allow[%zu]: \"%s\" is not an absolute path", i,
				    m->path);
		i++;
	}
	return 0;
}

static int read_tmpfs(struct arena *a, struct json *top, struct profile *p)
{
	struct json *rootfs, *list;

	if (json_object(top, "rootfs", "rootfs", &rootfs) < 0 ||
	    json_array(rootfs, "tmpfs", "rootfs.tmpfs", &list) < 0)
		return -1;
	if (list)
		p->tmpfs.n = 0;
	json_each(item, list)
	{
		struct profile_tmpfs *t = vec_add(a, &p->tmpfs);

		if (json_str(item, "destination", "rootfs.tmpfs.destination", true,
			     &t->destination) < 0 ||
		    json_str(item, "size", "rootfs.tmpfs.size", true, &t->size) < 0)
			return -1;
		if (*t->destination != '/' || !*t->size ||
		    t->size[strspn(t->size, "0123456789kmg%")])
			return fail(0,
				    "rootfs.tmpfs: \"%s\", \"%s\": an absolute path and a size "
				    "like 64m",
				    t->destination, t->size);
	}
	return 0;
}

static int read_limits(struct json *top, struct profile *p)
{
	struct json *rlimits, *resources;
	const char *unavailable = NULL;
	struct {
		const char *key, *where;
		struct opt_u64 *out;
	} max[] = {{"core", "rlimits.core", &p->rlimits.core},
		   {"nofile", "rlimits.nofile", &p->rlimits.nofile},
		   {"nproc", "rlimits.nproc", &p->rlimits.nproc}};
	struct {
		const char *key, *where;
		struct opt_i64 *out;
	} limits[] = {{"pids", "resources.pids", &p->pids_limit},
		      {"memory", "resources.memory", &p->memory_limit}};

	if (json_object(top, "rlimits", "rlimits", &rlimits) < 0 ||
	    json_object(top, "resources", "resources", &resources) < 0 ||
	    json_str(resources, "unavailable", "resources.unavailable", false, &unavailable) < 0)
		return -1;
	if (unavailable && strcmp(unavailable, "refuse") != 0 && strcmp(unavailable, "warn") != 0)
		return fail(0, "resources.unavailable: \"%s\" is not refuse or warn", unavailable);
	if (unavailable)
		p->unavailable_warn = *unavailable == 'w';
	for (size_t i = 0; i < ARRAY_SIZE(max); i++) {
		bool given;

		if (json_uint(rlimits, max[i].key, max[i].where, UINT64_MAX, &given,
			      &max[i].out->v) < 0)
			return -1;
		max[i].out->set = max[i].out->set || given;
	}
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		bool given;

		if (json_int(resources, limits[i].key, limits[i].where, 1, INT64_MAX, &given,
			     &limits[i].out->v) < 0)
			return -1;
		limits[i].out->set = limits[i].out->set || given;
	}
	return 0;
}

/* A device is known by its numbers: config.json may name it as it likes. One
 * that this host has not is allowed to nobody. */
static int read_devices(struct arena *a, struct json *top, struct profile *p)
{
	struct json *o;
	struct strv paths = {0};

	if (json_object(top, "devices", "devices", &o) < 0 ||
	    read_list(a, o, "allow", "devices.allow", &paths) < 0)
		return -1;
	if (json_get(o, "allow"))
		p->devices_allow.n = 0;
	for (size_t i = 0; i < paths.n; i++) {
		struct profile_device *d = vec_add(a, &p->devices_allow);
		struct stat st;

		d->path = paths.v[i];
		if (*d->path != '/')
			return fail(0, "devices.allow[%zu]: \"%s\" is not an absolute path", i,
				    d->path);
		if (stat(d->path, &st) < 0 || !(S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)))
			continue;
		d->type = S_ISCHR(st.st_mode) ? 'c' : 'b';
		d->major = major(st.st_rdev);
		d->minor = minor(st.st_rdev);
	}
	return 0;
}

static int read_seccomp(struct arena *a, struct json *top, const char *path, struct profile *p)
{
	struct json *o;
	const char *file = NULL;

	if (json_object(top, "seccomp", "seccomp", &o) < 0 ||
	    json_str(o, "default", "seccomp.default", false, &file) < 0 ||
	    read_list(a, o, "families", "seccomp.families", &p->seccomp_fixed.allow_families) < 0 ||
	    read_list(a, o, "allow", "seccomp.allow", &p->seccomp_fixed.allow_syscalls) < 0)
		return -1;
	if (!file)
		return 0;
	if (*file != '/')
		file = arena_printf(a, "%.*s/%s", (int)(strrchr(path, '/') - path), path, file);
	struct json *filter = read_file(a, file);
	return filter ? spec_parse_seccomp(a, filter, file, &p->seccomp) : -1;
}

static int read_lsm(struct json *top, struct profile *p)
{
	struct json *lsm, *selinux;

	if (json_object(top, "lsm", "lsm", &lsm) < 0 ||
	    json_str(lsm, "apparmor", "lsm.apparmor", false, &p->apparmor) < 0 ||
	    json_bool(lsm, "ignoreMissing", "lsm.ignoreMissing", &p->lsm_ignore_missing) < 0 ||
	    json_object(lsm, "selinux", "lsm.selinux", &selinux) < 0 ||
	    json_str(selinux, "process", "lsm.selinux.process", false, &p->selinux_process) < 0 ||
	    json_str(selinux, "mount", "lsm.selinux.mount", false, &p->selinux_mount) < 0)
		return -1;
	if (!p->selinux_process != !p->selinux_mount)
		return fail(0, "lsm.selinux: process and mount go together");
	return 0;
}

static int read_lists(struct arena *a, struct json *top, struct profile *p)
{
	const struct {
		const char *section, *key, *where;
		struct strv *out;
	} lists[] = {
		{"namespaces", "join", "namespaces.join", &p->namespaces_join},
		{"paths", "masked", "paths.masked", &p->masked_paths},
		{"paths", "readonly", "paths.readonly", &p->readonly_paths},
		{"sysctl", "allow", "sysctl.allow", &p->sysctl_allow},
		{"annotations", "allow", "annotations.allow", &p->annotations_allow},
		{"hooks", "allow", "hooks.allow", &p->hooks_allow},
	};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		struct json *o;

		if (json_object(top, lists[i].section, lists[i].section, &o) < 0 ||
		    read_list(a, o, lists[i].key, lists[i].where, lists[i].out) < 0)
			return -1;
	}
	return 0;
}

static int fail_missing(const char *place)
{
	fail(0, "%s: is missing, and nothing is extended", place);
	return fail_hint("say \"extends\": \"restricted\" and what differs");
}

/* What is not said would be no protection: who extends nothing says it all. */
static int check_complete(struct arena *a, struct json *top)
{
	static const char *const sections[] = {"user",	    "capabilities", "namespaces", "mounts",
					       "rootfs",    "paths",	    "sysctl",	  "rlimits",
					       "resources", "seccomp"};
	struct json *rules = json_get(top, "rules");

	for (int i = 0; i < RULE_COUNT; i++)
		if (!json_get(rules, policy_rules[i].id))
			return fail_missing(arena_printf(a, "rules.%s", policy_rules[i].id));
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
		if (!json_get(top, sections[i]))
			return fail_missing(sections[i]);
	return 0;
}

static int read_profile(struct arena *a, const char *name, struct profile *p, unsigned depth)
{
	const char *path = find_file(a, name), *parent = NULL, *about = NULL;
	struct strv unknown = {0};

	if (depth > EXTENDS_DEPTH)
		return fail(ELOOP, "extends: more than %d profiles", EXTENDS_DEPTH);
	if (!path)
		return -1;
	struct json *top = read_file(a, path);
	if (!top || json_str(top, "extends", "extends", false, &parent) < 0 ||
	    json_str(top, "description", "description", false, &about) < 0)
		return -1;
	/* A plain name next to a profile that was given by path means its neighbour,
	 * where it has one. */
	if (parent && strchr(name, '/') && !strchr(parent, '/')) {
		const char *beside = arena_printf(a, "%.*s/%s.json",
						  (int)(strrchr(path, '/') - path), path, parent);

		parent = access(beside, F_OK) == 0 ? beside : parent;
	}
	if (parent ? read_profile(a, parent, p, depth + 1) < 0 : check_complete(a, top) < 0)
		return parent ? -1 : fail_in("profile %s", path);
	p->name = name;
	p->path = path;
	if (read_rules(top, p) < 0 || read_user(top, p) < 0 || read_capabilities(a, top, p) < 0 ||
	    read_mounts(a, top, p) < 0 || read_tmpfs(a, top, p) < 0 || read_limits(top, p) < 0 ||
	    read_lists(a, top, p) < 0 || read_lsm(top, p) < 0 || read_devices(a, top, p) < 0 ||
	    read_seccomp(a, top, path, p) < 0)
		return fail_in("profile %s", path);
	json_unused(a, top, "", &unknown);
	if (unknown.n > 0) {
		fail(0, "profile %s: unknown key \"%s\"", path, unknown.v[0]);
		return fail_hint("see casemate-profile(5) for the keys");
	}
	return 0;
}

int profile_load(struct arena *a, const char *name, struct profile *out)
{
	*out = (struct profile){.arena = a};
	/* What no profile of the chain says is the strictest. */
	if (read_profile(a, name, out, 0) < 0)
		return -1;
	/* Names that mean nothing, now and not when a container needs them. */
	struct seccomp_program unused;
	if (seccomp_build_fixed(a, &out->seccomp_fixed, &unused) < 0)
		return fail_in("profile %s", out->path);
	for (size_t i = 0; i < out->namespaces_join.n; i++)
		if (!namespace_type(out->namespaces_join.v[i]))
			return fail(0, "profile %s: namespaces.join[%zu]: unknown namespace \"%s\"",
				    out->path, i, out->namespaces_join.v[i]);
	const char *base = strrchr(out->path, '/') + 1;
	out->name = arena_strndup(a, base, strcspn(base, "."));
	return 0;
}
