/* The rules on mounts and the root file system. */
#include <string.h>
#include <sys/mount.h>

#include "judge.h"

#define SAFE_FLAGS ((uint64_t)(MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV))

bool is_below(const char *path, const char *top)
{
	size_t n = strlen(top);

	while (n > 1 && top[n - 1] == '/')
		n--;
	return (n == 1 && *top == '/') ||
	       (strncmp(path, top, n) == 0 && (path[n] == '/' || path[n] == '\0'));
}

static bool same_path(const char *a, const char *b)
{
	return is_below(a, b) && is_below(b, a);
}

/* --- mounts.source ----------------------------------------------------- */

/* Whoever gets one of these, or something above it, gets the host. */
static const char *const host_paths[] = {
	"/bin",	 "/boot", "/dev",  "/etc", "/lib", "/lib32",   "/lib64",   "/libx32", "/proc",
	"/root", "/run",  "/sbin", "/sys", "/usr", "/var/lib", "/var/log", "/var/run"};

static bool is_hex_id(const char *s, size_t n)
{
	return n == 64 && strspn(s, "0123456789abcdef") >= 64;
}

/* The text behind "/NAME/", or NULL. */
static const char *behind(const char *path, const char *name)
{
	const char *p = strstr(path, name);

	return p ? p + strlen(name) : NULL;
}

/* What an engine makes for one container, by its place below the engine's data
 * root, wherever that is. All of it lies in folders only root can write, so the
 * names cannot be made by somebody else. */
static bool is_engine_file(const char *path)
{
	static const char *const files[] = {"/resolv.conf", "/hostname", "/hosts"};
	const char *rest = behind(path, "/containers/");
	size_t n = rest ? strcspn(rest, "/") : 0;

	if (rest && is_hex_id(rest, n)) {
		if (strncmp(rest + n, "/mounts/", 8) == 0)
			return true;
		for (size_t i = 0; i < ARRAY_SIZE(files); i++)
			if (strcmp(rest + n, files[i]) == 0)
				return true;
	}
	rest = behind(path, "/overlay-containers/");
	n = rest ? strcspn(rest, "/") : 0;
	if (rest && is_hex_id(rest, n) && strncmp(rest + n, "/userdata/", 10) == 0)
		return true;
	rest = behind(path, "/volumes/");
	n = rest ? strcspn(rest, "/") : 0;
	if (n > 0 && strncmp(rest + n, "/_data", 6) == 0 && (rest[n + 6] == '/' || !rest[n + 6]))
		return true;
	rest = behind(path, "/io.containerd.grpc.v1.cri/sandboxes/");
	if (rest && strchr(rest, '/'))
		return true;
	rest = strncmp(path, "/var/lib/kubelet/pods/", 22) == 0 ? strchr(path + 22, '/') : NULL;
	return rest && (is_below(rest, "/volumes") || is_below(rest, "/volume-subpaths") ||
			is_below(rest, "/containers") || is_below(rest, "/etc-hosts"));
}

/* --init: the engine's own PID 1, a file of root's that nobody else can write. */
static bool is_engine_init(const struct spec_mount *m)
{
	return (strcmp(m->destination, "/sbin/docker-init") == 0 ||
		strcmp(m->destination, "/dev/init") == 0 ||
		strcmp(m->destination, "/run/podman-init") == 0) &&
	       m->src.fd >= 0 && S_ISREG(m->src.st.st_mode) && m->src.st.st_uid == 0 &&
	       !(m->src.st.st_mode & 022);
}

static const struct profile_mount *find_allowed(const struct profile *p, const char *path)
{
	for (size_t i = 0; i < p->mounts_allow.n; i++)
		if (is_below(path, p->mounts_allow.v[i].path))
			return &p->mounts_allow.v[i];
	return NULL;
}

static void make_readonly(struct spec_mount *m)
{
	m->opt.attr_set |= MOUNT_ATTR_RDONLY;
	m->opt.attr_clear &= ~(uint64_t)MOUNT_ATTR_RDONLY;
	m->opt.rec_attr_set |= MOUNT_ATTR_RDONLY;
	m->opt.rec_attr_clear &= ~(uint64_t)MOUNT_ATTR_RDONLY;
}

static const char *judge_place(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(host_paths); i++) {
		if (is_below(path, host_paths[i]))
			return "this part of the host is not for containers";
		if (is_below(host_paths[i], path))
			return "the folder contains parts of the host that are not for containers";
	}
	return NULL;
}

