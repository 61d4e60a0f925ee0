/* Options as the engines write them: Go's flag package takes one dash for two. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "casemate/error.h"
#include "cmd.h"

static void print_help(const char *usage, const struct option_row *rows)
{
	printf("Usage: casemate %s\n", usage);
	if (rows->kind != OPTION_END)
		printf("\nOptions:\n");
	for (; rows->kind != OPTION_END; rows++) {
		char left[64], letter[8] = "";

		if (!rows->help)
			continue;
		if (rows->letter)
			snprintf(letter, sizeof(letter), ", -%c", rows->letter);
		snprintf(left, sizeof(left), "--%s%s%s", rows->name, letter,
			 rows->kind == OPTION_FLAG ? "" : " VALUE");
		printf("  %-30s %s\n", left, rows->help);
	}
}

static const struct option_row *find(const struct option_row *rows, const char *name, size_t n)
{
	for (; rows->kind != OPTION_END; rows++)
		if ((strlen(rows->name) == n && strncmp(rows->name, name, n) == 0) ||
		    (n == 1 && rows->letter == *name))
			return rows;
	return NULL;
}

static int set_flag(const struct option_row *row, const char *value)
{
	/* What Go's strconv.ParseBool takes. */
	static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
	static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False"};
	bool on = !value, off = false;

	for (size_t i = 0; value && i < ARRAY_SIZE(yes); i++) {
		on = on || strcmp(value, yes[i]) == 0;
		off = off || strcmp(value, no[i]) == 0;
	}
	if (!on && !off)
		return fail(EINVAL, "--%s: \"%s\" is not true or false", row->name, value);
	if (row->out)
		*(bool *)row->out = on;
	return 0;
}

static int set_value(struct arena *a, const struct option_row *row, const char *value)
{
	char *end;
	unsigned long v;

	switch (row->kind) {
	case OPTION_STRING:
		/* Callers write "" for what they do not set. */
		if (*value)
			*(const char **)row->out = value;
		return 0;
	case OPTION_LIST:
		strv_add(a, row->out, value);
		return 0;
	case OPTION_UNSIGNED:
		v = strtoul(value, &end, 10);
		if (end == value || *end || *value == '-' || v > 65536)
			return fail(EINVAL, "--%s: \"%s\" is not a number", row->name, value);
		*(unsigned *)row->out = (unsigned)v;
		return 0;
	default:
		return 0;
	}
}

int options_parse(struct arena *a, const char *usage, const struct option_row *rows, int argc,
		  char **argv, int *next)
{
	int i = 1;

	*next = argc;
	for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
		const char *name = argv[i] + (argv[i][1] == '-' ? 2 : 1);
		size_t n = strcspn(name, "=");
		const char *value = name[n] == '=' ? name + n + 1 : NULL;

		if (strcmp(argv[i], "--") == 0) {
			i++;
			break;
		}
		if (strcmp(name, "help") == 0 || strcmp(argv[i], "-h") == 0) {
			print_help(usage, rows);
			return 1;
		}
		const struct option_row *row = find(rows, name, n);
		if (!row) {
			fail(EINVAL, "unknown option %s", argv[i]);
			return fail_hint("casemate %.*s%s--help lists the options",
					 (int)strcspn(usage, " ["), usage,
					 *usage == '[' ? "" : " ");
		}
		if (row->kind == OPTION_FLAG || row->kind == OPTION_IGNORED_FLAG) {
			if (set_flag(row, value) < 0)
				return -1;
			continue;
		}
		if (!value && ++i == argc)
			return fail(0, "flag needs an argument: --%s", row->name);
		if (set_value(a, row, value ? value : argv[i]) < 0)
			return -1;
	}
	*next = i;
	return 0;
}

int options_id(struct arena *a, const char *usage, const struct option_row *rows, int argc,
	       char **argv, const char **id)
{
	const char *verb = argv[0];
	int next, r = options_parse(a, usage, rows, argc, argv, &next);

	if (r == 0 && next < argc) {
		*id = argv[next];
		/* runc takes options behind the id, too. */
		argc -= next;
		argv += next;
		r = options_parse(a, usage, rows, argc, argv, &next);
		if (r == 0 && next == argc)
			return 0;
	}
	if (r != 0)
		return r;
	fail(EINVAL, "%s: needs exactly one container id", verb);
	return fail_hint("casemate %s", usage);
}

int options_none(struct arena *a, const char *usage, const struct option_row *rows, int argc,
		 char **argv)
{
	int next, r = options_parse(a, usage, rows, argc, argv, &next);

	if (r == 0 && next < argc)
		return fail(EINVAL, "%s: takes no argument \"%s\"", argv[0], argv[next]);
	return r;
}

int print_text(const char *text)
{
	if (fputs(text, stdout) < 0 || fflush(stdout) != 0)
		return fail(errno, "cannot write to standard output");
	return 0;
}
