/* config.json, process. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "internal.h"

/* (uid_t)-1 means "leave it" to setresuid, and a value that wraps would be root. */

static int read_id(struct json *o, const char *key, const char *where, uint32_t *out)
{
	uint64_t v = 0;

	if (json_uint(o, key, where, UINT32_MAX - 1, NULL, &v) < 0)
		return -1;
	*out = (uint32_t)v;
	return 0;
}

static int read_user(struct arena *a, struct json *o, const char *where, struct spec_process *p)
{
	const char *gids = arena_printf(a, "%s.additionalGids", where);
	struct json *list;
	uint64_t umask = 0;
	size_t i = 0;

	if (read_id(o, "uid", arena_printf(a, "%s.uid", where), &p->uid) < 0 ||
	    read_id(o, "gid", arena_printf(a, "%s.gid", where), &p->gid) < 0 ||
	    json_uint(o, "umask", arena_printf(a, "%s.umask", where), 0777, &p->has_umask, &umask) <
		    0 ||
	    json_array(o, "additionalGids", gids, &list) < 0)
		return -1;
	p->umask = (mode_t)umask;
	json_each(item, list)
	{
		struct json one = {.type = JSON_OBJECT, .first = &(struct json){0}, .count = 1};

		*one.first = *item;
		one.first->key = "";
		one.first->next = NULL;
		if (item->type == JSON_NULL)
			return fail(0, "%s[%zu]: is null", gids, i);
		if (read_id(&one, "", arena_printf(a, "%s[%zu]", gids, i),
			    vec_add(a, &p->additional_gids)) < 0)
			return -1;
		i++;
	}
	/* "username" is for Windows. */
	return refuse(o, "username", arena_printf(a, "%s.username", where),
		      "is for Windows; give uid and gid");
}

static int read_caps(struct arena *a, struct json *o, const char *where, struct spec_caps *c)
{
	const struct {
		const char *key;
		uint64_t *set;
	} sets[] = {{"bounding", &c->bounding},
		    {"effective", &c->effective},
		    {"inheritable", &c->inheritable},
		    {"permitted", &c->permitted},
		    {"ambient", &c->ambient}};

	c->present = o != NULL;
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		struct strv names = {0};

		if (json_strv(a, o, sets[i].key, arena_printf(a, "%s.%s", where, sets[i].key),
			      &names) < 0)
			return -1;
		for (size_t j = 0; j < names.n; j++) {
			int n = capability_number(names.v[j]);

			if (n >= 0)
				*sets[i].set |= 1ULL << n;
			else if (!strv_has(&c->unknown, names.v[j]))
				strv_add(a, &c->unknown, names.v[j]);
		}
	}
	return 0;
}

