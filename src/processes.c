#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "format.h"
#include "kernel.h"
#include "numbers.h"
#include "proc.h"
#include "processes.h"

enum {
	/* The greatest pid_max, proc(5), of a 64-bit kernel; it may run our
	 * 32-bit program. */
	PIDS = 4 * 1024 * 1024,
	WORD_BITS = 64,
	PATH_LENGTH = sizeof("/proc/-2147483648/task/-2147483648/children"),
	/* Bounded, so that a fork bomb cannot starve the main loop. */
	ROUNDS_MAX = 1000,
	KTHREADD = 2, /* the PID of the parent of all kernel threads */
};

/* A bit for each PID. */
struct pid_set {
	uint64_t words[PIDS / WORD_BITS];
};

struct walk {
	pid_t self;
	pid_t command;
	int signum;
	bool wake;
	const struct processes_signaled *spared;
	pid_t newest;  /* the last PID assigned before this walk; -1: unknown */
	bool by_pid;   /* PIDs, and not start times, tell what is spared */
	bool listed;   /* /proc shows our PID namespace */
	bool complete; /* all processes have been listed once */
	bool by_thread; /* the kernel lists the children of each thread */
	pid_t parent;   /* its children are being listed */
	int error;      /* the last errno for the caller, or 0 */
	/* Only between these words of the sets can a bit be set. */
	int first, last;
	struct pid_set *to_visit, *visited;
};

static uint64_t bit_of(pid_t pid)
{
	return UINT64_C(1) << (pid % WORD_BITS);
}

static bool contains(const struct pid_set *set, pid_t pid)
{
	return (set->words[pid / WORD_BITS] & bit_of(pid)) != 0;
}

static void add(struct pid_set *set, pid_t pid)
{
	set->words[pid / WORD_BITS] |= bit_of(pid);
}

static void add_to_visit(struct walk *walk, pid_t pid)
{
	const int word = pid / WORD_BITS;

	if (pid <= 0 || pid >= PIDS || contains(walk->visited, pid))
		return;
	add(walk->to_visit, pid);
	if (word < walk->first)
		walk->first = word;
	if (word > walk->last)
		walk->last = word;
}

/* Removes a PID from to_visit and returns it; 0 if the set is empty. */
static pid_t take_to_visit(struct walk *walk)
{
	for (int word = walk->first; word <= walk->last; word++) {
		pid_t pid = word * WORD_BITS;

		if (walk->to_visit->words[word] == 0)
			continue;
		while (!contains(walk->to_visit, pid))
			pid++;
		walk->to_visit->words[word] &= ~bit_of(pid);
		walk->first = word;
		return pid;
	}
	return 0;
}

/* The last PID assigned in our namespace; -1 if the kernel hides it. */
static pid_t newest_pid(void)
{
	char line[PROC_LINE_MAX];

	if (!proc_find_line("/proc/sys/kernel/ns_last_pid", "", line))
		return NUMBERS_NONE;
	return numbers_parse(line, PIDS);
}

struct processes_signaled processes_now(pid_t group)
{
	return (struct processes_signaled){
		.group = group,
		.tick = kernel_boot_clock() / PROC_TICK,
		.newest = newest_pid(),
	};
}

/*
 * Three kinds of process do not get the signal: a spared one; one with a spared
 * ancestor that lives, as it belongs to the ancestor's clean-up; and one that
 * was started during this walk, by such an ancestor or by a process that has
 * just got the signal.
 *
 * PIDs are assigned in order: a PID above spared->newest was assigned later,
 * and one above walk->newest during this walk. If PIDs have wrapped around, and
 * where the newest is unknown, the start times tell, which takes longer. A turn
 * through all PIDs looks like none: then a later process may count as spared.
 */
static bool is_spared(const struct walk *walk, pid_t pid)
{
	const struct processes_signaled *spared = walk->spared;
	struct proc_stat stat;

	if (spared == NULL)
		return false;
	while (!walk->by_pid || pid > spared->newest) {
		if (!proc_read_stat(pid, &stat))
			return false;
		if (!walk->by_pid && stat.start <= spared->tick)
			break;
		if (stat.parent == walk->self || stat.parent <= 0)
			return false; /* an orphan: its starter has exited */
		if (walk->by_pid && pid > walk->newest)
			return true;
		pid = stat.parent;
	}
	return spared->group == PROCESSES_ALL || getpgid(pid) == spared->group;
}

