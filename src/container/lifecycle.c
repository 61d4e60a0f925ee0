/* start, kill, delete, and the end of a container. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "casemate/error.h"
#include "casemate/fd.h"
#include "casemate/log.h"
#include "casemate/owner.h"
#include "casemate/sandbox.h"
#include "plan.h"

enum { KILL_WAIT_MS = 10000 };

int plan_reload(struct plan *p, const struct container *c)
{
	size_t len;

	p->arena = c->arena;
	p->bundle_fd = p->rootfs_fd = -1;
	p->findings.arena = c->arena;
	p->config = file_read(c->arena, c->dir_fd, "config.json", SPEC_MAX_SIZE, &len);
	if (!p->config)
		return -1;
	p->config_len = len;
	if (spec_parse(c->arena, p->config, len, &p->spec) < 0 ||
	    profile_load(c->arena, c->profile, &p->profile) < 0)
		return -1;
	p->spec.host_lsm = lsm_host();
	p->spec.in_user_namespace = in_user_namespace();
	/* It was judged when the container was made; this makes the same changes. */
	(void)policy_apply(&p->profile, &p->spec, &p->findings);
	mcs_label(&p->spec, c->mcs);
	ids_apply(&p->spec, c);
	return 0;
}

int container_destroy(struct container *c, const struct spec *s)
{
	_arena_ struct arena *a = arena_new();

	if (c->has_cgroup &&
	    (cgroup_kill(&c->cgroup, SIGKILL) < 0 || cgroup_delete(&c->cgroup) < 0))
		return -1;
	if (container_remove(c) < 0)
		return -1;
	return s ? hooks_run(s, HOOK_POSTSTOP, hook_state(a, c, HOOK_POSTSTOP, 0), NULL) : 0;
}

static int run_poststart(struct container *c, struct plan *p)
{
	_arena_ struct arena *a = arena_new();

	return hooks_run(&p->spec, HOOK_POSTSTART, hook_state(a, c, HOOK_POSTSTART, c->pid), NULL);
}

static int start(struct container *c)
{
	struct plan p = {0};
	enum container_status st;

	if (container_status(c, &st) < 0)
		return -1;
	if (st == STATUS_STOPPED)
		return fail(0, "cannot start a container that has stopped");
	if (st == STATUS_PAUSED)
		return fail(0, "container paused");
	if (st != STATUS_CREATED)
		return fail(0, "cannot start an already running container");
	/* Before the program runs: what cannot be read now must not end it later. */
	if (plan_reload(&p, c) < 0 || start_go(c->dir_fd) < 0)
		return -1;
	if (run_poststart(c, &p) == 0)
		return 0;
	/* runtime-spec 1.3: a poststart hook that fails ends the container. */
	struct error e = *error_last();
	_fd_ int pidfd = container_pidfd(c);
	if (pidfd >= 0)
		syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
	return error_adopt(&e);
}

int container_start(const struct options *o, const char *id)
{
	_arena_ struct arena *a = arena_new();
	struct container c;
	int r = container_open(&c, a, o->root, id, LOCK_HELD);

	if (r == 0)
		r = start(&c);
	container_close(&c);
	return r;
}

static int kill_one(struct container *c, int sig, bool all)
{
	enum container_status st;

	if (container_status(c, &st) < 0)
		return -1;
	if (all && (c->has_cgroup || st == STATUS_STOPPED))
		return c->has_cgroup ? cgroup_kill(&c->cgroup, sig) : 0;
	if (st == STATUS_STOPPED)
		return fail(0, "container not running: no such process");
	_fd_ int pidfd = container_pidfd(c);
	if (pidfd < 0)
		return -1;
	if (syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0) < 0)
		return errno == ESRCH ? fail(0, "container not running: no such process")
				      : fail(errno, "cannot send signal %d", sig);
	/* A frozen process of cgroup v1 dies only when it is thawed. */
	if (sig == SIGKILL && st == STATUS_PAUSED && c->cgroup.mode == CGROUP_V1)
		return cgroup_freeze(&c->cgroup, false);
	return 0;
}

int container_kill(const struct options *o, const char *id, int sig, bool all)
{
	_arena_ struct arena *a = arena_new();
	struct container c;
	int r = container_open(&c, a, o->root, id, LOCK_NONE);

	if (r == 0)
		r = kill_one(&c, sig, all);
	container_close(&c);
	return r;
}

static int kill_and_wait(struct container *c)
{
	_fd_ int pidfd = container_pidfd(c);
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	if (pidfd < 0) {
		error_clear();
		return 0;
	}
	/* A frozen process of cgroup v1 dies only when it is thawed. */
	if (c->has_cgroup && cgroup_frozen(&c->cgroup) == 1)
		(void)cgroup_freeze(&c->cgroup, false);
	if (syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
		return fail(errno, "cannot kill the container");
	if (poll(&p, 1, KILL_WAIT_MS) == 0)
		return fail(ETIMEDOUT, "container init still running");
	return 0;
}

static int destroy(struct container *c, bool force)
{
	enum container_status st;
	struct plan p = {0};

	if (container_status(c, &st) < 0)
		return -1;
	if (st != STATUS_STOPPED && st != STATUS_CREATED && !force)
		return fail(0, "cannot delete container %s that is not stopped: %s", c->id,
			    container_status_names[st]);
	if (st != STATUS_STOPPED && kill_and_wait(c) < 0)
		return -1;
	/* Without its config there are no hooks to run; the rest still goes. */
	bool known = plan_reload(&p, c) == 0;
	error_clear();
	return container_destroy(c, known ? &p.spec : NULL);
}

int container_delete(const struct options *o, const char *id, bool force)
{
	_arena_ struct arena *a = arena_new();
	struct container c;
	int r;

	/* A command that holds the lock may be waiting for this container: killed
	 * first, it lets go. */
	if (force && container_open(&c, a, o->root, id, LOCK_NONE) == 0) {
		(void)kill_and_wait(&c);
		container_close(&c);
	}
	r = container_open(&c, a, o->root, id, LOCK_HELD);
	if (r == 0) {
		r = destroy(&c, force);
	} else if (force && container_is_missing()) {
		/* Engines clean up by this, whether there is something or not. */
		_fd_ int root = state_root_open(o->root, false);

		if (root >= 0)
			(void)container_remove_remnant(root, id);
		r = 0;
	}
	container_close(&c);
	return r;
}
