/* The rules on the linux section. */
#include <seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "judge.h"

/* --- namespaces -------------------------------------------------------- */

static const struct {
	int type;
	const char *option; /* what a person said to get the host's */
} needed[] = {
	{CLONE_NEWPID, "--pid=host"}, {CLONE_NEWNET, "--network=host"},
	{CLONE_NEWIPC, "--ipc=host"}, {CLONE_NEWUTS, "--uts=host"},
	{CLONE_NEWNS, NULL},
};

void rule_namespaces(struct judge *j, struct spec *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		const char *name = namespace_name(needed[i].type);
		const struct spec_namespace *ns = spec_namespace(s, needed[i].type);
		const char *option = needed[i].option;

		if (!ns || ns->is_host)
			found_request(
				j, "linux.namespaces",
				arena_printf(j->a,
					     "the host's %s namespace would be the container's",
					     name),
				name,
				option ? arena_printf(
						 j->a,
						 "remove %s, or choose a profile without this rule",
						 option)
				       : "add the namespace");
	}
	/* Every type, also those that a container need not have. */
	for (size_t i = 0; i < s->namespaces.n; i++) {
		const struct spec_namespace *ns = &s->namespaces.v[i];
		const char *name = namespace_name(ns->type);

		if (ns->path && !ns->is_host && !strv_has(&j->p->namespaces_join, name))
			found_request(
				j, arena_printf(j->a, "linux.namespaces[%zu]", i),
				arena_printf(j->a,
					     "another container's %s namespace would be joined",
					     name),
				ns->path, "list the type in the profile's namespaces.join");
	}
	const struct spec_namespace *cgroup = spec_namespace(s, CLONE_NEWCGROUP);
	if (!cgroup && found_default(j, "linux.namespaces", "the host's cgroups would be visible",
				     "no cgroup namespace", "a new one"))
		*vec_add(j->a, &s->namespaces) =
			(struct spec_namespace){.type = CLONE_NEWCGROUP, .fd = -1};
	if (cgroup && cgroup->is_host)
		found_request(j, "linux.namespaces", "the host's cgroup namespace would be joined",
			      cgroup->path, "remove the path");
}

static void judge_maps(struct judge *j, const char *key, const struct id_maps *maps)
{
	for (size_t i = 0; i < maps->n; i++) {
		const struct id_map *m = &maps->v[i];
		const char *place = arena_printf(j->a, "linux.%s[%zu]", key, i);

		if (m->host == 0)
			found_request(j, place, "the host's root is mapped into the container",
				      "hostID 0", "map a range that is no user's on the host");
		/* Whoever chooses these could have those of a container that runs. */
		if ((uint64_t)m->host + m->size > j->p->ids.first &&
		    m->host < (uint64_t)j->p->ids.first + j->p->ids.count)
			found_request(j, place, "these are ids that containers get for themselves",
				      arena_printf(j->a, "hostID %u", m->host),
				      "leave the mappings out, or map ids that are not in the "
				      "profile's user.namespace.pool");
	}
}

