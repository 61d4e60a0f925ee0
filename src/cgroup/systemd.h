/*
 * The systemd driver: the cgroup is a transient scope unit. It must never touch
 * a unit but the container's own, and keeps what systemd believes the same as
 * what the control files say. cgroup/ calls it.
 */
#ifndef CASEMATE_CGROUP_SYSTEMD_H
#define CASEMATE_CGROUP_SYSTEMD_H

#include "internal.h"

/* One property of org.freedesktop.systemd1.Scope. */
struct unit_property {
	const char *name;
	char type; /* D-Bus: 's' text, 't' number, 'b' number, 'y' bytes (ay), 'd' devices (a(ss))
		    */
	const char *text;
	uint64_t number;
	unsigned char *bytes;
	size_t n;
	struct strv devices; /* path, access, path, access, … */
};
struct unit_properties {
	struct arena *a;
	struct unit_property *v;
	size_t n, cap;
};

/* The properties for resources, devices too where asked. Pure. -1 with error. */
int unit_properties(const struct spec_resources *r, bool devices, struct unit_properties *p);
/* A list of CPUs or nodes as a bit set. -1 with error. */
int unit_bitmap(struct arena *a, const char *list, unsigned char **out, size_t *n);
/* Where a slice's cgroup is ("/a.slice/a-b.slice"); NULL for what is no slice. */
const char *unit_slice_path(struct arena *a, const char *slice);

/* Fills in cg->unit, cg->slice and the path below the mount from cgroupsPath
 * "slice:prefix:name" (all may be empty; NULL: system.slice:casemate:ID). Asks
 * nobody. -1 with error. */
int systemd_plan(struct cgroup *cg, const char *cgroups_path, const char *id);
/* Starts the scope with the process in it and waits until it is there. */
int systemd_start(const struct cgroup *cg, pid_t pid, const struct spec_resources *r);
/* New values for a scope that runs. */
int systemd_update(const struct cgroup *cg, const struct spec_resources *r);
/* Stops the scope, waits, and forgets a failure of it. Gone already: 0. */
int systemd_stop(const struct cgroup *cg);
/* Only forgets a failure, for a scope whose cgroup is gone: names of units are
 * the whole host's, and one that runs is somebody else's. */
int systemd_forget(const struct cgroup *cg);

#endif
