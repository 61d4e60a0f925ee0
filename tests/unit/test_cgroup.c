/* cgroups: conversions as tables, the device program by running it, and the
 * real hierarchies of this host. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>
#undef fail /* the project's own is meant below */

#include "systemd.h"

#define reject(...) (print_error(__VA_ARGS__), assert_true(0))

static struct arena *a;

static int set_up(void **state)
{
	(void)state;
	a = arena_new();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(a);
	return 0;
}

static struct spec_resources read_resources(const char *text)
{
	struct spec_resources r;

	if (spec_parse_resources(a, text, strlen(text), &r) < 0)
		reject("%s: %s%s\n", text, error_last()->context, error_last()->message);
	return r;
}

/* NULL in place of a version's text: it has no such thing and must say so. */
static const struct {
	const char *json, *v1, *v2;
} conversions[] = {
	{"{}", "", ""},
	{"{\"memory\":{\"limit\":4096}}", "memory.limit_in_bytes=4096 ", "memory.max=4096 "},
	{"{\"memory\":{\"limit\":-1}}", "memory.memsw.limit_in_bytes=-1 memory.limit_in_bytes=-1 ",
	 "memory.max=max "},
	{"{\"memory\":{\"limit\":100,\"swap\":300}}",
	 "memory.limit_in_bytes=100 memory.memsw.limit_in_bytes=300 ",
	 "memory.swap.max=200 memory.max=100 "},
	{"{\"memory\":{\"limit\":100,\"swap\":100}}",
	 "memory.limit_in_bytes=100 memory.memsw.limit_in_bytes=100 ",
	 "memory.swap.max=0 memory.max=100 "},
	{"{\"memory\":{\"limit\":100,\"swap\":-1}}",
	 "memory.limit_in_bytes=100 memory.memsw.limit_in_bytes=-1 ",
	 "memory.swap.max=max memory.max=100 "},
	{"{\"memory\":{\"swap\":300}}", "memory.memsw.limit_in_bytes=300 ", NULL},
	{"{\"memory\":{\"reservation\":7}}", "memory.soft_limit_in_bytes=7 ", "memory.low=7 "},
	{"{\"memory\":{\"limit\":0,\"swap\":0,\"reservation\":0}}", "", ""},
	{"{\"memory\":{\"swappiness\":10}}", "memory.swappiness=10 ", NULL},
	{"{\"memory\":{\"disableOOMKiller\":true}}", "memory.oom_control=1 ", NULL},
	{"{\"cpu\":{\"shares\":1024}}", "cpu.shares=1024 ", "cpu.weight=100 "},
	{"{\"cpu\":{\"shares\":0,\"quota\":0,\"period\":0}}", "", ""},
	{"{\"cpu\":{\"quota\":5000,\"period\":10000}}",
	 "cpu.cfs_period_us=10000 cpu.cfs_quota_us=5000 ", "cpu.max=5000 10000 "},
	{"{\"cpu\":{\"quota\":-1,\"period\":10000}}",
	 "cpu.cfs_period_us=10000 cpu.cfs_quota_us=-1 ", "cpu.max=max 10000 "},
	{"{\"cpu\":{\"cpus\":\"0-1\",\"mems\":\"0\"}}", "cpuset.cpus=0-1 cpuset.mems=0 ",
	 "cpuset.cpus=0-1 cpuset.mems=0 "},
	{"{\"cpu\":{\"idle\":0}}", "cpu.idle=0 ", "cpu.idle=0 "},
	{"{\"cpu\":{\"realtimeRuntime\":5}}", "cpu.rt_runtime_us=5 ", NULL},
	{"{\"pids\":{\"limit\":-1}}", "pids.max=max ", "pids.max=max "},
	{"{\"pids\":{\"limit\":0}}", "pids.max=0 ", "pids.max=1 "},
	{"{\"blockIO\":{\"weight\":500}}", "blkio.bfq.weight=500 ", "io.bfq.weight=500 "},
	{"{\"blockIO\":{\"leafWeight\":500}}", "blkio.leaf_weight=500 ", NULL},
	{"{\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":1,\"rate\":9}]}}",
	 "blkio.throttle.read_bps_device=8:1 9 ", "io.max=8:1 rbps=9 "},
	{"{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":5}]}",
	 "hugetlb.2MB.limit_in_bytes=5 hugetlb.2MB.rsvd.limit_in_bytes=5 ",
	 "hugetlb.2MB.max=5 hugetlb.2MB.rsvd.max=5 "},
	{"{\"rdma\":{\"mlx5_0\":{\"hcaHandles\":3,\"hcaObjects\":4},\"x\":{\"hcaObjects\":5}}}",
	 "rdma.max=mlx5_0 hca_handle=3 hca_object=4 rdma.max=x hca_object=5 ",
	 "rdma.max=mlx5_0 hca_handle=3 hca_object=4 rdma.max=x hca_object=5 "},
	{"{\"cpu\":{\"shares\":2,\"idle\":1,\"quota\":5,\"burst\":4}}",
	 "cpu.shares=2 cpu.cfs_quota_us=5 cpu.cfs_burst_us=4 cpu.idle=1 ",
	 "cpu.weight=1 cpu.idle=1 cpu.max=5 cpu.max.burst=4 "},
	{"{\"blockIO\":{\"weightDevice\":[{\"major\":8,\"minor\":1,\"weight\":10}]}}",
	 "blkio.bfq.weight_device=8:1 10 ", "io.bfq.weight=8:1 10 "},
	{"{\"blockIO\":{\"weightDevice\":[{\"major\":8,\"minor\":1,\"leafWeight\":10}]}}",
	 "blkio.leaf_weight_device=8:1 10 ", NULL},
	{"{\"unified\":{\"memory.high\":\"1G\"}}", NULL, "memory.high=1G "},
};

