/* Which devices may be opened: lines for the v1 controller, a small eBPF
 * program on v2. Both begin with "none" (GHSA-g54h-m393-cpwq: an empty list
 * must not mean "all"). */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include "internal.h"

/* So that the program is told from systemd's own on the same cgroup. */
#define PROGRAM_NAME "casemate"
#define RWM	     (DEVICE_READ | DEVICE_WRITE | DEVICE_MKNOD)

/* What the runtime-spec promises every container. */
static const struct spec_device_rule defaults[] = {
	{true, 'c', 1, 3, RWM}, /* null */ {true, 'c', 1, 5, RWM},    /* zero */
	{true, 'c', 1, 7, RWM}, /* full */ {true, 'c', 1, 8, RWM},    /* random */
	{true, 'c', 1, 9, RWM}, /* urandom */ {true, 'c', 5, 0, RWM}, /* tty */
	{true, 'c', 5, 2, RWM}, /* ptmx */ {true, 'c', 136, -1, RWM}, /* pts, /dev/console */
};

void device_rules(struct arena *a, const struct spec_resources *r, struct device_rules *out)
{
	for (size_t i = 0; i < r->devices.n; i++) {
		struct spec_device_rule rule = r->devices.v[i];

		/* v1 takes "a" for everything, whatever the access. */
		if (rule.type == 'a' && rule.access != RWM) {
			rule.major = rule.minor = -1;
			rule.type = 'b';
			*vec_add(a, out) = rule;
			rule.type = 'c';
		}
		*vec_add(a, out) = rule;
	}
	for (size_t i = 0; i < ARRAY_SIZE(defaults); i++)
		*vec_add(a, out) = defaults[i];
}

static bool overlap(int64_t a, int64_t b)
{
	return a < 0 || b < 0 || a == b;
}

/* v1 takes an exception back only as it was given: a denial of a part of it, or
 * of more, would be without effect. */
int device_rules_check_v1(const struct device_rules *rules)
{
	for (size_t i = 0; i < rules->n; i++) {
		const struct spec_device_rule *deny = &rules->v[i];

		for (size_t k = i; !deny->allow && deny->type != 'a' && k-- > 0;) {
			const struct spec_device_rule *allow = &rules->v[k];

			/* "deny all" takes back all that came before. */
			if (!allow->allow && allow->type == 'a')
				break;
			if (!allow->allow || (allow->type != 'a' && allow->type != deny->type) ||
			    !overlap(allow->major, deny->major) ||
			    !overlap(allow->minor, deny->minor) ||
			    !(allow->access & deny->access) ||
			    (allow->type == deny->type && allow->major == deny->major &&
			     allow->minor == deny->minor))
				continue;
			fail(0,
			     "linux.resources.devices[%zu]: a part of what [%zu] allows cannot be "
			     "denied on cgroup v1",
			     i, k);
			return fail_hint("list what is allowed without it");
		}
	}
	return 0;
}

static const char *number(struct arena *a, int64_t n)
{
	return n < 0 ? "*" : arena_printf(a, "%lld", (long long)n);
}

const char *device_rule_text(struct arena *a, const struct spec_device_rule *r)
{
	if (r->type == 'a')
		return "a";
	return arena_printf(a, "%c %s:%s %s%s%s", r->type, number(a, r->major), number(a, r->minor),
			    r->access & DEVICE_READ ? "r" : "", r->access & DEVICE_WRITE ? "w" : "",
			    r->access & DEVICE_MKNOD ? "m" : "");
}

/* --- the program ------------------------------------------------------- */

struct assembler {
	struct bpf_insn *v;
	size_t n, max;
};

static void emit(struct assembler *p, unsigned code, unsigned dst, unsigned src, int off, int imm)
{
	if (p->n < p->max)
		p->v[p->n] = (struct bpf_insn){.code = (uint8_t)code,
					       .dst_reg = dst & 0xf,
					       .src_reg = src & 0xf,
					       .off = (int16_t)off,
					       .imm = imm};
	p->n++;
}

enum { TYPE = BPF_REG_2, ACCESS = BPF_REG_3, MAJOR = BPF_REG_4, MINOR = BPF_REG_5 };

