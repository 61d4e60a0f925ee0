/*
 * The ids of a container: 65,536 of the host's that nobody else has. A range is
 * taken by a symlink in one folder for the whole host, named by its first id and
 * leading to the state of its container, so that it is there whole or not at all
 * and says itself whether it still has an owner.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "casemate/error.h"
#include "casemate/fd.h"
#include "casemate/log.h"
#include "plan.h"

#ifndef RANGES
#define RANGES "/run/casemate-ids"
#endif

/* --- whose ids the host's are ------------------------------------------ */

struct intervals {
	struct interval {
		uint64_t first, last;
	} * v;
	size_t n, cap;
};

/* A number as the readers of these files take it: also octal and hexadecimal. */
static bool read_number(const char *field, uint64_t *out)
{
	char *end;

	*out = field ? strtoull(field, &end, 0) : 0;
	return field && end != field;
}

/* A range without an end has none. */
static void add_interval(struct arena *a, uint64_t first, uint64_t n, struct intervals *out)
{
	if (n > 0)
		*vec_add(a, out) = (struct interval){
			first, n - 1 > UINT64_MAX - first ? UINT64_MAX : first + (n - 1)};
}

/* Lines of fields with a ':' between. A line where there is no number means nobody. */
static int add_ids(struct arena *a, const char *path, bool ranges, struct intervals *out)
{
	char *text = file_read(a, AT_FDCWD, path, 64 << 20, NULL), *save;

	if (!text && error_last()->errnum == ENOENT)
		return 0;
	if (!text)
		return fail_in("the ids in use");
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		const char *field[4] = {line};
		uint64_t first, n;

		for (size_t i = 1; i < ARRAY_SIZE(field) && field[i - 1]; i++) {
			field[i] = strchr(field[i - 1], ':');
			field[i] += field[i] != NULL;
		}
		if (ranges && read_number(field[1], &first)) {
			add_interval(a, first, read_number(field[2], &n) ? n : 0, out);
			continue;
		}
		/* name:password:uid:gid and name:password:gid: */
		for (size_t i = 2; !ranges && i < 4; i++)
			if (read_number(field[i], &first))
				add_interval(a, first, 1, out);
	}
	return 0;
}

/* Users and groups, and the ranges that are given to users for containers of their
 * own (subuid(5)). Directories of users that are not in these files have their
 * ids elsewhere: see casemate-profile(5). */
static int host_ids(struct arena *a, struct intervals *out)
{
	return add_ids(a, "/etc/passwd", false, out) < 0 ||
			       add_ids(a, "/etc/group", false, out) < 0 ||
			       add_ids(a, "/etc/subuid", true, out) < 0 ||
			       add_ids(a, "/etc/subgid", true, out) < 0
		       ? -1
		       : 0;
}

static bool meets(const struct intervals *in, uint64_t first)
{
	for (size_t i = 0; i < in->n; i++)
		if (in->v[i].first < first + ID_RANGE && in->v[i].last >= first)
			return true;
	return false;
}

/* --- the registry ------------------------------------------------------ */

static const char registry[] = "the registry of host ids";

static const char *name_of(struct arena *a, uint32_t first)
{
	return arena_printf(a, "%" PRIu32, first);
}

/* Where a container's state is: what its range leads to. NULL with error. */
static const char *place_of(const struct container *c)
{
	const char *root = fd_path(c->arena, c->root_fd);

	return root ? arena_printf(c->arena, "%s/%s", root, c->id) : NULL;
}

/* "" where the range is free. */
static const char *owner_of(struct arena *a, int ranges, uint32_t first)
{
	char path[PATH_MAX];
	ssize_t n = readlinkat(ranges, name_of(a, first), path, sizeof(path) - 1);

	path[n > 0 ? n : 0] = '\0';
	return arena_strdup(a, path);
}

/* Is there a process whose user namespace has ids of the range? Its state may have
 * been removed by hand. */
static bool is_mapped(struct arena *a, uint64_t first)
{
	_dir_ DIR *d = opendir("/proc");
	struct dirent *e;

	if (!d)
		return true;
	while ((e = readdir(d))) {
		uint64_t inside, host, count;

		if (*e->d_name < '0' || *e->d_name > '9')
			continue;
		char *map = file_read(a, AT_FDCWD, arena_printf(a, "/proc/%s/uid_map", e->d_name),
				      65536, NULL),
		     *save;
		for (char *line = map ? strtok_r(map, "\n", &save) : NULL; line;
		     line = strtok_r(NULL, "\n", &save))
			/* The host's own map has everything. */
			if (sscanf(line, "%" SCNu64 " %" SCNu64 " %" SCNu64, &inside, &host,
				   &count) == 3 &&
			    host != 0 && host < first + ID_RANGE && host + count > first)
				return true;
	}
	return false;
}

/* Has the container that a range leads to let it go without a word? Only a state
 * that is gone, or that says another range, is an answer. */
