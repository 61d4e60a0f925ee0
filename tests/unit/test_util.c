/* Errors, memory, descriptors. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#undef fail /* the project's own is meant below */

#include "casemate/error.h"
#include "casemate/fd.h"
#include "casemate/mem.h"
#include "casemate/mountinfo.h"
#include "casemate/path.h"

static void test_error(void **state)
{
	char line[256], small[8];

	(void)state;
	assert_int_equal(fail(ENOENT, "cannot open %s", "x"), -1);
	fail_in("mounts[%d]", 3);
	fail_in("create");
	fail_hint("do %s", "this");
	error_format(error_last(), line, sizeof(line));
	assert_string_equal(line, "create: mounts[3]: cannot open x: No such file or directory; "
				  "hint: do this");
	assert_int_equal(error_last()->errnum, ENOENT);
	error_format(error_last(), small, sizeof(small));
	assert_string_equal(small, "create:");
	/* A new one drops what was there. */
	fail(0, "other");
	error_format(error_last(), line, sizeof(line));
	assert_string_equal(line, "other");
	/* Lines are joined, control characters cannot reach a terminal. */
	fail(0, "a\nb\033[31mc");
	error_format(error_last(), line, sizeof(line));
	assert_string_equal(line, "a; b?[31mc");
	error_clear();
	assert_string_equal(error_last()->message, "");
}

static void test_error_own_text(void **state)
{
	(void)state;
	fail(0, "inner");
	fail(0, "outer: %s", error_last()->message);
	assert_string_equal(error_last()->message, "outer: inner");
	for (int i = 0; i < 1000; i++)
		fail_in("a place with a name of some length");
	assert_true(strlen(error_last()->context) < sizeof(error_last()->context));
}

static void test_error_adopt(void **state)
{
	struct error e;

	(void)state;
	memset(&e, 'x', sizeof(e));
	error_adopt(&e);
	assert_int_equal(strlen(error_last()->context), sizeof(e.context) - 1);
	assert_int_equal(strlen(error_last()->message), sizeof(e.message) - 1);
	assert_int_equal(strlen(error_last()->hint), sizeof(e.hint) - 1);
	error_clear();
}

static void test_arena(void **state)
{
	struct arena *a = arena_new();

	(void)state;
	for (size_t n = 0; n < 5000; n += 7) {
		unsigned char *p = arena_alloc(a, n);

		assert_int_equal((uintptr_t)p % 16, 0);
		for (size_t i = 0; i < n; i++) {
			assert_int_equal(p[i], 0);
			p[i] = 0xff;
		}
	}
	/* Large ones between small ones. */
	char *big = arena_alloc(a, 1 << 20), *small = arena_strdup(a, "small");
	memset(big, 1, 1 << 20);
	assert_string_equal(small, "small");
	assert_string_equal(arena_strndup(a, "abcdef", 3), "abc");
	assert_string_equal(arena_printf(a, "%d-%s", 7, "x"), "7-x");
	arena_free(a);
}

static void test_lists(void **state)
{
	struct arena *a = arena_new();
	struct strv s = {0};

	(void)state;
	for (int i = 0; i < 1000; i++) {
		strv_add(a, &s, arena_printf(a, "%d", i));
		assert_int_equal(s.n, i + 1);
		assert_null(s.v[s.n]);
	}
	for (int i = 0; i < 1000; i++)
		assert_int_equal(atoi(s.v[i]), i);
	assert_true(strv_has(&s, "999"));
	assert_false(strv_has(&s, "1000"));
	arena_free(a);
}

