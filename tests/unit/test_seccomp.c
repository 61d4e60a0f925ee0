/* Filters, by running them: over every system call number, against a second
 * reading of the rules that knows nothing of BPF. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>
#undef fail /* the project's own is meant below */

#include "casemate/error.h"
#include "casemate/fd.h"
#include "casemate/seccomp.h"

#define reject(...) (print_error(__VA_ARGS__), assert_true(0))

#if defined(__x86_64__)
#define NATIVE	AUDIT_ARCH_X86_64
#define FOREIGN AUDIT_ARCH_I386
#else
#define NATIVE	AUDIT_ARCH_AARCH64
#define FOREIGN AUDIT_ARCH_ARM
#endif
#define ERRNO(n) (SECCOMP_RET_ERRNO | (n))

static struct arena *a;
static const char *srcdir;

static int set_up(void **state)
{
	(void)state;
	a = arena_new();
	srcdir = getenv("SRCDIR") ? getenv("SRCDIR") : ".";
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(a);
	return 0;
}

static struct spec_seccomp read_filter(const char *file, bool in_config)
{
	struct spec_seccomp sc;
	size_t len;
	char *text = file_read(a, AT_FDCWD, arena_printf(a, "%s/%s", srcdir, file), 1 << 20, &len);

	assert_non_null(text);
	struct json *o = json_parse(a, text, len);
	if (in_config)
		o = json_get(json_get(o, "linux"), "seccomp");
	assert_int_equal(spec_parse_seccomp(a, o, "linux.seccomp", &sc), 0);
	return sc;
}

static bool compares(const struct seccomp_arg *arg, uint64_t v)
{
	switch (arg->op) {
	case SCMP_CMP_NE:
		return v != arg->value;
	case SCMP_CMP_LT:
		return v < arg->value;
	case SCMP_CMP_LE:
		return v <= arg->value;
	case SCMP_CMP_EQ:
		return v == arg->value;
	case SCMP_CMP_GE:
		return v >= arg->value;
	case SCMP_CMP_GT:
		return v > arg->value;
	default:
		return (v & arg->value) == arg->value_two;
	}
}

/* The answers that the rules give to a call: more than one where rules of
 * different actions match. */
static bool expects(const struct spec_seccomp *sc, const char *name,
		    const unsigned long long args[6], unsigned got)
{
	bool matched = false;

	for (size_t i = 0; i < sc->rules.n; i++) {
		const struct seccomp_rule *r = &sc->rules.v[i];
		bool all = true;

		if (!strv_has(&r->names, name) || r->action == sc->default_action)
			continue;
		for (size_t k = 0; k < r->args.n; k++)
			all = all && compares(&r->args.v[k], args[r->args.v[k].index]);
		if (!all)
			continue;
		matched = true;
		if (r->action == got)
			return true;
	}
	return !matched && got == sc->default_action;
}

static void check_all(const struct spec_seccomp *sc, const struct seccomp_program *p)
{
	static const unsigned long long cases[][6] = {
		{0},
		{8, 8, 8, 8, 8, 8},
		{0x7e020000, 40, 1},
		{0x20000, 1, 1, 1, 1, 1},
		{0xffffffff, 0xffffffff, 0, 0, 0, 0},
		{1ULL << 32 | 40, 1ULL << 32, 1ULL << 40, 0, 0, ~0ULL},
		{40, 2, 0, 0, 0, 0},
		{38, 3, 0, 0, 0, 0},
	};
	int newest = 0;

	for (int nr = 0; nr < 1024; nr++) {
		_free_ char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, nr);

		newest = name ? nr : newest;
	}
	for (int nr = 0; nr < 1024; nr++) {
		_free_ char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, nr);

		for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
			unsigned got = seccomp_interpret(p, nr, NATIVE, cases[i]);

			if (nr > newest ? got != ERRNO(ENOSYS)
					: !expects(sc, name ? name : "", cases[i], got))
				reject("%s (%d), case %zu: %x\n", name ? name : "?", nr, i, got);
		}
	}
}

