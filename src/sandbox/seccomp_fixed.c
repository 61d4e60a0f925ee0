/*
 * The fixed filter: stacked over whatever config.json brings, it denies what no
 * container needs. Put together here, not by libseccomp: it must not change
 * with a library's version, and it is small.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "casemate/error.h"
#include "casemate/seccomp.h"

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#else
#error "the fixed filter knows x86_64 and aarch64: add the architecture and read its table"
#endif

/* Linux 6.17. What comes after it has not been judged and does not exist. */
enum { NEWEST = 469 };

/* The same on every architecture since Linux 5.1 (424 and up); the headers that
 * this is built with may be older. */
enum {
	NR_pidfd_getfd = 438,
	NR_process_madvise = 440,
	NR_mount_setattr = 442,
	NR_quotactl_fd = 443,
	NR_lsm_set_self_attr = 460,
	NR_open_tree_attr = 467,
};

static const struct row {
	const char *name;
	int nr;
	int error;
} rows[] = {
#define DENY(name)                                                                                 \
	{                                                                                          \
#name, SYS_##name, EPERM                                                           \
	}
	/* mounts: the way to another file system view, and to procfs anew */
	DENY(mount),
	DENY(umount2),
	DENY(pivot_root),
	DENY(chroot),
	DENY(fsopen),
	DENY(fsconfig),
	DENY(fsmount),
	DENY(fspick),
	DENY(open_tree),
	DENY(move_mount),
	{"mount_setattr", NR_mount_setattr, EPERM},
	{"open_tree_attr", NR_open_tree_attr, EPERM},
	DENY(swapon),
	DENY(swapoff),
	DENY(quotactl),
	{"quotactl_fd", NR_quotactl_fd, EPERM},
	/* namespaces: each brings capabilities, and kernel code behind them; clone
	 * is looked at below, clone3 has its flags in memory that a filter cannot
	 * read, and callers know what to do without it */
	DENY(unshare),
	DENY(setns),
	{"clone3", SYS_clone3, ENOSYS},
	/* large and often broken parts of the kernel */
	DENY(bpf),
	DENY(perf_event_open),
	DENY(userfaultfd),
	DENY(io_uring_setup),
	DENY(io_uring_enter),
	DENY(io_uring_register),
	DENY(fanotify_init),
	/* keyrings are not namespaced */
	DENY(add_key),
	DENY(request_key),
	DENY(keyctl),
	/* files by handle go around every mount */
	DENY(open_by_handle_at),
	DENY(name_to_handle_at),
	/* other processes' memory and descriptors */
	DENY(ptrace),
	DENY(process_vm_readv),
	DENY(process_vm_writev),
	DENY(kcmp),
	{"pidfd_getfd", NR_pidfd_getfd, EPERM},
	{"process_madvise", NR_process_madvise, EPERM},
	/* the machine */
	DENY(kexec_load),
	DENY(kexec_file_load),
	DENY(init_module),
	DENY(finit_module),
	DENY(delete_module),
	DENY(reboot),
	DENY(acct),
	DENY(syslog),
	DENY(vhangup),
	DENY(settimeofday),
	DENY(clock_settime),
	DENY(adjtimex),
	DENY(clock_adjtime),
	DENY(sethostname),
	DENY(setdomainname),
	DENY(lookup_dcookie),
	DENY(nfsservctl),
	DENY(move_pages),
	DENY(migrate_pages),
	{"lsm_set_self_attr", NR_lsm_set_self_attr, EPERM},
#if defined(__x86_64__)
	DENY(iopl),
	DENY(ioperm),
	DENY(modify_ldt),
	DENY(create_module),
	DENY(get_kernel_syms),
	DENY(query_module),
	DENY(uselib),
	DENY(_sysctl),
	DENY(sysfs),
	DENY(ustat),
#endif
#undef DENY
};

