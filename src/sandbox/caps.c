/* Capabilities: capset(2) and prctl(2); see capabilities(7). */
#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>

#include "casemate/log.h"
#include "internal.h"

static int get(struct __user_cap_data_struct data[2])
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};

	return syscall(SYS_capget, &head, data) < 0 ? fail(errno, "capget") : 0;
}

/* runtime-spec: what cannot be granted is warned about and left out. */
struct spec_caps caps_grantable(const struct spec_caps *want)
{
	struct __user_cap_data_struct data[2] = {0};
	struct spec_caps c = *want;
	uint64_t have = 0;

	if (get(data) == 0)
		have = data[0].permitted | (uint64_t)data[1].permitted << 32;
	c.bounding &= have;
	c.permitted &= have;
	c.effective &= c.permitted;
	/* capset(2): what is inheritable must be in the bounding set. */
	c.inheritable &= have & c.bounding;
	c.ambient &= c.permitted & c.inheritable;
	if (c.bounding != want->bounding || c.permitted != want->permitted ||
	    c.effective != want->effective || c.inheritable != want->inheritable ||
	    c.ambient != want->ambient)
		log_warn("process.capabilities: some cannot be granted by this runtime's own");
	return c;
}

int caps_drop_bounding(struct setup *s, uint64_t keep)
{
	(void)s;
	for (int cap = 0; cap <= 63; cap++) {
		if (keep & 1ULL << cap)
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
			continue;
		/* Past the last one that the kernel knows. */
		if (errno == EINVAL)
			return 0;
		return fail(errno, "process.capabilities.bounding: cannot drop capability %d", cap);
	}
	return 0;
}

int caps_raise(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	if (get(data) < 0)
		return -1;
	for (int i = 0; i < 2; i++)
		data[i].effective = data[i].permitted;
	return syscall(SYS_capset, &head, data) < 0 ? fail(errno, "capset") : 0;
}

int caps_set(const struct spec_caps *c)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {
		{(uint32_t)c->effective, (uint32_t)c->permitted, (uint32_t)c->inheritable},
		{(uint32_t)(c->effective >> 32), (uint32_t)(c->permitted >> 32),
		 (uint32_t)(c->inheritable >> 32)},
	};

	if (syscall(SYS_capset, &head, data) < 0)
		return fail(errno, "process.capabilities: capset");
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return fail(errno, "process.capabilities.ambient");
	for (int cap = 0; cap <= 63; cap++)
		if (c->ambient & 1ULL << cap &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
			return fail(errno, "process.capabilities.ambient: capability %d", cap);
	return 0;
}
