/* The runtime's side of a launch: what is made ready, one clone3, the talk over
 * the socketpair until the process is ready, and its end where it fails. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <termios.h>

#include "casemate/log.h"
#include "casemate/owner.h"
#include "internal.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x10U
#endif
#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif

extern const unsigned char init_image_start[], init_image_end[];

struct launch launch_init(void)
{
	return (struct launch){.console_socket = -1,
			       .rootfs_fd = -1,
			       .start_fd = -1,
			       .container_pidfd = -1,
			       .pidfd = -1,
			       .console = -1,
			       .sync = -1};
}

int init_image(const char *label)
{
	size_t len = (uintptr_t)init_image_end - (uintptr_t)init_image_start;
	/* MFD_EXEC (Linux 6.3) is needed where vm.memfd_noexec is set. */
	_fd_ int fd = memfd_create("casemate-init", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("casemate-init", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return fail(errno, "memfd_create for casemate-init");
	/* The container's process becomes what it is labelled by executing this file,
	 * which its policy lets it do with its own. */
	if (label && fsetxattr(fd, "security.selinux", label, strlen(label) + 1, 0) < 0)
		return fail(errno, "cannot label casemate-init");
	if (fd_write_all(fd, init_image_start, len) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return fail(errno, "cannot write casemate-init");
	/* Written descriptors cannot be executed (ETXTBSY): once more, for reading. */
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int ro = open(path, O_RDONLY | O_CLOEXEC); /* path: our own descriptor */
	return ro < 0 ? fail(errno, "cannot open casemate-init again") : ro;
}

int parent_limits(const struct spec_process *p, pid_t pid)
{
	for (size_t i = 0; i < p->rlimits.n; i++) {
		const struct spec_rlimit *r = &p->rlimits.v[i];
		struct rlimit want = {.rlim_cur = r->soft, .rlim_max = r->hard}, got;

		if (prlimit(pid, (__rlimit_resource_t)r->resource, &want, NULL) < 0 ||
		    prlimit(pid, (__rlimit_resource_t)r->resource, NULL, &got) < 0) {
			fail(errno, "process.rlimits[%zu] (%s)", i, r->name);
			return errno == EPERM
				       ? fail_hint("it is above the runtime's own hard limit")
				       : -1;
		}
		if (got.rlim_cur != want.rlim_cur || got.rlim_max != want.rlim_max)
			return fail(0, "process.rlimits[%zu] (%s): was set and reads otherwise", i,
				    r->name);
	}
	return 0;
}

/* What takes the rights of the user namespace that a joined one belongs to. */
static int use_joined(struct setup *s)
{
	if (mounts_prepare_joined(s) < 0 || sysctl_set_joined(s) < 0)
		return -1;
	return is_foreign_namespace(s->spec, CLONE_NEWUTS) ? namespaces_set_names(s->spec) : 0;
}

/* What the process in between says, in memory that it shares. */
struct between {
	pid_t pid; /* of the container's process; 0: none, for the error */
	struct error error;
};

/* Where the runtime could not return from what it joins, it joins nothing. */
static bool joins_for_good(const struct spec *s)
{
	for (size_t i = 0; i < s->namespaces.n; i++)
		if (s->namespaces.v[i].path &&
		    (s->in_user_namespace || s->namespaces.v[i].type == CLONE_NEWUSER))
			return true;
	return false;
}

static _Noreturn void be_between(struct setup *s, struct clone_arguments *args, struct between *b)
{
	int saved[8];

	/* A user namespace comes last: from in there the others cannot be joined. */
	if ((s->spec->in_user_namespace &&
	     (namespaces_join(s->spec, saved) < 0 || use_joined(s) < 0)) ||
	    namespaces_join_user(s->spec) < 0) {
		b->error = *error_last();
		_exit(1);
	}
	args->flags = (args->flags & ~(uint64_t)CLONE_PIDFD) | CLONE_PARENT;
	args->exit_signal = 0;
	long pid = syscall(SYS_clone3, args, sizeof(*args));
	if (pid == 0)
		child_container(s);
	if (pid < 0)
		fail(errno, "clone3");
	b->error = *error_last();
	b->pid = pid > 0 ? (pid_t)pid : 0;
	_exit(0);
}

/* The runtime cannot enter a user namespace and come back, and in one of its own not
 * even another namespace. A process in between does, and makes the container's
 * process its sibling. */
static pid_t clone_by_another(struct setup *s, struct clone_arguments *args)
{
	struct between *b =
		mmap(NULL, sizeof(*b), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t between = b == MAP_FAILED ? -1 : fork();

	if (between == 0)
		be_between(s, args, b);
	if (between < 0)
		return (pid_t)fail(errno, "fork");
	while (waitpid(between, NULL, 0) < 0 && errno == EINTR)
		;
	pid_t pid = b->pid;
	if (pid == 0)
		error_adopt(&b->error);
	munmap(b, sizeof(*b));
	if (pid == 0)
		return -1;
	s->l->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	return s->l->pidfd < 0 ? (pid_t)fail(errno, "pidfd_open") : pid;
}

static bool joins_user_namespace(const struct spec *s)
{
	const struct spec_namespace *ns = spec_namespace(s, CLONE_NEWUSER);

	return ns && ns->path;
}

static pid_t clone_child(struct setup *s, unsigned long long flags)
{
	struct launch *l = s->l;
	struct clone_arguments args = {.flags = flags | CLONE_PIDFD,
				       .pidfd = (uint64_t)(uintptr_t)&l->pidfd,
				       .exit_signal = SIGCHLD};
	_fd_ int cgroup = -1;

	/* A scope of systemd's is made around the process, later. */
	if (l->cgroup && !(l->cgroup->unit && l->container_pidfd < 0)) {
		cgroup = cgroup_fd(l->cgroup);
		if (cgroup < 0 && errno)
			return -1;
	}
	if (cgroup >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)(unsigned)cgroup;
	}
	if (l->container_pidfd < 0 && joins_for_good(s->spec))
		return clone_by_another(s, &args);
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0) {
		if (l->container_pidfd >= 0)
			child_exec(s);
		child_container(s);
	}
	if (pid >= 0)
		return pid;
	fail(errno, "clone3: cannot make the container's namespaces");
	return error_last()->errnum == EACCES && cgroup >= 0
		       ? fail_hint(
				 "the cgroup may be entered only from below one of the user's own: "
				 "run it in one, or use --systemd-cgroup")
		       : -1;
}

/* config-linux.md, Cgroup ownership: only where the container has a cgroup
 * namespace of its own and can write to it, by its own root. */
static bool wants_delegation(const struct spec *s)
{
	const struct spec_namespace *ns = spec_namespace(s, CLONE_NEWCGROUP);

	if (!has_user_namespace(s) || ids_host(s, 0) == (uid_t)-1 || !ns || ns->path)
		return false;
	for (size_t i = 0; i < s->mounts.n; i++) {
		const struct spec_mount *m = &s->mounts.v[i];

		if (spec_mount_is_cgroup(m))
			return !(m->opt.attr_set & MOUNT_ATTR_RDONLY);
	}
	return false;
}

/* Less than one has oneself is the host's to give. Engines send 0 for "nothing was
 * asked for", which a user's session, that begins above it, cannot have. */
static int set_oom_score_adj(struct setup *s)
{
	char path[64], value[16];

	snprintf(path, sizeof(path), "%d/oom_score_adj", (int)s->l->pid);
	snprintf(value, sizeof(value), "%d", s->process->oom_score_adj);
	if (file_write(s->proc, path, value) == 0)
		return 0;
	if (error_last()->errnum != EACCES || !in_user_namespace())
		return -1;
	if (s->process->oom_score_adj < 0)
		return fail_hint("an ordinary user cannot have less than he has himself");
	log_warn("process.oomScoreAdj: %s is less than the user's own, which stays", value);
	error_clear();
	return 0;
}

/* What only the parent may set on the child before its first step. */
static int set_up_child(struct setup *s)
{
	struct launch *l = s->l;
	const struct spec *spec = s->spec;

	if (l->container_pidfd < 0 && has_user_namespace(spec) && !joins_user_namespace(spec) &&
	    ids_write_maps(s->proc, l->pid, &spec->uid_maps, &spec->gid_maps) < 0)
		return -1;
	if (l->container_pidfd < 0 && l->cgroup &&
	    cgroup_adopt(l->cgroup, l->pid, &spec->resources) < 0)
		return -1;
	if (wants_delegation(spec) && l->container_pidfd < 0 && l->cgroup &&
	    cgroup_delegate(l->cgroup, ids_host(spec, 0)) < 0)
		return -1;
	if (s->process->has_oom_score_adj && set_oom_score_adj(s) < 0)
		return fail_in("process.oomScoreAdj");
	_fd_ int place = l->container_pidfd < 0 && has_user_namespace(spec) ? root_place(s) : -1;
	if (sync_tell(l->sync, place) < 0)
		return -1;
	return l->container_pidfd < 0 ? mounts_send(s) : 0;
}

static int runtime_hooks(struct launch *l)
{
	if (l->hooks(l->hooks_ctx, HOOK_PRESTART, l->pid, NULL) < 0 ||
	    l->hooks(l->hooks_ctx, HOOK_CREATE_RUNTIME, l->pid, NULL) < 0)
		return -1;
	return sync_send(l->sync, SYNC_GO, -1);
}

/* containerd wants at least one byte, exactly one descriptor and nothing else;
 * runc sends the name of the pty. */
static int hand_over_console(struct setup *s, int master)
{
	struct launch *l = s->l;
	_fd_ int fd = master;

	if (fd < 0)
		return fail(EPROTO, "process.terminal: no pseudoterminal came");
	if (l->console_socket >= 0)
		return fd_send(l->console_socket, "/dev/ptmx", 9, fd) < 0
			       ? fail(errno, "--console-socket: cannot send the terminal")
			       : 0;
	/* The program may ask and write before the relay is at work: its size, and line
	 * ends without carriage returns, which are the outer terminal's business. */
	struct winsize size;
	struct termios t;
	if (tcgetattr(fd, &t) == 0) {
		t.c_oflag &= ~(tcflag_t)ONLCR;
		tcsetattr(fd, TCSANOW, &t);
	}
	if (s->process->console_height == 0 && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
		ioctl(fd, TIOCSWINSZ, &size);
	l->console = fd_take(&fd);
	return 0;
}

static int talk(struct setup *s)
{
	struct launch *l = s->l;

	for (;;) {
		int fd = -1;
		int type = sync_recv(l->sync, &fd);

		if (type == SYNC_CONSOLE) {
			if (hand_over_console(s, fd) < 0)
				return -1;
			continue;
		}
		if (fd >= 0)
			close(fd);
		if (type == SYNC_READY)
			return parent_limits(s->process, l->pid);
		if (type == SYNC_MOUNTED ? runtime_hooks(l) < 0 : type >= 0)
			return type == SYNC_MOUNTED ? -1
						    : fail(EPROTO, "unexpected message %d", type);
		if (type < 0)
			return -1;
	}
}

void sandbox_abort(struct launch *l)
{
	struct error e = *error_last();

	if (l->pid > 0) {
		kill(l->pid, SIGKILL);
		while (waitpid(l->pid, NULL, __WALL) < 0 && errno == EINTR)
			;
		l->pid = 0;
	}
	cleanup_fd(&l->sync);
	cleanup_fd(&l->pidfd);
	cleanup_fd(&l->console);
	l->sync = l->pidfd = l->console = -1;
	if (e.message[0])
		error_adopt(&e);
}

/* A process that died without a word was killed: say by what. */
static int explain(struct launch *l)
{
	siginfo_t si = {0};

	if (l->pid > 0 && l->pidfd >= 0 &&
	    waitid(P_PIDFD, (id_t)l->pidfd, &si, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 &&
	    si.si_pid > 0 && si.si_code != CLD_EXITED)
		fail_in("the container's process was killed by signal %d", si.si_status);
	return -1;
}

static int launch_with(struct setup *s, unsigned long long flags)
{
	struct launch *l = s->l;
	int pair[2], saved[8];

	if (sync_pair(pair) < 0)
		return -1;
	l->sync = pair[0];
	s->sync = pair[1];
	_fd_ int theirs = pair[1];
	bool join =
		l->container_pidfd < 0 && !(s->spec->in_user_namespace && joins_for_good(s->spec));
	if (join && (namespaces_join(s->spec, saved) < 0 || use_joined(s) < 0)) {
		struct error e = *error_last();

		namespaces_return(saved);
		return error_adopt(&e);
	}
	l->pid = clone_child(s, flags);
	if ((join && namespaces_return(saved) < 0) || l->pid < 0)
		return -1;
	close(fd_take(&theirs));
	return set_up_child(s) < 0 || talk(s) < 0 ? explain(l) : 0;
}

/* A run in the foreground lives long: it must not keep the mounts busy. */
static void release(struct setup *s)
{
	cleanup_fd(&s->proc);
	cleanup_fd(&s->init);
	cleanup_fd(&s->root);
	cleanup_fd(&s->userns);
	for (size_t i = 0; s->mounts && i < s->spec->mounts.n; i++) {
		cleanup_fd(&s->mounts[i].fd);
	}
	for (size_t i = 0; s->devices && i < devices_count(s->spec); i++)
		cleanup_fd(&s->devices[i]);
}

static int begin(struct setup *s, struct launch *l)
{
	*s = (struct setup){.l = l,
			    .spec = l->spec,
			    .process = l->process,
			    .sync = -1,
			    .root = -1,
			    .place = -1,
			    .init = -1,
			    .userns = -1,
			    .attr = -1,
			    .status = -1,
			    .report = -1};
	s->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC); /* path: the host's procfs */
	if (s->proc < 0)
		return fail(errno, "cannot open /proc");
	if (lsm_check(l->spec, l->process) < 0)
		return -1;
	s->init = init_image(lsm_file_label(l));
	return s->init < 0 ? -1 : ids_own_stdio(l->spec, l->process);
}

static int end(struct setup *s, int r)
{
	release(s);
	if (r < 0)
		sandbox_abort(s->l);
	return r;
}

int sandbox_launch(struct launch *l)
{
	struct setup s;

	if (begin(&s, l) < 0 || namespaces_check(l->spec) < 0 || sysctl_check(l->spec) < 0)
		return end(&s, -1);
	s.seal_root = l->spec->idmap && l->spec->root_overlay && !layers_writable(&s);
	if ((!l->spec->idmap && root_prepare(&s) < 0) || mounts_prepare(&s) < 0 ||
	    devices_prepare(&s) < 0)
		return end(&s, -1);
	return end(&s, launch_with(&s, namespaces_clone_flags(l->spec)));
}

int sandbox_exec(struct launch *l)
{
	struct setup s;

	if (begin(&s, l) < 0)
		return end(&s, -1);
	/* Acts on children only; the runtime itself stays where it is. */
	if (has_namespace(l->spec, CLONE_NEWPID) && setns(l->container_pidfd, CLONE_NEWPID) < 0) {
		fail(errno, "cannot join the container's PID namespace");
		return end(&s, -1);
	}
	return end(&s, launch_with(&s, 0));
}

int sandbox_leave(struct launch *l)
{
	if (sync_send(l->sync, SYNC_GO, -1) < 0)
		return -1;
	close(l->sync);
	l->sync = -1;
	return 0;
}

int sandbox_go(struct launch *l)
{
	if (sync_send(l->sync, SYNC_GO, -1) < 0 || sync_wait_exec(l->sync) < 0) {
		explain(l);
		sandbox_abort(l);
		return -1;
	}
	close(l->sync);
	l->sync = -1;
	return 0;
}
