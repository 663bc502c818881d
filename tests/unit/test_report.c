#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "explain.h"
#include "format.h"
#include "log.h"
#include "proc.h"
#include "report.h"

enum {
	COMMAND = 42,
};

/*
 * Stderr is this pipe while we report; the runner writes to the real one. It
 * does not block: what is not said fails a test and does not stall it.
 */
static int ends[2], err;

static void assert_said(const char *expected)
{
	char line[LOG_LINE_MAX];
	ssize_t length = read(ends[0], line, sizeof(line) - 1);

	assert_true(length > 0);
	line[length] = '\0';
	assert_string_equal(line, expected);
}

static void assert_nothing_said(void)
{
	struct pollfd waiting = { .fd = ends[0], .events = POLLIN };

	assert_int_equal(poll(&waiting, 1, 0), 0);
}

static void report_event(const struct event *event, const siginfo_t *info,
			 const struct actions *actions)
{
	dup2(ends[1], STDERR_FILENO);
	report_actions(event, info, actions, COMMAND);
	dup2(err, STDERR_FILENO);
}

static void report(const siginfo_t *info, const struct actions *actions,
		   bool reached)
{
	const struct event event = {
		.kind = EVENT_SIGNAL,
		.signum = info->si_signo,
		.reached_command = reached,
	};

	report_event(&event, info, actions);
}

static void test_sender_is_who_the_kernel_says(void **state)
{
	const struct actions dropped = { .signum = 0 };
	siginfo_t info = { .si_signo = SIGHUP };
	static const int with_sender[] = { SI_USER, SI_QUEUE, SI_TKILL };

	(void)state;
	info.si_pid = INT_MAX;
	info.si_uid = UINT_MAX;
	for (size_t i = 0; i < 3; i++) {
		info.si_code = with_sender[i];
		report(&info, &dropped, false);
		assert_said("[dumb-init] SIGHUP from PID 2147483647, "
			    "UID 4294967295: dropped\n");
	}
	/* Whatever is at si_pid means something else now. */
	info.si_code = SI_KERNEL;
	report(&info, &dropped, false);
	assert_said("[dumb-init] SIGHUP from the terminal: dropped\n");
	info.si_signo = SIGALRM;
	report(&info, &dropped, false);
	assert_said("[dumb-init] SIGALRM from the kernel: dropped\n");
	info.si_code = SI_TIMER;
	report(&info, &dropped, false);
	assert_said("[dumb-init] SIGALRM from the kernel: dropped\n");
}

static void
test_sender_is_named_if_it_lives_and_is_none_from_outside(void **state)
{
	const struct actions dropped = { .signum = 0 };
	siginfo_t info = { .si_signo = SIGHUP, .si_code = SI_USER };
	const pid_t pids[] = { 1, getpid() };

	(void)state;
	info.si_uid = 7;
	for (size_t i = 0; i < sizeof(pids) / sizeof(pids[0]); i++) {
		char path[64], comm[PROC_LINE_MAX], line[LOG_LINE_MAX];

		format_text(path, sizeof(path), "/proc/%d/comm", pids[i]);
		assert_true(proc_find_line(path, "", comm));
		format_text(line, sizeof(line),
			    "[dumb-init] SIGHUP from PID %d (%s), UID 7: "
			    "dropped\n",
			    pids[i], comm);
		info.si_pid = pids[i];
		report(&info, &dropped, false);
		assert_said(line);
	}
	info.si_pid = 0;
	report(&info, &dropped, false);
	assert_said("[dumb-init] SIGHUP from PID 0 (outside the namespace, or "
		    "the kernel), UID 7: dropped\n");
}

static void test_what_became_of_a_signal(void **state)
{
	const siginfo_t info = { .si_signo = SIGTERM, .si_code = SI_KERNEL };
	const struct actions itself = { .signum = SIGTERM,
					.target = TARGET_GROUP };
	const struct actions another = { .signum = 64,
					 .target = TARGET_COMMAND };

	(void)state;
	report(&info, &itself, false);
	assert_said("[dumb-init] SIGTERM from the kernel: passed on to group "
		    "42\n");
	report(&info, &another, false);
	assert_said("[dumb-init] SIGTERM from the kernel: passed on to PID 42 "
		    "as SIGRTMAX\n");
	report(&info, &(struct actions){ .signum = 0 }, true);
	assert_said("[dumb-init] SIGTERM from the kernel: COMMAND has it "
		    "already\n");
	/* What --grace sends then is another one. */
	report(&info, &(struct actions){ .end_pause = true, .signum = SIGTERM },
	       false);
	assert_said("[dumb-init] SIGTERM from the kernel: ends the pause\n");
}

