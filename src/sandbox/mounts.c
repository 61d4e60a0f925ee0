/*
 * The mounts of config.json. What comes from the host is cloned detached by the
 * runtime, from the descriptor that the policy judged; what is new is made by
 * the child. Each is attached to a descriptor below the rootfs, so no name of
 * the image is looked up twice (CVE-2021-30465, CVE-2025-52881).
 */
#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "casemate/log.h"
#include "internal.h"

static bool is_type(const struct spec_mount *m, const char *type)
{
	return m->type && strcmp(m->type, type) == 0;
}

/* mount_setattr cannot set what is cleared and the other way round in one call
 * for both depths, so the mount's own options come after the recursive ones. */
static int set_flags(const struct mount_options *o, int fd, uint64_t not_yet)
{
	/* Out of the host's peer groups all the way down, slaves still hear it. */
	unsigned long first = o->propagation == MS_SLAVE ? MS_SLAVE : MS_PRIVATE;

	if (mount_attr(fd, o->recursive || o->propagation_rec, 0, 0,
		       o->propagation_rec ? o->propagation : first) < 0 ||
	    mount_attr(fd, false, 0, 0, o->propagation) < 0 ||
	    mount_attr(fd, true, o->rec_attr_set, o->rec_attr_clear, 0) < 0 ||
	    mount_attr(fd, false, o->attr_set & ~not_yet, o->attr_clear, 0) < 0)
		return fail(errno, "cannot set the options of the mount");
	return 0;
}

static int idmap(struct setup *s, const struct spec_mount *m, int fd)
{
	_fd_ int own = m->uid_maps.n ? ids_userns_fd(s->proc, &m->uid_maps, &m->gid_maps) : -1;
	int userns = own;

	if (m->uid_maps.n == 0) {
		if (!has_user_namespace(s->spec))
			return fail(0, "idmap: needs uidMappings and gidMappings, of the mount or "
				       "of the container");
		userns = ids_container_userns(s);
	}
	if (userns < 0)
		return -1;
	if (mount_idmap(fd, m->opt.idmap_rec, userns) < 0) {
		fail(errno, "the source cannot be idmapped");
		return fail_hint("the kernel or the file system has no idmapped mounts");
	}
	return 0;
}

/* A file that is nobody's to write, and everybody's to read: who it belongs to
 * makes no difference. */
static bool is_for_all(const struct stat *st)
{
	return S_ISREG(st->st_mode) && (st->st_mode & 0006) == 0004;
}

/* So that a file of uid 1000 inside is one of uid 1000 on the disk. The source may
 * be a file system that cannot, or be mapped already: only trying tells. */
static int map_volume(struct setup *s, const struct spec_mount *m, int fd)
{
	int userns = ids_container_userns(s);

	if (userns < 0)
		return -1;
	if (mount_idmap(fd, m->opt.recursive, userns) == 0)
		return 0;
	if (is_unmappable(errno) && (is_for_all(&m->src.st) || m->unmappable_as_is)) {
		log_warn("%s: warned by rule user.namespace: is bound as it is, its ids cannot be "
			 "mapped: %s",
			 m->place, strerror(errno));
		return 0;
	}
	fail(errno,
	     "the ids of %s cannot be mapped: its file system has no idmapped mounts, or it "
	     "is one already",
	     m->source);
	return fail_hint("use a volume on another file system, or set the profile's "
			 "user.namespace.unmappable to as-is: files would belong to nobody");
}

static int prepare_bind(struct setup *s, const struct spec_mount *m, struct ready_mount *r)
{
	_fd_ int fd = open_tree(m->src.fd, "",
				AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
					(m->opt.recursive ? (unsigned)AT_RECURSIVE : 0U));
	if (fd < 0)
		return fail(errno, "cannot clone the mount of %s", m->source);
	if (m->opt.idmap || m->opt.idmap_rec ? idmap(s, m, fd) < 0
					     : s->spec->idmap && map_volume(s, m, fd) < 0)
		return -1;
	if (set_flags(&m->opt, fd, 0) < 0)
		return -1;
	r->fd = fd_take(&fd);
	return 0;
}

static bool is_bind(const struct spec_mount *m)
{
	return m->opt.bind && !m->opt.remount;
}

