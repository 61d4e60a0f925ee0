/* linux.resources as control files: pure conversions, a table a version. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "internal.h"

static void add(struct cgroup_writes *w, const char *controller, const char *file,
		const char *place, const char *value)
{
	*vec_add(w->a, w) = (struct cgroup_write){
		.controller = controller, .file = file, .value = value, .place = place};
}

/* The last one that was added, where there is one from here on. */
static void pair_last(struct cgroup_writes *w, size_t from)
{
	if (w->n > from)
		w->v[w->n - 1].pair = true;
}

static void other_last(struct cgroup_writes *w, const char *file, const char *value)
{
	w->v[w->n - 1].other_file = file;
	w->v[w->n - 1].other_value = value;
}

static void optional_last(struct cgroup_writes *w)
{
	w->v[w->n - 1].optional = true;
}

/* Engines send every number, and 0 for those that nobody asked for. Only for a
 * pids limit, swappiness and idle is 0 a value. */
static struct opt_i64 nonzero_i64(struct opt_i64 v)
{
	return (struct opt_i64){v.set && v.v != 0, v.v};
}

static struct opt_u64 nonzero_u64(struct opt_u64 v)
{
	return (struct opt_u64){v.set && v.v != 0, v.v};
}

/* The resources without the zeros. */
static struct spec_resources without_zeros(const struct spec_resources *r)
{
	struct spec_resources n = *r;

	n.memory.limit = nonzero_i64(r->memory.limit);
	n.memory.reservation = nonzero_i64(r->memory.reservation);
	n.memory.swap = nonzero_i64(r->memory.swap);
	n.cpu.shares = nonzero_u64(r->cpu.shares);
	n.cpu.period = nonzero_u64(r->cpu.period);
	n.cpu.quota = nonzero_i64(r->cpu.quota);
	n.cpu.realtime_period = nonzero_u64(r->cpu.realtime_period);
	n.cpu.realtime_runtime = nonzero_i64(r->cpu.realtime_runtime);
	n.block_io.weight = nonzero_u64(r->block_io.weight);
	n.block_io.leaf_weight = nonzero_u64(r->block_io.leaf_weight);
	return n;
}

static void add_i64(struct cgroup_writes *w, const char *controller, const char *file,
		    const char *place, const struct opt_i64 *v)
{
	if (v->set)
		add(w, controller, file, place, arena_printf(w->a, "%" PRId64, v->v));
}

static void add_u64(struct cgroup_writes *w, const char *controller, const char *file,
		    const char *place, const struct opt_u64 *v)
{
	if (v->set)
		add(w, controller, file, place, arena_printf(w->a, "%" PRIu64, v->v));
}

/* cgroup v2 says "max" where v1 says -1. */
static void add_max(struct cgroup_writes *w, const char *controller, const char *file,
		    const char *place, const struct opt_i64 *v)
{
	if (v->set && v->v < 0)
		add(w, controller, file, place, "max");
	else
		add_i64(w, controller, file, place, v);
}

static void add_throttles(struct cgroup_writes *w, const char *file, const char *place,
			  const struct block_throttles *t)
{
	for (size_t i = 0; i < t->n; i++)
		add(w, "blkio", file, place,
		    arena_printf(w->a, "%" PRId64 ":%" PRId64 " %" PRIu64, t->v[i].major,
				 t->v[i].minor, t->v[i].rate));
}

/* The limit on use, and the one on reservations where the kernel has it (5.7). */
static void add_hugepages(const struct spec_resources *r, struct cgroup_writes *w, const char *file)
{
	for (size_t i = 0; i < r->hugepages.n; i++) {
		const struct hugepage_limit *h = &r->hugepages.v[i];
		const char *value = arena_printf(w->a, "%" PRIu64, h->limit);

		add(w, "hugetlb", arena_printf(w->a, "hugetlb.%s.%s", h->page_size, file),
		    "hugepageLimits", value);
		add(w, "hugetlb", arena_printf(w->a, "hugetlb.%s.rsvd.%s", h->page_size, file),
		    "hugepageLimits", value);
		optional_last(w);
	}
}

