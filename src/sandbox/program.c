/*
 * What is executed: process.args[0] is looked for in the container's PATH while
 * create can still say that it is not there; and the environment.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "internal.h"

static const char *env_get(const struct strv *env, const char *name)
{
	size_t n = strlen(name);
	const char *value = NULL;

	for (size_t i = 0; i < env->n; i++)
		if (strncmp(env->v[i], name, n) == 0 && env->v[i][n] == '=')
			value = env->v[i] + n + 1;
	return value;
}

/* 0 where it is there to be executed, else the errno that execvp(3) would give.
 * Whether this user may execute it is the kernel's to say. */
static int check(struct setup *s, const char *path)
{
	struct stat st;
	_fd_ int fd = rootfs_open(s->root, path, O_PATH, 0);

	if (fd < 0)
		return errno;
	if (fstat(fd, &st) < 0)
		return errno;
	return S_ISREG(st.st_mode) && st.st_mode & 0111 ? 0 : EACCES;
}

static int search(struct setup *s, const char *name)
{
	struct arena *a = s->spec->arena;
	const char *path = env_get(&s->process->env, "PATH");
	bool denied = false;

	/* execvp(3): the default where there is no PATH. */
	for (const char *p = path ? path : "/bin:/usr/bin";; p++) {
		size_t n = strcspn(p, ":");
		char *dir = n ? arena_strndup(a, p, n) : arena_strdup(a, s->process->cwd);
		char *full = *dir == '/' ? arena_printf(a, "%s/%s", dir, name)
					 : arena_printf(a, "%s/%s/%s", s->process->cwd, dir, name);
		int e = check(s, full);

		if (e == 0) {
			s->program = full;
			return 0;
		}
		denied = denied || e == EACCES;
		p += n;
		if (*p == '\0')
			break;
	}
	/* The engines turn exactly these words into exit status 127. */
	return denied ? fail(EACCES, "exec: \"%.1024s\"", name)
		      : fail(0, "exec: \"%.1024s\": executable file not found in $PATH", name);
}

int program_find(struct setup *s)
{
	struct arena *a = s->spec->arena;
	const struct spec_process *p = s->process;
	const char *name = p->args.v[0];
	struct strv argv = {0}, env = {0};

	if (!strchr(name, '/')) {
		if (search(s, name) < 0)
			return -1;
	} else {
		int e = check(s, *name == '/' ? name : arena_printf(a, "%s/%s", p->cwd, name));

		if (e)
			return fail(e, "exec: \"%.1024s\"", name);
		s->program = name;
	}
	strv_add(a, &argv, ""); /* the report descriptor, known last */
	strv_add(a, &argv, s->program);
	for (size_t i = 0; i < p->args.n; i++)
		strv_add(a, &argv, p->args.v[i]);
	/* Of a name that is given twice the last value counts, for getenv(3) too. */
	for (size_t i = 0; i < p->env.n; i++) {
		const char *key = arena_strndup(a, p->env.v[i], strcspn(p->env.v[i], "="));

		if (env_get(&p->env, key) == p->env.v[i] + strlen(key) + 1)
			strv_add(a, &env, p->env.v[i]);
	}
	/* The image's /etc/passwd is not asked: nobody vouches for it. */
	if (!env_get(&p->env, "HOME"))
		strv_add(a, &env, p->uid == 0 ? "HOME=/root" : "HOME=/");
	s->argv = argv.v;
	s->envp = env.v;
	return 0;
}
