/*
 * measure ROUNDS VARIANT [-- VARIANT]…: each VARIANT is one or more commands,
 * separated by "++". In every round all commands of all variants run in turn,
 * so that what else the machine does hits all of them. Prints for each command
 * the medians of wall time and of user and system time in ms, and the largest
 * resident set in KiB: "VARIANT COMMAND WALL CPU RSS".
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { COMMANDS = 64, ROUNDS = 2000 };

static struct command {
	char **argv;
	int variant, number;
	double wall[ROUNDS], cpu[ROUNDS];
	long rss;
} commands[COMMANDS];

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *v, int n)
{
	qsort(v, (size_t)n, sizeof(*v), by_value);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static double ms(struct timeval t)
{
	return (double)t.tv_sec * 1000 + (double)t.tv_usec / 1000;
}

static void run(struct command *c, int round)
{
	struct timespec a, b;
	struct rusage use;
	int status;

	clock_gettime(CLOCK_MONOTONIC, &a);
	pid_t pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		for (int fd = 0; fd <= 1; fd++)
			dup2(null, fd);
		execvp(c->argv[0], c->argv);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &use) != pid || status != 0) {
		fprintf(stderr, "measure: %s of variant %d failed\n", c->argv[0], c->variant);
		exit(1);
	}
	clock_gettime(CLOCK_MONOTONIC, &b);
	c->wall[round] =
		(double)(b.tv_sec - a.tv_sec) * 1000 + (double)(b.tv_nsec - a.tv_nsec) / 1e6;
	c->cpu[round] = ms(use.ru_utime) + ms(use.ru_stime);
	c->rss = use.ru_maxrss > c->rss ? use.ru_maxrss : c->rss;
}

int main(int argc, char **argv)
{
	int rounds = argc > 2 ? atoi(argv[1]) : 0, n = 0, variant = 0, number = 0;

	if (rounds < 1 || rounds >= ROUNDS)
		return 2;
	commands[n++].argv = argv + 2;
	for (int i = 2; i < argc; i++) {
		int next = strcmp(argv[i], "--") == 0, then = strcmp(argv[i], "++") == 0;

		if (!next && !then)
			continue;
		argv[i] = NULL;
		if (n == COMMANDS)
			return 2;
		variant += next;
		number = next ? 0 : number + 1;
		commands[n].argv = argv + i + 1;
		commands[n].variant = variant;
		commands[n++].number = number;
	}
	/* The first round warms caches and is not counted. */
	/* Each round begins with another variant: the first one pays for what the
	 * kernel then keeps warm for the others. */
	for (int round = -1; round < rounds; round++)
		for (int v = 0; v <= variant; v++)
			for (int i = 0; i < n; i++)
				if (commands[i].variant == (v + round + 1) % (variant + 1))
					run(&commands[i], round < 0 ? 0 : round);
	for (int i = 0; i < n; i++)
		printf("%d %d %.3f %.3f %ld\n", commands[i].variant, commands[i].number,
		       median(commands[i].wall, rounds), median(commands[i].cpu, rounds),
		       commands[i].rss);
	return 0;
}
