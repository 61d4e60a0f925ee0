/*
 * Memory: the arena that a spec lives in, and the cleanup attributes that let
 * functions return where they fail. Memory that cannot be had ends the process
 * with a message and status 1; nothing else here can fail.
 */
#ifndef CASEMATE_MEM_H
#define CASEMATE_MEM_H

#include <stddef.h>
#include <stdlib.h>

struct arena;

/* An empty arena; free it with arena_free, or declare it `_arena_`. */
struct arena *arena_new(void);
void arena_free(struct arena *a);

/* size zeroed bytes, aligned for any type; lives as long as the arena. */
void *arena_alloc(struct arena *a, size_t size) __attribute__((alloc_size(2)));
/* Zeroed array; count*size that overflows ends the process. */
void *arena_array(struct arena *a, size_t count, size_t size);
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A growing list of T in an arena: struct { T *v; size_t n, cap; }.
 * vec_add(arena, &list) returns a pointer to the new zeroed last element. */
#define vec_add(a, list)                                                                           \
	((typeof((list)->v))vec_add_(a, (void **)&(list)->v, &(list)->n, &(list)->cap,             \
				     sizeof(*(list)->v)))
void *vec_add_(struct arena *a, void **v, size_t *n, size_t *cap, size_t size);

/* Strings in order. v is NULL-terminated whenever it is not NULL itself, so
 * that it can be given to execve. */
struct strv {
	char **v;
	size_t n, cap;
};
void strv_add(struct arena *a, struct strv *s, const char *item);
int strv_has(const struct strv *s, const char *item); /* 1 or 0 */

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}
static inline void cleanup_arena(struct arena **a)
{
	arena_free(*a);
}
#define _free_	      __attribute__((cleanup(cleanup_free)))
#define _arena_	      __attribute__((cleanup(cleanup_arena)))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