static void check(const struct spec_resources *r, const char *json, const char *want,
		  int (*convert)(const struct spec_resources *, struct cgroup_writes *))
{
	struct cgroup_writes w = {.a = a};
	const char *text = "";
	int result = convert(r, &w);

	for (size_t i = 0; i < w.n; i++)
		text = arena_printf(a, "%s%s=%s ", text, w.v[i].file, w.v[i].value);
	if ((result < 0) != (want == NULL) || (want && strcmp(text, want) != 0))
		reject("%s: \"%s\", expected \"%s\"\n", json, text, want ? want : "an error");
}

static void test_conversions(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(conversions); i++) {
		struct spec_resources r = read_resources(conversions[i].json);

		check(&r, conversions[i].json, conversions[i].v1, resources_v1);
		check(&r, conversions[i].json, conversions[i].v2, resources_v2);
	}
}

static void test_weights(void **state)
{
	(void)state;
	assert_int_equal(cgroup_weight_from_shares(0), 1);
	assert_int_equal(cgroup_weight_from_shares(2), 1);
	assert_int_equal(cgroup_weight_from_shares(1024), 100);
	assert_int_equal(cgroup_weight_from_shares(262144), 10000);
	assert_int_equal(cgroup_weight_from_shares(UINT64_MAX), 10000);
	for (uint64_t s = 3, last = 1; s < 262144; s++) {
		uint64_t w = cgroup_weight_from_shares(s);

		assert_true(w >= last && w <= 10000);
		last = w;
	}
	assert_int_equal(cgroup_io_weight(10), 1);
	assert_int_equal(cgroup_io_weight(1000), 10000);
}

/* --- the device program ------------------------------------------------ */

