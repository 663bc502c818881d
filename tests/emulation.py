"""What cannot be seen of an init for another processor, and why: mostly of one that
runs under qemu-user, 7.2.

packaging/release-test loads this (pytest -p emulation), with --qemu where that is so.
The tests below are skipped then; all others run as they are. Debian's programs are
not tried again.
"""

import pytest

# A test, or "test: part" for those of its cases whose name has that part.
LEFT_OUT = {
    "vfork(2) is fork(2): nobody tells us that execve(2) has failed": """
        test_a_line_stays_a_line_whatever_the_name_holds
        test_a_long_name_does_not_make_a_long_line
        test_command_does_not_start_with_a_setting_of_ours
        test_command_line_in_one_word_is_told_of_it
        test_command_that_does_not_run_is_127_or_126
        test_corrupted_real_program_makes_no_false_claim
        test_cut_off_header_makes_no_claim
        test_cut_off_real_program_makes_no_claim
        test_directory_is_named_as_one
        test_directory_that_may_not_be_searched_is_not_what_is_missing
        test_failure_that_is_not_the_files_gets_no_hint
        test_file_system_mounted_noexec_is_named
        test_file_without_execute_permission_is_told_of_it
        test_hint_stays_a_line_of_bounded_length
        test_interpreter_for_another_processor_names_both
        test_interpreter_that_is_a_script_without_its_own_is_what_is_named
        test_interpreter_that_may_not_be_executed_is_what_is_named
        test_missing_file_named_by_its_path_gets_no_hint
        test_missing_program_is_127
        test_name_not_in_path_names_path
        test_path_is_searched_as_execvp_does
        test_path_that_is_too_long_is_not_cut_off
        test_program_for_another_c_library_names_its_loader
        test_program_for_another_processor_names_both
        test_program_that_cannot_be_run_is_126
        test_quiet_says_only_what_ends_us
        test_real_program_for_another_processor_names_both
        test_script_without_a_shebang_is_126_where_there_is_no_shell
        test_script_with_windows_line_ends_is_told_of_them
        test_script_without_its_interpreter_is_126_since_it_was_found
        test_script_without_its_interpreter_names_it
        test_status_that_is_not_commands_is_not_mapped
        test_termination_log_has_why_command_did_not_start
        test_termination_log_is_where_kubernetes_looks_by_default: nonsense
        test_termination_log_that_cannot_be_written_is_one_warning
        test_what_begins_as_a_program_is_never_run_by_a_shell
        test_what_follows_us_in_a_script_has_the_terminal_again: is not found
        """,
    "vfork(2) is fork(2): we go on while COMMAND is being started": """
        test_key_before_command_was_born_reaches_it
        test_signal_of_the_first_millisecond_is_never_lost
        test_verbose_says_what_happens
        """,
    "ioctl(2) TIOCGSID does not say the session": """
        test_command_owns_the_terminal_in_session_mode
        test_job_control_of_a_shell_inside_works: session
        test_signal_before_the_hand_off_is_not_lost_in_it
        test_stop_signal_before_the_hand_off_is_not_lost_in_it
        test_terminal_that_cannot_be_given_up_costs_no_hangup
        """,
    "prctl(2) knows no child subreaper": """
        test_what_the_kernel_does_not_do_for_us_is_said
        """,
    "mask and dispositions are what qemu makes of them": """
        test_alarm_of_who_started_us_is_passed_on
        test_command_has_the_signal_mask_and_ignored_signals_we_were_started_with
        test_command_starts_with_the_ignored_signals_that_we_were_started_with
        test_ignored_sighup_stays_ignored
        test_signal_while_command_is_half_started_waits_for_it
        test_signals_are_blocked_before_the_options_are_read
        test_signals_that_cannot_be_blocked_end_us_before_anything_starts
        """,
    "real-time signals have other numbers: 34 is 32, 64 is 62": """
        test_death_that_we_passed_on_is_not_commented: -35-35
        test_each_signal_that_kills_command_is_named_in_one_line
        test_killed_by_signal_n_is_128_plus_n
        test_parent_death_signal_is_passed_on: 64
        test_signal_arrives_as_its_replacement
        test_signal_rewritten_to_0_is_dropped
        test_stop_of_command_alone_is_none_of_ours_without_a_shell
        test_value_of_a_rewritten_signal_is_kept
        test_what_sigqueue_has_accepted_arrives_though_the_queue_is_full
        """,
    "qemu keeps SIGILL, SIGBUS, SIGFPE, SIGSEGV, 32 and 33 to itself": """
        test_death_that_we_passed_on_is_not_commented: -11-11
        test_signals_that_others_keep_are_passed_on
        """,
    "qemu has a thread, memory and wake-ups of its own": """
        test_many_signals_cost_no_memory
        test_nothing_grows_with_signals_and_orphans
        test_verbose_explains_pid_0
        test_wait_all_wakes_up_for_nothing
        """,
}
# Numbers here are this machine's; a MIPS has others, as it should.
LEFT_OUT_ON_MIPS = {
    "this machine's numbers of signals": """
        test_death_by_what_is_no_key_is_commented_at_a_terminal_too
        test_malformed_argument_is_a_usage_error_that_names_it
        test_nor_is_one_that_still_waits_for_us
        test_termination_log_has_why_command_died
        test_termination_log_is_where_kubernetes_looks_by_default
        test_termination_log_stalls_nobody_and_signals_nobody
        """,
}
# That runs here without qemu.
LEFT_OUT_ON_I386 = {
    "strace counts the calls of 32-bit code apart from those of gate.c": """
        test_command_does_not_start_with_a_setting_of_ours
        """,
}
# Where a test goes through all signals, these are left out.
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