/* The same file in both versions. */
static void add_rdma(const struct spec_resources *r, struct cgroup_writes *w)
{
	for (size_t i = 0; i < r->rdma.n; i++) {
		const struct rdma_limit *l = &r->rdma.v[i];
		const char *text = l->device;

		if (l->handles.set)
			text = arena_printf(w->a, "%s hca_handle=%" PRIu64, text, l->handles.v);
		if (l->objects.set)
			text = arena_printf(w->a, "%s hca_object=%" PRIu64, text, l->objects.v);
		add(w, "rdma", "rdma.max", arena_printf(w->a, "rdma[%s]", l->device), text);
	}
}

static void memory_v1(const struct spec_resources *r, struct cgroup_writes *w)
{
	struct opt_i64 swap = r->memory.swap;

	/* Unlimited memory below a swap limit is refused by the kernel. */
	if (r->memory.limit.set && r->memory.limit.v < 0 && !swap.set)
		swap = (struct opt_i64){true, -1};
	/* No swap limit that is above the memory limit can be undercut by it. */
	if (r->memory.limit.set && r->memory.limit.v < 0)
		add_i64(w, "memory", "memory.memsw.limit_in_bytes", "memory.swap", &swap);
	size_t from = w->n;
	add_i64(w, "memory", "memory.limit_in_bytes", "memory.limit", &r->memory.limit);
	/* Raised above the old sum of memory and swap it has to come second. */
	pair_last(w, from);
	if (!(r->memory.limit.set && r->memory.limit.v < 0))
		add_i64(w, "memory", "memory.memsw.limit_in_bytes", "memory.swap", &swap);
	add_i64(w, "memory", "memory.soft_limit_in_bytes", "memory.reservation",
		&r->memory.reservation);
	add_u64(w, "memory", "memory.swappiness", "memory.swappiness", &r->memory.swappiness);
	if (r->memory.has_disable_oom_killer)
		add(w, "memory", "memory.oom_control", "memory.disableOOMKiller",
		    r->memory.disable_oom_killer ? "1" : "0");
}

int resources_v1(const struct spec_resources *given, struct cgroup_writes *w)
{
	const struct spec_resources clean = without_zeros(given), *r = &clean;

	memory_v1(r, w);
	add_u64(w, "cpu", "cpu.shares", "cpu.shares", &r->cpu.shares);
	add_u64(w, "cpu", "cpu.cfs_period_us", "cpu.period", &r->cpu.period);
	add_i64(w, "cpu", "cpu.cfs_quota_us", "cpu.quota", &r->cpu.quota);
	add_u64(w, "cpu", "cpu.cfs_burst_us", "cpu.burst", &r->cpu.burst);
	add_u64(w, "cpu", "cpu.rt_period_us", "cpu.realtimePeriod", &r->cpu.realtime_period);
	add_i64(w, "cpu", "cpu.rt_runtime_us", "cpu.realtimeRuntime", &r->cpu.realtime_runtime);
	add_i64(w, "cpu", "cpu.idle", "cpu.idle", &r->cpu.idle);
	if (r->cpu.cpus)
		add(w, "cpuset", "cpuset.cpus", "cpu.cpus", r->cpu.cpus);
	if (r->cpu.mems)
		add(w, "cpuset", "cpuset.mems", "cpu.mems", r->cpu.mems);
	if (r->pids_limit.set && r->pids_limit.v < 0)
		add(w, "pids", "pids.max", "pids.limit", "max");
	else
		add_i64(w, "pids", "pids.max", "pids.limit", &r->pids_limit);
	if (r->block_io.weight.set) {
		add_u64(w, "blkio", "blkio.bfq.weight", "blockIO.weight", &r->block_io.weight);
		other_last(w, "blkio.weight", w->v[w->n - 1].value);
	}
	if (r->block_io.leaf_weight.v)
		add_u64(w, "blkio", "blkio.leaf_weight", "blockIO.leafWeight",
			&r->block_io.leaf_weight);
	for (size_t i = 0; i < r->block_io.weight_device.n; i++) {
		const struct block_weight *b = &r->block_io.weight_device.v[i];

		const char *device =
			arena_printf(w->a, "%" PRId64 ":%" PRId64 " ", b->major, b->minor);

		if (b->weight.set) {
			add(w, "blkio", "blkio.bfq.weight_device", "blockIO.weightDevice",
			    arena_printf(w->a, "%s%" PRIu64, device, b->weight.v));
			other_last(w, "blkio.weight_device", w->v[w->n - 1].value);
		}
		if (b->leaf_weight.set)
			add(w, "blkio", "blkio.leaf_weight_device", "blockIO.weightDevice",
			    arena_printf(w->a, "%s%" PRIu64, device, b->leaf_weight.v));
	}
	add_throttles(w, "blkio.throttle.read_bps_device", "blockIO.throttleReadBpsDevice",
		      &r->block_io.read_bps);
	add_throttles(w, "blkio.throttle.write_bps_device", "blockIO.throttleWriteBpsDevice",
		      &r->block_io.write_bps);
	add_throttles(w, "blkio.throttle.read_iops_device", "blockIO.throttleReadIOPSDevice",
		      &r->block_io.read_iops);
	add_throttles(w, "blkio.throttle.write_iops_device", "blockIO.throttleWriteIOPSDevice",
		      &r->block_io.write_iops);
	add_hugepages(r, w, "limit_in_bytes");
	add_rdma(r, w);
	if (r->unified.n > 0)
		return fail(0, "linux.resources.unified: needs cgroup v2, this host has v1");
	return 0;
}

