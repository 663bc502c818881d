/*
 * Runs a program as PID 1 of a container: contain FILE CGROUP VIEW PROGRAM
 * [ARG]... FILE gets its PID, as it is outside, and later a line "exited
 * STATUS" or "killed SIGNAL". CGROUP is the directory of a cgroup (v2) for it,
 * or "-". VIEW is /sys/fs/cgroup inside: own: a cgroup namespace, in which
 * CGROUP is the root; mounted read-only writable: the same, but not read-only
 * bound: CGROUP mounted there read-only, without a cgroup namespace
 * outside: as outside, without a cgroup namespace
 * none: an empty directory
 * Exits with the status of the program, or 128 + N.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	FAILED = 99,
	FIRST_WORD = 4, /* of the program's, in argv */
};

static const char place[] = "/sys/fs/cgroup";

static void check(bool done, const char *what)
{
	if (done)
		return;
	perror(what);
	_exit(FAILED);
}

static void write_line(const char *path, const char *word, int number)
{
	FILE *file = fopen(path, "a");

	check(file && fprintf(file, "%s%d\n", word, number) > 0 &&
		      fclose(file) == 0,
	      path);
}

static void enter(const char *cgroup)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	write_line(path, "", 0); /* the process that writes */
}

static void show_cgroup(const char *cgroup, const char *view)
{
	const bool own = strcmp(view, "own") == 0;

	if (own || strcmp(view, "writable") == 0) {
		check(unshare(CLONE_NEWCGROUP) == 0, "cgroup namespace");
		/* On top of itself it cannot be mounted. */
		(void)umount2(place, MNT_DETACH);
		check(mount("cgroup2", place, "cgroup2", own ? MS_RDONLY : 0,
			    NULL) == 0,
		      place);
	} else if (strcmp(view, "bound") == 0) {
		check(mount(cgroup, place, NULL, MS_BIND, NULL) == 0, cgroup);
		check(mount(NULL, place, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY,
			    NULL) == 0,
		      place);
	} else if (strcmp(view, "none") == 0) {
		check(mount("none", place, "tmpfs", 0, NULL) == 0, place);
	}
}

static void become_program(char **argv)
{
	const char *cgroup = argv[2];

	if (strcmp(cgroup, "-") != 0)
		enter(cgroup);
	check(unshare(CLONE_NEWNS) == 0, "mount namespace");
	check(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "/");
	check(mount("proc", "/proc", "proc", 0, NULL) == 0, "/proc");
	show_cgroup(cgroup, argv[3]);
	execvp(argv[FIRST_WORD], argv + FIRST_WORD);
	check(false, argv[FIRST_WORD]);
}

int main(int argc, char **argv)
{
	int wstatus;
	pid_t pid;

	if (argc <= FIRST_WORD)
		return FAILED;
	check(unshare(CLONE_NEWPID) == 0, "PID namespace");
	pid = fork();
	if (pid == 0)
		become_program(argv);
	check(pid > 0, "fork");
	write_line(argv[1], "", pid);
	check(waitpid(pid, &wstatus, 0) == pid, "waitpid");
	if (WIFEXITED(wstatus)) {
		write_line(argv[1], "exited ", WEXITSTATUS(wstatus));
		return WEXITSTATUS(wstatus);
	}
	write_line(argv[1], "killed ", WTERMSIG(wstatus));
	return 128 + WTERMSIG(wstatus);
}
