/* The verbs, and the table-driven option parser that all of them use. */
#ifndef CASEMATE_CMD_H
#define CASEMATE_CMD_H

#include "casemate/container.h"
#include "casemate/mem.h"

enum option_kind {
	OPTION_FLAG,	 /* bool */
	OPTION_STRING,	 /* const char * */
	OPTION_UNSIGNED, /* unsigned */
	OPTION_LIST,	 /* struct strv: may be given several times */
	OPTION_IGNORED_FLAG,
	OPTION_IGNORED_VALUE,
	OPTION_END,
};

struct option_row {
	const char *name; /* long, without dashes */
	char letter;	  /* short; 0: none */
	enum option_kind kind;
	void *out;
	const char *help; /* NULL: accepted for callers, not shown */
};

/* Parses "--name value", "--name=value", "-name value", "-n value" until the
 * first word that is no option. *next is its index. With --help or -h prints
 * the usage and returns 1; 0 otherwise; -1 with error. */
int options_parse(struct arena *a, const char *usage, const struct option_row *rows, int argc,
		  char **argv, int *next);

/* One verb: argv[0] is its name. Returns the exit status or -1 with error. *id
 * is set where it is known, for the message. */
typedef int verb_function(struct arena *a, const struct options *o, int argc, char **argv,
			  const char **id);

verb_function cmd_create, cmd_run, cmd_start, cmd_state, cmd_kill, cmd_delete, cmd_exec, cmd_pause,
	cmd_resume, cmd_update, cmd_events, cmd_doctor, cmd_list, cmd_ps, cmd_features, cmd_spec,
	cmd_check;

/* Exactly one argument, the id: parses rows and sets *id. As options_parse. */
int options_id(struct arena *a, const char *usage, const struct option_row *rows, int argc,
	       char **argv, const char **id);
/* No argument at all. As options_parse. */
int options_none(struct arena *a, const char *usage, const struct option_row *rows, int argc,
		 char **argv);
/* Writes the text to stdout; -1 with error where that fails. */
int print_text(const char *text);

#endif
