/* Shared by the parts of cgroup/. */
#ifndef CASEMATE_CGROUP_INTERNAL_H
#define CASEMATE_CGROUP_INTERNAL_H

#include <linux/bpf.h>

#include "casemate/cgroup.h"
#include "casemate/error.h"
#include "casemate/fd.h"

/* One control file to write, and where in config.json the value is from. */
struct cgroup_write {
	const char *controller; /* "memory" */
	const char *file;	/* "memory.max" */
	const char *value;
	const char *place; /* "memory.limit" */
	bool optional;	   /* a file that not every kernel has, with a twin that was tried */
	/* Where the file is not there (no bfq): the one in its place, or NULL. */
	const char *other_file, *other_value;
	/* May be refused until the next one is written: the two are tried in both orders. */
	bool pair;
};
struct cgroup_writes {
	struct arena *a;
	struct cgroup_write *v;
	size_t n, cap;
};

/* The resources as v2 means them: swap without memory, a pids limit of 1 for 0,
 * nothing where an engine sent 0 for "not asked for". -1 with error. */
int resources_as_v2(const struct spec_resources *given, struct spec_resources *out);
/* resources.c: pure. -1 with error where the version has no such resource. */
int resources_v1(const struct spec_resources *r, struct cgroup_writes *out);
int resources_v2(const struct spec_resources *r, struct cgroup_writes *out);

/* devices.c: the rules with the default devices behind them. */
struct device_rules {
	struct spec_device_rule *v;
	size_t n, cap;
};
void device_rules(struct arena *a, const struct spec_resources *r, struct device_rules *out);
/* -1 with error where the controller of v1 could not do what they say. */
int device_rules_check_v1(const struct device_rules *rules);
const char *device_rule_text(struct arena *a, const struct spec_device_rule *rule);
/* An eBPF program that answers like the v1 controller after "deny all" and the
 * rules in order; pure. The number of instructions. */
size_t device_program(const struct device_rules *rules, struct bpf_insn *out, size_t max);
int device_attach(int cgroup, const struct device_rules *rules);

/* Is item one of a list with commas? */
bool cgroup_in_list(const char *list, const char *item);
/* 0, or -1 with error where processes are in it: another container's. */
int cgroup_check_empty(const struct cgroup *cg);
/* The error for one that is not. */
int cgroup_fail_gone(const char *dir);
/* Is the directory there and the one that create made? */
bool cgroup_is_own(struct arena *a, const struct cgroup_hierarchy *h);
/* The hierarchy that has a controller, or NULL. */
const struct cgroup_hierarchy *cgroup_find(const struct cgroup *cg, const char *controller);
/* The container's directory in a hierarchy. */
const char *cgroup_dir(struct arena *a, const struct cgroup_hierarchy *h);

#endif
