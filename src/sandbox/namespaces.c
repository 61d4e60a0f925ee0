/*
 * Namespaces: which are made by clone3, which are joined, and the two that the
 * child has to make itself (cgroup, once it is in its cgroup; time, so that its
 * clocks can be set before anything is in it).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

/* Joined by the runtime and inherited by the child, since from inside a user
 * namespace there would be no right to. PID and time act on children only. */
static const int inherited[] = {CLONE_NEWNET, CLONE_NEWIPC,  CLONE_NEWUTS,
				CLONE_NEWPID, CLONE_NEWTIME, CLONE_NEWCGROUP};

/* The link's name in /proc/PID/ns where it is not the runtime-spec's word. */
static const char *link_name(int type)
{
	return type == CLONE_NEWNET ? "net" : namespace_name(type);
}

bool has_namespace(const struct spec *s, int type)
{
	const struct spec_namespace *ns = spec_namespace(s, type);

	return ns && !ns->is_host;
}

bool has_user_namespace(const struct spec *s)
{
	return has_namespace(s, CLONE_NEWUSER);
}

bool is_foreign_namespace(const struct spec *s, int type)
{
	const struct spec_namespace *ns = spec_namespace(s, type);

	return has_user_namespace(s) && (!ns || ns->path);
}

int namespaces_check(const struct spec *s)
{
	const struct spec_namespace *mnt = spec_namespace(s, CLONE_NEWNS);
	const struct spec_namespace *user = spec_namespace(s, CLONE_NEWUSER);
	const struct spec_namespace *uts = spec_namespace(s, CLONE_NEWUTS);

	/* Without one the mounts of the container would be made on the host; in
	 * another's they would replace what it sees. */
	if (!mnt || mnt->path) {
		fail(0, "linux.namespaces: the container needs a mount namespace of its own");
		return fail_hint("add {\"type\": \"mount\"} without a path");
	}
	/* exec could not tell it from one that is to be entered. */
	if (user && user->is_host) {
		fail(0, "linux.namespaces: %s is the user namespace that is here already",
		     user->path);
		return fail_hint("remove the entry");
	}
	if (user && !user->path && (s->uid_maps.n == 0 || s->gid_maps.n == 0)) {
		fail(0, "linux.uidMappings, linux.gidMappings: a new user namespace needs both");
		return fail_hint("give the mappings, or remove the user namespace");
	}
	if (!user && (s->uid_maps.n > 0 || s->gid_maps.n > 0))
		return fail(0, "linux.uidMappings: there is no user namespace to map ids for");
	if ((s->hostname || s->domainname) && (!uts || uts->is_host))
		return fail(0, "%s: needs a UTS namespace, or it would rename the host",
			    s->hostname ? "hostname" : "domainname");
	if ((s->boottime.set || s->monotonic.set) &&
	    (!spec_namespace(s, CLONE_NEWTIME) || spec_namespace(s, CLONE_NEWTIME)->path))
		return fail(0, "linux.timeOffsets: needs a new time namespace");
	return 0;
}

unsigned long long namespaces_clone_flags(const struct spec *s)
{
	unsigned long long flags = 0;

	for (size_t i = 0; i < s->namespaces.n; i++) {
		const struct spec_namespace *ns = &s->namespaces.v[i];

		if (!ns->path && ns->type != CLONE_NEWCGROUP && ns->type != CLONE_NEWTIME)
			flags |= (unsigned long long)(unsigned)ns->type;
	}
	return flags;
}

int namespaces_join(const struct spec *s, int saved[8])
{
	for (size_t i = 0; i < 8; i++)
		saved[i] = -1;
	for (size_t i = 0; i < ARRAY_SIZE(inherited); i++) {
		const struct spec_namespace *ns = spec_namespace(s, inherited[i]);
		char own[64];

		/* The runtime's own: it is there, and need not have the right to it. */
		if (!ns || !ns->path || ns->is_host)
			continue;
		snprintf(own, sizeof(own), "/proc/self/ns/%s", link_name(ns->type));
		_fd_ int back = open(own, O_RDONLY | O_CLOEXEC); /* path: own namespace */
		if (back < 0)
			return fail(errno, "cannot open %s", own);
		/* The kernel checks the type against the descriptor. */
		if (setns(ns->fd, ns->type) < 0)
			return fail(errno, "linux.namespaces: cannot join the %s namespace %s",
				    namespace_name(ns->type), ns->path);
		saved[i] = fd_take(&back);
	}
	return 0;
}

int namespaces_return(const int saved[8])
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(inherited); i++) {
		if (saved[i] < 0)
			continue;
		if (setns(saved[i], inherited[i]) < 0)
			r = fail(errno, "cannot return to the runtime's own %s namespace",
				 namespace_name(inherited[i]));
		close(saved[i]);
	}
	return r;
}

int namespaces_join_user(const struct spec *s)
{
	const struct spec_namespace *ns = spec_namespace(s, CLONE_NEWUSER);

	if (ns && ns->path && setns(ns->fd, CLONE_NEWUSER) < 0)
		return fail(errno, "linux.namespaces: cannot join the user namespace %s", ns->path);
	return 0;
}

/* time_namespaces(7): offsets can be written until the first process is in it;
 * the process that made it enters it by setns. */
static int time_enter(struct setup *s)
{
	const struct {
		const char *clock;
		bool set;
		int64_t secs;
		uint32_t nanosecs;
	} offsets[] = {
		{"boottime", s->spec->boottime.set, s->spec->boottime.secs,
		 s->spec->boottime.nanosecs},
		{"monotonic", s->spec->monotonic.set, s->spec->monotonic.secs,
		 s->spec->monotonic.nanosecs},
	};
	char line[96];

	if (unshare(CLONE_NEWTIME) < 0)
		return fail(errno, "linux.namespaces: time");
	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
		if (!offsets[i].set)
			continue;
		snprintf(line, sizeof(line), "%s %lld %u\n", offsets[i].clock,
			 (long long)offsets[i].secs, offsets[i].nanosecs);
		if (file_write(s->proc, "self/timens_offsets", line) < 0)
			return fail_in("linux.timeOffsets.%s", offsets[i].clock);
	}
	/* path: the child's own link in the host's procfs */
	_fd_ int fd = openat(s->proc, "self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWTIME) < 0)
		return fail(errno, "linux.namespaces: cannot enter the new time namespace");
	return 0;
}

int namespaces_set_names(const struct spec *s)
{
	if (s->hostname && sethostname(s->hostname, strlen(s->hostname)) < 0)
		return fail(errno, "hostname: %s", s->hostname);
	if (s->domainname && setdomainname(s->domainname, strlen(s->domainname)) < 0)
		return fail(errno, "domainname: %s", s->domainname);
	return 0;
}

int namespaces_enter(struct setup *s)
{
	const struct spec_namespace *cgroup = spec_namespace(s->spec, CLONE_NEWCGROUP);
	const struct spec_namespace *time = spec_namespace(s->spec, CLONE_NEWTIME);

	/* Its root is the cgroup that the process is in now: the container's. */
	if (cgroup && !cgroup->path && unshare(CLONE_NEWCGROUP) < 0)
		return fail(errno, "linux.namespaces: cgroup");
	if (time && !time->path && time_enter(s) < 0)
		return -1;
	return is_foreign_namespace(s->spec, CLONE_NEWUTS) ? 0 : namespaces_set_names(s->spec);
}
