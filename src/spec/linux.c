/* config.json, linux and mounts; resources and seccomp have files of their own. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/stat.h>

#include "internal.h"

/* user_namespaces(7): as many lines a map may have. */
enum { ID_MAPS_MAX = 340 };

static bool overlap(uint32_t a, uint32_t b, uint32_t size_a, uint32_t size_b)
{
	return (uint64_t)a < (uint64_t)b + size_b && (uint64_t)b < (uint64_t)a + size_a;
}

static int check_id_maps(const char *where, const struct id_maps *maps)
{
	if (maps->n > ID_MAPS_MAX)
		return fail(0, "%s: more than %d mappings", where, ID_MAPS_MAX);
	for (size_t i = 0; i < maps->n; i++) {
		const struct id_map *m = &maps->v[i];

		if (m->size == 0 || (uint64_t)m->container + m->size > UINT32_MAX ||
		    (uint64_t)m->host + m->size > UINT32_MAX)
			return fail(0, "%s[%zu]: the size is 0 or leads past the last id", where,
				    i);
		for (size_t j = 0; j < i; j++) {
			const struct id_map *o = &maps->v[j];

			if (overlap(m->container, o->container, m->size, o->size) ||
			    overlap(m->host, o->host, m->size, o->size))
				return fail(0, "%s[%zu]: overlaps with [%zu]", where, i, j);
		}
	}
	return 0;
}

int spec_read_id_maps(struct arena *a, struct json *o, const char *key, const char *where,
		      struct id_maps *out)
{
	struct json *list;
	size_t i = 0;

	if (json_array(o, key, where, &list) < 0)
		return -1;
	json_each(item, list)
	{
		const char *place = arena_printf(a, "%s[%zu]", where, i++);
		uint64_t container = 0, host = 0, size = 0;
		bool a1, a2, a3;

		if (item->type != JSON_OBJECT)
			return fail(0, "%s: expected an object", place);
		if (json_uint(item, "containerID", arena_printf(a, "%s.containerID", place),
			      UINT32_MAX, &a1, &container) < 0 ||
		    json_uint(item, "hostID", arena_printf(a, "%s.hostID", place), UINT32_MAX, &a2,
			      &host) < 0 ||
		    json_uint(item, "size", arena_printf(a, "%s.size", place), UINT32_MAX, &a3,
			      &size) < 0)
			return -1;
		if (!a1 || !a2 || !a3)
			return fail(0, "%s: needs containerID, hostID and size", place);
		*vec_add(a, out) =
			(struct id_map){(uint32_t)container, (uint32_t)host, (uint32_t)size};
	}
	return check_id_maps(where, out);
}

/* --- mounts ------------------------------------------------------------ */

static int read_destination(struct arena *a, struct json *o, struct spec_mount *m)
{
	const char *where = arena_printf(a, "%s.destination", m->place);

	if (json_str(o, "destination", where, true, &m->destination) < 0)
		return -1;
	/* config.md: a relative one is relative to "/", and deprecated. */
	if (*m->destination != '/')
		m->destination = arena_printf(a, "/%s", m->destination);
	if (m->destination[strspn(m->destination, "/.")] == '\0')
		return fail(0, "%s: \"%s\" is the root itself", where, m->destination);
	if (check_path(where, m->destination) < 0)
		return -1;
	m->destination = path_clean(a, m->destination);
	return 0;
}

