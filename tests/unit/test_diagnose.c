#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cmocka.h>

#include "diagnose.h"
#include "format.h"

enum {
	PATH_SIZE = 64,
	RISCV = 243,
	LOONGARCH = 258,
};

/* The file that is diagnosed, in a temporary directory. */
static char directory[] = "/tmp/test_diagnose.XXXXXX";
static char path[PATH_SIZE], other[PATH_SIZE];
static struct utsname here;
static const char *pretended = ""; /* a machine for uname(2), or "" */

static void write_other(const char *name, const void *bytes, size_t length)
{
	int file = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

	assert_true(file >= 0);
	assert_int_equal(write(file, bytes, length), length);
	assert_int_equal(fchmod(file, 0755), 0);
	close(file);
}

static void write_program(const void *bytes, size_t length)
{
	write_other(path, bytes, length);
}

/* expected: NULL for no hint, else the part of the hint after the path. */
static void assert_hint(int error, const char *expected)
{
	char hint[DIAGNOSE_MAX];
	char whole[DIAGNOSE_MAX];

	memset(hint, 'x', sizeof(hint));
	errno = EISDIR; /* left over from another call */
	assert_int_equal(diagnose_file(path, error, hint), expected != NULL);
	if (expected == NULL) {
		assert_string_equal(hint, "");
		return;
	}
	format_text(whole, sizeof(whole), "'%s'%s", path, expected);
	assert_string_equal(hint, whole);
}

#define SEVENTY                                                                \
	"/34567890123456789012345678901234567890123456789012345678901234567890"

static void test_script_names_its_missing_interpreter(void **state)
{
	static const struct {
		const char *text;
		const char *hint;
	} rows[] = {
		{ "#!/missing/sh\n",
		  " needs the interpreter '/missing/sh', which does not exist" },
		{ "#! \t/missing/sh -e\n",
		  " needs the interpreter '/missing/sh', which does not exist" },
		{ "#!/missing/sh\t-e\r\n",
		  " needs the interpreter '/missing/sh', which does not exist" },
		{ "#!/missing/sh",
		  " needs the interpreter '/missing/sh', which does not exist" },
		{ "#!missing\n",
		  " needs the interpreter 'missing', which does not exist" },
		{ "#!/bin/sh\n", NULL },
		{ "#!/bin/sh -e\r\n", NULL },
		{ "#!\n", NULL },
		{ "#! \n/missing/sh\n", NULL },
		{ "#!", NULL },
		{ "#", NULL },
		{ "", NULL },
		{ "\n#!/missing/sh\n", NULL },
		{ "# !/missing/sh\n", NULL },
		{ "echo hello\n", NULL },
		/* Longer than the part that the kernel reads. */
		{ "#!" SEVENTY SEVENTY SEVENTY SEVENTY "\n", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		write_program(rows[i].text, strlen(rows[i].text));
		assert_hint(ENOENT, rows[i].hint);
	}
}

static void
test_interpreter_below_what_is_no_directory_is_no_claim(void **state)
{
	static const char text[] = "#!/dev/null/sh\n";

	(void)state;
	write_program(text, strlen(text));
	assert_hint(ENOTDIR, NULL);
}

static void test_script_with_carriage_returns_says_so(void **state)
{
	static const char *const texts[] = { "#!/bin/sh\r\necho hello\r\n",
					     "#!/missing/sh\r\n",
					     "#! /bin/sh\r" };
	char hint[DIAGNOSE_MAX], expected[DIAGNOSE_MAX];

	(void)state;
	format_text(expected, sizeof(expected),
		    "'%s' has Windows line endings (CRLF); convert it with "
		    "dos2unix",
		    path);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		write_program(texts[i], strlen(texts[i]));
		assert_true(diagnose_file(path, ENOENT, hint));
		assert_string_equal(hint, expected);
	}
}

