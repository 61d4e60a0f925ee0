/* Classic BPF as seccomp runs it, for tests and for questions to a filter. */
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>

#include "casemate/seccomp.h"

static bool jump_taken(unsigned op, uint32_t acc, uint32_t k)
{
	switch (op) {
	case BPF_JEQ:
		return acc == k;
	case BPF_JGT:
		return acc > k;
	case BPF_JGE:
		return acc >= k;
	default: /* BPF_JSET */
		return acc & k;
	}
}

unsigned seccomp_interpret(const struct seccomp_program *p, int nr, unsigned arch,
			   const unsigned long long args[6])
{
	struct seccomp_data data = {.nr = nr, .arch = arch};
	uint32_t acc = 0;

	for (int i = 0; i < 6; i++)
		data.args[i] = args[i];
	for (size_t pc = 0; pc < p->n; pc++) {
		const struct sock_filter *f = &p->insns[pc];

		switch (f->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			if (f->k > sizeof(data) - sizeof(acc))
				return SECCOMP_RET_KILL_PROCESS;
			memcpy(&acc, (char *)&data + f->k, sizeof(acc));
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			acc &= f->k;
			break;
		case BPF_JMP | BPF_JA:
			pc += f->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
		case BPF_JMP | BPF_JGT | BPF_K:
		case BPF_JMP | BPF_JGE | BPF_K:
		case BPF_JMP | BPF_JSET | BPF_K:
			pc += jump_taken(BPF_OP(f->code), acc, f->k) ? f->jt : f->jf;
			break;
		case BPF_RET | BPF_K:
			return f->k;
		default:
			return SECCOMP_RET_KILL_PROCESS;
		}
	}
	return SECCOMP_RET_KILL_PROCESS;
}