static int read_mount(struct spec *s, struct json *o, size_t i)
{
	struct arena *a = s->arena;
	struct spec_mount m = {.src.fd = -1};

	m.place = arena_printf(a, "mounts[%zu]", i);
	if (o->type != JSON_OBJECT)
		return fail(0, "%s: expected an object", m.place);
	if (read_destination(a, o, &m) < 0)
		return -1;
	const char *plain = m.place;
	m.place = arena_printf(a, "mounts[%zu] (%s)", i, m.destination);
	if (json_str(o, "type", arena_printf(a, "%s.type", plain), false, &m.type) < 0 ||
	    json_str(o, "source", arena_printf(a, "%s.source", plain), false, &m.source) < 0 ||
	    json_strv(a, o, "options", arena_printf(a, "%s.options", plain), &m.options) < 0 ||
	    spec_read_id_maps(a, o, "uidMappings", arena_printf(a, "%s.uidMappings", plain),
			      &m.uid_maps) < 0 ||
	    spec_read_id_maps(a, o, "gidMappings", arena_printf(a, "%s.gidMappings", plain),
			      &m.gid_maps) < 0)
		return -1;
	if (mount_options_parse(a, &m.options, &m.opt) < 0)
		return fail_in("%s", m.place);
	if (m.type && strcmp(m.type, "bind") == 0)
		m.opt.bind = true;
	if ((m.uid_maps.n == 0) != (m.gid_maps.n == 0))
		return fail(0, "%s: uidMappings and gidMappings go together", m.place);
	if (m.uid_maps.n > 0)
		m.opt.idmap = true;
	if (m.opt.idmap && !m.opt.bind)
		return fail(0, "%s: idmap is for bind mounts", m.place);
	if (m.opt.bind && (!m.source || !*m.source))
		return fail(0, "%s: a bind mount needs a source", m.place);
	if (!m.opt.bind && !m.opt.remount && (!m.type || !*m.type))
		return fail(0, "%s: needs a type, or the option bind", m.place);
	*vec_add(a, &s->mounts) = m;
	return 0;
}

int read_mounts(struct spec *s, struct json *array)
{
	size_t i = 0;

	json_each(item, array) if (read_mount(s, item, i++) < 0) return -1;
	return 0;
}

/* --- linux ------------------------------------------------------------- */

static int read_namespaces(struct spec *s, struct json *section)
{
	struct arena *a = s->arena;
	struct json *list;
	size_t i = 0;

	if (json_array(section, "namespaces", "linux.namespaces", &list) < 0)
		return -1;
	json_each(item, list)
	{
		const char *where = arena_printf(a, "linux.namespaces[%zu]", i++);
		struct spec_namespace ns = {.fd = -1};
		const char *type = NULL;

		if (item->type != JSON_OBJECT)
			return fail(0, "%s: expected an object", where);
		if (json_str(item, "type", arena_printf(a, "%s.type", where), true, &type) < 0 ||
		    json_str(item, "path", arena_printf(a, "%s.path", where), false, &ns.path) < 0)
			return -1;
		ns.type = namespace_type(type);
		if (ns.type == 0)
			return fail(0, "%s.type: unknown namespace \"%s\"", where, type);
		if (spec_namespace(s, ns.type))
			return fail(0, "%s: %s is given twice", where, type);
		if (ns.path && *ns.path == '\0')
			ns.path = NULL;
		if (ns.path && *ns.path != '/')
			return fail(0, "%s.path: \"%s\" is not an absolute path", where, ns.path);
		*vec_add(a, &s->namespaces) = ns;
	}
	return 0;
}

static int read_offset(struct json *o, const char *where, struct arena *a, bool *set, int64_t *secs,
		       uint32_t *nanosecs)
{
	uint64_t ns = 0;

	*set = o != NULL;
	if (json_int(o, "secs", arena_printf(a, "%s.secs", where), INT64_MIN, INT64_MAX, NULL,
		     secs) < 0 ||
	    json_uint(o, "nanosecs", arena_printf(a, "%s.nanosecs", where), 999999999, NULL, &ns) <
		    0)
		return -1;
	*nanosecs = (uint32_t)ns;
	return 0;
}

static int read_time(struct spec *s, struct json *section)
{
	struct json *o, *boot, *mono;
	const char *where = "linux.timeOffsets";

	if (json_object(section, "timeOffsets", where, &o) < 0 ||
	    json_object(o, "boottime", "linux.timeOffsets.boottime", &boot) < 0 ||
	    json_object(o, "monotonic", "linux.timeOffsets.monotonic", &mono) < 0 ||
	    read_offset(boot, "linux.timeOffsets.boottime", s->arena, &s->boottime.set,
			&s->boottime.secs, &s->boottime.nanosecs) < 0 ||
	    read_offset(mono, "linux.timeOffsets.monotonic", s->arena, &s->monotonic.set,
			&s->monotonic.secs, &s->monotonic.nanosecs) < 0)
		return -1;
	json_each(item, o) if (!item->used) return fail(0, "%s: unknown clock \"%s\"", where,
							item->key);
	return 0;
}

