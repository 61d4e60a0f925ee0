/* File systems that are made for the container: fsopen, the options by
 * fsconfig, and a tmpfs that starts as a copy of what it covers. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "internal.h"

/* Kernel file systems: their superblock is shared with the host or has no
 * read-only state of its own; "ro" is the mount's there. */
static const char *const no_sb_ro[] = {"proc",	"sysfs",  "mqueue", "devpts",
				       "tmpfs", "cgroup", "cgroup2"};

static const struct {
	unsigned long flag;
	const char *name;
} sb_flags[] = {
	/* MS_SILENT only kept the kernel from logging, and has no word here. */
	{MS_RDONLY, "ro"},	   {MS_SYNCHRONOUS, "sync"}, {MS_DIRSYNC, "dirsync"},
	{MS_LAZYTIME, "lazytime"}, {MS_MANDLOCK, "mand"},    {MS_I_VERSION, "iversion"},
};

/* The file system says itself what it did not like ("e tmpfs: Bad value …"). */
int fs_fail(int errnum, int fsfd, const char *what)
{
	char text[512];
	ssize_t n = read(fsfd, text, sizeof(text) - 1);

	if (n <= 2)
		return fail(errnum, "%s", what);
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return fail(errnum, "%s (%s)", what, text + 2);
}

int fs_option(int fsfd, const char *option)
{
	_arena_ struct arena *a = arena_new();
	const char *eq = strchr(option, '=');
	char *key = eq ? arena_strndup(a, option, (size_t)(eq - option)) : NULL;
	int r = eq ? fsconfig(fsfd, FSCONFIG_SET_STRING, key, eq + 1, 0)
		   : fsconfig(fsfd, FSCONFIG_SET_FLAG, option, NULL, 0);

	if (r < 0)
		return fs_fail(errno, fsfd, arena_printf(a, "option %s", option));
	return 0;
}

/* A tmpfs without mode= gets that of the directory it covers. */
static int set_mode(int fsfd, const struct spec_mount *m, int dest)
{
	_arena_ struct arena *a = arena_new();
	struct stat st;

	for (size_t i = 0; i < m->opt.data.n; i++)
		if (strncmp(m->opt.data.v[i], "mode=", 5) == 0)
			return 0;
	if (fstat(dest, &st) < 0)
		return fail(errno, "fstat");
	return fs_option(fsfd, arena_printf(a, "mode=%04o", st.st_mode & 07777));
}

static bool is_kernel_fs(const char *type)
{
	for (size_t i = 0; i < ARRAY_SIZE(no_sb_ro); i++)
		if (strcmp(type, no_sb_ro[i]) == 0)
			return true;
	return false;
}

static int set_options(int fsfd, const struct spec_mount *m, uint64_t flags)
{
	for (size_t i = 0; i < m->opt.data.n; i++)
		if (fs_option(fsfd, m->opt.data.v[i]) < 0)
			return -1;
	for (size_t i = 0; i < ARRAY_SIZE(sb_flags); i++) {
		if (!(flags & sb_flags[i].flag) || fs_option(fsfd, sb_flags[i].name) == 0)
			continue;
		/* The old mount call let it pass where a file system counts no versions. */
		if (sb_flags[i].flag != MS_I_VERSION || error_last()->errnum != EINVAL)
			return -1;
		error_clear();
	}
	return 0;
}

int fs_change(const struct spec_mount *m, int dest)
{
	uint64_t flags = m->opt.sb_set & ~(uint64_t)(MS_RDONLY | MS_SILENT);

	if (m->opt.data.n == 0 && flags == 0)
		return 0;
	_fd_ int fsfd = fspick(dest, "", FSPICK_EMPTY_PATH | FSPICK_CLOEXEC);
	if (fsfd < 0)
		return fail(errno, "cannot change the file system");
	if (set_options(fsfd, m, flags) < 0)
		return -1;
	return fsconfig(fsfd, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) < 0
		       ? fs_fail(errno, fsfd, "cannot change the file system")
		       : 0;
}

static bool takes_label(const char *type)
{
	return strcmp(type, "tmpfs") == 0 || strcmp(type, "devpts") == 0;
}

