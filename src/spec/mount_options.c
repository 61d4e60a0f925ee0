/* The mount option table: config.md, "Linux mount options". */
#include <string.h>
#include <sys/mount.h>

#include "casemate/error.h"
#include "casemate/spec.h"

#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif

enum kind {
	NOTHING,
	SET, /* attribute of the mount */
	CLEAR,
	ATIME, /* one of the modes that exclude each other */
	RSET,  /* the same, recursively */
	RCLEAR,
	RATIME,
	SB_SET, /* flag of the superblock */
	SB_CLEAR,
	PROPAGATION,
	RPROPAGATION,
	BIND,
	RBIND,
	REMOUNT,
	IDMAP,
	RIDMAP,
	COPYUP,
};

static const struct option {
	const char *name;
	enum kind kind;
	unsigned long value;
	unsigned long sb; /* the flag of the superblock that goes with it */
} options[] = {
	{"async", SB_CLEAR, MS_SYNCHRONOUS, 0},
	{"atime", ATIME, MOUNT_ATTR_RELATIME, 0},
	{"bind", BIND, 0, 0},
	{"defaults", NOTHING, 0, 0},
	{"dev", CLEAR, MOUNT_ATTR_NODEV, 0},
	{"diratime", CLEAR, MOUNT_ATTR_NODIRATIME, 0},
	{"dirsync", SB_SET, MS_DIRSYNC, 0},
	{"exec", CLEAR, MOUNT_ATTR_NOEXEC, 0},
	{"iversion", SB_SET, MS_I_VERSION, 0},
	{"lazytime", SB_SET, MS_LAZYTIME, 0},
	{"loud", SB_CLEAR, MS_SILENT, 0},
	{"noatime", ATIME, MOUNT_ATTR_NOATIME, 0},
	{"nodev", SET, MOUNT_ATTR_NODEV, 0},
	{"nodiratime", SET, MOUNT_ATTR_NODIRATIME, 0},
	{"noexec", SET, MOUNT_ATTR_NOEXEC, 0},
	{"noiversion", SB_CLEAR, MS_I_VERSION, 0},
	{"nolazytime", SB_CLEAR, MS_LAZYTIME, 0},
	{"norelatime", NOTHING, 0, 0},
	{"nostrictatime", ATIME, MOUNT_ATTR_RELATIME, 0},
	{"nosuid", SET, MOUNT_ATTR_NOSUID, 0},
	{"private", PROPAGATION, MS_PRIVATE, 0},
	{"rbind", RBIND, 0, 0},
	{"relatime", ATIME, MOUNT_ATTR_RELATIME, 0},
	{"remount", REMOUNT, 0, 0},
	{"ro", SET, MOUNT_ATTR_RDONLY, MS_RDONLY},
	{"rprivate", RPROPAGATION, MS_PRIVATE, 0},
	{"rshared", RPROPAGATION, MS_SHARED, 0},
	{"rslave", RPROPAGATION, MS_SLAVE, 0},
	{"runbindable", RPROPAGATION, MS_UNBINDABLE, 0},
	{"rw", CLEAR, MOUNT_ATTR_RDONLY, MS_RDONLY},
	{"shared", PROPAGATION, MS_SHARED, 0},
	{"silent", SB_SET, MS_SILENT, 0},
	{"slave", PROPAGATION, MS_SLAVE, 0},
	{"strictatime", ATIME, MOUNT_ATTR_STRICTATIME, 0},
	{"suid", CLEAR, MOUNT_ATTR_NOSUID, 0},
	{"sync", SB_SET, MS_SYNCHRONOUS, 0},
	{"unbindable", PROPAGATION, MS_UNBINDABLE, 0},
	{"nosymfollow", SET, MOUNT_ATTR_NOSYMFOLLOW, 0},
	{"symfollow", CLEAR, MOUNT_ATTR_NOSYMFOLLOW, 0},
	{"rro", RSET, MOUNT_ATTR_RDONLY, 0},
	{"rrw", RCLEAR, MOUNT_ATTR_RDONLY, 0},
	{"rnosuid", RSET, MOUNT_ATTR_NOSUID, 0},
	{"rsuid", RCLEAR, MOUNT_ATTR_NOSUID, 0},
	{"rnodev", RSET, MOUNT_ATTR_NODEV, 0},
	{"rdev", RCLEAR, MOUNT_ATTR_NODEV, 0},
	{"rnoexec", RSET, MOUNT_ATTR_NOEXEC, 0},
	{"rexec", RCLEAR, MOUNT_ATTR_NOEXEC, 0},
	{"rnodiratime", RSET, MOUNT_ATTR_NODIRATIME, 0},
	{"rdiratime", RCLEAR, MOUNT_ATTR_NODIRATIME, 0},
	{"rrelatime", RATIME, MOUNT_ATTR_RELATIME, 0},
	{"rnorelatime", NOTHING, 0, 0},
	{"rnoatime", RATIME, MOUNT_ATTR_NOATIME, 0},
	{"ratime", RATIME, MOUNT_ATTR_RELATIME, 0},
	{"rstrictatime", RATIME, MOUNT_ATTR_STRICTATIME, 0},
	{"rnostrictatime", RATIME, MOUNT_ATTR_RELATIME, 0},
	{"rnosymfollow", RSET, MOUNT_ATTR_NOSYMFOLLOW, 0},
	{"rsymfollow", RCLEAR, MOUNT_ATTR_NOSYMFOLLOW, 0},
	{"idmap", IDMAP, 0, 0},
	{"ridmap", RIDMAP, 0, 0},
	{"mand", SB_SET, MS_MANDLOCK, 0},
	{"nomand", SB_CLEAR, MS_MANDLOCK, 0},
	{"tmpcopyup", COPYUP, 0, 0},
};

