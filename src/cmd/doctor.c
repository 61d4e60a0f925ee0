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

static void print_row(const struct probe *p, enum probe_result r, const struct probe_answer *a,
		      bool colour)
{
	printf("%s%-8s%s %-16s %s\n", colour ? colours[r] : "", words[r], colour ? "\033[0m" : "",
	       p->name, a->text);
	if (a->hint)
		printf("%26s hint: %s\n", "", a->hint);
}

static void write_row(struct json_out *w, const struct probe *p, enum probe_result r,
		      const struct probe_answer *a)
{
	json_out_open(w, NULL, '{');
	json_out_str(w, "name", p->name);
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

	(void)o;
	(void)id;
	if (r)
		return r > 0 ? 0 : -1;
	bool json = strcmp(format, "json") == 0;
	if (!json && strcmp(format, "table") != 0)
		return fail(EINVAL, "--format: \"%s\" is not table or json", format);
	json_out_open(w, NULL, '[');
	for (const struct probe *p = sandbox_probes; p->name; p++) {
		struct probe_answer answer = {.hint = NULL};
		enum probe_result result = p->run(&answer);

		failed += result == PROBE_FAIL;
		if (json)
			write_row(w, p, result, &answer);
		else
			print_row(p, result, &answer, isatty(STDOUT_FILENO));
	}
	json_out_close(w);
	if (print_text(json ? json_out_text(w, NULL) : "") < 0)
		return -1;
	return failed ? 1 : 0;
}
