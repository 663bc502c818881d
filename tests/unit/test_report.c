#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "format.h"
#include "log.h"
#include "oom.h"
#include "proc.h"
#include "report.h"

enum {
	COMMAND = 42,
};

/* stderr while a report runs. It does not block: a missing line fails a test
 * and does not stop it. */
static int ends[2], err;

static char *command[] = { (char *)"server", (char *)"--port", NULL };
static struct options options = { .command = command, .program = "server" };

static void begin(enum log_level level)
{
	log_set_level(level);
	dup2(ends[1], STDERR_FILENO);
}

/* expected: the lines without their prefix; NULL: none. */
static void end_expecting(const char *expected)
{
	char text[LOG_LINE_MAX] = "", line[LOG_LINE_MAX] = "";
	const ssize_t length = read(ends[0], text, sizeof(text) - 1);

	dup2(err, STDERR_FILENO);
	text[length < 0 ? 0 : length] = '\0';
	if (expected)
		format_text(line, sizeof(line), "[dumb-init] %s\n", expected);
	assert_string_equal(text, line);
}

static void expect_outcome(const struct actions *actions, const siginfo_t *info,
			   const char *line)
{
	begin(LOG_VERBOSE);
	report_outcome(&options, COMMAND, actions, info);
	end_expecting(line);
}

static void test_sender_is_named_as_the_kernel_says(void **state)
{
	static const int with_sender[] = { SI_USER, SI_QUEUE, SI_TKILL };
	const struct actions dropped = { .outcome = OUTCOME_DROPPED };
	siginfo_t info = { .si_signo = SIGHUP };

	(void)state;
	info.si_pid = INT_MAX;
	info.si_uid = UINT_MAX;
	for (size_t i = 0; i < 3; i++) {
		info.si_code = with_sender[i];
		expect_outcome(&dropped, &info,
			       "SIGHUP from PID 2147483647 (UID 4294967295): "
			       "dropped");
	}
	/* Without a sender, si_pid has another meaning. */
	info.si_code = SI_KERNEL;
	expect_outcome(&dropped, &info, "SIGHUP from the terminal: dropped");
	info.si_signo = SIGALRM;
	expect_outcome(&dropped, &info, "SIGALRM from the kernel: dropped");
	info.si_code = SI_TIMER;
	expect_outcome(&dropped, &info, "SIGALRM from the kernel: dropped");
}

static void test_sender_has_the_name_of_its_program(void **state)
{
	const struct actions dropped = { .outcome = OUTCOME_DROPPED };
	siginfo_t info = { .si_signo = SIGHUP, .si_code = SI_USER };
	const pid_t pids[] = { 1, getpid() };

	(void)state;
	info.si_uid = 7;
	for (size_t i = 0; i < sizeof(pids) / sizeof(pids[0]); i++) {
		char path[64], comm[PROC_LINE_MAX], line[LOG_LINE_MAX];

		format_text(path, sizeof(path), "/proc/%d/comm", pids[i]);
		assert_true(proc_find_line(path, "", comm));
		format_text(line, sizeof(line),
			    "SIGHUP from %s (PID %d, UID 7): dropped", comm,
			    pids[i]);
		info.si_pid = pids[i];
		expect_outcome(&dropped, &info, line);
	}
}

static void test_sender_outside_the_pid_namespace_is_named_so(void **state)
{
	const struct actions dropped = { .outcome = OUTCOME_DROPPED };
	siginfo_t info = { .si_signo = SIGHUP, .si_code = SI_USER };

	(void)state;
	info.si_uid = UINT_MAX;
	expect_outcome(&dropped, &info,
		       "SIGHUP from a process outside this PID namespace "
		       "(UID 4294967295): dropped");
}

