/* linux.sysctl: only what the container's own namespaces hold is written. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

/* A trailing '.' means everything below. Whatever is not here is the host's,
 * also under a profile that has no rules. */
static const struct {
	const char *prefix;
	int namespace;
} namespaced[] = {
	{"net.", CLONE_NEWNET},
	{"fs.mqueue.", CLONE_NEWIPC},
	{"kernel.msgmax", CLONE_NEWIPC},
	{"kernel.msgmnb", CLONE_NEWIPC},
	{"kernel.msgmni", CLONE_NEWIPC},
	{"kernel.msg_next_id", CLONE_NEWIPC},
	{"kernel.sem", CLONE_NEWIPC},
	{"kernel.sem_next_id", CLONE_NEWIPC},
	{"kernel.shmall", CLONE_NEWIPC},
	{"kernel.shmmax", CLONE_NEWIPC},
	{"kernel.shmmni", CLONE_NEWIPC},
	{"kernel.shm_next_id", CLONE_NEWIPC},
	{"kernel.shm_rmid_forced", CLONE_NEWIPC},
	{"kernel.domainname", CLONE_NEWUTS},
	{"kernel.hostname", CLONE_NEWUTS},
};

/* As sysctl(8): the separator that comes first is the separator, the other one
 * is a letter ("net/ipv4/conf/eth0.1/…" and "net.ipv4.conf.eth0/1.…"). */
static char *key_with(struct arena *a, const char *key, char separator)
{
	char *k = arena_strdup(a, key);
	const char *first = strpbrk(key, "./");
	char other = separator == '/' ? '.' : '/';

	if (!first || *first == separator)
		return k;
	for (char *p = k; *p; p++)
		*p = *p == '.' || *p == '/' ? (*p == *first ? separator : other) : *p;
	return k;
}

static int namespace_of(struct arena *a, const char *key)
{
	const char *k = key_with(a, key, '.');

	for (size_t i = 0; i < ARRAY_SIZE(namespaced); i++) {
		size_t n = strlen(namespaced[i].prefix);

		if (namespaced[i].prefix[n - 1] == '.' ? strncmp(k, namespaced[i].prefix, n) == 0
						       : strcmp(k, namespaced[i].prefix) == 0)
			return namespaced[i].namespace;
	}
	return 0;
}

int sysctl_check(const struct spec *s)
{
	for (size_t i = 0; i < s->sysctl.n; i++) {
		const char *key = s->sysctl.v[i].key;
		int type = namespace_of(s->arena, key);

		if (type == 0) {
			fail(0, "linux.sysctl[%s]: is not namespaced and would change the host",
			     key);
			return fail_hint("set it on the host, or remove it");
		}
		if (!has_namespace(s, type)) {
			fail(0, "linux.sysctl[%s]: would change the host", key);
			return fail_hint("give the container a %s namespace of its own",
					 namespace_name(type));
		}
		/* A ".." cannot leave sys/, but could pick another namespace's key. */
		if (strstr(key_with(s->arena, key, '/'), ".."))
			return fail(EINVAL, "linux.sysctl[%s]", key);
	}
	return 0;
}

/* Group ids are those of who writes them. */
static const char *group_range(struct setup *s, const struct kv *kv)
{
	unsigned from, to;

	if (strcmp(key_with(s->spec->arena, kv->key, '.'), "net.ipv4.ping_group_range") != 0 ||
	    sscanf(kv->value, "%u %u", &from, &to) != 2 || from > to)
		return kv->value;
	return arena_printf(s->spec->arena, "%u %u", ids_host_group(s->spec, from),
			    ids_host_group(s->spec, to));
}

static int write_key(struct setup *s, const struct kv *kv, const char *value)
{
	struct arena *a = s->spec->arena;

	/* The host's procfs shows the keys of the namespaces that we are in. */
	return file_write(s->proc, arena_printf(a, "sys/%s", key_with(a, kv->key, '/')), value) < 0
		       ? fail_in("linux.sysctl[%s]", kv->key)
		       : 0;
}

static bool is_foreign(const struct setup *s, const struct kv *kv)
{
	return is_foreign_namespace(s->spec, namespace_of(s->spec->arena, kv->key));
}

int sysctl_set_joined(struct setup *s)
{
	for (size_t i = 0; i < s->spec->sysctl.n; i++) {
		const struct kv *kv = &s->spec->sysctl.v[i];

		if (is_foreign(s, kv) && write_key(s, kv, group_range(s, kv)) < 0)
			return -1;
	}
	return 0;
}

int sysctl_write(struct setup *s)
{
	s->sysctl_denied = arena_array(s->spec->arena, s->spec->sysctl.n, sizeof(bool));
	for (size_t i = 0; i < s->spec->sysctl.n; i++) {
		const struct kv *kv = &s->spec->sysctl.v[i];

		if (is_foreign(s, kv) || write_key(s, kv, kv->value) == 0)
			continue;
		if (error_last()->errnum != EACCES || !has_user_namespace(s->spec))
			return -1;
		s->sysctl_denied[i] = true;
		error_clear();
	}
	return 0;
}

int sysctl_again(struct setup *s)
{
	for (size_t i = 0; i < s->spec->sysctl.n; i++)
		if (s->sysctl_denied[i] &&
		    write_key(s, &s->spec->sysctl.v[i], s->spec->sysctl.v[i].value) < 0)
			return -1;
	return 0;
}