int fs_make(const struct spec_mount *m, const char *label, int dest)
{
	_arena_ struct arena *a = arena_new();
	uint64_t flags = m->opt.sb_set & ~(uint64_t)(is_kernel_fs(m->type) ? MS_RDONLY : 0);
	_fd_ int fsfd = fsopen(m->type, FSOPEN_CLOEXEC);

	if (fsfd < 0)
		return fail(errno, "type %s", m->type);
	if (m->source && fsconfig(fsfd, FSCONFIG_SET_STRING, "source", m->source, 0) < 0)
		return fs_fail(errno, fsfd, "source");
	if (strcmp(m->type, "tmpfs") == 0 && set_mode(fsfd, m, dest) < 0)
		return -1;
	/* procfs, sysfs and mqueue have labels of the policy's own, by path and task. */
	if (label && takes_label(m->type) &&
	    fs_option(fsfd, arena_printf(a, "context=%s", label)) < 0)
		return -1;
	if (set_options(fsfd, m, flags) < 0)
		return -1;
	if (fsconfig(fsfd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return fs_fail(errno, fsfd, arena_printf(a, "cannot make a %s", m->type));
	int fd = fsmount(fsfd, FSMOUNT_CLOEXEC, 0);
	return fd < 0 ? fs_fail(errno, fsfd, arena_printf(a, "cannot mount a %s", m->type)) : fd;
}

/* --- tmpcopyup --------------------------------------------------------- */

enum { COPY_DEPTH = 64 };

static int copy_dir(int from, int to, unsigned depth);

static int copy_owner(int fd, const struct stat *st)
{
	/* Owner first: changing it takes setuid bits away, which mode gives back. */
	if (fchownat(fd, "", st->st_uid, st->st_gid, AT_EMPTY_PATH) < 0)
		return -1;
	return S_ISLNK(st->st_mode) ? 0 : fchmod(fd, st->st_mode & 07777);
}

static int copy_file(int from, const char *name, int to, const struct stat *st)
{
	/* path: single entries of two directories that are open */
	_fd_ int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	_fd_ int out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ssize_t n;

	if (in < 0 || out < 0)
		return -1;
	while ((n = sendfile(out, in, NULL, 1 << 20)) > 0)
		;
	return n < 0 ? -1 : copy_owner(out, st);
}

static int copy_link(int from, const char *name, int to, const struct stat *st)
{
	/* path: single entries of two directories that are open */
	char target[4096];
	ssize_t n = readlinkat(from, name, target, sizeof(target) - 1);

	if (n < 0)
		return -1;
	target[n] = '\0';
	if (symlinkat(target, to, name) < 0)
		return -1;
	return fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW);
}

static int copy_subdir(int from, const char *name, int to, const struct stat *st, unsigned depth)
{
	/* path: single entries of two directories that are open */
	_fd_ int in = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (in < 0 || mkdirat(to, name, 0700) < 0)
		return -1;
	_fd_ int out = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (out < 0 || copy_dir(in, out, depth + 1) < 0)
		return -1;
	return copy_owner(out, st);
}

/* Entries are opened one by one below descriptors, never through a symlink.
 * Devices, sockets and FIFOs are left out. */
static int copy_dir(int from, int to, unsigned depth)
{
	/* path: single entries of two directories that are open */
	int again = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_dir_ DIR *d = again < 0 ? NULL : fdopendir(again);
	struct dirent *e;
	struct stat st;

	if (!d)
		return -1;
	if (depth > COPY_DEPTH) {
		errno = ELOOP;
		return -1;
	}
	for (errno = 0; (e = readdir(d)); errno = 0) {
		/* path: an entry of from */
		int r = 0;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (fstatat(from, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return -1;
		if (S_ISDIR(st.st_mode))
			r = copy_subdir(from, e->d_name, to, &st, depth);
		else if (S_ISREG(st.st_mode))
			r = copy_file(from, e->d_name, to, &st);
		else if (S_ISLNK(st.st_mode))
			r = copy_link(from, e->d_name, to, &st);
		if (r < 0)
			return -1;
	}
	return errno ? -1 : 0;
}

int copy_up(int from, int to)
{
	struct stat st;

	if (copy_dir(from, to, 0) < 0 || fstat(from, &st) < 0)
		return fail(errno, "tmpcopyup: cannot copy what is below the mount");
	/* fsmount gives an O_PATH descriptor. */
	if (fchownat(to, "", st.st_uid, st.st_gid, AT_EMPTY_PATH) < 0)
		return fail(errno, "tmpcopyup: cannot set the owner");
	return 0;
}
