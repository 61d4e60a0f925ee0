/* The rule table, and how a finding follows from a rule's action. */
#include "casemate/policy.h"

#include <stdio.h>
#include <string.h>

#include "judge.h"

const char *const policy_action_names[4] = {"enforce", "deny", "warn", "off"};
const char *const finding_effect_names[4] = {"tightened", "refused", "warned", "ignored"};

/* clang-format off */
const struct rule policy_rules[RULE_COUNT] = {
	[RULE_ANNOTATIONS] = {"annotations", "",
			      "annotations that other runtimes act on have no effect",
			      rule_annotations},
	[RULE_HOOKS] = {"hooks", "", "a hook's file is root's, on a path nobody else can change",
			rule_hooks},
	[RULE_NAMESPACES] = {"namespaces", "5.10, 5.16, 5.17, 5.21",
			     "pid, mount, ipc, uts, network and cgroup namespaces are its own",
			     rule_namespaces},
	[RULE_USER_NAMESPACE] = {"user.namespace", "5.31",
				 "its ids are its own: a user namespace with a range of the host's",
				 rule_user_namespace},
	[RULE_USER_NONROOT] = {"user.nonroot", "4.1, 5.24",
			       "uid 0 and gid 0 become the fallback user", rule_user_nonroot},
	[RULE_NO_NEW_PRIVILEGES] = {"process.no_new_privileges", "5.26", "no_new_privs is set",
				    rule_no_new_privileges},
	[RULE_CAPABILITIES] = {"capabilities", "5.4, 5.5",
			       "all five sets are empty but for the allowed", rule_capabilities},
	[RULE_SECCOMP] = {"seccomp", "5.22",
			  "a filter is always there, and the fixed one is stacked over it",
			  rule_seccomp},
	[RULE_ROOTFS_READONLY] = {"rootfs.readonly", "5.13",
				  "the rootfs is read-only, with tmpfs where programs write",
				  rule_rootfs_readonly},
	[RULE_ROOTFS_NOSUID] = {"rootfs.nosuid", "5.26", "the rootfs is nosuid and nodev",
				rule_rootfs_nosuid},
	[RULE_MOUNTS_SOURCE] = {"mounts.source", "5.6, 5.32",
				"no host path that hands over the host or its engine",
				rule_mounts_source},
	[RULE_MOUNTS_FLAGS] = {"mounts.flags", "",
			       "mounts are nosuid and nodev, and read-only all the way down",
			       rule_mounts_flags},
	[RULE_MOUNTS_PROPAGATION] = {"mounts.propagation", "5.20",
				     "no mount is shared with the host", rule_mounts_propagation},
	[RULE_DEV] = {"dev", "", "/dev is a fresh tmpfs", rule_dev},
	[RULE_DEVICES] = {"devices", "5.18", "only the default devices, also in the cgroup",
			  rule_devices},
	[RULE_PATHS_MASKED] = {"paths.masked", "",
			       "kernel files that tell or do too much are masked",
			       rule_paths_masked},
	[RULE_PATHS_READONLY] = {"paths.readonly", "", "kernel settings are read-only",
				 rule_paths_readonly},
	[RULE_SYSCTL] = {"sysctl", "", "only namespaced sysctls on the list", rule_sysctl},
	[RULE_RLIMITS] = {"rlimits", "5.19", "no core files; open files and processes are capped",
			  rule_rlimits},
	[RULE_RESOURCES] = {"resources", "5.11, 5.29", "there is always a limit of processes",
			    rule_resources},
	[RULE_LSM] = {"lsm", "5.2, 5.3", "AppArmor or SELinux confines the container where the host has it",
		      rule_lsm},
	[RULE_EXEC] = {"exec", "5.23, 5.24", "a process that joins is held to the same rules",
		       NULL},
};
/* clang-format on */

static void record(struct judge *j, struct finding f)
{
	f.rule = policy_rules[j->rule].id;
	*vec_add(j->f->arena, j->f) = f;
}

bool found_default(struct judge *j, const char *place, const char *message, const char *before,
		   const char *after)
{
	static const enum finding_effect effects[] = {FINDING_TIGHTENED, FINDING_REFUSED,
						      FINDING_WARNED};

	if (j->action == POLICY_OFF)
		return false;
	record(j, (struct finding){.place = place,
				   .message = message,
				   .before = before,
				   .after = j->action == POLICY_ENFORCE ? after : NULL,
				   .effect = effects[j->action]});
	return j->action == POLICY_ENFORCE;
}

