/* The top of config.json: version, root, hooks, annotations, and what the
 * sections have in common. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

int word_find(const struct word *words, size_t n, const char *where, const char *name,
	      unsigned long *value)
{
	char known[512] = "";
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		if (strcmp(words[i].name, name) == 0) {
			*value = words[i].value;
			return 0;
		}
		int w = snprintf(known + len, sizeof(known) - len, "%s%s", i ? ", " : "",
				 words[i].name);
		len += w > 0 && (size_t)w < sizeof(known) - len ? (size_t)w : 0;
	}
	fail(0, "%s: unknown value \"%s\"", where, name);
	return fail_hint("one of: %s", known);
}

int check_path(const char *where, const char *path)
{
	if (*path != '/')
		return fail(0, "%s: \"%s\" is not an absolute path", where, path);
	for (const char *p = path; (p = strstr(p, "..")); p += 2)
		if (p[-1] == '/' && (p[2] == '/' || p[2] == '\0'))
			return fail(0, "%s: \"%s\" has a \"..\"", where, path);
	return 0;
}

int refuse(struct json *o, const char *key, const char *where, const char *why)
{
	struct json *j = json_get(o, key);

	if (!j || ((j->type == JSON_OBJECT || j->type == JSON_ARRAY) && j->count == 0) ||
	    (j->type == JSON_STRING && *j->text == '\0'))
		return 0;
	fail(0, "%s: %s", where, why);
	return fail_hint("remove the property");
}

int read_kvs(struct arena *a, struct json *o, const char *where, struct kvs *out)
{
	json_each(item, o)
	{
		item->used = true;
		if (*item->key == '\0')
			return fail(0, "%s: a key is empty", where);
		if (item->type != JSON_STRING)
			return fail(0, "%s[%s]: expected a string", where, item->key);
		*vec_add(a, out) = (struct kv){item->key, item->text};
	}
	return 0;
}

/* 1.x up to the newest known minor, whatever follows ("1.2.0-dev"). */
static int check_version(const char *v)
{
	unsigned major, minor, patch;
	int n = 0;

	if (sscanf(v, "%u.%u.%u%n", &major, &minor, &patch, &n) != 3 ||
	    (v[n] && v[n] != '-' && v[n] != '+'))
		return fail(0, "ociVersion: \"%s\" is not a version", v);
	if (major != 1 || minor > 3) {
		fail(0, "ociVersion: %s is not supported", v);
		return fail_hint("versions from %s to %s are", SPEC_VERSION_MIN, SPEC_VERSION_MAX);
	}
	return 0;
}

static int read_root(struct spec *s, struct json *top)
{
	struct json *root;

	if (json_object(top, "root", "root", &root) < 0)
		return -1;
	if (!root)
		return fail(0, "root: is missing");
	if (json_str(root, "path", "root.path", true, &s->root_path) < 0 ||
	    json_bool(root, "readonly", "root.readonly", &s->root_readonly) < 0)
		return -1;
	return *s->root_path ? 0 : fail(0, "root.path: is empty");
}

static int read_hook(struct spec *s, struct json *o, struct spec_hook *h)
{
	bool has_timeout;
	struct arena *a = s->arena;

	if (o->type != JSON_OBJECT)
		return fail(0, "%s: expected an object", h->place);
	if (json_str(o, "path", arena_printf(a, "%s.path", h->place), true, &h->path) < 0 ||
	    json_strv(a, o, "args", arena_printf(a, "%s.args", h->place), &h->args) < 0 ||
	    json_strv(a, o, "env", arena_printf(a, "%s.env", h->place), &h->env) < 0 ||
	    json_int(o, "timeout", arena_printf(a, "%s.timeout", h->place), 1, INT32_MAX,
		     &has_timeout, &h->timeout) < 0)
		return -1;
	return check_path(arena_printf(a, "%s.path", h->place), h->path);
}

static int read_hooks(struct spec *s, struct json *top)
{
	struct json *hooks, *list;

	if (json_object(top, "hooks", "hooks", &hooks) < 0)
		return -1;
	for (int kind = 0; kind < HOOK_KINDS; kind++) {
		const char *where = arena_printf(s->arena, "hooks.%s", hook_names[kind]);
		size_t i = 0;

		if (json_array(hooks, hook_names[kind], where, &list) < 0)
			return -1;
		json_each(item, list)
		{
			struct spec_hook *h = vec_add(s->arena, &s->hooks[kind]);

			h->place = arena_printf(s->arena, "%s[%zu]", where, i++);
			if (read_hook(s, item, h) < 0)
				return -1;
		}
	}
	return 0;
}

static int check_hostname(const char *where, const char *name)
{
	if (name && (strlen(name) > 64 || strpbrk(name, "/\n\r\t ")))
		return fail(0, "%s: \"%s\" is not a host name of at most 64 bytes", where, name);
	return 0;
}

static int read_names(struct spec *s, struct json *top)
{
	struct json *o;

	if (json_str(top, "hostname", "hostname", false, &s->hostname) < 0 ||
	    json_str(top, "domainname", "domainname", false, &s->domainname) < 0 ||
	    check_hostname("hostname", s->hostname) < 0 ||
	    check_hostname("domainname", s->domainname) < 0 ||
	    json_object(top, "annotations", "annotations", &o) < 0)
		return -1;
	if (s->hostname && !*s->hostname)
		s->hostname = NULL;
	if (s->domainname && !*s->domainname)
		s->domainname = NULL;
	return read_kvs(s->arena, o, "annotations", &s->annotations);
}

static int refuse_others(struct json *top)
{
	static const char *const platforms[] = {"vm", "windows", "solaris", "zos", "freebsd"};

	for (size_t i = 0; i < ARRAY_SIZE(platforms); i++)
		if (refuse(top, platforms[i], platforms[i], "is not for Linux containers") < 0)
			return -1;
	return 0;
}

static struct json *parse_object(struct arena *a, const char *text, size_t len)
{
	struct json *top = json_parse(a, text, len);

	if (top && top->type != JSON_OBJECT) {
		fail(0, "expected an object");
		return NULL;
	}
	return top;
}

int spec_parse(struct arena *a, const char *text, size_t len, struct spec *out)
{
	struct json *top = parse_object(a, text, len), *o;

	*out = (struct spec){.arena = a};
	if (!top || json_str(top, "ociVersion", "ociVersion", true, &out->oci_version) < 0 ||
	    check_version(out->oci_version) < 0 || refuse_others(top) < 0 ||
	    read_root(out, top) < 0 || json_object(top, "process", "process", &o) < 0)
		return -1;
	out->has_process = o != NULL;
	if (o && read_process(a, o, "process", &out->process) < 0)
		return -1;
	if (json_array(top, "mounts", "mounts", &o) < 0 || read_mounts(out, o) < 0 ||
	    read_names(out, top) < 0 || read_hooks(out, top) < 0 ||
	    json_object(top, "linux", "linux", &o) < 0 || read_linux(out, o) < 0)
		return -1;
	/* runtime-spec, Extensibility: properties it does not define are no error. */
	json_unused(a, top, "", &out->unknown);
	return 0;
}

int spec_parse_process(struct arena *a, const char *text, size_t len, struct spec_process *out)
{
	struct json *o = parse_object(a, text, len);

	*out = (struct spec_process){0};
	return o ? read_process(a, o, "process", out) : -1;
}

int spec_parse_resources(struct arena *a, const char *text, size_t len, struct spec_resources *out)
{
	struct json *o = parse_object(a, text, len);

	*out = (struct spec_resources){0};
	return o ? read_resources(a, o, "resources", out) : -1;
}
