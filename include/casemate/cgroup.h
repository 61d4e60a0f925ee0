/*
 * Control groups behind one interface: v1 (also hybrid and named hierarchies)
 * and v2, with the cgroupfs layout. Nothing but cgroup/ touches the cgroup
 * file systems, except that the sandbox mounts them inside. The place of a
 * cgroup comes from config.json and is trusted only after cgroup_plan has
 * checked it: no "..", below the mount.
 */
#ifndef CASEMATE_CGROUP_H
#define CASEMATE_CGROUP_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "casemate/json.h"
#include "casemate/spec.h"

enum cgroup_mode {
	CGROUP_V1, /* controllers on v1; hybrid has an extra v2 hierarchy */
	CGROUP_V2,
};

struct cgroup_hierarchy {
	const char *controllers; /* "cpu,cpuacct", "name=systemd"; "" for v2 */
	const char *mountpoint;	 /* "/sys/fs/cgroup/cpu,cpuacct" */
	const char *path;	 /* of the container below it, "/docker/ID" */
	const char *made_from;	 /* the topmost part of path that create made; NULL: none */
	uint64_t inode;		 /* of the directory that create made; 0: not (yet) made */
};

struct cgroup {
	struct arena *arena;
	enum cgroup_mode mode;
	/* v1: one each, the hybrid v2 one (mountpoint …/unified) among them as
	 * controllers ""; v2: exactly one. */
	struct {
		struct cgroup_hierarchy *v;
		size_t n, cap;
	} h;
	/* The systemd driver: the scope that the cgroup is, and its slice. NULL:
	 * the directories are made here. */
	const char *unit, *slice;
	/* Made without the host's privileges: where the user may, by his own systemd,
	 * and without rules for devices, which are the host's to enforce. He cannot
	 * make a device node, and what is bound into the container he may open anyway. */
	bool user;
};

/* How a cgroup is made; or-ed. */
enum cgroup_driver { CGROUP_FS = 0, CGROUP_SYSTEMD = 1, CGROUP_USER = 2 };
/* Reads /proc/self/mountinfo and /proc/self/cgroup, and works out the cgroup's
 * place: cgroups_path below the mount when absolute, below the runtime's own
 * cgroup when relative, /casemate/ID when NULL, for an ordinary user beside the
 * runtime's own; with systemd the scope "slice:prefix:name". Makes nothing. -1
 * with error for a path that has "..", a cgroup that is in use, or no usable
 * hierarchy. driver: CGROUP_x, or-ed. */
int cgroup_plan(struct cgroup *cg, struct arena *a, const char *cgroups_path, const char *id,
		unsigned driver);

/* Makes the directories (parents too) and applies the resources; undoes what
 * it made where it fails. The last one must be new: one that is there with
 * processes or cgroups in it is another's (EBUSY), an empty one is replaced. */
int cgroup_create(struct cgroup *cg, const struct spec_resources *r);
/* The systemd driver makes a scope only around a process: starts it with pid in
 * it and applies the resources. Without that driver nothing. -1 with error. */
int cgroup_adopt(struct cgroup *cg, pid_t pid, const struct spec_resources *r);

/* A new descriptor for CLONE_INTO_CGROUP of the v2 hierarchy (on a hybrid host,
 * too); -1 with errno 0 and no error where there is none, else -1 with error. */
int cgroup_fd(const struct cgroup *cg);

/* Moves the calling process, which must have one thread, into the v1
 * hierarchies. A thread that moves itself does not take the lock over all
 * forks of the machine, whose price is an RCU grace period (Linux 5.15,
 * cgroup_procs_write_start). -1 with error. */
int cgroup_enter(const struct cgroup *cg);

/* Gives the cgroup of v2 and the files in it that the kernel names in
 * /sys/kernel/cgroup/delegate to uid, so that the container can make cgroups
 * below it (config-linux.md, Cgroup ownership). On v1 nothing. -1 with error. */
int cgroup_delegate(const struct cgroup *cg, uid_t uid);

/* Applies resources to a running container (update). Nothing given, nothing
 * changed. memory.checkBeforeUpdate is honoured. -1 with error. */
int cgroup_update(const struct cgroup *cg, const struct spec_resources *r);

/* Freezes or thaws and waits until the kernel says it is done (bounded). */
int cgroup_freeze(const struct cgroup *cg, bool freeze);
/* 1 frozen, 0 not, -1 with error. */
int cgroup_frozen(const struct cgroup *cg);

/* Sends sig to every process of the cgroup and below it. SIGKILL: cgroup.kill
 * where the kernel has it, else freeze, kill all, thaw, until empty. */
int cgroup_kill(const struct cgroup *cg, int sig);

/* All pids in the cgroup and below it, once each, ascending, as seen here. */
int cgroup_pids(const struct cgroup *cg, struct arena *a, pid_t **pids, size_t *n);

/* Removes the cgroup with everything below it, waiting a bounded time for the
 * last process to go. Already gone is no error. -1 with error. */
int cgroup_delete(const struct cgroup *cg);

/* Writes what the kernel counted into w, as an object in the shape of runc's
 * `events --stats` (cpu, memory, pids, blkio, hugetlb; pressure on v2). What
 * this host does not count is 0 or left out. */
void cgroup_stats(const struct cgroup *cg, struct json_out *w, const char *key);
/* How many processes of the cgroup the kernel killed for want of memory. */
uint64_t cgroup_oom_kills(const struct cgroup *cg);
/* A new descriptor that can be read when that number may have grown. -1 with
 * error. */
int cgroup_oom_fd(const struct cgroup *cg);

/* To and from the state file. */
void cgroup_save(const struct cgroup *cg, struct json_out *w, const char *key);
int cgroup_load(struct cgroup *cg, struct arena *a, struct json *o);

/* The weight of cgroup v2 for v1 shares, by the runtime-spec's formula of 2025
 * (shares 1024 is weight 100): 1 for 2 and less, 10000 for 262144 and more. */
uint64_t cgroup_weight_from_shares(uint64_t shares);
/* io.weight from blkio weight: 10..1000 to 1..10000. */
uint64_t cgroup_io_weight(uint64_t blkio_weight);

#endif