static void test_outcome_of_a_signal_is_named(void **state)
{
	static const struct {
		struct actions actions;
		const char *line;
	} rows[] = {
		{ { .outcome = OUTCOME_FORWARDED,
		    .signum = SIGTERM,
		    .target = TARGET_COMMAND },
		  "forwarded to server (PID 42)" },
		{ { .outcome = OUTCOME_FORWARDED,
		    .signum = SIGTERM,
		    .target = TARGET_GROUP },
		  "forwarded to the process group of server (PID 42)" },
		{ { .outcome = OUTCOME_FORWARDED,
		    .signum = 64,
		    .target = TARGET_ALL },
		  "forwarded to all processes as SIGRTMAX" },
		{ { .outcome = OUTCOME_ALREADY_SENT, .target = TARGET_ALL },
		  "already sent by the terminal to server (PID 42)" },
		{ { .outcome = OUTCOME_DROPPED }, "dropped" },
		{ { .outcome = OUTCOME_DELAYED }, "delayed (--delay)" },
		/* The SIGTERM is that of --grace, and not this one. */
		{ { .outcome = OUTCOME_PAUSE_ENDED, .signum = SIGTERM },
		  "exiting" },
	};
	const siginfo_t info = { .si_signo = SIGTERM, .si_code = SI_KERNEL };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char line[LOG_LINE_MAX];

		format_text(line, sizeof(line), "SIGTERM from the kernel: %s",
			    rows[i].line);
		expect_outcome(&rows[i].actions, &info, line);
	}
}

static void test_long_program_name_is_cut(void **state)
{
	const struct actions actions = { .outcome = OUTCOME_FORWARDED,
					 .signum = SIGINT,
					 .target = TARGET_GROUP };
	const siginfo_t info = { .si_signo = SIGTERM, .si_code = SI_KERNEL };
	char name[1000];
	const struct options of_long = { .program = name };
	char line[LOG_LINE_MAX];

	(void)state;
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	begin(LOG_VERBOSE);
	report_outcome(&of_long, COMMAND, &actions, &info);
	format_text(line, sizeof(line),
		    "SIGTERM from the kernel: forwarded to the process group "
		    "of %s",
		    name);
	/* 255 bytes for the outcome. */
	line[strlen("SIGTERM from the kernel: ") + 255] = '\0';
	end_expecting(line);
}

static void test_start_names_the_mode(void **state)
{
	static const struct {
		enum mode mode;
		const char *line;
	} rows[] = {
		{ MODE_SESSION, "started server as PID 42 (new session)" },
		{ MODE_GROUP, "started server as PID 42 (new process group)" },
		{ MODE_SINGLE_CHILD,
		  "started server as PID 42 (single-child mode)" },
		{ MODE_PAUSE, "waiting for SIGTERM or SIGINT (--pause)" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct options in_mode = { .mode = rows[i].mode,
						 .program = "server" };

		begin(LOG_VERBOSE);
		report_start(&in_mode, COMMAND);
		end_expecting(rows[i].line);
	}
}

static const struct {
	struct actions actions;
	int signum;           /* in the siginfo; 0: no siginfo */
	enum log_level level; /* the lowest that prints the line */
	const char *line;     /* NULL: none prints one */
} outcomes[] = {
	{ { .outcome = OUTCOME_DELAYED },
	  SIGTERM,
	  LOG_VERBOSE,
	  "SIGTERM from the kernel: delayed (--delay)" },
	{ { .outcome = OUTCOME_GRACE_EXPIRED,
	    .signum = SIGKILL,
	    .target = TARGET_ALL },
	  0,
	  LOG_WARNING,
	  "--grace expired: sending SIGKILL to all processes" },
	{ { .outcome = OUTCOME_KILL_AFTER_EXPIRED,
	    .signum = SIGKILL,
	    .target = TARGET_ALL },
	  0,
	  LOG_WARNING,
	  "--kill-after expired: sending SIGKILL to all processes" },
	{ { .signum = SIGKILL, .target = TARGET_ALL }, 0, LOG_VERBOSE, NULL },
	{ { .outcome = OUTCOME_GAVE_UP }, 0, LOG_VERBOSE, NULL },
	{ { .outcome = OUTCOME_TERMINATE,
	    .signum = SIGTERM,
	    .target = TARGET_GROUP },
	  0,
	  LOG_VERBOSE,
	  "sending SIGTERM to the process group of server (PID 42)" },
	{ { .outcome = OUTCOME_TERMINATE,
	    .signum = SIGTERM,
	    .target = TARGET_ALL,
	    .wake = true },
	  0,
	  LOG_VERBOSE,
	  "sending SIGTERM to all processes" },
	{ { .signum = 0 }, 0, LOG_VERBOSE, NULL },
	{ { .suspend = SIGTSTP }, 0, LOG_VERBOSE, "stopping until SIGCONT" },
	{ { .outcome = OUTCOME_FORWARDED,
	    .signum = SIGSTOP,
	    .target = TARGET_ALL,
	    .suspend = SIGSTOP },
	  SIGTSTP,
	  LOG_VERBOSE,
	  "SIGTSTP from the terminal: forwarded to all processes as SIGSTOP\n"
	  "[dumb-init] stopping until SIGCONT" },
};

static void test_outcome_is_printed_at_its_level(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++) {
		const siginfo_t info = { .si_signo = outcomes[i].signum,
					 .si_code = SI_KERNEL };

		for (int level = LOG_ERROR; level <= LOG_VERBOSE; level++) {
			begin((enum log_level)level);
			report_outcome(&options, COMMAND, &outcomes[i].actions,
				       outcomes[i].signum ? &info : NULL);
			end_expecting(level < (int)outcomes[i].level
					      ? NULL
					      : outcomes[i].line);
		}
	}
}

