/* /proc/self/mountinfo. */
#include "casemate/mountinfo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "casemate/fd.h"
#include "casemate/path.h"

enum { MOUNTINFO_MAX = 64 << 20 };

/* Blanks, line breaks and backslashes are written as octal numbers. */
const char *mountinfo_unescape(char *s)
{
	char *to = s, *from = s;

	for (; *from; from++) {
		if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] && from[3]) {
			*to++ = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 +
				       (from[3] - '0'));
			from += 3;
		} else {
			*to++ = *from;
		}
	}
	*to = '\0';
	return s;
}

/* "36 35 98:0 ROOT POINT OPTIONS … - TYPE SOURCE SUPER" */
static bool parse_line(char *line, struct mount_entry *e)
{
	enum { ID, PARENT, NUMBER, ROOT, POINT, FIELDS };
	char *field[FIELDS], *tail = strstr(line, " - "), *save;

	for (int i = 0; i < FIELDS; i++)
		if (!(field[i] = strtok_r(i ? NULL : line, " ", &save)))
			return false;
	if (!tail || field[POINT] > tail ||
	    sscanf(field[NUMBER], "%u:%u", &e->major, &e->minor) != 2)
		return false;
	e->id = atoi(field[ID]);
	e->root = mountinfo_unescape(field[ROOT]);
	e->point = mountinfo_unescape(field[POINT]);
	e->type = strtok_r(tail + 3, " ", &save);
	const char *source = strtok_r(NULL, " ", &save);
	e->super = source ? strtok_r(NULL, " ", &save) : NULL;
	return e->super != NULL;
}

void mountinfo_parse(struct arena *a, const char *text, struct mountinfo *out)
{
	char *copy = arena_strdup(a, text), *save;

	*out = (struct mountinfo){0};
	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		struct mount_entry e;

		if (parse_line(line, &e))
			*vec_add(a, out) = e;
	}
}

int mountinfo_read(struct arena *a, struct mountinfo *out)
{
	char *text = file_read(a, AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, NULL);

	if (!text)
		return -1;
	mountinfo_parse(a, text, out);
	return 0;
}

const struct mount_entry *mountinfo_find(const struct mountinfo *m, int id)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].id == id)
			return &m->v[i];
	return NULL;
}

/* What is behind top in path, which is below it; "" or "/…". */
static const char *rest(const char *path, const char *top)
{
	return strcmp(top, "/") == 0 ? (strcmp(path, "/") == 0 ? "" : path) : path + strlen(top);
}

static const char *join(struct arena *a, const char *top, const char *below)
{
	const char *path = arena_printf(a, "%s%s", strcmp(top, "/") == 0 ? "" : top, below);

	return *path ? path : "/";
}

void mountinfo_names(struct arena *a, const struct mountinfo *m, const struct mount_entry *at,
		     const char *path, struct strv *out)
{
	if (!strv_has(out, path))
		strv_add(a, out, path);
	if (!path_is_below(path, at->point))
		return;
	const char *inside = join(a, at->root, rest(path, at->point));

	for (size_t i = 0; i < m->n; i++) {
		const struct mount_entry *e = &m->v[i];

		const char *name = NULL;

		if (e->major != at->major || e->minor != at->minor)
			continue;
		if (path_is_below(inside, e->root))
			name = join(a, e->point, rest(inside, e->root));
		else if (path_is_below(e->root, inside))
			name = e->point; /* something in it is mounted there */
		if (name && !strv_has(out, name))
			strv_add(a, out, name);
	}
}
