#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmocka.h>

/* The static functions of this module are tested. */
#include "processes.c" /* NOLINT(bugprone-suspicious-include) */

static struct pid_set pid_sets[2];

static struct walk empty_walk(void)
{
	memset(pid_sets, 0, sizeof(pid_sets));
	return (struct walk){ .self = 7,
			      .first = PIDS / WORD_BITS,
			      .to_visit = &pid_sets[0],
			      .visited = &pid_sets[1] };
}

static void test_pids_are_visited_once_each_from_the_lowest(void **state)
{
	static const pid_t pids[] = { 64, 5, 63, 4194303, 5, 65, 128 };
	static const pid_t sorted[] = { 5, 63, 64, 65, 128, 4194303, 0 };
	struct walk walk = empty_walk();

	(void)state;
	for (size_t i = 0; i < sizeof(pids) / sizeof(pids[0]); i++)
		add_to_visit(&walk, pids[i]);
	for (size_t i = 0; i < sizeof(sorted) / sizeof(sorted[0]); i++)
		assert_int_equal(take_to_visit(&walk), sorted[i]);
}

static void test_visited_pid_is_not_visited_again(void **state)
{
	struct walk walk = empty_walk();

	(void)state;
	add(walk.visited, 5);
	add_to_visit(&walk, 5);
	add_to_visit(&walk, 6);
	assert_int_equal(take_to_visit(&walk), 6);
	assert_int_equal(take_to_visit(&walk), 0);
}

static void test_number_that_is_not_a_pid_is_not_visited(void **state)
{
	struct walk walk = empty_walk();

	(void)state;
	add_to_visit(&walk, 0);
	add_to_visit(&walk, -1);
	add_to_visit(&walk, PIDS);
	assert_int_equal(take_to_visit(&walk), 0);
}

static void test_list_of_children_is_read_in_pieces(void **state)
{
	char path[] = "/tmp/test_processes.XXXXXX";
	struct walk walk = empty_walk();
	int file;

	(void)state;
	/* A file may have the number 0. */
	(void)close(STDIN_FILENO);
	file = mkstemp(path);
	assert_true(file >= 0);
	/* More than one read, with a number across the boundary. */
	for (int pid = 1000; pid < 1200; pid++)
		assert_true(dprintf(file, "%d ", pid) > 0);
	assert_int_equal(close(file), 0);
	read_children(&walk, path);
	for (int pid = 1000; pid < 1200; pid++)
		assert_int_equal(take_to_visit(&walk), pid);
	assert_int_equal(take_to_visit(&walk), 0);
	assert_int_equal(unlink(path), 0);
}

static void test_list_of_children_that_cannot_be_read_is_an_error(void **state)
{
	struct walk walk = empty_walk();

	(void)state;
	read_children(&walk, "/missing/children"); /* of an exited thread */
	assert_int_equal(walk.error, 0);
	read_children(&walk, "/etc/passwd/children");
	assert_int_equal(walk.error, ENOTDIR);
}

/* Waits for signals, and exits with this process. */
static pid_t start_child(void)
{
	const pid_t child = fork();

	if (child == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			(void)pause();
	}
	assert_true(child > 0);
	return child;
}

