/*
 * Descriptors: close-on-exec from birth, closed where their scope ends; whole
 * files read and written; descriptors passed over sockets. The names given to
 * these functions are the host's: what lies inside a rootfs is opened by
 * casemate/rootfs.h and nothing else.
 */
#ifndef CASEMATE_FD_H
#define CASEMATE_FD_H

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <unistd.h>

#include "casemate/mem.h"

static inline void cleanup_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
static inline void cleanup_dir(DIR **d)
{
	if (*d)
		closedir(*d);
}
#define _fd_  __attribute__((cleanup(cleanup_fd)))
#define _dir_ __attribute__((cleanup(cleanup_dir)))

/* Gives the descriptor away: returns *fd and sets it to -1, so that cleanup
 * leaves it open. */
static inline int fd_take(int *fd)
{
	int r = *fd;
	*fd = -1;
	return r;
}

/* Reads a whole regular file (or, where the kernel gives no size, until EOF)
 * into the arena, NUL-terminated. dirfd as for openat; more than max bytes is
 * an error. len may be NULL. Returns the text, or NULL with the error set. */
char *file_read(struct arena *a, int dirfd, const char *path, size_t max, size_t *len);
/* The same from an open descriptor, from where it stands. */
char *fd_read_all(struct arena *a, int fd, size_t max, size_t *len);

/* Writes data with one write(2), as the kernel's control files want it. The
 * file must exist (no O_CREAT). Returns 0 or -1 with the error set, errnum the
 * errno of the open or write. */
int file_write(int dirfd, const char *path, const char *data);

/* Makes or replaces dirfd/name by write to a temporary file beside it and
 * rename(2). Nothing but a whole file is ever seen. 0 or -1 with error. */
int file_replace(int dirfd, const char *name, const void *data, size_t len, mode_t mode);

/* Writes all of it, also over short writes and EINTR. 0 or -1 with errno. */
int fd_write_all(int fd, const void *data, size_t len);

/* The absolute name of what fd stands for, as /proc/self/fd tells it. In the arena;
 * NULL with the error set. */
char *fd_path(struct arena *a, int fd);

/* The names in the directory fd (O_PATH will do) without "." and "..", in order,
 * added to out. 0 or -1 with the error set. */
int fd_names(struct arena *a, int fd, struct strv *out);

/* Sends one message of len >= 1 bytes with one descriptor (fd >= 0) or none
 * (fd == -1) as SCM_RIGHTS and nothing else. 0 or -1 with errno. */
int fd_send(int sock, const void *data, size_t len, int fd);
/* Receives one message of at most len bytes and at most one descriptor into
 * *fd (-1 where none came; fd may be NULL: then one that comes is closed).
 * The bytes received, 0 at EOF, -1 with errno. */
ssize_t fd_recv(int sock, void *data, size_t len, int *fd);

#endif
