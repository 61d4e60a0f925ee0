/*
 * The pseudoterminal: made in the container's own devpts, checked to be one,
 * its slave on descriptors 0 to 2, its master sent out.
 */
#include <errno.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <termios.h>

#include "internal.h"

/* An image or a racing container must not give us another file to talk to
 * (CVE-2025-52565, CVE-2016-9962). */
static int open_ptmx(struct setup *s)
{
	struct stat st;
	struct statfs fs;
	_fd_ int fd =
		rootfs_open(s->root, "/dev/pts/ptmx", O_RDWR | O_NONBLOCK, ROOTFS_NO_SYMLINKS);

	if (fd < 0 || fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0) {
		fail(errno, "process.terminal: cannot open /dev/pts/ptmx of the container");
		return fail_hint("a terminal needs a devpts mount at /dev/pts");
	}
	if (fs.f_type != DEVPTS_SUPER_MAGIC || st.st_rdev != makedev(5, 2))
		return fail(EPERM, "process.terminal: /dev/pts/ptmx is not a pseudoterminal");
	if (fcntl(fd, F_SETFL, O_RDWR) < 0)
		return fail(errno, "process.terminal");
	return fd_take(&fd);
}

/* /dev/console is the terminal, by a bind of the slave. */
static int bind_console(struct setup *s, int slave)
{
	_fd_ int tree = open_tree(slave, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	_fd_ int dest = rootfs_mkfile(s->root, "/dev/console", 0620);

	if (tree < 0 || dest < 0 || mount_attach(tree, dest) < 0)
		return fail(errno, "process.terminal: cannot bind /dev/console");
	return 0;
}

int console_open(struct setup *s)
{
	const struct spec_process *p = s->process;
	struct winsize size = {.ws_row = p->console_height, .ws_col = p->console_width};
	int unlock = 0;

	if (!p->terminal)
		return 0;
	_fd_ int master = open_ptmx(s);
	if (master < 0)
		return -1;
	if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
		return fail(errno, "process.terminal: cannot unlock the pseudoterminal");
	_fd_ int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return fail(errno, "process.terminal: cannot open the pseudoterminal's other end");
	if (size.ws_row && size.ws_col && ioctl(master, TIOCSWINSZ, &size) < 0)
		return fail(errno, "process.consoleSize");
	if (s->l->container_pidfd < 0 && bind_console(s, slave) < 0)
		return -1;
	if (fchown(slave, p->uid, (gid_t)-1) < 0 || fchmod(slave, 0620) < 0)
		return fail(errno, "process.terminal: cannot give the terminal to process.user");
	/* begin made this process the leader of a session. */
	if (ioctl(slave, TIOCSCTTY, 0) < 0)
		return fail(errno, "process.terminal: cannot make it the controlling terminal");
	for (int fd = 0; fd <= 2; fd++)
		if (dup2(slave, fd) < 0)
			return fail(errno, "process.terminal");
	return sync_send(s->sync, SYNC_CONSOLE, master);
}
