/* What the runtime does for itself before it touches anything. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "internal.h"

/* Everything else of the caller's environment is dropped: it must not steer the
 * runtime, its libraries' children or the hooks. */
static const char *const kept[] = {"XDG_RUNTIME_DIR", "USER",		"LISTEN_FDS",
				   "LISTEN_PID",      "LISTEN_FDNAMES", "NOTIFY_SOCKET"};

static bool is_kept(const char *entry)
{
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		size_t n = strlen(kept[i]);

		if (strncmp(entry, kept[i], n) == 0 && entry[n] == '=')
			return true;
	}
	return false;
}

static int environment_set(void)
{
	size_t n = 0;

	for (char **e = environ; *e; e++)
		if (is_kept(*e))
			environ[n++] = *e;
	environ[n] = NULL;
	return setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1) < 0
		       ? fail(errno, "environment")
		       : 0;
}

int runtime_protect(void)
{
	sigset_t none;

	/* Nobody in a container that we enter may read our memory, our descriptors
	 * or /proc/PID/exe, which is the host's binary (CVE-2019-5736). */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return fail(errno, "PR_SET_DUMPABLE");
	/* A closed 0, 1 or 2 would be taken by the next file that is opened, and
	 * the container would get it. */
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		/* path: the host's; without O_CLOEXEC, the container inherits it */
		if (open("/dev/null", O_RDWR | O_NOCTTY) != fd) /* not CLOEXEC */
			return fail(errno, "cannot open /dev/null for descriptor %d", fd);
	}
	umask(022);
	/* Ignored signals and the mask are inherited over execve. */
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	return environment_set();
}
