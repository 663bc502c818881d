#include <errno.h>
#include <fcntl.h>
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
	/*
	 * How often we look again because there was somebody new. Who forks all
	 * the time is not to keep us from everything else.
	 */
	ROUNDS_MAX = 1000,
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
	bool listed;    /* /proc is ours to look into */
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

static void add_to_visit(struct walk *walk, pid_t pid)
{
	const int word = pid / WORD_BITS;

	if (pid <= 0 || pid >= PIDS || contains(walk->visited, pid))
		return;
	walk->to_visit->words[word] |= bit_of(pid);
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

/* The parent of a process, as /proc/PID/stat has it, proc(5); 0 if unknown. */
static pid_t parent_of(pid_t pid)
{
	/* A name has at most 15 bytes, one of the kernel's own 63. */
	char path[PATH_LENGTH], text[128];
	const char *behind_name, *end;
	ssize_t length;
	int file;

	format_text(path, sizeof(path), "/proc/%d/stat", pid);
	file = open(path, O_RDONLY);
	if (file < 0)
		return 0;
	length = read(file, text, sizeof(text) - 1);
	(void)close(file);
	text[length < 0 ? 0 : length] = '\0';
	behind_name = strrchr(text, ')');
	/* ") S 123": the state, and the parent. */
	if (behind_name == NULL || strlen(behind_name) <= 4)
		return 0;
	return (pid_t)numbers_digits(behind_name + 4, PIDS, &end);
}

/* The numbers in the file at path, each with a blank behind it. */
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

	(void)directory;
	if (parent_of(pid) == walk->parent)
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

/* Where the kernel does not list them, every process names its parent. */
static void list_children(struct walk *walk, pid_t parent)
{
	char path[PATH_LENGTH];

	if (!walk->listed)
		return;
	walk->parent = parent;
	format_text(path, sizeof(path), "/proc/%d/task", parent);
	if (walk->by_thread)
		(void)proc_each_number(path, list_children_of_thread, walk);
	else
		(void)proc_each_number("/proc", list_if_child, walk);
}

/* pidfd_send_signal(2), or kill(2) where there is no file for the process. */
static void send(struct walk *walk, int process, pid_t pid, int signum)
{
	long result = process < 0 ? kill(pid, signum)
				  : syscall(SYS_pidfd_send_signal, process,
					    signum, NULL, 0);

	/* ESRCH: it has ended in the meantime. */
	if (result < 0 && errno != ESRCH)
		walk->error = errno;
}

/*
 * Is it still who was listed? Our child, or that of one that we have visited.
 * COMMAND keeps its PID as long as we do not collect it.
 */
static bool is_ours(const struct walk *walk, pid_t pid)
{
	pid_t parent;

	if (pid == walk->command)
		return true;
	parent = parent_of(pid);
	return parent == walk->self ||
	       (parent > 0 && parent < PIDS && contains(walk->visited, parent));
}

/*
 * First the signal, and right behind it the children: those that it had before
 * are listed (or become ours, if it dies of the signal), and whom it starts
 * then, to clean up, is not hit by a signal that was not meant for it.
 */
static void visit(struct walk *walk, pid_t pid)
{
	/*
	 * From here on it is this process or none. Not before Linux 5.3, and
	 * not where a filter forbids it; kill(2) is at once behind the check.
	 */
	int process = (int)syscall(SYS_pidfd_open, pid, 0);

	if (process < 0 && errno == ESRCH)
		return;
	if (is_ours(walk, pid)) {
		walk->visited->words[pid / WORD_BITS] |= bit_of(pid);
		send(walk, process, pid, walk->signum);
		list_children(walk, pid);
		if (walk->wake)
			send(walk, process, pid, SIGCONT);
	}
	if (process >= 0)
		(void)close(process);
}

/* Whether /proc is there, and of our PID namespace. */
static bool proc_is_ours(pid_t self)
{
	char target[sizeof("-2147483648")];
	ssize_t length = readlink("/proc/self", target, sizeof(target) - 1);

	target[length < 0 ? 0 : length] = '\0';
	return numbers_parse(target, PIDS) == self;
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

/*
 * Returns 0 or an errno. The sets are an address range rather than memory: only
 * where there are processes is a page of them touched, and all are given back.
 */
static int signal_descendants(pid_t self, pid_t command, int signum, bool wake)
{
	struct pid_set *sets =
		mmap(NULL, 2 * sizeof(*sets), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct walk walk = {
		.self = self,
		.command = command,
		.signum = signum,
		.wake = wake,
		.listed = proc_is_ours(self),
		.by_thread = kernel_lists_children(self),
		.first = PIDS / WORD_BITS,
	};

	if (sets == MAP_FAILED) {
		if (command != 0)
			(void)kill(command, signum);
		return ENOMEM;
	}
	walk.to_visit = &sets[0];
	walk.visited = &sets[1];
	add_to_visit(&walk, command);
	walk_descendants(&walk);
	(void)munmap(sets, 2 * sizeof(*sets));
	return walk.listed ? walk.error : ENOENT;
}

bool processes_signal(pid_t command, int signum, bool wake)
{
	const pid_t self = getpid();

	if (self == 1) {
		bool sent = kill(-1, signum) == 0 || errno == ESRCH;

		if (wake)
			(void)kill(-1, SIGCONT);
		return sent;
	}
	/*
	 * From here kill(-1) would reach the whole machine. One by one, those
	 * that are still to be killed would start new ones where the dead make
	 * room; while all are stopped there is no room and nobody to start any.
	 */
	if (signum == SIGKILL)
		(void)signal_descendants(self, command, SIGSTOP, false);
	errno = signal_descendants(self, command, signum, wake);
	return errno == 0;
}

bool processes_left(void)
{
	return getpid() == 1 && (kill(-1, 0) == 0 || errno != ESRCH);
}