static int run(const struct bpf_insn *p, size_t n, const uint32_t ctx[3])
{
	uint32_t r[11] = {0};

	for (size_t pc = 0; pc < n; pc++) {
		const struct bpf_insn *i = &p[pc];
		uint32_t imm = (uint32_t)i->imm;

		switch (i->code) {
		case BPF_LDX | BPF_MEM | BPF_W:
			r[i->dst_reg] = ctx[i->off / 4];
			break;
		case BPF_ALU | BPF_MOV | BPF_X:
			r[i->dst_reg] = r[i->src_reg];
			break;
		case BPF_ALU64 | BPF_MOV | BPF_K:
			r[i->dst_reg] = imm;
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			r[i->dst_reg] &= imm;
			break;
		case BPF_ALU | BPF_RSH | BPF_K:
			r[i->dst_reg] >>= imm;
			break;
		case BPF_JMP | BPF_JA:
			pc += (size_t)i->off;
			break;
		case BPF_JMP32 | BPF_JNE | BPF_K:
			pc += r[i->dst_reg] != imm ? (size_t)i->off : 0;
			break;
		case BPF_JMP32 | BPF_JSET | BPF_K:
			pc += r[i->dst_reg] & imm ? (size_t)i->off : 0;
			break;
		case BPF_JMP | BPF_EXIT:
			return (int)r[0];
		default:
			reject("instruction %x\n", i->code);
		}
	}
	return -1;
}

/* The rules as they are meant: each bit of an access is decided by the last
 * rule that speaks of it; nothing spoke means no. */
static bool meant(const struct device_rules *rules, char type, int64_t major, int64_t minor,
		  unsigned access)
{
	for (unsigned bit = 1; bit <= DEVICE_MKNOD; bit <<= 1) {
		bool allow = false;

		for (size_t i = 0; i < rules->n; i++) {
			const struct spec_device_rule *r = &rules->v[i];

			if ((r->type == 'a' || (r->type == type && r->access & bit &&
						(r->major < 0 || r->major == major) &&
						(r->minor < 0 || r->minor == minor))))
				allow = r->allow;
		}
		if (access & bit && !allow)
			return false;
	}
	return true;
}

static void test_device_program(void **state)
{
	static const char *const lists[] = {
		"[]",
		"[{\"allow\":false}]",
		"[{\"allow\":true}]",
		"[{\"allow\":false},{\"allow\":true,\"type\":\"c\",\"major\":10,\"minor\":229,"
		"\"access\":\"rw\"}]",
		"[{\"allow\":true},{\"allow\":false,\"type\":\"b\",\"access\":\"w\"}]",
		"[{\"allow\":true,\"type\":\"c\",\"major\":9,\"access\":\"r\"},{\"allow\":true,"
		"\"type\":\"c\","
		"\"major\":9,\"access\":\"w\"}]",
		"[{\"allow\":true,\"type\":\"b\",\"access\":\"m\"},{\"allow\":false,\"type\":\"b\","
		"\"major\":8,"
		"\"access\":\"rwm\"}]",
	};
	static const int numbers[][2] = {{1, 3}, {1, 1}, {8, 0}, {9, 4}, {10, 229}, {136, 7}};

	(void)state;
	for (size_t l = 0; l < ARRAY_SIZE(lists); l++) {
		struct spec_resources r =
			read_resources(arena_printf(a, "{\"devices\":%s}", lists[l]));
		struct device_rules rules = {0};
		struct bpf_insn insns[512];

		device_rules(a, &r, &rules);
		size_t n = device_program(&rules, insns, ARRAY_SIZE(insns));
		assert_true(n < ARRAY_SIZE(insns));
		for (size_t d = 0; d < ARRAY_SIZE(numbers) * 2; d++)
			for (unsigned access = 1; access < 8; access++) {
				const int *no = numbers[d / 2];
				bool block = d % 2;
				uint32_t kernel = (access & DEVICE_READ ? 2U : 0) |
						  (access & DEVICE_WRITE ? 4U : 0) |
						  (access & DEVICE_MKNOD ? 1U : 0);
				uint32_t ctx[3] = {kernel << 16 | (block ? 1U : 2U),
						   (uint32_t)no[0], (uint32_t)no[1]};

				if (run(insns, n, ctx) !=
				    meant(&rules, block ? 'b' : 'c', no[0], no[1], access))
					reject("%s: %c %d:%d %u\n", lists[l], block ? 'b' : 'c',
					       no[0], no[1], access);
			}
	}
}

static void test_rule_text(void **state)
{
	const struct spec_device_rule r = {true, 'c', 1, -1, DEVICE_READ | DEVICE_MKNOD};

	(void)state;
	assert_string_equal(device_rule_text(a, &r), "c 1:* rm");
}

