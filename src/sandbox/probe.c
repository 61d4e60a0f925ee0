/* What this host can do: each probe tries the thing, in a child where it would
 * leave something behind, and says what it saw. */
#include <errno.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <linux/magic.h>
#include <sys/wait.h>

#include "internal.h"

static enum probe_result say(struct probe_answer *a, enum probe_result r, const char *hint,
			     const char *fmt, ...) __attribute__((format(printf, 4, 5)));
static enum probe_result say(struct probe_answer *a, enum probe_result r, const char *hint,
			     const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(a->text, sizeof(a->text), fmt, ap);
	va_end(ap);
	a->hint = hint;
	return r;
}

static enum probe_result kernel(struct probe_answer *a)
{
	struct utsname u;
	unsigned major = 0, minor = 0;

	if (uname(&u) < 0 || sscanf(u.release, "%u.%u", &major, &minor) != 2)
		return say(a, PROBE_FAIL, NULL, "uname: %s", strerror(errno));
	if (major < 5 || (major == 5 && minor < 15))
		return say(a, PROBE_FAIL, "Linux 5.15 or newer is needed", "Linux %s", u.release);
	return say(a, PROBE_PASS, NULL, "Linux %s", u.release);
}

/* Tried on a name that is there on every host; ENOSYS and seccomp's EPERM tell. */
static enum probe_result paths(struct probe_answer *a)
{
	_fd_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC); /* path: the host's root */
	_fd_ int fd = rootfs_open(root, "/proc", O_PATH, ROOTFS_NO_SYMLINKS);

	return fd < 0 ? say(a, PROBE_FAIL, "a kernel or an outer seccomp filter without openat2",
			    "openat2: %s", strerror(errno))
		      : say(a, PROBE_PASS, NULL, "openat2 with RESOLVE_IN_ROOT");
}

static enum probe_result mount_api(struct probe_answer *a)
{
	_fd_ int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);

	if (fs < 0 && errno == EPERM && geteuid() != 0)
		return say(a, PROBE_UNKNOWN, "run it as root", "not tried");
	if (fs < 0)
		return say(a, PROBE_FAIL, "a kernel or an outer seccomp filter without fsopen",
			   "fsopen: %s", strerror(errno));
	return say(a, PROBE_PASS, NULL, "fsopen, open_tree, mount_setattr");
}

