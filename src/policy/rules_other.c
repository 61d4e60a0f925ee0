/* Rules on what goes around config.json: annotations and hooks. */
#include <string.h>

#include "internal.h"

/* What crun, runc, systemd, CRIU, krun, Kata and gVisor read out of annotations. */
static const char *const foreign[] = {
	"run.oci.",	"org.systemd.property.", "org.criu.",	"krun.",
	"module.wasm.", "io.katacontainers.",	 "dev.gvisor.",
};

RULE(rule_annotations)
{
	const struct judge j = {p, action, RULE_ANNOTATIONS, f};

	for (size_t i = 0; i < s->annotations.n; i++) {
		const char *key = s->annotations.v[i].key;
		const char *place = arena_printf(f->arena, "annotations[%s]", key);
		bool known = false;

		for (size_t k = 0; k < ARRAY_SIZE(foreign); k++)
			known |= strncmp(key, foreign[k], strlen(foreign[k])) == 0;
		if (!known || list_matches(&p->annotations_allow, key))
			continue;
		if (action == POLICY_DENY)
			judge_request(&j, place, s->annotations.v[i].value,
				      "remove it, or add it to annotations.allow of the profile",
				      "an annotation that another runtime acts on");
		else
			judge_note(&j, FINDING_IGNORED, place, NULL,
				   "an annotation that another runtime acts on has no effect here");
	}
}

/* Where everybody may make files, a path says nothing about who made it. */
static const char *const open_dirs[] = {"/tmp", "/var/tmp", "/dev/shm", "/home", "/run/user"};

static const char *hook_fault(const struct judge *j, const struct spec_hook *h)
{
	const char *path = path_clean(j->f->arena, h->path);

	if (h->file.gathered)
		return h->file.trusted ? NULL : h->file.why ? h->file.why : "it is not trusted";
	for (size_t i = 0; i < ARRAY_SIZE(open_dirs); i++)
		if (path_within(path, open_dirs[i]))
			return arena_printf(j->f->arena, "%s is for users' files", open_dirs[i]);
	return NULL;
}

/* A hook runs as root on the host: who can write its file has the host. */
RULE(rule_hooks)
{
	const struct judge j = {p, action, RULE_HOOKS, f};

	for (int kind = 0; kind < HOOK_KINDS; kind++) {
		for (size_t i = 0; i < s->hooks[kind].n; i++) {
			const struct spec_hook *h = &s->hooks[kind].v[i];
			const char *fault = hook_fault(&j, h);

			if (fault && !strv_has(&p->hooks_allow, h->path))
				judge_request(&j, h->place, h->path,
					      "give the file and each folder above it to root, "
					      "writable by nobody else, or add the path to "
					      "hooks.allow of the profile",
					      "hook %s could be changed by somebody else: %s",
					      h->path, fault);
		}
	}
}
