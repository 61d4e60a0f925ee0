/*
 * Compiled filters, kept in the state root: compiling what Docker sends costs
 * more than everything else in a launch. A file is trusted no further than the
 * directory it is in, and only for exactly the input that it holds.
 */
#include <errno.h>
#include <inttypes.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "casemate/error.h"
#include "casemate/fd.h"
#include "casemate/seccomp.h"

#define PREFIX ".casemate-seccomp-"
enum { FORMAT = 1, KEEP = 64, MAX_FILE = 4 << 20 };

struct header {
	char magic[8];
	uint32_t format, insns, flags;
	uint32_t input_len;
	uint64_t checksum; /* of input and program */
};

struct bytes {
	struct arena *a;
	char *v;
	size_t n, cap;
};

static void put(struct bytes *b, const void *data, size_t len)
{
	if (b->n + len > b->cap) {
		size_t cap = (b->cap + len) * 2 + 4096;
		char *bigger = arena_alloc(b->a, cap);

		if (b->n)
			memcpy(bigger, b->v, b->n);
		b->v = bigger;
		b->cap = cap;
	}
	memcpy(b->v + b->n, data, len);
	b->n += len;
}

static void put_number(struct bytes *b, uint64_t v)
{
	put(b, &v, sizeof(v));
}

/* Everything that the program depends on, in one order, each list with its
 * length before it so that no two inputs have the same bytes. */
static struct bytes serialize(struct arena *a, const struct spec_seccomp *sc)
{
	struct bytes b = {.a = a};
	const struct scmp_version *v = seccomp_version();

	put_number(&b, FORMAT);
	put_number(&b, v ? ((uint64_t)v->major << 32 | (uint64_t)v->minor << 16 | v->micro) : 0);
	put_number(&b, seccomp_arch_native());
	put_number(&b, sc->default_action);
	put_number(&b, sc->flags);
	put_number(&b, sc->archs.n);
	for (size_t i = 0; i < sc->archs.n; i++)
		put_number(&b, sc->archs.v[i]);
	put_number(&b, sc->rules.n);
	for (size_t i = 0; i < sc->rules.n; i++) {
		const struct seccomp_rule *r = &sc->rules.v[i];

		put_number(&b, r->action);
		put_number(&b, r->names.n);
		for (size_t j = 0; j < r->names.n; j++)
			put(&b, r->names.v[j], strlen(r->names.v[j]) + 1);
		put_number(&b, r->args.n);
		for (size_t j = 0; j < r->args.n; j++) {
			put_number(&b, r->args.v[j].index);
			put_number(&b, (uint64_t)r->args.v[j].op);
			put_number(&b, r->args.v[j].value);
			put_number(&b, r->args.v[j].value_two);
		}
	}
	return b;
}

/* FNV-1a over words: it finds what a disk broke, not what somebody forged. */
static uint64_t checksum(uint64_t h, const void *data, size_t len)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 0x100000001b3ULL;
	return h;
}

static uint64_t sum_of(const struct bytes *in, const struct sock_filter *insns, size_t n)
{
	return checksum(checksum(0xcbf29ce484222325ULL, in->v, in->n), insns, n * sizeof(*insns));
}

/* Ours alone: what others may write could hold a filter that allows all. */
static bool is_private(int fd, mode_t type)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == type && st.st_uid == geteuid() &&
	       !(st.st_mode & 022) && (type == S_IFDIR || st.st_nlink == 1);
}

static bool load(struct arena *a, int dirfd, const char *name, const struct bytes *in,
		 struct seccomp_program *out)
{
	struct header h;
	size_t len;
	/* path: the state root is the runtime's own, which is_private sees to */
	_fd_ int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || !is_private(fd, S_IFREG))
		return false;
	char *text = fd_read_all(a, fd, MAX_FILE, &len);
	if (!text || len < sizeof(h))
		return false;
	memcpy(&h, text, sizeof(h));
	if (memcmp(h.magic, "casemate", sizeof(h.magic)) != 0 || h.format != FORMAT ||
	    h.insns == 0 || h.insns > BPF_MAXINSNS || h.input_len != in->n ||
	    len != sizeof(h) + in->n + h.insns * sizeof(struct sock_filter) ||
	    memcmp(text + sizeof(h), in->v, in->n) != 0)
		return false;
	struct sock_filter *insns = arena_array(a, h.insns, sizeof(*insns));
	memcpy(insns, text + sizeof(h) + in->n, h.insns * sizeof(*insns));
	if (sum_of(in, insns, h.insns) != h.checksum)
		return false;
	*out = (struct seccomp_program){insns, (unsigned short)h.insns, h.flags};
	return true;
}

/* An engine with a profile for each container must not fill the disk: beyond
 * KEEP files the oldest goes. */
static void make_room(int dirfd)
{
	int again = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* path: dirfd itself */
	_dir_ DIR *d = again < 0 ? NULL : fdopendir(again);
	char oldest[NAME_MAX + 1] = "";
	struct timespec when = {0};
	struct dirent *e;
	size_t n = 0;

	while (d && (e = readdir(d))) {
		struct stat st;

		if (strncmp(e->d_name, PREFIX, strlen(PREFIX)) != 0 ||
		    fstatat(dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) /* path: its entry */
			continue;
		if (n++ == 0 || st.st_mtim.tv_sec < when.tv_sec ||
		    (st.st_mtim.tv_sec == when.tv_sec && st.st_mtim.tv_nsec < when.tv_nsec)) {
			when = st.st_mtim;
			snprintf(oldest, sizeof(oldest), "%s", e->d_name);
		}
	}
	if (n >= KEEP)
		unlinkat(dirfd, oldest, 0); /* path: its entry */
}

static void store(struct arena *a, int dirfd, const char *name, const struct bytes *in,
		  const struct seccomp_program *p)
{
	struct header h = {.magic = "casemat",
			   .format = FORMAT,
			   .insns = p->n,
			   .flags = p->flags,
			   .input_len = (uint32_t)in->n,
			   .checksum = sum_of(in, p->insns, p->n)};
	struct bytes file = {.a = a};

	h.magic[7] = 'e';
	put(&file, &h, sizeof(h));
	put(&file, in->v, in->n);
	put(&file, p->insns, p->n * sizeof(*p->insns));
	make_room(dirfd);
	/* A cache that cannot be written costs time and nothing else. */
	(void)file_replace(dirfd, name, file.v, file.n, 0600);
}

int seccomp_lookup(struct arena *a, int dirfd, const struct spec_seccomp *sc,
		   struct seccomp_program *out, bool *hit)
{
	struct bytes in = serialize(a, sc);
	bool usable = is_private(dirfd, S_IFDIR);
	char name[64];

	snprintf(name, sizeof(name), PREFIX "%016" PRIx64,
		 checksum(0xcbf29ce484222325ULL, in.v, in.n));
	bool found = usable && load(a, dirfd, name, &in, out);
	if (hit)
		*hit = found;
	if (found)
		return 0;
	if (seccomp_compile(a, sc, out) < 0)
		return -1;
	if (usable)
		store(a, dirfd, name, &in, out);
	return 0;
}
