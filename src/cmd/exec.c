/* exec. */
#include "casemate/error.h"
#include "cmd.h"

int cmd_exec(struct arena *a, const struct options *o, int argc, char **argv, const char **id)
{
	struct exec_options eo = {0};
	const struct option_row rows[] = {
		{"process", 'p', OPTION_STRING, &eo.process, "file with a process object"},
		{"detach", 'd', OPTION_FLAG, &eo.detach, "do not wait for the process"},
		{"tty", 't', OPTION_FLAG, &eo.tty, "give it a terminal"},
		{"console-socket", 0, OPTION_STRING, &eo.console_socket,
		 "socket that receives the terminal's master"},
		{"pidfd-socket", 0, OPTION_STRING, &eo.pidfd_socket,
		 "socket that receives a pidfd of the process"},
		{"pid-file", 0, OPTION_STRING, &eo.pid_file, "file to write the process id to"},
		{"cwd", 0, OPTION_STRING, &eo.cwd, "working directory"},
		{"env", 'e', OPTION_LIST, &eo.env, "NAME=value; may be repeated"},
		{"user", 'u', OPTION_STRING, &eo.user, "UID[:GID]"},
		{"additional-gids", 'g', OPTION_LIST, &eo.gids, "group id; may be repeated"},
		{"cap", 'c', OPTION_LIST, &eo.caps, "capability to add; may be repeated"},
		{"process-label", 0, OPTION_STRING, &eo.process_label, "SELinux label"},
		{"apparmor", 0, OPTION_STRING, &eo.apparmor, "AppArmor profile"},
		{"no-new-privs", 0, OPTION_FLAG, &eo.no_new_privs, "set no_new_privs"},
		{"preserve-fds", 0, OPTION_UNSIGNED, &eo.preserve_fds,
		 "descriptors beyond 2 to pass on"},
		{"cgroup", 0, OPTION_STRING, &eo.cgroup, "cgroup below the container's"},
		{"ignore-paused", 0, OPTION_FLAG, &eo.ignore_paused, "also while it is paused"},
		{.kind = OPTION_END},
	};
	int next, status = 0;
	int r = options_parse(a, "exec [options] ID [COMMAND [ARGS…]]", rows, argc, argv, &next);

	if (r)
		return r > 0 ? 0 : -1;
	if (argc - next < 1)
		return fail(0, "exec: needs a container id");
	*id = argv[next++];
	if (eo.process && next < argc)
		return fail(0, "exec: --process and a command do not go together");
	for (; next < argc; next++)
		strv_add(a, &eo.args, argv[next]);
	return container_exec(o, &eo, *id, &status) < 0 ? -1 : status;
}
