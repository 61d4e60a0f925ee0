/* The log file and stderr. */
#include "casemate/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "casemate/error.h"
#include "casemate/fd.h"
#include "casemate/json.h"

static struct {
	int fd; /* 0: none, since 0 is never a log */
	enum log_format format;
	bool debug;
} log_state;

int log_open(const char *path, enum log_format format, bool debug)
{
	log_state.format = format;
	log_state.debug = debug;
	if (!path)
		return 0;
	int fd = open(path, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644);
	if (fd < 0)
		return fail(errno, "--log: cannot open %s", path);
	/* Descriptors 0 to 2 belong to the container, also where they were closed. */
	if (fd <= 2) {
		int high = fcntl(fd, F_DUPFD_CLOEXEC, 3);

		close(fd);
		if (high < 0)
			return fail(errno, "--log: cannot use %s", path);
		fd = high;
	}
	log_state.fd = fd;
	return 0;
}

/* One line in the file, in one write: several runtimes append to one file. */
static void file_line(const char *level, const char *message)
{
	_arena_ struct arena *a = arena_new();
	char when[64];
	struct timespec now;
	struct tm tm;
	size_t len;
	const char *line;

	if (log_state.fd <= 0)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (log_state.format == LOG_JSON) {
		struct json_out *w = json_out_new(a, true);

		json_out_open(w, NULL, '{');
		json_out_str(w, "level", level);
		json_out_str(w, "msg", message);
		json_out_str(w, "time", when);
		json_out_close(w);
		line = json_out_text(w, &len);
	} else {
		line = arena_printf(a, "time=\"%s\" level=%s msg=\"%s\"\n", when, level, message);
		len = strlen(line);
	}
	/* A log that cannot be written must not hide the error on stderr. */
	(void)fd_write_all(log_state.fd, line, len);
}

/* Text from config.json must not write escape sequences on a terminal. */
static void put_text(const char *s)
{
	for (; *s; s++)
		fputc(((unsigned char)*s < ' ' && *s != '\n') || *s == 127 ? '?' : *s, stderr);
}

/* For people: the place and the message, a refusal a line, the hint below. */
static void tty_error(const struct error *e, const char *head)
{
	put_text(head);
	put_text(e->context);
	put_text(e->message);
	fputs(e->hint[0] ? "\n  hint: " : "", stderr);
	put_text(e->hint);
	fputc('\n', stderr);
}

void log_error(const struct error *e, const char *verb, const char *id)
{
	char head[1200] = "casemate: ", line[sizeof(struct error) + 256];

	if (verb)
		snprintf(head, sizeof(head), "casemate: %s%s%s: ", verb, id ? " " : "",
			 id ? id : "");
	/* An id from the command line may hold anything. */
	for (char *p = head; *p; p++)
		*p = (unsigned char)*p < ' ' || *p == 127 ? '?' : *p;
	error_format(e, line, sizeof(line));
	if (isatty(STDERR_FILENO))
		tty_error(e, head);
	else
		fprintf(stderr, "%s%s\n", head, line);
	file_line("error", line);
}

static void line_if_debug(const char *level, const char *fmt, va_list ap)
{
	char message[4096];

	if (!log_state.debug)
		return;
	vsnprintf(message, sizeof(message), fmt, ap);
	if (log_state.fd > 0)
		file_line(level, message);
	else
		fprintf(stderr, "casemate: %s: %s\n", level, message);
}

void log_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	line_if_debug("warning", fmt, ap);
	va_end(ap);
}

void log_debug(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	line_if_debug("debug", fmt, ap);
	va_end(ap);
}

void log_detach(void)
{
	log_state.fd = 0;
	log_state.debug = false;
}