static bool same_maps(const struct id_maps *a, const struct id_maps *b)
{
	if (!b || a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (a->v[i].container != b->v[i].container || a->v[i].host != b->v[i].host ||
		    a->v[i].size != b->v[i].size)
			return false;
	return true;
}

/* On an idmapped mount "containerID" is the id on the disk: with 0 among them the
 * container makes files of the host's root, setuid ones too. That is how volumes
 * work where the container has a user namespace with the same maps, else not. */
static void judge_idmap(struct judge *j, const struct spec_mount *m, const char *key,
			const struct id_maps *maps, const struct id_maps *own)
{
	for (size_t i = 0; i < maps->n; i++)
		if (maps->v[i].container == 0 && !same_maps(maps, own))
			found_request(j, arena_printf(j->a, "%s.%s[%zu]", m->place, key, i),
				      "files of the host's root would be the container's",
				      "containerID 0",
				      "leave 0 out, or give the container's own mappings");
}

/* Which of the host's they are comes when the container is made:
 * a map with this hostID is one that the kernel refuses. */
static void own_ids(struct judge *j, struct spec *s)
{
	const struct id_map none = {0, UINT32_MAX, ID_RANGE};

	*vec_add(j->a, &s->namespaces) = (struct spec_namespace){.type = CLONE_NEWUSER, .fd = -1};
	*vec_add(j->a, &s->uid_maps) = none;
	*vec_add(j->a, &s->gid_maps) = none;
	s->own_ids = true;
	s->unmappable_as_is = j->p->ids.unmappable_as_is;
	/* Podman's are in memory, which cannot be mapped before Linux 6.3; there they
	 * would be the reason why no container runs. */
	for (size_t i = 0; i < s->mounts.n; i++)
		s->mounts.v[i].unmappable_as_is =
			j->p->ids.unmappable_as_is || is_engine_own(s, &s->mounts.v[i]);
}

void rule_user_namespace(struct judge *j, struct spec *s)
{
	const struct spec_namespace *ns = spec_namespace(s, CLONE_NEWUSER);

	if (ns && ns->is_host)
		found_request(j, "linux.namespaces", "the host's user namespace would be joined",
			      ns->path, "remove the path and give mappings");
	judge_maps(j, "uidMappings", &s->uid_maps);
	judge_maps(j, "gidMappings", &s->gid_maps);
	for (size_t i = 0; i < s->mounts.n; i++) {
		const struct spec_mount *m = &s->mounts.v[i];

		judge_idmap(j, m, "uidMappings", &m->uid_maps, ns ? &s->uid_maps : NULL);
		judge_idmap(j, m, "gidMappings", &m->gid_maps, ns ? &s->gid_maps : NULL);
	}
	/* Mappings without a namespace are an error that is not the rule's. */
	if (!ns && s->uid_maps.n == 0 && s->gid_maps.n == 0 &&
	    found_default(j, "linux.namespaces", "the ids inside would be the host's",
			  "no user namespace",
			  s->in_user_namespace ? "a new one, of the ids that this user has"
					       : "a new one"))
		own_ids(j, s);
}

/* --- seccomp ----------------------------------------------------------- */

void rule_seccomp(struct judge *j, struct spec *s)
{
	const struct spec_seccomp *own = &s->seccomp;
	bool open = !own->present || own->default_action == SCMP_ACT_ALLOW ||
		    own->default_action == SCMP_ACT_LOG;

	if (open &&
	    found_default(j, "linux.seccomp", "no filter denies by default",
			  own->present ? "allows by default" : "none", "the profile's default"))
		s->seccomp = j->p->seccomp;
	s->seccomp_fixed = j->action == POLICY_ENFORCE || j->action == POLICY_DENY;
}

/* --- devices ----------------------------------------------------------- */

/* By number: a config could call the disk "/dev/null". */
static const struct profile_device defaults[] = {
	{"/dev/null", 'c', 1, 3},    {"/dev/zero", 'c', 1, 5},	  {"/dev/full", 'c', 1, 7},
	{"/dev/random", 'c', 1, 8},  {"/dev/urandom", 'c', 1, 9}, {"/dev/tty", 'c', 5, 0},
	{"/dev/console", 'c', 5, 1}, {"/dev/ptmx", 'c', 5, 2},
};

static bool is_one_of(const struct profile_device *list, size_t n, const struct spec_device *d)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].type == d->type && list[i].major == d->major &&
		    list[i].minor == d->minor)
			return true;
	return false;
}

/* A FIFO is no device of the host. */
static bool is_allowed(const struct judge *j, const struct spec_device *d)
{
	return d->type == 'p' || is_one_of(defaults, ARRAY_SIZE(defaults), d) ||
	       is_one_of(j->p->devices_allow.v, j->p->devices_allow.n, d);
}

/* The rules are made anew: nothing, and then what is allowed. The default
 * devices are the cgroup's own business. */
static void rewrite_rules(struct judge *j, struct spec *s)
{
	struct spec_device_rule none = {false, 'a', -1, -1,
					DEVICE_READ | DEVICE_WRITE | DEVICE_MKNOD};

	s->resources.devices.n = 0;
	*vec_add(j->a, &s->resources.devices) = none;
	for (size_t i = 0; i < s->devices.n; i++) {
		const struct spec_device *d = &s->devices.v[i];

		if (d->type != 'p' && is_allowed(j, d))
			*vec_add(j->a, &s->resources.devices) = (struct spec_device_rule){
				true, d->type, d->major, d->minor, none.access};
	}
}

