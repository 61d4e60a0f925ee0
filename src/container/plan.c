/* From a bundle to a plan: what create, run, exec and delete have in common. */
#include "plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "casemate/error.h"
#include "casemate/fd.h"
#include "casemate/log.h"

static int open_bundle(struct arena *a, const char *path, const char **absolute)
{
	_free_ char *real = realpath(path, NULL);
	_fd_ int fd = real ? open(real, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd < 0)
		return fail(errno, "--bundle: cannot open %s", path);
	*absolute = arena_strdup(a, real);
	return fd_take(&fd);
}

int plan_read(struct plan *p, const char *bundle, const char *config)
{
	size_t len;

	p->bundle_fd = open_bundle(p->arena, bundle, &p->bundle);
	if (p->bundle_fd < 0)
		return -1;
	p->config = file_read(p->arena, config ? AT_FDCWD : p->bundle_fd,
			      config ? config : "config.json", SPEC_MAX_SIZE, &len);
	if (!p->config)
		return fail_in("%s", p->bundle);
	p->config_len = len;
	if (spec_parse(p->arena, p->config, len, &p->spec) < 0)
		return fail_in("%s", config ? config
					    : arena_printf(p->arena, "%s/config.json", p->bundle));
	for (size_t i = 0; i < p->spec.unknown.n; i++)
		log_warn("%s: unknown property", p->spec.unknown.v[i]);
	for (size_t i = 0; i < p->spec.process.caps.unknown.n; i++)
		log_warn("process.capabilities: unknown capability %s",
			 p->spec.process.caps.unknown.v[i]);
	return 0;
}

int plan_judge(struct plan *p, const char *profile)
{
	p->findings.arena = p->arena;
	if (profile_load(p->arena, profile, &p->profile) < 0)
		return -1;
	if (policy_apply(&p->profile, &p->spec, &p->findings) > 0)
		return policy_fail(&p->profile, &p->findings);
	for (size_t i = 0; i < p->findings.n; i++)
		log_debug("%s: %s by rule %s: %s", p->findings.v[i].place,
			  finding_effect_names[p->findings.v[i].effect], p->findings.v[i].rule,
			  p->findings.v[i].message);
	return 0;
}

int plan_rootfs(struct plan *p)
{
	const char *path = p->spec.root_path;
	struct stat st, host;

	if (*path != '/')
		path = arena_printf(p->arena, "%s/%s", p->bundle, path);
	size_t n = strlen(path);
	while (n > 1 && path[n - 1] == '/')
		n--;
	path = arena_strndup(p->arena, path, n);
	if (lstat(path, &st) < 0)
		return fail(errno, "root.path: cannot open %s", path);
	/* A link could be turned between the check and the mount. */
	if (!S_ISDIR(st.st_mode)) {
		fail(0, "root.path: %s is %s", path,
		     S_ISLNK(st.st_mode) ? "a symlink" : "not a directory");
		return fail_hint("give the directory itself");
	}
	_free_ char *real = realpath(path, NULL);
	p->rootfs_fd = real ? open(real, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
	if (p->rootfs_fd < 0 || fstat(p->rootfs_fd, &st) < 0 || stat("/", &host) < 0)
		return fail(errno, "root.path: cannot open %s", path);
	if (st.st_dev != p->spec.root_st.st_dev || st.st_ino != p->spec.root_st.st_ino)
		return fail(0, "root.path: %s was exchanged while it was looked at", path);
	if (st.st_dev == host.st_dev && st.st_ino == host.st_ino) {
		fail(EINVAL, "root.path: %s is the host's root", path);
		return fail_hint("give a directory of the container's own");
	}
	p->rootfs = arena_strdup(p->arena, real);
	return 0;
}

int plan_filters(struct plan *p, int root_fd)
{
	if (p->spec.seccomp.present &&
	    seccomp_lookup(p->arena, root_fd, &p->spec.seccomp, &p->filter, NULL) < 0)
		return -1;
	if (p->spec.seccomp_fixed &&
	    seccomp_build_fixed(p->arena, &p->profile.seccomp_fixed, &p->fixed) < 0)
		return -1;
	return 0;
}

/* --- sockets and files of the caller ----------------------------------- */

int connect_socket(const char *flag, const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	_fd_ int file = -1;
	_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return fail(errno, "%s: socket", flag);
	if (strlen(path) < sizeof(sun.sun_path)) {
		memcpy(sun.sun_path, path, strlen(path));
	} else {
		/* Longer than a socket address: the kernel takes the descriptor's name. */
		file = open(path, O_PATH | O_CLOEXEC);
		if (file < 0)
			return fail(errno, "%s: %s", flag, path);
		snprintf(sun.sun_path, sizeof(sun.sun_path), "/proc/self/fd/%d", file);
	}
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		return fail(errno, "%s: cannot connect to %s", flag, path);
	return fd_take(&fd);
}

int send_pidfd(const char *path, int pidfd)
{
	if (!path)
		return 0;
	_fd_ int fd = connect_socket("--pidfd-socket", path);
	if (fd < 0)
		return -1;
	return fd_send(fd, "pidfd", 5, pidfd) < 0 ? fail(errno, "--pidfd-socket: cannot send") : 0;
}

int write_pid_file(const char *path, pid_t pid)
{
	char text[16];

	if (!path)
		return 0;
	/* No newline: engines convert the whole file. */
	int n = snprintf(text, sizeof(text), "%d", (int)pid);
	return file_replace(AT_FDCWD, path, text, (size_t)n, 0644) < 0 ? fail_in("--pid-file") : 0;
}

int check_terminal(const struct spec_process *p, bool detach, const char *console_socket)
{
	if (p->terminal && detach && !console_socket) {
		fail(0, "cannot allocate tty if casemate will detach without setting "
			"console socket");
		return fail_hint("give --console-socket, or set process.terminal to false");
	}
	if (console_socket && !(p->terminal && detach)) {
		fail(0, "cannot use console socket if casemate will not detach or allocate tty");
		return fail_hint("remove --console-socket, or set process.terminal");
	}
	return 0;
}

/* Socket activation (sd_listen_fds(3)) and --preserve-fds: descriptors from 3
 * on, all of which must be there. */
int preserved(const struct options *o, struct plan *p, unsigned asked, unsigned *n)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	unsigned long listen = 0;

	/* They were given to the container, not to a process that joins it. */
	if (p && pid && fds && strtol(pid, NULL, 10) == getpid())
		listen = strtoul(fds, NULL, 10);
	if (listen > 4096 || asked > 4096)
		return fail(EINVAL, "--preserve-fds: too many descriptors");
	*n = (unsigned)listen + asked;
	for (unsigned i = 0; i < *n; i++)
		if (i >= o->inherited)
			return fail(EBADF, "--preserve-fds: descriptor %u is not open", 3 + i);
	if (listen > 0) {
		const char *names = getenv("LISTEN_FDNAMES");

		strv_add(p->arena, &p->spec.process.env,
			 arena_printf(p->arena, "LISTEN_FDS=%lu", listen));
		strv_add(p->arena, &p->spec.process.env, "LISTEN_PID=1");
		if (names)
			strv_add(p->arena, &p->spec.process.env,
				 arena_printf(p->arena, "LISTEN_FDNAMES=%s", names));
	}
	return 0;
}

void plan_free(struct plan *p)
{
	facts_release(&p->spec);
	cleanup_fd(&p->bundle_fd);
	cleanup_fd(&p->rootfs_fd);
	arena_free(p->arena);
}
