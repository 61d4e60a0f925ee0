/* The reader: yajl's events into an arena tree, with limits. */
#include "casemate/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "casemate/error.h"
#include "casemate/spec.h"

struct reader {
	struct arena *a;
	struct json *stack[JSON_MAX_DEPTH];
	struct json *last[JSON_MAX_DEPTH]; /* last item of each */
	unsigned depth;
	const char *key;
	struct json *root;
	const char *problem; /* NULL: yajl's own */
};

static int refuse(struct reader *r, const char *problem)
{
	r->problem = problem;
	return 0;
}

static struct json *add(struct reader *r, enum json_type type)
{
	struct json *j = arena_alloc(r->a, sizeof(*j));

	j->type = type;
	if (r->depth == 0) {
		r->root = j;
		return j;
	}
	struct json *parent = r->stack[r->depth - 1];
	if (parent->type == JSON_OBJECT) {
		j->key = r->key;
		r->key = NULL;
	}
	if (r->last[r->depth - 1])
		r->last[r->depth - 1]->next = j;
	else
		parent->first = j;
	r->last[r->depth - 1] = j;
	parent->count++;
	return j;
}

static int on_null(void *ctx)
{
	add(ctx, JSON_NULL);
	return 1;
}

static int on_bool(void *ctx, int value)
{
	add(ctx, JSON_BOOL)->boolean = value;
	return 1;
}

static int on_number(void *ctx, const char *text, size_t len)
{
	struct reader *r = ctx;

	add(r, JSON_NUMBER)->text = arena_strndup(r->a, text, len);
	return 1;
}

/* A NUL would end a C string in the middle of what was checked. */
static const char *string(struct reader *r, const unsigned char *text, size_t len)
{
	return memchr(text, 0, len) ? NULL : arena_strndup(r->a, (const char *)text, len);
}

static int on_string(void *ctx, const unsigned char *text, size_t len)
{
	struct reader *r = ctx;
	const char *s = len ? string(r, text, len) : "";

	if (!s)
		return refuse(r, "a string holds a NUL character");
	add(r, JSON_STRING)->text = s;
	return 1;
}

static int on_key(void *ctx, const unsigned char *text, size_t len)
{
	struct reader *r = ctx;

	r->key = len ? string(r, text, len) : "";
	return r->key ? 1 : refuse(r, "a key holds a NUL character");
}

static int on_open(struct reader *r, enum json_type type)
{
	struct json *j;

	if (r->depth == JSON_MAX_DEPTH)
		return refuse(r, "nested deeper than 64 levels");
	j = add(r, type);
	r->stack[r->depth] = j;
	r->last[r->depth++] = NULL;
	return 1;
}

static int on_map(void *ctx)
{
	return on_open(ctx, JSON_OBJECT);
}

static int on_array(void *ctx)
{
	return on_open(ctx, JSON_ARRAY);
}

