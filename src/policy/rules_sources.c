/* The rule on what of the host a mount may show. */
#include <string.h>
#include <sys/mount.h>

#include "judge.h"

/* Whoever gets one of these, or something above it, gets the host. */
static const char *const host_paths[] = {
	"/bin",		"/boot",    "/dev",	"/etc",	    "/lib",	 "/lib32", "/lib64",
	"/libx32",	"/proc",    "/root",	"/run",	    "/sbin",	 "/sys",   "/usr",
	"/var/backups", "/var/lib", "/var/log", "/var/run", "/var/spool"};

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

static bool is_one(const char *s, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(s, list[i]) == 0)
			return true;
	return false;
}

/* The files of a container that others may share by sharing its network or IPC
 * namespace; all else of another container is that one's alone. */
static const char *const shared[] = {"/resolv.conf",
				     "/hostname",
				     "/hosts",
				     "/mounts/shm",
				     "/userdata/resolv.conf",
				     "/userdata/hostname",
				     "/userdata/hosts",
				     "/userdata/shm",
				     "/shm"};

/* Below "/containers/ID" and the like: the container's own, or shared. */
static bool is_own_file(const struct spec *s, const char *id, size_t n, const char *below)
{
	if (is_one(id + n, shared, ARRAY_SIZE(shared)))
		return true;
	/* check does not know the id. */
	bool own = !s->id || (strlen(s->id) == n && strncmp(s->id, id, n) == 0);
	return own && strncmp(id + n, below, strlen(below)) == 0;
}

/* Docker's files for one container, by its place below Docker's data root,
 * wherever that is. */
static bool is_docker_file(const struct spec *s, const char *path)
{
	const char *id = behind(path, "/containers/");
	size_t n = id ? strcspn(id, "/") : 0;

	return id && is_hex_id(id, n) && is_own_file(s, id, n, "/mounts/");
}

/* The pod that this container is in: the one whose hosts file it has. */
static bool is_pod_file(const struct spec *s, const char *path)
{
	static const char *const folders[] = {"/volumes", "/volume-subpaths", "/containers",
					      "/etc-hosts"};
	const char *top = "/var/lib/kubelet/pods/", *pod = behind(path, top);
	size_t n = pod ? strcspn(pod, "/") : 0;
	bool known = false;

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		known = known || (n && path_is_below(pod + n, folders[i]));
	for (size_t i = 0; known && i < s->mounts.n; i++) {
		const struct spec_mount *m = &s->mounts.v[i];
		const char *own = m->source && strcmp(m->destination, "/etc/hosts") == 0
					  ? behind(m->source, top)
					  : NULL;

		if (own)
			return strncmp(own, pod, n) == 0 && own[n] == '/';
	}
	return known;
}

/* What an engine makes for one container. All of it lies in folders only root
 * can write, so the names cannot be made by somebody else. */
static bool is_engine_file(const struct spec *s, const char *path)
{
	if (is_docker_file(s, path) || is_pod_file(s, path))
		return true;
	const char *rest =
		behind(path, "-containers/") /* "overlay-containers", "vfs-containers" */;
	size_t n = rest ? strcspn(rest, "/") : 0;
	if (rest && is_hex_id(rest, n) && is_own_file(s, rest, n, "/userdata/"))
		return true;
	rest = behind(path, "/volumes/");
	n = rest ? strcspn(rest, "/") : 0;
	if (n > 0 && strncmp(rest + n, "/_data", 6) == 0 && (rest[n + 6] == '/' || !rest[n + 6]))
		return true;
	rest = behind(path, "/io.containerd.grpc.v1.cri/sandboxes/");
	n = rest ? strcspn(rest, "/") : 0;
	return n && is_one(rest + n, shared, ARRAY_SIZE(shared));
}

bool is_engine_own(const struct spec *s, const struct spec_mount *m)
{
	const struct stat *st = &m->src.st;

	if (!m->src.resolved || !is_engine_file(s, m->src.resolved))
		return false;
	/* Named volumes hold what is somebody's. */
	return S_ISREG(st->st_mode)
		       ? !behind(m->src.resolved, "/volumes/")
		       : strcmp(m->destination, "/dev/shm") == 0 && S_ISDIR(st->st_mode) &&
				 (st->st_mode & 01777) == 01777;
}

/* --init: the engine's own PID 1, told from "-v SECRET:/sbin/docker-init" by what
 * nothing secret is: a program of root's below /usr that everybody may execute
 * and read, and nobody else can write. */
static bool is_engine_init(const struct spec_mount *m)
{
	static const char *const places[] = {"/sbin/docker-init", "/dev/init", "/run/podman-init"};
	const struct stat *st = &m->src.st;

	return is_one(m->destination, places, ARRAY_SIZE(places)) && m->src.fd >= 0 &&
	       path_is_below(m->src.resolved, "/usr") && m->src.names.n == 1 &&
	       S_ISREG(st->st_mode) && st->st_uid == 0 && (st->st_mode & 05) == 05 &&
	       !(st->st_mode & 022);
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

/* The data root of an engine, where it is not one of host_paths: told by the
 * files that Docker mounts into every container. */
static bool is_engine_data(struct judge *j, const struct spec *s, const char *path)
{
	for (size_t i = 0; i < s->mounts.n; i++) {
		const char *file = s->mounts.v[i].src.resolved;

		if (!file || !is_docker_file(s, file))
			continue;
		const char *root =
			arena_strndup(j->a, file, (size_t)(strstr(file, "/containers/") - file));
		if (path_is_below(path, root) || path_is_below(root, path))
			return true;
	}
	return false;
}

static const char *judge_place(struct judge *j, const struct spec *s, const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(host_paths); i++) {
		if (path_is_below(path, host_paths[i]))
			return "this part of the host is not for containers";
		if (path_is_below(host_paths[i], path))
			return "the folder contains parts of the host that are not for containers";
	}
	if (is_engine_data(j, s, path))
		return "it is the container engine's own data";
	if (s->state_root && path_is_below(path, s->state_root))
		return "it is the runtime's own state";
	for (size_t i = 0; i < s->own_paths.n; i++)
		if (path_is_below(s->own_paths.v[i], path))
			return "the folder contains the container's own bundle";
	return s->state_root && path_is_below(s->state_root, path)
		       ? "the folder contains the runtime's own state"
		       : NULL;
}