static void test_default_profile(void **state)
{
	struct spec_seccomp sc = read_filter("profiles/seccomp/default.json", false);
	struct seccomp_program p;

	(void)state;
	assert_int_equal(seccomp_compile(a, &sc, &p), 0);
	check_all(&sc, &p);
}

static void test_docker_profile(void **state)
{
	struct spec_seccomp sc = read_filter("tests/unit/docker.json", true);
	struct seccomp_program p;

	(void)state;
	assert_int_equal(seccomp_compile(a, &sc, &p), 0);
	check_all(&sc, &p);
	/* Its 32-bit architecture is filtered, too, and not killed. */
	static const unsigned long long none[6];
	assert_int_equal(seccomp_interpret(&p, 3, FOREIGN, none), SECCOMP_RET_ALLOW);
}

/* A default that allows has no ENOSYS in front of it. */
static void test_allowing_default(void **state)
{
	struct spec_seccomp sc = {.present = true, .default_action = SCMP_ACT_ALLOW};
	struct seccomp_rule *r = vec_add(a, &sc.rules);
	static const unsigned long long none[6];
	struct seccomp_program p;

	(void)state;
	*r = (struct seccomp_rule){.place = "x", .action = SCMP_ACT_KILL_PROCESS};
	strv_add(a, &r->names, "uname");
	strv_add(a, &r->names, "no_such_call");
	assert_int_equal(seccomp_compile(a, &sc, &p), 0);
	assert_int_equal(seccomp_interpret(&p, 1000, NATIVE, none), SECCOMP_RET_ALLOW);
	assert_int_equal(seccomp_interpret(&p, SYS_uname, NATIVE, none), SECCOMP_RET_KILL_PROCESS);
}

static struct seccomp_program fixed(const char *allow)
{
	static const char *const families[] = {"AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK"};
	struct seccomp_fixed f = {0};
	struct seccomp_program p;

	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		strv_add(a, &f.allow_families, families[i]);
	if (allow)
		strv_add(a, &f.allow_syscalls, allow);
	assert_int_equal(seccomp_build_fixed(a, &f, &p), 0);
	return p;
}

