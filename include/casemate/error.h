/*
 * Errors: one record a process, as with errno, set where a thing fails and
 * given context on the way up; main prints it once. It must never allocate,
 * so that it can be filled in after a failed allocation and sent over a socket
 * as it is. Everybody may call it.
 */
#ifndef CASEMATE_ERROR_H
#define CASEMATE_ERROR_H

#include <stddef.h>

struct error {
	int errnum;	    /* errno value, or 0 where there is none */
	char context[1024]; /* "mounts[3] (/data): ", outermost first */
	char message[8192]; /* what was wrong, with the errno text behind it */
	char hint[1024];    /* what to do; may be empty */
};

/* Sets the record: the formatted message, then ": strerror(errnum)" where
 * errnum is not 0. Drops earlier context and hint. Always returns -1. */
int fail(int errnum, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts the formatted text and ": " in front of the record's context. Always
 * returns -1. */
int fail_in(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Sets the hint (what the reader can do). Always returns -1. */
int fail_hint(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The record of this process; errnum 0 and empty strings where nothing failed.
 * Borrowed; valid until the next fail(). */
const struct error *error_last(void);

/* Replaces the record by one received from another process. The strings are
 * terminated here, whatever the sender put there. Always returns -1. */
int error_adopt(const struct error *e);

void error_clear(void);

/* Writes "context: message" (one line) and, where there is a hint,
 * "; hint: …" behind it, cut to size bytes with a NUL. Newlines in the message
 * become "; ". */
void error_format(const struct error *e, char *buf, size_t size);

#endif
