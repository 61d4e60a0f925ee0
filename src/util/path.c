/* Paths as text. */
#include "casemate/path.h"

#include <string.h>

bool path_is_below(const char *path, const char *top)
{
	size_t n = strlen(top);

	while (n > 1 && top[n - 1] == '/')
		n--;
	return (n == 1 && *top == '/') ||
	       (strncmp(path, top, n) == 0 && (path[n] == '/' || path[n] == '\0'));
}

const char *path_clean(struct arena *a, const char *path)
{
	char *out = arena_alloc(a, strlen(path) + 2), *to = out;

	for (const char *p = path; *p;) {
		p += strspn(p, "/");
		size_t n = strcspn(p, "/");

		if (n == 0 || (n == 1 && *p == '.')) {
			p += n;
			continue;
		}
		if (to != out || *path == '/')
			*to++ = '/';
		memcpy(to, p, n);
		to += n;
		p += n;
	}
	if (to == out)
		*to++ = *path == '/' ? '/' : '.';
	*to = '\0';
	return out;
}