const char *mount_option_name(size_t i)
{
	return i < ARRAY_SIZE(options) ? options[i].name : NULL;
}

static const struct option *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (strcmp(options[i].name, name) == 0)
			return &options[i];
	return NULL;
}

/* What comes later in the list wins. */
static void move(uint64_t *to, uint64_t *from, uint64_t bits)
{
	*to |= bits;
	*from &= ~bits;
}

/* mount_setattr(2): the atime modes are one field, cleared as a whole. */
static void set_atime(uint64_t *set, uint64_t *clear, uint64_t mode)
{
	*set = (*set & ~(uint64_t)MOUNT_ATTR__ATIME) | mode;
	*clear |= MOUNT_ATTR__ATIME;
}

static void apply(const struct option *o, struct mount_options *m)
{
	switch (o->kind) {
	case SET:
		move(&m->attr_set, &m->attr_clear, o->value);
		move(&m->sb_set, &m->sb_clear, o->sb);
		break;
	case CLEAR:
		move(&m->attr_clear, &m->attr_set, o->value);
		move(&m->sb_clear, &m->sb_set, o->sb);
		break;
	case ATIME:
		set_atime(&m->attr_set, &m->attr_clear, o->value);
		break;
	/* The mount's own flag is one of them: what came before it is over. */
	case RSET:
		move(&m->rec_attr_set, &m->rec_attr_clear, o->value);
		m->attr_clear &= ~(uint64_t)o->value;
		break;
	case RCLEAR:
		move(&m->rec_attr_clear, &m->rec_attr_set, o->value);
		m->attr_set &= ~(uint64_t)o->value;
		break;
	case RATIME:
		set_atime(&m->rec_attr_set, &m->rec_attr_clear, o->value);
		m->attr_set &= ~(uint64_t)MOUNT_ATTR__ATIME;
		m->attr_clear &= ~(uint64_t)MOUNT_ATTR__ATIME;
		break;
	case SB_SET:
		move(&m->sb_set, &m->sb_clear, o->value);
		break;
	case SB_CLEAR:
		move(&m->sb_clear, &m->sb_set, o->value);
		break;
	case PROPAGATION:
	case RPROPAGATION:
		m->propagation = o->value;
		m->propagation_rec = o->kind == RPROPAGATION;
		break;
	case BIND:
	case RBIND:
		m->bind = true;
		m->recursive = m->recursive || o->kind == RBIND;
		break;
	case REMOUNT:
		m->remount = true;
		break;
	case IDMAP:
	case RIDMAP:
		m->idmap = true;
		m->idmap_rec = m->idmap_rec || o->kind == RIDMAP;
		break;
	case COPYUP:
		m->tmpcopyup = true;
		break;
	case NOTHING:
		break;
	}
}

int mount_options_parse(struct arena *a, const struct strv *list, struct mount_options *out)
{
	*out = (struct mount_options){0};
	for (size_t i = 0; i < list->n; i++) {
		const char *name = list->v[i];
		size_t n = strcspn(name, "=");
		const struct option *o = find(name);

		if (o) {
			apply(o, out);
			continue;
		}
		/* "ro=1": a known option does not take a value. */
		if (name[n] == '=' && find(arena_strndup(a, name, n)))
			return fail(0, "options[%zu]: \"%s\" does not take a value", i, name);
		if (*name == '\0')
			return fail(0, "options[%zu]: is empty", i);
		/* "size=64k,mode=700" is how it is written for mount, of two. */
		char *each = arena_strdup(a, name), *save;
		for (char *d = strtok_r(each, ",", &save); d; d = strtok_r(NULL, ",", &save))
			strv_add(a, &out->data, d);
	}
	if (out->tmpcopyup && out->bind)
		return fail(0, "options: tmpcopyup is for tmpfs, not for bind mounts");
	return 0;
}
