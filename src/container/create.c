/* create and run: from the bundle to a process that waits, or runs. Every step
 * that fails undoes what came before it. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "casemate/error.h"
#include "casemate/fd.h"
#include "casemate/log.h"
#include "casemate/sandbox.h"
#include "plan.h"

const char *hook_state(struct arena *a, const struct container *c, enum hook_kind kind, pid_t pid)
{
	static const char *const status[HOOK_KINDS] = {"creating", "creating", "creating",
						       "created",  "running",  "stopped"};
	struct json_out *w = json_out_new(a, true);

	json_out_open(w, NULL, '{');
	json_out_str(w, "ociVersion", c->oci_version);
	json_out_str(w, "id", c->id);
	json_out_str(w, "status", status[kind]);
	if (kind != HOOK_POSTSTOP)
		json_out_int(w, "pid", pid);
	json_out_str(w, "bundle", c->bundle);
	if (c->annotations.n > 0) {
		json_out_open(w, "annotations", '{');
		for (size_t i = 0; i < c->annotations.n; i++)
			json_out_str(w, c->annotations.v[i].key, c->annotations.v[i].value);
		json_out_close(w);
	}
	json_out_close(w);
	return json_out_text(w, NULL);
}

/* What the sandbox calls back with. */
struct hook_context {
	const struct container *c;
	const struct spec *s;
};

static int run_hooks(void *ctx, enum hook_kind kind, pid_t pid, const struct hook_exec *by)
{
	const struct hook_context *h = ctx;
	_arena_ struct arena *a = arena_new();

	if (h->s->hooks[kind].n == 0)
		return 0;
	return hooks_run(h->s, kind, hook_state(a, h->c, kind, pid), by);
}

static void undo(struct container *c, struct plan *p, struct launch *l)
{
	struct error e = *error_last();

	sandbox_abort(l);
	if (c->dir_fd >= 0 && (container_relock(c) < 0 || container_destroy(c, &p->spec) < 0))
		log_warn("cleaning up after a failure: %s%s", error_last()->context,
			 error_last()->message);
	error_adopt(&e);
}

/* The container's process makes the nodes of linux.devices, from inside of the
 * cgroup: that takes the right to make them, and not yet to open them. */
static void allow_nodes(struct spec *s)
{
	for (size_t i = 0; i < s->devices.n; i++) {
		const struct spec_device *d = &s->devices.v[i];

		if (d->type != 'p')
			*vec_add(s->arena, &s->resources.devices) = (struct spec_device_rule){
				true, d->type, d->major, d->minor, DEVICE_MKNOD};
	}
}

/* What is not there cannot be mounted inside; the host's would be in its place. */
static void drop_cgroup_mounts(struct spec *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->mounts.n; i++)
		if (spec_mount_is_cgroup(&s->mounts.v[i]))
			log_debug("%s: is left out: there is no cgroup to mount",
				  s->mounts.v[i].place);
		else
			s->mounts.v[n++] = s->mounts.v[i];
	s->mounts.n = n;
}

/* Not his to make, not there, or no systemd that would; not a wrong config. */
static bool is_unavailable(int errnum)
{
	return errnum == EACCES || errnum == EPERM || errnum == EROFS || errnum == ENOENT ||
	       errnum == ECONNREFUSED || errnum == ENOMEDIUM;
}

/* A cgroup that the user cannot have: refused, or a finding where the profile says
 * so. */
static int without_cgroup(struct container *c, struct plan *p)
{
	const struct error *e = error_last();
	struct spec *s = &p->spec;

	c->has_cgroup = false;
	if (!s->in_user_namespace || !p->profile.unavailable_warn || !is_unavailable(e->errnum))
		return -1;
	log_warn("linux.resources: warned by rule resources: there is no cgroup, no limit of it is "
		 "in force: %s%s",
		 e->context, e->message);
	error_clear();
	drop_cgroup_mounts(s);
	return 0;
}

static int plan_cgroup(const struct options *o, struct container *c, struct plan *p, const char *id)
{
	unsigned driver = (o->systemd_cgroup ? CGROUP_SYSTEMD : CGROUP_FS) |
			  (p->spec.in_user_namespace ? CGROUP_USER : 0U);

	if (o->no_cgroups) {
		drop_cgroup_mounts(&p->spec);
		return 0;
	}
	c->has_cgroup = cgroup_plan(&c->cgroup, p->arena, p->spec.cgroups_path, id, driver) == 0;
	return c->has_cgroup ? 0 : without_cgroup(c, p);
}

/* The state knows the cgroup before it is made, so that delete --force can
 * remove it whatever happens to this process. */
static int reserve(const struct options *o, struct container *c, struct plan *p, const char *id)
{
	if (container_reserve(c, p->arena, o->root, id) < 0)
		return -1;
	c->bundle = p->bundle;
	c->rootfs = p->rootfs;
	c->profile = p->profile.path;
	c->oci_version = p->spec.oci_version;
	c->annotations = p->spec.annotations;
	if (plan_cgroup(o, c, p, id) < 0)
		return -1;
	if (p->spec.own_categories && mcs_reserve(c) < 0)
		return -1;
	mcs_label(&p->spec, c->mcs);
	/* The second saves the state, also where there is nothing to reserve. */
	if (file_replace(c->dir_fd, "config.json", p->config, p->config_len, 0600) < 0 ||
	    ids_reserve(c, &p->profile, &p->spec) < 0)
		return -1;
	allow_nodes(&p->spec);
	if (c->has_cgroup && cgroup_create(&c->cgroup, &p->spec.resources) < 0) {
		/* It undid itself; what is there now is not this container's. */
		return without_cgroup(c, p) < 0 ? -1 : container_save(c);
	}
	return 0;
}

