/* Shared by the rules: the two kinds of judgement (policy.md, "Actions"), and
 * paths compared by component. */
#ifndef CASEMATE_POLICY_INTERNAL_H
#define CASEMATE_POLICY_INTERNAL_H

#include <inttypes.h>
#include <sys/mount.h>

#include "casemate/error.h"
#include "casemate/policy.h"

/* One rule at work. */
struct judge {
	const struct profile *p;
	enum policy_action action;
	enum rule_id rule;
	struct findings *f;
};

/* Records a default of the engine. True where the caller is to tighten it. */
bool judge_default(const struct judge *j, const char *place, const char *before, const char *after,
		   const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* Records what only a person asks for: refused, or left and recorded. */
void judge_request(const struct judge *j, const char *place, const char *before, const char *hint,
		   const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* Records what is so whatever the action. */
void judge_note(const struct judge *j, enum finding_effect effect, const char *place,
		const char *after, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* Is the rule one that guards the container (and does not only watch)? */
static inline bool guards(enum policy_action action)
{
	return action == POLICY_ENFORCE || action == POLICY_DENY;
}

/* Absolute path without empty and "." components and without "/" at the end. */
const char *path_clean(struct arena *a, const char *path);
/* Is a clean path dir itself or below it? By component: /etcetera is not in /etc. */
bool path_within(const char *path, const char *dir);
/* Is item in the list, where a '*' at the end of an entry matches the rest? */
bool list_matches(const struct strv *list, const char *item);
/* "a, b, c" */
const char *list_text(struct arena *a, const struct strv *list);

/* Is this device, or every device of this rule, in the profile's list? */
bool device_allowed(const struct profile *p, char type, int64_t major, int64_t minor);

/* A user namespace of the container's own? */
bool own_user_namespace(const struct spec *s);

void judge_user(const struct judge *j, const struct spec *s, struct spec_process *process);
void judge_no_new_privileges(const struct judge *j, struct spec_process *process);
void judge_capabilities(const struct judge *j, struct spec_process *process);
void judge_rlimits(const struct judge *j, struct arena *a, struct spec_process *process);
void judge_device_rules(const struct judge *j, const struct spec *s, struct spec_resources *r,
			struct arena *a, const char *where);
void judge_resources(const struct judge *j, struct spec_resources *r, bool update,
		     const char *where);

#define RULE(name)                                                                                 \
	void name(const struct profile *p, enum policy_action action, struct spec *s,              \
		  struct findings *f)
RULE(rule_annotations);
RULE(rule_hooks);
RULE(rule_namespaces);
RULE(rule_user_namespace);
RULE(rule_user_nonroot);
RULE(rule_no_new_privileges);
RULE(rule_capabilities);
RULE(rule_seccomp);
RULE(rule_rootfs_readonly);
RULE(rule_rootfs_nosuid);
RULE(rule_mounts_source);
RULE(rule_mounts_flags);
RULE(rule_mounts_propagation);
RULE(rule_dev);
RULE(rule_devices);
RULE(rule_paths_masked);
RULE(rule_paths_readonly);
RULE(rule_sysctl);
RULE(rule_rlimits);
RULE(rule_resources);

#endif
