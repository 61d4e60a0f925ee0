/* The processes in a cgroup: listing, freezing, killing, and removing it. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "systemd.h"

/* The longest anything here waits, with pauses from 1 to 100 ms. */
enum { WAIT_MS = 10000 };

/* One pause of a growing series; false when the time is over. */
static bool pause_more(unsigned *spent)
{
	unsigned ms = *spent < 10 ? 1 : *spent < 200 ? 10 : 100;
	struct timespec t = {.tv_nsec = (long)ms * 1000000};

	if (*spent >= WAIT_MS)
		return false;
	nanosleep(&t, NULL);
	*spent += ms;
	return true;
}

/* Where all processes of the container can be found: any hierarchy does. */
static const struct cgroup_hierarchy *any(const struct cgroup *cg)
{
	const struct cgroup_hierarchy *h =
		cg->mode == CGROUP_V2 ? NULL : cgroup_find(cg, "freezer");

	return h ? h : &cg->h.v[0];
}

struct pids {
	struct arena *a;
	pid_t *v;
	size_t n, cap;
};

/* Calls f for dir and every cgroup below it, the deepest first. */
static int walk(struct arena *a, const char *dir, int (*f)(struct arena *, const char *, void *),
		void *ctx)
{
	_dir_ DIR *d = opendir(dir);
	struct dirent *e;

	if (!d)
		return errno == ENOENT ? 0 : fail(errno, "cannot open %s", dir);
	while ((e = readdir(d)))
		if (e->d_type == DT_DIR && strcmp(e->d_name, ".") != 0 &&
		    strcmp(e->d_name, "..") != 0 &&
		    walk(a, arena_printf(a, "%s/%s", dir, e->d_name), f, ctx) < 0)
			return -1;
	return f(a, dir, ctx);
}

static int read_pids(struct arena *a, const char *dir, void *ctx)
{
	struct pids *p = ctx;
	char *text =
		file_read(a, AT_FDCWD, arena_printf(a, "%s/cgroup.procs", dir), 16 << 20, NULL);
	char *end;

	if (!text)
		return error_last()->errnum == ENOENT || error_last()->errnum == ENODEV ? 0 : -1;
	for (long pid; (pid = strtol(text, &end, 10)) > 0; text = end)
		*vec_add(a, p) = (pid_t)pid;
	return 0;
}

static int by_number(const void *a, const void *b)
{
	return *(const pid_t *)a < *(const pid_t *)b ? -1 : *(const pid_t *)a > *(const pid_t *)b;
}

int cgroup_pids(const struct cgroup *cg, struct arena *a, pid_t **pids, size_t *n)
{
	struct pids p = {.a = a};

	*pids = NULL;
	*n = 0;
	/* Gone, or another container's by now. */
	if (!cgroup_is_own(a, any(cg)))
		return 0;
	if (walk(a, cgroup_dir(a, any(cg)), read_pids, &p) < 0)
		return -1;
	if (p.n > 1)
		qsort(p.v, p.n, sizeof(*p.v), by_number);
	*pids = p.v;
	*n = p.n;
	return 0;
}

/* --- freezer ----------------------------------------------------------- */

int cgroup_frozen(const struct cgroup *cg)
{
	_arena_ struct arena *a = arena_new();
	const struct cgroup_hierarchy *h = any(cg);
	bool v2 = cg->mode == CGROUP_V2;

	if ((!v2 && !cgroup_find(cg, "freezer")) || !cgroup_is_own(a, h))
		return 0;
	char *text = file_read(
		a, AT_FDCWD,
		arena_printf(a, "%s/%s", cgroup_dir(a, h), v2 ? "cgroup.events" : "freezer.state"),
		4096, NULL);
	if (!text)
		return error_last()->errnum == ENOENT ? 0 : -1;
	return v2 ? strstr(text, "frozen 1") != NULL : strncmp(text, "FROZEN", 6) == 0;
}

int cgroup_freeze(const struct cgroup *cg, bool freeze)
{
	_arena_ struct arena *a = arena_new();
	bool v2 = cg->mode == CGROUP_V2;
	unsigned spent = 0;

	if (!v2 && !cgroup_find(cg, "freezer")) {
		fail(0, "this host has no freezer controller");
		return fail_hint("mount the freezer hierarchy");
	}
	if (!cgroup_is_own(a, any(cg)))
		return cgroup_fail_gone(cgroup_dir(a, any(cg)));
	const char *file = arena_printf(a, "%s/%s", cgroup_dir(a, any(cg)),
					v2 ? "cgroup.freeze" : "freezer.state");
	const char *value = v2 ? (freeze ? "1" : "0") : (freeze ? "FROZEN" : "THAWED");
	for (;;) {
		/* v1 gives up on a process that forks: it is asked again. */
		if (file_write(AT_FDCWD, file, value) < 0)
			return -1;
		int now = cgroup_frozen(cg);
		if (now < 0 || now == freeze)
			return now < 0 ? -1 : 0;
		if (!pause_more(&spent)) {
			file_write(AT_FDCWD, file, v2 ? "0" : "THAWED");
			return fail(ETIMEDOUT, "%s", freeze ? "cannot freeze" : "cannot thaw");
		}
	}
}

