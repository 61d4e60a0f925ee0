/* User and group ids: the maps of a user namespace, and becoming its root. */
#include <errno.h>
#include <grp.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "casemate/log.h"
#include "casemate/owner.h"
#include "internal.h"

static int write_map(int proc, pid_t pid, const char *file, const struct id_maps *maps)
{
	_arena_ struct arena *a = arena_new();
	char *text = arena_strdup(a, "");

	for (size_t i = 0; i < maps->n; i++)
		text = arena_printf(a, "%s%u %u %u\n", text, maps->v[i].container, maps->v[i].host,
				    maps->v[i].size);
	return file_write(proc, arena_printf(a, "%d/%s", (int)pid, file), text);
}

int ids_write_maps(int proc, pid_t pid, const struct id_maps *uids, const struct id_maps *gids)
{
	if (write_map(proc, pid, "uid_map", uids) < 0)
		return fail_in("linux.uidMappings");
	if (write_map(proc, pid, "gid_map", gids) < 0)
		return fail_in("linux.gidMappings");
	return 0;
}

/* The process behind a user namespace shares this one's memory, so that nothing is
 * copied for it: it calls the kernel, and nothing else that the other could notice. */
__attribute__((no_sanitize("address", "undefined"))) static int hold_namespace(void *parent)
{
	/* It must not outlive the runtime. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != *(pid_t *)parent)
		_exit(0);
	for (;;)
		pause();
}

/* An idmapped mount takes its mapping from a user namespace, and one comes only
 * with a process: it lives for as long as its maps are written. */
int ids_userns_fd(int proc, const struct id_maps *uids, const struct id_maps *gids)
{
	_Alignas(16) static char stack[16384];
	char path[64];
	pid_t parent = getpid();
	/* With the descriptors shared, too, it holds no lock of the runtime's. */
	pid_t pid = clone(hold_namespace, stack + sizeof(stack),
			  CLONE_NEWUSER | CLONE_VM | CLONE_FILES | SIGCHLD, &parent);

	if (pid < 0)
		return fail(errno, "a user namespace for the mapping");
	int fd = ids_write_maps(proc, pid, uids, gids);
	if (fd == 0) {
		snprintf(path, sizeof(path), "%d/ns/user", (int)pid);
		fd = openat(proc, path, O_RDONLY | O_CLOEXEC); /* path: our child's link */
		if (fd < 0)
			fail(errno, "cannot open /proc/%s", path);
	}
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return fd;
}

int ids_container_userns(struct setup *s)
{
	char path[64];

	if (s->userns >= 0)
		return s->userns;
	snprintf(path, sizeof(path), "%d/ns/user", (int)s->l->pid);
	s->userns = openat(s->proc, path, O_RDONLY | O_CLOEXEC); /* path: our child's link */
	return s->userns < 0 ? fail(errno, "cannot open /proc/%s", path) : s->userns;
}

static uint32_t host_id(const struct spec *s, const struct id_maps *maps, uint32_t id)
{
	if (!has_user_namespace(s))
		return id;
	const struct id_map *m = id_maps_find(maps, id);
	return m ? m->host + (id - m->container) : UINT32_MAX;
}

uid_t ids_host(const struct spec *s, uint32_t id)
{
	return host_id(s, &s->uid_maps, id);
}

gid_t ids_host_group(const struct spec *s, uint32_t id)
{
	return host_id(s, &s->gid_maps, id);
}

int ids_own_stdio(const struct spec *s, const struct spec_process *p)
{
	uid_t uid = ids_host(s, p->uid);

	for (int fd = 0; fd <= 2 && uid != (uid_t)-1 && !p->terminal; fd++) {
		struct stat st;
		struct statfs fs;

		if (fstat(fd, &st) < 0)
			return fail(errno, "descriptor %d", fd);
		/* A FIFO with a name is a file of the host's, which keeps its owner. */
		if (s->idmap && fstatfs(fd, &fs) == 0 && fs.f_type != PIPEFS_MAGIC)
			continue;
		if (!S_ISFIFO(st.st_mode) || fchown(fd, uid, (gid_t)-1) == 0)
			continue;
		/* Another user's, for an ordinary one: it works as a descriptor. */
		if (errno != EPERM || !in_user_namespace())
			return fail(errno, "cannot give descriptor %d to process.user", fd);
		log_debug("descriptor %d stays another user's", fd);
	}
	return 0;
}

/* A change of ids or capabilities makes a process as dumpable as fs.suid_dumpable
 * says (proc(5)), and the container's own user could look into it from then on. */
int ids_stay_private(void)
{
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? fail(errno, "PR_SET_DUMPABLE") : 0;
}

/* With a single id mapped there are no groups to choose from (user_namespaces(7)):
 * those of the user stay, as nobody's in here. */
static int find_groups(struct setup *s)
{
	char *text = file_read(s->spec->arena, s->proc, "self/setgroups", 64, NULL);

	if (!text)
		return -1;
	s->no_setgroups = strncmp(text, "deny", 4) == 0;
	if (!s->no_setgroups || s->process->additional_gids.n == 0)
		return 0;
	fail(EPERM, "process.user.additionalGids: there is no other group in the user namespace");
	return fail_hint("leave them out, or give the user ranges in /etc/subuid and /etc/subgid "
			 "and install newuidmap and newgidmap");
}

/* Who makes things inside: root, or the one that is there and is it already. */
static uint32_t first_id(const struct id_maps *maps)
{
	return maps->n == 1 && maps->v[0].size == 1 ? maps->v[0].container : 0;
}

int ids_become_root(struct setup *s)
{
	uid_t uid = first_id(&s->spec->uid_maps);
	gid_t gid = first_id(&s->spec->gid_maps);

	if (find_groups(s) < 0)
		return -1;
	if (!has_user_namespace(s->spec))
		return 0;
	/* What is made in the rootfs from here on belongs to the container. */
	if ((!s->no_setgroups && setgroups(0, NULL) < 0) || setresgid(gid, gid, gid) < 0 ||
	    setresuid(uid, uid, uid) < 0) {
		fail(errno, "linux.uidMappings: container id 0 is not mapped");
		return fail_hint("map the container ids 0 for users and groups");
	}
	return ids_stay_private();
}
