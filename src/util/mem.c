/* The arena: blocks in a list, bump allocation, freed as a whole. */
#include "casemate/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* The arena owns what is handed out; the analyzer loses sight of it in the list. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

enum { BLOCK = 32 * 1024, ALIGN = 16 };

struct block {
	struct block *next;
	size_t size, used;
	_Alignas(ALIGN) char data[];
};

struct arena {
	struct block *head;
};

static _Noreturn void out_of_memory(void)
{
	static const char text[] = "casemate: out of memory\n";

	fwrite(text, 1, sizeof(text) - 1, stderr);
	_Exit(EXIT_FAILURE);
}

struct arena *arena_new(void)
{
	struct arena *a = calloc(1, sizeof(*a));

	if (!a)
		out_of_memory();
	return a;
}

void arena_free(struct arena *a)
{
	if (!a)
		return;
	for (struct block *b = a->head, *next; b; b = next) {
		next = b->next;
		free(b);
	}
	free(a);
}

void *arena_alloc(struct arena *a, size_t size)
{
	struct block *b = a->head;

	if (size > SIZE_MAX / 2)
		out_of_memory();
	size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (!b || b->size - b->used < size) {
		size_t want = size > BLOCK ? size : BLOCK;

		b = calloc(1, sizeof(*b) + want);
		if (!b)
			out_of_memory();
		b->size = want;
		/* A block made for one large item is full: keep the open one in front. */
		if (a->head && want == size) {
			b->next = a->head->next;
			a->head->next = b;
		} else {
			b->next = a->head;
			a->head = b;
		}
	}
	void *p = b->data + b->used;
	b->used += size;
	return p;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(count, size, &total))
		out_of_memory();
	return arena_alloc(a, total);
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *p = arena_alloc(a, len + 1);

	memcpy(p, s, len);
	return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
	size_t size = strlen(s) + 1;
	char *p = arena_alloc(a, size);

	memcpy(p, s, size);
	return p;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;

	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		out_of_memory();
	char *p = arena_alloc(a, (size_t)n + 1);
	vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	return p;
}

void *vec_add_(struct arena *a, void **v, size_t *n, size_t *cap, size_t size)
{
	if (*n == *cap) {
		size_t more = *cap ? *cap * 2 : 8;
		void *bigger = arena_array(a, more, size);

		if (*n)
			memcpy(bigger, *v, *n * size);
		*v = bigger;
		*cap = more;
	}
	void *item = (char *)*v + *n * size;
	(*n)++;
	return memset(item, 0, size);
}

void strv_add(struct arena *a, struct strv *s, const char *item)
{
	/* One more than wanted, so that the list stays NULL-terminated. */
	*vec_add(a, s) = NULL;
	*vec_add(a, s) = NULL;
	s->n--;
	s->v[s->n - 1] = arena_strdup(a, item);
}

int strv_has(const struct strv *s, const char *item)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->v[i], item) == 0)
			return 1;
	return 0;
}
