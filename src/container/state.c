/* Containers on disk: one folder each, one lock, a state that is replaced whole. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>

#include "casemate/container.h"
#include "casemate/error.h"
#include "casemate/fd.h"
#include "casemate/sandbox.h"
#include "plan.h"

/* Also how a folder is recognised as ours: engines share the root with other
 * runtimes. */
#define STATE "casemate.json"
enum { STATE_MAX = 1 << 20, LOCK_TRIES = 1000 };

const char *const container_status_names[5] = {"creating", "created", "running", "paused",
					       "stopped"};

int private_dir_open(const char *what, const char *path, bool make)
{
	struct stat st, host;

	if (make) {
		char *copy = strdup(path);
		_free_ char *owned = copy;

		for (char *p = copy ? strchr(copy + 1, '/') : NULL; p; p = strchr(p + 1, '/')) {
			*p = '\0';
			mkdir(copy, 0755);
			*p = '/';
		}
		if (!copy || (mkdir(path, 0700) < 0 && errno != EEXIST))
			return fail(errno, "%s: cannot make %s", what, path);
	}
	_fd_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail(errno, "%s: cannot open %s", what, path);
	if (fstat(fd, &st) < 0 || stat("/", &host) < 0)
		return fail(errno, "%s: %s", what, path);
	if (st.st_dev == host.st_dev && st.st_ino == host.st_ino)
		return fail(EINVAL, "%s: %s is /, which it cannot be", what, path);
	if (st.st_uid != geteuid() || st.st_mode & 022) {
		fail(EPERM, "%s: %s can be changed by others", what, path);
		return fail_hint("it must belong to you and be writable by nobody else");
	}
	return fd_take(&fd);
}

int state_root_open(const char *path, bool make)
{
	return private_dir_open("--root", path, make);
}

/* Bounded: a hook of another command may never end. */
int lock_bounded(int fd, const char *what)
{
	const struct timespec pause = {.tv_nsec = 10000000};

	for (unsigned tries = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; tries++) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return fail(errno, "cannot lock %s", what);
		if (tries == LOCK_TRIES)
			return fail(0, "another command is working on %s", what);
		nanosleep(&pause, NULL);
	}
	return 0;
}

static int fail_exists(void)
{
	return fail(EEXIST, "container with given ID already exists");
}

static const char missing[] = "container does not exist";

static int fail_missing(void)
{
	return fail(0, missing);
}

bool container_is_missing(void)
{
	return strcmp(error_last()->message, missing) == 0;
}

int container_relock(struct container *c)
{
	struct stat held, named;

	if (lock_bounded(c->dir_fd, "the container") < 0)
		return -1;
	if (fstat(c->dir_fd, &held) < 0 ||
	    fstatat(c->root_fd, c->id, &named, AT_SYMLINK_NOFOLLOW) < 0 ||
	    held.st_ino != named.st_ino || held.st_dev != named.st_dev)
		return fail_missing();
	return 0;
}

/* Temporary files of a writer that was killed. */
static void remove_temporary(int dir_fd)
{
	struct dirent *e;
	int again = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_dir_ DIR *d = again < 0 ? NULL : fdopendir(again);

	while (d && (e = readdir(d)))
		if (strncmp(e->d_name, "." STATE ".", strlen("." STATE ".")) == 0 ||
		    strncmp(e->d_name, ".config.json.", strlen(".config.json.")) == 0)
			unlinkat(dir_fd, e->d_name, 0);
}

/* What a runtime left that was killed before its first state was written: a
 * folder with nothing in it but that. Whatever else is in a folder without a
 * state makes it another runtime's, and rmdir fails. */
