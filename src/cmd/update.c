/* update: new limits for a container that runs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "casemate/error.h"
#include "casemate/fd.h"
#include "cmd.h"

/* The single flags, as the JSON that they stand for. */
static const struct {
	const char *flag, *section, *key;
	enum { NUMBER, BYTES, TEXT } kind;
} flags[] = {
	{"blkio-weight", "blockIO", "weight", NUMBER},
	{"cpu-period", "cpu", "period", NUMBER},
	{"cpu-quota", "cpu", "quota", NUMBER},
	{"cpu-burst", "cpu", "burst", NUMBER},
	{"cpu-share", "cpu", "shares", NUMBER},
	{"cpu-rt-period", "cpu", "realtimePeriod", NUMBER},
	{"cpu-rt-runtime", "cpu", "realtimeRuntime", NUMBER},
	{"cpu-idle", "cpu", "idle", NUMBER},
	{"cpuset-cpus", "cpu", "cpus", TEXT},
	{"cpuset-mems", "cpu", "mems", TEXT},
	{"memory", "memory", "limit", BYTES},
	{"memory-reservation", "memory", "reservation", BYTES},
	{"memory-swap", "memory", "swap", BYTES},
	{"pids-limit", "pids", "limit", NUMBER},
};
enum { FLAGS = sizeof(flags) / sizeof(flags[0]) };

/* "64m", "1GiB", "512KB": powers of 1024, as runc has it. */
static long long times_unit(long long v, char **end)
{
	static const char letters[] = "bkmgt";
	const char *at = **end ? strchr(letters, **end | 0x20) : NULL;
	long long r = v;

	if (!at)
		return v;
	for (long i = 0; i < at - letters; i++)
		if (__builtin_mul_overflow(r, 1024, &r))
			return v;
	(*end)++;
	if (at > letters && (**end | 0x20) == 'i')
		(*end)++;
	if (at > letters && (**end | 0x20) == 'b')
		(*end)++;
	return r;
}

static const char *flags_json(struct arena *a, const char *values[FLAGS])
{
	static const char *const sections[] = {"blockIO", "cpu", "memory", "pids"};
	struct json_out *w = json_out_new(a, true);

	json_out_open(w, NULL, '{');
	for (size_t s = 0; s < ARRAY_SIZE(sections); s++) {
		json_out_open(w, sections[s], '{');
		for (size_t i = 0; i < FLAGS; i++) {
			char *end;

			if (!values[i] || strcmp(flags[i].section, sections[s]) != 0)
				continue;
			errno = 0;
			long long v = strtoll(values[i], &end, 10);
			if (flags[i].kind == BYTES && end != values[i] && v > 0)
				v = times_unit(v, &end);
			if (flags[i].kind == TEXT) {
				json_out_str(w, flags[i].key, values[i]);
			} else if (end == values[i] || *end || errno) {
				fail(EINVAL, "--%s: \"%s\" is not a number", flags[i].flag,
				     values[i]);
				return NULL;
			} else {
				json_out_int(w, flags[i].key, v);
			}
		}
		json_out_close(w);
	}
	json_out_close(w);
	return json_out_text(w, NULL);
}

static const char *read_resources(struct arena *a, const char *file)
{
	if (strcmp(file, "-") == 0)
		return fd_read_all(a, STDIN_FILENO, SPEC_MAX_SIZE, NULL);
	return file_read(a, AT_FDCWD, file, SPEC_MAX_SIZE, NULL);
}

static int update(struct container *c, struct spec_resources *r)
{
	struct profile p;
	struct findings f = {.arena = c->arena};
	enum container_status st;

	if (container_status(c, &st) < 0)
		return -1;
	if (st == STATUS_STOPPED)
		return fail(0, "container not running");
	if (!c->has_cgroup)
		return fail(0, "cgroup not exist");
	/* What create would not have given, update does not give. Engines send the
	 * whole of the container's resources again, devices among them: where the
	 * profile decides on devices, they stay as it decided. */
	if (profile_load(c->arena, c->profile, &p) < 0)
		return -1;
	if (p.action[RULE_DEVICES] == POLICY_ENFORCE || p.action[RULE_DEVICES] == POLICY_DENY)
		r->devices.n = 0;
	if (policy_apply_update(&p, c->arena, r, &f) > 0)
		return policy_fail(&p, &f);
	return cgroup_update(&c->cgroup, r);
}

int cmd_update(struct arena *a, const struct options *o, int argc, char **argv, const char **id)
{
	const char *file = NULL, *values[FLAGS] = {0};
	struct option_row rows[FLAGS + 6] = {
		{"resources", 'r', OPTION_STRING, &file,
		 "file with a resources object, - for stdin"},
		/* Kernel memory and resctrl: what runc takes and ignores, or this version has not.
		 */
		{"kernel-memory", 0, OPTION_IGNORED_VALUE, NULL, NULL},
		{"kernel-memory-tcp", 0, OPTION_IGNORED_VALUE, NULL, NULL},
	};
	struct spec_resources r;
	struct container c;

	for (size_t i = 0; i < FLAGS; i++)
		rows[3 + i] = (struct option_row){flags[i].flag, 0, OPTION_STRING, &values[i],
						  flags[i].key};
	rows[3 + FLAGS].kind = OPTION_END;
	int result = options_id(a, "update [options] ID", rows, argc, argv, id);
	if (result)
		return result > 0 ? 0 : -1;
	const char *text = file ? read_resources(a, file) : flags_json(a, values);
	if (!text || spec_parse_resources(a, text, strlen(text), &r) < 0)
		return file ? fail_in("--resources") : -1;
	result = container_open(&c, a, o->root, *id, LOCK_HELD);
	if (result == 0)
		result = update(&c, &r);
	container_close(&c);
	return result;
}
