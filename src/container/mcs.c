/* SELinux categories: a pair of its own for each container of a state root, so
 * that one cannot read what is labelled for another. A pair is taken by a file
 * with its name and the container's id in it. */
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "casemate/error.h"
#include "casemate/fd.h"
#include "plan.h"

enum { CATEGORIES = 1024, TRIES = 4096 };

static const char *file_of(const struct container *c)
{
	return arena_printf(c->arena, ".casemate-mcs-%s", c->mcs);
}

static int pick(struct container *c)
{
	unsigned n[2];

	if (getrandom(n, sizeof(n), 0) != (ssize_t)sizeof(n))
		return fail(errno, "getrandom");
	/* Two different ones, the lower first, as the policy's tools write them. */
	unsigned a = n[0] % CATEGORIES, b = (a + 1 + n[1] % (CATEGORIES - 1)) % CATEGORIES;
	c->mcs = arena_printf(c->arena, "c%u,c%u", a < b ? a : b, a < b ? b : a);
	return 0;
}

int mcs_reserve(struct container *c)
{
	for (int i = 0; i < TRIES; i++) {
		/* In the state before it is taken: delete finds it whenever this ends. */
		if (pick(c) < 0 || container_save(c) < 0)
			return -1;
		_fd_ int fd = openat(c->root_fd, file_of(c),
				     O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0 && errno == EEXIST)
			continue;
		if (fd < 0 || fd_write_all(fd, c->id, strlen(c->id)) < 0)
			return fail(errno, "process.selinuxLabel: cannot take categories");
		return 0;
	}
	return fail(EAGAIN, "process.selinuxLabel: no pair of categories is free");
}

void mcs_release(const struct container *c)
{
	char *owner;

	if (!c->mcs || !*c->mcs)
		return;
	/* One that was tried and was another's stays that one's; an empty file is one
	 * whose maker died at it. */
	owner = file_read(c->arena, c->root_fd, file_of(c), 2048, NULL);
	if (owner && (!*owner || strcmp(owner, c->id) == 0))
		unlinkat(c->root_fd, file_of(c), 0);
	error_clear();
}

void mcs_label(struct spec *s, const char *mcs)
{
	if (!s->own_categories || !mcs || !*mcs)
		return;
	s->process.selinux_label = arena_printf(s->arena, "%s:%s", s->process.selinux_label, mcs);
	s->mount_label = arena_printf(s->arena, "%s:%s", s->mount_label, mcs);
}
