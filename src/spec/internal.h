/* Shared by the parts of the parser; each reads one section of config.json. */
#ifndef CASEMATE_SPEC_INTERNAL_H
#define CASEMATE_SPEC_INTERNAL_H

#include "casemate/error.h"
#include "casemate/path.h"
#include "casemate/spec.h"

/* The object at key of o, or the error that it is missing. */
int read_process(struct arena *a, struct json *o, const char *where, struct spec_process *out);
int read_resources(struct arena *a, struct json *o, const char *where, struct spec_resources *out);
int read_linux(struct spec *s, struct json *o);
int read_mounts(struct spec *s, struct json *array);
int read_kvs(struct arena *a, struct json *o, const char *where, struct kvs *out);

/* Absolute, without "..": a path inside the container or on the host. */
int check_path(const char *where, const char *path);
/* Refuses a property that this version does not do, unless it is empty. */
int refuse(struct json *o, const char *key, const char *where, const char *why);

struct word {
	const char *name;
	unsigned long value;
};
/* Looks name up; -1 with the error that lists what is known. */
int word_find(const struct word *words, size_t n, const char *where, const char *name,
	      unsigned long *value);

#endif
