/* The writer over yajl_gen. */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <yajl/yajl_gen.h>

#include "casemate/json.h"

struct json_out {
	struct arena *a;
	yajl_gen gen;
	char kind[JSON_MAX_DEPTH];
	unsigned depth;
	bool compact;
	struct {
		char *v;
		size_t n, cap;
	} text;
};

/* yajl prints piecewise; the arena has no realloc, so the text doubles. */
static void append(void *ctx, const char *s, size_t len)
{
	struct json_out *w = ctx;

	if (w->text.n + len + 2 > w->text.cap) {
		size_t cap = (w->text.cap + len + 2) * 2;
		char *bigger = arena_alloc(w->a, cap);

		if (w->text.n)
			memcpy(bigger, w->text.v, w->text.n);
		w->text.v = bigger;
		w->text.cap = cap;
	}
	memcpy(w->text.v + w->text.n, s, len);
	w->text.n += len;
}

struct json_out *json_out_new(struct arena *a, bool compact)
{
	struct json_out *w = arena_alloc(a, sizeof(*w));

	w->a = a;
	w->compact = compact;
	w->gen = yajl_gen_alloc(NULL);
	if (!w->gen)
		abort();
	yajl_gen_config(w->gen, yajl_gen_beautify, !compact);
	yajl_gen_config(w->gen, yajl_gen_indent_string, "  ");
	yajl_gen_config(w->gen, yajl_gen_print_callback, append, w);
	return w;
}

static void check(yajl_gen_status st)
{
	assert(st == yajl_gen_status_ok || st == yajl_gen_generation_complete);
	(void)st;
}

/* Paths of the host need not be UTF-8, JSON must be: what is not becomes '?'. */
static void put_string(struct json_out *w, const char *s)
{
	size_t len = strlen(s);
	char *clean = arena_strdup(w->a, s);

	for (size_t i = 0; i < len;) {
		unsigned char c = (unsigned char)s[i];
		size_t n = c < 0x80		     ? 1
			   : (c >= 0xc2 && c < 0xe0) ? 2
			   : (c >= 0xe0 && c < 0xf0) ? 3
			   : (c >= 0xf0 && c < 0xf5) ? 4
						     : 0;
		size_t k = 1;

		while (k < n && ((unsigned char)s[i + k] & 0xc0) == 0x80)
			k++;
		if (n == 0 || k != n) {
			clean[i++] = '?';
			continue;
		}
		i += n;
	}
	check(yajl_gen_string(w->gen, (const unsigned char *)clean, len));
}

static void put_key(struct json_out *w, const char *key)
{
	bool in_object = w->depth > 0 && w->kind[w->depth - 1] == '{';

	assert(in_object == (key != NULL));
	if (key)
		put_string(w, key);
}

void json_out_open(struct json_out *w, const char *key, char kind)
{
	assert(w->depth < JSON_MAX_DEPTH);
	put_key(w, key);
	w->kind[w->depth++] = kind;
	check(kind == '{' ? yajl_gen_map_open(w->gen) : yajl_gen_array_open(w->gen));
}

void json_out_close(struct json_out *w)
{
	assert(w->depth > 0);
	check(w->kind[--w->depth] == '{' ? yajl_gen_map_close(w->gen)
					 : yajl_gen_array_close(w->gen));
}

void json_out_str(struct json_out *w, const char *key, const char *value)
{
	put_key(w, key);
	if (value)
		put_string(w, value);
	else
		check(yajl_gen_null(w->gen));
}

void json_out_number(struct json_out *w, const char *key, const char *text)
{
	put_key(w, key);
	check(yajl_gen_number(w->gen, text, strlen(text)));
}

void json_out_int(struct json_out *w, const char *key, int64_t value)
{
	json_out_number(w, key, arena_printf(w->a, "%lld", (long long)value));
}

void json_out_uint(struct json_out *w, const char *key, uint64_t value)
{
	json_out_number(w, key, arena_printf(w->a, "%llu", (unsigned long long)value));
}

void json_out_bool(struct json_out *w, const char *key, bool value)
{
	put_key(w, key);
	check(yajl_gen_bool(w->gen, value));
}

const char *json_out_text(struct json_out *w, size_t *len)
{
	assert(w->depth == 0);
	yajl_gen_free(w->gen);
	if (w->text.n == 0 || w->text.v[w->text.n - 1] != '\n')
		append(w, "\n", 1);
	w->text.v[w->text.n] = '\0';
	if (len)
		*len = w->text.n;
	return w->text.v;
}