static void test_script_of_a_script_is_followed(void **state)
{
	static const char inner[] = "#!/missing/sh\n";
	char text[PATH_SIZE + 8], hint[DIAGNOSE_MAX], expected[DIAGNOSE_MAX];

	(void)state;
	format_text(text, sizeof(text), "#!%s\n", other);
	write_program(text, strlen(text));
	write_other(other, inner, strlen(inner));
	assert_true(diagnose_file(path, ENOENT, hint));
	format_text(
		expected, sizeof(expected),
		"'%s' needs the interpreter '/missing/sh', which does not exist",
		other);
	assert_string_equal(hint, expected);
	/* The kernel requires that the interpreter is executable. */
	assert_int_equal(chmod(other, 0644), 0);
	assert_true(diagnose_file(path, EACCES, hint));
	format_text(expected, sizeof(expected),
		    "'%s' has no execute permission (chmod +x)", other);
	assert_string_equal(hint, expected);
}

static void test_script_that_needs_itself_is_not_followed_forever(void **state)
{
	char text[PATH_SIZE + 8];

	(void)state;
	format_text(text, sizeof(text), "#!%s\n", path);
	write_program(text, strlen(text));
	assert_hint(ELOOP, NULL);
	/* Through a second script. */
	write_other(other, text, strlen(text));
	format_text(text, sizeof(text), "#!%s\n", other);
	write_program(text, strlen(text));
	assert_hint(ELOOP, NULL);
}

/* execve(2) starts with the first script and follows up to five more. */
static void test_scripts_are_followed_as_far_as_the_kernel_does(void **state)
{
	char names[7][PATH_SIZE], hint[DIAGNOSE_MAX], expected[DIAGNOSE_MAX];

	(void)state;
	for (int i = 0; i < 7; i++)
		format_text(names[i], PATH_SIZE, "%s%d", other, i);
	for (int i = 0; i < 7; i++) {
		char text[PATH_SIZE + 8];

		format_text(text, sizeof(text), "#!%s\n",
			    i < 6 ? names[i + 1] : "/missing/sh");
		write_other(names[i], text, strlen(text));
	}
	assert_false(diagnose_file(names[0], ELOOP, hint));
	assert_true(diagnose_file(names[1], ENOENT, hint));
	format_text(
		expected, sizeof(expected),
		"'%s' needs the interpreter '/missing/sh', which does not exist",
		names[6]);
	assert_string_equal(hint, expected);
	for (int i = 0; i < 7; i++)
		assert_int_equal(unlink(names[i]), 0);
}

static void test_hint_has_nothing_of_an_earlier_program(void **state)
{
	static const char missing[] = "#!/missing/sh\n";
	static const char none[] = "#! \n";
	char hint[DIAGNOSE_MAX];

	(void)state;
	write_program(missing, strlen(missing));
	write_other(other, none, strlen(none));
	assert_true(diagnose_file(path, ENOENT, hint));
	assert_false(diagnose_file(other, ENOENT, hint));
	assert_true(diagnose_file(path, ENOENT, hint));
	assert_true(diagnose_file(directory, EACCES, hint));
	assert_non_null(strstr(hint, " is a directory"));
	assert_true(diagnose_file(path, ENOENT, hint));
	assert_false(diagnose_file("/missing/program", ENOENT, hint));
}

/* A 64-bit program that needs a loader. */
struct elf64 {
	Elf64_Ehdr header;
	Elf64_Phdr segments[2];
	char loader[32];
};

struct elf32 {
	Elf32_Ehdr header;
	Elf32_Phdr segments[2];
	char loader[32];
};

