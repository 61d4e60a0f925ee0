/* kill, delete, pause, resume: verbs that end or hold a container. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "casemate/error.h"
#include "cmd.h"

int cmd_kill(struct arena *a, const struct options *o, int argc, char **argv, const char **id)
{
	bool all = false;
	const struct option_row rows[] = {
		{"all", 'a', OPTION_FLAG, &all, "to every process of the container"},
		{.kind = OPTION_END},
	};
	int next, sig = SIGTERM;
	int r = options_parse(a, "kill [options] ID [SIGNAL]", rows, argc, argv, &next);

	if (r)
		return r > 0 ? 0 : -1;
	if (argc - next < 1)
		return fail(0, "kill: needs a container id");
	*id = argv[next++];
	/* runc takes --all behind the id, too. */
	for (bool given = false; next < argc; next++) {
		if (strcmp(argv[next], "--all") == 0 || strcmp(argv[next], "-a") == 0) {
			all = true;
			continue;
		}
		if (given)
			return fail(0, "kill: more than one signal: \"%s\"", argv[next]);
		given = true;
		/* 0 asks only whether the container is there, see kill(2). */
		sig = strcmp(argv[next], "0") == 0 ? 0 : signal_number(argv[next]);
		if (sig < 0)
			return fail(0, "unknown signal \"%s\"", argv[next]);
	}
	return container_kill(o, *id, sig, all);
}

int cmd_delete(struct arena *a, const struct options *o, int argc, char **argv, const char **id)
{
	bool force = false;
	const struct option_row rows[] = {
		{"force", 'f', OPTION_FLAG, &force, "kill it first; no error if there is none"},
		{.kind = OPTION_END},
	};
	int r = options_id(a, "delete [options] ID", rows, argc, argv, id);

	return r ? (r > 0 ? 0 : -1) : container_delete(o, *id, force);
}

static int freeze(const struct options *o, struct arena *a, const char *id, bool freeze)
{
	struct container c;
	enum container_status st = STATUS_STOPPED;
	int r = container_open(&c, a, o->root, id, LOCK_HELD);

	if (r == 0)
		r = container_status(&c, &st);
	if (r == 0 && st == STATUS_STOPPED)
		r = fail(0, "container not running");
	else if (r == 0 && freeze && st == STATUS_PAUSED)
		r = fail(0, "container paused");
	else if (r == 0 && !freeze && st != STATUS_PAUSED)
		r = fail(0, "container not paused");
	else if (r == 0 && !c.has_cgroup)
		r = fail(0, "cgroup not exist");
	if (r == 0)
		r = cgroup_freeze(&c.cgroup, freeze);
	container_close(&c);
	return r;
}

int cmd_pause(struct arena *a, const struct options *o, int argc, char **argv, const char **id)
{
	const struct option_row rows[] = {{.kind = OPTION_END}};
	int r = options_id(a, "pause ID", rows, argc, argv, id);

	return r ? (r > 0 ? 0 : -1) : freeze(o, a, *id, true);
}

int cmd_resume(struct arena *a, const struct options *o, int argc, char **argv, const char **id)
{
	const struct option_row rows[] = {{.kind = OPTION_END}};
	int r = options_id(a, "resume ID", rows, argc, argv, id);

	return r ? (r > 0 ? 0 : -1) : freeze(o, a, *id, false);
}
