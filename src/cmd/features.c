/* features and spec: what this runtime is, without looking at the host. */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "casemate/error.h"
#include "casemate/fd.h"
#include "cmd.h"
#include "version.h"

static void list(struct json_out *w, const char *key, const char *(*name)(size_t))
{
	json_out_open(w, key, '[');
	for (size_t i = 0; name(i); i++)
		json_out_str(w, NULL, name(i));
	json_out_close(w);
}

static const char *hook_name(size_t i)
{
	return i < HOOK_KINDS ? hook_names[i] : NULL;
}

static const char *namespace_at(size_t i)
{
	static const char *const names[] = {"cgroup", "ipc",  "mount", "network",
					    "pid",    "time", "user",  "uts"};

	return i < ARRAY_SIZE(names) ? names[i] : NULL;
}

static const char *capability_at(size_t i)
{
	return capability_name((int)i);
}

static const char *no_flag(size_t i)
{
	return seccomp_flag_name(i);
}

static void enabled(struct json_out *w, const char *key, bool value)
{
	json_out_open(w, key, '{');
	json_out_bool(w, "enabled", value);
	json_out_close(w);
}

static void write_linux(struct json_out *w)
{
	static const struct {
		const char *key;
		bool value;
	} cgroup[] = {{"v1", true},
		      {"v2", true},
		      {"systemd", false},
		      {"systemdUser", false},
		      {"rdma", true}};

	json_out_open(w, "linux", '{');
	list(w, "namespaces", namespace_at);
	list(w, "capabilities", capability_at);
	json_out_open(w, "cgroup", '{');
	for (size_t i = 0; i < ARRAY_SIZE(cgroup); i++)
		json_out_bool(w, cgroup[i].key, cgroup[i].value);
	json_out_close(w);
	json_out_open(w, "seccomp", '{');
	json_out_bool(w, "enabled", true);
	list(w, "actions", seccomp_action_name);
	list(w, "operators", seccomp_operator_name);
	list(w, "archs", seccomp_arch_name);
	list(w, "knownFlags", no_flag);
	list(w, "supportedFlags", no_flag);
	json_out_close(w);
	enabled(w, "apparmor", true);
	enabled(w, "selinux", true);
	enabled(w, "intelRdt", false);
	json_out_open(w, "mountExtensions", '{');
	enabled(w, "idmap", true);
	json_out_close(w);
	enabled(w, "netDevices", false);
	json_out_close(w);
}

int cmd_features(struct arena *a, const struct options *o, int argc, char **argv, const char **id)
{
	const struct option_row rows[] = {{.kind = OPTION_END}};
	const struct scmp_version *v = seccomp_version();
	struct json_out *w = json_out_new(a, false);
	int r = options_none(a, "features", rows, argc, argv);

	(void)o;
	(void)id;
	if (r)
		return r > 0 ? 0 : -1;
	json_out_open(w, NULL, '{');
	json_out_str(w, "ociVersionMin", SPEC_VERSION_MIN);
	json_out_str(w, "ociVersionMax", SPEC_VERSION_MAX);
	list(w, "hooks", hook_name);
	list(w, "mountOptions", mount_option_name);
	write_linux(w);
	json_out_open(w, "annotations", '{');
	json_out_str(w, "io.github.casemate.version", PACKAGE_VERSION);
	json_out_str(w, "io.github.seccomp.libseccomp.version",
		     v ? arena_printf(a, "%u.%u.%u", v->major, v->minor, v->micro) : "unknown");
	json_out_close(w);
	/* Empty and not absent: no annotation changes anything here. */
	json_out_open(w, "potentiallyUnsafeConfigAnnotations", '[');
	json_out_close(w);
	json_out_close(w);
	return print_text(json_out_text(w, NULL));
}

int cmd_spec(struct arena *a, const struct options *o, int argc, char **argv, const char **id)
{
	const char *bundle = ".";
	bool rootless = false;
	const struct option_row rows[] = {
		{"bundle", 'b', OPTION_STRING, &bundle, "the bundle's folder (default: .)"},
		{"rootless", 0, OPTION_FLAG, &rootless,
		 "accepted: the config suits root and users"},
		{.kind = OPTION_END},
	};
	int r = options_none(a, "spec [options]", rows, argc, argv);

	(void)o;
	(void)id;
	(void)rootless;
	if (r)
		return r > 0 ? 0 : -1;
	_fd_ int dir = open(bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return fail(errno, "--bundle: cannot open %s", bundle);
	_fd_ int fd = openat(dir, "config.json", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return errno == EEXIST ? fail(0, "File config.json exists. Remove it first")
				       : fail(errno, "cannot create config.json");
	const char *text = spec_default_json(a);
	return fd_write_all(fd, text, strlen(text)) < 0 ? fail(errno, "cannot write config.json")
							: 0;
}