static int read_device(struct spec *s, struct json *o, const char *plain)
{
	struct arena *a = s->arena;
	struct spec_device d = {.file_mode = 0666};
	const char *type = NULL;
	uint64_t mode = 0666, uid = 0, gid = 0;
	bool has_major, has_minor, has_mode;

	if (json_str(o, "path", arena_printf(a, "%s.path", plain), true, &d.path) < 0 ||
	    check_path(arena_printf(a, "%s.path", plain), d.path) < 0 ||
	    json_str(o, "type", arena_printf(a, "%s.type", plain), true, &type) < 0 ||
	    json_int(o, "major", arena_printf(a, "%s.major", plain), 0, (1 << 12) - 1, &has_major,
		     &d.major) < 0 ||
	    json_int(o, "minor", arena_printf(a, "%s.minor", plain), 0, (1 << 20) - 1, &has_minor,
		     &d.minor) < 0 ||
	    json_uint(o, "fileMode", arena_printf(a, "%s.fileMode", plain), UINT32_MAX, &has_mode,
		      &mode) < 0 ||
	    json_uint(o, "uid", arena_printf(a, "%s.uid", plain), UINT32_MAX - 1, &d.has_uid,
		      &uid) < 0 ||
	    json_uint(o, "gid", arena_printf(a, "%s.gid", plain), UINT32_MAX - 1, &d.has_gid,
		      &gid) < 0)
		return -1;
	if (strlen(type) != 1 || !strchr("cubp", *type))
		return fail(0, "%s.type: \"%s\" is not one of c, u, b, p", plain, type);
	if (*type != 'p' && (!has_major || !has_minor))
		return fail(0, "%s: needs major and minor", plain);
	d.path = path_clean(a, d.path);
	d.place = arena_printf(a, "%s (%s)", plain, d.path);
	d.type = *type == 'u' ? 'c' : *type;
	/* Engines send the whole st_mode. */
	d.file_mode = (mode_t)mode & 07777;
	d.uid = (uint32_t)uid;
	d.gid = (uint32_t)gid;
	for (size_t i = 0; i < s->devices.n; i++)
		if (strcmp(s->devices.v[i].path, d.path) == 0)
			return fail(0, "%s: %s is given twice", plain, d.path);
	*vec_add(a, &s->devices) = d;
	return 0;
}

static int read_devices(struct spec *s, struct json *section)
{
	struct json *list;
	size_t i = 0;

	if (json_array(section, "devices", "linux.devices", &list) < 0)
		return -1;
	json_each(item, list)
	{
		const char *plain = arena_printf(s->arena, "linux.devices[%zu]", i++);

		if (item->type != JSON_OBJECT)
			return fail(0, "%s: expected an object", plain);
		if (read_device(s, item, plain) < 0)
			return -1;
	}
	return 0;
}

/* A key with "/../" or a line break could name a file that is no sysctl, or
 * another one (CVE-2022-0811). */
static int read_sysctl(struct spec *s, struct json *section)
{
	struct json *o;

	if (json_object(section, "sysctl", "linux.sysctl", &o) < 0 ||
	    read_kvs(s->arena, o, "linux.sysctl", &s->sysctl) < 0)
		return -1;
	for (size_t i = 0; i < s->sysctl.n; i++) {
		const struct kv *kv = &s->sysctl.v[i];

		if (kv->key[strspn(kv->key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					    "0123456789_-./")] ||
		    strstr(kv->key, "..") || *kv->key == '/' || *kv->key == '.')
			return fail(0, "linux.sysctl[%s]: is not the name of a sysctl", kv->key);
		if (strchr(kv->value, '\n'))
			return fail(0, "linux.sysctl[%s]: the value has a line break", kv->key);
	}
	return 0;
}

