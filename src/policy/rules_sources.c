/* The rule on what of the host a mount may show. */
#include <string.h>
#include <sys/mount.h>

#include "judge.h"

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

/* Docker's files for one container: the text behind its id, or NULL. */
static const char *docker_file(const char *path)
{
	static const char *const files[] = {"/resolv.conf", "/hostname", "/hosts"};
	const char *rest = behind(path, "/containers/");
	size_t n = rest ? strcspn(rest, "/") : 0;

	if (!rest || !is_hex_id(rest, n))
		return NULL;
	rest += n;
	if (strncmp(rest, "/mounts/", 8) == 0)
		return rest;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (strcmp(rest, files[i]) == 0)
			return rest;
	return NULL;
}

/* What an engine makes for one container, by its place below the engine's data
 * root, wherever that is. All of it lies in folders only root can write, so the
 * names cannot be made by somebody else. */
static bool is_engine_file(const char *path)
{
	if (docker_file(path))
		return true;
	const char *rest = behind(path, "/overlay-containers/");
	size_t n = rest ? strcspn(rest, "/") : 0;
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
	return rest &&
	       (path_is_below(rest, "/volumes") || path_is_below(rest, "/volume-subpaths") ||
		path_is_below(rest, "/containers") || path_is_below(rest, "/etc-hosts"));
}

/* --init: the engine's own PID 1, told from "-v SECRET:/sbin/docker-init" by what
 * nothing secret is: a program of root's below /usr that everybody may execute
 * and read, and nobody else can write. */
static bool is_engine_init(const struct spec_mount *m)
{
	static const char *const places[] = {"/sbin/docker-init", "/dev/init", "/run/podman-init"};
	const struct stat *st = &m->src.st;
	bool place = false;

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		place = place || strcmp(m->destination, places[i]) == 0;
	return place && m->src.fd >= 0 && path_is_below(m->src.resolved, "/usr") &&
	       m->src.names.n == 1 && S_ISREG(st->st_mode) && st->st_uid == 0 &&
	       (st->st_mode & 05) == 05 && !(st->st_mode & 022);
}

static const struct profile_mount *find_allowed(const struct profile *p, const char *path)
{
	for (size_t i = 0; i < p->mounts_allow.n; i++)
		if (path_is_below(path, p->mounts_allow.v[i].path))
			return &p->mounts_allow.v[i];
	return NULL;
}

void make_readonly(struct spec_mount *m)
{
	m->opt.attr_set |= MOUNT_ATTR_RDONLY;
	m->opt.attr_clear &= ~(uint64_t)MOUNT_ATTR_RDONLY;
	m->opt.rec_attr_set |= MOUNT_ATTR_RDONLY;
	m->opt.rec_attr_clear &= ~(uint64_t)MOUNT_ATTR_RDONLY;
}

/* The data root of the engine, where it is not one of host_paths: told by the
 * files that Docker mounts into every container. */
static const char *engine_root(struct judge *j, const struct spec *s)
{
	for (size_t i = 0; i < s->mounts.n; i++) {
		const char *path = s->mounts.v[i].src.resolved;

		if (path && docker_file(path))
			return arena_strndup(j->a, path,
					     (size_t)(strstr(path, "/containers/") - path));
	}
	return NULL;
}

static const char *judge_place(const struct spec *s, const char *engine, const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(host_paths); i++) {
		if (path_is_below(path, host_paths[i]))
			return "this part of the host is not for containers";
		if (path_is_below(host_paths[i], path))
			return "the folder contains parts of the host that are not for containers";
	}
	if (engine && (path_is_below(path, engine) || path_is_below(engine, path)))
		return "it is the container engine's own data";
	for (size_t i = 0; i < s->own_paths.n; i++)
		if (path_is_below(s->own_paths.v[i], path))
			return "the folder contains the container's own bundle or state";
	return NULL;
}

static const char *judge_kind(const struct spec_mount *m)
{
	if (m->src.fd < 0)
		return NULL;
	if (m->src.foreign)
		return "it lies in another mount namespace, where its place cannot be judged";
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

/* A file may have several names: a volume can be a bind mount of /etc. What is
 * wrong with one of them is wrong with it. */
static const char *judge_names(struct judge *j, const struct spec *s, const char *engine,
			       const struct spec_mount *m, const char **name)
{
	struct strv names = m->src.names;

	/* check, of a config whose host is another one: there is only the text. */
	if (names.n == 0 && *m->source == '/')
		strv_add(j->a, &names, path_clean(j->a, m->source));
	for (size_t i = 0; i < names.n; i++) {
		*name = names.v[i];
		if (is_engine_file(*name))
			continue;
		const char *what = in_key_folder(*name) ? "it is a folder of keys"
							: judge_place(s, engine, *name);
		if (what)
			return what;
	}
	return NULL;
}

static void judge_bind(struct judge *j, const struct spec *s, const char *engine,
		       struct spec_mount *m)
{
	const char *path = m->src.resolved ? m->src.resolved : m->source;
	const char *what = judge_kind(m);
	const struct profile_mount *allowed = find_allowed(j->p, path);

	if (!what && is_engine_init(m)) {
		make_readonly(m);
		return;
	}
	if (allowed) {
		if (!allowed->writable && !(m->opt.attr_set & MOUNT_ATTR_RDONLY) &&
		    found_default(j, m->place, "the profile allows the source for reading only",
				  "read-write", "read-only"))
			make_readonly(m);
		return;
	}
	if (!what)
		what = judge_names(j, s, engine, m, &path);
	if (what)
		found_request(j, m->place, what, path,
			      "remove the mount, or list the path in the profile's mounts.allow");
}

/* Masks are for /proc and /sys: in another place all would be open to see. */
static bool is_elsewhere(const struct spec_mount *m)
{
	return (strcmp(m->type, "proc") == 0 && strcmp(m->destination, "/proc") != 0) ||
	       (strcmp(m->type, "sysfs") == 0 && strcmp(m->destination, "/sys") != 0);
}

void rule_mounts_source(struct judge *j, struct spec *s)
{
	static const char *const types[] = {"proc",   "sysfs",	"tmpfs",  "mqueue",
					    "devpts", "cgroup", "cgroup2"};
	const char *engine = engine_root(j, s);

	for (size_t i = 0; i < s->mounts.n; i++) {
		struct spec_mount *m = &s->mounts.v[i];
		bool known = m->opt.remount;

		if (m->opt.bind && !m->opt.remount) {
			judge_bind(j, s, engine, m);
			continue;
		}
		for (size_t t = 0; t < ARRAY_SIZE(types); t++)
			known = known || (m->type && strcmp(m->type, types[t]) == 0);
		if (!known)
			found_request(j, m->place,
				      "this type of file system is not made for containers",
				      m->type,
				      "mount it on the host and give the folder to the container");
		else if (m->type && is_elsewhere(m))
			found_request(j, m->place, "nothing would be masked in it", m->type,
				      "mount proc at /proc and sysfs at /sys only");
	}
}