/* --- kill -------------------------------------------------------------- */

static int signal_all(const struct cgroup *cg, int sig, size_t *n)
{
	_arena_ struct arena *a = arena_new();
	pid_t *pids;

	if (cgroup_pids(cg, a, &pids, n) < 0)
		return -1;
	for (size_t i = 0; i < *n; i++)
		/* Never 0 (a process that is not visible here) nor 1. */
		if (pids[i] > 1 && kill(pids[i], sig) < 0 && errno != ESRCH)
			return fail(errno, "cannot signal process %d", (int)pids[i]);
	return 0;
}

int cgroup_kill(const struct cgroup *cg, int sig)
{
	_arena_ struct arena *a = arena_new();
	unsigned spent = 0;
	size_t n;

	if (!cgroup_is_own(a, any(cg)))
		return 0;
	if (sig != SIGKILL)
		return signal_all(cg, sig, &n);
	if (cg->mode == CGROUP_V2)
		/* Linux 5.14; what is left to do below is to wait. */
		(void)file_write(AT_FDCWD,
				 arena_printf(a, "%s/cgroup.kill", cgroup_dir(a, any(cg))), "1");
	for (;;) {
		if (signal_all(cg, SIGKILL, &n) < 0)
			return -1;
		if (n == 0)
			return 0;
		/* On v1 the frozen die when they are thawed. */
		if (cgroup_frozen(cg) == 1)
			(void)cgroup_freeze(cg, false);
		if (!pause_more(&spent))
			return fail(ETIMEDOUT, "%zu processes of the container do not end", n);
	}
}

/* --- delete ------------------------------------------------------------ */

static int remove_dir(struct arena *a, const char *dir, void *ctx)
{
	unsigned *spent = ctx;

	(void)a;
	while (rmdir(dir) < 0 && errno != ENOENT)
		if (errno != EBUSY || !pause_more(spent))
			return fail(errno, "cannot remove the cgroup %s", dir);
	return 0;
}

/* The parents that create made go, too, when nobody uses them. */
static void remove_parents(struct arena *a, const struct cgroup_hierarchy *h)
{
	char *path = arena_strdup(a, h->path);
	size_t top = h->made_from ? strlen(h->made_from) : strlen(path);

	if (!h->made_from)
		return;
	for (char *slash; (slash = strrchr(path, '/')) && slash != path;) {
		*slash = '\0';
		if (strlen(path) < top || rmdir(arena_printf(a, "%s%s", h->mountpoint, path)) < 0)
			return;
	}
}

/* A create that was killed had made the directory, perhaps, and not written down
 * which it is. It is removed when it is empty, and stays when it is another's:
 * the container's process does not outlive such a create for long. */
static void remove_unknown(const char *dir)
{
	for (unsigned spent = 0; rmdir(dir) < 0 && errno == EBUSY && spent < WAIT_MS / 5;)
		(void)pause_more(&spent);
}

static int delete_one(const struct cgroup *cg, struct arena *a, const struct cgroup_hierarchy *h,
		      unsigned *spent)
{
	const char *dir = cgroup_dir(a, h);
	bool own = cgroup_is_own(a, h), there = access(dir, F_OK) == 0;

	if (h->path[strspn(h->path, "/")] == '\0')
		return fail(EINVAL, "a cgroup without a path is not removed");
	if (cg->unit && own && systemd_stop(cg) < 0)
		return -1;
	/* A scope whose cgroup is gone may be there still, as failed. */
	if (cg->unit && !there && h->inode && systemd_forget(cg) < 0)
		return -1;
	if (own && walk(a, dir, remove_dir, spent) < 0)
		return -1;
	if (!own && there && h->inode == 0 && h->made_from)
		remove_unknown(dir);
	if (own || !there || h->inode == 0)
		remove_parents(a, h);
	return 0;
}

int cgroup_delete(const struct cgroup *cg)
{
	_arena_ struct arena *a = arena_new();
	unsigned spent = 0;

	for (size_t i = 0; i < cg->h.n; i++)
		if (delete_one(cg, a, &cg->h.v[i], &spent) < 0)
			return -1;
	return 0;
}
