/* create, run, start: the options of create and run are the same but for four. */
#include "cmd.h"

#define CREATE_ROWS(co)                                                                            \
	{"bundle", 'b', OPTION_STRING, &(co).bundle, "the bundle's folder (default: .)"},          \
		{"config", 'f', OPTION_STRING, &(co).config, "another file than config.json"},     \
		{"console-socket", 0, OPTION_STRING, &(co).console_socket,                         \
		 "socket that receives the terminal's master"},                                    \
		{"pidfd-socket", 0, OPTION_STRING, &(co).pidfd_socket,                             \
		 "socket that receives a pidfd of the process"},                                   \
		{"pid-file", 0, OPTION_STRING, &(co).pid_file, "file to write the process id to"}, \
		{"preserve-fds", 0, OPTION_UNSIGNED, &(co).preserve_fds,                           \
		 "descriptors beyond 2 to pass on"},                                               \
		{"no-new-keyring", 0, OPTION_FLAG, &(co).no_new_keyring,                           \
		 "keep the session keyring"},                                                      \
	/* pivot_root works on every root file system here: there is nothing to avoid. */          \
	{                                                                                          \
		"no-pivot", 0, OPTION_IGNORED_FLAG, NULL, NULL                                     \
	}

int cmd_create(struct arena *a, const struct options *o, int argc, char **argv, const char **id)
{
	struct create_options co = {0};
	const struct option_row rows[] = {CREATE_ROWS(co), {.kind = OPTION_END}};
	int r = options_id(a, "create [options] ID", rows, argc, argv, id);

	return r ? (r > 0 ? 0 : -1) : container_create(o, &co, *id);
}

int cmd_run(struct arena *a, const struct options *o, int argc, char **argv, const char **id)
{
	struct create_options co = {0};
	const struct option_row rows[] = {
		CREATE_ROWS(co),
		{"detach", 'd', OPTION_FLAG, &co.detach, "do not wait for the container"},
		{"keep", 0, OPTION_FLAG, &co.keep, "do not delete the container when it ends"},
		{"no-subreaper", 0, OPTION_IGNORED_FLAG, NULL, NULL},
		{.kind = OPTION_END},
	};
	int status = 0;
	int r = options_id(a, "run [options] ID", rows, argc, argv, id);

	if (r)
		return r > 0 ? 0 : -1;
	return container_run(o, &co, *id, &status) < 0 ? -1 : status;
}

int cmd_start(struct arena *a, const struct options *o, int argc, char **argv, const char **id)
{
	const struct option_row rows[] = {{.kind = OPTION_END}};
	int r = options_id(a, "start ID", rows, argc, argv, id);

	return r ? (r > 0 ? 0 : -1) : container_start(o, *id);
}
