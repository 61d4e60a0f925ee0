/* config.json: what is read, and every way of refusing with the place named. */
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include <cmocka.h>
#undef fail /* the project's own is meant below */

#include "casemate/error.h"
#include "casemate/fd.h"
#include "casemate/spec.h"

/* cmocka's fail_msg would call what is undefined above. */
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

static int parse(const char *text, struct spec *s)
{
	return spec_parse(a, text, strlen(text), s);
}

/* A config of which one part is replaced. */
static const char *config(const char *process, const char *rest)
{
	return arena_printf(
		a,
		"{\"ociVersion\":\"1.2.0\",\"root\":{\"path\":\"r\"},\"process\":{\"cwd\":\"/\","
		"\"args\":[\"a\"]%s}%s}",
		process, rest);
}

static void test_default(void **state)
{
	struct spec s;

	(void)state;
	assert_int_equal(parse(spec_default_json(a), &s), 0);
	assert_int_equal(s.process.uid, 65532);
	assert_true(s.process.no_new_privileges);
	assert_true(s.root_readonly);
	assert_int_equal(s.process.caps.bounding, 0);
	assert_int_equal(s.mounts.n, 7);
	assert_non_null(spec_namespace(&s, CLONE_NEWPID));
	assert_null(spec_namespace(&s, CLONE_NEWUSER));
	assert_int_equal(s.unknown.n, 0);
}

static void test_docker(void **state)
{
	const char *dir = getenv("SRCDIR");
	char *text = file_read(a, AT_FDCWD,
			       arena_printf(a, "%s/tests/unit/docker.json", dir ? dir : "."),
			       1 << 20, NULL);
	struct spec s;

	(void)state;
	assert_non_null(text);
	assert_int_equal(parse(text, &s), 0);
	assert_int_equal(s.unknown.n, 0);
	assert_true(s.seccomp.present);
	assert_int_equal(s.seccomp.archs.n, 3);
	/* Cut anywhere: an error, never a crash and never half a spec. */
	for (size_t n = 0; n < strlen(text) - 2; n += 7) {
		struct arena *keep = a;

		a = arena_new();
		assert_int_equal(spec_parse(a, text, n, &s), -1);
		arena_free(a);
		a = keep;
	}
}

