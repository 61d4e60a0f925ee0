/* config.json, linux.resources. */
#include <ctype.h>
#include <string.h>

#include "internal.h"

/* One place for a member: "linux.resources.memory.limit". */
static const char *at(struct arena *a, const char *where, const char *key)
{
	return arena_printf(a, "%s.%s", where, key);
}

static int read_i64(struct arena *a, struct json *o, const char *where, const char *key,
		    int64_t min, struct opt_i64 *out)
{
	return json_int(o, key, at(a, where, key), min, INT64_MAX, &out->set, &out->v);
}

static int read_u64(struct arena *a, struct json *o, const char *where, const char *key,
		    uint64_t max, struct opt_u64 *out)
{
	return json_uint(o, key, at(a, where, key), max, &out->set, &out->v);
}

static int read_rule(struct arena *a, struct json *o, const char *where, struct spec_resources *r)
{
	struct spec_device_rule rule = {.type = 'a', .major = -1, .minor = -1};
	const char *type = "a", *access = NULL;
	struct json *allow = json_get(o, "allow");

	if (!allow || allow->type != JSON_BOOL)
		return fail(0, "%s.allow: is missing, or not true or false", where);
	rule.allow = allow->boolean;
	if (json_str(o, "type", at(a, where, "type"), false, &type) < 0 ||
	    json_str(o, "access", at(a, where, "access"), false, &access) < 0 ||
	    json_int(o, "major", at(a, where, "major"), -1, UINT32_MAX, NULL, &rule.major) < 0 ||
	    json_int(o, "minor", at(a, where, "minor"), -1, UINT32_MAX, NULL, &rule.minor) < 0)
		return -1;
	if (*type && (strlen(type) != 1 || !strchr("acb", *type)))
		return fail(0, "%s.type: \"%s\" is not one of a, c, b", where, type);
	rule.type = *type ? *type : 'a';
	if (access && access[strspn(access, "rwm")])
		return fail(0, "%s.access: \"%s\" is not made of r, w and m", where, access);
	rule.access = DEVICE_READ | DEVICE_WRITE | DEVICE_MKNOD;
	if (access && *access)
		rule.access = (strchr(access, 'r') ? DEVICE_READ : 0U) |
			      (strchr(access, 'w') ? DEVICE_WRITE : 0U) |
			      (strchr(access, 'm') ? DEVICE_MKNOD : 0U);
	/* "a" with numbers has no meaning that the kernel's two device controllers
	 * share. */
	if (rule.type == 'a' && (rule.major != -1 || rule.minor != -1))
		return fail(0, "%s: type \"a\" takes no major and minor", where);
	*vec_add(a, &r->devices) = rule;
	return 0;
}

static int read_rules(struct arena *a, struct json *o, const char *where, struct spec_resources *r)
{
	struct json *list;
	size_t i = 0;

	if (json_array(o, "devices", at(a, where, "devices"), &list) < 0)
		return -1;
	json_each(item, list)
	{
		const char *place = arena_printf(a, "%s.devices[%zu]", where, i++);

		if (item->type != JSON_OBJECT)
			return fail(0, "%s: expected an object", place);
		if (read_rule(a, item, place, r) < 0)
			return -1;
	}
	return 0;
}

/* Kernel memory limits are gone since Linux 5.16 (tcp: cgroup v1 only). */
static int refuse_kernel_memory(struct arena *a, struct json *o, const char *where, const char *key)
{
	struct opt_i64 v;

	if (read_i64(a, o, where, key, -1, &v) < 0)
		return -1;
	if (!v.set || v.v <= 0)
		return 0;
	fail(0, "%s: Linux has no limit for kernel memory any more", at(a, where, key));
	return fail_hint("use memory.limit, which counts kernel memory, too");
}

static int read_memory(struct arena *a, struct json *top, const char *parent,
		       struct spec_resources *r)
{
	const char *where = at(a, parent, "memory");
	struct json *o, *oom;

	if (json_object(top, "memory", where, &o) < 0 ||
	    read_i64(a, o, where, "limit", -1, &r->memory.limit) < 0 ||
	    read_i64(a, o, where, "reservation", -1, &r->memory.reservation) < 0 ||
	    read_i64(a, o, where, "swap", -1, &r->memory.swap) < 0 ||
	    refuse_kernel_memory(a, o, where, "kernel") < 0 ||
	    refuse_kernel_memory(a, o, where, "kernelTCP") < 0 ||
	    read_u64(a, o, where, "swappiness", 100, &r->memory.swappiness) < 0 ||
	    json_bool(o, "useHierarchy", at(a, where, "useHierarchy"), &r->memory.use_hierarchy) <
		    0 ||
	    json_bool(o, "checkBeforeUpdate", at(a, where, "checkBeforeUpdate"),
		      &r->memory.check_before_update) < 0)
		return -1;
	oom = json_get(o, "disableOOMKiller");
	r->memory.has_disable_oom_killer = oom != NULL;
	return json_bool(o, "disableOOMKiller", at(a, where, "disableOOMKiller"),
			 &r->memory.disable_oom_killer);
}

