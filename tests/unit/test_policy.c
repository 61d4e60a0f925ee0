/* Every rule under every action, and the configs that engines really send. */
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>
#undef fail /* the project's own is meant below */

#include "casemate/error.h"
#include "casemate/fd.h"
#include "casemate/policy.h"

#define reject(...) (print_error(__VA_ARGS__), assert_true(0))

static struct arena *a;
static const char *srcdir;
static char profiles[] = "/run/casemate-unit.XXXXXX";

static int set_up(void **state)
{
	(void)state;
	a = arena_new();
	srcdir = getenv("SRCDIR") ? getenv("SRCDIR") : ".";
	/* The source may be where others can write, which no profile may be. */
	if (geteuid() != 0 || !mkdtemp(profiles)) {
		snprintf(profiles, sizeof(profiles), "none");
		return 0;
	}
	return system(arena_printf(a,
				   "cp -r --no-preserve=ownership '%s/profiles' %s && chmod -R "
				   "u=rwX,go=rX %s",
				   srcdir, profiles, profiles));
}

static int tear_down(void **state)
{
	(void)state;
	int r = *profiles == '/' ? system(arena_printf(a, "rm -rf %s", profiles)) : 0;

	arena_free(a);
	return r;
}

static struct profile load(const char *name)
{
	struct profile p;
	char real[4096];
	const char *dir = *profiles == '/' ? profiles : srcdir;

	assert_non_null(realpath(arena_printf(a, "%s/profiles/%s.json", dir, name), real));
	if (profile_load(a, arena_strdup(a, real), &p) < 0) {
		if (*profiles != '/' && strstr(error_last()->message, "changed by others"))
			skip();
		reject("%s%s", error_last()->context, error_last()->message);
	}
	return p;
}

static struct spec read_docker(void)
{
	struct spec s;
	char *text = file_read(a, AT_FDCWD, arena_printf(a, "%s/tests/unit/docker.json", srcdir),
			       1 << 20, NULL);

	assert_non_null(text);
	assert_int_equal(spec_parse(a, text, strlen(text), &s), 0);
	return s;
}

static struct spec read_config(const char *text)
{
	struct spec s;

	if (spec_parse(a, text, strlen(text), &s) < 0)
		reject("%s%s", error_last()->context, error_last()->message);
	return s;
}

static const struct finding *find(const struct findings *f, const char *rule)
{
	for (size_t i = 0; i < f->n; i++)
		if (strcmp(f->v[i].rule, rule) == 0)
			return &f->v[i];
	return NULL;
}

#define ALL_NS                                                                                     \
	"{\"type\":\"pid\"},{\"type\":\"network\"},{\"type\":\"ipc\"},{\"type\":\"uts\"},{"        \
	"\"type\":"                                                                                \
	"\"mount\"},{\"type\":\"cgroup\"}"

/* For each rule: a config that it objects to, whether a person asked for that,
 * and how to see that it was tightened. */