static void test_started_says_the_mode(void **state)
{
	static const struct {
		enum mode mode;
		const char *line;
	} rows[] = {
		{ MODE_SESSION, "[dumb-init] started x in a session of its "
				"own: PID 42\n" },
		{ MODE_GROUP, "[dumb-init] started x in a process group of its "
			      "own: PID 42\n" },
		{ MODE_SINGLE_CHILD,
		  "[dumb-init] started x as a single child: PID 42\n" },
		{ MODE_PAUSE, "[dumb-init] waiting for SIGTERM or SIGINT, "
			      "without a COMMAND\n" },
	};
	char *argv[] = { (char *)"dumb-init", (char *)"x", NULL };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct options options = { .mode = rows[i].mode,
						 .command = argv + 1 };

		dup2(ends[1], STDERR_FILENO);
		report_start(&options, COMMAND);
		dup2(err, STDERR_FILENO);
		assert_said(rows[i].line);
	}
}

static const struct said {
	struct event event;
	struct actions actions;
	int signum;           /* that info tells of; 0 where there is none */
	enum log_level level; /* the lowest that says it */
	const char *line;     /* NULL where none does */
} events[] = {
	{ .event = { .kind = EVENT_SIGNAL, .signum = SIGTERM },
	  .actions = { .hold = true },
	  .signum = SIGTERM,
	  .level = LOG_VERBOSE,
	  .line = "SIGTERM from the kernel: held back" },
	{ .event = { .kind = EVENT_SIGNAL, .signum = SIGTERM },
	  .actions = { .release = true,
		       .signum = SIGTERM,
		       .target = TARGET_GROUP },
	  .signum = SIGTERM,
	  .level = LOG_VERBOSE,
	  .line = "SIGTERM from the kernel: passed on to group 42" },
	{ .event = { .kind = EVENT_DEADLINE },
	  .actions = { .release = true,
		       .signum = SIGTERM,
		       .target = TARGET_EVERYTHING },
	  .signum = SIGTERM,
	  .level = LOG_VERBOSE,
	  .line = "SIGTERM from the kernel: passed on to everything" },
	{ .event = { .kind = EVENT_DEADLINE },
	  .actions = { .release = true,
		       .signum = SIGINT,
		       .target = TARGET_COMMAND },
	  .signum = SIGTERM,
	  .level = LOG_VERBOSE,
	  .line = "SIGTERM from the kernel: passed on to PID 42 as SIGINT" },
	{ .event = { .kind = EVENT_DEADLINE },
	  .actions = { .signum = SIGKILL,
		       .target = TARGET_EVERYTHING,
		       .last_resort = true },
	  .level = LOG_WARNING,
	  .line = "time is up: SIGKILL to everything" },
	{ .event = { .kind = EVENT_DEADLINE },
	  .actions = { .signum = SIGKILL, .target = TARGET_EVERYTHING },
	  .level = LOG_VERBOSE,
	  .line = NULL },
	{ .event = { .kind = EVENT_DEADLINE },
	  .actions = { .give_up = true },
	  .level = LOG_VERBOSE,
	  .line = NULL },
	{ .event = { .kind = EVENT_COMMAND_ENDED },
	  .actions = { .signum = SIGTERM, .target = TARGET_GROUP },
	  .level = LOG_VERBOSE,
	  .line = "COMMAND has ended: SIGTERM to group 42" },
	{ .event = { .kind = EVENT_COMMAND_ENDED },
	  .actions = { .signum = SIGTERM,
		       .target = TARGET_EVERYTHING,
		       .wake = true },
	  .level = LOG_VERBOSE,
	  .line = "COMMAND has ended: SIGTERM to everything" },
	{ .event = { .kind = EVENT_COMMAND_ENDED },
	  .actions = { .signum = 0 },
	  .level = LOG_VERBOSE,
	  .line = NULL },
	{ .event = { .kind = EVENT_NOTHING_LEFT },
	  .actions = { .signum = 0 },
	  .level = LOG_VERBOSE,
	  .line = NULL },
	{ .event = { .kind = EVENT_COMMAND_STOPPED, .signum = SIGTSTP },
	  .actions = { .suspend = SIGTSTP },
	  .level = LOG_VERBOSE,
	  .line = "stopping ourselves until SIGCONT" },
};

