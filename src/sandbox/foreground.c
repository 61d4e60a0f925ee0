/*
 * The runtime's life beside a foreground container: one poll loop over the
 * process, the signals and, with a terminal, the two directions of it.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>

#include "internal.h"

/* One direction: what was read and not yet written. */
struct pipe_end {
	int from, to;
	char buf[8192];
	size_t n, off;
	bool closed;
};

struct relay {
	int pidfd, console, signals;
	struct pipe_end in, out; /* stdin to the terminal, the terminal to stdout */
	struct termios saved;
	bool raw;
};

static void resize(struct relay *r)
{
	struct winsize size;

	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
		ioctl(r->console, TIOCSWINSZ, &size);
}

static int make_raw(struct relay *r)
{
	struct termios t;

	if (tcgetattr(STDIN_FILENO, &r->saved) < 0)
		return 0; /* not a terminal: bytes go through as they are */
	t = r->saved;
	cfmakeraw(&t);
	if (tcsetattr(STDIN_FILENO, TCSANOW, &t) < 0)
		return fail(errno, "cannot set the terminal to raw mode");
	r->raw = true;
	resize(r);
	return 0;
}

/* Those of the runtime's own terminal handling are not the container's. */
static bool is_forwarded(int sig)
{
	return sig != SIGCHLD && sig != SIGPIPE && sig != SIGTTIN && sig != SIGTTOU;
}

static void forward(struct relay *r)
{
	struct signalfd_siginfo si;

	while (read(r->signals, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		int sig = (int)si.ssi_signo;

		if (sig == SIGWINCH && r->console >= 0)
			resize(r);
		else if (is_forwarded(sig))
			syscall(SYS_pidfd_send_signal, r->pidfd, sig, NULL, 0);
	}
}

/* Moves what there is; returns whether anything was moved. */
static bool pump(struct pipe_end *p, short revents, short out_revents)
{
	bool moved = false;

	if (p->n == 0 && revents & (POLLIN | POLLHUP | POLLERR)) {
		ssize_t n = read(p->from, p->buf, sizeof(p->buf));

		/* EIO is how a terminal says that its other end is closed. */
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			p->closed = true;
		if (n > 0) {
			p->n = (size_t)n;
			p->off = 0;
			moved = true;
			out_revents = POLLOUT;
		}
	}
	if (p->n > 0 && out_revents & (POLLOUT | POLLERR | POLLHUP)) {
		ssize_t n = write(p->to, p->buf + p->off, p->n);

		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			p->closed = true;
			p->n = 0;
		}
		if (n > 0) {
			p->off += (size_t)n;
			p->n -= (size_t)n;
			moved = true;
		}
	}
	return moved;
}

/* What a direction waits for: to read while its buffer is empty, else to write. */
static int want_read(const struct pipe_end *p)
{
	return p->closed || p->n > 0 ? -1 : p->from;
}

static int want_write(const struct pipe_end *p)
{
	return p->closed || p->n == 0 ? -1 : p->to;
}

/* The process is gone: what it wrote last is still in the terminal. */
static void drain(struct relay *r)
{
	struct pollfd fd = {.fd = r->console, .events = POLLIN};

	while (!r->out.closed && (r->out.n > 0 || poll(&fd, 1, 0) > 0))
		if (!pump(&r->out, r->out.n ? 0 : fd.revents, POLLOUT) && r->out.n == 0)
			break;
}

static int loop(struct relay *r)
{
	for (;;) {
		bool tty = r->console >= 0;
		struct pollfd fds[] = {
			{.fd = r->pidfd, .events = POLLIN},
			{.fd = r->signals, .events = POLLIN},
			{.fd = tty ? want_read(&r->in) : -1, .events = POLLIN},
			{.fd = tty ? want_write(&r->in) : -1, .events = POLLOUT},
			{.fd = tty ? want_read(&r->out) : -1, .events = POLLIN},
			{.fd = tty ? want_write(&r->out) : -1, .events = POLLOUT},
		};

		if (poll(fds, ARRAY_SIZE(fds), -1) < 0 && errno != EINTR)
			return fail(errno, "poll");
		if (fds[1].revents)
			forward(r);
		pump(&r->in, fds[2].revents, fds[3].revents);
		pump(&r->out, fds[4].revents, fds[5].revents);
		if (fds[0].revents)
			return 0;
	}
}

int foreground_wait(pid_t pid, int pidfd, int console)
{
	struct relay r = {.pidfd = pidfd,
			  .console = console,
			  .in = {.from = STDIN_FILENO, .to = console},
			  .out = {.from = console, .to = STDOUT_FILENO}};
	siginfo_t si = {0};
	sigset_t all, before;
	int result;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	r.signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	result = r.signals < 0 ? fail(errno, "signalfd") : console >= 0 ? make_raw(&r) : 0;
	if (result == 0)
		result = loop(&r);
	if (result == 0 && console >= 0)
		drain(&r);
	if (r.raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &r.saved);
	cleanup_fd(&r.signals);
	if (result == 0 && waitid(P_PIDFD, (id_t)pidfd, &si, WEXITED | __WALL) < 0)
		result = fail(errno, "waiting for process %d", (int)pid);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (result < 0)
		return -1;
	return si.si_code == CLD_EXITED ? si.si_status : 128 + si.si_status;
}
