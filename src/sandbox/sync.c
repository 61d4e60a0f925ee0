/* The one socketpair between the runtime and the container's process: typed
 * messages, error records, and the end that a successful execve gives it. */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "internal.h"

struct message {
	int type;
	struct error error; /* sent with SYNC_ERROR only */
};

int sync_pair(int pair[2])
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return fail(errno, "socketpair");
	return 0;
}

int sync_send(int sock, enum sync_type type, int fd)
{
	int t = type;

	if (fd_send(sock, &t, sizeof(t), fd) < 0)
		return fail(errno, "cannot reach the other side of the launch");
	return 0;
}

int sync_tell(int sock, int fd)
{
	if (sync_send(sock, SYNC_GO, fd) == 0)
		return 0;
	/* Where it has ended it said why. */
	(void)sync_recv(sock, NULL);
	return -1;
}

void sync_send_error(int sock)
{
	struct message m = {.type = SYNC_ERROR, .error = *error_last()};

	(void)fd_send(sock, &m, sizeof(m), -1);
}

int sync_recv(int sock, int *fd)
{
	struct message m;
	ssize_t n = fd_recv(sock, &m, sizeof(m), fd);

	if (n < 0)
		return fail(errno, "cannot hear the other side of the launch");
	if (n == 0)
		return fail(0, "the container's process ended before it was ready");
	if ((size_t)n == sizeof(m) && m.type == SYNC_ERROR)
		return error_adopt(&m.error);
	if ((size_t)n != sizeof(m.type) || m.type <= 0 || m.type >= SYNC_ERROR)
		return fail(EPROTO, "unexpected message of %zd bytes", n);
	return m.type;
}

int sync_expect(int sock, enum sync_type type, int *fd)
{
	int got = sync_recv(sock, fd);

	if (got < 0)
		return -1;
	return got == (int)type ? 0 : fail(EPROTO, "message %d in place of %d", got, (int)type);
}

/* casemate-init reports a failing execve as the errno value with the program's
 * path behind it; everything before it as an error record. */
int sync_wait_exec(int sock)
{
	union {
		struct message m;
		struct {
			int errnum;
			char path[sizeof(struct message) - sizeof(int)];
		} exec;
	} u;
	ssize_t n = fd_recv(sock, &u, sizeof(u) - 1, NULL);

	if (n < 0)
		return fail(errno, "cannot hear the container's process");
	if (n == 0)
		return 0;
	if ((size_t)n > offsetof(struct message, error) + sizeof(u.m.error) - 2 &&
	    u.m.type == SYNC_ERROR)
		return error_adopt(&u.m.error);
	if ((size_t)n < sizeof(int))
		return fail(EPROTO, "unexpected message of %zd bytes", n);
	u.exec.path[(size_t)n - sizeof(int)] = '\0';
	return fail(u.exec.errnum, "exec: \"%s\"", u.exec.path);
}

int fd_from_child(unsigned long long flags, int (*make)(void *ctx), void *ctx)
{
	struct clone_arguments args = {.flags = flags, .exit_signal = SIGCHLD};
	int pair[2], fd = -1;

	if (sync_pair(pair) < 0)
		return -1;
	_fd_ int ours = pair[0], theirs = pair[1];
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0) {
		fd = make(ctx);
		if (fd < 0 || sync_send(theirs, SYNC_READY, fd) < 0)
			sync_send_error(theirs);
		_exit(0);
	}
	close(fd_take(&theirs));
	if (pid < 0)
		return fail(errno, "clone3");
	int type = sync_recv(ours, &fd);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (type == SYNC_READY && fd >= 0)
		return fd;
	return type < 0 ? -1 : fail(EPROTO, "no descriptor came");
}
