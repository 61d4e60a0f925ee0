/* The error record: fixed buffers, so that it works when nothing else does. */
#include "casemate/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static struct error last;

int fail(int errnum, const char *fmt, ...)
{
	va_list ap;
	/* The arguments may point into the record (a message built on another). */
	char message[sizeof(last.message)];

	va_start(ap, fmt);
	int n = vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	last = (struct error){.errnum = errnum};
	memcpy(last.message, message, sizeof(message));
	size_t len = strlen(message);
	if (errnum != 0 && n >= 0)
		snprintf(last.message + len, sizeof(last.message) - len, "%s%s", len ? ": " : "",
			 strerror(errnum));
	return -1;
}

int fail_in(const char *fmt, ...)
{
	va_list ap;
	char outer[sizeof(last.context)];
	char inner[sizeof(last.context)];

	va_start(ap, fmt);
	vsnprintf(outer, sizeof(outer), fmt, ap);
	va_end(ap);
	memcpy(inner, last.context, sizeof(inner));
	/* What does not fit is cut at the inner end: the outer place is enough. */
	if (snprintf(last.context, sizeof(last.context), "%.*s: %s", (int)sizeof(outer) - 3, outer,
		     inner) < 0)
		last.context[0] = '\0';
	return -1;
}

int fail_hint(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(last.hint, sizeof(last.hint), fmt, ap);
	va_end(ap);
	return -1;
}

const struct error *error_last(void)
{
	return &last;
}

int error_adopt(const struct error *e)
{
	last = *e;
	last.context[sizeof(last.context) - 1] = '\0';
	last.message[sizeof(last.message) - 1] = '\0';
	last.hint[sizeof(last.hint) - 1] = '\0';
	return -1;
}

void error_clear(void)
{
	last = (struct error){0};
}

void error_format(const struct error *e, char *buf, size_t size)
{
	size_t n = 0;
	const char *parts[] = {e->context, e->message, e->hint[0] ? "; hint: " : "", e->hint};

	if (size == 0)
		return;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		for (const char *p = parts[i]; *p; p++) {
			/* One line whatever is in it: engines show one line, and a
			 * control character would let config.json write on a terminal. */
			const char *c = *p == '\n'				 ? "; "
					: ((unsigned char)*p < ' ' || *p == 127) ? "?"
										 : NULL;
			size_t len = c ? strlen(c) : 1;

			if (n + len >= size)
				goto out;
			memcpy(buf + n, c ? c : p, len);
			n += len;
		}
	}
out:
	buf[n] = '\0';
}
