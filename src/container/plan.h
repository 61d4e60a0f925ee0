/* What will be done: the rewritten spec and the prepared parts. */
#ifndef CASEMATE_CONTAINER_PLAN_H
#define CASEMATE_CONTAINER_PLAN_H

#include "casemate/container.h"
#include "casemate/policy.h"
#include "casemate/seccomp.h"

struct plan {
	struct arena *arena;
	struct spec spec;
	const char *config; /* the bytes of config.json */
	size_t config_len;
	int bundle_fd, rootfs_fd;
	const char *bundle, *rootfs; /* absolute, without symlinks */
	struct profile profile;
	struct findings findings;
	struct seccomp_program filter, fixed;
};

/* Reads and parses the bundle's config.json, or the file config. */
int plan_read(struct plan *p, const char *bundle, const char *config);
/* Applies the profile; -1 with all refusals. */
int plan_judge(struct plan *p, const char *profile);
/* Opens the root file system and refuses what cannot be one. */
int plan_rootfs(struct plan *p);
int plan_filters(struct plan *p, int root_fd);
void plan_free(struct plan *p);

int connect_socket(const char *flag, const char *path);
int send_pidfd(const char *path, int pidfd);
int write_pid_file(const char *path, pid_t pid);
int check_terminal(const struct spec_process *p, bool detach, const char *console_socket);
/* p: whose environment gets LISTEN_FDS; NULL: exec, which has none. */
int preserved(const struct options *o, struct plan *p, unsigned asked, unsigned *n);

/* Opens a folder that is this user's alone, made (0700) where it is missing and
 * make is true; what names it in errors. A descriptor, or -1 with error. */
int private_dir_open(const char *what, const char *path, bool make);
/* Takes the lock on an open folder, waiting a bounded time. -1 with error. */
int lock_bounded(int fd, const char *what);
/* Takes the container's lock, and makes sure that its folder still has its name: a
 * delete may have removed it meanwhile (container_is_missing). -1 with error. */
int container_relock(struct container *c);
/* Does the error record say that there is no such container? */
bool container_is_missing(void);

/* Takes a pair of SELinux categories that no other container of the state root
 * has: c->mcs. -1 with error. */
int mcs_reserve(struct container *c);
void mcs_release(const struct container *c);
/* Puts the categories behind the labels that the profile gave. */
void mcs_label(struct spec *s, const char *mcs);

/* Gives the container its ids where they are not config.json's: a range out of
 * the profile's pool that no other container has, nor a user or an entry of
 * /etc/subuid or /etc/subgid; in a user namespace the ids that are there. Into
 * the state (c), which is saved before they are taken, and the spec. -1 with
 * error. */
int ids_reserve(struct container *c, const struct profile *p, struct spec *s);
/* Is it still c's, now that a process has it? -1 with error. */
int ids_confirm(const struct container *c);
/* Lets the range go. One that is not c's by the registry stays. */
void ids_release(const struct container *c);
/* The spec gets the ids that the state has, whatever the profile says by now. */
void ids_apply(struct spec *s, const struct container *c);

/* Kills what is left of a container, removes its cgroup and state, and runs
 * the poststop hooks. */
int container_destroy(struct container *c, const struct spec *s);
/* The spec that the container was made from: config.json in the state, with
 * the policy of its profile applied. */
int plan_reload(struct plan *p, const struct container *c);
/* The state for hooks, as JSON. */
const char *hook_state(struct arena *a, const struct container *c, enum hook_kind kind, pid_t pid);

#endif
