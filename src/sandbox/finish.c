/*
 * The last steps, the same for a container's first process and for exec: from
 * a privileged process inside to the program. Their order is the point.
 */
#include <errno.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <stdio.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "internal.h"

int new_keyring(struct setup *s)
{
	char name[256];

	if (s->l->no_new_keyring)
		return 0;
	/* The session keyring of the caller holds the caller's keys. */
	snprintf(name, sizeof(name), "_ses.%s", s->l->id);
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name) < 0 && errno != ENOSYS)
		return fail(errno, "cannot make a session keyring");
	return 0;
}

static int enter_cwd(struct setup *s)
{
	_fd_ int fd = rootfs_open(s->root, s->process->cwd, O_PATH | O_DIRECTORY, 0);

	/* Before the ids change: a working directory that process.user may not
	 * search is what images are made with, and what other runtimes allow. */
	if (fd < 0 || fchdir(fd) < 0)
		return fail(errno, "process.cwd: cannot change to %s", s->process->cwd);
	return 0;
}

static int set_ids(struct setup *s)
{
	const struct spec_process *p = s->process;

	if (!s->no_setgroups && setgroups(p->additional_gids.n, p->additional_gids.v) < 0)
		return fail(errno, "process.user.additionalGids");
	if (setresgid(p->gid, p->gid, p->gid) < 0) {
		fail(errno, "process.user.gid: %u", p->gid);
		return errno == EINVAL ? fail_hint("the user namespace does not map this id") : -1;
	}
	/* Capabilities outlive the change of ids until caps_set. */
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return fail(errno, "PR_SET_KEEPCAPS");
	if (setresuid(p->uid, p->uid, p->uid) < 0) {
		fail(errno, "process.user.uid: %u", p->uid);
		return errno == EINVAL ? fail_hint("the user namespace does not map this id") : -1;
	}
	if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0)
		return fail(errno, "PR_SET_KEEPCAPS");
	return ids_stay_private();
}

static int load_filter(const struct seccomp_program *p)
{
	if (!p || p->n == 0)
		return 0;
	if (seccomp_install(p) < 0)
		return -1;
	/* -1: a filter does not let it be asked; 0 would be a lie of the load. */
	return prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 0
		       ? fail(0, "verify: no seccomp filter is there")
		       : 0;
}

/* Only 0 to 2, what --preserve-fds names, and the report stay open. */
static int close_descriptors(struct setup *s)
{
	unsigned first = 3 + s->l->preserve_fds;
	int report = fcntl(s->report, F_DUPFD_CLOEXEC, (int)first);

	if (report < 0)
		return fail(errno, "report descriptor");
	for (int fd = 3; fd < (int)first; fd++)
		if (fcntl(fd, F_SETFD, 0) < 0)
			return fail(errno, "--preserve-fds: descriptor %d is not open", fd);
	if (close_range(first, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		return fail(errno, "close_range");
	/* casemate-init closes it on its own execve. */
	if (fcntl(report, F_SETFD, 0) < 0)
		return fail(errno, "report descriptor");
	s->report = report;
	s->argv[0] = arena_printf(s->spec->arena, "%d", report);
	return 0;
}

static int execute(struct setup *s, char *const argv[], char *const envp[])
{
	char path[64];

	/* The image of this process becomes casemate-init before anything of the
	 * container's runs, so nothing there ever sees the runtime's binary. */
	syscall(SYS_execveat, s->init, "", argv, envp, AT_EMPTY_PATH);
	int e = errno;
	/* A config's filter may have denied execveat. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", s->init);
	execve(path, argv, envp);
	return fail(e, "cannot execute casemate-init");
}

/* Takes away, for good, what is not the program's. look: at what is there then;
 * a hook's process is a copy that takes the same way unlooked at. */
static int confine(struct setup *s, const struct spec_caps *caps, bool look)
{
	const struct spec_process *p = s->process;

	if (s->spec->has_personality && personality(s->spec->personality) < 0)
		return fail(errno, "linux.personality");
	/* The bounding set needs CAP_SETPCAP, so it goes while all are there. */
	if (caps_drop_bounding(s, caps->bounding) < 0 || set_ids(s) < 0)
		return -1;
	/* Without no_new_privs a filter needs CAP_SYS_ADMIN: before that goes, and
	 * after the ids, which no filter of config.json shall pretend to set. */
	if (!p->no_new_privileges &&
	    (caps_raise() < 0 || load_filter(s->l->fixed) < 0 || load_filter(s->l->filter) < 0))
		return -1;
	if (caps_set(caps) < 0 || ids_stay_private() < 0)
		return -1;
	if (p->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail(errno, "process.noNewPrivileges");
	if (p->no_new_privileges && load_filter(s->l->fixed) < 0)
		return -1;
	if (look && verify(s, caps) < 0)
		return -1;
	/* Last, so that the config's filter need not allow any step above. */
	return p->no_new_privileges ? load_filter(s->l->filter) : 0;
}

int hook_exec(void *ctx, const struct spec_hook *h)
{
	struct setup *s = ctx;
	struct spec_caps caps = caps_grantable(&s->process->caps);
	struct strv argv = {0};
	static char *const none[] = {NULL};

	/* By casemate-init, as the program: "#!/proc/self/exe" in the image must not
	 * lead to the runtime's binary. It reports to nobody: the hook fails. */
	strv_add(s->spec->arena, &argv, "");
	strv_add(s->spec->arena, &argv, h->path);
	for (size_t i = 0; i < h->args.n; i++)
		strv_add(s->spec->arena, &argv, h->args.v[i]);
	if (h->args.n == 0)
		strv_add(s->spec->arena, &argv, h->path);
	if (confine(s, &caps, false) < 0)
		return -1;
	return execute(s, argv.v, h->env.n ? h->env.v : none);
}

int finish(struct setup *s)
{
	const struct spec_process *p = s->process;
	struct spec_caps caps = caps_grantable(&p->caps);

	umask(p->has_umask ? p->umask : 022);
	if (enter_cwd(s) < 0 || close_descriptors(s) < 0 || confine(s, &caps, true) < 0)
		return -1;
	return execute(s, s->argv, s->envp);
}
