/*
 * An ordinary user's containers. To make one the runtime makes a user namespace
 * for itself, in which it is root, and executes itself again there: from then on
 * everything goes the way it goes for root, and for Podman, which calls the
 * runtime from such a namespace. The second execve is the kernel's wish: /proc/PID
 * of what is not dumpable belongs to the root of the user namespace in which the
 * program was executed, and in the host's that is nobody here, so that not even
 * the container's id maps could be written.
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "casemate/log.h"
#include "internal.h"

bool rootless_privileged(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	return geteuid() == 0 && syscall(SYS_capget, &head, data) == 0 &&
	       data[0].effective & 1U << CAP_SYS_ADMIN;
}

/* --- which ids --------------------------------------------------------- */

struct range {
	unsigned long first, count; /* count 0: none */
};

/* The user's first range of subuid(5), by name or number. */
static struct range subordinate(struct arena *a, const char *file, const char *name)
{
	char *text = file_read(a, AT_FDCWD, file, 64 << 20, NULL), *save;
	const char *number = arena_printf(a, "%u", (unsigned)getuid());

	for (char *l = text ? strtok_r(text, "\n", &save) : NULL; l;
	     l = strtok_r(NULL, "\n", &save)) {
		char *colon = strchr(l, ':');
		struct range r;

		if (!colon)
			continue;
		*colon = '\0';
		if ((strcmp(l, name) == 0 || strcmp(l, number) == 0) &&
		    sscanf(colon + 1, "%lu:%lu", &r.first, &r.count) == 2 && r.count > 0)
			return r;
	}
	error_clear();
	return (struct range){0};
}

/* A program that is root by its file, where root alone puts programs. */
static const char *helper(struct arena *a, const char *name)
{
	static const char *const folders[] = {"/usr/bin", "/bin", "/usr/sbin", "/sbin",
					      "/run/wrappers/bin"};

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		const char *path = arena_printf(a, "%s/%s", folders[i], name);

		if (access(path, X_OK) == 0) /* path: the host's, one of the list */
			return path;
	}
	return NULL;
}

/* --- the maps ---------------------------------------------------------- */

/* A process that waits in the host's namespace for a word, and writes a map of
 * this one's. Made before that is anywhere else. */
static pid_t start_helper(const char *path, const int gate[2], uint32_t own, struct range r)
{
	_arena_ struct arena *a = arena_new();
	char *argv[] = {(char *)path,
			arena_printf(a, "%d", (int)getpid()),
			(char *)"0",
			arena_printf(a, "%u", own),
			(char *)"1",
			(char *)"1",
			arena_printf(a, "%lu", r.first),
			arena_printf(a, "%lu", r.count),
			NULL};
	pid_t pid = fork();
	char word;

	if (pid != 0)
		return pid;
	close(gate[1]);
	/* Nothing of the caller's is for a program that is root. */
	if (read(gate[0], &word, 1) == 1 && close_range(3, ~0U, 0) == 0)
		execve(path, argv, (char *[]){NULL});
	_exit(127);
}

static int wait_helper(pid_t pid, const char *path)
{
	int status = -1;

	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid > 0 && status == 0)
		return 0;
	fail(0, "user namespace: %s does not map the ids of /etc/subuid and /etc/subgid", path);
	return fail_hint("see what it says; it must be setuid root, and the ranges the user's");
}

static int make_namespaces(void)
{
	/* The runtime clones mounts, and may in a namespace that is its own. */
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) {
		fail(errno, "user namespace: an ordinary user cannot make one");
		return fail_hint("run it as root, or let users: sysctl user.max_user_namespaces, "
				 "kernel.unprivileged_userns_clone, "
				 "kernel.apparmor_restrict_unprivileged_userns");
	}
	/* So that the maps' files are the user's; there is no container yet that could
	 * look, and execve forgets it. */
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0 ? fail(errno, "PR_SET_DUMPABLE") : 0;
}

