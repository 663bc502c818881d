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

#include "diagnose.h"
#include "format.h"

enum {
	/* Bytes that execve(2) reads: BINPRM_BUF_SIZE; 128 before Linux 5.1. */
	HEAD_MAX = 256,
	SEGMENTS_MAX = 64,    /* of a program, that we read */
	INTERPRETERS_MAX = 4, /* an interpreter may be a script, execve(2) */
};

static const char interpreter[] = "interpreter";
static const char loader[] = "loader";

/* An open file, and its first bytes. */
struct program {
	int file;
	size_t length;
	unsigned char head[HEAD_MAX + 1]; /* length bytes and a NUL */
};

/* Offsets of the fields that we need, in one of the two classes of elf(5). */
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

/* The processors that containers run on, by their names in uname(2). */
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

static bool open_program(struct program *program, const char *path)
{
	ssize_t length;

	/* O_NONBLOCK: to open a FIFO would wait for a writer. */
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

/* Not by errno, EISDIR of read(2): our parent may change it (execute.h). */
static bool is_directory(const char *path)
{
	const int file = open(path, O_PATH | O_DIRECTORY);

	if (file >= 0)
		(void)close(file);
	return file >= 0;
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

/* The number in size bytes, which are in the byte order of the file. */
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

/* Fills name with the loader, PT_INTERP. Returns false if there is none. */
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

/* The length of text up to a blank. musl's strcspn is 200 bytes long. */
static size_t length_of_word(const char *text)
{
	size_t length = 0;

	while (text[length] != '\0' && text[length] != ' ' &&
	       text[length] != '\t' && text[length] != '\n')
		length++;
	return length;
}

/*
 * Fills name with the interpreter after "#!", as execve(2) reads it. Returns
 * false if there is none, or if the kernel does not see its end.
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
	format_copy(name, start, length);
	return true;
}

/* Whether the mode or the file system forbids to execute the file. */
static bool diagnose_refusal(const char *path, char hint[DIAGNOSE_MAX])
{
	struct statfs system;
	const char *why = "has no execute permission (chmod +x)";

	if (access(path, F_OK) < 0 || access(path, X_OK) == 0 ||
	    errno != EACCES)
		return false;
	if (statfs(path, &system) == 0 && (system.f_flags & ST_NOEXEC))
		why = "is on a file system mounted with noexec";
	format_text(hint, DIAGNOSE_MAX, "'%s' %s", path, why);
	return true;
}

/* The file at path needs its interpreter or loader, which does not exist. */
static void hint_missing(char hint[DIAGNOSE_MAX], const char *path,
			 const char *kind, const char *needed)
{
	if (kind == interpreter && needed[strlen(needed) - 1] == '\r')
		format_text(hint, DIAGNOSE_MAX,
			    "'%s' has Windows line endings (CRLF); convert it "
			    "with dos2unix",
			    path);
	else
		format_text(hint, DIAGNOSE_MAX,
			    "'%s' needs the %s '%s', which does not exist%s",
			    path, kind, needed,
			    kind == loader
				    ? "; it was built for another C library"
				    : "");
}

/*
 * Fills needed with the file that the program at path needs, and returns its
 * kind: interpreter or loader. Returns NULL if the search ends here; then hint
 * may be filled.
 */
static const char *find_needed(struct program *program, const char *path,
			       int error, char needed[HEAD_MAX],
			       char hint[DIAGNOSE_MAX])
{
	struct utsname system;
	const char *machine;

	if (find_interpreter(program, needed))
		return interpreter;
	machine = is_elf(program) ? machine_of(program) : NULL;
	if (machine == NULL || uname(&system) < 0)
		return NULL;
	/* With ENOEXEC the kernel has not looked for the loader. */
	if (error != ENOEXEC)
		return find_loader(program, needed) ? loader : NULL;
	/* Four characters: a 32-bit ARM may be armv6l or armv8l here. */
	if (strncmp(machine, system.machine, 4) == 0)
		return NULL;
	format_text(hint, DIAGNOSE_MAX,
		    "'%s' is built for %s, but this machine is %s", path,
		    machine, system.machine);
	return NULL;
}

bool diagnose_file(const char *path, int error, char hint[DIAGNOSE_MAX])
{
	char names[2][HEAD_MAX];

	*hint = '\0';
	for (int i = 0; i < INTERPRETERS_MAX + 2; i++) {
		struct program program;
		char *needed = names[i % 2];
		const char *kind;

		if (diagnose_refusal(path, hint))
			return true;
		if (is_directory(path)) {
			format_text(hint, DIAGNOSE_MAX, "'%s' is a directory",
				    path);
			return true;
		}
		if (!open_program(&program, path))
			break;
		kind = find_needed(&program, path, error, needed, hint);
		(void)close(program.file);
		if (kind == NULL)
			break;
		if (access(needed, F_OK) < 0 && errno == ENOENT) {
			hint_missing(hint, path, kind, needed);
			break;
		}
		path = needed;
	}
	return *hint != '\0';
}

bool diagnose_name(const char *name, const char *path, char hint[DIAGNOSE_MAX])
{
	if (name[length_of_word(name)] != '\0') {
		format_text(hint, DIAGNOSE_MAX,
			    "the program name contains spaces; pass the "
			    "program and each argument as separate words");
		return true;
	}
	if (*name == '\0' || strchr(name, '/'))
		return false;
	format_text(hint, DIAGNOSE_MAX, "'%s' is not in PATH (%s)", name, path);
	return true;
}

bool diagnose_may_be_script(const char *path)
{
	struct program program;
	char hint[DIAGNOSE_MAX];
	bool elf;

	if (!open_program(&program, path))
		return true;
	elf = begins_with(&program, ELFMAG);
	(void)close(program.file);
	return !elf && !diagnose_file(path, ENOEXEC, hint);
}
