/*
 * The kernel work: everything between clone3 and execve. It gets a decided
 * plan and must never decide policy. container/ calls it; it calls container/
 * only through the hook callback.
 */
#ifndef CASEMATE_SANDBOX_H
#define CASEMATE_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "casemate/cgroup.h"
#include "casemate/seccomp.h"
#include "casemate/spec.h"

struct hook_exec;

/* Runs the hooks of one kind with the container's state on their standard
 * input, pid as the hook would see it. Called in the runtime (prestart,
 * createRuntime) and in the container's process (createContainer,
 * startContainer); by executes a hook's file, NULL: execve. -1 with
 * error. */
typedef int sandbox_hooks(void *ctx, enum hook_kind kind, pid_t pid, const struct hook_exec *by);

/* What container and exec share: the process and how it is started. */
struct launch {
	/* Given by the caller. */
	const struct spec *spec;	    /* of the container, rewritten by policy */
	const struct spec_process *process; /* spec->process, or exec's own */
	const char *id;			    /* for the keyring's name and messages */
	struct cgroup *cgroup;
	const struct seccomp_program *filter, *fixed; /* n == 0: none */
	unsigned preserve_fds; /* descriptors 3 … 3+n-1 stay open (LISTEN_FDS included) */
	bool no_new_keyring;
	int console_socket; /* connected socket for the pty's master, or -1: the
			     * master is put into console instead */

	const char *rootfs_path; /* absolute; of a new container what rootfs_fd is */

	/* Of a new container only. */
	int rootfs_fd; /* O_PATH */
	int start_fd;  /* from start_listen(), or -1: sandbox_go starts it */
	sandbox_hooks *hooks;
	void *hooks_ctx;

	/* Of exec only. */
	int container_pidfd; /* of the container's init, or -1: a new container */

	/* Results. */
	pid_t pid;
	int pidfd;
	int console; /* pty master, close-on-exec; -1: none */
	int sync;    /* owned; closed by sandbox_go and sandbox_abort */
};

/* Which security module of the two this host has. */
enum host_lsm lsm_host(void);

/* All members that are descriptors -1, the rest 0. */
struct launch launch_init(void);

/* The launch up to the point where only the program itself is missing: clone3,
 * id maps, cgroup, mounts, hooks up to createContainer, pivot_root, console.
 * The process then waits for sandbox_go, or for start_fd. What fails is undone
 * but for the cgroup: no process is left. The parent keeps no namespace.
 * -1 with error. */
int sandbox_launch(struct launch *l);
/* The same for a process in a running container (exec). */
int sandbox_exec(struct launch *l);

/* Leaves a launch with start_fd to wait for start. Only after the state says
 * which process it is: until then it ends with the runtime. -1 with error. */
int sandbox_leave(struct launch *l);
/* Starts the program of a launch without start_fd and waits until its execve
 * succeeded. -1 with error: the process is gone. */
int sandbox_go(struct launch *l);

/* Ends a launch that is not wanted any more: kills and reaps the process. */
void sandbox_abort(struct launch *l);

/* create: makes the listening socket "start" in the state directory. */
int start_listen(int dirfd);
/* Is the container still waiting to be started? Looks for the socket's name. */
bool start_pending(int dirfd);
/* start: connects, removes the name, tells the container to go and waits until
 * its execve succeeded. -1 with error: ENOENT where it was started already. */
int start_go(int dirfd);

/* Before the launch of a foreground run or exec: signals wait from here on for
 * foreground_wait. The container's process and hooks begin without the mask. */
void foreground_begin(void);
/* The parent's side of a foreground run or exec: forwards signals (all but
 * SIGCHLD and what cannot be caught) to the process by its pidfd, puts a
 * terminal on stdin into raw mode and copies both ways where console is not -1,
 * follows SIGWINCH, and reaps. Closes console. Returns the exit status, 128+n for a signal, or
 * -1 with error. */
int foreground_wait(pid_t pid, int pidfd, int console);

/* What this host can do (doctor): each probe tries it and changes nothing. */
enum probe_result { PROBE_PASS, PROBE_WARN, PROBE_FAIL, PROBE_UNKNOWN };
struct probe_answer {
	char text[256];	  /* what was seen */
	const char *hint; /* NULL: nothing to do */
};
struct probe {
	const char *name;
	enum probe_result (*run)(struct probe_answer *a);
};
extern const struct probe sandbox_probes[]; /* the last one has no name */

/* --- rootless.c: the runtime of an ordinary user */

/* Is it root where it is, with what making a container takes? */
bool rootless_privileged(void);
/* create, run: becomes root of new user and mount namespaces, in which the user's
 * range of subuid(5) is mapped or his own id alone, and executes this program
 * again. Returns only -1, with error. */
int rootless_enter(void);
/* exec: the same in the user namespace that was made for a container, told by its
 * process. Returns 0 where this one has the privilege already. -1 with error. */
int rootless_join(pid_t pid);

/* Makes this process unreadable for the container before it touches one: not
 * dumpable, descriptors 0 to 2 open, environment and umask set. First call of
 * main. -1 with error. */
int runtime_protect(void);

#endif
