/* The rules on the process: user, privileges, capabilities, limits. */
#include <linux/capability.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>

#include "judge.h"

void rule_user_nonroot(struct judge *j, struct spec *s)
{
	struct spec_process *p = &s->process;
	const struct spec_namespace *user = spec_namespace(s, CLONE_NEWUSER);
	/* One that is joined may map the host's root; a new one's maps are judged. */
	bool own = user && !user->path;
	const char *gid = arena_printf(j->a, "%u", j->p->fallback.gid);
	size_t n = 0;

	if (!s->has_process || (j->p->root_in_userns && own))
		return;
	if (p->uid == 0 && found_default(j, "process.user.uid", "the container would run as root",
					 "0", arena_printf(j->a, "%u", j->p->fallback.uid)))
		p->uid = j->p->fallback.uid;
	if (p->gid == 0 &&
	    found_default(j, "process.user.gid", "the group would be root", "0", gid))
		p->gid = j->p->fallback.gid;
	for (size_t i = 0; i < p->additional_gids.n; i++) {
		const char *place = arena_printf(j->a, "process.user.additionalGids[%zu]", i);

		if (p->additional_gids.v[i] == 0 &&
		    found_default(j, place, "root's group is among the groups", "0", "removed"))
			continue;
		p->additional_gids.v[n++] = p->additional_gids.v[i];
	}
	p->additional_gids.n = n;
}

void rule_no_new_privileges(struct judge *j, struct spec *s)
{
	if (s->has_process && !s->process.no_new_privileges &&
	    found_default(j, "process.noNewPrivileges",
			  "an execve could give privileges (setuid, file capabilities)", "false",
			  "true"))
		s->process.no_new_privileges = true;
}

uint64_t default_capabilities(void)
{
	static const int caps[] = {
		CAP_CHOWN,   CAP_DAC_OVERRIDE, CAP_FSETID,	     CAP_FOWNER,
		CAP_MKNOD,   CAP_NET_RAW,      CAP_SETGID,	     CAP_SETUID,
		CAP_SETFCAP, CAP_SETPCAP,      CAP_NET_BIND_SERVICE, CAP_SYS_CHROOT,
		CAP_KILL,    CAP_AUDIT_WRITE};
	uint64_t set = 0;

	for (size_t i = 0; i < ARRAY_SIZE(caps); i++)
		set |= 1ULL << caps[i];
	return set;
}

const char *capability_list(struct arena *a, uint64_t set)
{
	const char *text = "";

	for (int i = 0; i < 64; i++)
		if (set & 1ULL << i && capability_name(i))
			text = arena_printf(a, "%s%s%s", text, *text ? " " : "",
					    capability_name(i));
	return *text ? text : "none";
}

void rule_capabilities(struct judge *j, struct spec *s)
{
	struct spec_caps *c = &s->process.caps;
	uint64_t allow = j->p->capabilities, usual = default_capabilities();
	uint64_t all = c->bounding | c->effective | c->inheritable | c->permitted | c->ambient;
	uint64_t extra = all & ~allow & ~usual;

	if (!s->has_process)
		return;
	if (extra)
		found_request(j, "process.capabilities",
			      "these capabilities are not among any engine's defaults",
			      capability_list(j->a, extra),
			      "remove --cap-add or --privileged, or list them in the profile's "
			      "capabilities.allow");
	if (all & ~allow & usual &&
	    found_default(j, "process.capabilities", "the engine's default capabilities are given",
			  capability_list(j->a, all & usual), capability_list(j->a, all & allow))) {
		c->bounding &= allow;
		c->effective &= allow;
		c->inheritable &= allow;
		c->permitted &= allow;
		c->ambient &= allow;
	}
}

static void judge_apparmor(struct judge *j, struct spec *s)
{
	struct spec_process *p = &s->process;

	s->lsm_strict = j->action == POLICY_ENFORCE || j->action == POLICY_DENY;
	if (p->apparmor_profile && strcmp(p->apparmor_profile, "unconfined") == 0)
		found_request(
			j, "process.apparmorProfile", "AppArmor would not confine the container",
			"unconfined",
			"remove --security-opt apparmor=unconfined, or name a loaded profile");
	if (!p->apparmor_profile && !p->selinux_label && j->p->apparmor &&
	    found_default(j, "process.apparmorProfile", "AppArmor does not confine the container",
			  "none", j->p->apparmor))
		p->apparmor_profile = j->p->apparmor;
}

