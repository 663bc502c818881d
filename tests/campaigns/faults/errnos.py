"""The errnos of each system call: ERRORS in its page, section 2 of man-pages 6.03."""

FILES = "EACCES EIO ELOOP ENAMETOOLONG ENOENT ENOMEM ENOTDIR"
WAIT = "ECHILD EINTR EINVAL EAGAIN ESRCH"
MMAP = "EACCES EAGAIN EBADF EEXIST EINVAL ENFILE ENODEV ENOMEM EOVERFLOW EPERM ETXTBSY"

PAGES = {
    "sigprocmask": (["rt_sigprocmask"], "EFAULT EINVAL"),
    "sigaction": (["rt_sigaction"], "EFAULT EINVAL"),
    "sigpending": (["rt_sigpending"], "EFAULT"),
    "sigwaitinfo": (["rt_sigtimedwait"], "EAGAIN EINTR EINVAL"),
    "rt_sigqueueinfo": (["rt_sigqueueinfo"], "EAGAIN EINVAL EPERM ESRCH"),
    "ioctl": (["ioctl"], "EBADF EFAULT EINVAL ENOTTY"),
    "prctl": (["prctl"], "EACCES EBADF EBUSY EFAULT EINVAL ENODEV ENXIO EOPNOTSUPP "
                         "EPERM ERANGE"),
    "clone": (["clone"], "EAGAIN EINVAL ENOMEM ENOSPC EPERM EUSERS"),
    "futex": (["futex"], "EACCES EAGAIN EDEADLK EFAULT EINTR EINVAL ENFILE ENOMEM "
                         "ENOSYS EPERM ESRCH ETIMEDOUT"),
    "set_tid_address": (["set_tid_address"], ""),
    "lseek": (["lseek"], "EBADF EINVAL ENXIO EOVERFLOW ESPIPE"),
    "send": (["sendto"], "EACCES EAGAIN EALREADY EBADF ECONNRESET EDESTADDRREQ EFAULT "
                         "EINTR EINVAL EISCONN EMSGSIZE ENOBUFS ENOMEM ENOTCONN "
                         "ENOTSOCK EOPNOTSUPP EPIPE"),
    "chdir": (["chdir"], FILES + " EFAULT EBADF"),
    "getrlimit": (["prlimit64"], "EFAULT EINVAL EPERM ESRCH"),
    "close_range": (["close_range"], "EINVAL EMFILE ENOMEM ENOSYS"),
    "wait": (["waitid", "wait4"], WAIT),
    "kill": (["kill"], "EINVAL EPERM ESRCH"),
    "clock_getres": (["clock_gettime"], "EACCES EFAULT EINVAL ENODEV EOPNOTSUPP EPERM"),
    "open": (["open", "openat"], FILES + " EBADF EBUSY EDQUOT EEXIST EFAULT EFBIG "
             "EINTR EINVAL EISDIR EMFILE ENFILE ENODEV ENOSPC ENXIO EOPNOTSUPP "
             "EOVERFLOW EPERM EROFS ETXTBSY EAGAIN"),
    "read": (["read"], "EAGAIN EBADF EFAULT EINTR EINVAL EIO EISDIR"),
    "close": (["close"], "EBADF EINTR EIO ENOSPC EDQUOT"),
    "fcntl": (["fcntl"], "EACCES EAGAIN EBADF EBUSY EDEADLK EFAULT EINTR EINVAL "
              "EMFILE ENOLCK ENOTDIR EPERM"),
    "getdents": (["getdents64"], "EBADF EFAULT EINVAL ENOENT ENOTDIR"),
    "readlink": (["readlink"], FILES + " EBADF EFAULT EINVAL"),
    "mmap": (["mmap", "munmap"], MMAP),
    "access": (["access"], FILES + " EBADF EFAULT EINVAL EPERM EROFS ETXTBSY"),
    "pidfd_open": (["pidfd_open"], "EINVAL EMFILE ENFILE ENODEV ENOMEM ESRCH"),
    "pidfd_send_signal": (["pidfd_send_signal"], "EBADF EINVAL EPERM ESRCH"),
    "poll": (["poll"], "EFAULT EINTR EINVAL ENOMEM"),
    "write": (["write"], "EAGAIN EBADF EDESTADDRREQ EDQUOT EFAULT EFBIG EINTR EINVAL "
              "EIO ENOSPC EPERM EPIPE"),
    "getpgid": (["getsid", "getpgid"], "EPERM ESRCH"),
    "setsid": (["setsid"], "EPERM"),
    "setpgid": (["setpgid"], "EACCES EINVAL EPERM ESRCH"),
    "execve": (["execve"], FILES + " E2BIG EAGAIN EFAULT EINVAL EISDIR ELIBBAD EMFILE "
               "ENFILE ENOEXEC EPERM ETXTBSY"),
}

# The errnos of a container's seccomp(2) filter, for all calls.
FILTER = {"EPERM", "ENOSYS"}
ERRNOS = {call: sorted({*errnos.split()} | FILTER)
          for calls, errnos in PAGES.values() for call in calls}