static const char *judge_kind(const struct spec_mount *m)
{
	if (m->src.fd < 0)
		return NULL;
	if (S_ISSOCK(m->src.st.st_mode))
		return "a socket of the host gives the container what listens behind it";
	if (S_ISBLK(m->src.st.st_mode) || S_ISCHR(m->src.st.st_mode))
		return "it is a device of the host";
	if (m->src.holds_engine_socket)
		return "the folder holds a container engine's socket";
	if (m->src.holds_key_folder)
		return "the folder holds a folder of keys (.ssh, .gnupg, .aws, .kube, .docker)";
	return NULL;
}

static bool in_key_folder(const char *path)
{
	static const char *const names[] = {"/.ssh", "/.gnupg", "/.aws", "/.kube", "/.docker"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *rest = behind(path, names[i]);

		if (rest && (*rest == '/' || *rest == '\0'))
			return true;
	}
	return false;
}

static void judge_bind(struct judge *j, struct spec_mount *m)
{
	const char *path = m->src.resolved ? m->src.resolved : m->source;
	const char *what = judge_kind(m);
	const struct profile_mount *allowed = find_allowed(j->p, path);

	if (!what && (is_engine_file(path) || is_engine_init(m)))
		return;
	if (allowed) {
		if (!allowed->writable && !(m->opt.attr_set & MOUNT_ATTR_RDONLY) &&
		    found_default(j, m->place, "the profile allows the source for reading only",
				  "read-write", "read-only"))
			make_readonly(m);
		return;
	}
	if (!what && in_key_folder(path))
		what = "it is a folder of keys";
	if (!what && *path == '/')
		what = judge_place(path);
	if (what)
		found_request(j, m->place, what, path,
			      "remove the mount, or list the path in the profile's mounts.allow");
}

void rule_mounts_source(struct judge *j, struct spec *s)
{
	static const char *const types[] = {"proc",   "sysfs",	"tmpfs",  "mqueue",
					    "devpts", "cgroup", "cgroup2"};

	for (size_t i = 0; i < s->mounts.n; i++) {
		struct spec_mount *m = &s->mounts.v[i];
		bool known = m->opt.remount;

		if (m->opt.bind && !m->opt.remount) {
			judge_bind(j, m);
			continue;
		}
		for (size_t t = 0; t < ARRAY_SIZE(types); t++)
			known = known || (m->type && strcmp(m->type, types[t]) == 0);
		if (!known)
			found_request(j, m->place,
				      "this type of file system is not made for containers",
				      m->type,
				      "mount it on the host and give the folder to the container");
	}
}

/* --- mounts.flags ------------------------------------------------------ */

static bool is_type(const struct spec_mount *m, const char *type)
{
	return !m->opt.bind && m->type && strcmp(m->type, type) == 0;
}

/* What a mount must have; device nodes are what /dev and devpts are for. */
static uint64_t wanted_flags(const struct judge *j, const struct spec_mount *m)
{
	uint64_t want = SAFE_FLAGS;

	if (same_path(m->destination, "/dev") || is_type(m, "devpts"))
		want = MOUNT_ATTR_NOSUID;
	if (is_type(m, "proc") || is_type(m, "mqueue"))
		want |= MOUNT_ATTR_NOEXEC;
	if (is_type(m, "sysfs") || is_type(m, "cgroup") || is_type(m, "cgroup2"))
		want |= MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY;
	if (j->p->mounts_noexec && m->opt.bind)
		want |= MOUNT_ATTR_NOEXEC;
	return want;
}

static void require(struct judge *j, struct spec_mount *m)
{
	uint64_t want = wanted_flags(j, m);
	uint64_t missing = want & ~m->opt.attr_set;
	bool sub_rw = m->opt.recursive && m->opt.attr_set & MOUNT_ATTR_RDONLY &&
		      !(m->opt.rec_attr_set & MOUNT_ATTR_RDONLY);

	if (missing &&
	    found_default(j, m->place, "flags are missing",
			  arena_printf(j->a, "%s%s%s%s", missing & MOUNT_ATTR_NOSUID ? "suid " : "",
				       missing & MOUNT_ATTR_NODEV ? "dev " : "",
				       missing & MOUNT_ATTR_NOEXEC ? "exec " : "",
				       missing & MOUNT_ATTR_RDONLY ? "rw " : ""),
			  "nosuid, nodev and what its type needs")) {
		m->opt.attr_set |= want;
		m->opt.attr_clear &= ~want;
		m->opt.rec_attr_clear &= ~want;
		if (m->opt.recursive)
			m->opt.rec_attr_set |= want;
	}
	if (sub_rw &&
	    found_default(j, m->place, "what is mounted below it would be writable", "ro", "rro"))
		make_readonly(m);
}

