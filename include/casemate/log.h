/*
 * The log: --log FILE in text or runc's JSON shape, and stderr. It must never
 * write to stdout, and a failing verb appends exactly one error line.
 * main and the verbs call it; nobody else prints.
 */
#ifndef CASEMATE_LOG_H
#define CASEMATE_LOG_H

#include <stdbool.h>

struct error;

enum log_format { LOG_TEXT, LOG_JSON };

/* Opens the file (O_APPEND|O_CREAT, 0644) named by path; NULL means stderr
 * only. Returns 0, or -1 with the error set. */
int log_open(const char *path, enum log_format format, bool debug);

/* Appends the error to the log (level "error") and prints it on stderr, headed
 * by "casemate: VERB ID: " where verb is not NULL. On a terminal several lines
 * and the hint below; otherwise one line, because engines show one line. */
void log_error(const struct error *e, const char *verb, const char *id);

/* A warning: shown and logged only with --debug, because Podman cannot read a
 * log of two lines. */
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A line for --debug only. */
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* In the container's process: forgets the file. Its descriptor is closed with
 * the others there, and its number may come to mean something else. */
void log_detach(void);

#endif
