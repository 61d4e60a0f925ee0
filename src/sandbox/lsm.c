/*
 * AppArmor and SELinux: the label of the next execve, written through the
 * host's procfs, which the container cannot have put there (CVE-2019-16884,
 * CVE-2025-52881), and read back.
 */
#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#include "internal.h"

static bool has_apparmor(void)
{
	char c = 'N';
	/* path: a file of the host's sysfs */
	_fd_ int fd = open("/sys/module/apparmor/parameters/enabled", O_RDONLY | O_CLOEXEC);

	return fd >= 0 && read(fd, &c, 1) == 1 && c == 'Y';
}

static bool has_selinux(void)
{
	struct statfs fs;
	/* path: a folder of the host's sysfs */
	_fd_ int fd = open("/sys/fs/selinux", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 && fstatfs(fd, &fs) == 0 && fs.f_type == SELINUX_MAGIC;
}

enum host_lsm lsm_host(void)
{
	return has_apparmor() ? LSM_APPARMOR : has_selinux() ? LSM_SELINUX : LSM_NONE;
}

/* Asked while create can still say it: the kernel would, at start. Without
 * securityfs there is nobody to ask. */
bool lsm_apparmor_loaded(struct arena *a, const char *profile, bool enforced)
{
	/* path: a file of the host's securityfs */
	char *list =
		file_read(a, AT_FDCWD, "/sys/kernel/security/apparmor/profiles", 4 << 20, NULL);
	const char *line = arena_printf(a, "\n%s (%s", profile, enforced ? "enforce)" : "");
	const char *kill = arena_printf(a, "\n%s (kill)", profile);

	error_clear();
	if (!list || strcmp(profile, "unconfined") == 0)
		return true;
	const char *text = arena_printf(a, "\n%s", list);
	return strstr(text, line) || strstr(text, kill);
}

static int check_loaded(const struct spec *s, const char *profile)
{
	if (lsm_apparmor_loaded(s->arena, profile, s->lsm_strict))
		return 0;
	fail(0, "process.apparmorProfile: \"%s\" is not loaded%s on this host", profile,
	     s->lsm_strict ? " and enforced" : "");
	return fail_hint("load it with apparmor_parser -r");
}

/* The loaded policy itself says whether it knows the label: what is written to
 * this file is checked and nothing else, see selinuxfs in the kernel. */
int lsm_check_label(const char *place, const char *label)
{
	/* path: a file of the host's selinuxfs */
	_fd_ int fd = open("/sys/fs/selinux/context", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return fail(errno, "%s: cannot ask SELinux", place);
	if (write(fd, label, strlen(label) + 1) >= 0)
		return 0;
	fail(errno, "%s: \"%s\" is no label of the loaded policy", place, label);
	return fail_hint("user:role:type:level, each of which the SELinux policy must have");
}

int lsm_check(const struct spec *s, const struct spec_process *p)
{
	const char *place = p->apparmor_profile ? "process.apparmorProfile"
			    : p->selinux_label	? "process.selinuxLabel"
			    : s->mount_label	? "linux.mountLabel"
						: NULL;

	if (!place)
		return 0;
	if (p->apparmor_profile && p->selinux_label)
		return fail(0, "process.selinuxLabel: an AppArmor profile is given, too");
	if (p->apparmor_profile && s->host_lsm == LSM_APPARMOR)
		return check_loaded(s, p->apparmor_profile);
	if (!p->apparmor_profile && s->host_lsm == LSM_SELINUX) {
		if (p->selinux_label &&
		    lsm_check_label("process.selinuxLabel", p->selinux_label) < 0)
			return -1;
		return s->mount_label ? lsm_check_label("linux.mountLabel", s->mount_label) : 0;
	}
	fail(0, "%s: this host has no %s", place, p->apparmor_profile ? "AppArmor" : "SELinux");
	return fail_hint("remove the label, or enable the security module");
}

const char *lsm_file_label(const struct launch *l)
{
	char label[4096];
	ssize_t n;

	if (!l->process->selinux_label)
		return NULL;
	if (l->spec->mount_label)
		return l->spec->mount_label;
	/* path: the host's name of the rootfs; only its label is asked for */
	n = getxattr(l->rootfs_path, "security.selinux", label, sizeof(label) - 1);
	label[n > 0 ? n : 0] = '\0';
	return n > 0 ? arena_strdup(l->spec->arena, label) : NULL;
}

int lsm_open(struct setup *s)
{
	const struct spec_process *p = s->process;

	s->attr = -1;
	if (!p->apparmor_profile && !p->selinux_label)
		return 0;
	/* path: the child's own files in the host's procfs; the first is newer and
	 * right where several modules are stacked */
	if (p->apparmor_profile)
		s->attr = openat(s->proc, "self/attr/apparmor/exec", O_RDWR | O_CLOEXEC);
	if (s->attr < 0)
		s->attr =
			openat(s->proc, "self/attr/exec", O_RDWR | O_CLOEXEC); /* path: the same */
	return s->attr < 0 ? fail(errno, "cannot open the label of the process") : 0;
}

int lsm_set(struct setup *s)
{
	const char *apparmor = s->process->apparmor_profile;
	const char *label = apparmor ? apparmor : s->process->selinux_label;
	const char *place = apparmor ? "process.apparmorProfile" : "process.selinuxLabel";
	char back[4096];

	if (s->attr < 0)
		return 0;
	/* security_setprocattr takes the NUL, which AppArmor does not. */
	char *text = apparmor ? arena_printf(s->spec->arena, "exec %s", label)
			      : arena_strdup(s->spec->arena, label);
	if (write(s->attr, text, strlen(text)) != (ssize_t)strlen(text)) {
		fail(errno, "%s: cannot set \"%s\"", place, label);
		return fail_hint(apparmor ? "load the profile with apparmor_parser"
					  : "the loaded SELinux policy must know the label");
	}
	ssize_t n = pread(s->attr, back, sizeof(back) - 1, 0);
	back[n > 0 ? n : 0] = '\0';
	size_t len = strlen(label);
	if (n < (ssize_t)len || strncmp(back, label, len) != 0 ||
	    (back[len] != '\0' && back[len] != ' ' && back[len] != '\n'))
		return fail(EPERM, "%s: \"%s\" was set, \"%s\" is there", place, label, back);
	return 0;
}