static void test_fixed(void **state)
{
	const unsigned long long high = 1ULL << 32;
	const struct {
		int nr;
		unsigned long long args[6];
		unsigned want;
	} rows[] = {
		{SYS_read, {0}, SECCOMP_RET_ALLOW},
		{SYS_execve, {0}, SECCOMP_RET_ALLOW},
		{SYS_execveat, {0}, SECCOMP_RET_ALLOW},
		{SYS_exit_group, {0}, SECCOMP_RET_ALLOW},
		{SYS_mmap, {0}, SECCOMP_RET_ALLOW},
		{SYS_openat, {0}, SECCOMP_RET_ALLOW},
		{SYS_mount, {0}, ERRNO(EPERM)},
		{SYS_umount2, {0}, ERRNO(EPERM)},
		{SYS_pivot_root, {0}, ERRNO(EPERM)},
		{SYS_fsopen, {0}, ERRNO(EPERM)},
		{SYS_open_tree, {0}, ERRNO(EPERM)},
		{SYS_move_mount, {0}, ERRNO(EPERM)},
		{442 /* mount_setattr */, {0}, ERRNO(EPERM)},
		{467 /* open_tree_attr */, {0}, ERRNO(EPERM)},
		{SYS_unshare, {0}, ERRNO(EPERM)},
		{SYS_setns, {0}, ERRNO(EPERM)},
		{SYS_clone3, {0}, ERRNO(ENOSYS)},
		{SYS_clone, {17}, SECCOMP_RET_ALLOW},
		{SYS_clone, {0x10000000 | 17}, ERRNO(EPERM)},
		{SYS_clone, {high | 0x20000}, ERRNO(EPERM)},
		{SYS_clone, {0x02000000}, ERRNO(EPERM)},
		{SYS_bpf, {0}, ERRNO(EPERM)},
		{SYS_perf_event_open, {0}, ERRNO(EPERM)},
		{SYS_userfaultfd, {0}, ERRNO(EPERM)},
		{SYS_io_uring_setup, {0}, ERRNO(EPERM)},
		{SYS_keyctl, {0}, ERRNO(EPERM)},
		{SYS_add_key, {0}, ERRNO(EPERM)},
		{SYS_open_by_handle_at, {0}, ERRNO(EPERM)},
		{SYS_ptrace, {0}, ERRNO(EPERM)},
		{SYS_process_vm_writev, {0}, ERRNO(EPERM)},
		{438 /* pidfd_getfd */, {0}, ERRNO(EPERM)},
		{SYS_kexec_load, {0}, ERRNO(EPERM)},
		{SYS_init_module, {0}, ERRNO(EPERM)},
		{SYS_reboot, {0}, ERRNO(EPERM)},
		{SYS_syslog, {0}, ERRNO(EPERM)},
		{SYS_ioctl, {0, 0x5401}, SECCOMP_RET_ALLOW},
		{SYS_ioctl, {0, TIOCSTI}, ERRNO(EPERM)},
		{SYS_ioctl, {0, high | TIOCSTI}, ERRNO(EPERM)},
		{SYS_ioctl, {0, high | TIOCLINUX}, ERRNO(EPERM)},
		{SYS_socket, {AF_UNIX, SOCK_STREAM}, SECCOMP_RET_ALLOW},
		{SYS_socket, {AF_INET, SOCK_STREAM | SOCK_CLOEXEC}, SECCOMP_RET_ALLOW},
		{SYS_socket, {AF_INET, SOCK_RAW}, ERRNO(EPERM)},
		{SYS_socket, {AF_INET6, SOCK_RAW | SOCK_CLOEXEC}, ERRNO(EPERM)},
		{SYS_socket, {AF_INET, 10 /* SOCK_PACKET */}, ERRNO(EPERM)},
		{SYS_socket, {AF_NETLINK, SOCK_RAW, 0}, SECCOMP_RET_ALLOW},
		{SYS_socket, {AF_NETLINK, SOCK_RAW, 9}, ERRNO(EPROTONOSUPPORT)},
		{SYS_socket, {AF_INET, SOCK_STREAM, 6}, SECCOMP_RET_ALLOW},
		{SYS_socket, {AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0}, SECCOMP_RET_ALLOW},
		{SYS_socket, {AF_INET, SOCK_SEQPACKET, 0}, ERRNO(ESOCKTNOSUPPORT)},
		{SYS_socket, {AF_INET6, 6 /* SOCK_DCCP */, 0}, ERRNO(ESOCKTNOSUPPORT)},
		{SYS_socket, {AF_INET, 4 /* SOCK_RDM */, 0}, ERRNO(ESOCKTNOSUPPORT)},
		{SYS_socket, {AF_UNIX, SOCK_SEQPACKET, 0}, SECCOMP_RET_ALLOW},
		{SYS_socket, {AF_INET6, SOCK_DGRAM, high | 17}, SECCOMP_RET_ALLOW},
		{SYS_socket, {AF_INET, SOCK_DGRAM, 1}, SECCOMP_RET_ALLOW},
		{SYS_socket, {AF_INET6, SOCK_DGRAM, 58}, SECCOMP_RET_ALLOW},
		{SYS_socket, {AF_INET, SOCK_STREAM, 256 /* SMC */}, ERRNO(EPROTONOSUPPORT)},
		{SYS_socket,
		 {AF_INET, SOCK_STREAM, high | 262 /* MPTCP */},
		 ERRNO(EPROTONOSUPPORT)},
		{SYS_socket, {AF_INET6, SOCK_DGRAM, 136 /* UDP-Lite */}, ERRNO(EPROTONOSUPPORT)},
		{SYS_socket, {AF_INET, SOCK_STREAM, 132 /* SCTP */}, ERRNO(EPROTONOSUPPORT)},
		{SYS_socket,
		 {AF_UNIX, SOCK_STREAM, 256},
		 SECCOMP_RET_ALLOW}, /* the kernel's to say */
		{SYS_socket, {AF_PACKET}, ERRNO(EAFNOSUPPORT)},
		{SYS_socket, {high | 38 /* AF_ALG */}, ERRNO(EAFNOSUPPORT)},
		{SYS_socket, {high | AF_UNIX, SOCK_STREAM}, SECCOMP_RET_ALLOW},
		{SYS_socket, {40 /* AF_VSOCK */}, ERRNO(EAFNOSUPPORT)},
		{SYS_socketpair, {AF_UNIX, SOCK_STREAM}, SECCOMP_RET_ALLOW},
		{SYS_socketpair, {30 /* AF_TIPC */}, ERRNO(EAFNOSUPPORT)},
		{SYS_personality, {0}, SECCOMP_RET_ALLOW},
		{SYS_personality, {0x0040000}, ERRNO(EPERM)},
		{SYS_seccomp, {1, 0}, SECCOMP_RET_ALLOW},
		{SYS_seccomp, {1, 8}, ERRNO(EPERM)},
		{470, {0}, ERRNO(ENOSYS)},
		{0x40000000, {0}, ERRNO(ENOSYS)},
		{0x40000000 | 59, {0}, ERRNO(ENOSYS)},
		{-1, {0}, ERRNO(ENOSYS)},
	};
	struct seccomp_program p = fixed(NULL), with_mount = fixed("mount");
	static const unsigned long long none[6];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned got = seccomp_interpret(&p, rows[i].nr, NATIVE, rows[i].args);

		if (got != rows[i].want)
			reject("row %zu, call %d: %x, expected %x\n", i, rows[i].nr, got,
			       rows[i].want);
	}
	/* Every family that is not on the list. */
	for (unsigned f = 0; f < 64; f++) {
		unsigned long long args[6] = {f, SOCK_STREAM};
		bool allowed = f == AF_UNIX || f == AF_INET || f == AF_INET6 || f == AF_NETLINK;

		assert_int_equal(seccomp_interpret(&p, SYS_socket, NATIVE, args) ==
					 SECCOMP_RET_ALLOW,
				 allowed);
	}
	for (int nr = 0; nr < 600; nr++)
		assert_int_equal(seccomp_interpret(&p, nr, FOREIGN, none), ERRNO(ENOSYS));
	assert_int_equal(seccomp_interpret(&with_mount, SYS_mount, NATIVE, none),
			 SECCOMP_RET_ALLOW);
}