static const struct word rlimit_names[] = {
	{"RLIMIT_AS", RLIMIT_AS},
	{"RLIMIT_CORE", RLIMIT_CORE},
	{"RLIMIT_CPU", RLIMIT_CPU},
	{"RLIMIT_DATA", RLIMIT_DATA},
	{"RLIMIT_FSIZE", RLIMIT_FSIZE},
	{"RLIMIT_LOCKS", RLIMIT_LOCKS},
	{"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
	{"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
	{"RLIMIT_NICE", RLIMIT_NICE},
	{"RLIMIT_NOFILE", RLIMIT_NOFILE},
	{"RLIMIT_NPROC", RLIMIT_NPROC},
	{"RLIMIT_RSS", RLIMIT_RSS},
	{"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
	{"RLIMIT_RTTIME", RLIMIT_RTTIME},
	{"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
	{"RLIMIT_STACK", RLIMIT_STACK},
};

static int read_rlimit(struct arena *a, struct json *o, const char *where, struct spec_process *p)
{
	struct spec_rlimit r = {0};
	unsigned long resource;
	bool has_soft, has_hard;

	if (o->type != JSON_OBJECT)
		return fail(0, "%s: expected an object", where);
	if (json_str(o, "type", arena_printf(a, "%s.type", where), true, &r.name) < 0 ||
	    word_find(rlimit_names, ARRAY_SIZE(rlimit_names), arena_printf(a, "%s.type", where),
		      r.name, &resource) < 0 ||
	    json_uint(o, "soft", arena_printf(a, "%s.soft", where), UINT64_MAX, &has_soft,
		      &r.soft) < 0 ||
	    json_uint(o, "hard", arena_printf(a, "%s.hard", where), UINT64_MAX, &has_hard,
		      &r.hard) < 0)
		return -1;
	if (!has_soft || !has_hard)
		return fail(0, "%s: needs soft and hard", where);
	if (r.soft > r.hard)
		return fail(0, "%s: soft %llu is above hard %llu", where,
			    (unsigned long long)r.soft, (unsigned long long)r.hard);
	r.resource = (int)resource;
	for (size_t i = 0; i < p->rlimits.n; i++)
		if (p->rlimits.v[i].resource == r.resource)
			return fail(0, "%s: %s is given twice", where, r.name);
	*vec_add(a, &p->rlimits) = r;
	return 0;
}

static int read_rlimits(struct arena *a, struct json *o, const char *where, struct spec_process *p)
{
	struct json *list;
	size_t i = 0;

	if (json_array(o, "rlimits", where, &list) < 0)
		return -1;
	json_each(item, list) if (read_rlimit(a, item, arena_printf(a, "%s[%zu]", where, i++), p) <
				  0) return -1;
	return 0;
}

static int read_console(struct arena *a, struct json *o, const char *where, struct spec_process *p)
{
	struct json *size;
	uint64_t width = 0, height = 0;

	if (json_object(o, "consoleSize", where, &size) < 0 ||
	    json_uint(size, "width", arena_printf(a, "%s.width", where), UINT16_MAX, NULL, &width) <
		    0 ||
	    json_uint(size, "height", arena_printf(a, "%s.height", where), UINT16_MAX, NULL,
		      &height) < 0)
		return -1;
	p->console_width = (uint16_t)width;
	p->console_height = (uint16_t)height;
	return 0;
}

static int check_env(const char *where, const struct strv *env)
{
	for (size_t i = 0; i < env->n; i++)
		if (env->v[i][0] == '=' || !strchr(env->v[i], '='))
			return fail(0, "%s[%zu]: \"%s\" is not NAME=value", where, i, env->v[i]);
	return 0;
}

static int read_label(struct arena *a, struct json *o, const char *where, const char *key,
		      const char **out)
{
	if (json_str(o, key, arena_printf(a, "%s.%s", where, key), false, out) < 0)
		return -1;
	/* Engines send "" where there is none. */
	if (*out && **out == '\0')
		*out = NULL;
	return 0;
}

static int read_program(struct arena *a, struct json *o, const char *where, struct spec_process *p)
{
	const char *cwd = arena_printf(a, "%s.cwd", where);
	const char *args = arena_printf(a, "%s.args", where);
	const char *env = arena_printf(a, "%s.env", where);

	if (json_str(o, "cwd", cwd, true, &p->cwd) < 0 ||
	    json_strv(a, o, "args", args, &p->args) < 0 ||
	    json_strv(a, o, "env", env, &p->env) < 0 || check_env(env, &p->env) < 0 ||
	    refuse(o, "commandLine", arena_printf(a, "%s.commandLine", where),
		   "is for Windows; give args") < 0)
		return -1;
	if (*p->cwd != '/')
		return fail(0, "%s: \"%s\" is not an absolute path", cwd, p->cwd);
	if (p->args.n == 0 || *p->args.v[0] == '\0')
		return fail(0, "%s: needs at least the program to execute", args);
	return 0;
}

int read_process(struct arena *a, struct json *o, const char *where, struct spec_process *p)
{
	struct json *user, *caps;
	int64_t oom = 0;

	if (json_bool(o, "terminal", arena_printf(a, "%s.terminal", where), &p->terminal) < 0 ||
	    read_console(a, o, arena_printf(a, "%s.consoleSize", where), p) < 0 ||
	    json_object(o, "user", arena_printf(a, "%s.user", where), &user) < 0 ||
	    read_user(a, user, arena_printf(a, "%s.user", where), p) < 0 ||
	    read_program(a, o, where, p) < 0 ||
	    json_object(o, "capabilities", arena_printf(a, "%s.capabilities", where), &caps) < 0 ||
	    read_caps(a, caps, arena_printf(a, "%s.capabilities", where), &p->caps) < 0 ||
	    read_rlimits(a, o, arena_printf(a, "%s.rlimits", where), p) < 0 ||
	    json_bool(o, "noNewPrivileges", arena_printf(a, "%s.noNewPrivileges", where),
		      &p->no_new_privileges) < 0 ||
	    read_label(a, o, where, "apparmorProfile", &p->apparmor_profile) < 0 ||
	    read_label(a, o, where, "selinuxLabel", &p->selinux_label) < 0 ||
	    json_int(o, "oomScoreAdj", arena_printf(a, "%s.oomScoreAdj", where), -1000, 1000,
		     &p->has_oom_score_adj, &oom) < 0)
		return -1;
	p->oom_score_adj = (int)oom;
	if (refuse(o, "scheduler", arena_printf(a, "%s.scheduler", where),
		   "is not supported by this version") < 0 ||
	    refuse(o, "ioPriority", arena_printf(a, "%s.ioPriority", where),
		   "is not supported by this version") < 0)
		return -1;
	return refuse(o, "execCPUAffinity", arena_printf(a, "%s.execCPUAffinity", where),
		      "is not supported by this version");
}