static void test_event_is_said_at_its_level(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		const struct said *row = &events[i];
		const siginfo_t info = { .si_signo = row->signum,
					 .si_code = SI_KERNEL };

		for (int level = LOG_ERROR; level <= LOG_VERBOSE; level++) {
			char line[LOG_LINE_MAX];

			log_set_level((enum log_level)level);
			report_event(&row->event, row->signum ? &info : NULL,
				     &row->actions);
			if (row->line == NULL || level < (int)row->level) {
				assert_nothing_said();
				continue;
			}
			format_text(line, sizeof(line), "[dumb-init] %s\n",
				    row->line);
			assert_said(line);
		}
	}
}

static void test_stop_is_said_behind_its_signal(void **state)
{
	const siginfo_t info = { .si_signo = SIGTSTP, .si_code = SI_KERNEL };
	const struct actions stop = { .signum = SIGSTOP,
				      .target = TARGET_EVERYTHING,
				      .suspend = SIGSTOP };

	(void)state;
	report(&info, &stop, false);
	assert_said("[dumb-init] SIGTSTP from the terminal: passed on to "
		    "everything as SIGSTOP\n"
		    "[dumb-init] stopping ourselves until SIGCONT\n");
}

static void test_refusal_names_the_target(void **state)
{
	static const struct {
		enum target target;
		const char *name;
	} targets[] = {
		{ TARGET_COMMAND, "PID 42" },
		{ TARGET_GROUP, "group 42" },
		{ TARGET_EVERYTHING, "everything" },
	};

	(void)state;
	log_set_level(LOG_WARNING);
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		const struct actions actions = { .signum = SIGHUP,
						 .target = targets[i].target };
		char line[LOG_LINE_MAX];

		dup2(ends[1], STDERR_FILENO);
		report_refusal(&actions, COMMAND, EPERM);
		dup2(err, STDERR_FILENO);
		format_text(line, sizeof(line),
			    "[dumb-init] cannot send SIGHUP to %s: %s\n",
			    targets[i].name, strerror(EPERM));
		assert_said(line);
	}
}

static void test_giving_up_says_what_remains(void **state)
{
	char *argv[] = { (char *)"dumb-init", (char *)"x", NULL };
	const struct options options = { .command = argv + 1 };
	static const struct {
		pid_t command;
		bool failed;
		const char *line;
	} rows[] = {
		{ COMMAND, false,
		  "[dumb-init] x (PID 42) still exists a second after "
		  "SIGKILL; exiting anyway\n" },
		{ 0, false,
		  "[dumb-init] some processes survived SIGKILL; exiting "
		  "anyway\n" },
		{ 0, true,
		  "[dumb-init] some processes could not be killed; exiting "
		  "anyway\n" },
	};

	(void)state;
	log_set_level(LOG_WARNING);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		dup2(ends[1], STDERR_FILENO);
		report_give_up(&options, rows[i].command, rows[i].failed);
		dup2(err, STDERR_FILENO);
		assert_said(rows[i].line);
	}
}

static void report_use(long s, long us)
{
	const struct rusage usage = {
		.ru_utime = { .tv_sec = s, .tv_usec = us },
		.ru_stime = { .tv_sec = 2 * s, .tv_usec = us },
		.ru_maxrss = 1234,
	};

	dup2(ends[1], STDERR_FILENO);
	report_usage(&usage);
	dup2(err, STDERR_FILENO);
}

static void test_use_is_said_in_seconds_with_milliseconds(void **state)
{
	static const struct {
		long s, us;
		const char *user, *system;
	} rows[] = {
		{ 0, 0, "0.000", "0.000" },
		{ 0, 999, "0.000", "0.000" },
		{ 0, 1000, "0.001", "0.001" },
		{ 0, 10999, "0.010", "0.010" },
		{ 0, 100000, "0.100", "0.100" },
		{ 1, 999999, "1.999", "2.999" },
		{ 12345, 678901, "12345.678", "24690.678" },
	};

	(void)state;
	log_set_level(LOG_WARNING);
	report_use(1, 0);
	assert_nothing_said();
	log_set_level(LOG_VERBOSE);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char line[LOG_LINE_MAX];

		report_use(rows[i].s, rows[i].us);
		format_text(line, sizeof(line),
			    "[dumb-init] COMMAND took %s s user, %s s system, "
			    "1234 KiB at most\n",
			    rows[i].user, rows[i].system);
		assert_said(line);
	}
}

