/* The table of verbs and the global options; nothing else. */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "casemate/error.h"
#include "casemate/fd.h"
#include "casemate/log.h"
#include "casemate/owner.h"
#include "casemate/sandbox.h"
#include "cmd/cmd.h"
#include "cmd/version.h"

static const struct verb {
	const char *name;
	verb_function *run;
	const char *help;
	enum { ALONE, STATE, MAKES } takes; /* neither, the state root, a container's privilege */
	int failure;			    /* exit status of a failure; 0 means 1 */
} verbs[] = {
	{"create", cmd_create, "make a container that waits to be started", MAKES, 0},
	{"start", cmd_start, "start a container that was created", STATE, 0},
	{"run", cmd_run, "create and start a container", MAKES, 0},
	{"state", cmd_state, "print the state of a container", STATE, 0},
	{"kill", cmd_kill, "send a signal to a container", STATE, 0},
	{"delete", cmd_delete, "remove a container", STATE, 0},
	{"exec", cmd_exec, "run one more process in a container", STATE, 255},
	{"pause", cmd_pause, "hold all processes of a container", STATE, 0},
	{"resume", cmd_resume, "let them go on", STATE, 0},
	{"update", cmd_update, "change the limits of a container", STATE, 0},
	{"list", cmd_list, "list the containers", STATE, 0},
	{"ps", cmd_ps, "list the processes of a container", STATE, 0},
	{"events", cmd_events, "print what a container uses, and its OOM kills", STATE, 0},
	{"features", cmd_features, "print what this runtime can do", ALONE, 0},
	{"spec", cmd_spec, "write a hardened config.json", ALONE, 0},
	{"doctor", cmd_doctor, "show what this host can enforce", ALONE, 0},
	{"check", cmd_check, "show what the profile makes of a config", ALONE, 0},
};

#define HOST_ROOT "/run/casemate"

static const char usage[] = "[global options] COMMAND [options] [arguments]";

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static void print_verbs(void)
{
	printf("\nCommands:\n");
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		printf("  %-10s %s\n", verbs[i].name, verbs[i].help);
}

static int print_version(void)
{
	const struct scmp_version *v = seccomp_version();

	printf("casemate version %s\ncommit: %s\nspec: %s\n", PACKAGE_VERSION, GIT_COMMIT,
	       SPEC_VERSION_MAX);
	if (v)
		printf("libseccomp: %u.%u.%u\n", v->major, v->minor, v->micro);
	return 0;
}

/* As runc: a user's own, also where Podman made him root of a user namespace. It
 * gives XDG_RUNTIME_DIR empty as root, and means unset. */
static const char *default_root(struct arena *a)
{
	const char *xdg = getenv("XDG_RUNTIME_DIR"), *user = getenv("USER");
	bool nested = geteuid() == 0 && in_user_namespace() && !(user && !strcmp(user, "root"));

	return (geteuid() != 0 || nested) && xdg && *xdg ? arena_printf(a, "%s/casemate", xdg)
							 : HOST_ROOT;
}

static int check_root(const struct options *o)
{
	if (geteuid() == 0 || strcmp(o->root, HOST_ROOT) != 0)
		return 0;
	fail(0, "--root: " HOST_ROOT " is root's, and XDG_RUNTIME_DIR is not set");
	return fail_hint("set it, or give --root a folder of your own");
}

static int absolute_root(struct arena *a, const char **root)
{
	char cwd[4096];

	if (**root == '/')
		return 0;
	if (!getcwd(cwd, sizeof(cwd)))
		return fail(errno, "--root: %s", *root);
	*root = arena_printf(a, "%s/%s", cwd, *root);
	return 0;
}

struct globals {
	const char *log, *log_format, *log_level, *cgroup_manager;
	bool version;
};

