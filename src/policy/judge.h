/* Shared by the rules. */
#ifndef CASEMATE_POLICY_JUDGE_H
#define CASEMATE_POLICY_JUDGE_H

#include "casemate/error.h"
#include "casemate/path.h"
#include "casemate/policy.h"

/* What a rule works with. */
struct judge {
	const struct profile *p;
	struct findings *f;
	struct arena *a;
	enum rule_id rule;
	enum policy_action action;
};

/* Records a default that the engine put there; true where the rule is to
 * tighten it now. */
bool found_default(struct judge *j, const char *place, const char *message, const char *before,
		   const char *after);
/* Records what only a person asks for; refused under enforce and deny. */
void found_request(struct judge *j, const char *place, const char *message, const char *value,
		   const char *hint);

int policy_refusals(const struct findings *f);
void make_readonly(struct spec_mount *m);
/* Did an engine make the source for this container, a file or its /dev/shm? */
bool is_engine_own(const struct spec *s, const struct spec_mount *m);
uint64_t default_capabilities(void); /* those that engines give every container */
const char *capability_list(struct arena *a, uint64_t set);

void rule_annotations(struct judge *j, struct spec *s);
void rule_hooks(struct judge *j, struct spec *s);
void rule_namespaces(struct judge *j, struct spec *s);
void rule_user_namespace(struct judge *j, struct spec *s);
void rule_user_nonroot(struct judge *j, struct spec *s);
void rule_no_new_privileges(struct judge *j, struct spec *s);
void rule_capabilities(struct judge *j, struct spec *s);
void rule_seccomp(struct judge *j, struct spec *s);
void rule_rootfs_readonly(struct judge *j, struct spec *s);
void rule_rootfs_nosuid(struct judge *j, struct spec *s);
void rule_mounts_source(struct judge *j, struct spec *s);
void rule_mounts_flags(struct judge *j, struct spec *s);
void rule_mounts_propagation(struct judge *j, struct spec *s);
void rule_dev(struct judge *j, struct spec *s);
void rule_devices(struct judge *j, struct spec *s);
void rule_paths_masked(struct judge *j, struct spec *s);
void rule_paths_readonly(struct judge *j, struct spec *s);
void rule_sysctl(struct judge *j, struct spec *s);
void rule_rlimits(struct judge *j, struct spec *s);
void rule_lsm(struct judge *j, struct spec *s);
void rule_resources(struct judge *j, struct spec *s);

#endif