/* Does it take the container's user namespace, which comes with its process? */
static bool is_mapped(const struct setup *s, const struct spec_mount *m)
{
	return is_bind(m) && m->uid_maps.n == 0 &&
	       (s->spec->idmap || m->opt.idmap || m->opt.idmap_rec) && has_user_namespace(s->spec);
}

int mounts_prepare(struct setup *s)
{
	s->mounts = arena_array(s->spec->arena, s->spec->mounts.n, sizeof(*s->mounts));
	for (size_t i = 0; i < s->spec->mounts.n; i++) {
		const struct spec_mount *m = &s->spec->mounts.v[i];
		struct ready_mount *r = &s->mounts[i];

		*r = (struct ready_mount){.fd = -1, .attached = -1};
		if (is_bind(m) && !is_mapped(s, m) && prepare_bind(s, m, r) < 0)
			return fail_in("%s", m->place);
	}
	return 0;
}

int mounts_send(struct setup *s)
{
	if (s->spec->idmap && (root_prepare(s) < 0 || sync_tell(s->l->sync, s->root) < 0))
		return -1;
	for (size_t i = 0; i < s->spec->mounts.n; i++) {
		const struct spec_mount *m = &s->spec->mounts.v[i];

		if (!is_mapped(s, m))
			continue;
		if (prepare_bind(s, m, &s->mounts[i]) < 0)
			return fail_in("%s", m->place);
		if (sync_tell(s->l->sync, s->mounts[i].fd) < 0)
			return -1;
	}
	return 0;
}

int mounts_receive(struct setup *s)
{
	if (s->spec->idmap && sync_expect(s->sync, SYNC_GO, &s->root) < 0)
		return -1;
	for (size_t i = 0; i < s->spec->mounts.n; i++)
		if (is_mapped(s, &s->spec->mounts.v[i]) &&
		    sync_expect(s->sync, SYNC_GO, &s->mounts[i].fd) < 0)
			return -1;
	return 0;
}

struct joined {
	struct setup *s;
	const struct spec_mount *m;
};

static int make_joined(void *ctx)
{
	struct joined *j = ctx;
	_fd_ int fd = fs_make(j->m, j->s->spec->mount_label, -1);

	if (fd < 0)
		return -1;
	return set_flags(&j->m->opt, fd, 0) < 0 ? -1 : fd_take(&fd);
}

int mounts_prepare_joined(struct setup *s)
{
	static const struct {
		const char *type;
		int namespace;
	} shown[] = {{"sysfs", CLONE_NEWNET}, {"mqueue", CLONE_NEWIPC}, {"proc", CLONE_NEWPID}};

	for (size_t i = 0; i < s->spec->mounts.n; i++) {
		struct joined j = {s, &s->spec->mounts.v[i]};

		for (size_t k = 0; k < ARRAY_SIZE(shown); k++) {
			if (j.m->opt.bind || j.m->opt.remount || !is_type(j.m, shown[k].type) ||
			    !is_foreign_namespace(s->spec, shown[k].namespace))
				continue;
			/* Of the PID namespace only children are. */
			s->mounts[i].fd = shown[k].namespace == CLONE_NEWPID
						  ? fd_from_child(0, make_joined, &j)
						  : make_joined(&j);
			if (s->mounts[i].fd < 0)
				return fail_in("%s", j.m->place);
		}
	}
	return 0;
}

/* Files of procfs that lxcfs replaces; anything else below /proc would let a
 * mount pretend to be the kernel (CVE-2019-16884). */
static const char *const proc_files[] = {
	"/proc/cpuinfo", "/proc/diskstats", "/proc/meminfo",
	"/proc/stat",	 "/proc/swaps",	    "/proc/uptime",
	"/proc/loadavg", "/proc/slabinfo",  "/proc/sys/kernel/ns_last_pid"};