static int note_process(struct container *c, const struct launch *l)
{
	char state;

	c->pid = l->pid;
	if (process_stat(l->pid, &state, &c->start_time) < 0)
		return fail(ESRCH, "the container's process is gone");
	return container_save(c);
}

struct creation {
	struct container c;
	struct plan p;
	struct launch l;
	struct hook_context hooks;
};

/* Everything up to a process that waits for its start. */
static int prepare(const struct options *o, const struct create_options *co, const char *id,
		   struct creation *x, bool wait_for_start)
{
	struct plan *p = &x->p;
	struct launch *l = &x->l;
	bool detach = co->detach || wait_for_start;
	const char *console = co->console_socket && *co->console_socket ? co->console_socket : NULL;

	if (container_id_check(id) < 0)
		return -1;
	if (plan_read(p, co->bundle ? co->bundle : ".", co->config) < 0)
		return -1;
	if (!p->spec.has_process)
		return fail(0, "process: is missing, there is nothing to start");
	p->spec.id = id;
	if (facts_gather(&p->spec, p->bundle_fd, p->bundle, o->root, true) < 0 ||
	    plan_judge(p, o->profile) < 0 ||
	    check_terminal(&p->spec.process, detach, console) < 0 ||
	    preserved(o, p, co->preserve_fds, &l->preserve_fds) < 0 || plan_rootfs(p) < 0 ||
	    reserve(o, &x->c, p, id) < 0 || plan_filters(p, x->c.root_fd) < 0)
		return -1;
	if (console) {
		l->console_socket = connect_socket("--console-socket", console);
		if (l->console_socket < 0)
			return -1;
	}
	if (wait_for_start) {
		l->start_fd = start_listen(x->c.dir_fd);
		if (l->start_fd < 0)
			return -1;
	}
	x->hooks = (struct hook_context){&x->c, &p->spec};
	l->spec = &p->spec;
	l->process = &p->spec.process;
	l->id = id;
	l->cgroup = x->c.has_cgroup ? &x->c.cgroup : NULL;
	l->filter = &p->filter;
	l->fixed = &p->fixed;
	l->no_new_keyring = co->no_new_keyring;
	l->rootfs_path = p->rootfs;
	l->rootfs_fd = p->rootfs_fd;
	l->hooks = run_hooks;
	l->hooks_ctx = &x->hooks;
	if (sandbox_launch(l) < 0 || ids_confirm(&x->c) < 0 || note_process(&x->c, l) < 0 ||
	    (wait_for_start && sandbox_leave(l) < 0))
		return -1;
	facts_release(&p->spec);
	return send_pidfd(co->pidfd_socket, l->pidfd);
}

static void start_creation(struct creation *x)
{
	*x = (struct creation){.l = launch_init()};
	x->p.arena = arena_new();
	x->p.bundle_fd = x->p.rootfs_fd = -1;
	x->c.dir_fd = x->c.root_fd = -1;
}

static void end_creation(struct creation *x)
{
	cleanup_fd(&x->l.console_socket);
	cleanup_fd(&x->l.start_fd);
	cleanup_fd(&x->l.sync);
	cleanup_fd(&x->l.pidfd);
	cleanup_fd(&x->l.console);
	container_close(&x->c);
	plan_free(&x->p);
}

int container_create(const struct options *o, const struct create_options *co, const char *id)
{
	struct creation x;
	int r;

	start_creation(&x);
	r = prepare(o, co, id, &x, true);
	/* Last: who finds it may count on everything else. */
	if (r == 0)
		r = write_pid_file(co->pid_file, x.l.pid);
	if (r < 0)
		undo(&x.c, &x.p, &x.l);
	end_creation(&x);
	return r;
}

/* A container without a PID namespace of its own leaves processes behind. */
static int finish_run(struct creation *x, bool keep)
{
	if (x->c.has_cgroup && cgroup_kill(&x->c.cgroup, SIGKILL) < 0)
		return -1;
	/* Deleted while it ran, and perhaps made again: that one is another's. */
	if (container_relock(&x->c) < 0) {
		close(fd_take(&x->c.dir_fd));
		return container_is_missing() ? (error_clear(), 0) : -1;
	}
	return keep ? 0 : container_destroy(&x->c, &x->p.spec);
}

static int start_and_wait(const struct create_options *co, struct creation *x, int *status)
{
	struct launch *l = &x->l;

	if (sandbox_go(l) < 0 || run_hooks(&x->hooks, HOOK_POSTSTART, l->pid, NULL) < 0 ||
	    write_pid_file(co->pid_file, l->pid) < 0)
		return -1;
	*status = 0;
	if (co->detach)
		return 0;
	/* The lock is for changes; a container that runs may be changed by others. */
	if (flock(x->c.dir_fd, LOCK_UN) < 0)
		return fail(errno, "cannot unlock the container");
	int r = foreground_wait(l->pid, l->pidfd, fd_take(&l->console));
	if (r < 0)
		return -1;
	l->pid = 0;
	*status = r;
	return finish_run(x, co->keep);
}

int container_run(const struct options *o, const struct create_options *co, const char *id,
		  int *status)
{
	struct creation x;
	int r;

	start_creation(&x);
	if (!co->detach)
		foreground_begin();
	r = prepare(o, co, id, &x, false);
	if (r == 0)
		r = start_and_wait(co, &x, status);
	if (r < 0)
		undo(&x.c, &x.p, &x.l);
	end_creation(&x);
	return r;
}
