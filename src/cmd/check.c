/* check: what a profile makes of a config, without making anything. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "casemate/error.h"
#include "casemate/fd.h"
#include "casemate/log.h"
#include "cmd.h"

enum { CHECK_REFUSED = 1, CHECK_UNUSABLE = 2 };

static const char *const colours[] = {
	[FINDING_TIGHTENED] = "\033[33m",
	[FINDING_REFUSED] = "\033[31m",
	[FINDING_WARNED] = "\033[36m",
	[FINDING_IGNORED] = "\033[2m",
};

/* Text of config.json: no control character may reach the terminal. */
static const char *printable(struct arena *a, const char *s)
{
	char *copy = arena_strdup(a, s ? s : "");

	for (char *p = copy; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 127)
			*p = '?';
	return copy;
}

static void print_table(struct arena *a, const struct findings *f, bool colour)
{
	for (size_t i = 0; i < f->n; i++) {
		const struct finding *x = &f->v[i];

		printf("%s%-9s%s  %-26s %s\n           %s", colour ? colours[x->effect] : "",
		       finding_effect_names[x->effect], colour ? "\033[0m" : "", x->rule,
		       printable(a, x->place), printable(a, x->message));
		if (x->before || x->after)
			printf(" [%s%s%s]", printable(a, x->before), x->after ? " -> " : "",
			       printable(a, x->after));
		printf("\n");
		if (x->hint)
			printf("           hint: %s\n", x->hint);
	}
	if (f->n == 0)
		printf("nothing to report\n");
}

static const char *print_json(struct arena *a, const struct profile *p, const struct findings *f)
{
	struct json_out *w = json_out_new(a, false);

	json_out_open(w, NULL, '{');
	json_out_str(w, "profile", p->name);
	json_out_open(w, "findings", '[');
	for (size_t i = 0; i < f->n; i++) {
		const struct finding *x = &f->v[i];

		json_out_open(w, NULL, '{');
		json_out_str(w, "rule", x->rule);
		json_out_str(w, "effect", finding_effect_names[x->effect]);
		json_out_str(w, "place", x->place);
		json_out_str(w, "message", x->message);
		json_out_str(w, "before", x->before);
		json_out_str(w, "after", x->after);
		json_out_str(w, "hint", x->hint);
		json_out_close(w);
	}
	json_out_close(w);
	json_out_close(w);
	return json_out_text(w, NULL);
}

static int unusable(void)
{
	log_error(error_last(), "check", NULL);
	return CHECK_UNUSABLE;
}

static char *read_config(struct arena *a, const char *bundle, const char *config, int *bundle_fd,
			 size_t *len)
{
	if (config && strcmp(config, "-") == 0)
		return fd_read_all(a, STDIN_FILENO, SPEC_MAX_SIZE, len);
	*bundle_fd = open(bundle ? bundle : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*bundle_fd < 0) {
		fail(errno, "cannot open the bundle %s", bundle);
		return NULL;
	}
	return file_read(a, config ? AT_FDCWD : *bundle_fd, config ? config : "config.json",
			 SPEC_MAX_SIZE, len);
}

int cmd_check(struct arena *a, const struct options *o, int argc, char **argv, const char **id)
{
	const char *format = "table", *config = NULL, *bundle = NULL;
	const struct option_row rows[] = {
		{"config", 'f', OPTION_STRING, &config, "a config.json, - for standard input"},
		{"format", 0, OPTION_STRING, &format, "table or json"},
		{.kind = OPTION_END},
	};
	struct findings f = {.arena = a};
	struct profile p;
	struct spec s;
	size_t len;
	_fd_ int bundle_fd = -1;
	int next, r = options_parse(a, "check [options] [BUNDLE]", rows, argc, argv, &next);

	(void)id;
	if (r > 0)
		return 0;
	if (r < 0)
		return unusable();
	if (next < argc) {
		bundle = argv[next];
		if (strcmp(bundle, "-") == 0)
			config = "-";
	}
	if (strcmp(format, "table") != 0 && strcmp(format, "json") != 0) {
		fail(EINVAL, "--format: \"%s\" is not table or json", format);
		return unusable();
	}
	char *text = read_config(a, bundle, config, &bundle_fd, &len);
	if (!text || spec_parse(a, text, len, &s) < 0 ||
	    facts_gather(&s, bundle_fd < 0 ? AT_FDCWD : bundle_fd, bundle ? bundle : ".", o->root,
			 false) < 0 ||
	    profile_load(a, o->profile, &p) < 0)
		return unusable();
	r = policy_apply(&p, &s, &f);
	if (strcmp(format, "json") == 0)
		print_text(print_json(a, &p, &f));
	else
		print_table(a, &f, isatty(STDOUT_FILENO));
	facts_release(&s);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fail(errno, "cannot write to standard output");
		return unusable();
	}
	return r > 0 ? CHECK_REFUSED : 0;
}