void found_request(struct judge *j, const char *place, const char *message, const char *value,
		   const char *hint)
{
	bool refuse = j->action == POLICY_ENFORCE || j->action == POLICY_DENY;

	if (j->action != POLICY_OFF)
		record(j, (struct finding){.place = place,
					   .message = message,
					   .before = value,
					   .hint = hint,
					   .effect = refuse ? FINDING_REFUSED : FINDING_WARNED});
}

int policy_refusals(const struct findings *f)
{
	int n = 0;

	for (size_t i = 0; i < f->n; i++)
		n += f->v[i].effect == FINDING_REFUSED;
	return n;
}

int policy_apply(const struct profile *p, struct spec *s, struct findings *f)
{
	for (int rule = 0; rule < RULE_COUNT; rule++) {
		struct judge j = {p, f, s->arena, (enum rule_id)rule, p->action[rule]};

		if (policy_rules[rule].apply && j.action != POLICY_OFF)
			policy_rules[rule].apply(&j, s);
	}
	return policy_refusals(f);
}

/* Whoever joins under another label, or with more categories, is not confined to
 * this container. */
static void judge_label(const struct profile *p, const struct spec *s,
			const struct spec_process *process, struct findings *f)
{
	struct judge j = {p, f, s->arena, RULE_LSM, p->action[RULE_LSM]};
	const char *own = s->process.selinux_label, *label = process->selinux_label;

	if (own && label && strcmp(own, label) != 0)
		found_request(&j, "process.selinuxLabel", "it is not the container's label", label,
			      "leave --process-label out");
}

/* The rules on a process look at nothing but the process and the container's
 * namespaces, so they run on a copy of the spec that has the new process. */
int policy_apply_exec(const struct profile *p, const struct spec *s, struct spec_process *process,
		      struct findings *f)
{
	static const enum rule_id rules[] = {RULE_USER_NONROOT, RULE_NO_NEW_PRIVILEGES,
					     RULE_CAPABILITIES, RULE_RLIMITS, RULE_LSM};
	enum policy_action exec = p->action[RULE_EXEC];
	struct spec copy = *s;

	if (exec == POLICY_OFF)
		return 0;
	judge_label(p, s, process, f);
	copy.process = *process;
	copy.has_process = true;
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		struct judge j = {p, f, s->arena, rules[i], p->action[rules[i]]};

		if (j.action == POLICY_OFF)
			continue;
		if (exec == POLICY_WARN || (exec == POLICY_DENY && j.action == POLICY_ENFORCE))
			j.action = exec;
		policy_rules[rules[i]].apply(&j, &copy);
	}
	*process = copy.process;
	return policy_refusals(f);
}

static bool same_refusal(const struct finding *a, const struct finding *b)
{
	return a->effect == FINDING_REFUSED && b->effect == FINDING_REFUSED &&
	       strcmp(a->rule, b->rule) == 0 && strcmp(a->message, b->message) == 0;
}

/* How many refusals behind the i-th are the same but for their place; -1 where it
 * is one of those itself. --privileged brings one for each device of the host. */
static int others(const struct findings *f, size_t i)
{
	int n = 0;

	for (size_t k = 0; k < f->n; k++) {
		if (k < i && same_refusal(&f->v[k], &f->v[i]))
			return -1;
		n += k > i && same_refusal(&f->v[k], &f->v[i]);
	}
	return n;
}

int policy_fail(const struct profile *p, const struct findings *f)
{
	_arena_ struct arena *a = arena_new();
	const char *text = "";

	for (size_t i = 0; i < f->n; i++) {
		const struct finding *x = &f->v[i];
		int more = x->effect == FINDING_REFUSED ? others(f, i) : -1;

		if (more < 0)
			continue;
		const char *value = x->before ? arena_printf(a, " (%s)", x->before) : "";
		const char *hint = x->hint ? arena_printf(a, "; hint: %s", x->hint) : "";
		const char *count = more ? arena_printf(a, " and %d more", more) : "";

		/* "permission denied" is what turns into the engines' exit status 126. */
		text = arena_printf(a,
				    "%s%s%s%s: refused by rule %s (profile %s): permission "
				    "denied: %s%s%s",
				    text, *text ? "\n" : "", x->place, count, x->rule, p->name,
				    x->message, value, hint);
	}
	return fail(0, "%s", text);
}