/* Is the type, the third part of the label, one of those of the reference policy
 * that SELinux does not confine? */
static bool is_unconfined(const char *label)
{
	static const char *const types[] = {
		"unconfined_t", "unconfined_service_t", "spc_t", "kernel_t", "init_t", "initrc_t"};
	const char *type = strchr(label, ':');

	type = type ? strchr(type + 1, ':') : NULL;
	if (!type)
		return false;
	size_t n = strcspn(++type, ":");
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strlen(types[i]) == n && strncmp(types[i], type, n) == 0)
			return true;
	return false;
}

static void judge_selinux(struct judge *j, struct spec *s)
{
	struct spec_process *p = &s->process;

	if (p->selinux_label && is_unconfined(p->selinux_label))
		found_request(j, "process.selinuxLabel", "SELinux would not confine the container",
			      p->selinux_label,
			      "remove --security-opt label=disable or the label's type");
	if (p->selinux_label || p->apparmor_profile || !j->p->selinux_process ||
	    !found_default(j, "process.selinuxLabel", "SELinux does not confine the container",
			   "none", j->p->selinux_process))
		return;
	p->selinux_label = j->p->selinux_process;
	s->own_categories = !s->mount_label;
	s->mount_label = s->mount_label ? s->mount_label : j->p->selinux_mount;
}

/* A label for a module that this host has not is an error (lsm_check), unless the
 * profile says that it is not needed. */
static void leave_out(struct judge *j, const char *place, const char **label)
{
	if (*label && j->p->lsm_ignore_missing &&
	    found_default(j, place, "this host has no such security module", *label, "left out"))
		*label = NULL;
}

void rule_lsm(struct judge *j, struct spec *s)
{
	if (s->host_lsm != LSM_APPARMOR)
		leave_out(j, "process.apparmorProfile", &s->process.apparmor_profile);
	if (s->host_lsm != LSM_SELINUX) {
		leave_out(j, "process.selinuxLabel", &s->process.selinux_label);
		leave_out(j, "linux.mountLabel", &s->mount_label);
	}
	if (s->has_process && s->host_lsm == LSM_APPARMOR)
		judge_apparmor(j, s);
	if (s->has_process && s->host_lsm == LSM_SELINUX)
		judge_selinux(j, s);
}

static struct spec_rlimit *find_limit(struct spec_process *p, int resource)
{
	for (size_t i = 0; i < p->rlimits.n; i++)
		if (p->rlimits.v[i].resource == resource)
			return &p->rlimits.v[i];
	return NULL;
}

static void cap_limit(struct judge *j, struct spec_process *p, int resource, const char *name,
		      const struct opt_u64 *max, bool add)
{
	struct spec_rlimit *r = find_limit(p, resource);
	const char *place = arena_printf(j->a, "process.rlimits (%s)", name);
	const char *before =
		r ? arena_printf(j->a, "%llu", (unsigned long long)r->hard) : "inherited";

	if (!max->set || (!r && !add) || (r && r->hard <= max->v))
		return;
	if (!found_default(j, place, "the limit is above the profile's", before,
			   arena_printf(j->a, "%llu", (unsigned long long)max->v)))
		return;
	if (!r) {
		r = vec_add(j->a, &p->rlimits);
		*r = (struct spec_rlimit){resource, name, max->v, max->v};
	}
	r->hard = max->v;
	r->soft = r->soft < max->v ? r->soft : max->v;
}

void rule_rlimits(struct judge *j, struct spec *s)
{
	if (!s->has_process)
		return;
	cap_limit(j, &s->process, RLIMIT_CORE, "RLIMIT_CORE", &j->p->rlimits.core, true);
	cap_limit(j, &s->process, RLIMIT_NOFILE, "RLIMIT_NOFILE", &j->p->rlimits.nofile, false);
	cap_limit(j, &s->process, RLIMIT_NPROC, "RLIMIT_NPROC", &j->p->rlimits.nproc, false);
}