static int check_dest(struct setup *s, const struct spec_mount *m, int dest)
{
	struct statx stx;
	struct statfs fs;

	if (fstatfs(dest, &fs) < 0 || statx(dest, "", AT_EMPTY_PATH, STATX_INO, &stx) < 0)
		return fail(errno, "cannot look at the destination");
	/* Over another mount only where config.json says so, never where a symlink of
	 * the image leads: not over the root, nor over /dev with its nodes. */
	if (stx.stx_attributes & STATX_ATTR_MOUNT_ROOT) {
		_fd_ int plain = rootfs_open(s->root, m->destination, O_PATH, ROOTFS_NO_SYMLINKS);

		if (plain < 0) {
			fail(EPERM,
			     "a symlink of the image leads the destination to another mount");
			return fail_hint(
				"mount it where the symlink leads to, or change the image");
		}
	}
	if (fs.f_type != PROC_SUPER_MAGIC)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(proc_files); i++)
		if (m->opt.bind && strcmp(m->destination, proc_files[i]) == 0)
			return 0;
	fail(EPERM, "the destination is in the container's /proc");
	return fail_hint("mount it elsewhere");
}

/* Where the mount goes: made where it is missing, of the kind of the source. */
static int open_dest(struct setup *s, const struct spec_mount *m)
{
	bool file = m->opt.bind && !S_ISDIR(m->src.st.st_mode);
	/* procfs and sysfs at the end of a symlink would leave the real /proc or
	 * /sys of the image in the place that is masked (CVE-2019-19921). */
	unsigned how = is_type(m, "proc") || is_type(m, "sysfs") ? ROOTFS_NO_SYMLINKS : 0;

	if (m->optional) {
		int fd = rootfs_open(s->root, m->destination, O_PATH | O_DIRECTORY, 0);

		return fd < 0 ? fail(errno, "destination") : fd;
	}
	int fd = rootfs_open(s->root, m->destination, O_PATH, how);
	if (fd < 0 && errno == ENOENT)
		/* Under a tmpfs that has its mode from here, as other runtimes do. */
		fd = file ? rootfs_mkfile(s->root, m->destination, 0755)
			  : rootfs_mkdirs(s->root, m->destination,
					  is_type(m, "tmpfs") ? 01777 : 0755);
	if (fd < 0)
		return fail(errno, "cannot make the destination in the rootfs");
	return fd;
}

/* The container sees its own cgroup and what is below it, as a bind of the
 * host's: the same with and without a cgroup namespace. */
static int clone_cgroup(struct setup *s, const struct spec_mount *m,
			const struct cgroup_hierarchy *h)
{
	const char *path = arena_printf(s->spec->arena, "%s%s", h->mountpoint, h->path);
	/* path: the host's cgroup file system, before its root is left */
	_fd_ int fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (fd < 0)
		return fail(errno, "cannot clone the mount of %s", path);
	return set_flags(&m->opt, fd, 0) < 0 ? -1 : fd_take(&fd);
}

/* "cpu,cpuacct" is known as "cpu" and as "cpuacct", too. */
static int link_parts(struct setup *s, int top, const char *name)
{
	for (const char *p = name; strchr(name, ',') && *p; p += strspn(p, ",")) {
		size_t n = strcspn(p, ",");
		char *part = arena_strndup(s->spec->arena, p, n);

		if (symlinkat(name, top, part) < 0) /* path: entry of the new tmpfs */
			return fail(errno, "%s", part);
		p += n;
	}
	return 0;
}

static int attach_hierarchy(struct setup *s, const struct spec_mount *m,
			    const struct cgroup_hierarchy *h, int top)
{
	const char *name = strrchr(h->mountpoint, '/') + 1;
	_fd_ int dir = rootfs_mkdirs(top, name, 0755);
	_fd_ int tree = dir < 0 ? -1 : clone_cgroup(s, m, h);

	if (dir < 0)
		return fail(errno, "%s", name);
	if (tree < 0 || link_parts(s, top, name) < 0)
		return -1;
	return mount_attach(tree, dir) < 0 ? fail(errno, "cannot attach %s", name) : 0;
}

