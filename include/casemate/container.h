/*
 * Containers on disk and their life: <root>/<id>/ with one lock, written by
 * rename; hooks; the facts about the host that policy judges. It must never
 * touch a directory that it cannot recognise as its own: engines share the
 * root with other runtimes. The verbs call it.
 */
#ifndef CASEMATE_CONTAINER_H
#define CASEMATE_CONTAINER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "casemate/cgroup.h"
#include "casemate/json.h"
#include "casemate/policy.h"
#include "casemate/spec.h"

/* Global options, as main parsed them. */
struct options {
	const char *root;    /* absolute state root */
	const char *profile; /* name or path */
	const char *audit;   /* reserved for the audit log; NULL */
	bool systemd_cgroup; /* cgroupsPath is slice:prefix:name */
	bool no_cgroups;     /* --cgroup-manager disabled */
	bool debug;
	unsigned inherited; /* descriptors from 3 on that the caller had open */
};

enum container_status {
	STATUS_CREATING,
	STATUS_CREATED,
	STATUS_RUNNING,
	STATUS_PAUSED,
	STATUS_STOPPED
};
extern const char *const container_status_names[5];

struct container {
	struct arena *arena;
	int root_fd; /* the state root */
	int dir_fd;  /* <root>/<id>, locked (flock) */
	const char *id, *bundle, *rootfs, *created /* RFC 3339, UTC */, *profile;
	const char *mcs; /* SELinux categories of its own, "c1,c2"; NULL or "": none */
	/* Its ids, where they are the runtime's to give (rule user.namespace); a range of
	 * the host's is reserved for it where it has one. */
	struct id_maps uid_maps, gid_maps;
	bool has_range;
	const char *oci_version;
	pid_t pid; /* 0: none (yet) */
	uint64_t
		start_time; /* field 22 of /proc/PID/stat, so that a pid used again is told apart */
	struct kvs annotations;
	struct cgroup cgroup;
	bool has_cgroup;
};

/* --- state.c ----------------------------------------------------------- */

/* Opens the state root, made (0700) where it is missing and make is true;
 * refuses one that others may write. Returns a descriptor or -1 with error. */
int state_root_open(const char *path, bool make);

/* Reserves an id: makes <root>/<id>, locks it, writes the first state.
 * "container with given ID already exists" where it is taken. */
int container_reserve(struct container *c, struct arena *a, const char *root, const char *id);

/* Opens an existing one and reads its state. "container does not exist" where
 * there is none or it is another runtime's. LOCK_NONE is for commands that only
 * read, signal or join: a hook of a create that holds the lock may call them. */
enum container_lock { LOCK_NONE, LOCK_HELD };
int container_open(struct container *c, struct arena *a, const char *root, const char *id,
		   enum container_lock mode);
/* The same without a lock, below an open state root (list). */
int container_look(struct container *c, struct arena *a, int root_fd, const char *id);

/* Removes the folder of a create that was killed before it had written a state.
 * -1 where there is none, or it is in use or another runtime's; no error. */
int container_remove_remnant(int root_fd, const char *id);

/* Writes the state by rename. */
int container_save(const struct container *c);

/* Removes the state directory and releases the lock. */
int container_remove(struct container *c);
void container_close(struct container *c);

/* State letter and start time of a process. -1 where it is gone; no error. */
int process_stat(pid_t pid, char *state, uint64_t *start_time);

/* The status now: from the process, the start socket and the freezer. */
int container_status(const struct container *c, enum container_status *status);

/* A pidfd of the container's init, checked against its start time. -1 with
 * "container not running" (and "no such process"). */
int container_pidfd(const struct container *c);

/* The name of the user whose container it is, or his number. */
const char *container_owner(const struct container *c);

/* Writes runc's state shape (pid, status, bundle, …) into w. */
void container_write_state(const struct container *c, enum container_status st, const char *key,
			   bool owner, struct json_out *w);

/* --- lifecycle.c ------------------------------------------------------- */

struct create_options {
	const char *bundle, *config /* NULL: config.json */, *console_socket, *pidfd_socket,
		*pid_file;
	unsigned preserve_fds;
	bool no_pivot, no_new_keyring, detach, keep, no_subreaper;
};

/* create: everything up to the wait for start. */
int container_create(const struct options *o, const struct create_options *co, const char *id);
/* run: create, start; in the foreground also waits and deletes. *status is the
 * exit status for main. */
int container_run(const struct options *o, const struct create_options *co, const char *id,
		  int *status);
int container_start(const struct options *o, const char *id);
int container_kill(const struct options *o, const char *id, int sig, bool all);
int container_delete(const struct options *o, const char *id, bool force);

struct exec_options {
	const char *process /* file */, *console_socket, *pidfd_socket, *pid_file, *cwd, *user,
		*process_label, *apparmor, *cgroup;
	struct strv env, caps, gids, args;
	unsigned preserve_fds;
	bool detach, tty, no_new_privs, ignore_paused;
};
int container_exec(const struct options *o, const struct exec_options *eo, const char *id,
		   int *status);

/* --- facts.c ----------------------------------------------------------- */

/* Gathers what policy judges: opens the source of each bind mount once (the
 * descriptor that is mounted later), resolves it, finds its names through other
 * mounts, looks for engine sockets and key folders in it; finds namespaces that
 * are the runtime's own; checks the hooks' files. bundle_fd: relative sources
 * start there; bundle is its path, root the state root. need: a source that
 * cannot be opened is an error (create), else its facts stay empty (check). */
int facts_gather(struct spec *s, int bundle_fd, const char *bundle, const char *root, bool need);
/* Closes the descriptors of the facts, once everything is cloned and joined. */
void facts_release(struct spec *s);

/* --- ranges.c ---------------------------------------------------------- */

/* The profile's pool of host ids: how many ranges it has, how many of them are
 * containers', how many have ids of users, groups or subuid(5) in them. -1 with
 * error. */
struct id_pool {
	uint32_t ranges, taken, foreign;
};
int ids_pool(const struct profile *p, struct id_pool *out);

/* --- hooks.c ----------------------------------------------------------- */

/* Runs the hooks of one kind in order: no environment but the hook's, cwd "/",
 * standard input the state, bounded by the timeout. Standard output goes to
 * stderr. by (or NULL) executes the file. -1 with
 * error at the first that fails; poststop goes on and warns. */
int hooks_run(const struct spec *s, enum hook_kind kind, const char *state_json,
	      const struct hook_exec *by);

#endif