static void test_cause_is_said_with_a_core_if_there_is_one(void **state)
{
	siginfo_t dead = { .si_signo = SIGCHLD, .si_code = CLD_KILLED };

	(void)state;
	dead.si_pid = COMMAND;
	dead.si_status = SIGSEGV;
	for (int dumped = 0; dumped < 2; dumped++) {
		dead.si_code = dumped ? CLD_DUMPED : CLD_KILLED;
		dup2(ends[1], STDERR_FILENO);
		report_cause(&dead, EXPLAIN_UNKNOWN);
		dup2(err, STDERR_FILENO);
		assert_said(dumped ? "[dumb-init] COMMAND was killed by "
				     "SIGSEGV, which we did not pass on, "
				     "core dumped\n"
				   : "[dumb-init] COMMAND was killed by "
				     "SIGSEGV, which we did not pass on\n");
	}
}

static void test_death_is_said_where_it_was_asked_for(void **state)
{
	static const struct {
		pid_t pid;
		int code;
		int status;
		bool warn_on_reap;
		enum log_level level; /* the lowest that says it */
		const char *line;
	} deaths[] = {
		{ COMMAND, CLD_EXITED, 3, false, LOG_VERBOSE,
		  "[dumb-init] COMMAND, PID 42, ended with status 3\n" },
		{ COMMAND, CLD_EXITED, 0, true, LOG_VERBOSE,
		  "[dumb-init] COMMAND, PID 42, ended with status 0\n" },
		{ COMMAND, CLD_KILLED, SIGKILL, true, LOG_VERBOSE,
		  "[dumb-init] COMMAND, PID 42, was killed by SIGKILL\n" },
		{ 43, CLD_EXITED, 255, false, LOG_VERBOSE,
		  "[dumb-init] orphan, PID 43, ended with status 255\n" },
		{ 43, CLD_EXITED, 0, true, LOG_WARNING,
		  "[dumb-init] orphan, PID 43, ended with status 0\n" },
		{ 43, CLD_KILLED, 64, true, LOG_WARNING,
		  "[dumb-init] orphan, PID 43, was killed by SIGRTMAX\n" },
		{ 43, CLD_DUMPED, SIGSEGV, true, LOG_WARNING,
		  "[dumb-init] orphan, PID 43, was killed by SIGSEGV\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(deaths) / sizeof(deaths[0]); i++) {
		const struct options options = {
			.warn_on_reap = deaths[i].warn_on_reap,
		};
		siginfo_t dead = { .si_signo = SIGCHLD,
				   .si_code = deaths[i].code };

		dead.si_pid = deaths[i].pid;
		dead.si_status = deaths[i].status;
		for (int level = LOG_ERROR; level <= LOG_VERBOSE; level++) {
			log_set_level((enum log_level)level);
			dup2(ends[1], STDERR_FILENO);
			report_death(&options, &dead, COMMAND);
			dup2(err, STDERR_FILENO);
			if (level < (int)deaths[i].level)
				assert_nothing_said();
			else
				assert_said(deaths[i].line);
		}
	}
}

static int say_all(void **state)
{
	(void)state;
	log_set_level(LOG_VERBOSE);
	return 0;
}

static int make_pipe(void **state)
{
	(void)state;
	err = dup(STDERR_FILENO);
	log_set_level(LOG_VERBOSE);
	return err < 0 ? -1 : pipe2(ends, O_NONBLOCK);
}

static int close_pipe(void **state)
{
	(void)state;
	return close(ends[0]) | close(ends[1]) | close(err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sender_is_who_the_kernel_says),
		cmocka_unit_test(
			test_sender_is_named_if_it_lives_and_is_none_from_outside),
		cmocka_unit_test(test_what_became_of_a_signal),
		cmocka_unit_test(test_started_says_the_mode),
		cmocka_unit_test_teardown(test_event_is_said_at_its_level,
					  say_all),
		cmocka_unit_test(test_stop_is_said_behind_its_signal),
		cmocka_unit_test(test_use_is_said_in_seconds_with_milliseconds),
		cmocka_unit_test(
			test_cause_is_said_with_a_core_if_there_is_one),
		cmocka_unit_test_teardown(test_refusal_names_the_target,
					  say_all),
		cmocka_unit_test_teardown(test_giving_up_says_what_remains,
					  say_all),
		cmocka_unit_test_teardown(
			test_death_is_said_where_it_was_asked_for, say_all),
	};

	return cmocka_run_group_tests_name("report", tests, make_pipe,
					   close_pipe);
}
