/* linux.resources as properties of a systemd scope: pure. What systemd has no
 * property for is written to the control files only; what it has must be both,
 * because systemd writes its own idea again whenever it is reloaded. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "systemd.h"

static struct unit_property *add(struct unit_properties *p, const char *name, char type)
{
	struct unit_property *x = vec_add(p->a, p);

	x->name = name;
	x->type = type;
	return x;
}

static void add_u64(struct unit_properties *p, const char *name, uint64_t v)
{
	add(p, name, 't')->number = v;
}

/* systemd's "infinity" is the largest number. */
static void add_limit(struct unit_properties *p, const char *name, const struct opt_i64 *v)
{
	if (v->set)
		add_u64(p, name, v->v < 0 ? UINT64_MAX : (uint64_t)v->v);
}

/* systemd keeps whole percents: what is between is rounded up, and the control
 * file, written after it, has the exact value. */
static uint64_t quota_per_second(int64_t quota, uint64_t period)
{
	uint64_t v;

	if (quota <= 0)
		return UINT64_MAX;
	v = (uint64_t)quota * 1000000 / (period ? period : 100000);
	return (v + 9999) / 10000 * 10000;
}

/* "0-2,5" as a bit set of bytes, the first CPU lowest. */
int unit_bitmap(struct arena *a, const char *list, unsigned char **out, size_t *n)
{
	enum { MAX = 8192 };
	unsigned char *bits = arena_alloc(a, MAX / 8);

	*out = bits;
	*n = 0;
	for (const char *p = list; *p;) {
		char *end;
		unsigned long from = strtoul(p, &end, 10), to = from;

		if (end == p)
			return fail(0, "\"%s\" is not a list like 0-3,5", list);
		if (*end == '-') {
			p = end + 1;
			to = strtoul(p, &end, 10);
		}
		if (end == p || to < from || to >= MAX || (*end && *end != ','))
			return fail(0, "\"%s\" is not a list like 0-3,5", list);
		for (unsigned long i = from; i <= to; i++)
			bits[i / 8] = (unsigned char)(bits[i / 8] | 1U << i % 8);
		*n = to / 8 + 1 > *n ? to / 8 + 1 : *n;
		p = *end ? end + 1 : end;
	}
	return 0;
}

static int add_bitmap(struct unit_properties *p, const char *name, const char *place,
		      const char *list)
{
	if (!list)
		return 0;
	struct unit_property *x = add(p, name, 'y');

	if (unit_bitmap(p->a, list, &x->bytes, &x->n) < 0)
		return fail_in("linux.resources.cpu.%s", place);
	return 0;
}

static int add_cpu(const struct spec_resources *r, struct unit_properties *p)
{
	if (r->cpu.shares.set)
		add_u64(p, "CPUWeight", cgroup_weight_from_shares(r->cpu.shares.v));
	if (r->cpu.period.set)
		add_u64(p, "CPUQuotaPeriodUSec", r->cpu.period.v);
	if (r->cpu.quota.set)
		add_u64(p, "CPUQuotaPerSecUSec", quota_per_second(r->cpu.quota.v, r->cpu.period.v));
	if (add_bitmap(p, "AllowedCPUs", "cpus", r->cpu.cpus) < 0)
		return -1;
	return add_bitmap(p, "AllowedMemoryNodes", "mems", r->cpu.mems);
}

/* The files of linux.resources.unified that systemd has a property for. */
static void add_unified(const struct spec_resources *r, struct unit_properties *p)
{
	static const char *const files[][2] = {
		{"memory.max", "MemoryMax"},	      {"memory.high", "MemoryHigh"},
		{"memory.low", "MemoryLow"},	      {"memory.min", "MemoryMin"},
		{"memory.swap.max", "MemorySwapMax"}, {"pids.max", "TasksMax"},
		{"cpu.weight", "CPUWeight"},
	};

	for (size_t i = 0; i < r->unified.n; i++)
		for (size_t k = 0; k < ARRAY_SIZE(files); k++) {
			const char *value = r->unified.v[i].value;
			char *end;
			uint64_t v = strtoull(value, &end, 10);

			if (strcmp(r->unified.v[i].key, files[k][0]) != 0)
				continue;
			if (strcmp(value, "max") == 0)
				add_u64(p, files[k][1], UINT64_MAX);
			else if (end != value && *end == '\0')
				add_u64(p, files[k][1], v);
		}
}

