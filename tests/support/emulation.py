"""Skips tests that do not apply to an init for another processor, most of them because
it runs under qemu-user 7.2.

packaging/release-test loads this (pytest -p emulation), with --qemu if the init runs
under qemu. All other tests run unchanged, but not for Debian's programs.
"""

import pytest

# Tests by reason. "test: part" means the cases of a test with this part in their names.
LEFT_OUT = {
    "COMMAND's process does not share memory: its status counts as COMMAND's": """
        test_status_of_a_command_that_did_not_run_is_not_mapped
        """,
    "the init is a script that executes qemu, whose calls strace makes fail": """
        test_exec_that_fails_for_a_moment_is_tried_again
        test_exec_that_fails_with_eagain_each_time_is_126
        test_options_in_the_environment_without_memory_for_them_are_an_error
        """,
    "the kernel executes programs, so those for this machine's processor run": """
        test_corrupted_real_program_gets_no_hint
        test_truncated_header_gets_no_hint
        test_truncated_real_program_gets_no_hint
        test_hint_names_both_processors_of_a_foreign_interpreter
        test_hint_names_both_processors_of_a_foreign_program
        test_hint_names_both_processors_of_a_real_program
        test_script_without_a_shebang_is_126_where_there_is_no_shell
        """,
    "COMMAND's process does not share memory: dumb-init continues while it starts": """
        test_hangup_before_the_start_of_command_reaches_it
        test_key_before_the_start_of_command_reaches_it
        test_key_while_command_is_started_reaches_it
        test_key_while_command_is_started_sends_one_signal
        test_signal_of_the_first_millisecond_is_never_lost
        test_verbose_prints_start_signals_and_exits
        """,
    "ioctl(2) TIOCGSID does not return the session": """
        test_command_owns_the_terminal_in_session_mode
        test_job_control_of_a_shell_inside_works: session
        test_signal_before_the_hand_off_is_not_lost_in_it
        test_stop_signal_before_the_hand_off_is_not_lost_in_it
        test_hangup_is_not_lost_if_the_terminal_cannot_be_given_up
        test_hangup_of_the_terminal_needs_no_explanation: session
        test_sighup_while_the_terminal_is_released_reaches_command
        """,
    "prctl(2) has no child subreapers": """
        test_failing_prctl_calls_are_warnings
        """,
    "qemu changes the signal mask and the dispositions": """
        test_alarm_set_before_the_start_is_forwarded
        test_room_in_the_queue_is_left_during_a_flood_of_signals
        test_command_does_not_start_if_a_setting_cannot_be_restored
        test_command_inherits_signal_mask_and_ignored_signals
        test_command_inherits_the_ignored_signals
        test_ignored_sighup_stays_ignored
        test_signal_while_command_starts_is_forwarded_once_it_runs
        test_signals_are_blocked_before_the_options_are_read
        test_failure_to_block_signals_is_1_and_starts_nothing
        """,
    "real-time signals have other numbers: 34 is 32, 64 is 62": """
        test_kill_by_a_forwarded_signal_is_not_explained: -35-35
        test_each_signal_that_kills_command_is_named_in_one_line
        test_status_of_a_killed_command_is_128_plus_the_signal
        test_parent_death_signal_is_forwarded: 64
        test_signal_arrives_as_its_replacement
        test_signal_rewritten_to_0_is_dropped
        test_dumb_init_without_a_shell_does_not_stop_when_command_alone_stops
        test_stop_request_continues_the_group_too_if_command_alone_gets_the_signals
        test_stop_request_ends_a_command_that_ctrl_z_stopped_below_a_script
        test_stop_request_ends_a_command_that_ctrl_z_stopped_where_no_shell_is
        test_value_of_a_rewritten_signal_is_kept
        test_every_queued_signal_arrives_though_the_queue_is_full
        """,
    "a stop signal may stop qemu, or get lost, between two waits for signals": """
        test_background_job_of_a_shell_stops_when_it_reads_the_terminal
        test_ctrl_z_under_a_shell_gives_the_prompt_back
        """,
    "qemu uses SIGILL, SIGBUS, SIGFPE, SIGSEGV, 32 and 33 itself": """
        test_kill_by_a_forwarded_signal_is_not_explained: -11-11
        test_signals_that_other_inits_keep_are_forwarded
        """,
    "qemu has a thread, memory and wake-ups of its own": """
        test_memory_does_not_grow_with_signals_to_all
        test_memory_for_the_options_in_the_environment_is_given_back
        test_nothing_grows_with_signals_and_orphans
        test_verbose_explains_pid_0
        test_wait_all_sleeps_while_nothing_happens
        test_command_gets_the_signal_without_memory
        test_group_of_dumb_init_gets_no_signal_without_memory
        test_wait_all_waits_without_memory
        """,
}
# Whole files: qemu emulates threads, tracers, clones, timers and terminals in another
# way, and each wait that fails takes its whole time limit.
FILES_LEFT_OUT = {
    "qemu emulates the kernel in another way": """
        test_section_1_drop_in.py
        test_section_2_early.py
        test_section_3_job_stop.py
        test_section_4_requests.py
        test_section_4_status.py
        test_section_5_stderr.py
        """,
}
# These tests use the signal numbers of this machine; MIPS has others.
LEFT_OUT_ON_MIPS = {
    "MIPS has other signal numbers": """
        test_kill_by_a_signal_without_a_key_is_explained_on_a_terminal
        test_malformed_argument_is_a_usage_error_that_names_it
        test_kill_by_a_signal_pending_for_dumb_init_is_not_explained
        test_termination_log_says_why_command_was_killed
        test_termination_log_is_where_kubernetes_looks_by_default
        test_unwritable_termination_log_stops_no_process_and_sends_no_signal
        """,
}
# An i386 build runs here without qemu.
LEFT_OUT_ON_I386 = {
    "strace does not inject into ptrace(2) of 32-bit code": """
        test_traced_command_that_is_killed_while_it_is_detached_is_reaped
        """,
    "strace counts the calls of 32-bit code separately from those of gate.c": """
        test_command_does_not_start_if_a_setting_cannot_be_restored
        """,
}
# Left out of the tests that go through all signals.
TAKEN_BY_QEMU = (4, 7, 8, 11, 32, 33)


def pytest_addoption(parser):
    parser.addoption("--qemu", action="store_true", help="the init runs under qemu")


def pytest_configure(config):
    import conftest  # that of tests/behaviour, which is there by now
    conftest.PEERS.clear()
    if config.getoption("--qemu"):
        conftest.ALL_SIGNALS[:] = [signum for signum in conftest.ALL_SIGNALS
                                   if signum not in TAKEN_BY_QEMU]


def why_left_out(item):
    """The reason, or None."""
    tables = [LEFT_OUT_ON_I386] if "i386" in item.name else []
    if item.config.getoption("--qemu"):
        tables += [LEFT_OUT, *[LEFT_OUT_ON_MIPS] * ("mips" in item.name)]
        for reason, files in FILES_LEFT_OUT.items():
            if item.path.name in files.split():
                return reason
    for reason, tests in (each for table in tables for each in table.items()):
        for line in tests.split("\n"):
            name, _, part = line.strip().partition(": ")
            if item.originalname == name and part in item.name:
                return reason
    return None


def pytest_collection_modifyitems(config, items):
    for item in items:
        reason = why_left_out(item)
        if reason:
            by = "qemu: " if config.getoption("--qemu") else "NOT TESTED: "
            item.add_marker(pytest.mark.skip(reason=by + reason))