static bool no_root(const struct spec *s)
{
	return s->process.uid == 65532 && s->process.gid == 65532 &&
	       s->process.additional_gids.n == 1;
}
static bool has_nnp(const struct spec *s)
{
	return s->process.no_new_privileges;
}
static bool no_caps(const struct spec *s)
{
	const struct spec_caps *c = &s->process.caps;

	return !(c->bounding | c->effective | c->permitted | c->inheritable | c->ambient);
}
static bool filtered(const struct spec *s)
{
	return s->seccomp.present && s->seccomp.default_action == SCMP_ACT_ERRNO(1) &&
	       s->seccomp.rules.n > 0 && s->seccomp_fixed;
}
static bool readonly(const struct spec *s)
{
	return s->root_readonly;
}
static bool nosuid(const struct spec *s)
{
	return s->root_attr == (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
}
static bool private(const struct spec *s)
{
	return s->rootfs_propagation == MS_PRIVATE;
}
static bool safe_mount(const struct spec *s)
{
	for (size_t i = 0; i < s->mounts.n; i++)
		if (strcmp(s->mounts.v[i].destination, "/m") == 0)
			return (s->mounts.v[i].opt.attr_set &
				(MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)) ==
			       (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	return false;
}
static bool has_dev(const struct spec *s)
{
	return s->mounts.n > 0 && strcmp(s->mounts.v[0].destination, "/dev") == 0 &&
	       strcmp(s->mounts.v[0].type, "tmpfs") == 0;
}
static bool kcore_masked(const struct spec *s)
{
	return strv_has(&s->masked_paths, "/proc/kcore") && strv_has(&s->masked_paths, "/x");
}
static bool sys_readonly(const struct spec *s)
{
	return strv_has(&s->readonly_paths, "/proc/sys");
}
static bool no_core(const struct spec *s)
{
	for (size_t i = 0; i < s->process.rlimits.n; i++)
		if (s->process.rlimits.v[i].resource == RLIMIT_CORE)
			return s->process.rlimits.v[i].hard == 0 &&
			       s->process.rlimits.v[i].soft == 0;
	return false;
}
static bool pids_limited(const struct spec *s)
{
	return s->resources.pids_limit.set && s->resources.pids_limit.v == 512;
}
static const struct spec_mount *first_mount(const struct spec *s, const char *destination)
{
	for (size_t i = 0; i < s->mounts.n; i++)
		if (strcmp(s->mounts.v[i].destination, destination) == 0)
			return &s->mounts.v[i];
	return NULL;
}
static bool private_mount(const struct spec *s)
{
	return first_mount(s, "/m")->opt.propagation == MS_PRIVATE;
}
static bool recursive_ro(const struct spec *s)
{
	return first_mount(s, "/m")->opt.rec_attr_set & MOUNT_ATTR_RDONLY;
}
static bool sealed_sys(const struct spec *s)
{
	const uint64_t want = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC;

	return (first_mount(s, "/sys")->opt.attr_set & want) == want &&
	       !(first_mount(s, "/sys")->opt.attr_clear & want);
}
static bool limits_capped(const struct spec *s)
{
	return s->process.rlimits.v[0].hard == 1048576 && s->process.rlimits.v[0].soft == 5 &&
	       s->process.rlimits.v[1].hard == 65536;
}
/* A user namespace whose ids are not the host's, and not yet any. */
static bool own_ids(const struct spec *s)
{
	const struct spec_namespace *ns = spec_namespace(s, CLONE_NEWUSER);

	return ns && !ns->path && s->own_ids && s->uid_maps.n == 1 && s->gid_maps.n == 1 &&
	       s->uid_maps.v[0].host == UINT32_MAX && s->gid_maps.v[0].size == ID_RANGE;
}

static bool ping_clamped(const struct spec *s)
{
	return strcmp(s->sysctl.v[0].value, "0 65535") == 0;
}

static bool own_cgroupns(const struct spec *s)
{
	return spec_namespace(s, CLONE_NEWCGROUP) != NULL;
}

static const struct {
	enum rule_id rule;
	const char *process, *namespaces, *linux_part, *rest;
	bool request;
	bool (*tightened)(const struct spec *s);
} rows[] = {
	{RULE_USER_NONROOT, ",\"user\":{\"uid\":0,\"gid\":0,\"additionalGids\":[0,7]}", ALL_NS, "",
	 "", false, no_root},
	{RULE_NO_NEW_PRIVILEGES, ",\"noNewPrivileges\":false", ALL_NS, "", "", false, has_nnp},
	{RULE_CAPABILITIES,
	 ",\"capabilities\":{\"bounding\":[\"CAP_CHOWN\"],\"ambient\":[\"CAP_KILL\"]}", ALL_NS, "",
	 "", false, no_caps},
	{RULE_CAPABILITIES, ",\"capabilities\":{\"effective\":[\"CAP_SYS_ADMIN\"]}", ALL_NS, "", "",
	 true, NULL},
	{RULE_SECCOMP, "", ALL_NS, "", "", false, filtered},
	{RULE_SECCOMP, "", ALL_NS, ",\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\"}", "", false,
	 filtered},
	{RULE_NAMESPACES, "", "{\"type\":\"mount\"}", "", "", true, NULL},
	{RULE_NAMESPACES, "",
	 "{\"type\":\"pid\",\"path\":\"/proc/9/ns/"
	 "pid\"},{\"type\":\"network\"},{\"type\":\"ipc\"},{"
	 "\"type\":\"uts\"},{\"type\":\"mount\"},{\"type\":\"cgroup\"}",
	 "", "", true, NULL},
	{RULE_NAMESPACES, "",
	 "{\"type\":\"pid\"},{\"type\":\"network\"},{\"type\":\"ipc\"},{\"type\":\"uts\"},{"
	 "\"type\":"
	 "\"mount\"}",
	 "", "", false, own_cgroupns},
	{RULE_USER_NAMESPACE, "", ALL_NS ",{\"type\":\"user\"}",
	 ",\"uidMappings\":[{\"containerID\":0,\"hostID\":0,\"size\":1}],\"gidMappings\":[{"
	 "\"containerID\":0,\"hostID\":1,\"size\":1}]",
	 "", true, NULL},
	{RULE_USER_NAMESPACE, "", ALL_NS, "", "", false, own_ids},
	/* The pool's last id, and one below the pool beside it. */
	{RULE_USER_NAMESPACE, "", ALL_NS ",{\"type\":\"user\"}",
	 ",\"uidMappings\":[{\"containerID\":0,\"hostID\":2147352575,\"size\":2}],\"gidMappings\":"
	 "[{\"containerID\":0,\"hostID\":2000224255,\"size\":1}]",
	 "", true, NULL},
	{RULE_SYSCTL, "", ALL_NS ",{\"type\":\"user\"}",
	 ",\"uidMappings\":[{\"containerID\":0,\"hostID\":300000,\"size\":65536}],\"gidMappings\":["
	 "{"
	 "\"containerID\":0,\"hostID\":300000,\"size\":65536}],"
	 "\"sysctl\":{\"net.ipv4.ping_group_range\":\"0 4294967296\"}",
	 "", false, ping_clamped},
	{RULE_ROOTFS_READONLY, "", ALL_NS, "", ",\"root\":{\"path\":\"r\"}", false, readonly},
	{RULE_ROOTFS_NOSUID, "", ALL_NS, "", "", false, nosuid},
	{RULE_MOUNTS_SOURCE, "", ALL_NS, "",
	 ",\"mounts\":[{\"destination\":\"/m\",\"type\":\"ext4\",\"source\":\"/dev/sda\"}]", true,
	 NULL},
	{RULE_MOUNTS_FLAGS, "", ALL_NS, "",
	 ",\"mounts\":[{\"destination\":\"/m\",\"type\":\"tmpfs\",\"options\":[\"suid\",\"dev\"]}]",
	 false, safe_mount},
	{RULE_MOUNTS_PROPAGATION, "", ALL_NS, ",\"rootfsPropagation\":\"slave\"", "", false,
	 private},
	{RULE_MOUNTS_PROPAGATION, "", ALL_NS, ",\"rootfsPropagation\":\"shared\"", "", true, NULL},
	{RULE_DEV, "", ALL_NS, "", "", false, has_dev},
	{RULE_DEV, "", ALL_NS, "",
	 ",\"mounts\":[{\"destination\":\"/dev\",\"type\":\"bind\",\"source\":\"/dev\"}]", true,
	 NULL},
	{RULE_DEV, "", ALL_NS, "",
	 ",\"mounts\":[{\"destination\":\"/dev\",\"type\":\"tmpfs\"},{\"destination\":\"/dev/.\","
	 "\"source\":\"/srv\",\"options\":[\"bind\"]}]",
	 true, NULL},
	{RULE_DEVICES, "", ALL_NS,
	 ",\"devices\":[{\"path\":\"/dev/null\",\"type\":\"b\",\"major\":8,\"minor\":0}]", "", true,
	 NULL},
	{RULE_DEVICES, "", ALL_NS,
	 ",\"resources\":{\"devices\":[{\"allow\":true,\"access\":\"rwm\"}]}", "", true, NULL},
	{RULE_PATHS_MASKED, "", ALL_NS, ",\"maskedPaths\":[\"/x\"]", "", false, kcore_masked},
	{RULE_PATHS_READONLY, "", ALL_NS, "", "", false, sys_readonly},
	{RULE_SYSCTL, "", ALL_NS, ",\"sysctl\":{\"kernel.shmmax\":\"1\"}", "", true, NULL},
	{RULE_RLIMITS, ",\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"soft\":1,\"hard\":5}]", ALL_NS,
	 "", "", false, no_core},
	{RULE_RESOURCES, "", ALL_NS, ",\"resources\":{\"pids\":{\"limit\":-1}}", "", false,
	 pids_limited},
	{RULE_SECCOMP, "", ALL_NS, ",\"seccomp\":{\"defaultAction\":\"SCMP_ACT_LOG\"}", "", false,
	 filtered},
	{RULE_USER_NAMESPACE, "", ALL_NS ",{\"type\":\"user\"}",
	 ",\"uidMappings\":[{\"containerID\":0,\"hostID\":1,\"size\":1}],\"gidMappings\":[{"
	 "\"containerID\":5,\"hostID\":0,\"size\":1}]",
	 "", true, NULL},
	{RULE_MOUNTS_PROPAGATION, "", ALL_NS, "",
	 ",\"mounts\":[{\"destination\":\"/m\",\"type\":\"tmpfs\",\"options\":[\"rshared\"]}]",
	 true, NULL},
	{RULE_MOUNTS_PROPAGATION, "", ALL_NS, "",
	 ",\"mounts\":[{\"destination\":\"/m\",\"type\":\"tmpfs\",\"options\":[\"rslave\"]}]",
	 false, private_mount},
	{RULE_MOUNTS_FLAGS, "", ALL_NS, "",
	 ",\"mounts\":[{\"destination\":\"/m\",\"source\":\"/srv\",\"options\":[\"rbind\",\"ro\","
	 "\"rnosuid\",\"rnodev\",\"nosuid\",\"nodev\"]}]",
	 false, recursive_ro},
	{RULE_MOUNTS_FLAGS, "", ALL_NS, "",
	 ",\"mounts\":[{\"destination\":\"/"
	 "sys\",\"type\":\"sysfs\",\"options\":[\"rw\",\"exec\"]}]",
	 false, sealed_sys},
	{RULE_MOUNTS_FLAGS, "", ALL_NS, "",
	 ",\"mounts\":[{\"destination\":\"/sys\",\"options\":[\"remount\",\"rw\"]}]", true, NULL},
	{RULE_MOUNTS_SOURCE, "", ALL_NS, "",
	 ",\"mounts\":[{\"destination\":\"/m\",\"type\":\"proc\"}]", true, NULL},
	{RULE_RLIMITS,
	 ",\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"soft\":5,\"hard\":9999999},"
	 "{\"type\":\"RLIMIT_NPROC\",\"soft\":99999,\"hard\":99999}]",
	 ALL_NS, "", "", false, limits_capped},
	{RULE_ANNOTATIONS, "", ALL_NS, "", ",\"annotations\":{\"run.oci.handler\":\"krun\"}", false,
	 NULL},
};

/* JSON does not allow a key twice: what a row replaces goes first. */
static struct spec row_spec(size_t i)
{
	const char *process = rows[i].process;
	const char *text = arena_printf(
		a,
		"{\"ociVersion\":\"1.2.0\"%s%s,\"process\":{\"cwd\":\"/\",\"args\":["
		"\"a\"]%s%s%s},\"linux\":{\"namespaces\":[%s]%s}}",
		strstr(rows[i].rest, "\"root\"") ? ""
						 : ",\"root\":{\"path\":\"r\","
						   "\"readonly\":true}",
		rows[i].rest, strstr(process, "noNewPriv") ? "" : ",\"noNewPrivileges\":true",
		strstr(process, "\"user\"") ? "" : ",\"user\":{\"uid\":5,\"gid\":5}", process,
		rows[i].namespaces, rows[i].linux_part);

	return read_config(text);
}

static void test_rules(void **state)
{
	struct profile restricted = load("restricted"), base = load("unconfined");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *id = policy_rules[rows[i].rule].id;

		for (int action = POLICY_ENFORCE; action <= POLICY_OFF; action++) {
			struct profile p = base;
			struct spec s = row_spec(i);
			struct findings f = {.arena = a};

			p.action[rows[i].rule] = (enum policy_action)action;
			p.seccomp = restricted.seccomp;
			int refused = policy_apply(&p, &s, &f);
			const struct finding *x = find(&f, id);
			bool want_refused = action == POLICY_DENY ||
					    (action == POLICY_ENFORCE && rows[i].request);
			bool want_tight =
				action == POLICY_ENFORCE && !rows[i].request && rows[i].tightened;

			if ((refused > 0) != want_refused)
				reject("%s, row %zu, %s: %d refusals\n", id, i,
				       policy_action_names[action], refused);
			if ((x != NULL) != (action != POLICY_OFF))
				reject("%s, row %zu, %s: finding\n", id, i,
				       policy_action_names[action]);
			if (rows[i].tightened && rows[i].tightened(&s) != want_tight)
				reject("%s, row %zu, %s: tightened\n", id, i,
				       policy_action_names[action]);
		}
	}
}

/* What dockerd sends for "docker run" and nothing else starts, tightened. */
static void test_docker_default(void **state)
{
	struct profile p = load("restricted");
	struct spec s = read_docker();
	struct findings f = {.arena = a};

	(void)state;
	if (policy_apply(&p, &s, &f) != 0) {
		policy_fail(&p, &f);
		reject("%s\n", error_last()->message);
	}
	assert_int_equal(s.process.uid, 65532);
	assert_true(no_caps(&s) && has_nnp(&s) && nosuid(&s) && s.root_readonly && s.seccomp_fixed);
	/* Docker's own filter stays, the fixed one goes over it. */
	assert_true(s.seccomp.archs.n == 3);
	assert_non_null(find(&f, "capabilities"));
}

/* --privileged: refused by several rules, all of them told. */
static void test_privileged(void **state)
{
	struct profile p = load("restricted");
	struct spec s = read_docker();
	struct findings f = {.arena = a};

	(void)state;
	s.process.caps.bounding = s.process.caps.effective = s.process.caps.permitted =
		(1ULL << 41) - 1;
	s.masked_paths.n = s.readonly_paths.n = 0;
	s.seccomp = (struct spec_seccomp){0};
	*vec_add(a, &s.resources.devices) = (struct spec_device_rule){true, 'a', -1, -1, 7};
	*vec_add(a, &s.devices) = (struct spec_device){.place = "linux.devices[0] (/dev/sda)",
						       .path = "/dev/sda",
						       .type = 'b',
						       .major = 8};
	assert_int_equal(policy_apply(&p, &s, &f), 3);
	policy_fail(&p, &f);
	assert_non_null(strstr(error_last()->message, "rule capabilities"));
	assert_non_null(strstr(error_last()->message, "rule devices"));
	assert_non_null(strstr(error_last()->message, "permission denied"));
	assert_non_null(strstr(error_last()->message, "hint: "));
}

static void test_unconfined(void **state)
{
	struct profile p = load("unconfined");
	struct spec s = read_docker(), before = s;
	struct findings f = {.arena = a};

	(void)state;
	assert_int_equal(policy_apply(&p, &s, &f), 0);
	assert_int_equal(f.n, 0);
	assert_memory_equal(&s, &before, sizeof(s));
}

static void test_sources(void **state)
{
	static const struct {
		const char *path;
		bool refused;
	} paths[] = {
		{"/", true},
		{"/etc", true},
		{"/etc/passwd", true},
		{"/etcetera", false},
		{"/var", true},
		{"/var/lib", true},
		{"/var/lib/x", true},
		{"/var/www", false},
		{"/usr/share/zoneinfo", false},
		{"/usr/share", true},
		{"/srv/data", false},
		{"/home/u/project", false},
		{"/home/u/.ssh", true},
		{"/home/u/.ssh/id", true},
		{"/home/u/.sshx", false},
		{"/root/x", true},
		{"/run/docker.sock", true},
		{"/lib64/x", true},
		{"/var/lib/docker/volumes/v/_data", false},
		{"/data/engine/volumes/v/_data/sub", false},
		{"/var/lib/docker/volumes/v", true},
		{"/var/lib/docker/volumes/v/_database", true},
		{"/var/lib/docker/containers/"
		 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef/hosts",
		 false},
		{"/var/lib/docker/containers/"
		 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef/config.v2.json",
		 true},
		{"/var/lib/docker/containers/short/hosts", true},
		{"/var/lib/kubelet/pods/u-i-d/volumes/x", false},
		{"/var/lib/kubelet/pods/u-i-d", true},
		{"/var/lib/kubelet/pki", true},
	};
	struct profile p = load("restricted");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct spec s = read_docker();
		struct findings f = {.arena = a};
		struct spec_mount *m = vec_add(a, &s.mounts);

		*m = (struct spec_mount){.place = "mounts[9]",
					 .destination = "/m",
					 .type = "bind",
					 .source = paths[i].path,
					 .src = {.fd = -1}};
		m->opt.bind = true;
		policy_apply(&p, &s, &f);
		const struct finding *x = find(&f, "mounts.source");
		if ((x && x->effect == FINDING_REFUSED) != paths[i].refused)
			reject("%s\n", paths[i].path);
	}
}

