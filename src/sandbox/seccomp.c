/* The config's filter: compiled by libseccomp, loaded by seccomp(2). */
#include "casemate/seccomp.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "casemate/error.h"
#include "casemate/fd.h"

static void release(scmp_filter_ctx *ctx)
{
	if (*ctx)
		seccomp_release(*ctx);
}

static bool is_errno(uint32_t action)
{
	return (action & 0xffff0000U) == SCMP_ACT_ERRNO(0);
}

static int add_archs(scmp_filter_ctx ctx, const struct spec_seccomp *sc)
{
	for (size_t i = 0; i < sc->archs.n; i++) {
		int r = seccomp_arch_add(ctx, sc->archs.v[i]);

		/* The native one is there from the start. */
		if (r < 0 && r != -EEXIST)
			return fail(-r, "linux.seccomp.architectures[%zu]", i);
	}
	return 0;
}

/* Several conditions on one argument mean "any of them", as runc has it:
 * libseccomp would take only one, so each becomes a rule of its own. */
static bool repeats_argument(const struct seccomp_rule *rule)
{
	unsigned seen = 0;

	for (size_t i = 0; i < rule->args.n; i++) {
		if (seen & 1U << rule->args.v[i].index)
			return true;
		seen |= 1U << rule->args.v[i].index;
	}
	return false;
}

static int add_rule(scmp_filter_ctx ctx, const struct seccomp_rule *rule, int nr)
{
	struct scmp_arg_cmp args[6];
	size_t n = rule->args.n;
	bool apart = repeats_argument(rule);

	if (!apart && n > ARRAY_SIZE(args))
		return fail(EINVAL, "%s.args: more than 6", rule->place);
	for (size_t i = 0; i < n; i++) {
		const struct seccomp_arg *a = &rule->args.v[i];
		struct scmp_arg_cmp cmp = {a->index, (enum scmp_compare)a->op, a->value,
					   a->value_two};
		int r;

		if (!apart) {
			args[i] = cmp;
			continue;
		}
		r = seccomp_rule_add_array(ctx, rule->action, nr, 1, &cmp);
		if (r < 0 && r != -EEXIST)
			return fail(-r, "%s", rule->place);
	}
	if (apart)
		return 0;
	int r = seccomp_rule_add_array(ctx, rule->action, nr, (unsigned)n, args);
	return r < 0 && r != -EEXIST ? fail(-r, "%s", rule->place) : 0;
}

/* The kernel's order of actions, the strictest lowest (seccomp(2)). */
static int32_t rank(uint32_t action)
{
	return (int32_t)(action & SECCOMP_RET_ACTION_FULL);
}

/* libseccomp keeps the first of two rules that contradict each other, and Podman's
 * default profile allows calls that it denies further on. The stricter one holds,
 * as it would between two filters. */
static bool is_overruled(const struct spec_seccomp *sc, size_t i, const char *name)
{
	const struct seccomp_rule *rule = &sc->rules.v[i];

	for (size_t k = 0; rule->args.n == 0 && k < sc->rules.n; k++) {
		const struct seccomp_rule *other = &sc->rules.v[k];

		if (k != i && other->args.n == 0 && strv_has(&other->names, name) &&
		    (rank(other->action) < rank(rule->action) ||
		     (k < i && rank(other->action) == rank(rule->action))))
			return true;
	}
	return false;
}

static int add_rules(scmp_filter_ctx ctx, const struct spec_seccomp *sc)
{
	for (size_t i = 0; i < sc->rules.n; i++) {
		const struct seccomp_rule *rule = &sc->rules.v[i];

		/* What the default does anyway is no rule to libseccomp. */
		if (rule->action == sc->default_action)
			continue;
		for (size_t j = 0; j < rule->names.n; j++) {
			int nr = seccomp_syscall_resolve_name(rule->names.v[j]);

			if (nr != __NR_SCMP_ERROR && !is_overruled(sc, i, rule->names.v[j]) &&
			    add_rule(ctx, rule, nr) < 0)
				return -1;
		}
	}
	return 0;
}

