/*
 * The container's process from clone3 to execve. The two functions at the end
 * read as the list of what is done, in order; doc/launch.md tells the same list.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "casemate/log.h"
#include "internal.h"

static int begin(struct setup *s)
{
	/* Its copy of the parent's end would hide the parent's death. */
	close(s->l->sync);
	log_detach();
	/* The runtime's own wait for it, see foreground_begin. */
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* Modes are given where things are made; the program's umask comes last. */
	umask(0);
	/* Foreground signals go through the runtime; a terminal needs a leader. */
	if (setsid() < 0)
		return fail(errno, "setsid");
	return 0;
}

static int join_cgroup(struct setup *s)
{
	return s->l->cgroup ? cgroup_enter(s->l->cgroup) : 0;
}

/* Id maps and the like are the parent's to set. */
static int wait_for_parent(struct setup *s)
{
	return sync_expect(s->sync, SYNC_GO, &s->place);
}

static bool has_hooks(struct setup *s, enum hook_kind kind)
{
	return s->spec->hooks[kind].n > 0;
}

static int runtime_hooks(struct setup *s)
{
	if (!has_hooks(s, HOOK_PRESTART) && !has_hooks(s, HOOK_CREATE_RUNTIME))
		return 0;
	if (sync_send(s->sync, SYNC_MOUNTED, -1) < 0)
		return -1;
	return wait_for_parent(s);
}

/* createContainer: a file of the host's, run inside. */
static int container_hooks(struct setup *s)
{
	return has_hooks(s, HOOK_CREATE_CONTAINER)
		       ? s->l->hooks(s->l->hooks_ctx, HOOK_CREATE_CONTAINER, getpid(), NULL)
		       : 0;
}

/* startContainer: a file of the image's, which nobody vouches for. It gets no
 * more than the program that it runs before. */
static int start_hooks(struct setup *s)
{
	const struct hook_exec c = {hook_exec, s};

	return has_hooks(s, HOOK_START_CONTAINER)
		       ? s->l->hooks(s->l->hooks_ctx, HOOK_START_CONTAINER, getpid(), &c)
		       : 0;
}

/* A cwd that is missing is made, as other runtimes do; one that cannot be made
 * is an error where it is entered. */
static int make_cwd(struct setup *s)
{
	int fd = rootfs_mkdirs(s->root, s->process->cwd, 0755);

	if (fd >= 0)
		close(fd);
	return 0;
}

/* READY: the runtime may write down who this is. If it dies before it did, this
 * process ends, since nobody would find it. Its word is the start of run and
 * exec; a container of create waits for start alone from then on. */
static int wait_for_start(struct setup *s)
{
	if (sync_send(s->sync, SYNC_READY, -1) < 0)
		return -1;
	if (s->l->start_fd < 0) {
		s->report = s->sync;
		return wait_for_parent(s);
	}
	if (wait_for_parent(s) < 0)
		return -1;
	close(s->sync);
	s->sync = -1;
	s->report = -1;
	return start_accept(s);
}

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* The runtime's lock, log and the host's descriptors must not outlive it in a
 * container that waits for start. */
static int drop_descriptors(struct setup *s)
{
	int keep[] = {2 + (int)s->l->preserve_fds,
		      s->sync,
		      s->l->start_fd,
		      s->status,
		      s->attr,
		      s->root,
		      s->init};

	int first = keep[0];

	qsort(keep, ARRAY_SIZE(keep), sizeof(keep[0]), compare);
	for (size_t i = 0; i < ARRAY_SIZE(keep); i++) {
		unsigned from = (unsigned)keep[i] + 1;
		unsigned to = i + 1 < ARRAY_SIZE(keep) ? (unsigned)keep[i + 1] - 1 : ~0U;

		if (keep[i] >= first && to >= from && close_range(from, to, 0) < 0)
			return fail(errno, "close_range");
	}
	return 0;
}

static _Noreturn void give_up(struct setup *s)
{
	int sock = s->report >= 0 ? s->report : s->sync;

	if (sock >= 0)
		sync_send_error(sock);
	_exit(1);
}

/* Of the container's namespaces only those that are its own are joined: the
 * kernel refuses to enter a user namespace one is in. */
static int join_container(struct setup *s)
{
	int types = CLONE_NEWNS;

	for (size_t i = 0; i < s->spec->namespaces.n; i++)
		types |= s->spec->namespaces.v[i].type;
	/* The PID namespace was joined by the parent, and acts since the clone. */
	if (setns(s->l->container_pidfd, types & ~CLONE_NEWPID) < 0)
		return fail(errno, "cannot join the container's namespaces");
	s->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC); /* path: the container's root */
	return s->root < 0 ? fail(errno, "cannot open the container's root") : 0;
}

/* A table of contents is read line by line. */
/* clang-format off */
_Noreturn void child_container(struct setup *s)
{
	if (begin(s) == 0 &&
	    join_cgroup(s) == 0 &&       /* by itself; v2 came with clone3 */
	    verify_open(s) == 0 &&       /* while the host's procfs can be reached as root */
	    lsm_open(s) == 0 &&          /* the same */
	    wait_for_parent(s) == 0 &&   /* id maps, oom_score_adj, where the root goes */
	    namespaces_enter(s) == 0 &&  /* the cgroup namespace: after the cgroup was joined */
	    sysctl_write(s) == 0 &&      /* as the host's root: older kernels know no other */
	    mounts_receive(s) == 0 &&    /* those that take this process's user namespace */
	    root_attach(s) == 0 &&       /* before the ids change: its path may be for the host's root */
	    ids_become_root(s) == 0 &&   /* so that what is made in the rootfs belongs inside */
	    sysctl_again(s) == 0 &&      /* and newer ones want the namespace's */
	    mounts_attach(s) == 0 &&
	    devices_make(s) == 0 &&
	    make_cwd(s) == 0 &&
	    runtime_hooks(s) == 0 &&
	    container_hooks(s) == 0 &&  /* their paths are the host's */
	    program_find(s) == 0 &&      /* here, so that create says what is missing */
	    console_open(s) == 0 &&      /* /dev/console: before /dev is sealed */
	    root_pivot(s) == 0 &&
	    masks_apply(s) == 0 &&       /* after the hooks, which may look at what is masked */
	    mounts_seal(s) == 0 &&       /* read-only: nothing is made after this */
	    drop_descriptors(s) == 0 &&  /* the runtime's lock must not live on in here */
	    wait_for_start(s) == 0 &&
	    new_keyring(s) == 0 &&       /* the caller's is not for hooks of the image either */
	    lsm_set(s) == 0 &&           /* of the next execve, a startContainer hook's, too */
	    start_hooks(s) == 0)         /* confined as the program will be */
		finish(s);
	give_up(s);
}

_Noreturn void child_exec(struct setup *s)
{
	if (begin(s) == 0 &&
	    join_cgroup(s) == 0 &&       /* while the host's hierarchies are in view */
	    wait_for_parent(s) == 0 &&   /* oom_score_adj */
	    join_container(s) == 0 &&
	    verify_open(s) == 0 &&       /* in the container's user namespace, whose ids it shows */
	    lsm_open(s) == 0 &&
	    ids_become_root(s) == 0 &&
	    program_find(s) == 0 &&
	    console_open(s) == 0 &&
	    drop_descriptors(s) == 0 &&
	    wait_for_start(s) == 0 &&
	    new_keyring(s) == 0 &&
	    lsm_set(s) == 0)
		finish(s);
	give_up(s);
}
/* clang-format on */
