/*
 * The runtime's life beside a foreground container: one poll loop over the
 * process, the signals and, with a terminal, the two directions of it.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>

#include "internal.h"

enum { DRAIN_MS = 1000 };

/* One direction: what was read and not yet written. */
struct pipe_end {
	int from, to;
	char buf[8192];
	size_t n, off;
	bool closed, broken; /* nothing more comes; nothing more can be written */
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
	t.c_oflag |= OPOST;
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

/* The container's terminal must not hold up its signals: nothing here blocks. The
 * caller's standard output is shared with others, who would not like it to be
 * non-blocking: a terminal or pipe is opened once more. */
static int open_output(void)
{
	struct stat st;

	if (fstat(STDOUT_FILENO, &st) < 0 || !(S_ISFIFO(st.st_mode) || isatty(STDOUT_FILENO)))
		return -1;
	/* path: our own descriptor */
	return open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* Nobody takes the output any more: the program hears it as a hang-up. */
static void hang_up(struct relay *r)
{
	close(r->console);
	r->console = -1;
	r->in.closed = r->out.closed = true;
	r->in.n = r->out.n = 0;
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
			p->closed = p->broken = true;
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

/* The process is gone: what it wrote last is still in the terminal. A reader that
 * takes nothing for a while will not get the rest. */
static void drain(struct relay *r)
{
	while (!r->out.closed) {
		struct pollfd fd = {.fd = r->console, .events = POLLIN};

		if (r->out.n > 0)
			fd = (struct pollfd){.fd = r->out.to, .events = POLLOUT};
		if (poll(&fd, 1, r->out.n > 0 ? DRAIN_MS : 0) <= 0)
			return;
		pump(&r->out, r->out.n > 0 ? 0 : fd.revents, r->out.n > 0 ? fd.revents : 0);
	}
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
		if (tty && r->out.broken)
			hang_up(r);
		if (fds[0].revents)
			return 0;
	}
}

void foreground_begin(void)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
}

int foreground_wait(pid_t pid, int pidfd, int console)
{
	_fd_ int output = console < 0 ? -1 : open_output();
	struct relay r = {.pidfd = pidfd,
			  .console = console,
			  .in = {.from = STDIN_FILENO, .to = console},
			  .out = {.from = console, .to = output < 0 ? STDOUT_FILENO : output}};
	siginfo_t si = {0};
	sigset_t all;
	int result;

	sigfillset(&all);
	if (console >= 0)
		fcntl(console, F_SETFL, O_RDWR | O_NONBLOCK);
	r.signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	result = r.signals < 0 ? fail(errno, "signalfd") : console >= 0 ? make_raw(&r) : 0;
	if (result == 0)
		result = loop(&r);
	if (result == 0 && r.console >= 0)
		drain(&r);
	if (r.raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &r.saved);
	cleanup_fd(&r.signals);
	cleanup_fd(&r.console);
	if (result == 0 && waitid(P_PIDFD, (id_t)pidfd, &si, WEXITED | __WALL) < 0)
		result = fail(errno, "waiting for process %d", (int)pid);
	if (result < 0)
		return -1;
	return si.si_code == CLD_EXITED ? si.si_status : 128 + si.si_status;
}
