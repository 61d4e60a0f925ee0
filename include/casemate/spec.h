/*
 * struct spec: what config.json says, after the OCI runtime-spec 1.3. The
 * parser fills it in and validates it; policy rewrites it; the sandbox reads
 * it. spec/ knows nothing of policy or the kernel's state and makes no system
 * call. All memory is the arena's; strings are borrowed from it.
 */
#ifndef CASEMATE_SPEC_H
#define CASEMATE_SPEC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "casemate/json.h"
#include "casemate/mem.h"

#define SPEC_VERSION_MIN "1.0.0"
#define SPEC_VERSION_MAX "1.3.0"
/* SELinux label, AppArmor name and the like have no limit in the spec; a
 * config.json larger than this is refused before it is read. */
#define SPEC_MAX_SIZE (32u << 20)

struct kv {
	const char *key, *value;
};
struct kvs {
	struct kv *v;
	size_t n, cap;
};

/* --- process ----------------------------------------------------------- */

struct spec_caps {
	bool present;
	/* One bit a capability, 1ULL << CAP_x. */
	uint64_t bounding, effective, inheritable, permitted, ambient;
	struct strv unknown; /* names the kernel headers do not have: warned about */
};

struct spec_rlimit {
	int resource; /* RLIMIT_x */
	const char *name;
	uint64_t soft, hard;
};

struct spec_process {
	bool terminal;
	uint16_t console_width, console_height; /* 0: not given */
	const char *cwd;
	struct strv args, env;
	uint32_t uid, gid;
	bool has_umask;
	mode_t umask;
	struct {
		uint32_t *v;
		size_t n, cap;
	} additional_gids;
	struct spec_caps caps;
	struct {
		struct spec_rlimit *v;
		size_t n, cap;
	} rlimits;
	bool no_new_privileges;
	const char *apparmor_profile, *selinux_label; /* NULL: not given */
	bool has_oom_score_adj;
	int oom_score_adj;
};

/* --- mounts ------------------------------------------------------------ */

struct id_map {
	uint32_t container, host, size;
};
struct id_maps {
	struct id_map *v;
	size_t n, cap;
};

/* Options of one mount, after the table of config.md "Linux mount options". */
struct mount_options {
	uint64_t attr_set, attr_clear;	       /* MOUNT_ATTR_x of this mount */
	uint64_t rec_attr_set, rec_attr_clear; /* the same, recursively (rro, …) */
	/* Flags of the superblock: MS_RDONLY (from ro), MS_SYNCHRONOUS,
	 * MS_DIRSYNC, MS_LAZYTIME, MS_I_VERSION, MS_MANDLOCK, MS_SILENT. */
	uint64_t sb_set, sb_clear;
	unsigned long propagation; /* MS_SHARED/SLAVE/PRIVATE/UNBINDABLE, or 0 */
	bool propagation_rec;
	bool bind, recursive; /* bind, rbind (both true) */
	bool remount;
	bool idmap, idmap_rec;
	bool tmpcopyup;
	struct strv data; /* what the table does not know: for the file system */
};

/* What the host says of a bind mount's source; filled in by
 * container/facts.c through one descriptor, which is the one mounted later. */
struct source_facts {
	int fd; /* O_PATH, close-on-exec; -1: not gathered */
	struct stat st;
	const char *resolved; /* absolute path after all symlinks */
	/* The same, its names through other mounts and layers, and what is mounted
	 * below it where the bind is recursive. */
	struct strv names;
	struct strv types;	  /* file systems of these */
	bool foreign;		  /* not in the runtime's mount namespace: names may mislead */
	bool holds_engine_socket; /* a directory that directly holds one */
	bool holds_key_folder;	  /* a directory that directly holds .ssh, … */
};

struct spec_mount {
	const char *place; /* "mounts[3] (/data)" for messages */
	const char *destination, *type, *source;
	struct strv options; /* as written */
	struct mount_options opt;
	struct id_maps uid_maps, gid_maps;
	struct source_facts src;
	bool unmappable_as_is; /* policy: bound as it is where it cannot be idmapped */
	bool optional;	       /* added by policy: left out where the image has no such directory */
};

/* --- linux ------------------------------------------------------------- */

struct spec_namespace {
	int type;	  /* CLONE_NEWNS, CLONE_NEWPID, … */
	const char *path; /* NULL: a new one */
	bool is_host;	  /* facts: path leads to the runtime's own namespace */
	int fd;		  /* facts: path opened, and what is joined later; only with a path */
};

