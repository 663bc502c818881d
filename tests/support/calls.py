"""The system calls that dumb-init makes while COMMAND runs and at its exit: the allowed
calls, and options and a COMMAND that make it use them. For
tests/behaviour/test_cost.py and tests/campaigns/privilege/run."""

import contextlib
import os
import re
import signal
import subprocess
import time

import psutil

from watch import state, wait_until

# By purpose. If the call depends on the C library, the calls of all are listed.
ALLOWED = {
    "to wait for signals and exits": """
        rt_sigtimedwait rt_sigpending waitid wait4""",
    "to forward signals, and to stop with COMMAND": """
        kill rt_sigqueueinfo getpid""",
    "for deadlines": "clock_gettime",
    "for a stop that SIGCONT may cancel, and for writes that must not block": """
        timer_create timer_settime timer_delete rt_sigprocmask rt_sigaction""",
    "to print messages": "poll ppoll write lseek sendto sendmsg",
    "to read the cgroup's counts and names of processes; for the termination log": """
        open openat fcntl fcntl64 read close""",
    "to free the stack of the start, and to leave room in the signal queue": """
        munmap prlimit64""",
    "for the terminal": "ioctl getpgid getpgrp getsid",
    "for all descendants, when not PID 1": """
        access faccessat getdents64 readlink readlinkat mmap munmap
        pidfd_open pidfd_send_signal""",
    "to exit": "exit_group",
}
NAMES = {name for names in ALLOWED.values() for name in names.split()}

# Every option that changes the system calls.
OPTIONS = [
    [], ["-g"], ["-c"], ["-a", "-v", "-w", "-p", "HUP"], ["-W", "-s", "-q"],
    ["-g", "-t", "0.2", "-e", "137"], ["-k", "0.1", "-d", "INT:50ms"],
    ["-c", "-r", "TSTP:CONT", "--termination-log=/dev/null"],
]
# Leaves orphans, one of which stays for a moment; sends signals; is killed, so that
# dumb-init reports the cause.
COMMAND = ["sh", "-c", """
    trap : HUP USR1 INT WINCH TERM
    (true &)
    setsid sh -c 'trap "" TERM; sleep 0.3' &
    for signal in HUP USR1 INT WINCH TERM; do kill -$signal $PPID; done
    sleep 0.1
    kill -TSTP $PPID
    sleep 0.1
    kill -CONT $PPID
    sleep 0.1
    kill -KILL $$"""]
# Unless the options say otherwise, dumb-init does not stop COMMAND.
ENVIRONMENT = {"DUMB_INIT_OPTIONS": "-r TSTP:0"}


def exited(strace):
    """Whether strace has exited. If not, continues a process that stays stopped."""
    def stopped():
        # t: strace has been told of the stop.
        return {process.pid for process in psutil.Process(strace.pid).children(True)
                if state(process.pid) in ("t", "T")}
    before = stopped()
    if before:
        time.sleep(0.5)   # COMMAND continues it after 0.1 seconds
    for pid in before & stopped():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    time.sleep(0.05)
    return strace.poll() is not None


def while_command_runs(init, options, trace, around=()):
    """The names of the calls after the close_range that closes COMMAND's files.
    around: words before the init, for a namespace. trace: a path to write to."""
    with subprocess.Popen(
            ["strace", "-f", "-qq", "-e", "signal=none", "-o", trace, *around, init,
             *options, *COMMAND], env=os.environ | ENVIRONMENT,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL) as strace:
        # dumb-init may lose a SIGCONT if it gets no processor for 50 ms (design.md).
        wait_until(lambda: exited(strace), "the exit of strace")
    lines = trace.read_text().splitlines()
    pid = next(line.split()[0] for line in lines if f'execve("{init}"' in line)
    calls = [found[1] for line in lines
             if (found := re.match(rf"{pid} +(\w+)\(", line))]
    return [call for call in calls[calls.index("close_range") + 1:]
            if call != "futex"]  # it lets COMMAND start
