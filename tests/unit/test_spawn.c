#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include <cmocka.h>

#include "kernel.h"

static int wakes, unmaps;

/* In the place of kernel_futex_wake. */
static void count_wake(_Atomic int *word)
{
	(void)word;
	wakes++;
}

/* In the place of munmap. */
static int count_unmap(void *address, size_t size)
{
	(void)address;
	(void)size;
	unmaps++;
	return 0;
}

#define kernel_futex_wake count_wake
#define munmap            count_unmap
/* The static functions of this module are tested. */
#include "spawn.c" /* NOLINT(bugprone-suspicious-include) */
#undef kernel_futex_wake
#undef munmap

enum {
	ENTRIES_MAX = 8,
};

/* The environment, in which the words MY and PARENT stand for PIDs. */
static char texts[ENTRIES_MAX][64];
static char *entries[ENTRIES_MAX + 1];
/* The memory of the new texts. */
static struct start updated;

static void set_environment(const char *const *words)
{
	size_t count = 0;

	for (; words[count]; count++) {
		const char *colon = strchr(words[count], '@');

		format_text(texts[count], sizeof(texts[count]), "%s",
			    words[count]);
		if (colon)
			format_text(texts[count] + (colon - words[count]), 16,
				    "%d", getppid());
		entries[count] = texts[count];
	}
	entries[count] = NULL;
	environ = entries;
}

static void test_pid_of_the_parent_in_a_variable_is_replaced(void **state)
{
	static const char *const words[] = { "A=1",
					     "LISTEN_PID=@",
					     "LISTEN_FDS=2",
					     "WATCHDOG_PID=@",
					     "LISTEN_PIDFDID=7",
					     NULL };
	char listen[64], watchdog[64];

	(void)state;
	set_environment(words);
	update_variables(&updated);
	format_text(listen, sizeof(listen), "LISTEN_PID=%d", getpid());
	format_text(watchdog, sizeof(watchdog), "WATCHDOG_PID=%d", getpid());
	assert_string_equal(environ[0], "A=1");
	assert_string_equal(environ[1], listen);
	assert_string_equal(environ[2], "LISTEN_FDS=2");
	assert_string_equal(environ[3], watchdog);
	assert_null(environ[4]);
}

static void test_another_pid_in_a_variable_is_not_changed(void **state)
{
	static const char *const words[] = {
		"LISTEN_PID=1x", "LISTEN_PIDS=@",    "WATCHDOG_PID=",
		"XLISTEN_PID=@", "LISTEN_PIDFDID=7", NULL
	};

	(void)state;
	set_environment(words);
	update_variables(&updated);
	for (size_t i = 0; i <= 5; i++)
		assert_ptr_equal(environ[i], i < 5 ? texts[i] : NULL);
}

static void test_only_the_first_variable_of_a_name_is_changed(void **state)
{
	static const char *const words[] = { "LISTEN_PID=1x", "LISTEN_PID=@",
					     NULL };

	(void)state;
	set_environment(words);
	update_variables(&updated);
	assert_ptr_equal(environ[1], texts[1]);
}

static void test_start_ends_at_exec_or_at_its_timeout(void **state)
{
	struct start start = { .starting = 1 };

	(void)state;
	assert_true(spawn_is_starting(&start));
	start.awaited = true;
	assert_false(spawn_is_starting(&start));
	start.awaited = false;
	start.starting = 0;
	assert_false(spawn_is_starting(&start));
}