/* PT_INTERP includes the NUL of the path. */
#define MAKE_ELF(bits, number)                                                 \
	((struct elf##bits){                                                   \
		.header = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3,   \
					 ELFCLASS##bits, ELFDATA2LSB,          \
					 EV_CURRENT },                         \
			    .e_type = ET_EXEC,                                 \
			    .e_machine = (number),                             \
			    .e_version = EV_CURRENT,                           \
			    .e_phoff = offsetof(struct elf##bits, segments),   \
			    .e_ehsize = sizeof(Elf##bits##_Ehdr),              \
			    .e_phentsize = sizeof(Elf##bits##_Phdr),           \
			    .e_phnum = 2,                                      \
			    .e_shentsize = 0xffff },                           \
		.segments = { { .p_type = PT_LOAD,                             \
				.p_offset = 1,                                 \
				.p_filesz = 2 },                               \
			      { .p_type = PT_INTERP,                           \
				.p_offset =                                    \
					offsetof(struct elf##bits, loader),    \
				.p_filesz = sizeof("/missing/ld.so") } },      \
		.loader = "/missing/ld.so" })

#define LOADER_HINT                                                            \
	" needs the loader '/missing/ld.so', which does not exist; it was "    \
	"built for another C library"

/* e_machine of this machine in this class; EM_NONE if unknown. */
static uint16_t machine_here(int class)
{
	static const struct {
		const char *name;
		uint16_t machine[2]; /* 32-bit, 64-bit */
	} rows[] = {
		{ "x86_64", { EM_386, EM_X86_64 } },
		{ "aarch64", { EM_NONE, EM_AARCH64 } },
		{ "riscv64", { EM_NONE, RISCV } },
		{ "ppc64le", { EM_NONE, EM_PPC64 } },
		{ "i686", { EM_386, EM_NONE } },
		{ "armv7l", { EM_ARM, EM_NONE } },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(rows[i].name, here.machine) == 0)
			return rows[i].machine[class == ELFCLASS64];
	}
	return EM_NONE;
}

static void test_missing_loader_is_named(void **state)
{
	const struct elf64 program64 = MAKE_ELF(64, machine_here(ELFCLASS64));
	const struct elf32 program32 = MAKE_ELF(32, machine_here(ELFCLASS32));

	(void)state;
	if (program64.header.e_machine != EM_NONE) {
		write_program(&program64, sizeof(program64));
		assert_hint(ENOENT, LOADER_HINT);
	}
	if (program32.header.e_machine != EM_NONE) {
		write_program(&program32, sizeof(program32));
		assert_hint(ENOENT, LOADER_HINT);
	}
}

static void test_loader_after_the_first_64_segments_is_not_found(void **state)
{
	struct {
		struct elf64 elf;
		Elf64_Phdr segments[65];
	} program = { .elf = MAKE_ELF(64, machine_here(ELFCLASS64)) };
	const Elf64_Phdr loader = program.elf.segments[1];

	(void)state;
	if (program.elf.header.e_machine == EM_NONE)
		skip();
	program.elf.header.e_phoff = sizeof(program.elf);
	program.elf.header.e_phnum = 65;
	program.segments[63] = loader;
	write_program(&program, sizeof(program));
	assert_hint(ENOENT, LOADER_HINT);
	program.segments[63].p_type = PT_NULL;
	program.segments[64] = loader;
	write_program(&program, sizeof(program));
	assert_hint(ENOENT, NULL);
}

static void write_elf(uint16_t machine, int class, int data)
{
	struct elf64 program64 = MAKE_ELF(64, machine);
	struct elf32 program32 = MAKE_ELF(32, machine);

	if (data == ELFDATA2MSB) {
		program64.header.e_machine = __builtin_bswap16(machine);
		program32.header.e_machine = __builtin_bswap16(machine);
	}
	program64.header.e_ident[EI_DATA] = (unsigned char)data;
	program32.header.e_ident[EI_DATA] = (unsigned char)data;
	if (class == ELFCLASS64)
		write_program(&program64, sizeof(program64));
	else
		write_program(&program32, sizeof(program32));
}

static void test_other_processor_is_named_for_enoexec_only(void **state)
{
	static const struct {
		uint16_t machine;
		int class, data;
		const char *name;
	} rows[] = {
		{ EM_X86_64, ELFCLASS64, ELFDATA2LSB, "x86_64" },
		{ EM_386, ELFCLASS32, ELFDATA2LSB, "i686" },
		{ EM_AARCH64, ELFCLASS64, ELFDATA2LSB, "aarch64" },
		{ EM_ARM, ELFCLASS32, ELFDATA2LSB, "armv7l" },
		{ EM_PPC64, ELFCLASS64, ELFDATA2LSB, "ppc64le" },
		{ EM_S390, ELFCLASS64, ELFDATA2MSB, "s390x" },
		{ RISCV, ELFCLASS64, ELFDATA2LSB, "riscv64" },
		{ EM_MIPS, ELFCLASS64, ELFDATA2LSB, "mips64" },
		{ LOONGARCH, ELFCLASS64, ELFDATA2LSB, "loongarch64" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char hint[DIAGNOSE_MAX];

		if (strncmp(rows[i].name, here.machine, 4) == 0)
			continue;
		write_elf(rows[i].machine, rows[i].class, rows[i].data);
		format_text(hint, sizeof(hint),
			    " is built for %s, but this machine is %s",
			    rows[i].name, here.machine);
		assert_hint(ENOEXEC, hint);
		/* An emulator may run it, so the processor is not the cause. */
		if (rows[i].data == ELFDATA2LSB)
			assert_hint(ENOENT, LOADER_HINT);
	}
}

/* Replaces libc's, so that a test can pretend another machine. */
int uname(struct utsname *system)
{
	const int result = (int)syscall(SYS_uname, system);

	if (*pretended)
		format_text(system->machine, sizeof(system->machine), "%s",
			    pretended);
	return result;
}

static void test_arm_program_gets_no_hint_on_any_32_bit_arm(void **state)
{
	static const char *const machines[] = { "armv6l", "armv7l", "armv8l" };

	(void)state;
	write_elf(EM_ARM, ELFCLASS32, ELFDATA2LSB);
	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
		pretended = machines[i];
		assert_hint(ENOEXEC, NULL);
	}
	pretended = "arch";
	assert_hint(ENOEXEC, " is built for armv7l, but this machine is arch");
	pretended = "";
}

static void test_processor_without_a_name_gets_no_hint(void **state)
{
	static const struct {
		uint16_t machine;
		int class, data;
	} rows[] = {
		{ EM_NONE, ELFCLASS64, ELFDATA2LSB },
		{ 0xffff, ELFCLASS64, ELFDATA2LSB },
		{ EM_SPARC, ELFCLASS32, ELFDATA2MSB },
		/* The machine is right, but class or byte order are not. */
		{ EM_AARCH64, ELFCLASS64, ELFDATA2MSB },
		{ EM_AARCH64, ELFCLASS32, ELFDATA2LSB },
		{ EM_X86_64, ELFCLASS32, ELFDATA2LSB }, /* x32 */
		{ EM_AARCH64, ELFCLASSNONE, ELFDATA2LSB },
		{ EM_AARCH64, 3, ELFDATA2LSB },
		{ EM_AARCH64, ELFCLASS64, ELFDATANONE },
		{ EM_AARCH64, ELFCLASS64, 0xff },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct elf64 program = MAKE_ELF(64, rows[i].machine);

		if (rows[i].class == ELFCLASS32)
			write_elf(rows[i].machine, rows[i].class, rows[i].data);
		else if (rows[i].data == ELFDATA2MSB)
			write_elf(rows[i].machine, ELFCLASS64, ELFDATA2MSB);
		else {
			program.header.e_ident[EI_CLASS] =
				(unsigned char)rows[i].class;
			program.header.e_ident[EI_DATA] =
				(unsigned char)rows[i].data;
			write_program(&program, sizeof(program));
		}
		assert_hint(ENOEXEC, NULL);
		assert_hint(ENOENT, NULL);
	}
}

/* A program for this machine, if its 64-bit e_machine is known. */
static struct elf64 make_program(void)
{
	return MAKE_ELF(64, machine_here(ELFCLASS64));
}

static void test_truncated_program_gets_no_hint(void **state)
{
	const struct elf64 program = make_program();
	const struct elf64 foreign = MAKE_ELF(
		64, machine_here(ELFCLASS64) == EM_AARCH64 ? EM_X86_64
							   : EM_AARCH64);
	const size_t whole =
		offsetof(struct elf64, loader) + sizeof("/missing/ld.so");
	char hint[DIAGNOSE_MAX];

	(void)state;
	for (size_t length = 0; length < sizeof(program); length++) {
		write_program(&program, length);
		if (program.header.e_machine != EM_NONE)
			assert_hint(ENOENT,
				    length < whole ? NULL : LOADER_HINT);
		write_program(&foreign, length);
		assert_int_equal(diagnose_file(path, ENOEXEC, hint),
				 length >= sizeof(Elf64_Ehdr));
	}
}

static void test_truncated_32_bit_program_gets_no_hint(void **state)
{
	const struct elf32 program = MAKE_ELF(32, machine_here(ELFCLASS32));
	const size_t whole =
		offsetof(struct elf32, loader) + sizeof("/missing/ld.so");

	(void)state;
	if (program.header.e_machine == EM_NONE)
		skip();
	for (size_t length = 0; length < sizeof(program); length++) {
		write_program(&program, length);
		assert_hint(ENOENT, length < whole ? NULL : LOADER_HINT);
	}
}

/* A number in the program, with a value that is too large or too small. */
#define FIELD(field)                                                           \
	offsetof(struct elf64, field), sizeof(((struct elf64 *)NULL)->field)

static const struct {
	size_t offset, size;
	uint64_t value;
	bool found; /* whether the loader is found nevertheless */
} corruptions[] = {
	{ FIELD(header.e_phoff), UINT64_MAX, false },
	{ FIELD(header.e_phoff), INT64_MAX, false },
	{ FIELD(header.e_phoff), (uint64_t)INT64_MAX + 1, false },
	{ FIELD(header.e_phoff), 1 << 20, false },
	{ FIELD(header.e_phoff), 0, false },
	{ FIELD(header.e_phentsize), 0, false },
	{ FIELD(header.e_phentsize), 0xffff, false },
	{ FIELD(header.e_phnum), 0, false },
	{ FIELD(header.e_phnum), 1, false },
	{ FIELD(header.e_phnum), 0xffff, true },
	{ FIELD(segments[1].p_type), PT_NULL, false },
	{ FIELD(segments[1].p_offset), UINT64_MAX, false },
	{ FIELD(segments[1].p_offset), INT64_MAX, false },
	{ FIELD(segments[1].p_offset), 0, false },
	{ FIELD(segments[1].p_filesz), 0, false },
	{ FIELD(segments[1].p_filesz), 1, false },
	{ FIELD(segments[1].p_filesz), 14, false }, /* without its NUL */
	{ FIELD(segments[1].p_filesz), 256, false },
	{ FIELD(segments[1].p_filesz), 257, false },
	{ FIELD(segments[1].p_filesz), UINT32_MAX, false },
	{ FIELD(segments[1].p_filesz), UINT64_MAX, false },
	{ FIELD(loader[0]), 'x', false },
	{ FIELD(loader[0]), '\0', false },
	{ FIELD(loader[14]), 'x', false },
};

static void test_corrupted_program_gets_no_hint(void **state)
{
	(void)state;
	if (machine_here(ELFCLASS64) == EM_NONE)
		skip();
	for (size_t i = 0; i < sizeof(corruptions) / sizeof(corruptions[0]);
	     i++) {
		struct elf64 program = make_program();

		/* Little-endian, as on this machine. */
		memcpy((char *)&program + corruptions[i].offset,
		       &corruptions[i].value, corruptions[i].size);
		write_program(&program, sizeof(program));
		assert_hint(ENOENT, corruptions[i].found ? LOADER_HINT : NULL);
	}
}

static void test_loader_is_found_among_the_first_64_segments(void **state)
{
	struct {
		Elf64_Ehdr header;
		Elf64_Phdr segments[65];
	} program = { .header = make_program().header };
	const size_t behind = sizeof(program);

	(void)state;
	if (program.header.e_machine == EM_NONE)
		skip();
	program.header.e_phnum = 65;
	for (int i = 63; i < 65; i++) {
		char file[sizeof(program) + sizeof("/missing/ld.so")];

		memset(program.segments, 0, sizeof(program.segments));
		program.segments[i].p_type = PT_INTERP;
		program.segments[i].p_offset = behind;
		program.segments[i].p_filesz = sizeof("/missing/ld.so");
		memcpy(file, &program, behind);
		memcpy(file + behind, "/missing/ld.so",
		       sizeof("/missing/ld.so"));
		write_program(file, sizeof(file));
		assert_hint(ENOENT, i == 63 ? LOADER_HINT : NULL);
	}
}

static void test_name_of_a_loader_has_up_to_255_bytes(void **state)
{
	struct {
		struct elf64 program;
		char loader[257];
	} file = { .program = make_program() };
	Elf64_Phdr *segment = &file.program.segments[1];
	char hint[DIAGNOSE_MAX];

	(void)state;
	if (file.program.header.e_machine == EM_NONE)
		skip();
	segment->p_offset = sizeof(struct elf64);
	for (size_t size = 256; size <= 257; size++) {
		memset(file.loader, '/', size - 1);
		memcpy(file.loader, "/missing", 8);
		file.loader[size - 1] = '\0';
		segment->p_filesz = size;
		write_program(&file, sizeof(file));
		assert_int_equal(diagnose_file(path, ENOENT, hint),
				 size == 256);
	}
	/* The shortest path of a loader; it is found to be a directory. */
	segment->p_filesz = 2;
	memcpy(file.loader, "/", 2);
	write_program(&file, sizeof(file));
	assert_true(diagnose_file(path, ENOENT, hint));
	assert_string_equal(hint, "'/' is a directory");
}

/* The kernel refuses the program before it looks for the loader. */
static void test_unfit_program_of_this_machine_gets_no_hint(void **state)
{
	struct elf64 program = make_program();

	(void)state;
	if (program.header.e_machine == EM_NONE)
		skip();
	program.header.e_type = ET_NONE;
	write_program(&program, sizeof(program));
	assert_hint(ENOEXEC, NULL);
	program.segments[1].p_type = PT_NULL;
	write_program(&program, sizeof(program));
	assert_hint(ENOEXEC, NULL);
}

static void test_refusal_names_its_cause(void **state)
{
	static const char script[] = "#!/missing/sh\n";
	char hint[DIAGNOSE_MAX];

	(void)state;
	write_program(script, strlen(script));
	assert_int_equal(chmod(path, 0644), 0);
	assert_hint(EACCES, " has no execute permission (chmod +x)");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_hint(EACCES, " is a directory");
	assert_int_equal(rmdir(path), 0);
	assert_hint(ENOENT, NULL);
	/* A FIFO without a writer: open(2) must not wait for one. */
	assert_int_equal(mkfifo(path, 0755), 0);
	assert_hint(EACCES, NULL);
	errno = EACCES; /* as execve(2) leaves it */
	assert_false(diagnose_file(path, EACCES, hint));
	assert_int_equal(unlink(path), 0);
}

static void test_hint_is_cut_where_it_is_too_long(void **state)
{
	char hint[DIAGNOSE_MAX], name[2 * DIAGNOSE_MAX];

	(void)state;
	memset(name, '/', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_true(diagnose_file(name, EACCES, hint));
	assert_int_equal(strlen(hint), DIAGNOSE_MAX - 1);
	assert_true(diagnose_name("x", name, hint));
	assert_int_equal(strlen(hint), DIAGNOSE_MAX - 1);
}

static void test_elf_file_is_never_a_script(void **state)
{
	static const struct {
		const char *text;
		bool may;
	} rows[] = {
		{ "", true },
		{ "echo hello\n", true },
		{ "\x7f", true },
		{ "\x7f"
		  "EL",
		  true },
		{ "\x7f"
		  "ELF",
		  false },
		{ "\x7f"
		  "ELF\x02\x01\x01",
		  false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		write_program(rows[i].text, strlen(rows[i].text));
		assert_int_equal(diagnose_may_be_script(path), rows[i].may);
	}
	assert_true(diagnose_may_be_script("/missing/program"));
	assert_true(diagnose_may_be_script("/")); /* read(2): EISDIR */
}

static void test_missing_name_lists_the_searched_directories(void **state)
{
	static const char blanks[] =
		"the program name contains spaces; pass the "
		"program and each argument as separate "
		"words";
	static const struct {
		const char *name;
		const char *hint; /* NULL for none */
	} rows[] = {
		{ "x", "'x' is not in PATH (/a:/b)" },
		{ "", NULL },
		{ "/x", NULL },
		{ "./x", NULL },
		{ "x/", NULL },
		{ "echo hello", blanks },
		{ "/bin/echo hello", blanks },
		{ "echo\thello", blanks },
		{ "x\n", blanks },
		{ " ", blanks },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char hint[DIAGNOSE_MAX];

		assert_int_equal(diagnose_name(rows[i].name, "/a:/b", hint),
				 rows[i].hint != NULL);
		if (rows[i].hint)
			assert_string_equal(hint, rows[i].hint);
	}
}

/* Must run last. */
static void test_no_file_is_left_open(void **state)
{
	(void)state;
	assert_int_equal(open("/dev/null", O_RDONLY), STDIN_FILENO);
}

static int make_directory(void **state)
{
	(void)state;
	if (mkdtemp(directory) == NULL || uname(&here) < 0)
		return -1;
	/* A file is a file even if its number is 0. */
	(void)close(STDIN_FILENO);
	format_text(path, sizeof(path), "%s/program", directory);
	format_text(other, sizeof(other), "%s/other", directory);
	return 0;
}

static int remove_directory(void **state)
{
	(void)state;
	(void)unlink(path);
	(void)unlink(other);
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_script_names_its_missing_interpreter),
		cmocka_unit_test(
			test_interpreter_below_what_is_no_directory_is_no_claim),
		cmocka_unit_test(test_script_with_carriage_returns_says_so),
		cmocka_unit_test(test_script_of_a_script_is_followed),
		cmocka_unit_test(
			test_script_that_needs_itself_is_not_followed_forever),
		cmocka_unit_test(
			test_scripts_are_followed_as_far_as_the_kernel_does),
		cmocka_unit_test(test_hint_has_nothing_of_an_earlier_program),
		cmocka_unit_test(test_missing_loader_is_named),
		cmocka_unit_test(
			test_loader_after_the_first_64_segments_is_not_found),
		cmocka_unit_test(
			test_other_processor_is_named_for_enoexec_only),
		cmocka_unit_test(
			test_arm_program_gets_no_hint_on_any_32_bit_arm),
		cmocka_unit_test(test_processor_without_a_name_gets_no_hint),
		cmocka_unit_test(test_truncated_program_gets_no_hint),
		cmocka_unit_test(test_truncated_32_bit_program_gets_no_hint),
		cmocka_unit_test(test_corrupted_program_gets_no_hint),
		cmocka_unit_test(
			test_loader_is_found_among_the_first_64_segments),
		cmocka_unit_test(test_name_of_a_loader_has_up_to_255_bytes),
		cmocka_unit_test(
			test_unfit_program_of_this_machine_gets_no_hint),
		cmocka_unit_test(test_refusal_names_its_cause),
		cmocka_unit_test(test_hint_is_cut_where_it_is_too_long),
		cmocka_unit_test(test_elf_file_is_never_a_script),
		cmocka_unit_test(
			test_missing_name_lists_the_searched_directories),
		cmocka_unit_test(test_no_file_is_left_open),
	};

	return cmocka_run_group_tests_name("diagnose", tests, make_directory,
					   remove_directory);
}
