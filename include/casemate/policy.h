/*
 * The policy: a profile's action for each rule, and one table of rules. Pure
 * functions on struct spec and the facts in it; the only system call is reading
 * a profile. Verbs call it between parsing and planning; nothing after it may
 * loosen what it decided.
 */
#ifndef CASEMATE_POLICY_H
#define CASEMATE_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "casemate/json.h"
#include "casemate/mem.h"
#include "casemate/seccomp.h"
#include "casemate/spec.h"

enum policy_action { POLICY_ENFORCE, POLICY_DENY, POLICY_WARN, POLICY_OFF };
extern const char *const policy_action_names[4];

/* What a finding did. */
enum finding_effect {
	FINDING_TIGHTENED, /* a default was made stricter */
	FINDING_REFUSED,   /* the container is not made */
	FINDING_WARNED,	   /* left as it is, recorded */
	FINDING_IGNORED,   /* without effect here (an annotation of another runtime) */
};
extern const char *const finding_effect_names[4];

struct finding {
	const char *rule;	    /* "user.nonroot" */
	const char *place;	    /* "process.user.uid" */
	const char *message;	    /* what is wrong, one sentence without a full stop */
	const char *before, *after; /* values as text; NULL where there is none */
	const char *hint;	    /* the way out; NULL if none */
	enum finding_effect effect;
};
struct findings {
	struct arena *arena;
	struct finding *v;
	size_t n, cap;
};

/* The rules' order is the order in which they are applied. */
enum rule_id {
	RULE_ANNOTATIONS,
	RULE_HOOKS,
	RULE_NAMESPACES,
	RULE_USER_NAMESPACE,
	RULE_USER_NONROOT,
	RULE_NO_NEW_PRIVILEGES,
	RULE_CAPABILITIES,
	RULE_SECCOMP,
	RULE_ROOTFS_READONLY,
	RULE_ROOTFS_NOSUID,
	RULE_MOUNTS_SOURCE,
	RULE_MOUNTS_FLAGS,
	RULE_MOUNTS_PROPAGATION,
	RULE_DEV,
	RULE_DEVICES,
	RULE_PATHS_MASKED,
	RULE_PATHS_READONLY,
	RULE_SYSCTL,
	RULE_RLIMITS,
	RULE_RESOURCES,
	RULE_LSM,
	RULE_EXEC,
	RULE_COUNT
};

/* A host path that a bind mount may come from. */
struct profile_mount {
	const char *path;
	bool writable;
};

/* A host device that may be given to a container. It is recognised by its
 * numbers, read when the profile is: config.json may name it as it likes. */
struct profile_device {
	const char *path;
	char type; /* 'c', 'b'; 0: the host has no such device */
	int64_t major, minor;
};

/* A container's ids are 0 to 65535. Ranges begin at a multiple of this, whatever
 * the profile, so that two overlap only where they are the same. */
enum { ID_RANGE = 65536 };

struct profile {
	struct arena *arena;
	const char *name; /* for people: the file's without folders and ending */
	const char *path; /* the file it came from */
	enum policy_action action[RULE_COUNT];

	struct {
		uint32_t uid, gid;
	} fallback;	     /* user.nonroot: what uid 0 becomes */
	bool root_in_userns; /* user.nonroot: uid 0 is left where the
			      * container has a user namespace of its own */
	struct {
		uint32_t first, count; /* host ids that ranges are taken from */
		bool unmappable_as_is; /* what cannot be idmapped is bound as it is */
	} ids;			       /* user.namespace */
	uint64_t capabilities;	       /* allowed, as a bit set */
	struct strv namespaces_join;   /* "network", "ipc", "uts", …: may be joined by path */
	struct {
		struct profile_mount *v;
		size_t n, cap;
	} mounts_allow;
	bool mounts_noexec;
	struct {
		struct profile_tmpfs {
			const char *destination, *size; /* "64m" */
		} * v;
		size_t n, cap;
	} tmpfs; /* rootfs.readonly */
	struct {
		struct profile_device *v;
		size_t n, cap;
	} devices_allow;
	struct strv masked_paths, readonly_paths;
	struct strv sysctl_allow; /* names; a trailing '*' matches the rest */
	struct {
		struct opt_u64 core, nofile, nproc; /* hard maxima */
	} rlimits;
	struct opt_i64 pids_limit, memory_limit;
	bool unavailable_warn; /* resources: where a user can have no cgroup, go on without */
	struct strv annotations_allow;
	struct strv hooks_allow; /* paths besides those that pass the file check */
	/* lsm: what a container that brings no label gets; NULL: nothing. */
	const char *apparmor, *selinux_process, *selinux_mount;
	bool lsm_ignore_missing;     /* a label for a module that the host has not is left out */
	struct spec_seccomp seccomp; /* the default profile's filter */
	struct seccomp_fixed seccomp_fixed;
};

/* Finds and reads a profile: name is looked up in /etc/casemate/profiles, then
 * in the installed directory, or is a path where it has a '/'. "extends" is
 * followed (at most 8 deep). Every file and each folder above it must belong to
 * root or this user and be writable by nobody else. An unknown key or a wrong
 * type is an error that names its place. -1 with error. */
int profile_load(struct arena *a, const char *name, struct profile *out);

/* Applies every rule to spec, rewriting it, and appends the findings; it goes
 * on after a refusal so that all are found. Facts (source_facts,
 * spec_namespace.is_host) must be there. Returns the number of refusals. */
int policy_apply(const struct profile *p, struct spec *s, struct findings *f);

/* New limits for a container that runs: none that the profile puts there may be
 * taken away. Returns the number of refusals. */
int policy_apply_update(const struct profile *p, struct arena *a, const struct spec_resources *r,
			struct findings *f);

/* The same for a process that joins a container: spec is the container's
 * (already rewritten), process is the new one and is rewritten. */
int policy_apply_exec(const struct profile *p, const struct spec *s, struct spec_process *process,
		      struct findings *f);

/* Sets the error record to all refusals among the findings, each as
 *   PLACE: refused by rule RULE (profile NAME): permission denied: MESSAGE; hint: …
 * one a line. "permission denied" makes the engines' exit status 126. Returns -1. */
int policy_fail(const struct profile *p, const struct findings *f);

struct judge;

/* One row of the rule table, for `check`, docs and features. */
struct rule {
	const char *id;	     /* "mounts.source" */
	const char *cis;     /* "5.5, 5.31" of the CIS Docker Benchmark v1.6.0, or "" */
	const char *summary; /* what restricted makes of it, one sentence */
	void (*apply)(struct judge *j, struct spec *s); /* NULL: by policy_apply_exec */
};
extern const struct rule policy_rules[RULE_COUNT];

#endif