void rule_devices(struct judge *j, struct spec *s)
{
	const char *hint =
		"remove --device or --privileged, or list it in the profile's devices.allow";

	for (size_t i = 0; i < s->devices.n; i++)
		if (!is_allowed(j, &s->devices.v[i]))
			found_request(j, s->devices.v[i].place, "it is a device of the host",
				      s->devices.v[i].path, hint);
	for (size_t i = 0; i < s->resources.devices.n; i++) {
		const struct spec_device_rule *r = &s->resources.devices.v[i];

		if (r->allow && (r->type == 'a' || (r->major < 0 && r->access != DEVICE_MKNOD)))
			found_request(j, arena_printf(j->a, "linux.resources.devices[%zu]", i),
				      "every device of the host could be opened", "allow all",
				      "remove --privileged or --device-cgroup-rule");
	}
	if (found_default(j, "linux.resources.devices",
			  "the engine's list allows more than is there", "the engine's list",
			  "the default devices"))
		rewrite_rules(j, s);
}

/* --- paths ------------------------------------------------------------- */

static void unite(struct judge *j, const char *place, const char *message, struct strv *have,
		  const struct strv *want)
{
	const char *added = "";

	for (size_t i = 0; i < want->n; i++)
		if (!strv_has(have, want->v[i]))
			added = arena_printf(j->a, "%s%s%s", added, *added ? " " : "", want->v[i]);
	if (!*added || !found_default(j, place, message, NULL, added))
		return;
	for (size_t i = 0; i < want->n; i++)
		if (!strv_has(have, want->v[i]))
			strv_add(j->a, have, want->v[i]);
}

void rule_paths_masked(struct judge *j, struct spec *s)
{
	unite(j, "linux.maskedPaths", "these are not masked", &s->masked_paths,
	      &j->p->masked_paths);
}

void rule_paths_readonly(struct judge *j, struct spec *s)
{
	unite(j, "linux.readonlyPaths", "these are not read-only", &s->readonly_paths,
	      &j->p->readonly_paths);
}

/* --- sysctl ------------------------------------------------------------ */

static bool sysctl_allowed(const struct profile *p, const char *key)
{
	for (size_t i = 0; i < p->sysctl_allow.n; i++) {
		const char *a = p->sysctl_allow.v[i];
		size_t n = strlen(a);

		if (n > 0 && a[n - 1] == '*' ? strncmp(key, a, n - 1) == 0 : strcmp(key, a) == 0)
			return true;
	}
	return false;
}

/* The highest id that the container has; a range beyond it is refused by the
 * kernel, and engines send one. */
static void clamp_ping(struct judge *j, struct spec *s, struct kv *kv)
{
	uint32_t highest = 0;
	unsigned long long from, to;

	for (size_t i = 0; i < s->gid_maps.n; i++) {
		const struct id_map *m = &s->gid_maps.v[i];
		uint32_t last = m->container + (m->size - 1);

		highest = last > highest ? last : highest;
	}
	if (s->gid_maps.n == 0 || strcmp(kv->key, "net.ipv4.ping_group_range") != 0 ||
	    sscanf(kv->value, "%llu %llu", &from, &to) != 2 || to <= highest)
		return;
	const char *value = arena_printf(j->a, "%llu %u", from, highest);
	if (found_default(j, "linux.sysctl[net.ipv4.ping_group_range]",
			  "the range has groups that are not mapped", kv->value, value))
		kv->value = value;
}

void rule_sysctl(struct judge *j, struct spec *s)
{
	for (size_t i = 0; i < s->sysctl.n; i++) {
		struct kv *kv = &s->sysctl.v[i];

		if (!sysctl_allowed(j->p, kv->key))
			found_request(j, arena_printf(j->a, "linux.sysctl[%s]", kv->key),
				      "the sysctl is not on the profile's list", kv->value,
				      "remove --sysctl, or list it in the profile's sysctl.allow");
		else
			clamp_ping(j, s, kv);
	}
}

