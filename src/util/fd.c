/* Whole files and descriptor passing. */
#include "casemate/fd.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "casemate/error.h"

char *fd_read_all(struct arena *a, int fd, size_t max, size_t *len)
{
	struct stat st;
	size_t cap = 4096, n = 0;

	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
		cap = (size_t)st.st_size + 1;
	if (cap > max + 1)
		cap = max + 1;
	char *buf = arena_alloc(a, cap + 1);
	for (;;) {
		ssize_t r = read(fd, buf + n, cap - n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0) {
			fail(errno, "cannot read");
			return NULL;
		}
		if (r == 0)
			break;
		n += (size_t)r;
		if (n > max) {
			fail(EFBIG, "larger than %zu bytes", max);
			return NULL;
		}
		if (n == cap) {
			char *bigger = arena_alloc(a, cap * 2 + 1);

			memcpy(bigger, buf, n);
			buf = bigger;
			cap *= 2;
		}
	}
	buf[n] = '\0';
	if (len)
		*len = n;
	return buf;
}

char *file_read(struct arena *a, int dirfd, const char *path, size_t max, size_t *len)
{
	/* Not blocking: a FIFO in the place of a file must not hang the runtime. */
	_fd_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0) {
		fail(errno, "cannot open %s", path);
		return NULL;
	}
	struct stat st;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		fail(EINVAL, "%s is not a regular file", path);
		return NULL;
	}
	char *text = fd_read_all(a, fd, max, len);
	if (!text)
		fail_in("%s", path);
	return text;
}

int file_write(int dirfd, const char *path, const char *data)
{
	_fd_ int fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return fail(errno, "cannot open %s", path);
	size_t len = strlen(data);
	ssize_t r = write(fd, data, len);
	if (r < 0)
		return fail(errno, "writing \"%s\" to %s", data, path);
	if ((size_t)r != len)
		return fail(EIO, "writing \"%s\" to %s", data, path);
	return 0;
}

int fd_write_all(int fd, const void *data, size_t len)
{
	for (size_t n = 0; n < len;) {
		ssize_t r = write(fd, (const char *)data + n, len - n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -1;
		n += (size_t)r;
	}
	return 0;
}

int file_replace(int dirfd, const char *name, const void *data, size_t len, mode_t mode)
{
	char tmp[4096];
	const char *base = strrchr(name, '/');
	int dir_len = base ? (int)(base - name) + 1 : 0;

	base = base ? base + 1 : name;
	/* The pid keeps writers apart; a file that one of them left is overwritten. */
	int n = snprintf(tmp, sizeof(tmp), "%.*s.%s.%d", dir_len, name, base, (int)getpid());
	if (n < 0 || (size_t)n >= sizeof(tmp))
		return fail(ENAMETOOLONG, "cannot write %s", name);
	unlinkat(dirfd, tmp, 0);
	_fd_ int fd =
		openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return fail(errno, "cannot create %s", tmp);
	if (fchmod(fd, mode) < 0 || fd_write_all(fd, data, len) < 0 ||
	    renameat(dirfd, tmp, dirfd, name) < 0) {
		int e = errno;

		unlinkat(dirfd, tmp, 0);
		return fail(e, "cannot write %s", name);
	}
	return 0;
}

char *fd_path(struct arena *a, int fd)
{
	char link[64], path[PATH_MAX];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof(path) - 1);
	if (n < 0) {
		fail(errno, "cannot read %s", link);
		return NULL;
	}
	return arena_strndup(a, path, (size_t)n);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int fd_names(struct arena *a, int fd, struct strv *out)
{
	int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_dir_ DIR *d = again < 0 ? NULL : fdopendir(again);
	struct dirent *e;

	if (!d)
		return fail(errno, "cannot read a directory");
	while ((e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			strv_add(a, out, e->d_name);
	if (out->n > 1)
		qsort(out->v, out->n, sizeof(*out->v), by_name);
	return 0;
}

union control {
	char buf[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

int fd_send(int sock, const void *data, size_t len, int fd)
{
	union control c = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t r;

	if (fd >= 0) {
		msg.msg_control = c.buf;
		msg.msg_controllen = sizeof(c.buf);
		struct cmsghdr *h = CMSG_FIRSTHDR(&msg);

		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(h), &fd, sizeof(int));
	}
	do
		r = sendmsg(sock, &msg, MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -1 : 0;
}

ssize_t fd_recv(int sock, void *data, size_t len, int *fd)
{
	union control c = {0};
	struct iovec iov = {.iov_base = data, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = c.buf,
			     .msg_controllen = sizeof(c.buf)};
	int got = -1;
	ssize_t r;

	do
		r = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (r < 0 && errno == EINTR);
	if (fd)
		*fd = -1;
	if (r < 0)
		return -1;
	struct cmsghdr *h = CMSG_FIRSTHDR(&msg);
	if (h && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS &&
	    h->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&got, CMSG_DATA(h), sizeof(int));
	if (fd)
		*fd = got;
	else if (got >= 0)
		close(got);
	return r;
}
