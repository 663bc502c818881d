#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "format.h"
#include "numbers.h"
#include "proc.h"
#include "processes.h"
#include "signals.h"

/* pidfd_open(2); MIPS has other numbers, and libc headers that know them. */
#if !defined(SYS_pidfd_send_signal) && !defined(__mips__)
#define SYS_pidfd_send_signal 424
#endif
#if !defined(SYS_pidfd_open) && !defined(__mips__)
#define SYS_pidfd_open 434
#endif

enum {
	/* The greatest /proc/sys/kernel/pid_max, proc(5); that of a kernel of
	 * 64 bits, which runs programs of 32 as well. */
	PIDS = 4 * 1024 * 1024,
	WORD_BITS = 64,
	PATH_LENGTH = sizeof("/proc/-2147483648/task/-2147483648/children"),
	/* Bounded: a fork bomb must not keep us from everything else. */
	ROUNDS_MAX = 1000,
	KTHREADD = 2, /* the parent of all kernel threads, on every machine */
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
	const struct processes_told *told;
	pid_t newest;   /* the PID given last before the walk; -1 if unknown */
	bool by_pid;    /* a PID says whether its process was told */
	bool listed;    /* /proc is ours to look into */
	bool complete;  /* all were found once */
	bool by_thread; /* the kernel lists the children of a thread */
	pid_t parent;   /* whose children are being listed */
	int error;      /* the last that is worth telling, or 0 */
	/* Between these words of the sets something may be set. */
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

/* Takes one out of to_visit; 0 if there is none. */
static pid_t next_to_visit(const struct walk *walk)
{
	for (int word = walk->first; word <= walk->last; word++) {
		pid_t pid = word * WORD_BITS;

		if (walk->to_visit->words[word] == 0)
			continue;
		while (!contains(walk->to_visit, pid))
			pid++;
		walk->to_visit->words[word] &= ~bit_of(pid);
		return pid;
	}
	return 0;
}

/* The last PID given in our namespace; -1 where the kernel hides it. */
static pid_t newest_pid(void)
{
	char line[PROC_LINE_MAX];

	if (!proc_find_line("/proc/sys/kernel/ns_last_pid", "", line))
		return NUMBERS_NONE;
	return numbers_parse(line, PIDS);
}

struct processes_told processes_told_now(pid_t group)
{
	return (struct processes_told){
		.group = group,
		.tick = signals_boot_clock() / PROC_TICK,
		.newest = newest_pid(),
	};
}

/*
 * Whether a process has had the signal, or belongs to the clean-up of one that
 * has had it: it was started later, and that process, still alive, started it
 * or one of its ancestors. This walk's own signal counts as well.
 *
 * PIDs are given in order. Once they have begun again from below, and where the
 * newest is not known, the start of a process tells; to read it takes longer.
 */
static bool is_spared(const struct walk *walk, pid_t pid)
{
	const struct processes_told *told = walk->told;
	struct proc_stat stat;

	if (told == NULL)
		return false;
	while (!walk->by_pid || pid > told->newest) {
		if (!proc_read_stat(pid, &stat))
			return false;
		if (!walk->by_pid && stat.start <= told->tick)
			break;
		if (stat.parent == walk->self || stat.parent <= 0)
			return false; /* its starter has exited */
		if (walk->by_pid && pid > walk->newest)
			return true;
		pid = stat.parent;
	}
	return told->group == PROCESSES_ALL || getpgid(pid) == told->group;
}

static void set_told(struct walk *walk, const struct processes_told *told)
{
	walk->told = told;
	if (told == NULL)
		return;
	walk->newest = newest_pid();
	walk->by_pid = told->newest > 0 && walk->newest >= told->newest;
}

/* The numbers in the file at path, each followed by a blank. */
static void read_children(struct walk *walk, const char *path)
{
	int file = open(path, O_RDONLY);
	char text[512];
	ssize_t length;
	pid_t pid = 0;

	if (file < 0)
		return; /* the thread has ended */
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

/* Not every kernel does, CONFIG_PROC_CHILDREN. */
static bool kernel_lists_children(pid_t self)
{
	char path[PATH_LENGTH];

	format_text(path, sizeof(path), "/proc/%d/task/%d/children", self,
		    self);
	return access(path, F_OK) == 0;
}

static bool exists(pid_t pid)
{
	return kill(pid, 0) == 0 || errno != ESRCH;
}

/* Where the kernel does not list them, every process names its parent. */
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
	if (!listed && exists(parent))
		walk->error = error == ENOENT ? EACCES : error;
}

/* pidfd_send_signal(2), or kill(2) where there is no file for the process. */
static void send(struct walk *walk, int process, pid_t pid, int signum)
{
	long result = process < 0 ? kill(pid, signum)
				  : syscall(SYS_pidfd_send_signal, process,
					    signum, NULL, 0);

	/* ESRCH: it has exited in the meantime. */
	if (result < 0 && errno != ESRCH)
		walk->error = errno;
}

/*
 * Whether pid is still the process that was listed: our child, or that of one
 * that we have visited. COMMAND keeps its PID as long as we do not reap it.
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
	if (exists(pid))
		walk->error = error == ENOENT ? EACCES : error;
	return false;
}

/*
 * First the signal, immediately followed by the list of its children: those
 * that it had before are found (or become ours, if it dies of the signal), and
 * those that it starts then, to clean up, are left alone.
 */
static void visit(struct walk *walk, pid_t pid)
{
	/*
	 * From here on it is this process or none. Not before Linux 5.3, and
	 * not where a filter forbids it; kill(2) follows at once on the check.
	 */
	int process = (int)syscall(SYS_pidfd_open, pid, 0);

	if (process < 0 && errno == ESRCH)
		return;
	if (is_ours(walk, pid)) {
		add(walk->visited, pid);
		if (!is_spared(walk, pid))
			send(walk, process, pid, walk->signum);
		list_children(walk, pid);
		if (walk->wake)
			send(walk, process, pid, SIGCONT);
	}
	if (process >= 0)
		(void)close(process);
}

static void walk_descendants(struct walk *walk)
{
	for (int round = 0; round < ROUNDS_MAX; round++) {
		pid_t pid;

		/* Each round there may be orphans that were not ours before. */
		list_children(walk, walk->self);
		pid = next_to_visit(walk);
		if (pid == 0)
			return;
		for (; pid != 0; pid = next_to_visit(walk))
			visit(walk, pid);
	}
}

/* As PID 1: each other process is ours, and is listed. */
static void walk_namespace(struct walk *walk)
{
	for (int round = 0; round < ROUNDS_MAX; round++) {
		pid_t pid;

		if (!proc_each_number("/proc", list_other, walk))
			return;
		walk->complete = true;
		pid = next_to_visit(walk);
		if (pid == 0)
			return;
		for (; pid != 0; pid = next_to_visit(walk)) {
			add(walk->visited, pid);
			if (!is_spared(walk, pid))
				send(walk, -1, pid, walk->signum);
		}
	}
}

/*
 * Returns 0 or an errno. The sets are an address range rather than memory: only
 * where there are processes is a page of them touched, and all are given back.
 */
static int signal_each(struct walk *walk, void (*go)(struct walk *walk))
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

static struct walk beginning(pid_t command, int signum)
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
			     const struct processes_told *told)
{
	struct walk walk = { .complete = false };
	int error = 0;

	if (told && proc_is_ours()) {
		walk = beginning(0, signum);
		set_told(&walk, told);
		error = signal_each(&walk, walk_namespace);
	}
	if (!walk.complete)
		error = kill(-1, signum) < 0 && errno != ESRCH ? errno : 0;
	if (wake)
		(void)kill(-1, SIGCONT);
	errno = error;
	return error == 0;
}

bool processes_signal(pid_t command, int signum, bool wake,
		      const struct processes_told *told)
{
	struct walk walk;

	if (told && told->tick == 0)
		told = NULL;
	if (getpid() == 1)
		return signal_namespace(signum, wake, told);
	/*
	 * From here kill(-1) would reach the whole machine. One by one, those
	 * that are still to be killed would start new ones where the dead make
	 * room; while all are stopped there is no room and no process to start
	 * any.
	 */
	if (signum == SIGKILL) {
		walk = beginning(command, SIGSTOP);
		(void)signal_each(&walk, walk_descendants);
	}
	walk = beginning(command, signum);
	walk.wake = wake;
	set_told(&walk, told);
	errno = signal_each(&walk, walk_descendants);
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
	/* The signal may have been for kernel threads alone. */
	if (!proc_is_ours() || !proc_read_stat(KTHREADD, &kthreadd) ||
	    !kthreadd.is_kernel_thread)
		return true;
	return !proc_each_number("/proc", find_other, &found) || found;
}