/* --- v2 ---------------------------------------------------------------- */

uint64_t cgroup_weight_from_shares(uint64_t shares)
{
	if (shares <= 2)
		return 1;
	if (shares >= 262144)
		return 10000;
	double l = log2((double)shares);

	/* Shares 2, 1024 and 262144 are weight 1, 100 and 10000; the small number
	 * keeps a rounding error from lifting 100 to 101. */
	return (uint64_t)ceil(pow(10, (l * l + 125 * l) / 612 - 7.0 / 34) - 1e-9);
}

uint64_t cgroup_io_weight(uint64_t w)
{
	return w < 10 ? 1 : 1 + (w - 10) * 9999 / 990;
}

int resources_as_v2(const struct spec_resources *given, struct spec_resources *out)
{
	struct opt_i64 *swap = &out->memory.swap, *limit = &out->memory.limit;

	*out = without_zeros(given);
	/* The container's process is born in its cgroup, which a limit of 0 forbids;
	 * with 1 there is no second process either. */
	if (out->pids_limit.v == 0)
		out->pids_limit.v = 1;
	/* v1 counts memory and swap together, v2 swap alone. */
	if (swap->set && swap->v > 0) {
		if (!limit->set || limit->v < 0 || swap->v < limit->v) {
			fail(0, "linux.resources.memory.swap: needs a memory.limit that is not "
				"above it");
			return fail_hint("swap is the sum of memory and swap");
		}
		swap->v -= limit->v;
	}
	return 0;
}

static int memory_v2(const struct spec_resources *r, struct cgroup_writes *w)
{
	add_max(w, "memory", "memory.swap.max", "memory.swap", &r->memory.swap);
	add_max(w, "memory", "memory.max", "memory.limit", &r->memory.limit);
	add_max(w, "memory", "memory.low", "memory.reservation", &r->memory.reservation);
	if (r->memory.swappiness.set)
		return fail(0, "linux.resources.memory.swappiness: cgroup v2 has none");
	if (r->memory.disable_oom_killer)
		return fail(0, "linux.resources.memory.disableOOMKiller: cgroup v2 has none");
	return 0;
}