static const struct {
	const char *name;
	uint32_t family;
} families[] = {
	{"AF_UNIX", 1},	     {"AF_INET", 2},	  {"AF_AX25", 3},	{"AF_IPX", 4},
	{"AF_APPLETALK", 5}, {"AF_NETROM", 6},	  {"AF_BRIDGE", 7},	{"AF_ATMPVC", 8},
	{"AF_X25", 9},	     {"AF_INET6", 10},	  {"AF_ROSE", 11},	{"AF_DECnet", 12},
	{"AF_NETBEUI", 13},  {"AF_SECURITY", 14}, {"AF_KEY", 15},	{"AF_NETLINK", 16},
	{"AF_PACKET", 17},   {"AF_ASH", 18},	  {"AF_ECONET", 19},	{"AF_ATMSVC", 20},
	{"AF_RDS", 21},	     {"AF_SNA", 22},	  {"AF_IRDA", 23},	{"AF_PPPOX", 24},
	{"AF_WANPIPE", 25},  {"AF_LLC", 26},	  {"AF_IB", 27},	{"AF_MPLS", 28},
	{"AF_CAN", 29},	     {"AF_TIPC", 30},	  {"AF_BLUETOOTH", 31}, {"AF_IUCV", 32},
	{"AF_RXRPC", 33},    {"AF_ISDN", 34},	  {"AF_PHONET", 35},	{"AF_IEEE802154", 36},
	{"AF_CAIF", 37},     {"AF_ALG", 38},	  {"AF_NFC", 39},	{"AF_VSOCK", 40},
	{"AF_KCM", 41},	     {"AF_QIPCRTR", 42},  {"AF_SMC", 43},	{"AF_XDP", 44},
	{"AF_MCTP", 45},
};

enum {
	MAX_INSNS = 1024,
	NETLINK_ROUTE_ = 0,
	TIOCSTI_ = 0x5412,   /* types into the terminal that the host reads */
	TIOCLINUX_ = 0x541C, /* the same, by the console's paste buffer */
	NEW_LISTENER = 8,    /* SECCOMP_FILTER_FLAG_NEW_LISTENER */
	SOCK_RAW_ = 3,
	SOCK_PACKET_ = 10,
	NEW_NAMESPACES = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
			 CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET,
};

struct assembler {
	struct sock_filter v[MAX_INSNS];
	size_t n;
	bool too_long; /* a block's length is a byte */
};

static void emit(struct assembler *p, unsigned short code, uint32_t k, uint8_t jt, uint8_t jf)
{
	if (p->n < MAX_INSNS)
		p->v[p->n] = (struct sock_filter){code, jt, jf, k};
	p->n++;
}

static void load(struct assembler *p, size_t offset)
{
	emit(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

/* The kernel takes ints for what is compared here; the upper half of the
 * register is whatever the caller left there, and must not hide a value. */
static void load_arg(struct assembler *p, unsigned i)
{
	load(p, offsetof(struct seccomp_data, args) + i * sizeof(uint64_t));
}

static void answer(struct assembler *p, int error)
{
	emit(p, BPF_RET | BPF_K, error ? SECCOMP_RET_ERRNO | (uint32_t)error : SECCOMP_RET_ALLOW, 0,
	     0);
}

/* if (A op k) is false, skip the next instructions */
static void unless_skip(struct assembler *p, unsigned short op, uint32_t k, uint8_t skip)
{
	emit(p, (unsigned short)(BPF_JMP | op | BPF_K), k, 0, skip);
}

/* A block for one system call: begin, the checks, end. Every way through it
 * ends in an answer, so that A need not be the number again behind it. */
static size_t begin(struct assembler *p, int nr)
{
	unless_skip(p, BPF_JEQ, (uint32_t)nr, 0);
	return p->n - 1;
}

static void end(struct assembler *p, size_t start)
{
	answer(p, 0);
	if (p->n - start - 1 > UINT8_MAX || p->n > MAX_INSNS)
		p->too_long = true;
	else
		p->v[start].jf = (uint8_t)(p->n - start - 1);
}

static void deny_clone(struct assembler *p)
{
	size_t b = begin(p, SYS_clone);

	load_arg(p, 0);
	unless_skip(p, BPF_JSET, (uint32_t)NEW_NAMESPACES, 1);
	answer(p, EPERM);
	end(p, b);
}

static void deny_ioctl(struct assembler *p)
{
	size_t b = begin(p, SYS_ioctl);

	load_arg(p, 1);
	unless_skip(p, BPF_JEQ, TIOCSTI_, 1);
	answer(p, EPERM);
	unless_skip(p, BPF_JEQ, TIOCLINUX_, 1);
	answer(p, EPERM);
	end(p, b);
}

static void deny_personality(struct assembler *p)
{
	static const uint32_t harmless[] = {0, 8, 0x20000, 0x20008, 0xffffffff};
	size_t b = begin(p, SYS_personality);

	load_arg(p, 0);
	for (size_t i = 0; i < ARRAY_SIZE(harmless); i++) {
		unless_skip(p, BPF_JEQ, harmless[i], 1);
		answer(p, 0);
	}
	answer(p, EPERM);
	end(p, b);
}

static void deny_listener(struct assembler *p)
{
	size_t b = begin(p, SYS_seccomp);

	load_arg(p, 0);
	unless_skip(p, BPF_JEQ, SECCOMP_SET_MODE_FILTER, 3);
	load_arg(p, 1);
	unless_skip(p, BPF_JSET, NEW_LISTENER, 1);
	answer(p, EPERM);
	end(p, b);
}

/* Of the internet families only TCP, UDP and ping: other protocols are other
 * families by another name (SMC, 256) or load modules of their own. */
static void check_protocol(struct assembler *p)
{
	static const uint32_t protocols[] = {IPPROTO_IP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP,
					     IPPROTO_ICMPV6};

	load_arg(p, 2);
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		unless_skip(p, BPF_JEQ, protocols[i], 1);
		answer(p, 0);
	}
	answer(p, EPROTONOSUPPORT);
}

static void check_type(struct assembler *p, uint32_t family)
{
	load_arg(p, 1);
	emit(p, BPF_ALU | BPF_AND | BPF_K, 0xf, 0, 0); /* SOCK_TYPE_MASK */
	unless_skip(p, BPF_JEQ, SOCK_RAW_, 1);
	/* A raw UNIX socket is a datagram socket. */
	answer(p, family == AF_UNIX ? 0 : EPERM);
	unless_skip(p, BPF_JEQ, SOCK_PACKET_, 1);
	answer(p, EPERM);
	if (family != AF_INET && family != AF_INET6)
		return;
	/* With protocol 0 another type is another protocol (SCTP, DCCP). */
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, SOCK_STREAM, 2, 0);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, SOCK_DGRAM, 1, 0);
	answer(p, ESOCKTNOSUPPORT);
}

