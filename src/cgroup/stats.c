/* Statistics of a cgroup, in the shape of runc's `events --stats`. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "internal.h"

struct stats {
	const struct cgroup *cg;
	struct arena *a;
	struct json_out *w;
	bool v2;
};

/* A control file's text; NULL where this host or kernel has none. */
static char *text_of(const struct stats *s, const char *controller, const char *file)
{
	const struct cgroup_hierarchy *h = s->v2 ? &s->cg->h.v[0] : cgroup_find(s->cg, controller);
	char *text =
		h ? file_read(s->a, AT_FDCWD,
			      arena_printf(s->a, "%s/%s", cgroup_dir(s->a, h), file), 1 << 20, NULL)
		  : NULL;

	error_clear();
	return text;
}

/* "max" of v2, and v1's page-rounded largest number, mean no limit. */
static uint64_t number(const char *text)
{
	return text && strncmp(text, "max", 3) == 0 ? UINT64_MAX
						    : strtoull(text ? text : "0", NULL, 10);
}

static uint64_t number_of(const struct stats *s, const char *controller, const char *file)
{
	return number(text_of(s, controller, file));
}

/* The value in a "key value" list. */
static uint64_t value_of(const char *text, const char *key)
{
	size_t n = strlen(key);

	for (const char *p = text; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : "")
		if (strncmp(p, key, n) == 0 && p[n] == ' ')
			return strtoull(p + n, NULL, 10);
	return 0;
}

static void write_list(const struct stats *s, const char *key, const char *text)
{
	char *copy = arena_strdup(s->a, text ? text : ""), *save;

	json_out_open(s->w, key, '[');
	for (char *n = strtok_r(copy, " \n", &save); n; n = strtok_r(NULL, " \n", &save))
		json_out_uint(s->w, NULL, number(n));
	json_out_close(s->w);
}

/* Every "key value" line as a property. */
static void write_raw(const struct stats *s, const char *text)
{
	char *copy = arena_strdup(s->a, text ? text : ""), *save;

	json_out_open(s->w, "raw", '{');
	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *value = strchr(line, ' ');

		if (value) {
			*value = '\0';
			json_out_uint(s->w, line, number(value + 1));
		}
	}
	json_out_close(s->w);
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=0", then "full …". */
static void write_pressure(const struct stats *s, const char *file)
{
	char *text = s->v2 ? text_of(s, "", file) : NULL, *save;

	if (!text)
		return;
	json_out_open(s->w, "psi", '{');
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		static const char *const keys[] = {"avg10", "avg60", "avg300", "total"};
		char kind[8], n[4][24];

		if (sscanf(line,
			   "%7s avg10=%23[0-9.] avg60=%23[0-9.] avg300=%23[0-9.] total=%23[0-9]",
			   kind, n[0], n[1], n[2], n[3]) != 5)
			continue;
		json_out_open(s->w, kind, '{');
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
			json_out_number(s->w, keys[i], n[i]);
		json_out_close(s->w);
	}
	json_out_close(s->w);
}

static void write_cpu(const struct stats *s)
{
	const char *stat = text_of(s, "cpu", "cpu.stat"), *times = NULL;
	uint64_t total, user, kernel;

	if (s->v2) {
		total = value_of(stat, "usage_usec") * 1000;
		user = value_of(stat, "user_usec") * 1000;
		kernel = value_of(stat, "system_usec") * 1000;
	} else {
		uint64_t tick = 1000000000U / (uint64_t)sysconf(_SC_CLK_TCK);

		times = text_of(s, "cpuacct", "cpuacct.stat");
		total = number_of(s, "cpuacct", "cpuacct.usage");
		user = value_of(times, "user") * tick;
		kernel = value_of(times, "system") * tick;
	}
	json_out_open(s->w, "cpu", '{');
	json_out_open(s->w, "usage", '{');
	json_out_uint(s->w, "total", total);
	if (!s->v2)
		write_list(s, "percpu", text_of(s, "cpuacct", "cpuacct.usage_percpu"));
	json_out_uint(s->w, "kernel", kernel);
	json_out_uint(s->w, "user", user);
	json_out_close(s->w);
	json_out_open(s->w, "throttling", '{');
	json_out_uint(s->w, "periods", value_of(stat, "nr_periods"));
	json_out_uint(s->w, "throttledPeriods", value_of(stat, "nr_throttled"));
	json_out_uint(s->w, "throttledTime",
		      s->v2 ? value_of(stat, "throttled_usec") * 1000
			    : value_of(stat, "throttled_time"));
	json_out_close(s->w);
	write_pressure(s, "cpu.pressure");
	json_out_close(s->w);
}

