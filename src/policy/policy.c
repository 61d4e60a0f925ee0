/* The rule table, and the three ways in: create, exec, update. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

const char *const policy_action_names[4] = {"enforce", "deny", "warn", "off"};
const char *const finding_effect_names[4] = {"tightened", "refused", "warned", "ignored"};

const struct rule policy_rules[RULE_COUNT] = {
	[RULE_ANNOTATIONS] = {"annotations", "",
			      "annotations that other runtimes act on have no effect",
			      rule_annotations},
	[RULE_HOOKS] = {"hooks", "", "a hook is root's file, and nobody else can change it",
			rule_hooks},
	[RULE_NAMESPACES] = {"namespaces", "5.10, 5.16, 5.17, 5.21",
			     "pid, mount, ipc, uts, network and cgroup namespaces are private",
			     rule_namespaces},
	[RULE_USER_NAMESPACE] = {"user.namespace", "5.31",
				 "the host's user namespace is not joined, its root not mapped",
				 rule_user_namespace},
	[RULE_USER_NONROOT] = {"user.nonroot", "5.24",
			       "uid 0 and gid 0 become the profile's fallback user",
			       rule_user_nonroot},
	[RULE_NO_NEW_PRIVILEGES] = {"process.no_new_privileges", "5.26", "no_new_privs is set",
				    rule_no_new_privileges},
	[RULE_CAPABILITIES] = {"capabilities", "5.4, 5.5",
			       "all five sets are cleared but for the profile's",
			       rule_capabilities},
	[RULE_SECCOMP] = {"seccomp", "5.22",
			  "there is a filter that denies by default, and a fixed one over it",
			  rule_seccomp},
	[RULE_ROOTFS_READONLY] = {"rootfs.readonly", "5.13",
				  "the root filesystem is read-only, /tmp and the like in memory",
				  rule_rootfs_readonly},
	[RULE_ROOTFS_NOSUID] = {"rootfs.nosuid", "5.26",
				"setuid bits and device nodes of the image are void",
				rule_rootfs_nosuid},
	[RULE_MOUNTS_SOURCE] = {"mounts.source", "5.6, 5.32",
				"no sensitive host path, socket or device is mounted",
				rule_mounts_source},
	[RULE_MOUNTS_FLAGS] = {"mounts.flags", "5.6",
			       "mounts are nosuid and nodev, read-only ones all the way down",
			       rule_mounts_flags},
	[RULE_MOUNTS_PROPAGATION] = {"mounts.propagation", "5.20",
				     "no mount reaches the host or comes from it",
				     rule_mounts_propagation},
	[RULE_DEV] = {"dev", "5.18", "/dev is a fresh tmpfs", rule_dev},
	[RULE_DEVICES] = {"devices", "5.5, 5.18", "only the harmless devices are there",
			  rule_devices},
	[RULE_PATHS_MASKED] = {"paths.masked", "5.5",
			       "files of /proc and /sys that leak or control the host are masked",
			       rule_paths_masked},
	[RULE_PATHS_READONLY] = {"paths.readonly", "5.5",
				 "files of /proc that control the host are read-only",
				 rule_paths_readonly},
	[RULE_SYSCTL] = {"sysctl", "", "only namespaced sysctls of the profile's list are set",
			 rule_sysctl},
	[RULE_RLIMITS] = {"rlimits", "5.19", "no core dumps; nofile and nproc are capped",
			  rule_rlimits},
	[RULE_RESOURCES] = {"resources", "5.11, 5.29",
			    "there is a limit to the number of processes", rule_resources},
	/* Not for config.json: policy_apply_exec. */
	[RULE_EXEC] = {"exec", "5.23, 5.24", "exec is held to the same rules as the container",
		       NULL},
};

/* --- findings ---------------------------------------------------------- */

static struct finding *record(const struct judge *j, enum finding_effect effect, const char *place,
			      const char *fmt, va_list ap)
{
	struct finding *x = vec_add(j->f->arena, j->f);
	char message[2048];

	vsnprintf(message, sizeof(message), fmt, ap);
	x->rule = policy_rules[j->rule].id;
	x->place = place;
	x->message = arena_strdup(j->f->arena, message);
	x->effect = effect;
	return x;
}

bool judge_default(const struct judge *j, const char *place, const char *before, const char *after,
		   const char *fmt, ...)
{
	static const enum finding_effect effects[] = {
		[POLICY_ENFORCE] = FINDING_TIGHTENED,
		[POLICY_DENY] = FINDING_REFUSED,
		[POLICY_WARN] = FINDING_WARNED,
	};
	struct finding *x;
	va_list ap;

	va_start(ap, fmt);
	x = record(j, effects[j->action], place, fmt, ap);
	va_end(ap);
	x->before = before;
	if (x->effect == FINDING_TIGHTENED)
		x->after = after;
	if (x->effect == FINDING_REFUSED)
		x->hint = arena_printf(
			j->f->arena, "state it in config.json (%s), or set rule %s to \"enforce\"",
			after, x->rule);
	return x->effect == FINDING_TIGHTENED;
}