/* The newest system call of an architecture that libseccomp has a name for. */
static int newest(uint32_t arch)
{
	for (int nr = 1023; nr >= 0; nr--) {
		_free_ char *name = seccomp_syscall_resolve_num_arch(arch, nr);

		if (name)
			return nr;
	}
	return -1;
}

/* A profile cannot name what is newer than itself; programs probe for such
 * calls and take ENOSYS for "use the old one", but EPERM for the end. */
static size_t newer_prefix(const struct spec_seccomp *sc, struct sock_filter *out)
{
	size_t n = 0;

	if (!is_errno(sc->default_action))
		return 0;
	out[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						offsetof(struct seccomp_data, arch));
	for (size_t i = 0; i <= sc->archs.n && i < 16; i++) {
		uint32_t arch = i < sc->archs.n ? sc->archs.v[i] : SCMP_ARCH_NATIVE;
		uint32_t token = arch == SCMP_ARCH_NATIVE ? seccomp_arch_native() : arch;
		int max = newest(arch);

		/* x32 shares its token with x86_64 and is the filter's own business. */
		if (max < 0 || token == SCMP_ARCH_X32)
			continue;
		out[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, token, 0, 5);
		out[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
							offsetof(struct seccomp_data, nr));
		out[n++] =
			(struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 2, 0);
		out[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (uint32_t)max, 0,
							1);
		out[n++] =
			(struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
		out[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
							offsetof(struct seccomp_data, arch));
	}
	return n;
}

static int export(struct arena *a, scmp_filter_ctx ctx, const struct spec_seccomp *sc,
		  struct seccomp_program *out)
{
	enum { PREFIX_MAX = 1 + 17 * 6 };
	_fd_ int fd = memfd_create("seccomp", MFD_CLOEXEC);
	size_t len = 0;

	if (fd < 0)
		return fail(errno, "memfd_create");
	int r = seccomp_export_bpf(ctx, fd);
	if (r < 0)
		return fail(-r, "linux.seccomp: cannot compile the filter");
	if (lseek(fd, 0, SEEK_SET) < 0)
		return fail(errno, "linux.seccomp");
	char *text = fd_read_all(a, fd, BPF_MAXINSNS * sizeof(struct sock_filter), &len);
	if (!text || len == 0 || len % sizeof(struct sock_filter))
		return fail(EINVAL, "linux.seccomp: the compiled filter cannot be read");
	out->insns = arena_array(a, PREFIX_MAX + len / sizeof(*out->insns), sizeof(*out->insns));
	size_t n = newer_prefix(sc, out->insns);
	memcpy(out->insns + n, text, len);
	n += len / sizeof(*out->insns);
	if (n > BPF_MAXINSNS)
		return fail(E2BIG, "linux.seccomp: the filter has %zu instructions", n);
	out->n = (unsigned short)n;
	out->flags = sc->flags;
	return 0;
}

int seccomp_compile(struct arena *a, const struct spec_seccomp *sc, struct seccomp_program *out)
{
	__attribute__((cleanup(release))) scmp_filter_ctx ctx = seccomp_init(sc->default_action);

	*out = (struct seccomp_program){0};
	if (!ctx)
		return fail(EINVAL, "linux.seccomp.defaultAction");
	/* An architecture that the config does not name gets the default action of
	 * libseccomp, kill; a config that names none means the native one. */
	if (seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, 0) < 0)
		return fail(EINVAL, "linux.seccomp");
	if (add_archs(ctx, sc) < 0 || add_rules(ctx, sc) < 0)
		return -1;
	return export(a, ctx, sc, out);
}

int seccomp_install(const struct seccomp_program *p)
{
	struct sock_fprog prog = {.len = p->n, .filter = p->insns};

	if (p->n == 0)
		return 0;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, p->flags, &prog) < 0)
		return fail(errno, "linux.seccomp: cannot load the filter");
	return 0;
}