int container_remove_remnant(int root_fd, const char *id)
{
	_fd_ int dir = openat(root_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (dir < 0 || flock(dir, LOCK_EX | LOCK_NB) < 0 ||
	    faccessat(dir, STATE, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return -1;
	remove_temporary(dir);
	return unlinkat(root_fd, id, AT_REMOVEDIR);
}

static void empty(struct container *c, struct arena *a, const char *id)
{
	*c = (struct container){.arena = a, .root_fd = -1, .dir_fd = -1, .id = id};
}

int container_reserve(struct container *c, struct arena *a, const char *root, const char *id)
{
	struct timespec now;
	struct tm tm;
	char text[40];

	empty(c, a, id);
	if (container_id_check(id) < 0)
		return -1;
	c->root_fd = state_root_open(root, true);
	if (c->root_fd < 0)
		return -1;
	if (mkdirat(c->root_fd, id, 0700) < 0) {
		if (errno != EEXIST)
			return fail(errno, "cannot make the state folder");
		if (container_remove_remnant(c->root_fd, id) < 0 ||
		    mkdirat(c->root_fd, id, 0700) < 0)
			return fail_exists();
	}
	c->dir_fd = openat(c->root_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	size_t n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, sizeof(text) - n, ".%09ldZ", now.tv_nsec);
	c->created = arena_strdup(a, text);
	c->bundle = c->rootfs = c->profile = "";
	c->oci_version = SPEC_VERSION_MAX;
	if (c->dir_fd < 0 || container_relock(c) < 0 || container_save(c) < 0) {
		struct error e = *error_last();

		container_remove(c);
		return e.message[0] ? error_adopt(&e) : fail(errno, "cannot open the state folder");
	}
	return 0;
}

static void save_maps(const struct id_maps *maps, const char *key, struct json_out *w)
{
	json_out_open(w, key, '[');
	for (size_t i = 0; i < maps->n; i++) {
		json_out_open(w, NULL, '{');
		json_out_uint(w, "containerID", maps->v[i].container);
		json_out_uint(w, "hostID", maps->v[i].host);
		json_out_uint(w, "size", maps->v[i].size);
		json_out_close(w);
	}
	json_out_close(w);
}

static void save_ids(const struct container *c, struct json_out *w)
{
	if (c->uid_maps.n == 0)
		return;
	save_maps(&c->uid_maps, "uidMappings", w);
	save_maps(&c->gid_maps, "gidMappings", w);
}

int container_save(const struct container *c)
{
	_arena_ struct arena *a = arena_new();
	struct json_out *w = json_out_new(a, false);
	size_t len;

	json_out_open(w, NULL, '{');
	json_out_str(w, "ociVersion", c->oci_version);
	json_out_str(w, "id", c->id);
	json_out_int(w, "pid", c->pid);
	json_out_uint(w, "startTime", c->start_time);
	json_out_str(w, "bundle", c->bundle);
	json_out_str(w, "rootfs", c->rootfs);
	json_out_str(w, "created", c->created);
	json_out_str(w, "profile", c->profile);
	if (c->mcs)
		json_out_str(w, "mcs", c->mcs);
	save_ids(c, w);
	json_out_bool(w, "hostRange", c->has_range);
	json_out_open(w, "annotations", '{');
	for (size_t i = 0; i < c->annotations.n; i++)
		json_out_str(w, c->annotations.v[i].key, c->annotations.v[i].value);
	json_out_close(w);
	if (c->has_cgroup)
		cgroup_save(&c->cgroup, w, "cgroup");
	json_out_close(w);
	const char *text = json_out_text(w, &len);
	return file_replace(c->dir_fd, STATE, text, len, 0600);
}

static int parse_state(struct container *c, const char *text, size_t len)
{
	struct json *o = json_parse(c->arena, text, len), *annotations, *cgroup;
	int64_t pid = 0;

	c->annotations.n = c->uid_maps.n = c->gid_maps.n = 0;
	if (!o || json_str(o, "ociVersion", "ociVersion", true, &c->oci_version) < 0 ||
	    json_int(o, "pid", "pid", 0, INT32_MAX, NULL, &pid) < 0 ||
	    json_uint(o, "startTime", "startTime", UINT64_MAX, NULL, &c->start_time) < 0 ||
	    json_str(o, "bundle", "bundle", true, &c->bundle) < 0 ||
	    json_str(o, "rootfs", "rootfs", true, &c->rootfs) < 0 ||
	    json_str(o, "created", "created", true, &c->created) < 0 ||
	    json_str(o, "profile", "profile", true, &c->profile) < 0 ||
	    json_str(o, "mcs", "mcs", false, &c->mcs) < 0 ||
	    spec_read_id_maps(c->arena, o, "uidMappings", "uidMappings", &c->uid_maps) < 0 ||
	    spec_read_id_maps(c->arena, o, "gidMappings", "gidMappings", &c->gid_maps) < 0 ||
	    json_bool(o, "hostRange", "hostRange", &c->has_range) < 0 ||
	    json_object(o, "annotations", "annotations", &annotations) < 0 ||
	    json_object(o, "cgroup", "cgroup", &cgroup) < 0)
		return -1;
	if (c->has_range && c->uid_maps.n != 1)
		return fail(EINVAL, "uidMappings: the range is missing");
	json_each(item, annotations) * vec_add(c->arena, &c->annotations) =
		(struct kv){item->key, item->type == JSON_STRING ? item->text : ""};
	c->pid = (pid_t)pid;
	c->has_cgroup = cgroup != NULL;
	return cgroup ? cgroup_load(&c->cgroup, c->arena, cgroup) : 0;
}

static int read_state(struct container *c)
{
	size_t len;
	char *text = file_read(c->arena, c->dir_fd, STATE, STATE_MAX, &len);

	if (!text)
		return error_last()->errnum == ENOENT ? fail_missing() : -1;
	return parse_state(c, text, len) < 0 ? fail_in("state of %s", c->id) : 0;
}

int container_look(struct container *c, struct arena *a, int root_fd, const char *id)
{
	empty(c, a, id);
	if (container_id_check(id) < 0)
		return -1;
	c->root_fd = fcntl(root_fd, F_DUPFD_CLOEXEC, 3);
	c->dir_fd = openat(root_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (c->dir_fd < 0 || faccessat(c->dir_fd, STATE, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return fail_missing();
	return read_state(c);
}

int container_open(struct container *c, struct arena *a, const char *root, const char *id,
		   enum container_lock mode)
{
	empty(c, a, id);
	if (container_id_check(id) < 0)
		return -1;
	_fd_ int fd = state_root_open(root, false);
	if (fd < 0)
		return error_last()->errnum == ENOENT ? fail_missing() : -1;
	if (container_look(c, a, fd, id) < 0)
		return -1;
	if (mode == LOCK_NONE)
		return 0;
	/* What was read before the lock was ours may be old. */
	return container_relock(c) < 0 ? -1 : read_state(c);
}

int container_remove(struct container *c)
{
	static const char *const files[] = {"start", "config.json", STATE};

	if (c->dir_fd >= 0)
		remove_temporary(c->dir_fd);
	mcs_release(c);
	ids_release(c);
	/* The state last: until then the folder is known as ours. */
	for (size_t i = 0; c->dir_fd >= 0 && i < ARRAY_SIZE(files); i++)
		if (unlinkat(c->dir_fd, files[i], 0) < 0 && errno != ENOENT)
			return fail(errno, "cannot remove %s of the state", files[i]);
	if (unlinkat(c->root_fd, c->id, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return fail(errno, "cannot remove the state folder");
	return 0;
}

void container_close(struct container *c)
{
	cleanup_fd(&c->dir_fd);
	cleanup_fd(&c->root_fd);
	c->dir_fd = c->root_fd = -1;
}

/* --- the process ------------------------------------------------------- */

/* Fields 3 and 22 of /proc/PID/stat; the name before them may hold anything. */
int process_stat(pid_t pid, char *state, uint64_t *start_time)
{
	_arena_ struct arena *a = arena_new();
	char *text = file_read(a, AT_FDCWD, arena_printf(a, "/proc/%d/stat", (int)pid), 8192, NULL);
	char *p = text ? strrchr(text, ')') : NULL;
	unsigned long long t;

	if (!p || sscanf(p + 1,
			 " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
			 "%*d %*d %llu",
			 state, &t) != 2)
		return -1;
	*start_time = t;
	return 0;
}

static bool is_alive(const struct container *c)
{
	uint64_t start;
	char state;

	return c->pid > 0 && process_stat(c->pid, &state, &start) == 0 && start == c->start_time &&
	       state != 'Z' && state != 'X';
}

/* A create that is at work holds the lock. */
static bool is_locked(const struct container *c)
{
	_fd_ int fd = openat(c->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

int container_status(const struct container *c, enum container_status *status)
{
	if (c->pid == 0)
		*status = is_locked(c) ? STATUS_CREATING : STATUS_STOPPED;
	else if (!is_alive(c))
		*status = STATUS_STOPPED;
	else {
		int frozen = c->has_cgroup ? cgroup_frozen(&c->cgroup) : 0;

		if (frozen < 0)
			return -1;
		*status = frozen		     ? STATUS_PAUSED
			  : start_pending(c->dir_fd) ? STATUS_CREATED
						     : STATUS_RUNNING;
	}
	return 0;
}

int container_pidfd(const struct container *c)
{
	_fd_ int fd = c->pid > 0 ? (int)syscall(SYS_pidfd_open, c->pid, 0) : -1;

	/* The pid is still its own once the descriptor stands for it. */
	if (fd < 0 || !is_alive(c))
		return fail(0, "container not running: no such process");
	return fd_take(&fd);
}

const char *container_owner(const struct container *c)
{
	struct stat st;
	const struct passwd *user;

	if (fstat(c->dir_fd, &st) < 0)
		return "";
	if (st.st_uid == 0)
		return "root";
	user = getpwuid(st.st_uid);
	return user ? arena_strdup(c->arena, user->pw_name)
		    : arena_printf(c->arena, "%u", (unsigned)st.st_uid);
}

void container_write_state(const struct container *c, enum container_status st, const char *key,
			   bool owner, struct json_out *w)
{
	json_out_open(w, key, '{');
	json_out_str(w, "ociVersion", c->oci_version);
	json_out_str(w, "id", c->id);
	json_out_int(w, "pid", st == STATUS_STOPPED ? 0 : c->pid);
	json_out_str(w, "status", container_status_names[st]);
	json_out_str(w, "bundle", c->bundle);
	json_out_str(w, "rootfs", c->rootfs);
	json_out_str(w, "created", c->created);
	save_ids(c, w);
	if (c->annotations.n > 0) {
		json_out_open(w, "annotations", '{');
		for (size_t i = 0; i < c->annotations.n; i++)
			json_out_str(w, c->annotations.v[i].key, c->annotations.v[i].value);
		json_out_close(w);
	}
	json_out_str(w, "owner", owner ? container_owner(c) : "");
	json_out_close(w);
}