void judge_request(const struct judge *j, const char *place, const char *before, const char *hint,
		   const char *fmt, ...)
{
	struct finding *x;
	va_list ap;

	va_start(ap, fmt);
	x = record(j, guards(j->action) ? FINDING_REFUSED : FINDING_WARNED, place, fmt, ap);
	va_end(ap);
	x->before = before;
	x->hint = hint;
}

void judge_note(const struct judge *j, enum finding_effect effect, const char *place,
		const char *after, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	record(j, effect, place, fmt, ap)->after = after;
	va_end(ap);
}

/* --- paths and lists --------------------------------------------------- */

const char *path_clean(struct arena *a, const char *path)
{
	char *out = arena_alloc(a, strlen(path) + 2), *end = out;

	for (const char *p = path; *p;) {
		size_t n = strcspn(p, "/");

		if (n > 0 && !(n == 1 && *p == '.')) {
			*end++ = '/';
			end = mempcpy(end, p, n);
		}
		p += n + (p[n] == '/');
	}
	if (end == out)
		*end = '/';
	return out;
}

bool path_within(const char *path, const char *dir)
{
	size_t n = strcmp(dir, "/") == 0 ? 0 : strlen(dir);

	return strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

bool list_matches(const struct strv *list, const char *item)
{
	for (size_t i = 0; i < list->n; i++) {
		const char *entry = list->v[i];
		size_t n = strlen(entry);

		if (n > 0 && entry[n - 1] == '*' ? strncmp(entry, item, n - 1) == 0
						 : strcmp(entry, item) == 0)
			return true;
	}
	return false;
}

const char *list_text(struct arena *a, const struct strv *list)
{
	const char *text = "";

	for (size_t i = 0; i < list->n; i++)
		text = arena_printf(a, "%s%s%s", text, i ? ", " : "", list->v[i]);
	return text;
}

/* --- the ways in ------------------------------------------------------- */

static int refusals(const struct findings *f, size_t from)
{
	int n = 0;

	for (size_t i = from; i < f->n; i++)
		n += f->v[i].effect == FINDING_REFUSED;
	return n;
}

int policy_apply(const struct profile *p, struct spec *s, struct findings *f)
{
	size_t from = f->n;

	for (size_t i = 0; i < RULE_COUNT; i++)
		if (policy_rules[i].apply && p->action[i] != POLICY_OFF)
			policy_rules[i].apply(p, p->action[i], s, f);
	return refusals(f, from);
}

/* The rule's own action, as far as the one of rule exec reaches. */
static enum policy_action within_exec(enum policy_action exec, enum policy_action own)
{
	if (exec == POLICY_ENFORCE || own == POLICY_OFF || own == POLICY_WARN)
		return own;
	return exec;
}

int policy_apply_exec(const struct profile *p, const struct spec *s, struct spec_process *process,
		      struct findings *f)
{
	static const enum rule_id rules[] = {RULE_USER_NONROOT, RULE_NO_NEW_PRIVILEGES,
					     RULE_CAPABILITIES, RULE_RLIMITS};
	size_t from = f->n;

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		const struct judge j = {p, within_exec(p->action[RULE_EXEC], p->action[rules[i]]),
					rules[i], f};

		if (j.action == POLICY_OFF)
			continue;
		if (rules[i] == RULE_USER_NONROOT)
			judge_user(&j, s, process);
		else if (rules[i] == RULE_NO_NEW_PRIVILEGES)
			judge_no_new_privileges(&j, process);
		else if (rules[i] == RULE_CAPABILITIES)
			judge_capabilities(&j, process);
		else
			judge_rlimits(&j, s->arena, process);
	}
	return refusals(f, from);
}

int policy_apply_update(const struct profile *p, struct spec_resources *r, struct findings *f)
{
	const struct judge devices = {p, p->action[RULE_DEVICES], RULE_DEVICES, f};
	const struct judge limits = {p, p->action[RULE_RESOURCES], RULE_RESOURCES, f};
	size_t from = f->n;

	if (devices.action != POLICY_OFF && r->devices.n > 0)
		judge_device_rules(&devices, NULL, r, f->arena, "devices");
	if (limits.action != POLICY_OFF)
		judge_resources(&limits, r, true, "");
	return refusals(f, from);
}

int policy_fail(const struct profile *p, const struct findings *f)
{
	const char *text = "";

	for (size_t i = 0; i < f->n; i++) {
		const struct finding *x = &f->v[i];

		if (x->effect != FINDING_REFUSED)
			continue;
		text = arena_printf(
			f->arena,
			"%s%s%s: refused by rule %s (profile %s): permission denied: %s%s%s", text,
			*text ? "\n" : "", x->place, x->rule, p->name, x->message,
			x->hint ? "; hint: " : "", x->hint ? x->hint : "");
	}
	return fail(0, "%s", text);
}
