/* Hooks: a program of the engine's, given the state, waited for, bounded. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "casemate/container.h"
#include "casemate/error.h"
#include "casemate/fd.h"
#include "casemate/log.h"

/* A sealed file, so that a hook that does not read cannot block the runtime. */
static int state_file(const char *json)
{
	_fd_ int fd = memfd_create("state", MFD_CLOEXEC);

	if (fd < 0 || fd_write_all(fd, json, strlen(json)) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return fail(errno, "cannot make the hook's standard input");
	return fd_take(&fd);
}

static _Noreturn void execute(const struct spec_hook *h, int input,
			      const struct hook_confine *confine)
{
	static char *const none[] = {NULL};
	char *const args[] = {(char *)(uintptr_t)h->path, NULL};

	setpgid(0, 0);
	/* What it prints is for people, never in the way of the runtime's output. */
	if (dup2(input, STDIN_FILENO) >= 0 && dup2(STDERR_FILENO, STDOUT_FILENO) >= 0 &&
	    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0 && chdir("/") == 0) {
		if (confine && confine->step(confine->ctx) < 0) {
			dprintf(STDERR_FILENO, "casemate: %s (%s): %s%s\n", h->place, h->path,
				error_last()->context, error_last()->message);
			_exit(127);
		}
		execve(h->path, h->args.n ? h->args.v : args, h->env.n ? h->env.v : none);
	}
	dprintf(STDERR_FILENO, "casemate: %s (%s): %s\n", h->place, h->path, strerror(errno));
	_exit(127);
}

static int run_one(const struct spec_hook *h, const char *json, const struct hook_confine *confine)
{
	_fd_ int input = state_file(json);
	siginfo_t si = {0};

	if (input < 0)
		return -1;
	pid_t pid = fork();
	if (pid < 0)
		return fail(errno, "fork");
	if (pid == 0)
		execute(h, input, confine);
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

int hooks_run(const struct spec *s, enum hook_kind kind, const char *state_json,
	      const struct hook_confine *confine)
{
	for (size_t i = 0; i < s->hooks[kind].n; i++) {
		const struct spec_hook *h = &s->hooks[kind].v[i];

		if (run_one(h, state_json, confine) == 0)
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