static enum probe_result cgroup_mode(struct probe_answer *a)
{
	struct statfs fs;
	struct stat st;
	/* path: the host's cgroup file systems */
	_fd_ int top = open("/sys/fs/cgroup", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (top < 0 || fstatfs(top, &fs) < 0)
		return say(a, PROBE_FAIL, "mount cgroup2 on /sys/fs/cgroup", "no cgroups: %s",
			   strerror(errno));
	if (fs.f_type == CGROUP2_SUPER_MAGIC)
		return say(a, PROBE_PASS, NULL, "v2");
	/* path: its entry */
	if (fstatat(top, "devices", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return say(a, PROBE_FAIL, "mount cgroup2 on /sys/fs/cgroup",
			   "no cgroup v2 and no devices controller of v1");
	/* path: its entry */
	return say(a, PROBE_WARN, "boot with systemd.unified_cgroup_hierarchy=1",
		   "v1%s: no systemd driver, no unified resources",
		   fstatat(top, "unified", &st, 0) == 0 ? " (hybrid)" : "");
}

static enum probe_result namespaces(struct probe_answer *a)
{
	static const char *const names[] = {"cgroup", "ipc",  "mnt",  "net",
					    "pid",    "time", "user", "uts"};
	/* path: this process's own links */
	_fd_ int dir = open("/proc/self/ns", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char missing[64] = "";

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct stat st;

		if (fstatat(dir, names[i], &st, 0) < 0) { /* path: its entry */
			strncat(missing, " ", sizeof(missing) - strlen(missing) - 1);
			strncat(missing, names[i], sizeof(missing) - strlen(missing) - 1);
		}
	}
	if (*missing)
		return say(a, PROBE_WARN, "a kernel built with all namespaces", "missing:%s",
			   missing);
	return say(a, PROBE_PASS, NULL, "all eight");
}

/* The exit status of a child that tries. */
static int in_child(int (*try)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(try() == 0 ? 0 : errno);
	if (pid < 0)
		return errno;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

static int try_user_namespace(void)
{
	return unshare(CLONE_NEWUSER);
}

static enum probe_result user_namespace(struct probe_answer *a)
{
	int e = in_child(try_user_namespace);

	if (e)
		return say(a, PROBE_FAIL, "see user.max_user_namespaces and the LSM's restrictions",
			   "cannot be made: %s", strerror(e));
	return say(a, PROBE_PASS, NULL, "can be made");
}

/* A clone of where images are, with the ids of a container. */
static int mapped_tree(void)
{
	const struct id_map one = {0, 100000, 65536};
	const struct id_maps maps = {(struct id_map *)(uintptr_t)&one, 1, 1};
	/* path: the host's procfs */
	_fd_ int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_fd_ int userns = ids_userns_fd(proc, &maps, &maps);
	/* path: the file system that the runtime's state is on would be /run; images are here */
	_fd_ int tree = open_tree(AT_FDCWD, "/var/lib", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	return userns < 0 || tree < 0 || mount_idmap(tree, false, userns) < 0 ? -1 : fd_take(&tree);
}

static int try_idmap(void)
{
	_fd_ int tree = mapped_tree();

	return tree < 0 ? -1 : 0;
}

static enum probe_result idmapped_mounts(struct probe_answer *a)
{
	if (geteuid() != 0)
		return say(a, PROBE_UNKNOWN, "run it as root", "not tried");
	int e = in_child(try_idmap);
	if (e)
		return say(a, PROBE_WARN, "a file system with idmapped mounts under /var/lib",
			   "not for the file system of /var/lib: %s", strerror(e));
	return say(a, PROBE_PASS, NULL, "for the file system of /var/lib");
}

/* What every container of Docker's is made of, by names as on Linux before 6.13. */
static int try_layers(void)
{
	static const char *const names[] = {"lower", "upper", "work", "merged"};
	struct mount_attr private = {.propagation = MS_PRIVATE};
	struct spec_mount m = {.type = "tmpfs", .source = "tmpfs"};
	_fd_ int tree = mapped_tree(), top = fs_make(&m, NULL, tree), dest = -1, lower = -1;

	if (tree < 0 || top < 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &private, sizeof(private)) < 0)
		return -1;
	dest = open("/var/lib", O_PATH | O_DIRECTORY | O_CLOEXEC); /* path: the host's */
	if (dest < 0 || mount_attach(top, dest) < 0 || fchdir(top) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (mkdirat(top, names[i], 0700) < 0) /* path: entry of the new tmpfs */
			return -1;
	lower = openat(top, names[0], O_PATH | O_DIRECTORY | O_CLOEXEC); /* path: the same */
	if (lower < 0 || mount_attach(tree, lower) < 0)
		return -1;
	/* old mount call: as in overlay.c */
	return mount("overlay", "merged", "overlay", 0,
		     "lowerdir=lower,upperdir=upper,workdir=work,index=off");
}

static enum probe_result overlay_layers(struct probe_answer *a)
{
	if (geteuid() != 0)
		return say(a, PROBE_UNKNOWN, "run it as root", "not tried");
	int e = in_child(try_layers);
	if (e)
		return say(a, PROBE_WARN,
			   "containers on an overlay need Linux 5.19, or a profile with "
			   "user.namespace.unmappable as-is",
			   "an overlay cannot have them as layers: %s", strerror(e));
	return say(a, PROBE_PASS, NULL, "an overlay can have them as layers");
}

static enum probe_result seccomp(struct probe_answer *a)
{
	static const uint32_t actions[] = {SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_ERRNO,
					   SECCOMP_RET_LOG};

	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &actions[i]) < 0)
			return say(a, PROBE_FAIL, "a kernel with CONFIG_SECCOMP_FILTER", "%s",
				   strerror(errno));
	return say(a, PROBE_PASS, NULL, "filters, all actions");
}

static enum probe_result landlock(struct probe_answer *a)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	if (abi < 0)
		return say(a, PROBE_WARN, "add landlock to the kernel parameter lsm=", "%s",
			   errno == EOPNOTSUPP ? "switched off" : strerror(errno));
	return say(a, PROBE_PASS, NULL, "ABI %ld", abi);
}

static enum probe_result selinux(struct probe_answer *a)
{
	char c = '0';
	/* path: a file of the host's selinuxfs */
	_fd_ int fd = open("/sys/fs/selinux/enforce", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, &c, 1) != 1)
		return say(a, PROBE_FAIL, "mount selinuxfs", "SELinux: %s", strerror(errno));
	if (c != '1')
		return say(a, PROBE_WARN, "setenforce 1", "SELinux is permissive");
	if (lsm_check_label("SELinux", "system_u:system_r:container_t:s0") < 0) {
		error_clear();
		return say(a, PROBE_FAIL,
			   "install container-selinux, or name labels in the profile",
			   "SELinux, and its policy has no container_t");
	}
	return say(a, PROBE_PASS, NULL, "SELinux, enforcing, with container_t");
}

static enum probe_result security_module(struct probe_answer *a)
{
	_arena_ struct arena *arena = arena_new();

	switch (lsm_host()) {
	case LSM_APPARMOR:
		if (geteuid() != 0)
			return say(a, PROBE_UNKNOWN, "run it as root", "AppArmor");
		if (!lsm_apparmor_loaded(arena, "casemate-default", true))
			return say(a, PROBE_FAIL,
				   "apparmor_parser -r the file profiles/apparmor/casemate-default",
				   "AppArmor, and the profile casemate-default is not loaded");
		return say(a, PROBE_PASS, NULL, "AppArmor, casemate-default is loaded");
	case LSM_SELINUX:
		return selinux(a);
	default:
		return say(a, PROBE_WARN, "boot with lsm=…,apparmor",
			   "neither AppArmor nor SELinux is on");
	}
}

const struct probe sandbox_probes[] = {
	{"kernel", kernel},
	{"paths", paths},
	{"mounts", mount_api},
	{"cgroups", cgroup_mode},
	{"namespaces", namespaces},
	{"user namespace", user_namespace},
	{"idmapped mounts", idmapped_mounts},
	{"overlay layers", overlay_layers},
	{"seccomp", seccomp},
	{"landlock", landlock},
	{"security module", security_module},
	{NULL, NULL},
};