static int read_paths(struct spec *s, struct json *section)
{
	const struct {
		const char *key, *where;
		struct strv *out;
	} lists[] = {{"maskedPaths", "linux.maskedPaths", &s->masked_paths},
		     {"readonlyPaths", "linux.readonlyPaths", &s->readonly_paths}};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		if (json_strv(s->arena, section, lists[i].key, lists[i].where, lists[i].out) < 0)
			return -1;
		for (size_t j = 0; j < lists[i].out->n; j++)
			if (check_path(arena_printf(s->arena, "%s[%zu]", lists[i].where, j),
				       lists[i].out->v[j]) < 0)
				return -1;
	}
	return 0;
}

static const struct word propagations[] = {
	{"shared", MS_SHARED},	       {"rshared", MS_SHARED},	       {"slave", MS_SLAVE},
	{"rslave", MS_SLAVE},	       {"private", MS_PRIVATE},	       {"rprivate", MS_PRIVATE},
	{"unbindable", MS_UNBINDABLE}, {"runbindable", MS_UNBINDABLE},
};

static const struct word personalities[] = {{"LINUX", PER_LINUX}, {"LINUX32", PER_LINUX32}};

static int read_words(struct spec *s, struct json *section)
{
	struct json *o;
	const char *word = NULL, *domain = NULL;

	if (json_str(section, "rootfsPropagation", "linux.rootfsPropagation", false, &word) < 0 ||
	    (word && *word &&
	     word_find(propagations, ARRAY_SIZE(propagations), "linux.rootfsPropagation", word,
		       &s->rootfs_propagation) < 0) ||
	    json_object(section, "personality", "linux.personality", &o) < 0)
		return -1;
	s->rootfs_propagation_rec = word && *word == 'r';
	s->has_personality = o != NULL;
	if (o &&
	    (json_str(o, "domain", "linux.personality.domain", true, &domain) < 0 ||
	     word_find(personalities, ARRAY_SIZE(personalities), "linux.personality.domain", domain,
		       &s->personality) < 0 ||
	     refuse(o, "flags", "linux.personality.flags", "the runtime-spec defines none") < 0))
		return -1;
	if (json_str(section, "mountLabel", "linux.mountLabel", false, &s->mount_label) < 0 ||
	    json_str(section, "cgroupsPath", "linux.cgroupsPath", false, &s->cgroups_path) < 0)
		return -1;
	if (s->mount_label && !*s->mount_label)
		s->mount_label = NULL;
	if (s->cgroups_path && !*s->cgroups_path)
		s->cgroups_path = NULL;
	/* "/" before it, so that a leading ".." is seen, too. */
	return s->cgroups_path ? check_path("linux.cgroupsPath",
					    arena_printf(s->arena, "/%s", s->cgroups_path))
			       : 0;
}

int read_linux(struct spec *s, struct json *section)
{
	struct json *o;
	const char *later = "is not supported by this version";

	if (read_namespaces(s, section) < 0 ||
	    spec_read_id_maps(s->arena, section, "uidMappings", "linux.uidMappings", &s->uid_maps) <
		    0 ||
	    spec_read_id_maps(s->arena, section, "gidMappings", "linux.gidMappings", &s->gid_maps) <
		    0 ||
	    read_time(s, section) < 0 || read_devices(s, section) < 0 ||
	    read_sysctl(s, section) < 0 || read_paths(s, section) < 0 ||
	    read_words(s, section) < 0 ||
	    json_object(section, "resources", "linux.resources", &o) < 0 ||
	    (o && read_resources(s->arena, o, "linux.resources", &s->resources) < 0) ||
	    json_object(section, "seccomp", "linux.seccomp", &o) < 0 ||
	    (o && spec_parse_seccomp(s->arena, o, "linux.seccomp", &s->seccomp) < 0))
		return -1;
	if (refuse(section, "netDevices", "linux.netDevices", later) < 0 ||
	    refuse(section, "intelRdt", "linux.intelRdt", later) < 0)
		return -1;
	return refuse(section, "memoryPolicy", "linux.memoryPolicy", later);
}