static int map_ranges(const char *uidmap, const char *gidmap, struct range uids, struct range gids)
{
	int gate[2];

	if (pipe2(gate, O_CLOEXEC) < 0)
		return fail(errno, "pipe");
	_fd_ int out = gate[0], in = gate[1];
	pid_t by_uid = start_helper(uidmap, gate, geteuid(), uids);
	pid_t by_gid = start_helper(gidmap, gate, getegid(), gids);
	int r = make_namespaces();
	struct error e = *error_last();

	if (r == 0 && write(in, "go", 2) != 2)
		r = fail(errno, "pipe");
	/* Without a word they end; until then there is somebody to read it. */
	close(fd_take(&in));
	close(fd_take(&out));
	bool mapped = wait_helper(by_uid, uidmap) == 0 && wait_helper(by_gid, gidmap) == 0;
	return r < 0 ? error_adopt(&e) : mapped ? 0 : -1;
}

/* What the kernel grants everybody: the own id, without other groups. */
static int map_single(void)
{
	_arena_ struct arena *a = arena_new();
	const char *uid = arena_printf(a, "0 %u 1", (unsigned)geteuid());
	const char *gid = arena_printf(a, "0 %u 1", (unsigned)getegid());

	if (make_namespaces() < 0)
		return -1;
	if (file_write(AT_FDCWD, "/proc/self/setgroups", "deny") < 0 ||
	    file_write(AT_FDCWD, "/proc/self/uid_map", uid) < 0 ||
	    file_write(AT_FDCWD, "/proc/self/gid_map", gid) < 0)
		return fail_in("user namespace: cannot map the user's own id");
	return 0;
}

/* --- both ways in ------------------------------------------------------ */

/* main.c tells by it whose state root is the default: who was root stays it. */
static int note_user(void)
{
	return (geteuid() == 0 ? setenv("USER", "root", 1) : unsetenv("USER")) < 0
		       ? fail(errno, "environment")
		       : 0;
}

/* The same command line again. Nothing is lost: a runtime that gets here has not
 * made anything yet. */
static int execute_again(void)
{
	_arena_ struct arena *a = arena_new();
	struct strv argv = {0};
	size_t len;
	char *text = file_read(a, AT_FDCWD, "/proc/self/cmdline", 64 << 20, &len);

	if (!text)
		return -1;
	for (char *p = text; p < text + len; p += strlen(p) + 1)
		strv_add(a, &argv, p);
	if (argv.n == 0)
		return fail(EINVAL, "user namespace: this command line cannot be read");
	if (!rootless_privileged()) {
		fail(EPERM, "user namespace: it gives no privilege in itself");
		return fail_hint("the host's security module forbids it; run it as root");
	}
	execve("/proc/self/exe", argv.v, environ);
	return fail(errno, "cannot execute the runtime in its user namespace");
}

int rootless_enter(void)
{
	_arena_ struct arena *a = arena_new();
	const struct passwd *user = getpwuid(getuid());
	const char *uidmap = helper(a, "newuidmap"), *gidmap = helper(a, "newgidmap");
	struct range uids = {0}, gids = {0};

	if (user && uidmap && gidmap) {
		uids = subordinate(a, "/etc/subuid", user->pw_name);
		gids = subordinate(a, "/etc/subgid", user->pw_name);
	}
	/* Programs that are root by their file are nobody's with no_new_privs. */
	bool ranges =
		uids.count > 0 && gids.count > 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0;
	if (!ranges)
		log_debug("user namespace: the user's own id alone is mapped: newuidmap, "
			  "newgidmap or a range in /etc/subuid and /etc/subgid is missing");
	if (note_user() < 0)
		return -1;
	if (ranges ? map_ranges(uidmap, gidmap, uids, gids) < 0 : map_single() < 0)
		return -1;
	return execute_again();
}

static bool same_namespace(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_ino == y.st_ino &&
	       x.st_dev == y.st_dev;
}

int rootless_join(pid_t pid)
{
	char path[64];

	if (rootless_privileged())
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	_fd_ int own = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC); /* path: own link */
	_fd_ int at = open(path, O_RDONLY | O_CLOEXEC); /* path: the host's procfs */
	if (own < 0 || at < 0)
		return fail(errno, "cannot open the container's user namespace");
	/* The outermost one below this: the container's own may be inside of it. */
	for (;;) {
		int parent = ioctl(at, NS_GET_PARENT);

		if (parent < 0)
			return fail(errno, "the container's user namespace is not this user's");
		bool found = same_namespace(parent, own);
		int old = at;

		at = found ? at : parent;
		close(found ? parent : old);
		if (found)
			break;
	}
	if (note_user() < 0)
		return -1;
	if (setns(at, CLONE_NEWUSER) < 0)
		return fail(errno, "cannot join the container's user namespace");
	return execute_again();
}