/* What a descriptor shows counts more than a name. */
static void test_source_kinds(void **state)
{
	struct profile p = load("restricted");
	const struct {
		mode_t mode;
		bool socket_inside, keys_inside, refused;
	} kinds[] = {
		{S_IFDIR | 0755, false, false, false}, {S_IFREG | 0644, false, false, false},
		{S_IFSOCK | 0666, false, false, true}, {S_IFBLK | 0600, false, false, true},
		{S_IFCHR | 0600, false, false, true},  {S_IFDIR | 0755, true, false, true},
		{S_IFDIR | 0755, false, true, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct spec s = read_docker();
		struct findings f = {.arena = a};
		struct spec_mount *m = vec_add(a, &s.mounts);

		*m = (struct spec_mount){.place = "mounts[9]",
					 .destination = "/m",
					 .type = "bind",
					 .source = "/srv/x"};
		m->opt.bind = true;
		m->src.resolved = "/srv/x";
		m->src.st.st_mode = kinds[i].mode;
		m->src.holds_engine_socket = kinds[i].socket_inside;
		m->src.holds_key_folder = kinds[i].keys_inside;
		assert_int_equal(policy_apply(&p, &s, &f) > 0, kinds[i].refused);
	}
}

static struct spec_mount *add_bind(struct spec *s, const char *destination, const char *source,
				   mode_t mode)
{
	struct spec_mount *m = vec_add(a, &s->mounts);

	*m = (struct spec_mount){.place = "mounts[9]",
				 .destination = destination,
				 .type = "bind",
				 .source = source,
				 .src = {.resolved = source, .st = {.st_mode = mode}}};
	m->opt.bind = true;
	strv_add(a, &m->src.names, source);
	return m;
}

/* The engine's init is let in where --init puts it, and nothing else is. */
static void test_engine_init(void **state)
{
	struct profile p = load("restricted");
	const struct {
		const char *destination, *source;
		mode_t mode;
		bool refused, second; /* it has another name, too */
	} cases[] = {
		{"/sbin/docker-init", "/usr/bin/docker-init", S_IFREG | 0755, false, false},
		{"/sbin/docker-init", "/usr/bin/docker-init", S_IFREG | 0755, true, true},
		{"/sbin/docker-init", "/usr/bin/docker-init", S_IFREG | 0775, true, false},
		{"/sbin/docker-init", "/usr/lib/secret", S_IFREG | 0711, true, false},
		{"/sbin/docker-init", "/usr/lib/secret", S_IFREG | 0644, true, false},
		{"/sbin/docker-init", "/etc/shadow", S_IFREG | 0755, true, false},
		{"/sbin/docker-init", "/usr/bin", S_IFDIR | 0755, true, false},
		{"/sbin/other", "/usr/bin/docker-init", S_IFREG | 0755, true, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct spec s = read_docker();
		struct findings f = {.arena = a};

		struct spec_mount *m =
			add_bind(&s, cases[i].destination, cases[i].source, cases[i].mode);
		if (cases[i].second)
			strv_add(a, &m->src.names, "/data/other");
		if ((policy_apply(&p, &s, &f) > 0) != cases[i].refused)
			reject("%s %s %o\n", cases[i].destination, cases[i].source, cases[i].mode);
		for (size_t k = 0; k < s.mounts.n; k++)
			if (strcmp(s.mounts.v[k].destination, cases[i].destination) == 0)
				assert_true(cases[i].refused ||
					    s.mounts.v[k].opt.attr_set & MOUNT_ATTR_RDONLY);
	}
}

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* One folder, several names: the worst counts. */
static void test_source_names(void **state)
{
	struct profile p = load("restricted");
	const struct {
		const char *name, *other;
		bool refused, foreign;
	} cases[] = {
		{"/srv/x", NULL, false, false},
		{"/srv/x", NULL, true, true},
		{"/srv/volumes/v/_data", NULL, false, false},
		{"/var/lib/docker/volumes/v/_data", "/etc", true, false},
		{"/var/lib/docker/volumes/v/_data", "/data/v", false, false},
		{"/srv/x", "/home/u/.ssh", true, false},
		/* an engine's data somewhere, known by what it mounts */
		{"/data/engine/volumes/v/_data", NULL, false, false},
		{"/data/engine", NULL, true, false},
		{"/data/engine/overlay2", NULL, true, false},
		{"/data", NULL, true, false},
		{"/data2", NULL, false, false},
		/* what Podman makes for a container, by whatever storage driver */
		{"/run/containers/storage/overlay-containers/" HEX "/userdata/hosts", NULL, false,
		 false},
		{"/run/containers/storage/vfs-containers/" HEX "/userdata/.containerenv", NULL,
		 false, false},
		{"/run/containers/storage/vfs-containers/x/userdata/hosts", NULL, true, false},
		/* the container's own bundle */
		{"/opt/bundles/web", NULL, true, false},
		{"/opt/bundles", NULL, true, false},
		{"/opt/bundles/web/data", NULL, false, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct spec s = read_docker();
		struct findings f = {.arena = a};

		add_bind(&s, "/etc/hosts", arena_printf(a, "/data/engine/containers/%s/hosts", HEX),
			 S_IFREG | 0644);
		strv_add(a, &s.own_paths, "/opt/bundles/web");
		struct spec_mount *m = add_bind(&s, "/m", cases[i].name, S_IFDIR | 0755);
		m->src.foreign = cases[i].foreign;
		if (cases[i].other)
			strv_add(a, &m->src.names, cases[i].other);
		if ((policy_apply(&p, &s, &f) > 0) != cases[i].refused)
			reject("%s %s\n", cases[i].name, cases[i].other ? cases[i].other : "");
	}
}

/* Facts decide: the same words mean something else on another host. */
static void test_facts(void **state)
{
	struct profile p = load("restricted");
	static const int types[] = {CLONE_NEWPID, CLONE_NEWNET,	   CLONE_NEWIPC, CLONE_NEWUTS,
				    CLONE_NEWNS,  CLONE_NEWCGROUP, CLONE_NEWUSER};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct spec s = read_docker();
		struct findings f = {.arena = a};
		struct spec_namespace *ns = spec_namespace(&s, types[i]);

		if (!ns) {
			ns = vec_add(a, &s.namespaces);
			ns->type = types[i];
		}
		ns->path = "/proc/1/ns/x";
		ns->is_host = true;
		if (policy_apply(&p, &s, &f) == 0)
			reject("%s\n", namespace_name(types[i]));
	}
	/* root.path, by all its names */
	static const struct {
		const char *name;
		bool mount, refused;
	} roots[] = {{"/etc", false, true},
		     {"/var", false, true},
		     {"/var/lib/engine", false, true},
		     {"/var/lib/engine", true, false},
		     {"/etc", true, true},
		     {"/srv/root", false, false},
		     {"/run/b/rootfs", false, false}};
	for (size_t i = 0; i < ARRAY_SIZE(roots); i++) {
		struct spec s = read_docker();
		struct findings f = {.arena = a};

		strv_add(a, &s.own_paths, "/run/b");
		strv_add(a, &s.root_names, roots[i].name);
		s.root_is_mount = roots[i].mount;
		if ((policy_apply(&p, &s, &f) > 0) != roots[i].refused)
			reject("root %s\n", roots[i].name);
	}
	/* a file system of the kernel's */
	struct spec s = read_docker();
	struct findings f = {.arena = a};
	struct spec_mount *m = add_bind(&s, "/m", "/srv/x", S_IFDIR | 0755);
	strv_add(a, &m->src.types, "ext4");
	assert_int_equal(policy_apply(&p, &s, &f), 0);
	s = read_docker();
	m = add_bind(&s, "/m", "/srv/x", S_IFDIR | 0755);
	strv_add(a, &m->src.types, "ext4");
	strv_add(a, &m->src.types, "debugfs");
	assert_int_equal(policy_apply(&p, &s, &f), 1);
}

static void test_lsm(void **state)
{
	struct profile p = load("restricted");
	static const struct {
		enum host_lsm host;
		const char *apparmor, *selinux; /* of the config */
		const char *want;		/* NULL: refused */
	} cases[] = {
		{LSM_NONE, NULL, NULL, ""},
		{LSM_APPARMOR, NULL, NULL, "casemate-default"},
		{LSM_APPARMOR, "other", NULL, "other"},
		{LSM_APPARMOR, "unconfined", NULL, NULL},
		{LSM_SELINUX, NULL, NULL, "system_u:system_r:container_t:s0"},
		{LSM_SELINUX, NULL, "u:r:web_t:s0:c1", "u:r:web_t:s0:c1"},
		{LSM_SELINUX, NULL, "u:r:unconfined_t:s0", NULL},
		{LSM_SELINUX, NULL, "u:r:spc_t:s0", NULL},
		{LSM_SELINUX, NULL, "u:r:unconfined_t", NULL},
		{LSM_SELINUX, NULL, "u:r:init_t:s0", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct spec s = read_docker();
		struct findings f = {.arena = a};

		s.host_lsm = cases[i].host;
		s.process.apparmor_profile = cases[i].apparmor;
		s.process.selinux_label = cases[i].selinux;
		int refused = policy_apply(&p, &s, &f);
		const char *have = s.process.apparmor_profile ? s.process.apparmor_profile
				   : s.process.selinux_label  ? s.process.selinux_label
							      : "";
		assert_int_equal(refused > 0, cases[i].want == NULL);
		if (cases[i].want)
			assert_string_equal(have, cases[i].want);
		/* Only the profile's own labels get categories. */
		assert_int_equal(s.own_categories,
				 cases[i].host == LSM_SELINUX && !cases[i].selinux);
	}
}

static void test_missing_lsm(void **state)
{
	struct profile p = load("restricted");
	struct spec s = read_docker();
	struct findings f = {.arena = a};

	(void)state;
	s.process.apparmor_profile = "x";
	s.mount_label = "y";
	assert_int_equal(policy_apply(&p, &s, &f), 0);
	assert_non_null(s.process.apparmor_profile);
	p.lsm_ignore_missing = true;
	assert_int_equal(policy_apply(&p, &s, &f), 0);
	assert_null(s.process.apparmor_profile);
	assert_null(s.mount_label);
}

/* root in a user namespace, where the profile lets it: a new one only. */
static void test_root_in_userns(void **state)
{
	struct profile p = load("baseline");
	struct spec s = read_docker();
	struct findings f = {.arena = a};
	struct spec_namespace *ns = vec_add(a, &s.namespaces);

	(void)state;
	ns->type = CLONE_NEWUSER;
	s.process.uid = s.process.gid = 0;
	policy_apply(&p, &s, &f);
	assert_int_equal(s.process.uid, 0);
	spec_namespace(&s, CLONE_NEWUSER)->path = "/proc/9/ns/user";
	policy_apply(&p, &s, &f);
	assert_int_equal(s.process.uid, 65532);
}

/* Keys of a profile that no shipped one uses. */
static void test_mount_keys(void **state)
{
	struct profile p = load("restricted");
	struct spec s = read_docker();
	struct findings f = {.arena = a};

	(void)state;
	add_bind(&s, "/m", "/srv/x", S_IFDIR | 0755);
	add_bind(&s, "/tz", "/usr/share/zoneinfo/UTC", S_IFREG | 0644);
	p.mounts_noexec = true;
	assert_int_equal(policy_apply(&p, &s, &f), 0);
	assert_true(first_mount(&s, "/m")->opt.attr_set & MOUNT_ATTR_NOEXEC);
	assert_false(first_mount(&s, "/m")->opt.attr_set & MOUNT_ATTR_RDONLY);
	assert_true(first_mount(&s, "/tz")->opt.attr_set & MOUNT_ATTR_RDONLY);
}

static void test_exec(void **state)
{
	struct profile p = load("restricted");
	struct spec s = read_docker();
	struct spec_process process = {.cwd = "/", .uid = 0};
	struct findings f = {.arena = a};

	(void)state;
	process.caps.bounding = 1ULL << CAP_CHOWN;
	assert_int_equal(policy_apply_exec(&p, &s, &process, &f), 0);
	assert_int_equal(process.uid, 65532);
	assert_true(process.no_new_privileges);
	assert_int_equal(process.caps.bounding, 0);
	process.caps.bounding = 1ULL << CAP_SYS_ADMIN;
	f.n = 0;
	assert_int_equal(policy_apply_exec(&p, &s, &process, &f), 1);
	/* The limits, and exec's own action over the rules'. */
	process.caps.bounding = 0;
	*vec_add(a, &process.rlimits) = (struct spec_rlimit){RLIMIT_CORE, "RLIMIT_CORE", 9, 9};
	f.n = 0;
	assert_int_equal(policy_apply_exec(&p, &s, &process, &f), 0);
	assert_int_equal(process.rlimits.v[0].hard, 0);
	process.uid = 0;
	p.action[RULE_EXEC] = POLICY_DENY;
	f.n = 0;
	assert_true(policy_apply_exec(&p, &s, &process, &f) > 0);
	p.action[RULE_EXEC] = POLICY_WARN;
	f.n = 0;
	assert_int_equal(policy_apply_exec(&p, &s, &process, &f), 0);
	assert_int_equal(process.uid, 0);
	assert_int_equal(find(&f, "user.nonroot")->effect, FINDING_WARNED);
	p.action[RULE_EXEC] = POLICY_OFF;
	process.uid = 0;
	f.n = 0;
	assert_int_equal(policy_apply_exec(&p, &s, &process, &f), 0);
	assert_int_equal(process.uid, 0);
}

static void write_profile(const char *dir, const char *name, const char *text, mode_t mode)
{
	int d = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(file_replace(d, name, text, strlen(text), mode), 0);
	close(d);
}

static void test_profiles(void **state)
{
	static const struct {
		const char *text;
		mode_t mode;
		const char *says; /* NULL: is read */
	} files[] = {
		{"{}", 0644, "rules.annotations: is missing"},
		{"{\"extends\":\"%\"}", 0644, NULL},
		{"{\"rules\":{\"seccomp\":\"off\"}}", 0644, NULL},
		{"{\"x\":1}", 0644, "unknown key \"x\""},
		{"{\"rules\":{\"nope\":\"off\"}}", 0644, "unknown key \"rules.nope\""},
		{"{\"rules\":{\"seccomp\":\"maybe\"}}", 0644, "rules.seccomp"},
		{"{\"capabilities\":{\"allow\":[\"CAP_X\"]}}", 0644, "capabilities.allow[0]"},
		{"{\"capabilities\":{\"allow\":\"CAP_CHOWN\"}}", 0644, "capabilities.allow"},
		{"{\"extends\":\"t\"}", 0644, "more than"},
		{"{}", 0666, "changed by others"},
		{"[]", 0644, "expected an object"},
		{"{", 0644, "invalid JSON"},
	};
	char dir[] = "/run/casemate-profiles.XXXXXX";
	struct profile p;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(dir));
	const char *path = arena_printf(a, "%s/t.json", dir);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		char line[10240];

		const char *text = files[i].text,
			   *parent = arena_printf(a, "%s/profiles/restricted.json", profiles);

		/* "%" and what names no parent extend the shipped one. */
		if (strchr(text, '%'))
			text = arena_printf(a, "{\"extends\":\"%s\"}", parent);
		else if (strncmp(text, "{\"", 2) == 0 && !strstr(text, "extends"))
			text = arena_printf(a, "{\"extends\":\"%s\",%s", parent, text + 1);
		write_profile(dir, "t.json", text, files[i].mode);
		int r = profile_load(a, path, &p);
		error_format(error_last(), line, sizeof(line));
		if ((r == 0) != (files[i].says == NULL) || (r < 0 && !strstr(line, files[i].says)))
			reject("%s: %d %s\n", files[i].text, r, line);
	}
	/* Of an administrator's profile in a folder of its own the parent is elsewhere. */
	write_profile(dir, "t.json", "{\"extends\":\"no-such-parent\"}", 0644);
	assert_int_equal(profile_load(a, path, &p), -1);
	assert_non_null(strstr(error_last()->message, "there is no such profile"));
	/* A folder that others may write, and a link. */
	write_profile(dir, "t.json", "{}", 0644);
	assert_int_equal(chmod(dir, 0777), 0);
	assert_int_equal(profile_load(a, path, &p), -1);
	assert_int_equal(chmod(dir, 0755), 0);
	assert_int_equal(symlink("t.json", arena_printf(a, "%s/l.json", dir)), 0);
	assert_int_equal(profile_load(a, arena_printf(a, "%s/l.json", dir), &p), -1);
	assert_int_equal(profile_load(a, "no-such-profile", &p), -1);
	unlink(path);
	unlink(arena_printf(a, "%s/l.json", dir));
	assert_int_equal(rmdir(dir), 0);
}

/* baseline states only what differs. */
static void test_extends(void **state)
{
	struct profile r = load("restricted"), b = load("baseline");

	(void)state;
	assert_int_equal(b.action[RULE_SECCOMP], POLICY_ENFORCE);
	assert_int_equal(b.action[RULE_ROOTFS_READONLY], POLICY_OFF);
	assert_int_equal(b.masked_paths.n, r.masked_paths.n);
	assert_int_equal(r.capabilities, 0);
	assert_true(b.capabilities & 1ULL << CAP_CHOWN);
	assert_false(b.capabilities & 1ULL << CAP_SYS_ADMIN);
	assert_string_equal(b.name, "baseline");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),	     cmocka_unit_test(test_docker_default),
		cmocka_unit_test(test_privileged),   cmocka_unit_test(test_unconfined),
		cmocka_unit_test(test_sources),	     cmocka_unit_test(test_source_kinds),
		cmocka_unit_test(test_source_names), cmocka_unit_test(test_engine_init),
		cmocka_unit_test(test_facts),	     cmocka_unit_test(test_lsm),
		cmocka_unit_test(test_missing_lsm),  cmocka_unit_test(test_root_in_userns),
		cmocka_unit_test(test_mount_keys),   cmocka_unit_test(test_exec),
		cmocka_unit_test(test_profiles),     cmocka_unit_test(test_extends),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