static void check_socket(struct assembler *p, int nr, const uint32_t *allowed, size_t n)
{
	size_t b = begin(p, nr);

	for (size_t i = 0; i < n; i++) {
		load_arg(p, 0);
		size_t family = begin(p, (int)allowed[i]);

		if (allowed[i] == AF_NETLINK) {
			load_arg(p, 2);
			unless_skip(p, BPF_JEQ, NETLINK_ROUTE_, 1);
			answer(p, 0);
			answer(p, EPROTONOSUPPORT);
		} else {
			check_type(p, allowed[i]);
		}
		if (allowed[i] == AF_INET || allowed[i] == AF_INET6)
			check_protocol(p);
		end(p, family);
	}
	answer(p, EAFNOSUPPORT);
	end(p, b);
}

static int find_families(struct arena *a, const struct strv *names, uint32_t **out)
{
	*out = arena_array(a, names->n + 1, sizeof(**out));
	for (size_t i = 0; i < names->n; i++) {
		size_t j = 0;

		while (j < ARRAY_SIZE(families) && strcmp(families[j].name, names->v[i]) != 0)
			j++;
		if (j == ARRAY_SIZE(families))
			return fail(0, "seccomp.families[%zu]: unknown address family \"%s\"", i,
				    names->v[i]);
		(*out)[i] = families[j].family;
	}
	return 0;
}

static int check_names(const struct strv *names)
{
	for (size_t i = 0; i < names->n; i++) {
		size_t j = 0;

		while (j < ARRAY_SIZE(rows) && strcmp(rows[j].name, names->v[i]) != 0)
			j++;
		if (j == ARRAY_SIZE(rows))
			return fail(0,
				    "seccomp.allow[%zu]: \"%s\" is not denied by the fixed filter",
				    i, names->v[i]);
	}
	return 0;
}

int seccomp_build_fixed(struct arena *a, const struct seccomp_fixed *fixed,
			struct seccomp_program *out)
{
	struct assembler *p = arena_alloc(a, sizeof(*p));
	uint32_t *allowed;

	if (check_names(&fixed->allow_syscalls) < 0 ||
	    find_families(a, &fixed->allow_families, &allowed) < 0)
		return -1;
	load(p, offsetof(struct seccomp_data, arch));
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, NATIVE, 1, 0);
	answer(p, ENOSYS);
	load(p, offsetof(struct seccomp_data, nr));
	/* x32 (bit 30) is above it, too. */
	unless_skip(p, BPF_JGT, NEWEST, 1);
	answer(p, ENOSYS);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (strv_has(&fixed->allow_syscalls, rows[i].name))
			continue;
		unless_skip(p, BPF_JEQ, (uint32_t)rows[i].nr, 1);
		answer(p, rows[i].error);
	}
	deny_clone(p);
	deny_ioctl(p);
	deny_personality(p);
	deny_listener(p);
	check_socket(p, SYS_socket, allowed, fixed->allow_families.n);
	check_socket(p, SYS_socketpair, allowed, fixed->allow_families.n);
	answer(p, 0);
	if (p->n > MAX_INSNS || p->too_long)
		return fail(E2BIG, "seccomp.families: too many");
	*out = (struct seccomp_program){.insns = p->v, .n = (unsigned short)p->n};
	return 0;
}
