#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "explain.h"
#include "format.h"
#include "numbers.h"
#include "proc.h"

enum {
	HEAD_MAX = 256,       /* what execve(2) looks at: BINPRM_BUF_SIZE */
	SEGMENTS_MAX = 64,    /* of a program that we look through */
	INTERPRETERS_MAX = 4, /* execve(2): a script of a script of ... */
};

static const char interpreter[] = "interpreter";
static const char loader[] = "loader";

/* The beginning of a file, and the file. */
struct program {
	int file;
	size_t length;
	unsigned char head[HEAD_MAX + 1]; /* a NUL is behind what was read */
};

/* Where elf(5) has what we need, for one of its two classes. */
struct layout {
	uint8_t word; /* bytes of an address */
	uint8_t phoff, phentsize, phnum;
	uint8_t offset, filesz; /* in a program header */
};

#define LAYOUT(bits)                                                           \
	{                                                                      \
		(bits) / 8, offsetof(Elf##bits##_Ehdr, e_phoff),               \
			offsetof(Elf##bits##_Ehdr, e_phentsize),               \
			offsetof(Elf##bits##_Ehdr, e_phnum),                   \
			offsetof(Elf##bits##_Phdr, p_offset),                  \
			offsetof(Elf##bits##_Phdr, p_filesz)                   \
	}

static const struct layout layouts[] = { LAYOUT(32), LAYOUT(64) };

/* As uname(2) names the processors that containers run on. */
static const struct machine {
	uint16_t machine;
	uint8_t class;
	uint8_t data;
	char name[12];
} machines[] = {
	{ EM_X86_64, ELFCLASS64, ELFDATA2LSB, "x86_64" },
	{ EM_386, ELFCLASS32, ELFDATA2LSB, "i686" },
	{ EM_AARCH64, ELFCLASS64, ELFDATA2LSB, "aarch64" },
	{ EM_ARM, ELFCLASS32, ELFDATA2LSB, "armv7l" },
	{ EM_PPC64, ELFCLASS64, ELFDATA2LSB, "ppc64le" },
	{ EM_S390, ELFCLASS64, ELFDATA2MSB, "s390x" },
	{ 243 /* EM_RISCV */, ELFCLASS64, ELFDATA2LSB, "riscv64" },
	{ EM_MIPS, ELFCLASS64, ELFDATA2LSB, "mips64" },
	{ 258 /* EM_LOONGARCH */, ELFCLASS64, ELFDATA2LSB, "loongarch64" },
};

/* False where it cannot be read; a directory fails with EISDIR, read(2). */
static bool open_program(struct program *program, const char *path)
{
	ssize_t length;

	/* O_NONBLOCK: nobody may write to a FIFO that we would wait for. */
	program->file = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (program->file < 0)
		return false;
	length = read(program->file, program->head, HEAD_MAX);
	if (length < 0) {
		(void)close(program->file);
		return false;
	}
	program->length = (size_t)length;
	program->head[length] = '\0';
	return true;
}

static bool begins_with(const struct program *program, const char *magic)
{
	return strncmp((const char *)program->head, magic, strlen(magic)) == 0;
}

static bool is_elf(const struct program *program)
{
	return program->length >= sizeof(Elf32_Ehdr) &&
	       begins_with(program, ELFMAG) &&
	       (program->head[EI_CLASS] == ELFCLASS32 ||
		(program->head[EI_CLASS] == ELFCLASS64 &&
		 program->length >= sizeof(Elf64_Ehdr)));
}

/* A number of a file, in the byte order of the file. */
static uint64_t number(const struct program *program,
		       const unsigned char *bytes, size_t size)
{
	uint64_t value = 0;

	for (size_t i = 0; i < size; i++) {
		const bool little = program->head[EI_DATA] == ELFDATA2LSB;

		value = value << 8 | bytes[little ? size - 1 - i : i];
	}
	return value;
}

static const char *machine_of(const struct program *program)
{
	const uint64_t machine = number(
		program, program->head + offsetof(Elf32_Ehdr, e_machine), 2);

	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
		if (machines[i].machine == machine &&
		    machines[i].class == program->head[EI_CLASS] &&
		    machines[i].data == program->head[EI_DATA])
			return machines[i].name;
	}
	return NULL;
}

/* PT_INTERP: the program that loads this one. False if there is none. */
static bool find_loader(const struct program *program, char name[HEAD_MAX])
{
	const unsigned char *head = program->head;
	const struct layout *layout = &layouts[head[EI_CLASS] == ELFCLASS64];
	const uint64_t table =
		number(program, head + layout->phoff, layout->word);
	const uint64_t size = number(program, head + layout->phentsize, 2);
	const uint64_t count = number(program, head + layout->phnum, 2);
	unsigned char segment[sizeof(Elf64_Phdr)] = { 0 };

	for (uint64_t i = 0; i < count && i < SEGMENTS_MAX; i++) {
		uint64_t offset, length;

		if (size > sizeof(segment) ||
		    pread(program->file, segment, (size_t)size,
			  (off_t)(table + i * size)) != (ssize_t)size)
			return false;
		if (number(program, segment, 4) != PT_INTERP)
			continue;
		offset =
			number(program, segment + layout->offset, layout->word);
		length =
			number(program, segment + layout->filesz, layout->word);
		return length > 1 && length <= HEAD_MAX &&
		       pread(program->file, name, (size_t)length,
			     (off_t)offset) == (ssize_t)length &&
		       name[0] == '/' && name[length - 1] == '\0';
	}
	return false;
}

/* In bytes, up to a blank. Not by strcspn(3): 200 bytes of the file. */
static size_t length_of_word(const char *text)
{
	size_t length = 0;

	while (text[length] != '\0' && text[length] != ' ' &&
	       text[length] != '\t' && text[length] != '\n')
		length++;
	return length;
}

/*
 * What the first line names behind "#!", as execve(2) reads it. False if it
 * names nothing, or has no end in what the kernel looks at.
 */
static bool find_interpreter(struct program *program, char name[HEAD_MAX])
{
	const char *head = (const char *)program->head;
	const char *start = head + 2;
	size_t length;

	if (!begins_with(program, "#!"))
		return false;
	while (*start == ' ' || *start == '\t')
		start++;
	length = length_of_word(start);
	if (length == 0 || start + length == head + HEAD_MAX)
		return false;
	format_text(name, length + 1, "%s", start);
	return true;
}

/* What the mode and the file system forbid. */
static bool explain_refusal(const char *path, char hint[EXPLAIN_MAX])
{
	struct statfs system;
	const char *why = "has no execute permission (chmod +x)";

	if (access(path, F_OK) < 0 || access(path, X_OK) == 0 ||
	    errno != EACCES)
		return false;
	if (statfs(path, &system) == 0 && (system.f_flags & ST_NOEXEC))
		why = "is on a file system mounted noexec";
	format_text(hint, EXPLAIN_MAX, "%s %s", path, why);
	return true;
}

/* That what the file at path needs is not there. */
static void say_missing(char hint[EXPLAIN_MAX], const char *path,
			const char *kind, const char *needed)
{
	if (kind == interpreter && needed[strlen(needed) - 1] == '\r')
		format_text(hint, EXPLAIN_MAX,
			    "the lines of %s end in \\r, as on Windows "
			    "(dos2unix)",
			    path);
	else
		format_text(hint, EXPLAIN_MAX,
			    "%s needs the %s %s, which does not exist%s", path,
			    kind, needed,
			    kind == loader ? ": made for another C library?"
					   : "");
}

/*
 * What the program at path needs next, its interpreter or its loader, in
 * needed. Returns what that is called, or NULL; then hint may be filled.
 */
static const char *look_inside(struct program *program, const char *path,
			       int error, char needed[HEAD_MAX],
			       char hint[EXPLAIN_MAX])
{
	struct utsname system;
	const char *machine;

	if (find_interpreter(program, needed))
		return interpreter;
	machine = is_elf(program) ? machine_of(program) : NULL;
	if (machine == NULL || uname(&system) < 0)
		return NULL;
	/* With ENOEXEC the kernel has not come as far as to the loader. */
	if (error != ENOEXEC)
		return find_loader(program, needed) ? loader : NULL;
	/* The first four: an ARM of 32 bits may be armv6l or armv8l here. */
	if (strncmp(machine, system.machine, 4) == 0)
		return NULL;
	format_text(hint, EXPLAIN_MAX, "%s is made for %s, this machine is %s",
		    path, machine, system.machine);
	return NULL;
}

bool explain_program(const char *path, int error, char hint[EXPLAIN_MAX])
{
	char names[2][HEAD_MAX];

	*hint = '\0';
	for (int i = 0; i < INTERPRETERS_MAX + 2; i++) {
		struct program program;
		char *needed = names[i % 2];
		const char *kind;

		if (explain_refusal(path, hint))
			return true;
		if (!open_program(&program, path)) {
			if (errno == EISDIR)
				format_text(hint, EXPLAIN_MAX,
					    "%s is a directory", path);
			break;
		}
		kind = look_inside(&program, path, error, needed, hint);
		(void)close(program.file);
		if (kind == NULL)
			break;
		if (access(needed, F_OK) < 0 && errno == ENOENT) {
			say_missing(hint, path, kind, needed);
			break;
		}
		path = needed;
	}
	return *hint != '\0';
}

bool explain_missing(const char *name, const char *path, char hint[EXPLAIN_MAX])
{
	if (name[length_of_word(name)] != '\0') {
		format_text(hint, EXPLAIN_MAX,
			    "one word with blanks in it: if it is a whole "
			    "command line, give each part as a word");
		return true;
	}
	if (*name == '\0' || strchr(name, '/'))
		return false;
	format_text(hint, EXPLAIN_MAX, "not in PATH, %s", path);
	return true;
}

bool explain_may_be_script(const char *path)
{
	struct program program;
	char hint[EXPLAIN_MAX];
	bool elf;

	if (!open_program(&program, path))
		return true;
	elf = begins_with(&program, ELFMAG);
	(void)close(program.file);
	return !elf && !explain_program(path, ENOEXEC, hint);
}

/*
 * The OOM kills that a file counts: FILE in CGROUP, below MOUNTED. line: what a
 * line of /proc/self/cgroup has in front of our cgroup there (proc(5),
 * cgroups(7)); NULL if it is what is mounted.
 */
static int count_kills(const char *mounted, const char *line, const char *file)
{
	static char text[64 + PROC_LINE_MAX]; /* as in proc_find_line */
	size_t length = format_text(text, 32, "%s", mounted);

	if (line) {
		if (!proc_find_line("/proc/self/cgroup", line, text + length))
			return EXPLAIN_UNKNOWN;
		length += strlen(text + length);
	}
	format_text(text + length, 32, "%s", file);
	if (!proc_find_line(text, "oom_kill ", text))
		return EXPLAIN_UNKNOWN;
	return numbers_parse(text, INT_MAX);
}

int explain_oom_kills(void)
{
	const char *const version1 = "/sys/fs/cgroup/memory";
	const char *const version2 = "/sys/fs/cgroup";
	const char *const control = "/memory.oom_control";
	const char *const events = "/memory.events";
	/* In a container; the root outside has no such file. */
	int count = count_kills(version2, NULL, events);

	if (count == EXPLAIN_UNKNOWN)
		count = count_kills(version1, ":memory:", control);
	if (count == EXPLAIN_UNKNOWN)
		count = count_kills(version2, "0::", events);
	/* In a container, whose cgroup is all that it sees. */
	if (count == EXPLAIN_UNKNOWN)
		count = count_kills(version1, NULL, control);
	return count;
}

const char *explain_death(int signum, int oom_kills)
{
	if (signum != SIGKILL)
		return "";
	if (oom_kills > 0)
		return ": its cgroup counted an out-of-memory kill meanwhile";
	if (oom_kills == 0)
		return ": no out-of-memory kill was counted; docker stop or "
		       "the kubelet may have lost patience";
	return ": it may have been out of memory, or docker stop or the "
	       "kubelet lost patience";
}
