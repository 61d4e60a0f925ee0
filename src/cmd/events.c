/* events: statistics and OOM kills, a line of JSON each, in runc's shape. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "casemate/error.h"
#include "casemate/fd.h"
#include "cmd.h"

/* A duration as Go writes it ("5s", "1m30s", "250ms"), in milliseconds. */
static int parse_duration(const char *text, int *ms)
{
	static const struct {
		const char *name;
		double ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
	double sum = 0;

	for (const char *p = text; *p;) {
		char *end;
		double n = strtod(p, &end);
		size_t i = 0;

		while (i < ARRAY_SIZE(units) &&
		       strncmp(end, units[i].name, strlen(units[i].name)) != 0)
			i++;
		if (end == p || i == ARRAY_SIZE(units))
			return fail(0, "--interval: \"%s\" is not a duration like 5s", text);
		sum += n * units[i].ms;
		p = end + strlen(units[i].name);
	}
	if (!(sum >= 1 && sum <= INT32_MAX))
		return fail(0, "--interval: \"%s\" is not above 0", text);
	*ms = (int)sum;
	return 0;
}

static int print_event(const struct container *c, const char *type)
{
	_arena_ struct arena *a = arena_new();
	struct json_out *w = json_out_new(a, true);

	json_out_open(w, NULL, '{');
	json_out_str(w, "type", type);
	json_out_str(w, "id", c->id);
	if (strcmp(type, "stats") == 0)
		cgroup_stats(&c->cgroup, w, "data");
	json_out_close(w);
	return print_text(json_out_text(w, NULL));
}

/* Until the container ends. */
static int watch(const struct container *c, int interval)
{
	_fd_ int pidfd = container_pidfd(c);
	_fd_ int oom = pidfd < 0 ? -1 : cgroup_oom_fd(&c->cgroup);
	uint64_t kills = cgroup_oom_kills(&c->cgroup);

	if (oom < 0)
		return -1;
	for (;;) {
		struct pollfd fds[] = {{.fd = pidfd, .events = POLLIN},
				       {.fd = oom, .events = POLLIN}};
		int n = poll(fds, ARRAY_SIZE(fds), interval);
		char drain[4096];

		if (n < 0 && errno != EINTR)
			return fail(errno, "poll");
		if (n == 0 && print_event(c, "stats") < 0)
			return -1;
		if (n > 0 && fds[1].revents) {
			uint64_t now = cgroup_oom_kills(&c->cgroup);

			(void)!read(oom, drain, sizeof(drain));
			for (; kills < now; kills++)
				if (print_event(c, "oom") < 0)
					return -1;
		}
		if (n > 0 && fds[0].revents)
			return 0;
	}
}

int cmd_events(struct arena *a, const struct options *o, int argc, char **argv, const char **id)
{
	const char *interval = "5s";
	bool stats = false;
	const struct option_row rows[] = {
		{"stats", 0, OPTION_FLAG, &stats, "print the statistics once"},
		{"interval", 0, OPTION_STRING, &interval, "time between two statistics (5s)"},
		{.kind = OPTION_END},
	};
	enum container_status st;
	struct container c;
	int ms = 0, r = options_id(a, "events [options] ID", rows, argc, argv, id);

	if (r || parse_duration(interval, &ms) < 0)
		return r > 0 ? 0 : -1;
	r = container_open(&c, a, o->root, *id, LOCK_NONE);
	if (r == 0)
		r = container_status(&c, &st);
	if (r == 0 && st == STATUS_STOPPED)
		r = fail(0, "container not running");
	else if (r == 0 && !c.has_cgroup)
		r = fail(0, "cgroup not exist");
	if (r == 0)
		r = stats ? print_event(&c, "stats") : watch(&c, ms);
	container_close(&c);
	return r;
}