static int by_key(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Which of two equal keys counts differs from parser to parser: an engine could
 * check one and the runtime use the other. */
static int on_map_end(void *ctx)
{
	struct reader *r = ctx;
	struct json *o = r->stack[--r->depth];
	const char **keys = arena_array(r->a, o->count + 1, sizeof(*keys));
	size_t n = 0;

	json_each(item, o) keys[n++] = item->key;
	qsort(keys, n, sizeof(*keys), by_key);
	for (size_t i = 1; i < n; i++)
		if (strcmp(keys[i - 1], keys[i]) == 0)
			return refuse(r, arena_printf(r->a, "key \"%s\" is given twice", keys[i]));
	return 1;
}

static int on_array_end(void *ctx)
{
	((struct reader *)ctx)->depth--;
	return 1;
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_bool,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_map,
	.yajl_map_key = on_key,
	.yajl_end_map = on_map_end,
	.yajl_start_array = on_array,
	.yajl_end_array = on_array_end,
};

static void position(const char *text, size_t at, unsigned *line, unsigned *column)
{
	*line = 1;
	*column = 1;
	for (size_t i = 0; i < at; i++) {
		(*column)++;
		if (text[i] == '\n') {
			(*line)++;
			*column = 1;
		}
	}
}

static void explain(struct reader *r, yajl_handle h, const char *text, size_t len)
{
	unsigned char *said = yajl_get_error(h, 0, (const unsigned char *)text, len);
	size_t at = yajl_get_bytes_consumed(h);
	unsigned line, column;

	position(text, at < len ? at : len, &line, &column);
	if (said)
		said[strcspn((char *)said, "\n")] = '\0';
	fail(0, "invalid JSON at line %u, column %u: %s", line, column,
	     r->problem ? r->problem
	     : said	? (char *)said
			: "unexpected end");
	if (said)
		yajl_free_error(h, said);
}

struct json *json_parse(struct arena *a, const char *text, size_t len)
{
	struct reader r = {.a = a};
	yajl_handle h;

	if (len > SPEC_MAX_SIZE) {
		fail(EFBIG, "JSON of %zu bytes", len);
		return NULL;
	}
	h = yajl_alloc(&callbacks, NULL, &r);
	if (!h) {
		fail(ENOMEM, "yajl_alloc");
		return NULL;
	}
	yajl_status st = yajl_parse(h, (const unsigned char *)text, len);
	if (st == yajl_status_ok)
		st = yajl_complete_parse(h);
	if (st != yajl_status_ok)
		explain(&r, h, text, len);
	yajl_free(h);
	if (st == yajl_status_ok && !r.root)
		fail(0, "invalid JSON: nothing is there");
	return st == yajl_status_ok ? r.root : NULL;
}

/* --- typed access ------------------------------------------------------ */

struct json *json_get(struct json *object, const char *key)
{
	if (!object || object->type != JSON_OBJECT)
		return NULL;
	json_each(item, object)
	{
		if (strcmp(item->key, key) == 0) {
			item->used = true;
			return item->type == JSON_NULL ? NULL : item;
		}
	}
	return NULL;
}

static const char *const type_names[] = {"null",     "true or false", "a number",
					 "a string", "an array",      "an object"};

static struct json *typed(struct json *o, const char *key, const char *where, enum json_type type,
			  int *r)
{
	struct json *j = json_get(o, key);

	*r = 0;
	if (j && j->type != type) {
		*r = fail(0, "%s: expected %s, found %s", where, type_names[type],
			  type_names[j->type]);
		return NULL;
	}
	return j;
}

int json_str(struct json *o, const char *key, const char *where, bool required, const char **out)
{
	int r;
	struct json *j = typed(o, key, where, JSON_STRING, &r);

	if (j)
		*out = j->text;
	else if (r == 0 && required)
		return fail(0, "%s: is missing", where);
	return r;
}

int json_bool(struct json *o, const char *key, const char *where, bool *out)
{
	int r;
	struct json *j = typed(o, key, where, JSON_BOOL, &r);

	if (j)
		*out = j->boolean;
	return r;
}

static bool is_integer(const char *s)
{
	s += *s == '-';
	return *s && s[strspn(s, "0123456789")] == '\0';
}

int json_int(struct json *o, const char *key, const char *where, int64_t min, int64_t max,
	     bool *present, int64_t *out)
{
	int r;
	struct json *j = typed(o, key, where, JSON_NUMBER, &r);

	if (present)
		*present = j != NULL;
	if (!j)
		return r;
	errno = 0;
	long long v = strtoll(j->text, NULL, 10);
	if (!is_integer(j->text) || errno || v < min || v > max)
		return fail(0, "%s: %s is not a whole number from %" PRId64 " to %" PRId64, where,
			    j->text, min, max);
	*out = v;
	return 0;
}

int json_uint(struct json *o, const char *key, const char *where, uint64_t max, bool *present,
	      uint64_t *out)
{
	int r;
	struct json *j = typed(o, key, where, JSON_NUMBER, &r);

	if (present)
		*present = j != NULL;
	if (!j)
		return r;
	errno = 0;
	unsigned long long v = strtoull(j->text, NULL, 10);
	if (!is_integer(j->text) || j->text[0] == '-' || errno || v > max)
		return fail(0, "%s: %s is not a whole number from 0 to %" PRIu64, where, j->text,
			    max);
	*out = v;
	return 0;
}

int json_strv(struct arena *a, struct json *o, const char *key, const char *where, struct strv *out)
{
	int r;
	struct json *j = typed(o, key, where, JSON_ARRAY, &r);
	size_t i = 0;

	json_each(item, j)
	{
		if (item->type != JSON_STRING)
			return fail(0, "%s[%zu]: expected a string, found %s", where, i,
				    type_names[item->type]);
		strv_add(a, out, item->text);
		i++;
	}
	return r;
}

int json_object(struct json *o, const char *key, const char *where, struct json **out)
{
	int r;

	*out = typed(o, key, where, JSON_OBJECT, &r);
	return r;
}

int json_array(struct json *o, const char *key, const char *where, struct json **out)
{
	int r;

	*out = typed(o, key, where, JSON_ARRAY, &r);
	return r;
}

void json_unused(struct arena *a, const struct json *o, const char *where, struct strv *out)
{
	size_t i = 0;

	json_each(item, o)
	{
		const char *place =
			item->key ? arena_printf(a, "%s%s%s", where, *where ? "." : "", item->key)
				  : arena_printf(a, "%s[%zu]", where, i++);

		if (item->key && !item->used)
			strv_add(a, out, place);
		else
			json_unused(a, item, place, out);
	}
}