static int settle(struct arena *a, struct options *o, const struct globals *g)
{
	bool json = strcmp(g->log_format, "json") == 0;

	if (!json && strcmp(g->log_format, "text") != 0)
		return fail(0, "--log-format: unknown log-format \"%s\"", g->log_format);
	if (log_open(g->log && *g->log ? g->log : NULL, json ? LOG_JSON : LOG_TEXT, o->debug) < 0)
		return -1;
	if (g->cgroup_manager) {
		if (strcmp(g->cgroup_manager, "systemd") == 0)
			o->systemd_cgroup = true;
		else if (strcmp(g->cgroup_manager, "disabled") == 0)
			o->no_cgroups = true;
		else if (strcmp(g->cgroup_manager, "cgroupfs") != 0)
			return fail(0, "--cgroup-manager: unknown manager \"%s\"",
				    g->cgroup_manager);
	}
	if (!o->root || !*o->root)
		o->root = default_root(a);
	return absolute_root(a, &o->root);
}

static unsigned count_inherited(void)
{
	unsigned n = 0;

	while (n < 4096 && fcntl(3 + (int)n, F_GETFD) >= 0)
		n++;
	return n;
}

static int run(struct arena *a, int argc, char **argv)
{
	struct options o = {.profile = "restricted", .inherited = count_inherited()};
	struct globals g = {.log_format = "text"};
	const struct option_row rows[] = {
		{"root", 0, OPTION_STRING, &o.root, "folder of the containers' state"},
		{"profile", 0, OPTION_STRING, &o.profile, "policy: a name or a path (restricted)"},
		{"log", 0, OPTION_STRING, &g.log, "file to append errors to"},
		{"log-format", 0, OPTION_STRING, &g.log_format, "text or json"},
		{"log-level", 0, OPTION_STRING, &g.log_level, NULL},
		{"debug", 0, OPTION_FLAG, &o.debug, "more in the log"},
		{"systemd-cgroup", 0, OPTION_FLAG, &o.systemd_cgroup,
		 "let systemd make the cgroup"},
		{"cgroup-manager", 0, OPTION_STRING, &g.cgroup_manager,
		 "cgroupfs, systemd or disabled"},
		{"rootless", 0, OPTION_IGNORED_VALUE, NULL, NULL},
		{"criu", 0, OPTION_IGNORED_VALUE, NULL, NULL},
		{"version", 'v', OPTION_FLAG, &g.version, "print the version"},
		{.kind = OPTION_END},
	};
	const struct verb *verb = NULL;
	const char *id = NULL;
	int next, r = options_parse(a, usage, rows, argc, argv, &next);

	if (r > 0) {
		print_verbs();
		return 0;
	}
	if (r == 0 && g.version)
		return print_version();
	/* An option that is wrong goes to the log, too, where one was named before it. */
	if (r < 0) {
		struct error e = *error_last();

		(void)settle(a, &o, &g);
		error_adopt(&e);
	}
	if (r == 0)
		r = settle(a, &o, &g);
	if (r == 0 && next == argc) {
		fail(0, "no command was given");
		r = fail_hint("casemate --help lists the commands");
	}
	if (r == 0 && !(verb = find_verb(argv[next]))) {
		fail(0, "unknown command \"%s\"", argv[next]);
		r = fail_hint("casemate --help lists the commands");
	}
	bool help = verb && next + 1 < argc &&
		    (strcmp(argv[next + 1], "--help") == 0 || strcmp(argv[next + 1], "-h") == 0);
	if (r == 0 && verb && verb->takes != ALONE && !help)
		r = check_root(&o);
	if (r == 0 && verb && verb->takes == MAKES && !help && !rootless_privileged())
		r = rootless_enter();
	if (r == 0 && verb)
		r = verb->run(a, &o, argc - next, argv + next, &id);
	if (r >= 0)
		return r;
	log_error(error_last(), verb ? verb->name : NULL, id);
	return verb && verb->failure ? verb->failure : EXIT_FAILURE;
}

#ifdef __SANITIZE_ADDRESS__
/* The leak checker looks by ptrace, which what is not dumpable does not let it, and
 * an ordinary user's runtime executes itself again with another environment. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}
#endif

int main(int argc, char **argv)
{
	_arena_ struct arena *a = arena_new();

	if (runtime_protect() < 0) {
		log_error(error_last(), NULL, NULL);
		return EXIT_FAILURE;
	}
	return run(a, argc, argv);
}