void rule_mounts_flags(struct judge *j, struct spec *s)
{
	for (size_t i = 0; i < s->mounts.n; i++)
		require(j, &s->mounts.v[i]);
}

void rule_mounts_propagation(struct judge *j, struct spec *s)
{
	const char *hint = "use private, or set rule mounts.propagation in a profile";

	for (size_t i = 0; i < s->mounts.n; i++) {
		struct spec_mount *m = &s->mounts.v[i];

		if (m->opt.propagation == MS_SHARED)
			found_request(j, m->place, "mounts would be shared with the host", "shared",
				      hint);
		if (m->opt.propagation == MS_SLAVE &&
		    found_default(j, m->place, "the host's mounts would appear inside", "slave",
				  "private"))
			m->opt.propagation = MS_PRIVATE;
	}
	if (s->rootfs_propagation == MS_SHARED)
		found_request(j, "linux.rootfsPropagation", "mounts would be shared with the host",
			      "shared", hint);
	if (s->rootfs_propagation == MS_SLAVE &&
	    found_default(j, "linux.rootfsPropagation", "the host's mounts would appear inside",
			  "slave", "private"))
		s->rootfs_propagation = MS_PRIVATE;
}

/* --- rootfs, dev ------------------------------------------------------- */

/* Puts a mount before position at. */
static struct spec_mount *insert(struct spec *s, size_t at, const char *destination,
				 const char *type, const char *const *options)
{
	vec_add(s->arena, &s->mounts);
	memmove(&s->mounts.v[at + 1], &s->mounts.v[at],
		(s->mounts.n - 1 - at) * sizeof(*s->mounts.v));
	struct spec_mount *m = &s->mounts.v[at];

	*m = (struct spec_mount){.place = arena_printf(s->arena, "policy mount (%s)", destination),
				 .destination = destination,
				 .type = type,
				 .source = type,
				 .src = {.fd = -1}};
	for (; *options; options++)
		strv_add(s->arena, &m->options, *options);
	/* All of them are in the table or the file system's. */
	(void)mount_options_parse(s->arena, &m->options, &m->opt);
	return m;
}

static struct spec_mount *find_mount(struct spec *s, const char *destination)
{
	for (size_t i = 0; i < s->mounts.n; i++)
		if (same_path(s->mounts.v[i].destination, destination))
			return &s->mounts.v[i];
	return NULL;
}

void rule_rootfs_readonly(struct judge *j, struct spec *s)
{
	if (!s->root_readonly &&
	    found_default(j, "root.readonly", "the root file system is writable", "false", "true"))
		s->root_readonly = true;
	if (!s->root_readonly || j->action != POLICY_ENFORCE)
		return;
	for (size_t i = 0; i < j->p->tmpfs.n; i++) {
		const char *dest = j->p->tmpfs.v[i].destination;
		const char *options[] = {"nosuid",
					 "nodev",
					 "noexec",
					 "mode=1777",
					 arena_printf(j->a, "size=%s", j->p->tmpfs.v[i].size),
					 NULL};
		size_t at = 0;

		if (find_mount(s, dest))
			continue;
		/* Before what is mounted below it. */
		while (at < s->mounts.n && !is_below(s->mounts.v[at].destination, dest))
			at++;
		insert(s, at, dest, "tmpfs", options)->optional = true;
		found_default(j, dest, "programs write here", "part of the root file system",
			      "tmpfs");
	}
}

void rule_rootfs_nosuid(struct judge *j, struct spec *s)
{
	if ((s->root_attr & SAFE_FLAGS) != SAFE_FLAGS &&
	    found_default(j, "root", "setuid files and device nodes of the image would work",
			  "suid dev", "nosuid nodev"))
		s->root_attr |= SAFE_FLAGS;
}

void rule_dev(struct judge *j, struct spec *s)
{
	static const char *const dev[] = {"nosuid", "strictatime", "mode=755", "size=65536k", NULL};
	static const char *const pts[] = {"nosuid", "noexec", "ptmxmode=0666", "mode=0620", NULL};
	struct spec_mount *m = find_mount(s, "/dev");

	if (m && !is_type(m, "tmpfs")) {
		found_request(j, m->place, "/dev is not a fresh tmpfs", m->type ? m->type : "bind",
			      "remove the mount");
		return;
	}
	if (!m && found_default(j, "mounts", "/dev would be the image's own", "none", "tmpfs")) {
		insert(s, 0, "/dev", "tmpfs", dev);
		if (!find_mount(s, "/dev/pts"))
			insert(s, 1, "/dev/pts", "devpts", pts);
	}
}
