/* Safe paths: every way that a name in a rootfs can try to lead outside. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "casemate/fd.h"
#include "casemate/rootfs.h"

static char top[] = "/tmp/casemate-rootfs.XXXXXX";
static int root = -1;

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* outside/ stands for the host; rootfs/ is full of links that want to get there. */
static int set_up(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(top));
	assert_int_equal(chdir(top), 0);
	assert_int_equal(mkdir("outside", 0755), 0);
	put("outside/secret", "host");
	assert_int_equal(mkdir("rootfs", 0755), 0);
	assert_int_equal(mkdir("rootfs/etc", 0755), 0);
	assert_int_equal(mkdir("rootfs/dir", 0755), 0);
	put("rootfs/etc/passwd", "inside");
	put("rootfs/secret", "inside");
	assert_int_equal(symlink("../outside", "rootfs/up"), 0);
	assert_int_equal(symlink("../../../../../../../../../etc", "rootfs/dir/far"), 0);
	assert_int_equal(symlink("/etc/passwd", "rootfs/abs"), 0);
	assert_int_equal(symlink("/etc", "rootfs/absdir"), 0);
	assert_int_equal(symlink("loop2", "rootfs/loop1"), 0);
	assert_int_equal(symlink("loop1", "rootfs/loop2"), 0);
	assert_int_equal(symlink("/nowhere/file", "rootfs/dangling"), 0);
	assert_int_equal(symlink("/proc/self/root", "rootfs/magic"), 0);
	root = open("rootfs", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(root >= 0);
	return 0;
}

static int tear_down(void **state)
{
	char cmd[128];

	(void)state;
	close(root);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", top);
	return system(cmd);
}

static void test_open(void **state)
{
	static const struct {
		const char *path;
		int flags;
		unsigned how;
		int err; /* 0: opens and reads "inside" */
	} rows[] = {
		{"/etc/passwd", O_RDONLY, 0, 0},
		{"etc/passwd", O_RDONLY, 0, 0},
		{"/../../../etc/passwd", O_RDONLY, 0, 0},
		{"/abs", O_RDONLY, 0, 0},
		{"/absdir/passwd", O_RDONLY, 0, 0},
		{"/dir/far/passwd", O_RDONLY, 0, 0},
		{"/up/secret", O_RDONLY, 0, ENOENT},
		{"/../outside/secret", O_RDONLY, 0, ENOENT},
		{"/loop1", O_RDONLY, 0, ELOOP},
		{"/dangling", O_RDONLY, 0, ENOENT},
		{"/abs", O_RDONLY, ROOTFS_NOFOLLOW, ELOOP},
		{"/abs", O_PATH, ROOTFS_NOFOLLOW, ELOOP},
		{"/absdir/passwd", O_RDONLY, ROOTFS_NO_SYMLINKS, ELOOP},
		{"/absdir/passwd", O_RDONLY, ROOTFS_NOFOLLOW, 0},
		{"/etc/passwd", O_RDONLY, ROOTFS_NO_SYMLINKS, 0},
		{"", O_RDONLY, 0, EINVAL},
		{"/new", O_RDWR | O_CREAT, 0, EINVAL},
		{"/etc/passwd/x", O_RDONLY, 0, ENOTDIR},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char buf[16] = "";
		int fd = rootfs_open(root, rows[i].path, rows[i].flags, rows[i].how);
		int e = fd < 0 ? errno : 0;

		if (e != rows[i].err)
			fail_msg("%s: %s, expected %s", rows[i].path, strerror(e),
				 strerror(rows[i].err));
		if (fd < 0)
			continue;
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		assert_int_equal(read(fd, buf, sizeof(buf)), 6);
		assert_string_equal(buf, "inside");
		close(fd);
	}
}

/* A procfs inside of the root: its magic links are the way out of CVE-2024-21626. */
static void test_magic_links(void **state)
{
	int host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	assert_int_equal(rootfs_open(host, "/proc/self/root/etc", O_PATH, 0), -1);
	assert_int_equal(errno, ELOOP);
	assert_int_equal(rootfs_open(host, "/proc/self/fd/0", O_PATH, 0), -1);
	assert_int_equal(errno, ELOOP);
	close(host);
}

static void test_mkdirs(void **state)
{
	struct stat st;

	(void)state;
	int fd = rootfs_mkdirs(root, "/a/b/c", 0755);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(stat("rootfs/a/b/c", &st), 0);
	/* Through a link: made where the link leads inside. */
	fd = rootfs_mkdirs(root, "/absdir/made/here", 0755);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(stat("rootfs/etc/made/here", &st), 0);
	/* A link that leads out is resolved inside, where nothing is: a dangling link. */
	assert_int_equal(rootfs_mkdirs(root, "/up/x", 0755), -1);
	assert_int_equal(stat("outside/x", &st), -1);
	assert_int_equal(rootfs_mkdirs(root, "/dangling/x", 0755), -1);
	assert_int_equal(rootfs_mkdirs(root, "/secret/x", 0755), -1);
	assert_int_equal(errno, ENOTDIR);
	assert_int_equal(rootfs_mkdirs(root, "/no/../../x", 0755) >= 0, 1);
	assert_int_equal(stat("x", &st), -1);
}

static void test_mkfile(void **state)
{
	struct stat st;

	(void)state;
	int fd = rootfs_mkfile(root, "/m/n/file", 0644);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(stat("rootfs/m/n/file", &st), 0);
	assert_true(S_ISREG(st.st_mode));
	/* What is there stays as it is. */
	fd = rootfs_mkfile(root, "/etc/passwd", 0644);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(stat("rootfs/etc/passwd", &st), 0);
	assert_int_equal(st.st_size, 6);
	assert_int_equal(rootfs_mkfile(root, "/dangling", 0644), -1);
	assert_int_equal(rootfs_mkfile(root, "/up/secret2", 0644), -1);
	assert_int_equal(stat("outside/secret2", &st), -1);
}

static void test_parent(void **state)
{
	static const char *const bad[] = {"/", "", "..", "/a/..", "/a/.", "/dir/"};
	const char *name = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(rootfs_parent(root, bad[i], 0755, &name), -1);
		assert_int_equal(errno, EINVAL);
	}
	int fd = rootfs_parent(root, "/q/r/node", 0755, &name);
	assert_true(fd >= 0);
	assert_string_equal(name, "node");
	close(fd);
	fd = rootfs_parent(root, "node", 0, &name);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(rootfs_parent(root, "/none/node", 0, &name), -1);
	assert_int_equal(errno, ENOENT);
}

static void test_reopen(void **state)
{
	char buf[8] = "";
	int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fake = open(top, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = rootfs_open(root, "/etc/passwd", O_PATH, 0);

	(void)state;
	int again = fd_reopen(proc, fd, O_RDONLY);
	assert_true(again >= 0);
	assert_int_equal(read(again, buf, 6), 6);
	assert_int_equal(fd_reopen(fake, fd, O_RDONLY), -1);
	assert_int_equal(errno, EXDEV);
	close(again);
	close(fd);
	close(fake);
	close(proc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open),   cmocka_unit_test(test_magic_links),
		cmocka_unit_test(test_mkdirs), cmocka_unit_test(test_mkfile),
		cmocka_unit_test(test_parent), cmocka_unit_test(test_reopen),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