struct spec_device {
	const char *place;
	const char *path;
	char type; /* 'c' (also for u), 'b', 'p' */
	int64_t major, minor;
	mode_t file_mode; /* 0666 where not given */
	uint32_t uid, gid;
	bool has_uid, has_gid;
};

struct spec_device_rule {
	bool allow;
	char type;	      /* 'a', 'c', 'b' */
	int64_t major, minor; /* -1: any */
	unsigned access;      /* DEVICE_READ | … */
};
enum { DEVICE_READ = 1, DEVICE_WRITE = 2, DEVICE_MKNOD = 4 };

struct opt_i64 {
	bool set;
	int64_t v;
};
struct opt_u64 {
	bool set;
	uint64_t v;
};

struct block_weight {
	int64_t major, minor;
	struct opt_u64 weight, leaf_weight;
};
struct block_throttle {
	int64_t major, minor;
	uint64_t rate;
};
struct block_throttles {
	struct block_throttle *v;
	size_t n, cap;
};

struct spec_resources {
	struct {
		struct spec_device_rule *v;
		size_t n, cap;
	} devices;
	struct {
		struct opt_i64 limit, reservation, swap; /* bytes, -1 unlimited */
		struct opt_u64 swappiness;
		bool has_disable_oom_killer, disable_oom_killer;
		bool use_hierarchy; /* no-op on every supported kernel */
		bool check_before_update;
	} memory;
	struct {
		struct opt_u64 shares, period, burst, realtime_period;
		struct opt_i64 quota, realtime_runtime, idle;
		const char *cpus, *mems;
	} cpu;
	struct opt_i64 pids_limit; /* -1 max; 0 is a real limit */
	struct {
		struct opt_u64 weight, leaf_weight;
		struct {
			struct block_weight *v;
			size_t n, cap;
		} weight_device;
		struct block_throttles read_bps, write_bps, read_iops, write_iops;
	} block_io;
	struct {
		struct hugepage_limit {
			const char *page_size; /* "2MB" */
			uint64_t limit;
		} * v;
		size_t n, cap;
	} hugepages;
	struct {
		struct rdma_limit {
			const char *device; /* "mlx5_0" */
			struct opt_u64 handles, objects;
		} * v;
		size_t n, cap;
	} rdma;
	struct kvs unified;
};

/* linux.seccomp in libseccomp's numbers (SCMP_ACT_x, SCMP_ARCH_x, SCMP_CMP_x). */
struct seccomp_arg {
	unsigned index;
	int op;
	uint64_t value, value_two;
};
struct seccomp_rule {
	const char *place;
	struct strv names;
	uint32_t action; /* with errno folded in: SCMP_ACT_ERRNO(n) */
	struct {
		struct seccomp_arg *v;
		size_t n, cap;
	} args;
};
struct spec_seccomp {
	bool present;
	uint32_t default_action; /* with errno folded in */
	struct {
		uint32_t *v;
		size_t n, cap;
	} archs;
	unsigned flags; /* SECCOMP_FILTER_FLAG_x (linux/seccomp.h) */
	struct {
		struct seccomp_rule *v;
		size_t n, cap;
	} rules;
};

struct spec_hook {
	const char *place;
	const char *path;
	struct strv args, env;
	int64_t timeout;       /* seconds; 0: none */
	const char *untrusted; /* facts: why its file is not to be trusted; NULL: it is */
};
struct spec_hooks {
	struct spec_hook *v;
	size_t n, cap;
};
enum hook_kind {
	HOOK_PRESTART,
	HOOK_CREATE_RUNTIME,
	HOOK_CREATE_CONTAINER,
	HOOK_START_CONTAINER,
	HOOK_POSTSTART,
	HOOK_POSTSTOP,
	HOOK_KINDS
};
extern const char *const hook_names[HOOK_KINDS]; /* "prestart", … */

/* How a hook's process executes the hook's file, where execve is not enough.
 * Returns only where it fails: -1 with error. */
struct hook_exec {
	int (*exec)(void *ctx, const struct spec_hook *h);
	void *ctx;
};

struct spec {
	struct arena *arena;
	const char *oci_version;
	const char *root_path; /* as written; relative to the bundle */
	bool root_readonly;
	struct spec_process process;
	bool has_process;
	struct {
		struct spec_mount *v;
		size_t n, cap;
	} mounts;
	const char *hostname, *domainname;
	struct spec_hooks hooks[HOOK_KINDS];
	struct kvs annotations;

