/* exec: one more process, held to the rules of the container that it joins. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "casemate/error.h"
#include "casemate/fd.h"
#include "casemate/sandbox.h"
#include "plan.h"

static int parse_id(const char *text, const char *flag, uint32_t *out)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (end == text || *end || *text == '-' || v >= UINT32_MAX)
		return fail(EINVAL, "%s: \"%s\" is not an id", flag, text);
	*out = (uint32_t)v;
	return 0;
}

static int set_user(struct arena *a, const char *user, struct spec_process *p)
{
	const char *colon = strchr(user, ':');

	if (parse_id(arena_strndup(a, user, strcspn(user, ":")), "--user", &p->uid) < 0)
		return -1;
	p->gid = p->uid == 0 ? 0 : p->gid;
	return colon ? parse_id(colon + 1, "--user", &p->gid) : 0;
}

static int set_caps(const struct strv *names, struct spec_caps *c)
{
	c->present = true;
	for (size_t i = 0; i < names->n; i++) {
		int n = capability_number(names->v[i]);

		if (n < 0)
			return fail(EINVAL, "--cap: unknown capability %s", names->v[i]);
		c->bounding |= 1ULL << n;
		c->permitted |= 1ULL << n;
		c->effective |= 1ULL << n;
	}
	return 0;
}

/* From the command line: the container's own process, with what was said. */
static int from_options(struct arena *a, const struct exec_options *eo, const struct spec *s,
			struct spec_process *p)
{
	*p = s->process;
	p->args = eo->args;
	p->terminal = eo->tty;
	p->has_oom_score_adj = false;
	/* A copy, so that the container's own list is not added to. */
	p->env = (struct strv){0};
	for (size_t i = 0; i < s->process.env.n; i++)
		strv_add(a, &p->env, s->process.env.v[i]);
	for (size_t i = 0; i < eo->env.n; i++) {
		if (!strchr(eo->env.v[i], '=') || eo->env.v[i][0] == '=')
			return fail(EINVAL, "--env: \"%s\" is not NAME=value", eo->env.v[i]);
		strv_add(a, &p->env, eo->env.v[i]);
	}
	if (eo->args.n == 0)
		return fail(EINVAL, "exec: no command was given");
	if (eo->cwd && *eo->cwd != '/')
		return fail(EINVAL, "--cwd: \"%s\" is not an absolute path", eo->cwd);
	p->cwd = eo->cwd ? eo->cwd : p->cwd;
	p->no_new_privileges = p->no_new_privileges || eo->no_new_privs;
	if (eo->gids.n > 0)
		p->additional_gids.n = 0;
	for (size_t i = 0; i < eo->gids.n; i++)
		if (parse_id(eo->gids.v[i], "--additional-gids", vec_add(a, &p->additional_gids)) <
		    0)
			return -1;
	if (eo->user && set_user(a, eo->user, p) < 0)
		return -1;
	return set_caps(&eo->caps, &p->caps);
}

static int read_process(struct arena *a, const struct exec_options *eo, const struct spec *s,
			struct spec_process *p)
{
	size_t len;

	if (!eo->process) {
		if (from_options(a, eo, s, p) < 0)
			return -1;
	} else {
		char *text = file_read(a, AT_FDCWD, eo->process, SPEC_MAX_SIZE, &len);

		if (!text || spec_parse_process(a, text, len, p) < 0)
			return fail_in("--process");
		/* conmon-rs says it on the command line, too. */
		p->terminal = p->terminal || eo->tty;
	}
	/* Under the container's label where it brings none: exec must not be a way out. */
	if (!p->apparmor_profile && !p->selinux_label) {
		p->apparmor_profile = s->process.apparmor_profile;
		p->selinux_label = s->process.selinux_label;
	}
	if (eo->process_label)
		p->selinux_label = eo->process_label;
	if (eo->apparmor)
		p->apparmor_profile = eo->apparmor;
	return 0;
}

static int check_status(const struct container *c, bool ignore_paused)
{
	enum container_status st;

	if (container_status(c, &st) < 0)
		return -1;
	if (st == STATUS_STOPPED)
		return fail(0, "cannot exec in a stopped container");
	if (st == STATUS_PAUSED && !ignore_paused)
		return fail(0,
			    "cannot exec in a paused container (use --ignore-paused to override)");
	return 0;
}

static int launch(const struct exec_options *eo, struct launch *l, int *status)
{
	if (!eo->detach)
		foreground_begin();
	if (sandbox_exec(l) < 0)
		return -1;
	if (send_pidfd(eo->pidfd_socket, l->pidfd) < 0) {
		sandbox_abort(l);
		return -1;
	}
	/* conmon takes a pid file for "the command ran", none for "it did not". */
	if (sandbox_go(l) < 0)
		return -1;
	if (write_pid_file(eo->pid_file, l->pid) < 0) {
		sandbox_abort(l);
		return -1;
	}
	*status = 0;
	if (eo->detach)
		return 0;
	*status = foreground_wait(l->pid, l->pidfd, fd_take(&l->console));
	return *status < 0 ? -1 : 0;
}

static int exec(const struct options *o, const struct exec_options *eo, struct container *c,
		int *status)
{
	struct plan p = {0};
	struct spec_process process;
	struct launch l = launch_init();
	const char *console = eo->console_socket && *eo->console_socket ? eo->console_socket : NULL;

	if (check_status(c, eo->ignore_paused) < 0 || rootless_join(c->pid) < 0 ||
	    plan_reload(&p, c) < 0)
		return -1;
	/* Only what this process brings is judged now. */
	p.findings.n = 0;
	if (read_process(c->arena, eo, &p.spec, &process) < 0)
		return -1;
	if (policy_apply_exec(&p.profile, &p.spec, &process, &p.findings) > 0)
		return policy_fail(&p.profile, &p.findings);
	if (eo->cgroup && *eo->cgroup && strcmp(eo->cgroup, "/") != 0)
		return fail(0, "--cgroup: a cgroup below the container's is not supported by this "
			       "version");
	if (check_terminal(&process, eo->detach, console) < 0 ||
	    preserved(o, NULL, eo->preserve_fds, &l.preserve_fds) < 0 ||
	    plan_filters(&p, c->root_fd) < 0)
		return -1;
	_fd_ int pidfd = container_pidfd(c);
	_fd_ int socket = console ? connect_socket("--console-socket", console) : -1;
	if (pidfd < 0 || (console && socket < 0))
		return -1;
	l.spec = &p.spec;
	l.process = &process;
	l.id = c->id;
	l.rootfs_path = c->rootfs;
	l.cgroup = c->has_cgroup ? &c->cgroup : NULL;
	l.filter = &p.filter;
	l.fixed = &p.fixed;
	l.console_socket = socket;
	l.container_pidfd = pidfd;
	return launch(eo, &l, status);
}

int container_exec(const struct options *o, const struct exec_options *eo, const char *id,
		   int *status)
{
	_arena_ struct arena *a = arena_new();
	struct container c;
	int r = container_open(&c, a, o->root, id, LOCK_NONE);

	if (r == 0)
		r = exec(o, eo, &c, status);
	container_close(&c);
	return r;
}
