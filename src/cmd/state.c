/* state, list, ps: what there is. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "casemate/error.h"
#include "casemate/fd.h"
#include "cmd.h"

int cmd_state(struct arena *a, const struct options *o, int argc, char **argv, const char **id)
{
	const struct option_row rows[] = {{.kind = OPTION_END}};
	struct json_out *w = json_out_new(a, false);
	enum container_status st;
	struct container c;
	int r = options_id(a, "state ID", rows, argc, argv, id);

	if (r)
		return r > 0 ? 0 : -1;
	r = container_open(&c, a, o->root, *id, LOCK_NONE);
	if (r == 0)
		r = container_status(&c, &st);
	if (r == 0) {
		container_write_state(&c, st, NULL, false, w);
		r = print_text(json_out_text(w, NULL));
	}
	container_close(&c);
	return r;
}

static int check_format(const char *format)
{
	if (strcmp(format, "table") == 0 || strcmp(format, "json") == 0)
		return 0;
	return fail(0, "--format: invalid format option \"%s\"", format);
}

static void list_row(const struct container *c, enum container_status st, bool quiet)
{
	if (quiet)
		printf("%s\n", c->id);
	else
		printf("%-36s %-9d %-10s %-40s %-31s %s\n", c->id,
		       st == STATUS_STOPPED ? 0 : (int)c->pid, container_status_names[st],
		       c->bundle, c->created, container_owner(c));
}

int cmd_list(struct arena *a, const struct options *o, int argc, char **argv, const char **id)
{
	const char *format = "table";
	bool quiet = false;
	const struct option_row rows[] = {
		{"format", 'f', OPTION_STRING, &format, "table or json"},
		{"quiet", 'q', OPTION_FLAG, &quiet, "only the ids"},
		{.kind = OPTION_END},
	};
	struct json_out *w = json_out_new(a, true);
	struct strv names = {0};
	size_t shown = 0;
	int r = options_none(a, "list [options]", rows, argc, argv);

	(void)id;
	if (r || check_format(format) < 0)
		return r > 0 ? 0 : -1;
	_fd_ int root = state_root_open(o->root, false);
	if (root >= 0 ? fd_names(a, root, &names) < 0 : error_last()->errnum != ENOENT)
		return -1;
	bool json = strcmp(format, "json") == 0 && !quiet;
	if (!json && !quiet)
		printf("%-36s %-9s %-10s %-40s %-31s OWNER\n", "ID", "PID", "STATUS", "BUNDLE",
		       "CREATED");
	json_out_open(w, NULL, '[');
	for (size_t i = 0; i < names.n; i++) {
		struct container c;
		enum container_status st;

		/* Another runtime's, or gone meanwhile. */
		if (container_look(&c, a, root, names.v[i]) == 0 &&
		    container_status(&c, &st) == 0) {
			shown++;
			if (json)
				container_write_state(&c, st, NULL, true, w);
			else
				list_row(&c, st, quiet);
		}
		container_close(&c);
	}
	json_out_close(w);
	const char *text = json_out_text(w, NULL);
	/* runc prints null for no containers, and callers know it. */
	return print_text(!json ? "" : shown ? text : "null\n");
}

/* The table is ps's own, cut down to the container's processes. */
static int ps_table(struct arena *a, const pid_t *pids, size_t n, char **args)
{
	int out[2], column = -1, status = 0;
	char line[8192];
	const char *first = "";

	if (pipe2(out, O_CLOEXEC) < 0)
		return fail(errno, "pipe");
	pid_t pid = fork();
	if (pid == 0) {
		dup2(out[1], STDOUT_FILENO);
		/* Its complaint becomes ours, in one line. */
		dup2(out[1], STDERR_FILENO);
		execvp("ps", args);
		_exit(127);
	}
	close(out[1]);
	FILE *f = fdopen(out[0], "r");
	if (!f) {
		close(out[0]);
		return fail(errno, "cannot read from ps");
	}
	for (bool head = true; fgets(line, sizeof(line), f); head = false) {
		if (head)
			first = arena_strndup(a, line, strcspn(line, "\n"));
		char *copy = arena_strdup(a, line), *save, *word = strtok_r(copy, " \t\n", &save);
		int i = 0;

		for (; word && (head ? strcmp(word, "PID") != 0 : i < column); i++)
			word = strtok_r(NULL, " \t\n", &save);
		if (head)
			column = word ? i : -1;
		bool ours = head;
		for (size_t k = 0; word && !ours && k < n; k++)
			ours = strtol(word, NULL, 10) == pids[k];
		if (ours)
			fputs(line, stdout);
	}
	fclose(f);
	if (pid < 0)
		return fail(EAGAIN, "cannot run ps");
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (column < 0 || !WIFEXITED(status) || WEXITSTATUS(status) == 127)
		return fail(0, "ps: the ps program failed or has no PID column: %s", first);
	return print_text("");
}

static int ps(struct arena *a, struct container *c, bool json, char **args)
{
	struct json_out *w = json_out_new(a, true);
	pid_t *pids;
	size_t n;

	if (!c->has_cgroup)
		return fail(0, "cgroup not exist");
	if (cgroup_pids(&c->cgroup, a, &pids, &n) < 0)
		return -1;
	if (!json)
		return ps_table(a, pids, n, args);
	json_out_open(w, NULL, '[');
	for (size_t i = 0; i < n; i++)
		json_out_int(w, NULL, pids[i]);
	json_out_close(w);
	return print_text(json_out_text(w, NULL));
}

int cmd_ps(struct arena *a, const struct options *o, int argc, char **argv, const char **id)
{
	const char *format = "table";
	const struct option_row rows[] = {
		{"format", 'f', OPTION_STRING, &format, "table or json"},
		{.kind = OPTION_END},
	};
	struct strv args = {0};
	struct container c;
	int next, r = options_parse(a, "ps [options] ID [PS OPTIONS]", rows, argc, argv, &next);

	if (r || check_format(format) < 0)
		return r > 0 ? 0 : -1;
	if (argc - next < 1)
		return fail(0, "ps: needs a container id");
	*id = argv[next++];
	strv_add(a, &args, "ps");
	for (; next < argc; next++)
		strv_add(a, &args, argv[next]);
	if (args.n == 1)
		strv_add(a, &args, "-ef");
	r = container_open(&c, a, o->root, *id, LOCK_NONE);
	if (r == 0)
		r = ps(a, &c, strcmp(format, "json") == 0, args.v);
	container_close(&c);
	return r;
}
