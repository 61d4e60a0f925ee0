/*
 * The last look before the program runs: what the kernel says of this process,
 * against what was to be set. Read through a descriptor of the host's procfs
 * that was opened before the container was entered.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static const char *line_of(const char *status, const char *key)
{
	size_t n = strlen(key);

	for (const char *p = status; p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (strncmp(p, key, n) == 0 && p[n] == ':')
			return p + n + 1;
	}
	return NULL;
}

static int expect(const char *status, const char *key, int base, uint64_t want)
{
	const char *line = line_of(status, key);

	if (!line)
		return fail(0, "verify: the kernel does not tell %s", key);
	uint64_t got = strtoull(line, NULL, base);
	if (got != want)
		return fail(0,
			    base == 16 ? "verify: %s is %" PRIx64 " and not %" PRIx64
				       : "verify: %s is %" PRIu64 " and not %" PRIu64,
			    key, got, want);
	return 0;
}

/* Uid and Gid: real, effective, saved and file system id. */
static int expect_ids(const char *status, const char *key, uint64_t want)
{
	const char *p = line_of(status, key);

	for (int i = 0; p && i < 4; i++) {
		char *end;

		if (strtoull(p, &end, 10) != want || end == p)
			return fail(0, "verify: %s is not %" PRIu64 " four times", key, want);
		p = end;
	}
	return p ? 0 : fail(0, "verify: the kernel does not tell %s", key);
}

/* The kernel sorts them. */
static int expect_groups(const char *status, const struct spec_process *p)
{
	const char *line = line_of(status, "Groups");
	size_t n = 0;

	for (char *end; line; line = end, n++) {
		uint64_t gid = strtoull(line, &end, 10);
		bool known = false;

		if (end == line || memchr(line, '\n', (size_t)(end - line)))
			break;
		for (size_t i = 0; i < p->additional_gids.n; i++)
			known = known || p->additional_gids.v[i] == gid;
		if (!known)
			return fail(0, "verify: group %" PRIu64 " is there and was not asked for",
				    gid);
	}
	return n == p->additional_gids.n ? 0
					 : fail(0, "verify: %zu groups are there and not %zu", n,
						(size_t)p->additional_gids.n);
}

int verify_open(struct setup *s)
{
	/* path: the process's own file in the host's procfs; opened in the user
	 * namespace whose ids it is to show */
	s->status = openat(s->proc, "self/status", O_RDONLY | O_CLOEXEC);
	return s->status < 0 ? fail(errno, "cannot open /proc/self/status") : 0;
}

int verify(struct setup *s, const struct spec_caps *caps)
{
	const struct spec_process *p = s->process;
	/* With no_new_privs the config's own comes after this. */
	bool filters = (s->l->fixed && s->l->fixed->n) ||
		       (!p->no_new_privileges && s->l->filter && s->l->filter->n);
	char status[8192], cwd[4096];
	ssize_t n = pread(s->status, status, sizeof(status) - 1, 0);

	if (n <= 0)
		return fail(errno, "verify: cannot read /proc/self/status");
	status[n] = '\0';
	if ((!s->no_setgroups && expect_groups(status, p) < 0) ||
	    expect_ids(status, "Uid", p->uid) < 0 || expect_ids(status, "Gid", p->gid) < 0 ||
	    expect(status, "CapInh", 16, caps->inheritable) < 0 ||
	    expect(status, "CapPrm", 16, caps->permitted) < 0 ||
	    expect(status, "CapEff", 16, caps->effective) < 0 ||
	    expect(status, "CapBnd", 16, caps->bounding) < 0 ||
	    expect(status, "CapAmb", 16, caps->ambient) < 0 ||
	    (p->no_new_privileges && expect(status, "NoNewPrivs", 10, 1) < 0) ||
	    (filters && expect(status, "Seccomp", 10, 2) < 0))
		return -1;
	/* A cwd outside of the root reads as "(unreachable)/…" (CVE-2024-21626). */
	if (syscall(SYS_getcwd, cwd, sizeof(cwd)) < 0 || cwd[0] != '/')
		return fail(EPERM, "verify: process.cwd %s is not inside the rootfs", p->cwd);
	return 0;
}
