/*
 * What the parts of sandbox/ share: the plan made ready in the parent, and the
 * steps of the child. Each step returns 0, or -1 with the error set.
 */
#ifndef CASEMATE_SANDBOX_INTERNAL_H
#define CASEMATE_SANDBOX_INTERNAL_H

#include <sched.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "casemate/error.h"
#include "casemate/fd.h"
#include "casemate/rootfs.h"
#include "casemate/sandbox.h"

#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif

/* clone3(2), as of Linux 5.7. */
struct clone_arguments {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
	uint64_t set_tid, set_tid_size, cgroup;
};

/* A mount as the parent made it ready: detached trees, inherited by the child or sent
 * to it (mounts_receive). */
struct ready_mount {
	int fd;	      /* -1: the child makes the file system itself, or gets it yet */
	bool late_ro; /* read-only once everything inside it is made */
	int attached; /* O_PATH of what was attached, for late_ro; -1 */
};

struct setup {
	struct launch *l;
	const struct spec *spec;
	const struct spec_process *process;
	int sync;	/* this side's end of the socketpair */
	int proc;	/* the host's /proc, opened before the container was entered */
	int status;	/* the child's own status file there */
	int attr;	/* the child's own LSM attribute for the next exec; -1: no label */
	int root;	/* the container's root mount */
	int place;	/* where it is attached, where the child cannot go by itself; -1 */
	bool seal_root; /* it is read-only, whatever root.readonly says */
	int init;	/* sealed memfd of casemate-init */
	int userns;	/* the container's, for idmapped mounts; -1: not yet opened */
	struct ready_mount *mounts; /* one for each of spec->mounts */
	bool *sysctl_denied;	    /* one for each of spec->sysctl */
	int *devices;		    /* user namespace: trees of host devices, defaults first */
	const char *program;	    /* what is executed, as the container sees it */
	char **argv, **envp;	    /* of casemate-init */
	int report;		    /* where a failing execve is reported */
	bool no_setgroups;	    /* the user namespace denies it */
};

bool has_namespace(const struct spec *s, int type); /* new or joined, not the host's */
/* Belongs a namespace of this type to another user namespace than the container's
 * own? Then only the runtime has the rights that its file systems and settings
 * take. */
bool is_foreign_namespace(const struct spec *s, int type);
bool has_user_namespace(const struct spec *s);

/* --- sync.c: messages between runtime and container process */
enum sync_type { SYNC_GO = 1, SYNC_MOUNTED, SYNC_CONSOLE, SYNC_READY, SYNC_ERROR };
int sync_pair(int pair[2]);
int sync_send(int sock, enum sync_type type, int fd);
/* To the container's process: go, with a descriptor or -1. */
int sync_tell(int sock, int fd);
/* Receives one message; an error record is adopted. Returns the type, or -1
 * with the error set; at EOF "ended before it was ready". fd may be NULL. */
int sync_recv(int sock, int *fd);
int sync_expect(int sock, enum sync_type type, int *fd);
void sync_send_error(int sock);
/* What make gives, a descriptor, from a process of its own that is cloned with
 * flags: where only a process in other namespaces can make it. -1 with error. */
int fd_from_child(unsigned long long flags, int (*make)(void *ctx), void *ctx);
/* Waits until the other end is closed by a successful execve. */
int sync_wait_exec(int sock);

/* --- parent: what is made ready before clone3 */
int namespaces_check(const struct spec *s);
unsigned long long namespaces_clone_flags(const struct spec *s);
int namespaces_join(const struct spec *s, int saved[8]);
int namespaces_return(const int saved[8]);
int namespaces_join_user(const struct spec *s);
int namespaces_set_names(const struct spec *s); /* of the UTS namespace */
int ids_write_maps(int proc, pid_t pid, const struct id_maps *uids, const struct id_maps *gids);
int ids_userns_fd(int proc, const struct id_maps *uids, const struct id_maps *gids);
/* The container's own, once its process is there; owned by s. */
int ids_container_userns(struct setup *s);
/* The host's user id for a container's one, or -1 where nothing maps it. */
uid_t ids_host(const struct spec *s, uint32_t id);
gid_t ids_host_group(const struct spec *s, uint32_t id);
/* A process that is not root can open /dev/stdout only if the pipe is its own.
 * Files and devices of the host that are on 0 to 2 keep their owner. */