static int attach_cgroup(struct setup *s, const struct spec_mount *m, int dest)
{
	const struct cgroup *cg = s->l->cgroup;
	struct spec_mount tmpfs = {.type = "tmpfs", .source = "tmpfs", .place = m->place};

	if (!cg)
		return fail(0, "there is no cgroup to mount: cgroups are disabled");
	if (cg->mode == CGROUP_V2) {
		_fd_ int tree = clone_cgroup(s, m, &cg->h.v[0]);

		if (tree < 0)
			return -1;
		return mount_attach(tree, dest) < 0 ? fail(errno, "cannot attach the mount") : 0;
	}
	/* v1: a folder of hierarchies, which can be mounted on once it is attached. */
	strv_add(s->spec->arena, &tmpfs.opt.data, "mode=755");
	_fd_ int top = fs_make(&tmpfs, s->spec->mount_label, dest);
	if (top < 0)
		return -1;
	if (mount_attr(top, false, m->opt.attr_set & ~(uint64_t)MOUNT_ATTR_RDONLY, 0, 0) < 0 ||
	    mount_attach(top, dest) < 0)
		return fail(errno, "cannot make the folder of the hierarchies");
	for (size_t i = 0; i < cg->h.n; i++)
		if (attach_hierarchy(s, m, &cg->h.v[i], top) < 0)
			return -1;
	if (mount_attr(top, false, m->opt.attr_set & MOUNT_ATTR_RDONLY, 0, 0) < 0)
		return fail(errno, "cannot make it read-only");
	return 0;
}

/* remount: flags of what is mounted there already. */
static int remount(const struct spec_mount *m, int dest)
{
	if (fs_change(m, dest) < 0 ||
	    (m->opt.propagation &&
	     mount_attr(dest, m->opt.propagation_rec, 0, 0, m->opt.propagation) < 0))
		return fail_in("remount");
	if (mount_attr(dest, true, m->opt.rec_attr_set, m->opt.rec_attr_clear, 0) < 0 ||
	    mount_attr(dest, false, m->opt.attr_set, m->opt.attr_clear, 0) < 0)
		return fail(errno, "cannot change the options of the mount");
	return 0;
}

/* Opens the tree to attach; for new file systems it is made now. */
static int tree_of(struct setup *s, const struct spec_mount *m, struct ready_mount *r, int dest)
{
	if (r->fd >= 0)
		return r->fd;
	_fd_ int fd = fs_make(m, s->spec->mount_label, dest);
	if (fd < 0)
		return -1;
	/* Mount points, device nodes and copies still have to be made inside. */
	r->late_ro = is_type(m, "tmpfs") && m->opt.attr_set & MOUNT_ATTR_RDONLY;
	if (set_flags(&m->opt, fd, r->late_ro ? MOUNT_ATTR_RDONLY : 0) < 0)
		return -1;
	if (m->opt.tmpcopyup) {
		_fd_ int from = rootfs_open(s->root, m->destination, O_RDONLY | O_DIRECTORY, 0);

		if (from < 0)
			return fail(errno, "tmpcopyup: cannot open the destination");
		if (copy_up(from, fd) < 0)
			return -1;
	}
	return fd_take(&fd);
}

static int attach(struct setup *s, const struct spec_mount *m, struct ready_mount *r)
{
	_fd_ int dest = open_dest(s, m);

	if (dest < 0)
		return m->optional ? 0 : -1;
	if (m->opt.remount)
		return remount(m, dest);
	if (check_dest(s, m, dest) < 0)
		return -1;
	if (spec_mount_is_cgroup(m))
		return attach_cgroup(s, m, dest);
	_fd_ int tree = tree_of(s, m, r, dest);
	r->fd = -1;
	if (tree < 0)
		return -1;
	if (mount_attach(tree, dest) < 0)
		return fail(errno, "cannot attach the mount");
	if (r->late_ro)
		r->attached = fd_take(&tree);
	return 0;
}

int mounts_attach(struct setup *s)
{
	for (size_t i = 0; i < s->spec->mounts.n; i++)
		if (attach(s, &s->spec->mounts.v[i], &s->mounts[i]) < 0)
			return fail_in("%s", s->spec->mounts.v[i].place);
	return 0;
}

int mounts_seal(struct setup *s)
{
	for (size_t i = 0; i < s->spec->mounts.n; i++) {
		struct ready_mount *r = &s->mounts[i];

		if (r->late_ro && mount_attr(r->attached, false, MOUNT_ATTR_RDONLY, 0, 0) < 0)
			return fail_in("%s", s->spec->mounts.v[i].place);
	}
	if ((s->spec->root_readonly || s->seal_root) &&
	    mount_attr(s->root, false, MOUNT_ATTR_RDONLY, 0, 0) < 0)
		return fail(errno, "root.readonly: cannot make the rootfs read-only");
	return 0;
}
