"""What cannot be seen of an init for another processor, and why: mostly of one that
runs under qemu-user, 7.2.

packaging/release-test loads this (pytest -p emulation), with --qemu where that is so.
The tests below are skipped then; all others run as they are. Debian's programs are
not tried again.
"""

import pytest

# A test, or "test: part" for those of its cases whose name has that part.
LEFT_OUT = {
    "COMMAND's process does not share our memory: its status counts as COMMAND's": """
        test_status_that_is_not_commands_is_not_mapped
        """,
    "the kernel runs programs for another processor, and scripts, as it does here": """
        test_corrupted_real_program_makes_no_false_claim
        test_cut_off_header_makes_no_claim
        test_cut_off_real_program_makes_no_claim
        test_interpreter_for_another_processor_names_both
        test_program_for_another_processor_names_both
        test_real_program_for_another_processor_names_both
        test_script_without_a_shebang_is_126_where_there_is_no_shell
        """,
    "COMMAND's process does not share our memory: we go on while it starts": """
        test_hangup_before_command_was_born_reaches_it
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
        test_command_does_not_start_with_a_setting_of_ours
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
        test_without_memory_command_gets_the_signal_at_least
        """,
}
# Whole files: threads, tracers, clones, timers and terminals are qemu's own there, and
# each test that waits in vain takes its whole time.
FILES_LEFT_OUT = {
    "the kernel's part in this is played by qemu": """
        test_section_1_drop_in.py
        test_section_2_early.py
        test_section_3_job_stop.py
        test_section_4_requests.py
        test_section_4_status.py
        test_section_5_stderr.py
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
    "strace does not see ptrace(2) of 32-bit code by the name that is injected": """
        test_command_that_is_killed_in_the_moment_in_which_it_is_let_go_is_not_lost
        """,
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