static void spare(struct walk *walk, const struct processes_signaled *spared)
{
	walk->spared = spared;
	if (spared == NULL)
		return;
	walk->newest = newest_pid();
	walk->by_pid = spared->newest > 0 && walk->newest >= spared->newest;
}

/* Adds the PIDs in the file at path, each of which is followed by a blank. */
static void read_children(struct walk *walk, const char *path)
{
	int file = open(path, O_RDONLY);
	char text[512];
	ssize_t length;
	pid_t pid = 0;

	if (file < 0) {
		/* ENOENT: the thread has exited. Landlock may deny the rest. */
		if (errno != ENOENT)
			walk->error = errno;
		return;
	}
	while ((length = read(file, text, sizeof(text))) > 0) {
		for (ssize_t i = 0; i < length; i++) {
			if (text[i] >= '0' && text[i] <= '9') {
				pid = pid * 10 + (text[i] - '0');
				continue;
			}
			add_to_visit(walk, pid);
			pid = 0;
		}
	}
	(void)close(file);
}

static void list_children_of_thread(int thread, int directory, void *argument)
{
	struct walk *walk = argument;
	char path[PATH_LENGTH];

	(void)directory;
	format_text(path, sizeof(path), "/proc/%d/task/%d/children",
		    walk->parent, thread);
	read_children(walk, path);
}

static void list_if_child(int pid, int directory, void *argument)
{
	struct walk *walk = argument;
	struct proc_stat stat;

	(void)directory;
	if (proc_read_stat(pid, &stat) && stat.parent == walk->parent)
		add_to_visit(walk, pid);
}

static void list_other(int pid, int directory, void *argument)
{
	struct walk *walk = argument;

	(void)directory;
	if (pid != walk->self)
		add_to_visit(walk, pid);
}

/* Depends on the kernel's CONFIG_PROC_CHILDREN. */
static bool kernel_lists_children(pid_t self)
{
	char path[PATH_LENGTH];

	format_text(path, sizeof(path), "/proc/%d/task/%d/children", self,
		    self);
	return access(path, F_OK) == 0;
}

static bool is_alive(pid_t pid)
{
	return kill(pid, 0) == 0 || errno != ESRCH;
}

/* Where the kernel does not list children, /proc/PID/stat names the parent. */
static void list_children(struct walk *walk, pid_t parent)
{
	char path[PATH_LENGTH];
	bool listed;
	int error;

	if (!walk->listed)
		return;
	walk->parent = parent;
	format_text(path, sizeof(path), "/proc/%d/task", parent);
	if (walk->by_thread)
		listed = proc_each_number(path, list_children_of_thread, walk);
	else
		listed = proc_each_number("/proc", list_if_child, walk);
	error = errno;
	/* hidepid= in proc(5) hides the processes of other users. */
	if (!listed && is_alive(parent))
		walk->error = error == ENOENT ? EACCES : error;
}

/* process: a pidfd, or -1. */
static void signal_process(struct walk *walk, int process, pid_t pid,
			   int signum)
{
	int result = process < 0 ? -1 : kernel_pidfd_signal(process, signum);

	/* seccomp(2) may forbid pidfds alone. ESRCH: the process has exited. */
	if (process < 0 || (result < 0 && errno != ESRCH))
		result = kill(pid, signum);
	if (result < 0 && errno != ESRCH)
		walk->error = errno;
}

/*
 * Whether pid is still the process that was listed: a child of ours, or of a
 * process that we have visited. COMMAND keeps its PID until we reap it.
 */
static bool is_ours(struct walk *walk, pid_t pid)
{
	struct proc_stat stat;
	int error;

	if (pid == walk->command)
		return true;
	if (proc_read_stat(pid, &stat))
		return stat.parent == walk->self ||
		       (stat.parent > 0 && stat.parent < PIDS &&
			contains(walk->visited, stat.parent));
	error = errno;
	if (is_alive(pid))
		walk->error = error == ENOENT ? EACCES : error;
	return false;
}

/*
 * Lists the children of the process, then signals it, then lists them again:
 * those that it started meanwhile are found. Later ones, which it starts to
 * clean up, are left alone. If the signal kills it, its children get another
 * parent, which may be below us and already visited (PR_SET_CHILD_SUBREAPER).
 */