static void answer(struct assembler *p, int allow)
{
	emit(p, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, allow);
	emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static int kernel_access(unsigned access)
{
	return (access & DEVICE_READ ? BPF_DEVCG_ACC_READ : 0) |
	       (access & DEVICE_WRITE ? BPF_DEVCG_ACC_WRITE : 0) |
	       (access & DEVICE_MKNOD ? BPF_DEVCG_ACC_MKNOD : 0);
}

/* The last rule that matches wins, so they come in reverse. ACCESS holds what
 * no later rule has allowed yet. */
static void emit_rule(struct assembler *p, const struct spec_device_rule *r)
{
	size_t jumps[3], n = 0;
	int access = kernel_access(r->type == 'a' ? (unsigned)RWM : r->access);

	if (r->type != 'a') {
		jumps[n++] = p->n;
		emit(p, BPF_JMP32 | BPF_JNE | BPF_K, TYPE, 0, 0,
		     r->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
	}
	if (r->major >= 0) {
		jumps[n++] = p->n;
		emit(p, BPF_JMP32 | BPF_JNE | BPF_K, MAJOR, 0, 0, (int)r->major);
	}
	if (r->minor >= 0) {
		jumps[n++] = p->n;
		emit(p, BPF_JMP32 | BPF_JNE | BPF_K, MINOR, 0, 0, (int)r->minor);
	}
	if (r->allow) {
		emit(p, BPF_ALU | BPF_AND | BPF_K, ACCESS, 0, 0, ~access);
		emit(p, BPF_JMP32 | BPF_JNE | BPF_K, ACCESS, 0, 2, 0);
		answer(p, 1);
	} else {
		emit(p, BPF_JMP32 | BPF_JSET | BPF_K, ACCESS, 0, 1, access);
		emit(p, BPF_JMP | BPF_JA, 0, 0, 2, 0);
		answer(p, 0);
	}
	for (size_t i = 0; i < n && p->n <= p->max; i++)
		p->v[jumps[i]].off = (int16_t)(p->n - jumps[i] - 1);
}

size_t device_program(const struct device_rules *rules, struct bpf_insn *out, size_t max)
{
	struct assembler p = {out, 0, max};

	emit(&p, BPF_LDX | BPF_MEM | BPF_W, TYPE, BPF_REG_1, 0, 0);
	emit(&p, BPF_ALU | BPF_MOV | BPF_X, ACCESS, TYPE, 0, 0);
	emit(&p, BPF_ALU | BPF_AND | BPF_K, TYPE, 0, 0, 0xffff);
	emit(&p, BPF_ALU | BPF_RSH | BPF_K, ACCESS, 0, 0, 16);
	emit(&p, BPF_LDX | BPF_MEM | BPF_W, MAJOR, BPF_REG_1, 4, 0);
	emit(&p, BPF_LDX | BPF_MEM | BPF_W, MINOR, BPF_REG_1, 8, 0);
	for (size_t i = rules->n; i-- > 0;)
		emit_rule(&p, &rules->v[i]);
	answer(&p, 0);
	return p.n;
}

static int bpf(int cmd, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

/* The programs that are attached already, at most one of them ours. */
static int attached(int cgroup, uint32_t *ids, uint32_t max)
{
	union bpf_attr attr = {0};

	attr.query.target_fd = (uint32_t)cgroup;
	attr.query.attach_type = BPF_CGROUP_DEVICE;
	attr.query.prog_ids = (uint64_t)(uintptr_t)ids;
	attr.query.prog_cnt = max;
	return bpf(BPF_PROG_QUERY, &attr) < 0 ? -1 : (int)attr.query.prog_cnt;
}

static int detach(int cgroup, uint32_t id)
{
	union bpf_attr attr = {.prog_id = id};
	_fd_ int fd = bpf(BPF_PROG_GET_FD_BY_ID, &attr);

	if (fd < 0)
		return -1;
	struct bpf_prog_info info = {0};
	attr = (union bpf_attr){.info = {.bpf_fd = (uint32_t)fd,
					 .info_len = sizeof(info),
					 .info = (uint64_t)(uintptr_t)&info}};
	if (bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) < 0)
		return -1;
	if (strcmp(info.name, PROGRAM_NAME) != 0)
		return 0;
	attr = (union bpf_attr){.target_fd = (uint32_t)cgroup,
				.attach_bpf_fd = (uint32_t)fd,
				.attach_type = BPF_CGROUP_DEVICE};
	return bpf(BPF_PROG_DETACH, &attr);
}

int device_attach(int cgroup, const struct device_rules *rules)
{
	size_t max = 16 + rules->n * 10;
	_free_ struct bpf_insn *insns = calloc(max, sizeof(*insns));
	char license[] = "Apache-2.0";
	uint32_t old[16];

	if (!insns)
		return fail(ENOMEM, "linux.resources.devices");
	size_t n = device_program(rules, insns, max);
	union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
			       .insns = (uint64_t)(uintptr_t)insns,
			       .insn_cnt = (uint32_t)n,
			       .license = (uint64_t)(uintptr_t)license,
			       .prog_name = PROGRAM_NAME};
	_fd_ int prog = n > max ? -1 : bpf(BPF_PROG_LOAD, &attr);
	if (prog < 0)
		return fail(errno, "linux.resources.devices: cannot load the eBPF program");
	int had = attached(cgroup, old, ARRAY_SIZE(old));
	attr = (union bpf_attr){.target_fd = (uint32_t)cgroup,
				.attach_bpf_fd = (uint32_t)prog,
				.attach_type = BPF_CGROUP_DEVICE,
				.attach_flags = BPF_F_ALLOW_MULTI};
	/* All programs must agree, so the new one is on before the old ones go. */
	if (bpf(BPF_PROG_ATTACH, &attr) < 0)
		return fail(errno, "linux.resources.devices: cannot attach the eBPF program");
	for (int i = 0; i < had; i++)
		if (detach(cgroup, old[i]) < 0)
			return fail(errno,
				    "linux.resources.devices: cannot detach the old program");
	return 0;
}