/* The one open minor that every container has, by its name in /proc/devices. */
static bool is_pts(const struct spec_device_rule *r)
{
	return r->type == 'c' && r->major == 136 && r->minor < 0;
}

/* systemd's list knows no denials but of all, and no device with one number open. */
static bool is_expressible(const struct spec_device_rule *r)
{
	if (!r->allow)
		return r->type == 'a';
	return r->type != 'a' && ((r->major < 0) == (r->minor < 0) || is_pts(r));
}

/* The list that systemd's own device program goes by, beside the eBPF program
 * here: both must agree. Where it cannot say what is meant, it says nothing. */
static void add_devices(const struct device_rules *rules, struct unit_properties *p)
{
	bool strict = true;

	for (size_t i = 0; i < rules->n; i++)
		strict = strict && is_expressible(&rules->v[i]);
	add(p, "DevicePolicy", 's')->text = strict ? "strict" : "auto";
	/* An empty list takes away the one before; another one only adds. */
	add(p, "DeviceAllow", 'd');
	struct unit_property *list = strict ? add(p, "DeviceAllow", 'd') : NULL;
	for (size_t i = 0; strict && i < rules->n; i++) {
		const struct spec_device_rule *r = &rules->v[i];
		const char *kind = r->type == 'b' ? "block" : "char";

		if (!r->allow)
			continue;
		strv_add(p->a, &list->devices,
			 is_pts(r)	? "char-pts"
			 : r->major < 0 ? arena_printf(p->a, "%s-*", kind)
					: arena_printf(p->a, "/dev/%s/%" PRId64 ":%" PRId64, kind,
						       r->major, r->minor));
		strv_add(p->a, &list->devices,
			 arena_printf(p->a, "%s%s%s", r->access & DEVICE_READ ? "r" : "",
				      r->access & DEVICE_WRITE ? "w" : "",
				      r->access & DEVICE_MKNOD ? "m" : ""));
	}
}

int unit_properties(const struct spec_resources *given, bool devices, struct unit_properties *p)
{
	struct spec_resources v2, *r = &v2;

	/* The same as in the control files. */
	if (resources_as_v2(given, &v2) < 0)
		return -1;
	add_limit(p, "MemoryMax", &r->memory.limit);
	add_limit(p, "MemoryLow", &r->memory.reservation);
	add_limit(p, "MemorySwapMax", &r->memory.swap);
	add_limit(p, "TasksMax", &r->pids_limit);
	if (add_cpu(r, p) < 0)
		return -1;
	add_unified(r, p);
	if (devices) {
		struct device_rules rules = {0};

		device_rules(p->a, r, &rules);
		add_devices(&rules, p);
	}
	return 0;
}

/* "a-b.slice" is below "a.slice": systemd.slice(5). */
const char *unit_slice_path(struct arena *a, const char *slice)
{
	size_t len = strlen(slice), suffix = strlen(".slice");
	const char *path = "";

	if (strcmp(slice, "-.slice") == 0)
		return "";
	if (len <= suffix || strcmp(slice + len - suffix, ".slice") != 0 || strchr(slice, '/') ||
	    *slice == '-' || slice[len - suffix - 1] == '-' || strstr(slice, "--"))
		return NULL;
	for (size_t i = 1; i <= len - suffix; i++)
		if (slice[i] == '-' || i == len - suffix)
			path = arena_printf(a, "%s/%.*s.slice", path, (int)i, slice);
	return path;
}