static void cpu_v2(const struct spec_resources *r, struct cgroup_writes *w)
{
	size_t from = w->n;

	if (r->cpu.shares.set)
		add(w, "cpu", "cpu.weight", "cpu.shares",
		    arena_printf(w->a, "%" PRIu64, cgroup_weight_from_shares(r->cpu.shares.v)));
	/* An idle cgroup takes no weight until it is not idle. */
	pair_last(w, from);
	add_i64(w, "cpu", "cpu.idle", "cpu.idle", &r->cpu.idle);
	from = w->n;
	if (r->cpu.quota.set || r->cpu.period.set) {
		const char *quota =
			r->cpu.quota.v > 0 ? arena_printf(w->a, "%" PRId64, r->cpu.quota.v) : "max";

		add(w, "cpu", "cpu.max", "cpu.quota",
		    r->cpu.period.v ? arena_printf(w->a, "%s %" PRIu64, quota, r->cpu.period.v)
				    : quota);
	}
	/* The burst may not be above the quota, neither before nor after. */
	pair_last(w, from);
	add_u64(w, "cpu", "cpu.max.burst", "cpu.burst", &r->cpu.burst);
	if (r->cpu.cpus)
		add(w, "cpuset", "cpuset.cpus", "cpu.cpus", r->cpu.cpus);
	if (r->cpu.mems)
		add(w, "cpuset", "cpuset.mems", "cpu.mems", r->cpu.mems);
}

/* io.bfq.weight has blkio's scale, io.weight its own. */
static void add_io_weight(struct cgroup_writes *w, const char *place, const char *device,
			  uint64_t weight)
{
	add(w, "io", "io.bfq.weight", place, arena_printf(w->a, "%s%" PRIu64, device, weight));
	other_last(w, "io.weight",
		   arena_printf(w->a, "%s%" PRIu64, device, cgroup_io_weight(weight)));
}

static void io_v2(const struct spec_resources *r, struct cgroup_writes *w)
{
	const struct {
		const char *key, *place;
		const struct block_throttles *t;
	} lists[] = {
		{"rbps", "blockIO.throttleReadBpsDevice", &r->block_io.read_bps},
		{"wbps", "blockIO.throttleWriteBpsDevice", &r->block_io.write_bps},
		{"riops", "blockIO.throttleReadIOPSDevice", &r->block_io.read_iops},
		{"wiops", "blockIO.throttleWriteIOPSDevice", &r->block_io.write_iops},
	};

	if (r->block_io.weight.v)
		add_io_weight(w, "blockIO.weight", "", r->block_io.weight.v);
	for (size_t i = 0; i < r->block_io.weight_device.n; i++) {
		const struct block_weight *b = &r->block_io.weight_device.v[i];

		if (!b->weight.set)
			continue;
		add_io_weight(w, "blockIO.weightDevice",
			      arena_printf(w->a, "%" PRId64 ":%" PRId64 " ", b->major, b->minor),
			      b->weight.v);
	}
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		for (size_t j = 0; j < lists[i].t->n; j++)
			add(w, "io", "io.max", lists[i].place,
			    arena_printf(w->a, "%" PRId64 ":%" PRId64 " %s=%" PRIu64,
					 lists[i].t->v[j].major, lists[i].t->v[j].minor,
					 lists[i].key, lists[i].t->v[j].rate));
}

int resources_v2(const struct spec_resources *given, struct cgroup_writes *w)
{
	struct spec_resources v2;
	const struct spec_resources *r = &v2;

	if (resources_as_v2(given, &v2) < 0)
		return -1;
	if (r->cpu.realtime_period.v || r->cpu.realtime_runtime.v)
		return fail(0, "linux.resources.cpu.realtimeRuntime: cgroup v2 has none");
	if (r->block_io.leaf_weight.v)
		return fail(0, "linux.resources.blockIO.leafWeight: cgroup v2 has none");
	for (size_t i = 0; i < r->block_io.weight_device.n; i++)
		if (r->block_io.weight_device.v[i].leaf_weight.v)
			return fail(0,
				    "linux.resources.blockIO.weightDevice[%zu].leafWeight: "
				    "cgroup v2 has none",
				    i);
	if (memory_v2(r, w) < 0)
		return -1;
	cpu_v2(r, w);
	add_max(w, "pids", "pids.max", "pids.limit", &r->pids_limit);
	io_v2(r, w);
	add_hugepages(r, w, "max");
	add_rdma(r, w);
	/* Last, so that it has the last word (config-linux.md, Unified). */
	for (size_t i = 0; i < r->unified.n; i++) {
		const char *key = r->unified.v[i].key;

		add(w, arena_strndup(w->a, key, strcspn(key, ".")), key,
		    arena_printf(w->a, "unified[%s]", key), r->unified.v[i].value);
	}
	return 0;
}