static void test_fixed_names(void **state)
{
	struct seccomp_fixed f = {0}, g = {0};
	struct seccomp_program p;

	(void)state;
	strv_add(a, &f.allow_families, "AF_NOPE");
	assert_int_equal(seccomp_build_fixed(a, &f, &p), -1);
	strv_add(a, &g.allow_syscalls, "read");
	assert_int_equal(seccomp_build_fixed(a, &g, &p), -1);
}

static bool lookup(int dir, const struct spec_seccomp *sc)
{
	struct seccomp_program p, q;
	bool hit;

	assert_int_equal(seccomp_lookup(a, dir, sc, &p, &hit), 0);
	assert_int_equal(seccomp_compile(a, sc, &q), 0);
	assert_int_equal(p.n, q.n);
	assert_memory_equal(p.insns, q.insns, p.n * sizeof(*p.insns));
	return hit;
}

static char *only_file(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char *name = NULL;

	while ((e = readdir(d)))
		if (strncmp(e->d_name, ".casemate-seccomp-", 18) == 0)
			name = arena_strdup(a, e->d_name);
	closedir(d);
	return name;
}

static void test_cache(void **state)
{
	char path[] = "/tmp/casemate-cache.XXXXXX";
	struct spec_seccomp sc = {.present = true, .default_action = SCMP_ACT_ERRNO(1)};
	struct seccomp_rule *r = vec_add(a, &sc.rules);
	size_t len;

	(void)state;
	*r = (struct seccomp_rule){.place = "x", .action = SCMP_ACT_ALLOW};
	strv_add(a, &r->names, "read");
	assert_non_null(mkdtemp(path));
	int d = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_false(lookup(d, &sc));
	assert_true(lookup(d, &sc));
	char *name = only_file(path);
	char *good = file_read(a, d, name, 1 << 20, &len);
	/* Cut or broken anywhere: compiled anew, and mended. */
	for (size_t n = 0; n < len; n += 11) {
		char *bad = arena_alloc(a, len);

		memcpy(bad, good, len);
		bad[n] ^= 0x20;
		assert_int_equal(file_replace(d, name, bad, len, 0600), 0);
		assert_false(lookup(d, &sc));
		assert_int_equal(file_replace(d, name, good, n, 0600), 0);
		assert_false(lookup(d, &sc));
		assert_true(lookup(d, &sc));
	}
	/* Writable by others, a link, a folder that others may write: not believed. */
	assert_int_equal(fchmodat(d, name, 0622, 0), 0);
	assert_false(lookup(d, &sc));
	assert_int_equal(renameat(d, name, d, "real"), 0);
	assert_int_equal(symlinkat("real", d, name), 0);
	assert_false(lookup(d, &sc));
	assert_int_equal(fchmod(d, 0777), 0);
	assert_false(lookup(d, &sc));
	assert_int_equal(fchmod(d, 0700), 0);
	/* Another filter is another file; two writers at once leave a whole one. */
	for (int i = 0; i < 4; i++)
		if (fork() == 0) {
			for (int k = 0; k < 20; k++) {
				unlinkat(d, name, 0);
				lookup(d, &sc);
			}
			_exit(0);
		}
	while (wait(NULL) > 0)
		;
	lookup(d, &sc);
	assert_true(lookup(d, &sc));
	strv_add(a, &r->names, "write");
	assert_false(lookup(d, &sc));
	/* No more than 64 of them. */
	for (int i = 0; i < 70; i++) {
		strv_add(a, &r->names, "write");
		struct seccomp_program p;
		assert_int_equal(seccomp_lookup(a, d, &sc, &p, NULL), 0);
	}
	DIR *dir = fdopendir(d);
	struct dirent *e;
	int n = 0;
	rewinddir(dir);
	while ((e = readdir(dir))) {
		n += strncmp(e->d_name, ".casemate-seccomp-", 18) == 0;
		unlinkat(d, e->d_name, 0);
	}
	assert_in_range(n, 1, 64);
	closedir(dir);
	assert_int_equal(rmdir(path), 0);
}

/* In the kernel: both filters, and what a program then gets. */
static void test_live(void **state)
{
	struct spec_seccomp sc = read_filter("profiles/seccomp/default.json", false);
	struct seccomp_program p, f = fixed(NULL);
	int status;

	(void)state;
	assert_int_equal(seccomp_compile(a, &sc, &p), 0);
	pid_t pid = fork();
	if (pid == 0) {
		int bad = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || seccomp_install(&f) < 0 ||
			  seccomp_install(&p) < 0;

		bad |= syscall(SYS_unshare, 0x10000000) != -1 || errno != EPERM;
		bad |= syscall(SYS_socket, 38, 5, 0) != -1 || errno != EAFNOSUPPORT;
		bad |= syscall(SYS_clone3, NULL, 0) != -1 || errno != ENOSYS;
		bad |= syscall(600) != -1 || errno != ENOSYS;
		bad |= syscall(SYS_getpid) <= 0;
		syscall(SYS_exit_group, bad);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default_profile),
		cmocka_unit_test(test_docker_profile),
		cmocka_unit_test(test_allowing_default),
		cmocka_unit_test(test_fixed),
		cmocka_unit_test(test_fixed_names),
		cmocka_unit_test(test_cache),
		cmocka_unit_test(test_live),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