int ids_own_stdio(const struct spec *s, const struct spec_process *p);
int root_prepare(struct setup *s);
/* The folder of the rootfs in the mount namespace of the child, -1 where this
 * process cannot look into it. */
int root_place(struct setup *s);
int mounts_prepare(struct setup *s);
/* The rootfs and the binds that are mapped by the container's user namespace: made
 * and sent while its process takes its first steps. */
int mounts_send(struct setup *s);
/* The file systems of foreign namespaces: while the runtime has joined them. */
int mounts_prepare_joined(struct setup *s);
size_t devices_count(const struct spec *s); /* the defaults and config.json's */
int devices_prepare(struct setup *s);
int sysctl_check(const struct spec *s);
/* Those of foreign namespaces: while the runtime has joined them. */
int sysctl_set_joined(struct setup *s);
/* Loaded, and in enforce mode where asked; true where it cannot be told. */
bool lsm_apparmor_loaded(struct arena *a, const char *profile, bool enforced);
int lsm_check_label(const char *place, const char *label);
/* The SELinux label of the container's files, where its process has a label. */
const char *lsm_file_label(const struct launch *l);
int lsm_check(const struct spec *s, const struct spec_process *p);
int init_image(const char *label); /* SELinux: of the file; NULL: none */
int parent_limits(const struct spec_process *p, pid_t pid);

/* --- child: the steps, in order */
_Noreturn void child_container(struct setup *s);
_Noreturn void child_exec(struct setup *s);
int namespaces_enter(struct setup *s);
int sysctl_write(struct setup *s);
int sysctl_again(struct setup *s);   /* what sysctl_write was denied */
int mounts_receive(struct setup *s); /* what mounts_send sends */
int root_attach(struct setup *s);
int ids_become_root(struct setup *s);
int ids_stay_private(void);
int mounts_attach(struct setup *s);
int devices_make(struct setup *s);
int console_open(struct setup *s);
int root_pivot(struct setup *s);
int masks_apply(struct setup *s);
int mounts_seal(struct setup *s);
int program_find(struct setup *s);
int start_accept(struct setup *s);
int new_keyring(struct setup *s);
int finish(struct setup *s);
/* For a startContainer hook's process, ctx is the setup: takes from it what the
 * program will not have either, and executes the hook's file. Returns only -1. */
int hook_exec(void *ctx, const struct spec_hook *h);
int lsm_open(struct setup *s);
int lsm_set(struct setup *s);
int caps_drop_bounding(struct setup *s, uint64_t keep);
int caps_set(const struct spec_caps *c);
int caps_raise(void); /* what is permitted is effective again */
struct spec_caps caps_grantable(const struct spec_caps *want);
int verify_open(struct setup *s);
int verify(struct setup *s, const struct spec_caps *caps);

/* --- mount helpers */
int mount_attach(int tree, int dest);
/* Is this the errno of a file system, or of a mount, that cannot be idmapped? 0:
 * where the reason is known. */
bool is_unmappable(int errnum);
/* Maps the ids of a detached mount as userns does. -1 with errno. */
int mount_idmap(int fd, bool recursive, int userns);
int mount_attr(int fd, bool recursive, uint64_t set, uint64_t clear, uint64_t propagation);
int fs_make(const struct spec_mount *m, const char *label, int dest);
/* remount: new options of the file system that is mounted at dest. */
int fs_change(const struct spec_mount *m, int dest);
int copy_up(int from, int to);
/* One option, "KEY=VALUE" or "KEY", of a file system that is being made. */
int fs_option(int fsfd, const char *option);
/* fail() with what the file system itself says. */
int fs_fail(int errnum, int fsfd, const char *what);
/* A new detached overlay of the layers that the engine's root has, with the
 * container's ids. -1 with error. */
int layers_map(struct setup *s);
/* Can the engine's overlay be written? Where not, the new one is sealed, too. */
bool layers_writable(const struct setup *s);

#endif
