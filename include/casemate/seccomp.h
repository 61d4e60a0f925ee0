/*
 * Seccomp filters: the config's, compiled by libseccomp and cached, and the
 * fixed one of the policy, which is stacked over it. Building filters makes no
 * system call but the cache's file reads and writes; loading is one call in
 * the container's process, the last before exec.
 */
#ifndef CASEMATE_SECCOMP_H
#define CASEMATE_SECCOMP_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>

#include "casemate/mem.h"
#include "casemate/spec.h"

struct seccomp_program {
	struct sock_filter *insns; /* in the arena */
	unsigned short n;	   /* 0: no filter */
	unsigned flags;		   /* SECCOMP_FILTER_FLAG_x for seccomp(2) */
};

/* What the fixed filter allows beyond its table; from the profile. */
struct seccomp_fixed {
	struct strv allow_families; /* names of address families, "AF_UNIX" */
	struct strv allow_syscalls; /* system calls taken out of the deny table */
};

/* Compiles linux.seccomp for this machine with libseccomp (binary tree where
 * it is smaller). Unknown names are left out, as runc does. A system call that
 * is newer than the newest one libseccomp and the profile know answers ENOSYS
 * and not the default action, where that is an errno. -1 with error. */
int seccomp_compile(struct arena *a, const struct spec_seccomp *sc, struct seccomp_program *out);

/* As seccomp_compile, but through the cache in directory dirfd (the state
 * root): a file .casemate-seccomp-HASH that holds the whole input it was made
 * from, compared byte for byte, the program and a checksum; used only when it
 * is a regular file of this user with mode 0600 in a directory that only this
 * user can write. Anything else is compiled anew and replaced; a cache that
 * cannot be written is no error. *hit (may be NULL) tells. */
int seccomp_lookup(struct arena *a, int dirfd, const struct spec_seccomp *sc,
		   struct seccomp_program *out, bool *hit);

/* Builds the fixed filter (rule seccomp) for this machine's native
 * architecture. -1 with error where a name in fixed is unknown. */
int seccomp_build_fixed(struct arena *a, const struct seccomp_fixed *fixed,
			struct seccomp_program *out);

/* Loads a program into the calling thread: seccomp(2), SECCOMP_SET_MODE_FILTER.
 * n == 0 does nothing. Needs no_new_privs or CAP_SYS_ADMIN. -1 with error. */
int seccomp_install(const struct seccomp_program *p);

/* What a program answers to a system call, by interpreting it: the
 * SECCOMP_RET_x value. For tests, and for knowing whether execveat passes. */
unsigned seccomp_interpret(const struct seccomp_program *p, int nr, unsigned arch,
			   const unsigned long long args[6]);

/* Names for `features`, NULL past the end. */
const char *seccomp_action_name(size_t i);
const char *seccomp_operator_name(size_t i);
const char *seccomp_arch_name(size_t i);
const char *seccomp_flag_name(size_t i);

#endif