static bool is_stale(struct arena *a, const char *owner, uint32_t first)
{
	const char *slash = strrchr(owner, '/');
	struct container c;

	if (!slash || slash == owner)
		return false;
	_fd_ int root = open(arena_strndup(a, owner, (size_t)(slash - owner)),
			     O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool gone = root < 0 && (errno == ENOENT || errno == ENOTDIR);
	if (root >= 0) {
		gone = container_look(&c, a, root, slash + 1) < 0
			       ? container_is_missing()
			       : !c.has_range || c.uid_maps.v[0].host != first;
		container_close(&c);
	}
	error_clear();
	return gone && !is_mapped(a, first);
}

/* Frees the range where its owner is gone. */
static bool free_stale(struct arena *a, int ranges, uint32_t first)
{
	return is_stale(a, owner_of(a, ranges, first), first) &&
	       unlinkat(ranges, name_of(a, first), 0) == 0;
}

/* The state names the range before it is taken: delete finds it whenever this
 * process ends. */
static int take(struct container *c, int ranges, uint32_t first)
{
	const struct id_map map = {0, first, ID_RANGE};
	const char *place = place_of(c);

	c->uid_maps.n = c->gid_maps.n = 0;
	*vec_add(c->arena, &c->uid_maps) = map;
	*vec_add(c->arena, &c->gid_maps) = map;
	c->has_range = true;
	if (!place || container_save(c) < 0)
		return -1;
	return symlinkat(place, ranges, name_of(c->arena, first)) < 0
		       ? fail(errno, "cannot take the host ids from %" PRIu32, first)
		       : 0;
}

static int take_range(struct container *c, const struct profile *p)
{
	_arena_ struct arena *a = arena_new();
	struct intervals used = {0};
	uint32_t start, ranges = p->ids.count / ID_RANGE, met = 0;
	/* Held while a range is looked for: two that find the same one stale must not
	 * free it one after the other. */
	_fd_ int dir = private_dir_open(registry, RANGES, true);

	if (dir < 0 || lock_bounded(dir, registry) < 0 || host_ids(a, &used) < 0)
		return -1;
	if (getrandom(&start, sizeof(start), 0) != (ssize_t)sizeof(start))
		return fail(errno, "getrandom");
	/* One that is free first: what was left by somebody comes last. */
	for (uint64_t i = 0; ranges > 0 && i < 2 * (uint64_t)ranges; i++) {
		uint32_t first = p->ids.first + (uint32_t)((start + i) % ranges) * ID_RANGE;
		bool again = i >= ranges;

		if (meets(&used, first))
			met += !again;
		else if (again ? free_stale(a, dir, first) : !*owner_of(a, dir, first))
			return take(c, dir, first);
	}
	fail(EAGAIN, "user namespace: none of the %" PRIu32 " ranges of the profile's pool is free",
	     ranges);
	return met ? fail_hint("%" PRIu32 " of them have ids of /etc/passwd, /etc/group, "
			       "/etc/subuid or /etc/subgid; change the profile's "
			       "user.namespace.pool",
			       met)
		   : fail_hint("delete containers, or enlarge the profile's user.namespace.pool");
}

/* A runtime that cannot see this state root may have taken the range for one that
 * was left, as long as no process had it. */
int ids_confirm(const struct container *c)
{
	if (!c->has_range)
		return 0;
	_fd_ int dir = private_dir_open(registry, RANGES, false);
	const char *place = place_of(c);
	if (dir < 0 || !place || lock_bounded(dir, registry) < 0)
		return -1;
	if (strcmp(owner_of(c->arena, dir, c->uid_maps.v[0].host), place) == 0)
		return 0;
	fail(EAGAIN, "user namespace: the range of ids is another's by now");
	return fail_hint("run it again; can every runtime of this host see this --root?");
}

void ids_release(const struct container *c)
{
	_fd_ int dir = -1;
	const char *place;

	if (!c->has_range)
		return;
	dir = open(RANGES, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	place = place_of(c);
	uint32_t first = c->uid_maps.v[0].host;
	/* Without a cgroup nobody has seen to it that all of its processes are gone: the
	 * link stays then, and is stale when they are. */
	if (dir >= 0 && place && strcmp(owner_of(c->arena, dir, first), place) == 0 &&
	    (c->has_cgroup || !is_mapped(c->arena, first)))
		unlinkat(dir, name_of(c->arena, first), 0);
	error_clear();
}

int ids_pool(const struct profile *p, struct id_pool *out)
{
	_arena_ struct arena *a = arena_new();
	struct intervals used = {0};
	_dir_ DIR *d = opendir(RANGES);
	struct dirent *e;
	uint64_t first;

	*out = (struct id_pool){.ranges = p->ids.count / ID_RANGE};
	if ((!d && errno != ENOENT) || host_ids(a, &used) < 0)
		return d ? -1 : fail(errno, "cannot open %s", RANGES);
	while (d && (e = readdir(d)))
		out->taken += sscanf(e->d_name, "%" SCNu64, &first) == 1 && first >= p->ids.first &&
			      first - p->ids.first < p->ids.count;
	for (uint32_t i = 0; i < out->ranges; i++)
		out->foreign += meets(&used, p->ids.first + (uint64_t)i * ID_RANGE);
	return 0;
}

/* --- in a user namespace ----------------------------------------------- */

/* There is nothing but the ids that are here. Where that is a single one it is the
 * process's own, whoever it is inside. */
static void nest(struct arena *a, const struct id_maps *here, uint32_t single, struct id_maps *out)
{
	out->n = 0;
	for (size_t i = 0; i < here->n; i++) {
		uint32_t id = here->v[i].container;
		bool one = here->n == 1 && here->v[i].size == 1;

		*vec_add(a, out) = (struct id_map){one ? single : id, id, here->v[i].size};
	}
}

/* Without a namespace of its own the container has the runtime's ids. */
static bool is_mapped_here(const struct spec *s, bool user, uint32_t id)
{
	const struct id_maps *own = user ? &s->uid_maps : &s->gid_maps;
	const struct id_maps *here = user ? &s->runtime_uids : &s->runtime_gids;
	const struct id_maps *maps = spec_namespace(s, CLONE_NEWUSER) ? own : here;

	/* Joined by path: whatever it has. */
	return maps->n == 0 || id_maps_find(maps, id);
}

/* Engines ask for the owner of terminals (devpts, "gid=5") and of tmpfs; the kernel
 * takes none that is not mapped. */
static void drop_owners(struct spec *s)
{
	for (size_t i = 0; i < s->mounts.n; i++) {
		struct spec_mount *m = &s->mounts.v[i];
		struct strv *data = &m->opt.data;
		size_t n = 0;

		if (!m->type || (strcmp(m->type, "devpts") != 0 && strcmp(m->type, "tmpfs") != 0))
			continue;
		for (size_t k = 0; k < data->n; k++) {
			uint32_t id;

			if ((sscanf(data->v[k], "uid=%" SCNu32, &id) == 1 ||
			     sscanf(data->v[k], "gid=%" SCNu32, &id) == 1) &&
			    !is_mapped_here(s, *data->v[k] == 'u', id))
				log_debug("%s: %s is left out: the id is not mapped", m->place,
					  data->v[k]);
			else
				data->v[n++] = data->v[k];
		}
		data->n = n;
	}
}

/* The rule clamped it to the ids of a whole range; there are fewer here. Engines
 * send it by themselves, so that one without any group is left out. */
static void clamp_ping(struct spec *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->sysctl.n; i++) {
		struct kv kv = s->sysctl.v[i];
		unsigned long long from, to;

		if (strcmp(kv.key, "net.ipv4.ping_group_range") == 0 &&
		    sscanf(kv.value, "%llu %llu", &from, &to) == 2 && from <= to) {
			const struct id_map *m = id_maps_find(&s->gid_maps, from);
			uint64_t last = m ? (uint64_t)m->container + (m->size - 1) : 0;

			if (!m) {
				log_debug("linux.sysctl[%s]: is left out: no group of it is there",
					  kv.key);
				continue;
			}
			kv.value = arena_printf(s->arena, "%llu %llu", from,
						to < last ? to : (unsigned long long)last);
		}
		s->sysctl.v[n++] = kv;
	}
	s->sysctl.n = n;
}

/* --- both -------------------------------------------------------------- */

int ids_reserve(struct container *c, const struct profile *p, struct spec *s)
{
	if (s->own_ids && s->in_user_namespace) {
		nest(c->arena, &s->runtime_uids, s->process.uid, &c->uid_maps);
		nest(c->arena, &s->runtime_gids, s->process.gid, &c->gid_maps);
	}
	if (s->own_ids && !s->in_user_namespace ? take_range(c, p) < 0 : container_save(c) < 0)
		return fail_in("linux.namespaces");
	if (s->own_ids) {
		ids_apply(s, c);
		clamp_ping(s);
	}
	if (s->in_user_namespace)
		drop_owners(s);
	return 0;
}

/* A container that was made before the rule was in force stays without. */
static void drop_user_namespace(struct spec *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->namespaces.n; i++)
		if (s->namespaces.v[i].type != CLONE_NEWUSER)
			s->namespaces.v[n++] = s->namespaces.v[i];
	s->namespaces.n = n;
	s->uid_maps.n = s->gid_maps.n = 0;
}

void ids_apply(struct spec *s, const struct container *c)
{
	s->idmap = c->has_range;
	if (c->uid_maps.n == 0) {
		if (s->own_ids)
			drop_user_namespace(s);
		return;
	}
	if (!spec_namespace(s, CLONE_NEWUSER))
		*vec_add(s->arena, &s->namespaces) =
			(struct spec_namespace){.type = CLONE_NEWUSER, .fd = -1};
	s->uid_maps = c->uid_maps;
	s->gid_maps = c->gid_maps;
}