static void test_children_are_listed_only_when_asked(void **state)
{
	struct walk walk = empty_walk();
	const int ways = kernel_lists_children(getpid()) ? 2 : 1;
	const pid_t child = start_child();

	(void)state;
	for (int by_thread = 0; by_thread < ways; by_thread++) {
		walk.by_thread = by_thread != 0;
		walk.listed = false;
		list_children(&walk, getpid());
		assert_int_equal(take_to_visit(&walk), 0);
		walk.listed = true;
		list_children(&walk, getpid());
		assert_int_equal(take_to_visit(&walk), child);
		walk = empty_walk();
	}
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

/* kill(2) takes 0 for our group, so there seems to be a hidden process. */
static void test_children_that_cannot_be_listed_are_an_error(void **state)
{
	struct walk walk = empty_walk();

	(void)state;
	walk.listed = walk.by_thread = true;
	list_children(&walk, 0);
	assert_int_equal(walk.error, EACCES);
}

static void
test_only_children_of_ours_and_of_visited_ones_are_ours(void **state)
{
	struct walk walk = empty_walk();

	(void)state;
	walk.command = PIDS; /* its PID is ours until it is reaped */
	assert_true(is_ours(&walk, walk.command));
	assert_false(is_ours(&walk, getpid()));
	walk.self = getppid();
	assert_true(is_ours(&walk, getpid()));
	walk.self = 7;
	if (getppid() > 0) { /* otherwise it is in another namespace */
		add(walk.visited, getppid());
		assert_true(is_ours(&walk, getpid()));
	}
	assert_false(is_ours(&walk, PIDS - 1)); /* it has exited */
	assert_int_equal(walk.error, 0);
	assert_false(is_ours(&walk, 0)); /* as above, it seems to be hidden */
	assert_int_equal(walk.error, EACCES);
}

static void test_namespace_is_complete_only_if_it_can_be_listed(void **state)
{
	static const struct rlimit few = { 64, 64 };
	struct walk walk = empty_walk();
	const pid_t child = fork();
	int wstatus;

	(void)state;
	if (child == 0) {
		int last = 0;

		/* Signal 0 has no effect. */
		walk_namespace(&walk);
		if (!walk.complete)
			_exit(1);
		walk.complete = false;
		(void)setrlimit(RLIMIT_NOFILE, &few);
		for (int file = 0; file >= 0; file = dup(STDERR_FILENO))
			last = file;
		walk_namespace(&walk); /* cannot open /proc */
		/* valgrind reports open files, and ignores the limit. */
		for (int file = STDERR_FILENO + 1; file <= last; file++)
			(void)close(file);
		_exit(walk.complete ? 2 : 0);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &wstatus, 0), child);
	assert_int_equal(wstatus, 0);
}

static void add_all(struct walk *walk)
{
	memset(walk->to_visit, 0xff, 2 * sizeof(*walk->to_visit));
}

static void test_memory_of_a_walk_is_given_back_and_no_other(void **state)
{
	enum {
		SIZE = 2 * sizeof(struct pid_set),
		PROTECTION = PROT_READ | PROT_WRITE,
		KIND = MAP_PRIVATE | MAP_ANONYMOUS,
	};
	/* The walk gets the place of the second one. */
	char *above = mmap(NULL, SIZE, PROTECTION, KIND, -1, 0);
	char *place = mmap(NULL, SIZE, PROTECTION, KIND, -1, 0);
	struct walk walk = empty_walk();

	(void)state;
	assert_ptr_not_equal(above, MAP_FAILED);
	assert_ptr_not_equal(place, MAP_FAILED);
	assert_int_equal(munmap(place, SIZE), 0);
	memset(above, 1, SIZE);
	assert_int_equal(run_walk(&walk, add_all), ENOENT);
	assert_memory_equal(above, above + 1, SIZE - 1);
	assert_int_equal(munmap(above, SIZE), 0);
}

static void test_process_that_was_already_signalled_is_spared(void **state)
{
	const pid_t self = getpid();
	struct walk walk = empty_walk();
	struct proc_stat stat = { 0 };
	const bool read = proc_read_stat(self, &stat);
	const struct processes_signaled rows[] = {
		{ PROCESSES_ALL, stat.start, self },
		{ getpgrp(), stat.start, self },
		{ self + 1, stat.start, self },
	};

	(void)state;
	assert_true(read);
	assert_false(is_spared(&walk, self));
	walk.newest = self;
	walk.self = getppid(); /* so that the parent does not count */
	for (int by_pid = 0; by_pid < 2; by_pid++) {
		walk.by_pid = by_pid != 0;
		for (int i = 0; i < 3; i++) {
			walk.spared = &rows[i];
			assert_int_equal(is_spared(&walk, self), i < 2);
		}
	}
}

static void
test_newer_process_without_a_spared_parent_is_not_spared(void **state)
{
	const struct processes_signaled signaled = { PROCESSES_ALL, 1, 1 };
	struct walk walk = empty_walk();

	(void)state;
	walk.self = getppid();
	walk.spared = &signaled;
	walk.newest = getpid();
	for (int by_pid = 0; by_pid < 2; by_pid++) {
		walk.by_pid = by_pid != 0;
		assert_false(is_spared(&walk, getpid()));
	}
}