/* File systems that show the kernel and not a disk: whoever mounted them where
 * they are, what is in them is the host. */
static const char *const kernel_types[] = {
	"autofs",    "binfmt_misc", "bpf",	"cgroup",   "cgroup2",	  "configfs",
	"debugfs",   "devpts",	    "devtmpfs", "efivarfs", "fusectl",	  "nfsd",
	"nsfs",	     "proc",	    "pstore",	"resctrl",  "rpc_pipefs", "securityfs",
	"selinuxfs", "smackfs",	    "sysfs",	"tracefs",  "xenfs"};

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
	for (size_t i = 0; i < m->src.types.n; i++)
		if (is_one(m->src.types.v[i], kernel_types, ARRAY_SIZE(kernel_types)))
			return "it is or holds a file system of the kernel's, which shows the host";
	if (m->src.holds_engine_socket)
		return "the folder holds a container engine's socket";
	if (m->src.holds_key_folder)
		return "the folder holds a folder of keys (.ssh, .gnupg, .aws, .kube, .docker)";
	return NULL;
}

static bool in_key_folder(const char *path)
{
	static const char *const names[] = {".ssh", ".gnupg", ".aws", ".kube", ".docker"};

	for (const char *p = path; *p; p += strspn(p, "/")) {
		size_t n = strcspn(p, "/");

		for (size_t i = 0; i < ARRAY_SIZE(names); i++)
			if (strlen(names[i]) == n && strncmp(names[i], p, n) == 0)
				return true;
		p += n;
	}
	return false;
}

/* A file may have several names: a volume can be a bind mount of /etc. What is
 * wrong with one of them is wrong with it. */
static const char *judge_names(struct judge *j, const struct spec *s, const struct spec_mount *m,
			       const char **name)
{
	struct strv names = m->src.names;

	/* check, of a config whose host is another one: there is only the text. */
	if (names.n == 0 && *m->source == '/')
		strv_add(j->a, &names, path_clean(j->a, m->source));
	for (size_t i = 0; i < names.n; i++) {
		*name = names.v[i];
		if (is_engine_file(s, *name))
			continue;
		const char *what =
			in_key_folder(*name) ? "it is a folder of keys" : judge_place(j, s, *name);
		if (what)
			return what;
	}
	return NULL;
}

static void judge_bind(struct judge *j, const struct spec *s, struct spec_mount *m)
{
	const char *path = m->src.resolved ? m->src.resolved : m->source;
	const char *what = judge_kind(m);
	const struct profile_mount *allowed = find_allowed(j->p, path);

	if (!what && is_engine_init(m)) {
		make_readonly(m);
		return;
	}
	if (allowed && !m->src.foreign) {
		if (!allowed->writable && !(m->opt.attr_set & MOUNT_ATTR_RDONLY) &&
		    found_default(j, m->place, "the profile allows the source for reading only",
				  "read-write", "read-only"))
			make_readonly(m);
		return;
	}
	if (!what)
		what = judge_names(j, s, m, &path);
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

/* The root file system: what engines unpack below /run and /var/lib is known by
 * being a mount, in the bundle, or a layer with an id for a name. */
static bool is_layer(const struct spec *s, const char *path)
{
	bool in_bundle = s->own_paths.n > 0 && path_is_below(path, s->own_paths.v[0]);

	for (const char *p = path; *p; p += strspn(p, "/")) {
		size_t n = strcspn(p, "/");

		if (is_hex_id(p, n))
			return true;
		p += n;
	}
	return s->root_is_mount || in_bundle || strstr(path, "/snapshots/");
}

static const char *judge_root(const struct spec *s, const char *path)
{
	static const char *const engines[] = {"/run", "/var/lib", "/var/run"};

	for (size_t i = 0; i < ARRAY_SIZE(host_paths); i++) {
		if (path_is_below(host_paths[i], path))
			return "it is the host's, or contains what is";
		if (path_is_below(path, host_paths[i]) &&
		    !(is_one(host_paths[i], engines, ARRAY_SIZE(engines)) && is_layer(s, path)))
			return "it is a part of the host";
	}
	return NULL;
}

static void judge_roots(struct judge *j, const struct spec *s)
{
	for (size_t i = 0; i < s->root_names.n; i++) {
		const char *path = s->root_names.v[i], *what = judge_root(s, path);

		if (what && !find_allowed(j->p, path))
			found_request(j, "root.path", what, path,
				      "unpack the image into a folder of its own");
	}
}

void rule_mounts_source(struct judge *j, struct spec *s)
{
	static const char *const types[] = {"proc",   "sysfs",	"tmpfs",  "mqueue",
					    "devpts", "cgroup", "cgroup2"};

	judge_roots(j, s);
	for (size_t i = 0; i < s->mounts.n; i++) {
		struct spec_mount *m = &s->mounts.v[i];
		bool known =
			m->opt.remount || (m->type && is_one(m->type, types, ARRAY_SIZE(types)));

		if (m->opt.bind && !m->opt.remount) {
			judge_bind(j, s, m);
			continue;
		}
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