static void test_refusal_names_the_target(void **state)
{
	static const struct {
		enum target target;
		const char *name;
	} targets[] = {
		{ TARGET_COMMAND, "server (PID 42)" },
		{ TARGET_GROUP, "the process group of server (PID 42)" },
		{ TARGET_ALL, "all processes" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		const struct actions actions = { .signum = SIGHUP,
						 .target = targets[i].target };
		char line[LOG_LINE_MAX];

		format_text(line, sizeof(line), "cannot send SIGHUP to %s: %s",
			    targets[i].name, strerror(EPERM));
		begin(LOG_WARNING);
		report_refusal(&options, COMMAND, &actions, EPERM);
		end_expecting(line);
	}
}

static void test_survivors_are_named(void **state)
{
	static const struct {
		pid_t command;
		bool failed;
		const char *line;
	} rows[] = {
		{ COMMAND, false,
		  "server (PID 42) still exists a second after SIGKILL; "
		  "exiting anyway" },
		{ 0, false, "some processes survived SIGKILL; exiting anyway" },
		{ 0, true,
		  "some processes could not be killed; exiting anyway" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin(LOG_WARNING);
		report_survivors(&options, rows[i].command, rows[i].failed);
		end_expecting(rows[i].line);
	}
}

static void test_usage_is_in_seconds_with_milliseconds(void **state)
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
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct rusage usage = {
			.ru_utime = { rows[i].s, rows[i].us },
			.ru_stime = { 2 * rows[i].s, rows[i].us },
			.ru_maxrss = 1234,
		};
		char line[LOG_LINE_MAX];

		begin(LOG_WARNING);
		report_usage(&options, &usage);
		end_expecting(NULL);
		format_text(line, sizeof(line),
			    "server used %s s user, %s s system, 1234 KiB peak "
			    "memory",
			    rows[i].user, rows[i].system);
		begin(LOG_VERBOSE);
		report_usage(&options, &usage);
		end_expecting(line);
	}
}

static siginfo_t exited(pid_t pid, int cause, int status)
{
	siginfo_t info = { .si_signo = SIGCHLD, .si_code = cause };

	info.si_pid = pid;
	info.si_status = status;
	return info;
}