/* The four numbers of one kind of memory; a file that is not there is 0. */
static void write_usage(const struct stats *s, const char *key, const char *const v1,
			const char *const v2[3])
{
	const char *const v1_names[] = {"usage_in_bytes", "max_usage_in_bytes", "failcnt",
					"limit_in_bytes"};
	uint64_t n[4];

	for (size_t i = 0; i < 4; i++)
		n[i] = s->v2 ? 0
			     : number_of(s, "memory", arena_printf(s->a, "%s.%s", v1, v1_names[i]));
	if (s->v2) {
		n[0] = number_of(s, "memory", v2[0]);
		n[1] = number_of(s, "memory", v2[1]);
		n[3] = number_of(s, "memory", v2[2]);
	}
	if (s->v2 && strcmp(key, "usage") == 0)
		n[2] = value_of(text_of(s, "memory", "memory.events"), "max");
	json_out_open(s->w, key, '{');
	json_out_uint(s->w, "limit", n[3]);
	json_out_uint(s->w, "usage", n[0]);
	json_out_uint(s->w, "max", n[1]);
	json_out_uint(s->w, "failcnt", n[2]);
	json_out_close(s->w);
}

static void write_memory(const struct stats *s)
{
	static const char *const usage[] = {"memory.current", "memory.peak", "memory.max"};
	static const char *const swap[] = {"memory.swap.current", "memory.swap.peak",
					   "memory.swap.max"};
	static const char *const none[] = {"", "", ""};
	const char *stat = text_of(s, "memory", "memory.stat");

	json_out_open(s->w, "memory", '{');
	json_out_uint(s->w, "cache", value_of(stat, s->v2 ? "file" : "cache"));
	write_usage(s, "usage", "memory", usage);
	write_usage(s, "swap", "memory.memsw", swap);
	if (!s->v2) {
		write_usage(s, "kernel", "memory.kmem", none);
		write_usage(s, "kernelTCP", "memory.kmem.tcp", none);
	}
	write_raw(s, stat);
	write_pressure(s, "memory.pressure");
	json_out_close(s->w);
}

static void write_pids(const struct stats *s)
{
	uint64_t limit = number_of(s, "pids", "pids.max");

	json_out_open(s->w, "pids", '{');
	json_out_uint(s->w, "current", number_of(s, "pids", "pids.current"));
	/* runc: 0 is no limit. */
	json_out_uint(s->w, "limit", limit == UINT64_MAX ? 0 : limit);
	json_out_close(s->w);
}

static void write_entry(const struct stats *s, unsigned major, unsigned minor, const char *op,
			uint64_t value)
{
	json_out_open(s->w, NULL, '{');
	json_out_uint(s->w, "major", major);
	json_out_uint(s->w, "minor", minor);
	json_out_str(s->w, "op", op);
	json_out_uint(s->w, "value", value);
	json_out_close(s->w);
}

