/*
 * JSON read into an arena by yajl's event parser, with limits: size, depth,
 * duplicate keys, bytes behind the document, invalid UTF-8 and NUL in strings
 * are errors. And a writer over yajl's generator. Pure: no system call.
 */
#ifndef CASEMATE_JSON_H
#define CASEMATE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "casemate/mem.h"

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
	enum json_type type;
	const char *key;    /* inside an object, else NULL */
	struct json *next;  /* next item or member, in document order */
	struct json *first; /* arrays, objects */
	size_t count;	    /* items or members */
	bool boolean;
	const char *text; /* strings: the value; numbers: as written */
	bool used;	  /* a reader asked for it (json_get); see json_unused */
};

#define json_each(item, container)                                                                 \
	for (struct json *item = (container) ? (container)->first : NULL; item; item = item->next)

enum { JSON_MAX_DEPTH = 64 };

/* Parses one document of at most 32 MiB. Returns the root, or NULL with the
 * error set (EINVAL; line and column in the message). */
struct json *json_parse(struct arena *a, const char *text, size_t len);

/* The member of an object by key, marked used, or NULL (also where value is
 * null in JSON: absent and null are the same to the runtime-spec). */
struct json *json_get(struct json *object, const char *key);

/* Typed readers. where is the place for the error ("process.cwd"). They return
 * 0, or -1 with the error set where the type or range is wrong; a member that
 * is absent leaves *out alone and returns 0, with required: -1. */
int json_str(struct json *o, const char *key, const char *where, bool required, const char **out);
int json_bool(struct json *o, const char *key, const char *where, bool *out);
int json_int(struct json *o, const char *key, const char *where, int64_t min, int64_t max,
	     bool *present, int64_t *out);
int json_uint(struct json *o, const char *key, const char *where, uint64_t max, bool *present,
	      uint64_t *out);
int json_strv(struct arena *a, struct json *o, const char *key, const char *where,
	      struct strv *out);
/* A member that must be an object (or array) where present; *out NULL if not. */
int json_object(struct json *o, const char *key, const char *where, struct json **out);
int json_array(struct json *o, const char *key, const char *where, struct json **out);

/* Appends the places of all members below o that no reader asked for. */
void json_unused(struct arena *a, const struct json *o, const char *where, struct strv *out);

/* Writer: two-space indentation unless compact. Text is owned by the writer's
 * arena. Misuse (a value without a key inside an object) ends in an assert. */
struct json_out;
struct json_out *json_out_new(struct arena *a, bool compact);
void json_out_open(struct json_out *w, const char *key,
		   char kind);		 /* kind '{' or '[' ; key NULL in arrays and at the root */
void json_out_close(struct json_out *w); /* closes the innermost */
void json_out_str(struct json_out *w, const char *key, const char *value); /* NULL value: null */
void json_out_int(struct json_out *w, const char *key, int64_t value);
void json_out_uint(struct json_out *w, const char *key, uint64_t value);
/* text must be a number of JSON. */
void json_out_number(struct json_out *w, const char *key, const char *text);
void json_out_bool(struct json_out *w, const char *key, bool value);
/* The text, NUL-terminated, with one newline at its end. */
const char *json_out_text(struct json_out *w, size_t *len);

#endif