static void test_only_an_unexpected_sigkill_has_a_cause(void **state)
{
	static const struct {
		int cause, signum, oom_kills;
		const char *rest;
	} rows[] = {
		{ CLD_KILLED, SIGSEGV, OOM_UNKNOWN,
		  "SIGSEGV, not sent by dumb-init" },
		{ CLD_DUMPED, SIGABRT, OOM_UNKNOWN,
		  "SIGABRT (core dumped), not sent by dumb-init" },
		{ CLD_KILLED, SIGABRT, 1, "SIGABRT, not sent by dumb-init" },
		{ CLD_KILLED, SIGKILL, 1,
		  "SIGKILL, not sent by dumb-init: out of memory (its cgroup "
		  "recorded an OOM kill)" },
		{ CLD_KILLED, SIGKILL, 0,
		  "SIGKILL, not sent by dumb-init: its cgroup recorded no OOM "
		  "kill; another process probably sent it" },
		{ CLD_KILLED, SIGKILL, OOM_UNKNOWN,
		  "SIGKILL, not sent by dumb-init: out of memory, or another "
		  "process sent it" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const siginfo_t info =
			exited(COMMAND, rows[i].cause, rows[i].signum);
		char line[LOG_LINE_MAX];

		format_text(line, sizeof(line),
			    "server (PID 42) was killed by %s", rows[i].rest);
		begin(LOG_WARNING);
		report_unexpected_kill(&options, &info, rows[i].oom_kills);
		end_expecting(line);
	}
}

static void test_oom_kill_of_a_child_is_named(void **state)
{
	const siginfo_t info = exited(COMMAND, CLD_EXITED, 137);

	(void)state;
	begin(LOG_WARNING);
	report_oom_of_child(&options, &info);
	end_expecting("server (PID 42) exited with status 137, and its cgroup "
		      "recorded an OOM kill: one of its children was probably "
		      "killed");
}

static void test_exit_of_command_is_printed_with_verbose(void **state)
{
	const siginfo_t status = exited(COMMAND, CLD_EXITED, 3);
	const siginfo_t signal = exited(COMMAND, CLD_KILLED, 49);

	(void)state;
	begin(LOG_WARNING);
	report_exit(&options, &status);
	end_expecting(NULL);
	begin(LOG_VERBOSE);
	report_exit(&options, &status);
	end_expecting("server (PID 42) exited with status 3");
	begin(LOG_VERBOSE);
	report_exit(&options, &signal);
	end_expecting("server (PID 42) was killed by SIGRTMIN+15");
}

static void test_orphan_is_printed_with_warn_on_reap(void **state)
{
	static const struct {
		int cause, status;
		const char *line;
	} rows[] = {
		{ CLD_EXITED, 255,
		  "reaped orphan (PID 43), which exited with status 255" },
		{ CLD_KILLED, 64,
		  "reaped orphan (PID 43), which was killed by SIGRTMAX" },
		{ CLD_DUMPED, SIGSEGV,
		  "reaped orphan (PID 43), which was killed by SIGSEGV" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const siginfo_t info =
			exited(43, rows[i].cause, rows[i].status);

		for (int level = LOG_ERROR; level <= LOG_VERBOSE; level++) {
			for (int warn = 0; warn < 2; warn++) {
				const struct options with = {
					.program = "server",
					.warn_on_reap = warn != 0,
				};
				const int lowest =
					warn ? LOG_WARNING : LOG_VERBOSE;

				begin((enum log_level)level);
				report_orphan(&with, &info);
				end_expecting(level < lowest ? NULL
							     : rows[i].line);
			}
		}
	}
}

static void test_traced_child_is_printed_with_verbose(void **state)
{
	(void)state;
	begin(LOG_VERBOSE);
	report_traced(9, 0);
	end_expecting("PID 9 called PTRACE_TRACEME; it continues");
	begin(LOG_VERBOSE);
	report_traced(9, SIGHUP);
	end_expecting("PID 9 called PTRACE_TRACEME; it continues with SIGHUP");
}

static int make_pipe(void **state)
{
	(void)state;
	err = dup(STDERR_FILENO);
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
		cmocka_unit_test(test_sender_is_named_as_the_kernel_says),
		cmocka_unit_test(test_sender_has_the_name_of_its_program),
		cmocka_unit_test(
			test_sender_outside_the_pid_namespace_is_named_so),
		cmocka_unit_test(test_outcome_of_a_signal_is_named),
		cmocka_unit_test(test_long_program_name_is_cut),
		cmocka_unit_test(test_start_names_the_mode),
		cmocka_unit_test(test_outcome_is_printed_at_its_level),
		cmocka_unit_test(test_refusal_names_the_target),
		cmocka_unit_test(test_survivors_are_named),
		cmocka_unit_test(test_usage_is_in_seconds_with_milliseconds),
		cmocka_unit_test(test_only_an_unexpected_sigkill_has_a_cause),
		cmocka_unit_test(test_oom_kill_of_a_child_is_named),
		cmocka_unit_test(test_exit_of_command_is_printed_with_verbose),
		cmocka_unit_test(test_orphan_is_printed_with_warn_on_reap),
		cmocka_unit_test(test_traced_child_is_printed_with_verbose),
	};

	return cmocka_run_group_tests_name("report", tests, make_pipe,
					   close_pipe);
}