static void test_only_a_stop_before_it_is_ready_is_ended(void **state)
{
	struct start *start = mmap(NULL, sizeof(*start), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_ptr_not_equal(start, MAP_FAILED);
	for (int ready = 0; ready < 2; ready++) {
		const pid_t pid = fork();
		siginfo_t child = { .si_pid = 0 };

		if (pid == 0) {
			/* If a check fails. */
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			(void)kill(getpid(), SIGSTOP);
			start->starting = 0;
			for (;;)
				(void)pause();
		}
		assert_true(pid > 0);
		assert_int_equal(
			waitid(P_PID, (id_t)pid, &child, WSTOPPED | WNOWAIT),
			0);
		start->starting = 1;
		start->ready = ready != 0;
		start->awaited = false;
		spawn_await_exec(start, pid);
		assert_int_equal(start->starting, ready);
		assert_true(start->awaited);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
	}
	assert_int_equal(munmap(start, sizeof(*start)), 0);
}

static void test_exec_is_awaited_for_two_seconds_and_once(void **state)
{
	struct start start = { .starting = 1, .ready = true };
	const pid_t pid = fork();
	int64_t begun = kernel_clock();

	(void)state;
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* if a check fails */
		for (;;)
			(void)pause();
	}
	assert_true(pid > 0);
	spawn_await_exec(&start, pid);
	assert_true(kernel_clock() - begun >= SPAWN_PATIENCE_MS * NUMBERS_MS);
	begun = kernel_clock();
	for (int i = 0; i < 10; i++)
		spawn_await_exec(&start, pid);
	assert_true(kernel_clock() - begun < SPAWN_PATIENCE_MS * NUMBERS_MS);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_start_ends_only_after_the_exec(void **state)
{
	struct start start = { .starting = 1 };

	(void)state;
	assert_false(spawn_finish(&start));
	start.awaited = true; /* but the process may still use its stack */
	assert_true(spawn_finish(&start));
	assert_int_equal(unmaps, 0);
	start.starting = 0;
	assert_true(spawn_finish(&start));
	assert_int_equal(unmaps, 1);
}

static void test_only_a_process_that_sleeps_is_woken_for_its_exec(void **state)
{
	struct start start = { .released = RELEASED };

	(void)state;
	release(&start);
	start.released = NOT_RELEASED;
	release(&start);
	assert_int_equal(wakes, 0);
	assert_int_equal(start.released, RELEASED);
	start.released = RELEASE_AWAITED;
	release(&start);
	assert_int_equal(wakes, 1);
	assert_int_equal(start.released, RELEASED);
}

static void test_process_that_sleeps_on_a_word_is_woken(void **state)
{
	const int64_t limit = INT64_C(60000) * NUMBERS_MS;
	_Atomic int *word = mmap(NULL, sizeof(*word), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const int64_t begun = kernel_clock();
	siginfo_t child = { .si_pid = 0 };
	pid_t pid;

	(void)state;
	assert_ptr_not_equal(word, MAP_FAILED);
	pid = fork();
	if (pid == 0) {
		kernel_futex_wait(word, 0, limit);
		_exit(0);
	}
	while (child.si_pid == 0) {
		kernel_futex_wake(word);
		(void)sched_yield();
		assert_int_equal(
			waitid(P_PID, (id_t)pid, &child, WEXITED | WNOHANG), 0);
	}
	assert_true(kernel_clock() - begun < limit);
	assert_int_equal(munmap(word, sizeof(*word)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_pid_of_the_parent_in_a_variable_is_replaced),
		cmocka_unit_test(test_another_pid_in_a_variable_is_not_changed),
		cmocka_unit_test(
			test_only_the_first_variable_of_a_name_is_changed),
		cmocka_unit_test(test_start_ends_at_exec_or_at_its_timeout),
		cmocka_unit_test(test_only_a_stop_before_it_is_ready_is_ended),
		cmocka_unit_test(test_exec_is_awaited_for_two_seconds_and_once),
		cmocka_unit_test(test_start_ends_only_after_the_exec),
		cmocka_unit_test(
			test_only_a_process_that_sleeps_is_woken_for_its_exec),
		cmocka_unit_test(test_process_that_sleeps_on_a_word_is_woken),
	};

	return cmocka_run_group_tests_name("spawn", tests, NULL, NULL);
}
