/* The registry of host ids: 10,000 containers at once, a pool that is used up,
 * reservations whose owner is gone. Its folder is made below the working
 * directory (RANGES in Makefile.am). */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../src/container/plan.h"
#include "casemate/error.h"

#include <cmocka.h>

enum { FIRST = 1u << 30, MANY = 10000, PROCESSES = 4 };

static char dir[] = "/tmp/casemate-test.XXXXXX";

static int begin(void **state)
{
	(void)state;
	return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static int end(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return chdir("/") == 0 && system(command) == 0 ? 0 : -1;
}

static int take(struct container *c, struct arena *a, const char *id, uint32_t first,
		uint32_t ranges)
{
	struct profile p = {.ids = {.first = first, .count = ranges * ID_RANGE}};
	struct spec s = {.arena = a, .own_ids = true};

	if (container_reserve(c, a, "state", id) < 0)
		return -1;
	return ids_reserve(c, &p, &s);
}

/* Takes one and forgets it, as a create that ended well; the first id, 0 where
 * there was none. */
static uint32_t take_one(const char *id, uint32_t first, uint32_t ranges)
{
	_arena_ struct arena *a = arena_new();
	struct container c;
	uint32_t got = take(&c, a, id, first, ranges) == 0 ? c.uid_maps.v[0].host : 0;

	if (!got)
		container_remove(&c);
	container_close(&c);
	return got;
}

static void release(const char *id)
{
	_arena_ struct arena *a = arena_new();
	struct container c;

	assert_int_equal(container_open(&c, a, "state", id, LOCK_HELD), 0);
	assert_int_equal(container_remove(&c), 0);
	container_close(&c);
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Several processes at once fill the pool to its last range. */
static void test_many(void **state)
{
	uint32_t *got = calloc(MANY, sizeof(*got));
	char id[32];
	int pipes[2], status;

	(void)state;
	assert_non_null(got);
	assert_int_equal(pipe(pipes), 0);
	for (int p = 0; p < PROCESSES; p++) {
		if (fork() != 0)
			continue;
		for (int i = p; i < MANY; i += PROCESSES) {
			snprintf(id, sizeof(id), "c%d", i);
			uint32_t first = take_one(id, FIRST, MANY);
			if (write(pipes[1], &first, sizeof(first)) != sizeof(first))
				_exit(1);
		}
		_exit(0);
	}
	for (int i = 0; i < MANY; i++)
		assert_int_equal(read(pipes[0], &got[i], sizeof(got[i])), sizeof(got[i]));
	for (int p = 0; p < PROCESSES; p++)
		assert_true(wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0);
	close(pipes[0]);
	close(pipes[1]);
	qsort(got, MANY, sizeof(*got), compare);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(got[i], FIRST + (uint32_t)i * ID_RANGE);
	free(got);

	assert_int_equal(take_one("more", FIRST, MANY), 0);
	assert_non_null(strstr(error_last()->message, "none of the 10000 ranges"));
	assert_non_null(strstr(error_last()->hint, "user.namespace.pool"));
	/* The refused one left nothing; one that is deleted makes room for one. */
	assert_int_equal(access("state/more", F_OK), -1);
	release("c7");
	assert_int_not_equal(take_one("more", FIRST, MANY), 0);
	assert_int_equal(take_one("evenmore", FIRST, MANY), 0);
}

static void read_owner(uint32_t first, char *owner, size_t size)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "ids/%u", first);
	n = readlink(path, owner, size - 1);
	owner[n > 0 ? n : 0] = '\0';
}

static void test_stale(void **state)
{
	const uint32_t pool = FIRST / 2;
	char owner[256];

	(void)state;
	/* Its state was removed by hand: the range comes back, and only then. */
	assert_int_equal(take_one("a", pool, 1), pool);
	assert_int_equal(take_one("b", pool, 1), 0);
	assert_int_equal(rename("state/a", "gone"), 0);
	assert_int_equal(take_one("b", pool, 1), pool);
	read_owner(pool, owner, sizeof(owner));
	assert_non_null(strstr(owner, "/state/b"));
	/* The first comes back, as one that died between its state and its link would:
	 * its end takes nothing from the second. */
	assert_int_equal(rename("gone", "state/a"), 0);
	release("a");
	read_owner(pool, owner, sizeof(owner));
	assert_non_null(strstr(owner, "/state/b"));
	/* The same id again, with another range: the link tells of one that was. */
	release("b");
	assert_int_equal(take_one("b", pool + ID_RANGE, 1), pool + ID_RANGE);
	assert_int_equal(symlink(owner, "ids/536870912"), 0);
	assert_int_equal(take_one("c", pool, 1), pool);
	/* A state that cannot be read might be a container's. */
	assert_int_equal(truncate("state/c/casemate.json", 3), 0);
	assert_int_equal(take_one("d", pool, 1), 0);
}

/* A process that has ids of the range, whatever became of its state. */
static void test_in_use(void **state)
{
	const uint32_t pool = FIRST / 4;
	char path[64], map[64];
	int ready[2];

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(take_one("e", pool, 1), pool);
	assert_int_equal(rename("state/e", "gone2"), 0);
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWUSER) < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], map, 1), 1);
	snprintf(path, sizeof(path), "/proc/%d/uid_map", (int)pid);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "0 %u 10\n", pool + 1000);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(take_one("f", pool, 1), 0);
	kill(pid, 9);
	waitpid(pid, NULL, 0);
	assert_int_equal(take_one("f", pool, 1), pool);
	close(ready[0]);
	close(ready[1]);
}

/* root, daemon and the like are below 65536 on every host. */
static void test_host_users(void **state)
{
	(void)state;
	assert_int_equal(take_one("g", 0, 1), 0);
	assert_non_null(strstr(error_last()->hint, "1 of them have ids of /etc/passwd"));
	assert_int_equal(take_one("g", 0, 2), ID_RANGE);
}

static void test_nested(void **state)
{
	_arena_ struct arena *a = arena_new();
	struct container c;
	struct id_map many[] = {{0, 1000, 1}, {1, 100000, 65536}}, one = {0, 1000, 1};
	struct spec s = {.arena = a, .own_ids = true, .in_user_namespace = true};

	(void)state;
	assert_int_equal(container_reserve(&c, a, "state", "nested"), 0);
	s.process.uid = 65532;
	s.runtime_uids.v = s.runtime_gids.v = many;
	s.runtime_uids.n = s.runtime_gids.n = 2;
	assert_int_equal(ids_reserve(&c, NULL, &s), 0);
	assert_int_equal(s.uid_maps.n, 2);
	assert_int_equal(s.uid_maps.v[1].container, 1);
	assert_int_equal(s.uid_maps.v[1].host, 1);
	assert_int_equal(s.uid_maps.v[1].size, 65536);
	assert_false(s.idmap);
	s.runtime_uids.v = s.runtime_gids.v = &one;
	s.runtime_uids.n = s.runtime_gids.n = 1;
	assert_int_equal(ids_reserve(&c, NULL, &s), 0);
	assert_int_equal(s.uid_maps.n, 1);
	assert_int_equal(s.uid_maps.v[0].container, 65532);
	assert_int_equal(s.uid_maps.v[0].host, 0);
	container_close(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many),   cmocka_unit_test(test_stale),
		cmocka_unit_test(test_in_use), cmocka_unit_test(test_host_users),
		cmocka_unit_test(test_nested),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
