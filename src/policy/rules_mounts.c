/* The rules on mounts and the root file system. */
#include <string.h>
#include <sys/mount.h>

#include "judge.h"

#define SAFE_FLAGS ((uint64_t)(MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV))

static bool same_path(const char *a, const char *b)
{
	return path_is_below(a, b) && path_is_below(b, a);
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

/* A remount names no source and no type, only what to take away. */
static void judge_remount(struct judge *j, const struct spec_mount *m)
{
	const uint64_t flags = SAFE_FLAGS | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY;

	if ((m->opt.attr_clear | m->opt.rec_attr_clear) & flags)
		found_request(j, m->place, "a remount would take protection from a mount", NULL,
			      "give the options to the mount itself");
	/* They are the file system's, which may be the host's behind a bind mount. */
	if (m->opt.data.n > 0 || m->opt.sb_set & ~(uint64_t)(MS_RDONLY | MS_SILENT))
		found_request(j, m->place,
			      "a remount would change a file system for all who use it", NULL,
			      "give the options to the mount itself");
}

static void require(struct judge *j, struct spec_mount *m)
{
	if (m->opt.remount) {
		judge_remount(j, m);
		return;
	}
	uint64_t want = wanted_flags(j, m);
	uint64_t missing = want & ~m->opt.attr_set;

	/* A recursive bind needs them all the way down. */
	if (m->opt.recursive)
		missing |= want & (~m->opt.rec_attr_set | m->opt.rec_attr_clear);
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
		while (at < s->mounts.n && !path_is_below(s->mounts.v[at].destination, dest))
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

	for (size_t i = 0; i < s->mounts.n; i++) {
		const struct spec_mount *m = &s->mounts.v[i];

		if (same_path(m->destination, "/dev") && !m->opt.remount && !is_type(m, "tmpfs"))
			found_request(j, m->place, "/dev is not a fresh tmpfs",
				      m->type ? m->type : "bind", "remove the mount");
	}
	if (!find_mount(s, "/dev") &&
	    found_default(j, "mounts", "/dev would be the image's own", "none", "tmpfs")) {
		insert(s, 0, "/dev", "tmpfs", dev);
		if (!find_mount(s, "/dev/pts"))
			insert(s, 1, "/dev/pts", "devpts", pts);
	}
}