/* The PID of a child of a child, which exit with this process. */
static pid_t start_grandchild(pid_t *child)
{
	pid_t pid = 0;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	*child = fork();
	assert_true(*child >= 0);
	if (*child == 0) {
		pid = fork();
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)!write(ends[1], &pid, pid != 0 ? sizeof(pid) : 0);
		for (;;)
			(void)pause();
	}
	assert_int_equal(read(ends[0], &pid, sizeof(pid)), sizeof(pid));
	close(ends[0]);
	close(ends[1]);
	return pid;
}

static void test_process_of_a_newer_process_is_not_spared(void **state)
{
	const struct processes_signaled signaled = { PROCESSES_ALL, 0,
						     getpid() };
	struct walk walk = empty_walk();
	pid_t child, grandchild = start_grandchild(&child);

	(void)state;
	if (child < getpid() || grandchild < child)
		skip(); /* PIDs have just wrapped around */
	walk.self = getpid();
	walk.spared = &signaled;
	walk.newest = grandchild;
	for (int by_pid = 0; by_pid < 2; by_pid++) {
		walk.by_pid = by_pid != 0;
		assert_false(is_spared(&walk, grandchild));
		assert_false(is_spared(&walk, PIDS)); /* it has exited */
	}
	walk.newest = child; /* the other began during the walk */
	assert_true(is_spared(&walk, grandchild));
	assert_int_equal(kill(grandchild, SIGKILL), 0);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void test_pids_are_compared_if_the_newest_are_known(void **state)
{
	static const struct {
		pid_t newest;
		bool by_pid;
	} rows[] = { { NUMBERS_NONE, false }, { 1, true }, { PIDS, false } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct processes_signaled signaled = { PROCESSES_ALL, 0,
							     rows[i].newest };
		struct walk walk = empty_walk();

		spare(&walk, &signaled);
		assert_int_equal(walk.by_pid,
				 rows[i].by_pid && newest_pid() > 0);
	}
}

static void test_process_is_alive_until_it_is_reaped(void **state)
{
	const pid_t child = fork();
	siginfo_t exited;

	(void)state;
	if (child == 0)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)child, &exited, WEXITED | WNOWAIT),
			 0);
	errno = ESRCH; /* left over from another call */
	assert_true(is_alive(child));
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_false(is_alive(child));
}

static void test_only_another_process_that_is_no_zombie_remains(void **state)
{
	const pid_t child = start_child();
	siginfo_t exited;
	bool found = false;

	(void)state;
	find_other(getpid(), -1, &found);
	find_other(PIDS, -1, &found); /* no process has this PID */
	assert_false(found);
	find_other(child, -1, &found);
	assert_true(found);
	find_other(getpid(), -1, &found);
	assert_true(found);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t)child, &exited, WEXITED | WNOWAIT),
			 0);
	found = false;
	find_other(child, -1, &found);
	assert_false(found);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_pids_are_visited_once_each_from_the_lowest),
		cmocka_unit_test(test_visited_pid_is_not_visited_again),
		cmocka_unit_test(test_number_that_is_not_a_pid_is_not_visited),
		cmocka_unit_test(test_list_of_children_is_read_in_pieces),
		cmocka_unit_test(
			test_list_of_children_that_cannot_be_read_is_an_error),
		cmocka_unit_test(test_children_are_listed_only_when_asked),
		cmocka_unit_test(
			test_children_that_cannot_be_listed_are_an_error),
		cmocka_unit_test(
			test_only_children_of_ours_and_of_visited_ones_are_ours),
		cmocka_unit_test(
			test_namespace_is_complete_only_if_it_can_be_listed),
		cmocka_unit_test(
			test_memory_of_a_walk_is_given_back_and_no_other),
		cmocka_unit_test(
			test_process_that_was_already_signalled_is_spared),
		cmocka_unit_test(
			test_newer_process_without_a_spared_parent_is_not_spared),
		cmocka_unit_test(test_process_of_a_newer_process_is_not_spared),
		cmocka_unit_test(
			test_pids_are_compared_if_the_newest_are_known),
		cmocka_unit_test(test_process_is_alive_until_it_is_reaped),
		cmocka_unit_test(
			test_only_another_process_that_is_no_zombie_remains),
	};

	return cmocka_run_group_tests_name("processes", tests, NULL, NULL);
}
