/* Talking to systemd by sd-bus. The library is loaded where it is needed only:
 * linking it would cost every container start more than its own start. */
#include "systemd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Where the manager itself is: its slices are below. NULL with error. */
static const char *manager_cgroup(const struct cgroup *cg);

int systemd_plan(struct cgroup *cg, const char *cgroups_path, const char *id)
{
	struct arena *a = cg->arena;
	const char *slice = cg->user ? "user.slice" : "system.slice", *prefix = "casemate",
		   *name = id;

	if (cgroups_path) {
		const char *first = strchr(cgroups_path, ':');
		const char *second = first ? strchr(first + 1, ':') : NULL;

		if (!second || strchr(second + 1, ':')) {
			fail(0, "linux.cgroupsPath: \"%s\" is not slice:prefix:name", cgroups_path);
			return fail_hint("that is its form with --systemd-cgroup");
		}
		if (first > cgroups_path)
			slice = arena_strndup(a, cgroups_path, (size_t)(first - cgroups_path));
		prefix = arena_strndup(a, first + 1, (size_t)(second - first - 1));
		if (second[1])
			name = second + 1;
	}
	const char *path = unit_slice_path(a, slice), *top = "";
	if (!path)
		return fail(0, "linux.cgroupsPath: \"%s\" is not the name of a slice", slice);
	cg->slice = slice;
	cg->unit = arena_printf(a, "%s%s%s.scope", prefix, *prefix ? "-" : "", name);
	/* systemd.unit(5): what a unit's name may be made of. */
	if (strlen(cg->unit) > 255 ||
	    cg->unit[strspn(cg->unit, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789:-_.\\@+")])
		return fail(0, "linux.cgroupsPath: \"%s\" is not the name of a unit", cg->unit);
	if (cg->user && !(top = manager_cgroup(cg)))
		return -1;
	cg->h.v[0].path = arena_printf(a, "%s%s/%s", top, path, cg->unit);
	return 0;
}

#ifdef HAVE_SYSTEMD

#include <dlfcn.h>
#include <systemd/sd-bus.h>

#define DESTINATION "org.freedesktop.systemd1"
#define OBJECT	    "/org/freedesktop/systemd1"
#define MANAGER	    "org.freedesktop.systemd1.Manager"

/* What is used of libsystemd.so.0; pointers with the header's own types. */
#define FUNCTIONS(X)                                                                               \
	X(sd_bus_new)                                                                              \
	X(sd_bus_open_system)                                                                      \
	X(sd_bus_open_user)                                                                        \
	X(sd_bus_set_address)                                                                      \
	X(sd_bus_start)                                                                            \
	X(sd_bus_flush_close_unref)                                                                \
	X(sd_bus_match_signal)                                                                     \
	X(sd_bus_call)                                                                             \
	X(sd_bus_call_method)                                                                      \
	X(sd_bus_process)                                                                          \
	X(sd_bus_wait)                                                                             \
	X(sd_bus_error_free)                                                                       \
	X(sd_bus_message_new_method_call)                                                          \
	X(sd_bus_message_append)                                                                   \
	X(sd_bus_message_append_array)                                                             \
	X(sd_bus_message_open_container)                                                           \
	X(sd_bus_message_close_container)                                                          \
	X(sd_bus_message_read)                                                                     \
	X(sd_bus_message_unref)

static struct {
#define X(name) __typeof__(&name) name;
	FUNCTIONS(X)
#undef X
} lib;

static int load_library(void)
{
	static bool loaded;
	void *handle = loaded ? NULL : dlopen("libsystemd.so.0", RTLD_NOW | RTLD_LOCAL);

	if (loaded)
		return 0;
	if (!handle) {
		fail(0, "--systemd-cgroup: %s", dlerror());
		return fail_hint("install libsystemd, or use the cgroupfs driver");
	}
#define X(name)                                                                                    \
	*(void **)&lib.name = dlsym(handle, #name);                                                \
	if (!lib.name)                                                                             \
		return fail(0, "--systemd-cgroup: libsystemd has no " #name);
	FUNCTIONS(X)
#undef X
	loaded = true;
	return 0;
}

static void close_bus(sd_bus **bus)
{
	if (*bus)
		lib.sd_bus_flush_close_unref(*bus);
}
static void close_message(sd_bus_message **m)
{
	if (*m)
		lib.sd_bus_message_unref(*m);
}
#define _bus_	  __attribute__((cleanup(close_bus)))
#define _message_ __attribute__((cleanup(close_message)))

/* systemd's private socket works without a bus daemon, the bus where root has
 * no access to that socket. A user has a systemd of his own. */
static int open_bus(const struct cgroup *cg, sd_bus **out)
{
	const char *run = cg->user ? getenv("XDG_RUNTIME_DIR") : "/run";
	sd_bus *bus = NULL;
	int r;

	if (load_library() < 0)
		return -1;
	if (!run || !*run) {
		fail(0, "--systemd-cgroup: XDG_RUNTIME_DIR is not set");
		return fail_hint("the user's systemd is found by it");
	}
	r = lib.sd_bus_new(&bus);
	if (r >= 0)
		r = lib.sd_bus_set_address(
			bus, arena_printf(cg->arena, "unix:path=%s/systemd/private", run));
	if (r >= 0)
		r = lib.sd_bus_start(bus);
	if (r < 0) {
		close_bus(&bus);
		bus = NULL;
		r = cg->user ? lib.sd_bus_open_user(&bus) : lib.sd_bus_open_system(&bus);
	}
	if (r < 0 && cg->user) {
		fail(-r, "--systemd-cgroup: cannot reach the user's systemd");
		return fail_hint("is user@UID.service running (loginctl enable-linger)?");
	}
	if (r < 0) {
		fail(-r, "--systemd-cgroup: cannot reach systemd");
		return fail_hint("is systemd the host's init? Else use the cgroupfs driver");
	}
	*out = bus;
	return 0;
}

/* --- jobs -------------------------------------------------------------- */

struct job {
	const char *path; /* object path, known once the call has answered */
	struct arena *a;
	struct strv removed; /* path, result, path, result, …: signals may come first */
};

static int on_removed(sd_bus_message *m, void *ctx, sd_bus_error *error)
{
	struct job *j = ctx;
	const char *path, *unit, *result;
	uint32_t id;

	(void)error;
	if (lib.sd_bus_message_read(m, "uoss", &id, &path, &unit, &result) >= 0) {
		strv_add(j->a, &j->removed, path);
		strv_add(j->a, &j->removed, result);
	}
	return 0;
}

static int listen_for_jobs(sd_bus *bus, struct job *j)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int r = lib.sd_bus_match_signal(bus, NULL, DESTINATION, OBJECT, MANAGER, "JobRemoved",
					on_removed, j);

	if (r >= 0)
		r = lib.sd_bus_call_method(bus, DESTINATION, OBJECT, MANAGER, "Subscribe", &error,
					   NULL, "");
	lib.sd_bus_error_free(&error);
	return r < 0 ? fail(-r, "cannot subscribe to systemd") : 0;
}

static int wait_for_job(sd_bus *bus, const struct job *j)
{
	const uint64_t limit = 30 * 1000000ULL;
	time_t end = time(NULL) + 30;

	while (time(NULL) < end) {
		for (size_t i = 0; i + 1 < j->removed.n; i += 2)
			if (strcmp(j->removed.v[i], j->path) == 0)
				return strcmp(j->removed.v[i + 1], "done") == 0
					       ? 0
					       : fail(0, "the job of systemd ended with \"%s\"",
						      j->removed.v[i + 1]);
		int r = lib.sd_bus_process(bus, NULL);
		if (r == 0)
			r = lib.sd_bus_wait(bus, limit);
		if (r < 0)
			return fail(-r, "cannot hear systemd");
	}
	return fail(ETIMEDOUT, "the job of systemd does not end");
}

static bool is_gone(const sd_bus_error *error)
{
	return error->name && strcmp(error->name, "org.freedesktop.systemd1.NoSuchUnit") == 0;
}

/* Calls, and waits for the job that the answer names. gone: where it is told that
 * there is no such unit, which is no error then; NULL: it is one. */
static int call_for_job(sd_bus *bus, sd_bus_message *m, struct job *j, const char *what, bool *gone)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	_message_ sd_bus_message *reply = NULL;
	const char *path;
	int r = lib.sd_bus_call(bus, m, 0, &error, &reply);

	if (r >= 0)
		r = lib.sd_bus_message_read(reply, "o", &path);
	if (gone)
		*gone = is_gone(&error);
	if (r < 0 && !(gone && *gone))
		fail(0, "systemd: %s: %s", what, error.message ? error.message : strerror(-r));
	lib.sd_bus_error_free(&error);
	if (r < 0)
		return gone && *gone ? 0 : -1;
	j->path = arena_strdup(j->a, path);
	return wait_for_job(bus, j) < 0 ? fail_in("%s", what) : 0;
}

/* --- properties -------------------------------------------------------- */

static int append_devices(sd_bus_message *m, const struct unit_property *p)
{
	int r = lib.sd_bus_message_open_container(m, 'v', "a(ss)");

	if (r >= 0)
		r = lib.sd_bus_message_open_container(m, 'a', "(ss)");
	for (size_t i = 0; r >= 0 && i + 1 < p->devices.n; i += 2)
		r = lib.sd_bus_message_append(m, "(ss)", p->devices.v[i], p->devices.v[i + 1]);
	if (r >= 0)
		r = lib.sd_bus_message_close_container(m);
	return r < 0 ? r : lib.sd_bus_message_close_container(m);
}

static int append_bytes(sd_bus_message *m, const struct unit_property *p)
{
	int r = lib.sd_bus_message_open_container(m, 'v', "ay");

	if (r >= 0)
		r = lib.sd_bus_message_append_array(m, 'y', p->bytes, p->n);
	return r < 0 ? r : lib.sd_bus_message_close_container(m);
}

static int append_one(sd_bus_message *m, const struct unit_property *p)
{
	int r = lib.sd_bus_message_open_container(m, 'r', "sv");

	if (r >= 0)
		r = lib.sd_bus_message_append(m, "s", p->name);
	if (r < 0)
		return r;
	switch (p->type) {
	case 's':
		r = lib.sd_bus_message_append(m, "v", "s", p->text);
		break;
	case 'b':
		r = lib.sd_bus_message_append(m, "v", "b", (int)p->number);
		break;
	case 'y':
		r = append_bytes(m, p);
		break;
	case 'd':
		r = append_devices(m, p);
		break;
	default:
		r = lib.sd_bus_message_append(m, "v", "t", p->number);
	}
	return r < 0 ? r : lib.sd_bus_message_close_container(m);
}

static int append_all(sd_bus_message *m, const struct unit_properties *p, pid_t pid)
{
	int r = lib.sd_bus_message_open_container(m, 'a', "(sv)");

	for (size_t i = 0; r >= 0 && i < p->n; i++)
		r = append_one(m, &p->v[i]);
	if (r >= 0 && pid > 0)
		r = lib.sd_bus_message_append(m, "(sv)", "PIDs", "au", 1, (uint32_t)pid);
	return r < 0 ? r : lib.sd_bus_message_close_container(m);
}

static void add_switch(struct unit_properties *p, const char *name, bool on)
{
	*vec_add(p->a, p) = (struct unit_property){.name = name, .type = 'b', .number = on};
}

static void add_text(struct unit_properties *p, const char *name, const char *text)
{
	*vec_add(p->a, p) = (struct unit_property){.name = name, .type = 's', .text = text};
}

static const char *manager_cgroup(const struct cgroup *cg)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	_bus_ sd_bus *bus = NULL;
	_message_ sd_bus_message *reply = NULL;
	const char *path;

	if (open_bus(cg, &bus) < 0)
		return NULL;
	int r = lib.sd_bus_call_method(bus, DESTINATION, OBJECT, "org.freedesktop.DBus.Properties",
				       "Get", &error, &reply, "ss", MANAGER, "ControlGroup");
	lib.sd_bus_error_free(&error);
	if (r >= 0)
		r = lib.sd_bus_message_read(reply, "v", "s", &path);
	if (r >= 0)
		return strcmp(path, "/") == 0 ? "" : arena_strdup(cg->arena, path);
	fail(-r, "--systemd-cgroup: systemd does not tell its cgroup");
	return NULL;
}

/* --- verbs ------------------------------------------------------------- */

int systemd_start(const struct cgroup *cg, pid_t pid, const struct spec_resources *r)
{
	_arena_ struct arena *a = arena_new();
	struct unit_properties p = {.a = a};
	struct job j = {.a = a};
	_bus_ sd_bus *bus = NULL;
	_message_ sd_bus_message *m = NULL;

	add_text(&p, "Description", arena_printf(a, "casemate container %s", cg->unit));
	add_text(&p, "Slice", cg->slice);
	/* The container may make cgroups of its own below, and so does exec. */
	add_switch(&p, "Delegate", true);
	/* Shutdown of the host is the engine's to order. */
	add_switch(&p, "DefaultDependencies", false);
	add_switch(&p, "CPUAccounting", true);
	add_switch(&p, "MemoryAccounting", true);
	add_switch(&p, "IOAccounting", true);
	add_switch(&p, "TasksAccounting", true);
	if (unit_properties(r, !cg->user, &p) < 0 || open_bus(cg, &bus) < 0 ||
	    listen_for_jobs(bus, &j) < 0)
		return -1;
	int e = lib.sd_bus_message_new_method_call(bus, &m, DESTINATION, OBJECT, MANAGER,
						   "StartTransientUnit");
	if (e >= 0)
		e = lib.sd_bus_message_append(m, "ss", cg->unit, "fail");
	if (e >= 0)
		e = append_all(m, &p, pid);
	if (e >= 0)
		e = lib.sd_bus_message_append(m, "a(sa(sv))", 0);
	if (e < 0)
		return fail(-e, "systemd: cannot describe %s", cg->unit);
	return call_for_job(bus, m, &j, arena_printf(a, "cannot start %s", cg->unit), NULL);
}

int systemd_update(const struct cgroup *cg, const struct spec_resources *r)
{
	_arena_ struct arena *a = arena_new();
	struct unit_properties p = {.a = a};
	sd_bus_error error = SD_BUS_ERROR_NULL;
	_bus_ sd_bus *bus = NULL;
	_message_ sd_bus_message *m = NULL;

	if (unit_properties(r, r->devices.n > 0 && !cg->user, &p) < 0)
		return -1;
	if (p.n == 0)
		return 0;
	if (open_bus(cg, &bus) < 0)
		return -1;
	int e = lib.sd_bus_message_new_method_call(bus, &m, DESTINATION, OBJECT, MANAGER,
						   "SetUnitProperties");
	/* true: until the unit ends, not for ever. */
	if (e >= 0)
		e = lib.sd_bus_message_append(m, "sb", cg->unit, 1);
	if (e >= 0)
		e = append_all(m, &p, 0);
	if (e >= 0)
		e = lib.sd_bus_call(bus, m, 0, &error, NULL);
	if (e < 0)
		fail(0, "systemd: cannot change %s: %s", cg->unit,
		     error.message ? error.message : strerror(-e));
	lib.sd_bus_error_free(&error);
	return e < 0 ? -1 : 0;
}

/* A scope whose processes were killed stays as "failed" and keeps its name. */
static void reset_failed(sd_bus *bus, const struct cgroup *cg)
{
	(void)lib.sd_bus_call_method(bus, DESTINATION, OBJECT, MANAGER, "ResetFailedUnit", NULL,
				     NULL, "s", cg->unit);
}

int systemd_stop(const struct cgroup *cg)
{
	_arena_ struct arena *a = arena_new();
	struct job j = {.a = a};
	_bus_ sd_bus *bus = NULL;
	_message_ sd_bus_message *m = NULL;
	bool gone;

	if (open_bus(cg, &bus) < 0 || listen_for_jobs(bus, &j) < 0)
		return -1;
	int e = lib.sd_bus_message_new_method_call(bus, &m, DESTINATION, OBJECT, MANAGER,
						   "StopUnit");
	if (e >= 0)
		e = lib.sd_bus_message_append(m, "ss", cg->unit, "replace");
	if (e < 0)
		return fail(-e, "systemd: cannot describe the stop of %s", cg->unit);
	if (call_for_job(bus, m, &j, arena_printf(a, "cannot stop %s", cg->unit), &gone) < 0)
		return -1;
	if (!gone)
		reset_failed(bus, cg);
	return 0;
}

int systemd_forget(const struct cgroup *cg)
{
	_bus_ sd_bus *bus = NULL;

	if (open_bus(cg, &bus) < 0)
		return -1;
	reset_failed(bus, cg);
	return 0;
}

#else

static int not_built(void)
{
	fail(0, "--systemd-cgroup: this casemate was built without systemd");
	return fail_hint("use the cgroupfs driver (Docker: native.cgroupdriver=cgroupfs)");
}

static const char *manager_cgroup(const struct cgroup *cg)
{
	(void)cg;
	not_built();
	return NULL;
}

int systemd_start(const struct cgroup *cg, pid_t pid, const struct spec_resources *r)
{
	(void)cg, (void)pid, (void)r;
	return not_built();
}

int systemd_update(const struct cgroup *cg, const struct spec_resources *r)
{
	(void)cg, (void)r;
	return not_built();
}

int systemd_stop(const struct cgroup *cg)
{
	(void)cg;
	return not_built();
}

int systemd_forget(const struct cgroup *cg)
{
	(void)cg;
	return not_built();
}

#endif
