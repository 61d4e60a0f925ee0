/* Hooks: a program of the engine's, given the state, waited for, bounded. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "casemate/container.h"
#include "casemate/error.h"
#include "casemate/fd.h"
#include "casemate/log.h"

enum { OUTPUT_MAX = 65536 };

/* A sealed file, so that a hook that does not read cannot block the runtime. */
static int state_file(const char *json)
{
	_fd_ int fd = memfd_create("state", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || fd_write_all(fd, json, strlen(json)) < 0 || lseek(fd, 0, SEEK_SET) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		return fail(errno, "cannot make the hook's standard input");
	return fd_take(&fd);
}

static _Noreturn void execute(const struct spec_hook *h, int input, int output,
			      const struct hook_exec *by)
{
	static char *const none[] = {NULL};
	char *const args[] = {(char *)(uintptr_t)h->path, NULL};

	sigset_t nothing;

	sigemptyset(&nothing);
	sigprocmask(SIG_SETMASK, &nothing, NULL);
	setpgid(0, 0);
	umask(022);
	/* What it prints is kept for the message: 1 and 2 are the container's. */
	if (dup2(input, STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0 &&
	    dup2(output, STDERR_FILENO) >= 0 && close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0 &&
	    chdir("/") == 0) {
		if (by) {
			(void)by->exec(by->ctx, h);
			dprintf(STDERR_FILENO, "%s%s", error_last()->context,
				error_last()->message);
			_exit(127);
		}
		execve(h->path, h->args.n ? h->args.v : args, h->env.n ? h->env.v : none);
	}
	dprintf(STDERR_FILENO, "%s", strerror(errno));
	_exit(127);
}

/* The end of what it printed, behind the error. */
static int fail_with_output(int output)
{
	char text[1024];
	/* The hook's descriptors share this one's offset. */
	off_t size = lseek(output, 0, SEEK_CUR);
	off_t from = size > (off_t)sizeof(text) - 1 ? size - (off_t)sizeof(text) + 1 : 0;
	ssize_t n = size > 0 ? pread(output, text, sizeof(text) - 1, from) : 0;

	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
		n--;
	if (n > 0) {
		text[n] = '\0';
		fail(0, "%s: it printed: %s", error_last()->message, text);
	}
	return -1;
}

static int wait_for(const struct spec_hook *h, pid_t pid)
{
	siginfo_t si = {0};
	_fd_ int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	int ms = h->timeout > INT32_MAX / 1000 ? INT32_MAX : (int)h->timeout * 1000;
	int ready = poll(&p, 1, h->timeout ? ms : -1);

	if (ready == 0)
		kill(-pid, SIGKILL);
	if (waitid(P_PID, (id_t)pid, &si, WEXITED) < 0)
		return fail(errno, "cannot wait");
	if (ready == 0)
		return fail(0, "did not end within %lld s", (long long)h->timeout);
	if (si.si_code != CLD_EXITED)
		return fail(0, "was killed by signal %d", si.si_status);
	return si.si_status ? fail(0, "ended with status %d", si.si_status) : 0;
}

static int run_one(const struct spec_hook *h, const char *json, const struct hook_exec *by)
{
	_fd_ int input = state_file(json);
	_fd_ int output = memfd_create("output", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (input < 0)
		return -1;
	/* What does not fit cannot be written: a hook must not fill the memory. */
	if (output < 0 || ftruncate(output, OUTPUT_MAX) < 0 ||
	    fcntl(output, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) < 0)
		return fail(errno, "cannot make the hook's standard output");
	pid_t pid = fork();
	if (pid < 0)
		return fail(errno, "fork");
	if (pid == 0)
		execute(h, input, output, by);
	return wait_for(h, pid) < 0 ? fail_with_output(output) : 0;
}

int hooks_run(const struct spec *s, enum hook_kind kind, const char *state_json,
	      const struct hook_exec *by)
{
	for (size_t i = 0; i < s->hooks[kind].n; i++) {
		const struct spec_hook *h = &s->hooks[kind].v[i];

		if (run_one(h, state_json, by) == 0)
			continue;
		fail_in("%s (%s)", h->place, h->path);
		if (kind != HOOK_POSTSTOP)
			return -1;
		/* runtime-spec: the container is gone already; the others still run. */
		log_warn("%s%s", error_last()->context, error_last()->message);
		error_clear();
	}
	return 0;
}