/* v2: "8:0 rbytes=1 wbytes=2 rios=3 …", v1: "8:0 Read 1". */
static void write_io_list(const struct stats *s, const char *key, const char *v1_file,
			  const char *const v2_keys[2])
{
	static const char *const ops[] = {"Read", "Write"};
	char *text = s->v2 ? text_of(s, "io", "io.stat") : text_of(s, "blkio", v1_file), *save;

	json_out_open(s->w, key, '[');
	for (char *line = strtok_r(text ? text : arena_strdup(s->a, ""), "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		unsigned major, minor;
		unsigned long long value;
		char op[32];

		if (sscanf(line, "%u:%u %31s %llu", &major, &minor, op, &value) == 4 && !s->v2)
			write_entry(s, major, minor, op, value);
		for (size_t i = 0; s->v2 && i < ARRAY_SIZE(ops); i++) {
			const char *at = strstr(line, v2_keys[i]);

			if (at && sscanf(line, "%u:%u", &major, &minor) == 2)
				write_entry(s, major, minor, ops[i],
					    strtoull(at + strlen(v2_keys[i]), NULL, 10));
		}
	}
	json_out_close(s->w);
}

static void write_io(const struct stats *s)
{
	static const char *const bytes[] = {" rbytes=", " wbytes="}, *const ios[] = {" rios=",
										     " wios="};

	json_out_open(s->w, "blkio", '{');
	write_io_list(s, "ioServiceBytesRecursive", "blkio.throttle.io_service_bytes_recursive",
		      bytes);
	write_io_list(s, "ioServicedRecursive", "blkio.throttle.io_serviced_recursive", ios);
	write_pressure(s, "io.pressure");
	json_out_close(s->w);
}

static void write_hugetlb(const struct stats *s)
{
	static const char *const sizes[] = {"64KB", "1MB", "2MB", "32MB", "512MB", "1GB", "16GB"};

	json_out_open(s->w, "hugetlb", '{');
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		const char *now = arena_printf(
			s->a, s->v2 ? "hugetlb.%s.current" : "hugetlb.%s.usage_in_bytes", sizes[i]);
		const char *text = text_of(s, "hugetlb", now);

		if (!text)
			continue;
		json_out_open(s->w, sizes[i], '{');
		json_out_uint(s->w, "usage", number(text));
		if (s->v2) {
			text = text_of(s, "hugetlb",
				       arena_printf(s->a, "hugetlb.%s.events", sizes[i]));
			json_out_uint(s->w, "failcnt", value_of(text, "max"));
		} else {
			json_out_uint(s->w, "max",
				      number_of(s, "hugetlb",
						arena_printf(s->a, "hugetlb.%s.max_usage_in_bytes",
							     sizes[i])));
			json_out_uint(
				s->w, "failcnt",
				number_of(s, "hugetlb",
					  arena_printf(s->a, "hugetlb.%s.failcnt", sizes[i])));
		}
		json_out_close(s->w);
	}
	json_out_close(s->w);
}

void cgroup_stats(const struct cgroup *cg, struct json_out *w, const char *key)
{
	_arena_ struct arena *a = arena_new();
	struct stats s = {cg, a, w, cg->mode == CGROUP_V2};

	json_out_open(w, key, '{');
	write_cpu(&s);
	write_memory(&s);
	write_pids(&s);
	write_io(&s);
	write_hugetlb(&s);
	json_out_close(w);
}

/* v1: an eventfd that the memory controller is told of. */
static int oom_eventfd(const struct cgroup *cg, struct arena *a)
{
	const struct cgroup_hierarchy *h = cgroup_find(cg, "memory");
	const char *dir = h ? cgroup_dir(a, h) : NULL;

	if (!h)
		return fail(0, "this host has no memory controller");
	_fd_ int control =
		open(arena_printf(a, "%s/memory.oom_control", dir), O_RDONLY | O_CLOEXEC);
	_fd_ int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (control < 0 || event < 0)
		return fail(errno, "cannot listen for OOM events");
	if (file_write(AT_FDCWD, arena_printf(a, "%s/cgroup.event_control", dir),
		       arena_printf(a, "%d %d", event, control)) < 0)
		return -1;
	return fd_take(&event);
}

int cgroup_oom_fd(const struct cgroup *cg)
{
	_arena_ struct arena *a = arena_new();

	if (cg->mode != CGROUP_V2)
		return oom_eventfd(cg, a);
	_fd_ int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	const char *file = arena_printf(a, "%s/memory.events", cgroup_dir(a, &cg->h.v[0]));
	if (fd < 0 || inotify_add_watch(fd, file, IN_MODIFY) < 0)
		return fail(errno, "cannot listen to %s", file);
	return fd_take(&fd);
}

uint64_t cgroup_oom_kills(const struct cgroup *cg)
{
	_arena_ struct arena *a = arena_new();
	struct stats s = {cg, a, NULL, cg->mode == CGROUP_V2};

	return value_of(text_of(&s, "memory", s.v2 ? "memory.events" : "memory.oom_control"),
			"oom_kill");
}