static void test_rules_v1(void **state)
{
	static const struct {
		const char *json;
		bool refused;
	} cases[] = {
		{"[{\"allow\":false},{\"allow\":true,\"type\":\"c\",\"major\":10,\"access\":"
		 "\"rwm\"}]",
		 false},
		{"[{\"allow\":true,\"type\":\"c\",\"major\":10,\"access\":\"rwm\"},"
		 "{\"allow\":false,\"type\":\"c\",\"major\":10,\"minor\":250,\"access\":\"r\"}]",
		 true},
		{"[{\"allow\":true,\"type\":\"c\",\"major\":10,\"minor\":250,\"access\":\"rw\"},"
		 "{\"allow\":false,\"type\":\"c\",\"major\":10,\"minor\":250,\"access\":\"r\"}]",
		 false},
		{"[{\"allow\":true},{\"allow\":false,\"type\":\"b\",\"major\":8,\"access\":\"w\"}]",
		 true},
		{"[{\"allow\":true},{\"allow\":false},"
		 "{\"allow\":false,\"type\":\"b\",\"major\":8,\"access\":\"w\"}]",
		 false},
		{"[{\"allow\":true,\"type\":\"c\",\"major\":10,\"access\":\"r\"},"
		 "{\"allow\":false,\"type\":\"b\",\"major\":10,\"minor\":2,\"access\":\"r\"}]",
		 false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct spec_resources r =
			read_resources(arena_printf(a, "{\"devices\":%s}", cases[i].json));
		struct device_rules rules = {0};

		device_rules(a, &r, &rules);
		if ((device_rules_check_v1(&rules) < 0) != cases[i].refused)
			reject("%s\n", cases[i].json);
	}
}

/* "all, for reading" is not "all". */
static void test_partial_all(void **state)
{
	struct spec_resources r =
		read_resources("{\"devices\":[{\"allow\":true,\"access\":\"r\"}]}");
	struct device_rules rules = {0};

	(void)state;
	device_rules(a, &r, &rules);
	assert_string_equal(device_rule_text(a, &rules.v[0]), "b *:* r");
	assert_string_equal(device_rule_text(a, &rules.v[1]), "c *:* r");
}

/* --- systemd ----------------------------------------------------------- */

static void test_slices(void **state)
{
	static const char *const good[][2] = {{"system.slice", "/system.slice"},
					      {"a-b-c.slice", "/a.slice/a-b.slice/a-b-c.slice"},
					      {"-.slice", ""}};
	static const char *const bad[] = {"",	       ".slice",   "a",	       "a.scope",
					  "a/b.slice", "-a.slice", "a-.slice", "a--b.slice"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_string_equal(unit_slice_path(a, good[i][0]), good[i][1]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_null(unit_slice_path(a, bad[i]));
}

static void test_bitmaps(void **state)
{
	static const struct {
		const char *list;
		size_t n;
		unsigned char bytes[3];
	} good[] = {
		{"0", 1, {1}}, {"0-2,5", 1, {0x27}}, {"8,1-1", 2, {2, 1}}, {"23", 3, {0, 0, 0x80}}};
	static const char *const bad[] = {"x", "1-", "3-1", "1,,2", "-1", "99999", "1 2"};
	unsigned char *bytes;
	size_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(unit_bitmap(a, good[i].list, &bytes, &n), 0);
		assert_int_equal(n, good[i].n);
		assert_memory_equal(bytes, good[i].bytes, n);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(unit_bitmap(a, bad[i], &bytes, &n), -1);
}

static void test_unit_properties(void **state)
{
	static const struct {
		const char *json, *want;
	} cases[] = {
		{"{\"memory\":{\"limit\":100,\"swap\":300,\"reservation\":7},\"pids\":{\"limit\":5}"
		 "}",
		 "MemoryMax=100 MemoryLow=7 MemorySwapMax=200 TasksMax=5 "},
		{"{\"memory\":{\"limit\":-1,\"swap\":-1},\"pids\":{\"limit\":-1}}",
		 "MemoryMax=18446744073709551615 MemorySwapMax=18446744073709551615 "
		 "TasksMax=18446744073709551615 "},
		{"{\"memory\":{\"limit\":0},\"pids\":{\"limit\":0}}", "TasksMax=1 "},
		{"{\"cpu\":{\"shares\":1024,\"quota\":12345,\"period\":50000}}",
		 "CPUWeight=100 CPUQuotaPeriodUSec=50000 CPUQuotaPerSecUSec=250000 "},
		{"{\"cpu\":{\"quota\":-1}}", "CPUQuotaPerSecUSec=18446744073709551615 "},
		{"{\"unified\":{\"memory.high\":\"9\",\"pids.max\":\"max\",\"io.max\":\"x\"}}",
		 "MemoryHigh=9 TasksMax=18446744073709551615 "},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct spec_resources r = read_resources(cases[i].json);
		struct unit_properties p = {.a = a};
		const char *text = "";

		assert_int_equal(unit_properties(&r, false, &p), 0);
		for (size_t k = 0; k < p.n; k++)
			text = arena_printf(a, "%s%s=%llu ", text, p.v[k].name,
					    (unsigned long long)p.v[k].number);
		if (strcmp(text, cases[i].want) != 0)
			reject("%s: \"%s\", not \"%s\"\n", cases[i].json, text, cases[i].want);
	}
}

/* systemd's list where it can say it, none where it cannot. */
static void test_unit_devices(void **state)
{
	static const char *const lists[][2] = {
		{"[{\"allow\":false},{\"allow\":true,\"type\":\"b\",\"major\":8,\"minor\":1,"
		 "\"access\":\"r\"}]",
		 "strict"},
		{"[{\"allow\":true,\"type\":\"c\",\"access\":\"m\"}]", "strict"},
		{"[{\"allow\":true,\"type\":\"c\",\"major\":10,\"access\":\"m\"}]", "auto"},
		{"[{\"allow\":false,\"type\":\"c\",\"major\":10,\"minor\":1,\"access\":\"m\"}]",
		 "auto"},
		{"[{\"allow\":true,\"access\":\"rwm\"}]", "auto"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		struct spec_resources r =
			read_resources(arena_printf(a, "{\"devices\":%s}", lists[i][0]));
		struct unit_properties p = {.a = a};

		assert_int_equal(unit_properties(&r, true, &p), 0);
		assert_string_equal(p.v[0].name, "DevicePolicy");
		assert_string_equal(p.v[0].text, lists[i][1]);
		assert_int_equal(p.v[1].devices.n, 0);
		if (i == 0) {
			assert_string_equal(p.v[2].devices.v[0], "/dev/block/8:1");
			assert_string_equal(p.v[2].devices.v[1], "r");
			assert_true(strv_has(&p.v[2].devices, "char-pts"));
		}
	}
}

/* --- this host --------------------------------------------------------- */

static char *content(const struct cgroup *cg, const char *controller, const char *file)
{
	const struct cgroup_hierarchy *h =
		cg->mode == CGROUP_V2 ? &cg->h.v[0] : cgroup_find(cg, controller);

	return h ? file_read(a, AT_FDCWD, arena_printf(a, "%s/%s", cgroup_dir(a, h), file), 4096,
			     NULL)
		 : NULL;
}

static void test_live(void **state)
{
	struct spec_resources r = read_resources("{\"pids\":{\"limit\":33}}");
	struct cgroup cg, loaded, again;
	struct stat st;
	pid_t *pids;
	size_t n;

	(void)state;
	const char *path = arena_printf(a, "/casemate-unit-%d/x/y", getpid());
	if (geteuid() != 0 || cgroup_plan(&cg, a, path, "id", CGROUP_FS) < 0)
		skip();
	if (cgroup_create(&cg, &r) < 0)
		reject("%s%s\n", error_last()->context, error_last()->message);
	assert_string_equal(content(&cg, "pids", "pids.max"), "33\n");
	pid_t child = fork();
	if (child == 0) {
		/* A test that fails must not leave it. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* As clone3 does it on v2. */
		if (cg.mode == CGROUP_V2)
			file_write(AT_FDCWD,
				   arena_printf(a, "%s/cgroup.procs", cgroup_dir(a, &cg.h.v[0])),
				   "0");
		cgroup_enter(&cg);
		for (;;)
			pause();
	}
	for (n = 0; n == 0;)
		assert_int_equal(cgroup_pids(&cg, a, &pids, &n), 0);
	usleep(100000);
	assert_int_equal(cgroup_pids(&cg, a, &pids, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(pids[0], child);
	/* A second container cannot have it, also where it was planned in time. */
	again = cg;
	assert_int_equal(cgroup_create(&again, &r), -1);
	assert_int_equal(error_last()->errnum, EBUSY);
	assert_int_equal(cgroup_plan(&again, a, path, "id", CGROUP_FS), -1);
	assert_int_equal(error_last()->errnum, EBUSY);
	assert_int_equal(cgroup_freeze(&cg, true), 0);
	assert_int_equal(cgroup_frozen(&cg), 1);
	assert_int_equal(cgroup_freeze(&cg, false), 0);
	assert_int_equal(cgroup_frozen(&cg), 0);
	r = read_resources("{\"pids\":{\"limit\":44}}");
	assert_int_equal(cgroup_update(&cg, &r), 0);
	assert_string_equal(content(&cg, "pids", "pids.max"), "44\n");
	/* Through the state file and back. */
	struct json_out *w = json_out_new(a, true);
	size_t len;
	cgroup_save(&cg, w, NULL);
	const char *text = json_out_text(w, &len);
	assert_int_equal(cgroup_load(&loaded, a, json_parse(a, text, len)), 0);
	assert_int_equal(loaded.h.n, cg.h.n);
	/* Frozen, and with a cgroup of its own below. */
	assert_int_equal(cgroup_freeze(&loaded, true), 0);
	assert_int_equal(mkdir(arena_printf(a, "%s/sub", cgroup_dir(a, &cg.h.v[0])), 0755), 0);
	signal(SIGCHLD, SIG_IGN);
	assert_int_equal(cgroup_kill(&loaded, SIGKILL), 0);
	assert_int_equal(cgroup_delete(&loaded), 0);
	assert_int_equal(cgroup_delete(&loaded), 0);
	for (size_t i = 0; i < cg.h.n; i++)
		assert_int_equal(
			stat(arena_printf(a, "%s/casemate-unit-%d", cg.h.v[i].mountpoint, getpid()),
			     &st),
			-1);
}

static void test_plan(void **state)
{
	struct cgroup cg;

	(void)state;
	assert_int_equal(cgroup_plan(&cg, a, "/", "id", CGROUP_FS), -1);
	assert_int_equal(cgroup_plan(&cg, a, "//", "id", CGROUP_FS), -1);
	assert_int_equal(cgroup_plan(&cg, a, "/a/../../x", "id", CGROUP_FS), -1);
	assert_int_equal(cgroup_plan(&cg, a, "..", "id", CGROUP_FS), -1);
	if (cgroup_plan(&cg, a, NULL, "id", CGROUP_FS) == 0)
		for (size_t i = 0; i < cg.h.n; i++)
			assert_string_equal(cg.h.v[i].path, "/casemate/id");
	if (cgroup_plan(&cg, a, "rel", "id", CGROUP_FS) == 0)
		for (size_t i = 0; i < cg.h.n; i++)
			assert_string_equal(strrchr(cg.h.v[i].path, '/'), "/rel");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conversions),    cmocka_unit_test(test_weights),
		cmocka_unit_test(test_device_program), cmocka_unit_test(test_rules_v1),
		cmocka_unit_test(test_partial_all),    cmocka_unit_test(test_slices),
		cmocka_unit_test(test_bitmaps),	       cmocka_unit_test(test_unit_properties),
		cmocka_unit_test(test_unit_devices),   cmocka_unit_test(test_rule_text),
		cmocka_unit_test(test_plan),	       cmocka_unit_test(test_live),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