/* --- resources --------------------------------------------------------- */

/* What unified says has the last word over what the rule put in. */
static void judge_unified(struct judge *j, const struct kv *kv, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		/* The kernel takes blanks away: only a number is a number. */
		bool number = kv[i].value[0] >= '0' && kv[i].value[0] <= '9';

		if (!number && ((strcmp(kv[i].key, "pids.max") == 0 && j->p->pids_limit.set) ||
				(strcmp(kv[i].key, "memory.max") == 0 && j->p->memory_limit.set)))
			found_request(j,
				      arena_printf(j->a, "linux.resources.unified[%s]", kv[i].key),
				      "there would be no limit", kv[i].value, "give a number");
	}
}

int policy_apply_update(const struct profile *p, struct arena *a, const struct spec_resources *r,
			struct findings *f)
{
	struct judge j = {p, f, a, RULE_RESOURCES, p->action[RULE_RESOURCES]};
	const char *hint = "give a number, or change the profile";

	if (p->pids_limit.set && r->pids_limit.set && r->pids_limit.v <= 0)
		found_request(&j, "resources.pids.limit", "there would be no limit", NULL, hint);
	if (p->memory_limit.set && r->memory.limit.set && r->memory.limit.v < 0)
		found_request(&j, "resources.memory.limit", "there would be no limit", NULL, hint);
	judge_unified(&j, r->unified.v, r->unified.n);
	return policy_refusals(f);
}

void rule_resources(struct judge *j, struct spec *s)
{
	struct opt_i64 *pids = &s->resources.pids_limit, *memory = &s->resources.memory.limit;

	judge_unified(j, s->resources.unified.v, s->resources.unified.n);
	/* Engines send 0 and -1 for "no limit was asked for". */
	if (j->p->pids_limit.set && (!pids->set || pids->v <= 0) &&
	    found_default(j, "linux.resources.pids.limit", "the number of processes has no limit",
			  "none", arena_printf(j->a, "%lld", (long long)j->p->pids_limit.v)))
		*pids = j->p->pids_limit;
	if (memory->set && memory->v > 0)
		return;
	if (!j->p->memory_limit.set) {
		struct judge warn = *j;

		warn.action = POLICY_WARN;
		found_default(&warn, "linux.resources.memory.limit", "memory has no limit", "none",
			      NULL);
	} else if (found_default(j, "linux.resources.memory.limit", "memory has no limit", "none",
				 arena_printf(j->a, "%lld", (long long)j->p->memory_limit.v))) {
		*memory = j->p->memory_limit;
	}
}

/* --- annotations, hooks ------------------------------------------------ */

void rule_annotations(struct judge *j, struct spec *s)
{
	static const char *const prefixes[] = {"run.oci.", "org.systemd.property.", "org.criu.",
					       "krun.", "module.wasm."};

	for (size_t i = 0; i < s->annotations.n; i++) {
		const char *key = s->annotations.v[i].key;

		for (size_t k = 0; k < ARRAY_SIZE(prefixes); k++) {
			if (strncmp(key, prefixes[k], strlen(prefixes[k])) != 0 ||
			    strv_has(&j->p->annotations_allow, key))
				continue;
			/* None has an effect here: enforce says so, deny refuses. */
			found_default(j, arena_printf(j->a, "annotations[%s]", key),
				      "would change what another runtime does",
				      s->annotations.v[i].value, "ignored");
		}
	}
}

void rule_hooks(struct judge *j, struct spec *s)
{
	for (int kind = 0; kind < HOOK_KINDS; kind++) {
		for (size_t i = 0; i < s->hooks[kind].n; i++) {
			const struct spec_hook *h = &s->hooks[kind].v[i];

			if (h->untrusted && !strv_has(&j->p->hooks_allow, h->path))
				found_request(j, arena_printf(j->a, "%s (%s)", h->place, h->path),
					      h->untrusted, NULL,
					      "give the file and the folders above it to root, "
					      "writable by nobody else");
		}
	}
}