static void test_refused(void **state)
{
	const struct {
		const char *process, *rest, *place;
	} rows[] = {
		{",\"user\":{\"uid\":-1}", "", "process.user.uid"},
		{",\"user\":{\"uid\":4294967295}", "", "process.user.uid"},
		{",\"user\":{\"uid\":1.5}", "", "process.user.uid"},
		{",\"user\":{\"uid\":1e3}", "", "process.user.uid"},
		{",\"user\":{\"uid\":\"0\"}", "", "process.user.uid"},
		{",\"user\":{\"additionalGids\":[1,-2]}", "", "process.user.additionalGids[1]"},
		{",\"user\":{\"umask\":512}", "", "process.user.umask"},
		{",\"env\":[\"A\"]", "", "process.env[0]"},
		{",\"env\":[\"=x\"]", "", "process.env[0]"},
		{",\"oomScoreAdj\":1001", "", "process.oomScoreAdj"},
		{",\"rlimits\":[{\"type\":\"RLIMIT_X\",\"soft\":1,\"hard\":1}]", "",
		 "process.rlimits[0].type"},
		{",\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":2,\"hard\":1}]", "",
		 "process.rlimits[0]"},
		{",\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":1,\"hard\":1},{\"type\":"
		 "\"RLIMIT_CPU\",\"soft\":1,\"hard\":1}]",
		 "", "process.rlimits[1]"},
		{",\"scheduler\":{\"policy\":\"SCHED_FIFO\"}", "", "process.scheduler"},
		{",\"ioPriority\":{\"class\":\"IOPRIO_CLASS_BE\"}", "", "process.ioPriority"},
		{"", ",\"mounts\":[{\"destination\":\"/\",\"type\":\"tmpfs\"}]",
		 "mounts[0].destination"},
		{"", ",\"mounts\":[{\"destination\":\"/a/../b\",\"type\":\"tmpfs\"}]",
		 "mounts[0].destination"},
		{"", ",\"mounts\":[{\"destination\":\"/a\"}]", "mounts[0]"},
		{"", ",\"mounts\":[{\"destination\":\"/a\",\"type\":\"bind\"}]", "mounts[0]"},
		{"",
		 ",\"mounts\":[{\"destination\":\"/a\",\"type\":\"tmpfs\",\"options\":[\"ro=1\"]}]",
		 "mounts[0]"},
		{"",
		 ",\"mounts\":[{\"destination\":\"/a\",\"type\":\"tmpfs\",\"uidMappings\":[{"
		 "\"containerID\":0,\"hostID\":1,\"size\":1}]}]",
		 "mounts[0]"},
		{"", ",\"hooks\":{\"poststart\":[{\"path\":\"x\"}]}", "hooks.poststart[0].path"},
		{"", ",\"hooks\":{\"poststart\":[{\"path\":\"/x\",\"timeout\":0}]}",
		 "hooks.poststart[0].timeout"},
		{"", ",\"hostname\":\"a/b\"", "hostname"},
		{"", ",\"annotations\":{\"\":\"x\"}", "annotations"},
		{"", ",\"annotations\":{\"a\":1}", "annotations[a]"},
		{"", ",\"vm\":{\"kernel\":{}}", "vm"},
		{"", ",\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"pid\"}]}",
		 "linux.namespaces[1]"},
		{"", ",\"linux\":{\"namespaces\":[{\"type\":\"net\"}]}",
		 "linux.namespaces[0].type"},
		{"", ",\"linux\":{\"namespaces\":[{\"type\":\"pid\",\"path\":\"x\"}]}",
		 "linux.namespaces[0].path"},
		{"",
		 ",\"linux\":{\"uidMappings\":[{\"containerID\":0,\"hostID\":5,\"size\":10},{"
		 "\"containerID\":9,\"hostID\":50,\"size\":1}]}",
		 "linux.uidMappings[1]"},
		{"", ",\"linux\":{\"uidMappings\":[{\"containerID\":0,\"hostID\":5,\"size\":0}]}",
		 "linux.uidMappings[0]"},
		{"",
		 ",\"linux\":{\"gidMappings\":[{\"containerID\":4294967290,\"hostID\":5,\"size\":"
		 "10}]}",
		 "linux.gidMappings[0]"},
		{"", ",\"linux\":{\"sysctl\":{\"a+b\":\"1\"}}", "linux.sysctl[a+b]"},
		{"", ",\"linux\":{\"sysctl\":{\"a.b\":\"1\\n2\"}}", "linux.sysctl[a.b]"},
		{"", ",\"linux\":{\"sysctl\":{\"net/../kernel\":\"1\"}}",
		 "linux.sysctl[net/../kernel]"},
		{"", ",\"linux\":{\"maskedPaths\":[\"proc\"]}", "linux.maskedPaths[0]"},
		{"", ",\"linux\":{\"cgroupsPath\":\"../x\"}", "linux.cgroupsPath"},
		{"", ",\"linux\":{\"personality\":{\"domain\":\"BSD\"}}",
		 "linux.personality.domain"},
		{"", ",\"linux\":{\"rootfsPropagation\":\"x\"}", "linux.rootfsPropagation"},
		{"", ",\"linux\":{\"timeOffsets\":{\"realtime\":{\"secs\":1}}}",
		 "linux.timeOffsets"},
		{"", ",\"linux\":{\"devices\":[{\"path\":\"/d\",\"type\":\"x\"}]}",
		 "linux.devices[0].type"},
		{"", ",\"linux\":{\"netDevices\":{\"eth0\":{}}}", "linux.netDevices"},
		{"", ",\"linux\":{\"intelRdt\":{\"closID\":\"x\"}}", "linux.intelRdt"},
		{"", ",\"linux\":{\"memoryPolicy\":{\"mode\":\"MPOL_BIND\"}}",
		 "linux.memoryPolicy"},
		{"", ",\"linux\":{\"resources\":{\"rdma\":{\"x\":{}}}}", "linux.resources.rdma.x"},
		{"", ",\"linux\":{\"resources\":{\"rdma\":{\"a b\":{\"hcaObjects\":1}}}}",
		 "linux.resources.rdma"},
		{"", ",\"linux\":{\"resources\":{\"network\":{\"classID\":1}}}",
		 "linux.resources.network.classID"},
		{"", ",\"linux\":{\"resources\":{\"memory\":{\"kernel\":5}}}",
		 "linux.resources.memory.kernel"},
		{"", ",\"linux\":{\"resources\":{\"unified\":{\"../x\":\"1\"}}}",
		 "linux.resources.unified[../x]"},
		{"", ",\"linux\":{\"resources\":{\"unified\":{\"cgroup.procs\":\"1\"}}}",
		 "linux.resources.unified[cgroup.procs]"},
		{"", ",\"linux\":{\"resources\":{\"devices\":[{\"access\":\"r\"}]}}",
		 "linux.resources.devices[0].allow"},
		{"",
		 ",\"linux\":{\"resources\":{\"hugepageLimits\":[{\"pageSize\":\"2/"
		 "MB\",\"limit\":1}]}}",
		 "linux.resources.hugepageLimits[0].pageSize"},
		{"", ",\"linux\":{\"seccomp\":{}}", "linux.seccomp.defaultAction"},
		{"", ",\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_NOTIFY\"}}",
		 "linux.seccomp.defaultAction"},
		{"",
		 ",\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\","
		 "\"defaultErrnoRet\":1}}",
		 "linux.seccomp.defaultErrnoRet"},
		{"",
		 ",\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{"
		 "\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":6,"
		 "\"value\":1,\"op\":\"SCMP_CMP_EQ\"}]}]}}",
		 "linux.seccomp.syscalls[0].args[0].index"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct spec s;
		char line[10240];
		size_t n = strlen(rows[i].place);

		if (parse(config(rows[i].process, rows[i].rest), &s) == 0)
			reject("accepted: %s%s", rows[i].process, rows[i].rest);
		error_format(error_last(), line, sizeof(line));
		if (strncmp(line, rows[i].place, n) != 0 || !strchr(": ", line[n]))
			reject("%s%s: \"%s\" does not begin with %s", rows[i].process, rows[i].rest,
			       line, rows[i].place);
	}
}

static void test_json(void **state)
{
	static const char *const bad[] = {
		"",
		"{",
		"[1,]",
		"{\"a\":1} x",
		"{\"a\":1,\"a\":2}",
		"{\"b\":{\"a\":1,\"c\":2,\"a\":3}}",
		"\"a\\u0000b\"",
		"{\"a\\u0000\":1}",
		"\"\xff\xfe\"",
		"nul",
		"01",
		"'a'",
	};
	char deep[400];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (json_parse(a, bad[i], strlen(bad[i])))
			reject("accepted: %s", bad[i]);
	memset(deep, '[', 200);
	memset(deep + 200, ']', 200);
	assert_null(json_parse(a, deep, sizeof(deep)));
	memset(deep, '[', JSON_MAX_DEPTH);
	memset(deep + JSON_MAX_DEPTH, ']', JSON_MAX_DEPTH);
	assert_non_null(json_parse(a, deep, (size_t)2 * JSON_MAX_DEPTH));
}

static void test_writer(void **state)
{
	struct json_out *w = json_out_new(a, true);

	(void)state;
	json_out_open(w, NULL, '{');
	json_out_str(w, "s", "a\"\n\x01\xff\xc3\xa9");
	json_out_int(w, "i", -5);
	json_out_open(w, "l", '[');
	json_out_bool(w, NULL, true);
	json_out_close(w);
	json_out_close(w);
	assert_string_equal(json_out_text(w, NULL),
			    "{\"s\":\"a\\\"\\n\\u0001?\xc3\xa9\",\"i\":-5,\"l\":[true]}\n");
}

static void test_options(void **state)
{
	const struct {
		const char *options[4];
		uint64_t set, clear, rec_set;
		unsigned long sb, propagation;
		const char *data;
	} rows[] = {
		{{"ro", "nosuid"}, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, 0, 0, MS_RDONLY, 0, NULL},
		{{"ro", "rw"}, 0, MOUNT_ATTR_RDONLY, 0, 0, 0, NULL},
		{{"nodev", "dev", "nodev"}, MOUNT_ATTR_NODEV, 0, 0, 0, 0, NULL},
		{{"noatime"}, MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME, 0, 0, 0, NULL},
		{{"noatime", "strictatime"},
		 MOUNT_ATTR_STRICTATIME,
		 MOUNT_ATTR__ATIME,
		 0,
		 0,
		 0,
		 NULL},
		{{"rro"}, 0, 0, MOUNT_ATTR_RDONLY, 0, 0, NULL},
		{{"rslave"}, 0, 0, 0, 0, MS_SLAVE, NULL},
		{{"sync", "size=5k"}, 0, 0, 0, MS_SYNCHRONOUS, 0, "size=5k"},
		{{"sync", "async"}, 0, 0, 0, 0, 0, NULL},
		{{"defaults"}, 0, 0, 0, 0, 0, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct strv list = {0};
		struct mount_options o;

		for (size_t k = 0; k < 4 && rows[i].options[k]; k++)
			strv_add(a, &list, rows[i].options[k]);
		assert_int_equal(mount_options_parse(a, &list, &o), 0);
		assert_int_equal(o.attr_set, rows[i].set);
		assert_int_equal(o.attr_clear, rows[i].clear);
		assert_int_equal(o.rec_attr_set, rows[i].rec_set);
		assert_int_equal(o.sb_set, rows[i].sb);
		assert_int_equal(o.propagation, rows[i].propagation);
		assert_int_equal(o.data.n, rows[i].data ? 1 : 0);
		if (rows[i].data)
			assert_string_equal(o.data.v[0], rows[i].data);
	}
	/* The table is complete and has no option twice (config.md). */
	size_t n = 0;
	for (; mount_option_name(n); n++)
		for (size_t k = 0; k < n; k++)
			assert_string_not_equal(mount_option_name(n), mount_option_name(k));
	assert_int_equal(n, 62);
}

static void test_names(void **state)
{
	static const char *const bad_ids[] = {"", ".", "..", "a/b", "../x", "a b", "a\n", "ä"};

	(void)state;
	assert_int_equal(signal_number("TERM"), SIGTERM);
	assert_int_equal(signal_number("sigterm"), SIGTERM);
	assert_int_equal(signal_number("9"), 9);
	assert_int_equal(signal_number("RTMIN+1"), SIGRTMIN + 1);
	assert_int_equal(signal_number("SIGFOO"), -1);
	assert_int_equal(signal_number("0"), -1);
	assert_int_equal(signal_number("65"), -1);
	assert_int_equal(signal_number("9x"), -1);
	assert_int_equal(capability_number("CAP_SYS_ADMIN"), 21);
	assert_int_equal(capability_number("cap_chown"), 0);
	assert_int_equal(capability_number("CAP_NONE"), -1);
	assert_string_equal(capability_name(40), "CAP_CHECKPOINT_RESTORE");
	assert_null(capability_name(41));
	assert_int_equal(container_id_check("a-b_c.D+1"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad_ids); i++)
		assert_int_equal(container_id_check(bad_ids[i]), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default), cmocka_unit_test(test_docker),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_json),
		cmocka_unit_test(test_writer),	cmocka_unit_test(test_options),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