static int read_cpu(struct arena *a, struct json *top, const char *parent, struct spec_resources *r)
{
	const char *where = at(a, parent, "cpu");
	struct json *o;

	if (json_object(top, "cpu", where, &o) < 0 ||
	    read_u64(a, o, where, "shares", UINT64_MAX, &r->cpu.shares) < 0 ||
	    read_i64(a, o, where, "quota", -1, &r->cpu.quota) < 0 ||
	    read_u64(a, o, where, "period", UINT64_MAX, &r->cpu.period) < 0 ||
	    read_u64(a, o, where, "burst", UINT64_MAX, &r->cpu.burst) < 0 ||
	    read_i64(a, o, where, "realtimeRuntime", -1, &r->cpu.realtime_runtime) < 0 ||
	    read_u64(a, o, where, "realtimePeriod", UINT64_MAX, &r->cpu.realtime_period) < 0 ||
	    read_i64(a, o, where, "idle", 0, &r->cpu.idle) < 0 ||
	    json_str(o, "cpus", at(a, where, "cpus"), false, &r->cpu.cpus) < 0 ||
	    json_str(o, "mems", at(a, where, "mems"), false, &r->cpu.mems) < 0)
		return -1;
	if (r->cpu.cpus && !*r->cpu.cpus)
		r->cpu.cpus = NULL;
	if (r->cpu.mems && !*r->cpu.mems)
		r->cpu.mems = NULL;
	return 0;
}

static int read_device_number(struct arena *a, struct json *o, const char *where, int64_t *major,
			      int64_t *minor)
{
	bool has_major, has_minor;

	if (o->type != JSON_OBJECT)
		return fail(0, "%s: expected an object", where);
	if (json_int(o, "major", at(a, where, "major"), 0, UINT32_MAX, &has_major, major) < 0 ||
	    json_int(o, "minor", at(a, where, "minor"), 0, UINT32_MAX, &has_minor, minor) < 0)
		return -1;
	return has_major && has_minor ? 0 : fail(0, "%s: needs major and minor", where);
}

static int read_weights(struct arena *a, struct json *o, const char *where,
			struct spec_resources *r)
{
	struct json *list;
	size_t i = 0;

	if (json_array(o, "weightDevice", at(a, where, "weightDevice"), &list) < 0)
		return -1;
	json_each(item, list)
	{
		const char *place = arena_printf(a, "%s.weightDevice[%zu]", where, i++);
		struct block_weight *w = vec_add(a, &r->block_io.weight_device);

		if (read_device_number(a, item, place, &w->major, &w->minor) < 0 ||
		    read_u64(a, item, place, "weight", 1000, &w->weight) < 0 ||
		    read_u64(a, item, place, "leafWeight", 1000, &w->leaf_weight) < 0)
			return -1;
	}
	return 0;
}

static int read_throttles(struct arena *a, struct json *o, const char *where, const char *key,
			  struct block_throttles *out)
{
	struct json *list;
	size_t i = 0;

	if (json_array(o, key, at(a, where, key), &list) < 0)
		return -1;
	json_each(item, list)
	{
		const char *place = arena_printf(a, "%s.%s[%zu]", where, key, i++);
		struct block_throttle *t = vec_add(a, out);
		bool has;

		if (read_device_number(a, item, place, &t->major, &t->minor) < 0 ||
		    json_uint(item, "rate", at(a, place, "rate"), UINT64_MAX, &has, &t->rate) < 0)
			return -1;
		if (!has)
			return fail(0, "%s.rate: is missing", place);
	}
	return 0;
}

static int read_block_io(struct arena *a, struct json *top, const char *parent,
			 struct spec_resources *r)
{
	const char *where = at(a, parent, "blockIO");
	struct json *o;

	if (json_object(top, "blockIO", where, &o) < 0 ||
	    read_u64(a, o, where, "weight", 1000, &r->block_io.weight) < 0 ||
	    read_u64(a, o, where, "leafWeight", 1000, &r->block_io.leaf_weight) < 0 ||
	    read_weights(a, o, where, r) < 0 ||
	    read_throttles(a, o, where, "throttleReadBpsDevice", &r->block_io.read_bps) < 0 ||
	    read_throttles(a, o, where, "throttleWriteBpsDevice", &r->block_io.write_bps) < 0 ||
	    read_throttles(a, o, where, "throttleReadIOPSDevice", &r->block_io.read_iops) < 0)
		return -1;
	return read_throttles(a, o, where, "throttleWriteIOPSDevice", &r->block_io.write_iops);
}