static void test_files(void **state)
{
	char dir[] = "/tmp/casemate-util.XXXXXX", path[64];
	struct arena *a = arena_new();
	struct stat st;
	size_t len = 0;

	(void)state;
	assert_non_null(mkdtemp(dir));
	int d = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(file_replace(d, "f", "12345", 5, 0600), 0);
	assert_int_equal(file_replace(d, "f", "123", 3, 0644), 0);
	assert_string_equal(file_read(a, d, "f", 3, &len), "123");
	assert_int_equal(len, 3);
	assert_int_equal(fstatat(d, "f", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	assert_null(file_read(a, d, "f", 2, &len));
	assert_int_equal(error_last()->errnum, EFBIG);
	assert_null(file_read(a, d, ".", 9, &len));
	assert_null(file_read(a, d, "none", 9, &len));
	assert_int_equal(error_last()->errnum, ENOENT);
	/* A FIFO must not hang the reader. */
	assert_int_equal(mkfifoat(d, "fifo", 0600), 0);
	assert_null(file_read(a, d, "fifo", 9, &len));
	assert_int_equal(file_write(d, "f", "x"), 0);
	assert_int_equal(file_write(d, "none", "x"), -1);
	assert_int_equal(faccessat(d, "none", F_OK, 0), -1);
	/* Files that the kernel gives no size. */
	assert_non_null(strstr(file_read(a, AT_FDCWD, "/proc/self/status", 1 << 16, &len), "Pid:"));
	unlinkat(d, "f", 0);
	unlinkat(d, "fifo", 0);
	snprintf(path, sizeof(path), "%s", dir);
	assert_int_equal(rmdir(path), 0); /* no temporary file is left */
	close(d);
	arena_free(a);
}

static void test_pass(void **state)
{
	int pair[2], got = -2;
	char buf[8] = "";
	struct stat sent, received;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(fd_send(pair[0], "hi", 2, STDIN_FILENO), 0);
	assert_int_equal(fd_recv(pair[1], buf, sizeof(buf), &got), 2);
	assert_true(got >= 0);
	assert_true(fcntl(got, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fstat(STDIN_FILENO, &sent), 0);
	assert_int_equal(fstat(got, &received), 0);
	assert_int_equal(sent.st_ino, received.st_ino);
	close(got);
	assert_int_equal(fd_send(pair[0], "x", 1, -1), 0);
	assert_int_equal(fd_recv(pair[1], buf, sizeof(buf), &got), 1);
	assert_int_equal(got, -1);
	close(pair[0]);
	assert_int_equal(fd_recv(pair[1], buf, sizeof(buf), &got), 0);
	assert_int_equal(fd_send(pair[1], "x", 1, -1), -1); /* and no SIGPIPE */
	assert_int_equal(errno, EPIPE);
	close(pair[1]);
}

static void test_paths(void **state)
{
	const struct {
		const char *path, *top;
		bool below;
	} rows[] = {{"/etc", "/etc", true},    {"/etc/x", "/etc", true},
		    {"/etc/x", "/etc/", true}, {"/etcetera", "/etc", false},
		    {"/", "/etc", false},      {"/etc", "/", true}};
	const char *const clean[][2] = {
		{"/a//b/./c/", "/a/b/c"}, {"/", "/"}, {"//./", "/"},
		{"a/./b", "a/b"},	  {".", "."}, {"/a/../b", "/a/../b"}};
	_arena_ struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(path_is_below(rows[i].path, rows[i].top), rows[i].below);
	for (size_t i = 0; i < ARRAY_SIZE(clean); i++)
		assert_string_equal(path_clean(a, clean[i][0]), clean[i][1]);
}

static void test_mountinfo(void **state)
{
	static const char text[] =
		"20 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"
		"21 20 8:1 /etc /var/vol\\040ume rw shared:1 master:2 - ext4 /dev/sda1 rw\n"
		"22 20 0:5 / /proc rw - proc proc rw\n"
		"nonsense\n"
		"23 20 8:2 /@home /home rw - btrfs /dev/sdb rw,subvol=/@home\n";
	_arena_ struct arena *a = arena_new();
	struct mountinfo m;
	struct strv names = {0};

	(void)state;
	mountinfo_parse(a, text, &m);
	assert_int_equal(m.n, 4);
	assert_string_equal(m.v[1].point, "/var/vol ume");
	assert_string_equal(m.v[3].super, "rw,subvol=/@home");
	assert_null(mountinfo_find(&m, 99));
	mountinfo_names(a, &m, mountinfo_find(&m, 21), "/var/vol ume/ssh", &names);
	assert_int_equal(names.n, 2);
	assert_string_equal(names.v[0], "/var/vol ume/ssh");
	assert_string_equal(names.v[1], "/etc/ssh");
	names.n = 0;
	mountinfo_names(a, &m, mountinfo_find(&m, 20), "/etc", &names);
	assert_int_equal(names.n, 2);
	assert_string_equal(names.v[1], "/var/vol ume");
	names.n = 0;
	mountinfo_names(a, &m, mountinfo_find(&m, 20), "/", &names);
	assert_true(strv_has(&names, "/var/vol ume"));
	names.n = 0;
	mountinfo_names(a, &m, mountinfo_find(&m, 23), "/home/u", &names);
	assert_int_equal(names.n, 1);
	assert_int_equal(mountinfo_read(a, &m), 0);
	assert_true(m.n > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_error),	    cmocka_unit_test(test_error_own_text),
		cmocka_unit_test(test_error_adopt), cmocka_unit_test(test_arena),
		cmocka_unit_test(test_lists),	    cmocka_unit_test(test_files),
		cmocka_unit_test(test_pass),	    cmocka_unit_test(test_paths),
		cmocka_unit_test(test_mountinfo),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
