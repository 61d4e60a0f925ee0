/* linux.seccomp, in libseccomp's numbers. */
#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <string.h>

#include "internal.h"

static const struct word actions[] = {
	{"SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD},
	{"SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD},
	{"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS},
	{"SCMP_ACT_TRAP", SCMP_ACT_TRAP},
	{"SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0)},
	{"SCMP_ACT_TRACE", SCMP_ACT_TRACE(0)},
	{"SCMP_ACT_ALLOW", SCMP_ACT_ALLOW},
	{"SCMP_ACT_LOG", SCMP_ACT_LOG},
};

static const struct word operators[] = {
	{"SCMP_CMP_NE", SCMP_CMP_NE},
	{"SCMP_CMP_LT", SCMP_CMP_LT},
	{"SCMP_CMP_LE", SCMP_CMP_LE},
	{"SCMP_CMP_EQ", SCMP_CMP_EQ},
	{"SCMP_CMP_GE", SCMP_CMP_GE},
	{"SCMP_CMP_GT", SCMP_CMP_GT},
	{"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
};

static const struct word archs[] = {
	{"SCMP_ARCH_NATIVE", SCMP_ARCH_NATIVE},
	{"SCMP_ARCH_X86", SCMP_ARCH_X86},
	{"SCMP_ARCH_X86_64", SCMP_ARCH_X86_64},
	{"SCMP_ARCH_X32", SCMP_ARCH_X32},
	{"SCMP_ARCH_ARM", SCMP_ARCH_ARM},
	{"SCMP_ARCH_AARCH64", SCMP_ARCH_AARCH64},
	{"SCMP_ARCH_MIPS", SCMP_ARCH_MIPS},
	{"SCMP_ARCH_MIPS64", SCMP_ARCH_MIPS64},
	{"SCMP_ARCH_MIPS64N32", SCMP_ARCH_MIPS64N32},
	{"SCMP_ARCH_MIPSEL", SCMP_ARCH_MIPSEL},
	{"SCMP_ARCH_MIPSEL64", SCMP_ARCH_MIPSEL64},
	{"SCMP_ARCH_MIPSEL64N32", SCMP_ARCH_MIPSEL64N32},
	{"SCMP_ARCH_PPC", SCMP_ARCH_PPC},
	{"SCMP_ARCH_PPC64", SCMP_ARCH_PPC64},
	{"SCMP_ARCH_PPC64LE", SCMP_ARCH_PPC64LE},
	{"SCMP_ARCH_S390", SCMP_ARCH_S390},
	{"SCMP_ARCH_S390X", SCMP_ARCH_S390X},
	{"SCMP_ARCH_PARISC", SCMP_ARCH_PARISC},
	{"SCMP_ARCH_PARISC64", SCMP_ARCH_PARISC64},
	{"SCMP_ARCH_RISCV64", SCMP_ARCH_RISCV64},
};

static const struct word flags[] = {
	{"SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC},
	{"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
	{"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
};

const char *seccomp_action_name(size_t i)
{
	return i < ARRAY_SIZE(actions) ? actions[i].name : NULL;
}
const char *seccomp_operator_name(size_t i)
{
	return i < ARRAY_SIZE(operators) ? operators[i].name : NULL;
}
const char *seccomp_arch_name(size_t i)
{
	/* The first is a convenience that engines must not be told of. */
	return i + 1 < ARRAY_SIZE(archs) ? archs[i + 1].name : NULL;
}
const char *seccomp_flag_name(size_t i)
{
	return i < ARRAY_SIZE(flags) ? flags[i].name : NULL;
}

/* The action with its errno; one for an action that has none is an error
 * (config-linux.md, Seccomp). */
static int read_action(struct arena *a, struct json *o, const char *action_key,
		       const char *errno_key, const char *where, uint32_t *out)
{
	const char *place = arena_printf(a, "%s.%s", where, action_key);
	const char *name = NULL;
	unsigned long action = 0;
	uint64_t ret = EPERM;
	bool has_ret;

	if (json_str(o, action_key, place, true, &name) < 0)
		return -1;
	if (strcmp(name, "SCMP_ACT_NOTIFY") == 0)
		return fail(0, "%s: SCMP_ACT_NOTIFY is not supported by this version", place);
	if (word_find(actions, ARRAY_SIZE(actions), place, name, &action) < 0 ||
	    json_uint(o, errno_key, arena_printf(a, "%s.%s", where, errno_key), 4095, &has_ret,
		      &ret) < 0)
		return -1;
	*out = (uint32_t)action;
	if (action == SCMP_ACT_ERRNO(0))
		*out = SCMP_ACT_ERRNO((uint32_t)ret);
	else if (action == SCMP_ACT_TRACE(0))
		*out = SCMP_ACT_TRACE((uint32_t)ret);
	else if (has_ret)
		return fail(0, "%s.%s: %s has no errno", where, errno_key, name);
	return 0;
}

static int read_arg(struct arena *a, struct json *o, const char *where, struct seccomp_rule *rule)
{
	struct seccomp_arg *arg = vec_add(a, &rule->args);
	const char *op = NULL;
	uint64_t index = 0;
	unsigned long value = 0;
	bool has_index, has_value;

	if (o->type != JSON_OBJECT)
		return fail(0, "%s: expected an object", where);
	if (json_uint(o, "index", arena_printf(a, "%s.index", where), 5, &has_index, &index) < 0 ||
	    json_uint(o, "value", arena_printf(a, "%s.value", where), UINT64_MAX, &has_value,
		      &arg->value) < 0 ||
	    json_uint(o, "valueTwo", arena_printf(a, "%s.valueTwo", where), UINT64_MAX, NULL,
		      &arg->value_two) < 0 ||
	    json_str(o, "op", arena_printf(a, "%s.op", where), true, &op) < 0 ||
	    word_find(operators, ARRAY_SIZE(operators), arena_printf(a, "%s.op", where), op,
		      &value) < 0)
		return -1;
	if (!has_index || !has_value)
		return fail(0, "%s: needs index and value", where);
	arg->index = (unsigned)index;
	arg->op = (int)value;
	return 0;
}

static int read_rule(struct arena *a, struct json *o, const char *where, struct spec_seccomp *out)
{
	struct seccomp_rule *rule = vec_add(a, &out->rules);
	struct json *args;
	size_t i = 0;

	rule->place = where;
	if (o->type != JSON_OBJECT)
		return fail(0, "%s: expected an object", where);
	if (json_strv(a, o, "names", arena_printf(a, "%s.names", where), &rule->names) < 0 ||
	    read_action(a, o, "action", "errnoRet", where, &rule->action) < 0 ||
	    json_array(o, "args", arena_printf(a, "%s.args", where), &args) < 0)
		return -1;
	if (rule->names.n == 0)
		return fail(0, "%s.names: is missing or empty", where);
	json_each(item, args) if (read_arg(a, item, arena_printf(a, "%s.args[%zu]", where, i++),
					   rule) < 0) return -1;
	return 0;
}

static int read_words(struct arena *a, struct json *o, const char *key, const char *where,
		      const struct word *words, size_t n, struct strv *names, unsigned long **out)
{
	const char *place = arena_printf(a, "%s.%s", where, key);

	if (json_strv(a, o, key, place, names) < 0)
		return -1;
	*out = arena_array(a, names->n + 1, sizeof(**out));
	for (size_t i = 0; i < names->n; i++)
		if (word_find(words, n, arena_printf(a, "%s[%zu]", place, i), names->v[i],
			      &(*out)[i]) < 0)
			return -1;
	return 0;
}

int spec_parse_seccomp(struct arena *a, struct json *o, const char *where, struct spec_seccomp *out)
{
	struct strv arch_names = {0}, flag_names = {0};
	unsigned long *values;
	struct json *list;
	size_t i = 0;

	*out = (struct spec_seccomp){.present = true};
	if (read_action(a, o, "defaultAction", "defaultErrnoRet", where, &out->default_action) <
		    0 ||
	    read_words(a, o, "architectures", where, archs, ARRAY_SIZE(archs), &arch_names,
		       &values) < 0)
		return -1;
	for (size_t j = 0; j < arch_names.n; j++)
		*vec_add(a, &out->archs) = (uint32_t)values[j];
	if (read_words(a, o, "flags", where, flags, ARRAY_SIZE(flags), &flag_names, &values) < 0)
		return -1;
	for (size_t j = 0; j < flag_names.n; j++)
		out->flags |= (unsigned)values[j];
	if (refuse(o, "listenerPath", arena_printf(a, "%s.listenerPath", where),
		   "is not supported by this version") < 0 ||
	    refuse(o, "listenerMetadata", arena_printf(a, "%s.listenerMetadata", where),
		   "is not supported by this version") < 0 ||
	    json_array(o, "syscalls", arena_printf(a, "%s.syscalls", where), &list) < 0)
		return -1;
	json_each(item,
		  list) if (read_rule(a, item, arena_printf(a, "%s.syscalls[%zu]", where, i++),
				      out) < 0) return -1;
	return 0;
}