/* It becomes part of a file's name: "2MB". */
static int check_page_size(const char *where, const char *size)
{
	size_t n = strspn(size, "0123456789");

	if (n > 0 && (strcmp(size + n, "KB") == 0 || strcmp(size + n, "MB") == 0 ||
		      strcmp(size + n, "GB") == 0))
		return 0;
	return fail(0, "%s: \"%s\" is not a number with KB, MB or GB", where, size);
}

static int read_hugepages(struct arena *a, struct json *top, const char *parent,
			  struct spec_resources *r)
{
	const char *where = at(a, parent, "hugepageLimits");
	struct json *list;
	size_t i = 0;

	if (json_array(top, "hugepageLimits", where, &list) < 0)
		return -1;
	json_each(item, list)
	{
		const char *place = arena_printf(a, "%s[%zu]", where, i++);
		struct hugepage_limit *h = vec_add(a, &r->hugepages);
		bool has;

		if (item->type != JSON_OBJECT)
			return fail(0, "%s: expected an object", place);
		if (json_str(item, "pageSize", at(a, place, "pageSize"), true, &h->page_size) < 0 ||
		    check_page_size(at(a, place, "pageSize"), h->page_size) < 0 ||
		    json_uint(item, "limit", at(a, place, "limit"), UINT64_MAX, &has, &h->limit) <
			    0)
			return -1;
		if (!has)
			return fail(0, "%s.limit: is missing", place);
	}
	return 0;
}

/* Keys are names of files in the cgroup; what moves processes or delegates is
 * not a resource. */
static int read_unified(struct arena *a, struct json *top, const char *parent,
			struct spec_resources *r)
{
	static const char *const no_resources[] = {
		"cgroup.procs", "cgroup.threads",	  "cgroup.type",
		"cgroup.kill",	"cgroup.subtree_control", "cgroup.freeze"};
	const char *where = at(a, parent, "unified");
	struct json *o;

	if (json_object(top, "unified", where, &o) < 0 || read_kvs(a, o, where, &r->unified) < 0)
		return -1;
	for (size_t i = 0; i < r->unified.n; i++) {
		const char *key = r->unified.v[i].key;

		bool moves = false;

		for (size_t k = 0; k < ARRAY_SIZE(no_resources); k++)
			moves = moves || strcmp(key, no_resources[k]) == 0;
		if (strchr(key, '/') || *key == '.' || moves)
			return fail(0, "%s[%s]: is not a resource file", where, key);
	}
	return 0;
}

static int read_rdma(struct arena *a, struct json *top, const char *parent,
		     struct spec_resources *r)
{
	const char *where = at(a, parent, "rdma");
	struct json *o;

	if (json_object(top, "rdma", where, &o) < 0)
		return -1;
	json_each(item, o)
	{
		const char *place = at(a, where, item->key);
		struct rdma_limit *l = vec_add(a, &r->rdma);

		item->used = true;
		l->device = item->key;
		if (item->type != JSON_OBJECT)
			return fail(0, "%s: expected an object", place);
		if (read_u64(a, item, place, "hcaHandles", UINT32_MAX, &l->handles) < 0 ||
		    read_u64(a, item, place, "hcaObjects", UINT32_MAX, &l->objects) < 0)
			return -1;
		if (!l->handles.set && !l->objects.set)
			return fail(0, "%s: needs hcaHandles or hcaObjects", place);
		if (!*l->device || strpbrk(l->device, " \t\n="))
			return fail(0, "%s: \"%s\" is not the name of a device", where, l->device);
	}
	return 0;
}

int read_resources(struct arena *a, struct json *o, const char *where, struct spec_resources *r)
{
	const char *pids = at(a, where, "pids"), *later = "is not supported by this version";
	struct json *p, *network;

	if (read_rules(a, o, where, r) < 0 || read_memory(a, o, where, r) < 0 ||
	    read_cpu(a, o, where, r) < 0 || json_object(o, "pids", pids, &p) < 0 ||
	    read_i64(a, p, pids, "limit", -1, &r->pids_limit) < 0 ||
	    read_block_io(a, o, where, r) < 0 || read_hugepages(a, o, where, r) < 0 ||
	    read_rdma(a, o, where, r) < 0 || read_unified(a, o, where, r) < 0 ||
	    json_object(o, "network", at(a, where, "network"), &network) < 0)
		return -1;
	if (refuse(network, "classID", at(a, where, "network.classID"), later) < 0)
		return -1;
	return refuse(network, "priorities", at(a, where, "network.priorities"), later);
}
