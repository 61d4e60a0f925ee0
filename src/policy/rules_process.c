/* Rules on the process: user, no_new_privs, capabilities, rlimits. The same
 * judgements serve the container's process and exec. */
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "internal.h"

#define BIT(cap) (UINT64_C(1) << (cap))

/* What Docker gives to every container (moby, pkg/oci/caps/defaults.go); Podman
 * and the CRI engines give a part of it. More than that has been asked for. */
static const uint64_t engine_caps = BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FSETID) |
				    BIT(CAP_FOWNER) | BIT(CAP_MKNOD) | BIT(CAP_NET_RAW) |
				    BIT(CAP_SETGID) | BIT(CAP_SETUID) | BIT(CAP_SETFCAP) |
				    BIT(CAP_SETPCAP) | BIT(CAP_NET_BIND_SERVICE) |
				    BIT(CAP_SYS_CHROOT) | BIT(CAP_KILL) | BIT(CAP_AUDIT_WRITE);

bool own_user_namespace(const struct spec *s)
{
	const struct spec_namespace *ns = spec_namespace(s, CLONE_NEWUSER);

	return ns && !ns->is_host;
}

static const char *number(const struct judge *j, uint64_t n)
{
	return n == RLIM_INFINITY ? "unlimited" : arena_printf(j->f->arena, "%" PRIu64, n);
}

void judge_user(const struct judge *j, const struct spec *s, struct spec_process *process)
{
	uint32_t uid = j->p->fallback.uid, gid = j->p->fallback.gid;
	size_t kept = 0;

	if (j->p->root_in_userns && own_user_namespace(s))
		return;
	if (process->uid == 0 && judge_default(j, "process.user.uid", "0", number(j, uid),
					       "the process would run as root"))
		process->uid = uid;
	/* NSA/CISA Kubernetes Hardening 1.6: root's group owns files, too. */
	if (process->gid == 0 && judge_default(j, "process.user.gid", "0", number(j, gid),
					       "the process would be in root's group"))
		process->gid = gid;
	for (size_t i = 0; i < process->additional_gids.n; i++)
		kept += process->additional_gids.v[i] != 0;
	if (kept == process->additional_gids.n ||
	    !judge_default(j, "process.user.additionalGids", "0", "left out",
			   "the process would be in root's group"))
		return;
	kept = 0;
	for (size_t i = 0; i < process->additional_gids.n; i++)
		if (process->additional_gids.v[i] != 0)
			process->additional_gids.v[kept++] = process->additional_gids.v[i];
	process->additional_gids.n = kept;
}

RULE(rule_user_nonroot)
{
	const struct judge j = {p, action, RULE_USER_NONROOT, f};

	if (s->has_process)
		judge_user(&j, s, &s->process);
}

void judge_no_new_privileges(const struct judge *j, struct spec_process *process)
{
	if (!process->no_new_privileges &&
	    judge_default(j, "process.noNewPrivileges", "false", "true",
			  "setuid programs could gain privileges"))
		process->no_new_privileges = true;
}

RULE(rule_no_new_privileges)
{
	const struct judge j = {p, action, RULE_NO_NEW_PRIVILEGES, f};

	if (s->has_process)
		judge_no_new_privileges(&j, &s->process);
}

static const char *caps_text(const struct judge *j, uint64_t set)
{
	const char *text = "";

	for (int i = 0; i < 64; i++) {
		const char *name = set & BIT(i) ? capability_name(i) : NULL;

		if (name)
			text = arena_printf(j->f->arena, "%s%s%s", text, *text ? ", " : "", name);
	}
	return *text ? text : "none";
}

void judge_capabilities(const struct judge *j, struct spec_process *process)
{
	struct spec_caps *c = &process->caps;
	const struct {
		const char *place;
		uint64_t *set;
	} sets[] = {
		{"process.capabilities.bounding", &c->bounding},
		{"process.capabilities.effective", &c->effective},
		{"process.capabilities.inheritable", &c->inheritable},
		{"process.capabilities.permitted", &c->permitted},
		{"process.capabilities.ambient", &c->ambient},
	};
	const char *asked_at = NULL;
	uint64_t all = 0, allow = j->p->capabilities, asked;

	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		all |= *sets[i].set;
		if (!asked_at && *sets[i].set & ~allow & ~engine_caps)
			asked_at = sets[i].place;
	}
	asked = all & ~allow & ~engine_caps;
	if (asked)
		judge_request(j, asked_at, caps_text(j, asked),
			      "remove --privileged or --cap-add, or add them to capabilities.allow "
			      "of the profile",
			      "%s: capabilities that the profile does not allow",
			      caps_text(j, asked));
	/* Absent sets would leave the process all that the runtime has. */
	if (c->present && (all & ~allow & engine_caps) == 0)
		return;
	if (!judge_default(j, "process.capabilities",
			   c->present ? caps_text(j, all & ~asked) : "not stated",
			   caps_text(j, all & allow), "the process would have capabilities"))
		return;
	c->present = true;
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		*sets[i].set &= allow;
}

RULE(rule_capabilities)
{
	const struct judge j = {p, action, RULE_CAPABILITIES, f};

	if (s->has_process)
		judge_capabilities(&j, &s->process);
}

static struct spec_rlimit *find_rlimit(struct spec_process *process, int resource)
{
	for (size_t i = 0; i < process->rlimits.n; i++)
		if (process->rlimits.v[i].resource == resource)
			return &process->rlimits.v[i];
	return NULL;
}

void judge_rlimits(const struct judge *j, struct arena *a, struct spec_process *process)
{
	const struct {
		const char *name;
		int resource;
		struct opt_u64 max;
		bool always; /* also where config.json does not state it */
	} limits[] = {
		{"RLIMIT_CORE", RLIMIT_CORE, j->p->rlimits.core, true},
		/* What is inherited stays: it is the engine's, and can be lower. */
		{"RLIMIT_NOFILE", RLIMIT_NOFILE, j->p->rlimits.nofile, false},
		{"RLIMIT_NPROC", RLIMIT_NPROC, j->p->rlimits.nproc, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct spec_rlimit *r = find_rlimit(process, limits[i].resource);
		uint64_t max = limits[i].max.v;

		if (!limits[i].max.set || (r && r->hard <= max && r->soft <= max) ||
		    (!r && !limits[i].always))
			continue;
		if (!judge_default(
			    j, arena_printf(j->f->arena, "process.rlimits (%s)", limits[i].name),
			    r ? number(j, r->hard) : "not stated", number(j, max),
			    "the limit is above the profile's"))
			continue;
		if (!r) {
			r = vec_add(a, &process->rlimits);
			*r = (struct spec_rlimit){limits[i].resource, limits[i].name, max, max};
		}
		r->soft = r->soft < max ? r->soft : max;
		r->hard = r->hard < max ? r->hard : max;
	}
}

RULE(rule_rlimits)
{
	const struct judge j = {p, action, RULE_RLIMITS, f};

	if (s->has_process)
		judge_rlimits(&j, s->arena, &s->process);
}
