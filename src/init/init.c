/*
 * casemate-init: the program that a container's process is between the runtime
 * and the container's own program. It is there so that the runtime's binary is
 * never the image of a process that the container can see (CVE-2019-5736). It
 * has no library: static, a few hundred bytes, nothing to open.
 *
 * argv: the report descriptor's number ("": none), the path to execute, then the
 * program's own argv. On failure the errno value and the path are written to
 * the report descriptor, which an execve that succeeds closes.
 */
#include <asm/unistd.h>

enum { FD_CLOEXEC_ = 1, F_SETFD_ = 2, FIOCLEX_ = 0x5451 };

struct iovec {
	const void *base;
	unsigned long len;
};

#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n xor %ebp, %ebp\n mov %rsp, %rdi\n and $-16, %rsp\n call begin\n");
static long call3(long nr, long a, long b, long c)
{
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(nr), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return r;
}
#elif defined(__aarch64__)
__asm__(".globl _start\n_start:\n mov x29, #0\n mov x0, sp\n bl begin\n");
static long call3(long nr, long a, long b, long c)
{
	register long x8 __asm__("x8") = nr, x0 __asm__("x0") = a, x1 __asm__("x1") = b,
			 x2 __asm__("x2") = c;

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
	return x0;
}
#else
#error "casemate-init knows x86_64 and aarch64; add the entry and the system call here"
#endif

__attribute__((used)) _Noreturn void begin(long *stack)
{
	long argc = stack[0];
	char **argv = (char **)(stack + 1), **envp = argv + argc + 1;
	long report = -1;

	if (argc >= 3) {
		for (const char *p = argv[0]; *p; p++)
			report = (report < 0 ? 0 : report * 10) + (*p - '0');
		/* A filter may deny the one or the other; left open, the descriptor would
		 * be the program's, and the runtime would wait for it. */
		long r = report < 0 ? 0 : call3(__NR_fcntl, report, F_SETFD_, FD_CLOEXEC_);
		if (r != 0)
			r = call3(__NR_ioctl, report, FIOCLEX_, 0);
		if (r == 0)
			r = call3(__NR_execve, (long)argv[1], (long)(argv + 2), (long)envp);
		int errnum = (int)-r;
		unsigned long n = 0;

		while (argv[1][n])
			n++;
		struct iovec iov[2] = {{&errnum, sizeof(errnum)}, {argv[1], n}};
		call3(__NR_writev, report, (long)iov, 2);
	}
	for (;;)
		call3(__NR_exit_group, 127, 0, 0);
}
