/* doctor: what this host can enforce. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "casemate/error.h"
#include "casemate/sandbox.h"
#include "cmd.h"

static const char *const words[] = {[PROBE_PASS] = "pass",
				    [PROBE_WARN] = "warn",
				    [PROBE_FAIL] = "fail",
				    [PROBE_UNKNOWN] = "unknown"};
static const char *const colours[] = {[PROBE_PASS] = "\033[32m",
				      [PROBE_WARN] = "\033[33m",
				      [PROBE_FAIL] = "\033[31m",
				      [PROBE_UNKNOWN] = "\033[2m"};

/* The one thing here that is the profile's. */
static enum probe_result host_ids(struct arena *a, const struct options *o,
				  struct probe_answer *out)
{
	struct profile p;
	struct id_pool pool;

	if (profile_load(a, o->profile, &p) < 0 || ids_pool(&p, &pool) < 0) {
		error_format(error_last(), out->text, sizeof(out->text));
		error_clear();
		return geteuid() == 0 ? PROBE_FAIL : PROBE_UNKNOWN;
	}
	snprintf(out->text, sizeof(out->text),
		 "%u ranges of %d from %u (profile %s), %u of containers, %u with ids of users",
		 pool.ranges, ID_RANGE, p.ids.first, p.name, pool.taken, pool.foreign);
	if (pool.taken + pool.foreign < pool.ranges)
		return pool.foreign ? PROBE_WARN : PROBE_PASS;
	out->hint = pool.foreign
			    ? "choose another user.namespace.pool in a profile"
			    : "delete containers, or enlarge the profile's user.namespace.pool";
	return PROBE_FAIL;
}

static void print_row(const char *name, enum probe_result r, const struct probe_answer *a,
		      bool colour)
{
	printf("%s%-8s%s %-16s %s\n", colour ? colours[r] : "", words[r], colour ? "\033[0m" : "",
	       name, a->text);
	if (a->hint)
		printf("%26s hint: %s\n", "", a->hint);
}

static void write_row(struct json_out *w, const char *name, enum probe_result r,
		      const struct probe_answer *a)
{
	json_out_open(w, NULL, '{');
	json_out_str(w, "name", name);
	json_out_str(w, "result", words[r]);
	json_out_str(w, "text", a->text);
	json_out_str(w, "hint", a->hint);
	json_out_close(w);
}

int cmd_doctor(struct arena *a, const struct options *o, int argc, char **argv, const char **id)
{
	const char *format = "table";
	const struct option_row rows[] = {
		{"format", 'f', OPTION_STRING, &format, "table or json"},
		{.kind = OPTION_END},
	};
	struct json_out *w = json_out_new(a, false);
	int failed = 0, r = options_none(a, "doctor [options]", rows, argc, argv);

	(void)id;
	if (r)
		return r > 0 ? 0 : -1;
	bool json = strcmp(format, "json") == 0;
	if (!json && strcmp(format, "table") != 0)
		return fail(EINVAL, "--format: \"%s\" is not table or json", format);
	json_out_open(w, NULL, '[');
	for (const struct probe *p = sandbox_probes;; p++) {
		struct probe_answer answer = {.hint = NULL};
		const char *name = p->name ? p->name : "host ids";
		enum probe_result result = p->name ? p->run(&answer) : host_ids(a, o, &answer);

		failed += result == PROBE_FAIL;
		if (json)
			write_row(w, name, result, &answer);
		else
			print_row(name, result, &answer, isatty(STDOUT_FILENO));
		if (!p->name)
			break;
	}
	json_out_close(w);
	if (print_text(json ? json_out_text(w, NULL) : "") < 0)
		return -1;
	return failed ? 1 : 0;
}
