/*
 * The wait between create and start: a listening socket in the state
 * directory. Its name is there until start takes it; a connection brings "go"
 * and carries the error back, and its end is the successful execve.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "internal.h"

#define NAME "start"

/* sun_path is 108 bytes, state roots are longer: the way goes over a
 * descriptor. */
static socklen_t address(int dirfd, struct sockaddr_un *sun)
{
	*sun = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(sun->sun_path, sizeof(sun->sun_path), "/proc/self/fd/%d/" NAME, dirfd);
	return (socklen_t)sizeof(*sun);
}

int start_listen(int dirfd)
{
	struct sockaddr_un sun;
	socklen_t len = address(dirfd, &sun);
	_fd_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	/* The directory is 0700: who can reach the name may start the container. */
	if (fd < 0 || bind(fd, (struct sockaddr *)&sun, len) < 0 || listen(fd, 1) < 0)
		return fail(errno, "cannot make the start socket");
	return fd_take(&fd);
}

bool start_pending(int dirfd)
{
	struct stat st;

	/* path: the state directory is the runtime's own */
	return fstatat(dirfd, NAME, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(st.st_mode);
}

int start_go(int dirfd)
{
	struct sockaddr_un sun;
	socklen_t len = address(dirfd, &sun);
	_fd_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return fail(errno, "socket");
	if (connect(fd, (struct sockaddr *)&sun, len) < 0)
		return fail(errno, "the container does not wait to be started");
	/* The name goes first: if this process dies now the container is not
	 * started, and no second start can find it half-way. */
	if (unlinkat(dirfd, NAME, 0) < 0) /* path: the state directory is the runtime's own */
		return fail(errno, "cannot take the start socket");
	if (sync_send(fd, SYNC_GO, -1) < 0)
		return -1;
	return sync_wait_exec(fd);
}

int start_accept(struct setup *s)
{
	for (;;) {
		_fd_ int fd = accept4(s->l->start_fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0)
			return fail(errno, "cannot wait for start");
		/* A start that died before it said go: wait for the next. */
		if (sync_expect(fd, SYNC_GO, NULL) < 0)
			continue;
		s->report = fd_take(&fd);
		close(s->l->start_fd);
		return 0;
	}
}