static void visit(struct walk *walk, pid_t pid)
{
	/*
	 * A pidfd keeps meaning the same process. Without one (Linux before
	 * 5.3, seccomp(2)) we use kill(2), immediately after the check.
	 */
	const int process = kernel_pidfd_open(pid);

	if (process < 0 && errno == ESRCH)
		return;
	if (is_ours(walk, pid)) {
		add(walk->visited, pid);
		list_children(walk, pid);
		if (!is_spared(walk, pid))
			signal_process(walk, process, pid, walk->signum);
		list_children(walk, pid);
		if (walk->wake)
			signal_process(walk, process, pid, SIGCONT);
	}
	if (process >= 0)
		(void)close(process);
}

static void walk_descendants(struct walk *walk)
{
	for (int round = 0; round < ROUNDS_MAX; round++) {
		pid_t pid;

		/* Each round there may be new orphans among our children. */
		list_children(walk, walk->self);
		pid = take_to_visit(walk);
		if (pid == 0)
			return;
		for (; pid != 0; pid = take_to_visit(walk))
			visit(walk, pid);
	}
}

/* As PID 1: all other processes of the namespace. */
static void walk_namespace(struct walk *walk)
{
	for (int round = 0; round < ROUNDS_MAX; round++) {
		pid_t pid;

		if (!proc_each_number("/proc", list_other, walk))
			return;
		walk->complete = true;
		pid = take_to_visit(walk);
		if (pid == 0)
			return;
		for (; pid != 0; pid = take_to_visit(walk)) {
			add(walk->visited, pid);
			if (!is_spared(walk, pid))
				signal_process(walk, -1, pid, walk->signum);
		}
	}
}

/*
 * Runs a walk. Returns 0 or an errno. The sets take 1 MB of address space, of
 * which only the pages with a bit set take memory, until the walk is over.
 */
static int run_walk(struct walk *walk, void (*go)(struct walk *walk))
{
	struct pid_set *sets =
		mmap(NULL, 2 * sizeof(*sets), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (sets == MAP_FAILED) {
		if (walk->command != 0)
			(void)kill(walk->command, walk->signum);
		return ENOMEM;
	}
	walk->to_visit = &sets[0];
	walk->visited = &sets[1];
	add_to_visit(walk, walk->command);
	go(walk);
	(void)munmap(sets, 2 * sizeof(*sets));
	return walk->listed ? walk->error : ENOENT;
}

static struct walk start_walk(pid_t command, int signum)
{
	const pid_t self = getpid();

	return (struct walk){
		.self = self,
		.command = command,
		.signum = signum,
		.listed = proc_is_ours(),
		.by_thread = kernel_lists_children(self),
		.first = PIDS / WORD_BITS,
	};
}

static bool signal_namespace(int signum, bool wake,
			     const struct processes_signaled *spared)
{
	struct walk walk = { .complete = false };
	int error = 0;

	if (spared && proc_is_ours()) {
		walk = start_walk(0, signum);
		spare(&walk, spared);
		error = run_walk(&walk, walk_namespace);
	}
	if (!walk.complete)
		error = kill(-1, signum) < 0 && errno != ESRCH ? errno : 0;
	if (wake)
		(void)kill(-1, SIGCONT);
	errno = error;
	return error == 0;
}

bool processes_signal(pid_t command, int signum, bool wake,
		      const struct processes_signaled *spared)
{
	struct walk walk;

	if (spared && spared->tick == 0)
		spared = NULL;
	if (getpid() == 1)
		return signal_namespace(signum, wake, spared);
	/*
	 * Not kill(-1), which would reach the whole machine. While processes
	 * are killed one by one, the others could start new ones: so all are
	 * stopped first.
	 */
	if (signum == SIGKILL) {
		walk = start_walk(command, SIGSTOP);
		(void)run_walk(&walk, walk_descendants);
	}
	walk = start_walk(command, signum);
	walk.wake = wake;
	spare(&walk, spared);
	errno = run_walk(&walk, walk_descendants);
	return errno == 0;
}

static void find_other(int pid, int directory, void *argument)
{
	bool *found = argument;
	struct proc_stat stat;

	(void)directory;
	if (!*found && pid != getpid() && proc_read_stat(pid, &stat))
		*found = !stat.is_kernel_thread && stat.state != 'Z';
}

bool processes_remain(void)
{
	struct proc_stat kthreadd;
	bool found = false;

	if (getpid() != 1 || (kill(-1, 0) < 0 && errno == ESRCH))
		return false;
	/* kill(-1, 0) counts kernel threads, too. */
	if (!proc_is_ours() || !proc_read_stat(KTHREADD, &kthreadd) ||
	    !kthreadd.is_kernel_thread)
		return true;
	return !proc_each_number("/proc", find_other, &found) || found;
}