	struct {
		struct spec_namespace *v;
		size_t n, cap;
	} namespaces;
	struct id_maps uid_maps, gid_maps;
	struct {
		bool set;
		int64_t secs;
		uint32_t nanosecs;
	} boottime, monotonic;
	struct {
		struct spec_device *v;
		size_t n, cap;
	} devices;
	const char *cgroups_path;
	struct spec_resources resources;
	struct kvs sysctl;
	struct spec_seccomp seccomp;
	struct strv masked_paths, readonly_paths;
	unsigned long rootfs_propagation; /* MS_x; 0: not given */
	bool rootfs_propagation_rec;
	const char *mount_label;
	bool has_personality;
	unsigned long personality; /* for personality(2) */

	struct strv unknown; /* places of properties the spec does not define */

	/* Facts. */
	enum host_lsm { LSM_NONE, LSM_APPARMOR, LSM_SELINUX } host_lsm;
	const char *id;		/* of the container; NULL: check */
	struct strv own_paths;	/* the host's folders that the container is made from */
	const char *state_root; /* the folder of all containers' state */
	struct strv root_names; /* root.path's, as of a bind mount's source */
	bool root_is_mount;
	const char *root_overlay; /* options of the overlay that is mounted there; NULL: none */
	bool root_has_mounts;	  /* others are mounted below it */
	struct stat root_st;	  /* what was judged is what is used */
	/* The ids that this process has itself, where it is not in the host's user
	 * namespace: nothing else can be given to a container. */
	bool in_user_namespace;
	struct id_maps runtime_uids, runtime_gids;

	/* Set by policy, not by config.json. */
	uint64_t root_attr;  /* MOUNT_ATTR_x added to the rootfs mount */
	bool lsm_strict;     /* an AppArmor profile that is not enforced is none */
	bool own_categories; /* the SELinux labels get categories of the container's own */
	bool seccomp_fixed;  /* stack the fixed filter over the config's */
	/* The user namespace is the rule's and its ids are given when the container is
	 * made (container/ranges.c); until then the maps have none of the host's. */
	bool own_ids;
	bool unmappable_as_is; /* a root that cannot be idmapped is taken as it is */

	/* Set with the ids: they are not those on the disk, so that the rootfs and
	 * the volumes are idmapped. */
	bool idmap;
};

/* Parses and validates a whole config.json. Every error names its place
 * ("process.user.uid") and what is expected. Returns 0 or -1 with the error
 * set; *out lives in a. */
int spec_parse(struct arena *a, const char *text, size_t len, struct spec *out);

/* Parses a process object on its own (exec --process). */
int spec_parse_process(struct arena *a, const char *text, size_t len, struct spec_process *out);

/* Parses a resources object on its own (update --resources). */
int spec_parse_resources(struct arena *a, const char *text, size_t len, struct spec_resources *out);

/* Parses a linux.seccomp object that was read already (profiles have one). */
int spec_parse_seccomp(struct arena *a, struct json *o, const char *where,
		       struct spec_seccomp *out);

/* Reads a list of mappings ("uidMappings"): at most as many as the kernel takes,
 * none overlapping. where is its place. An absent one is empty. -1 with error. */
int spec_read_id_maps(struct arena *a, struct json *o, const char *key, const char *where,
		      struct id_maps *out);

/* Parses options into m->opt by the mount option table. -1 with error where a
 * known option is given a value it cannot have. */
int mount_options_parse(struct arena *a, const struct strv *options, struct mount_options *out);
/* The i-th name of the table (for `features`), NULL past its end. */
const char *mount_option_name(size_t i);

/* CLONE_NEWx by the runtime-spec's name ("pid"), 0 if unknown; and back. */
int namespace_type(const char *name);
const char *namespace_name(int type);
/* The container's namespace of a type, or NULL where config.json has none. */
struct spec_namespace *spec_namespace(const struct spec *s, int type);

/* The mapping that has the container's id in it, or NULL. */
const struct id_map *id_maps_find(const struct id_maps *maps, uint64_t id);

/* Is it a mount of the container's cgroups? */
bool spec_mount_is_cgroup(const struct spec_mount *m);

/* Capability names: "CAP_CHOWN" (any case) to its number, -1 if unknown. */
int capability_number(const char *name);
const char *capability_name(int number); /* "CAP_CHOWN"; NULL if none */

/* "SIGTERM", "term", "15" to the number; -1 if unknown. RTMIN+n is known. */
int signal_number(const char *name);

/* Is id a valid container id: [A-Za-z0-9_+.-]+, not "." or "..", at most 1024
 * bytes? 0, or -1 with the error "invalid container ID format" set. */
int container_id_check(const char *id);

/* The default hardened config.json of `casemate spec`. */
const char *spec_default_json(struct arena *a);

#endif
