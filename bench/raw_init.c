/*
 * raw_init [COMMAND [ARG]...]: the least that an init can do, in raw system
 * calls and without a C library. It blocks all signals, starts COMMAND (an
 * absolute path) in a new session with the inherited mask, reaps until COMMAND
 * has exited, and exits with its status. It forwards nothing. Any init costs at
 * least as much.
 *
 * Without COMMAND it exits at once with 0: so it is the cheapest COMMAND, too.
 */
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

enum {
	NOT_RUNNABLE = 126,
	SIGNALED = 128,
	CLONE_VM = 0x100, /* linux/sched.h, as is the next */
	CLONE_VFORK = 0x4000,
};

/*
 * Always inlined: the child of CLONE_VFORK without a stack of its own uses this
 * stack frame. If it returned, it would overwrite the parent's return address.
 */
#define INLINE static inline __attribute__((always_inline))

#if defined(__x86_64__)
__asm__(".globl _start\n"
	"_start:\n"
	"	mov %rsp, %rdi\n"
	"	and $-16, %rsp\n"
	"	call run\n");

INLINE long call(long number, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return result;
}
#elif defined(__aarch64__)
__asm__(".globl _start\n"
	"_start:\n"
	"	mov x0, sp\n"
	"	bl run\n");

INLINE long call(long number, long a, long b, long c, long d)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3)
			 : "memory");
	return x0;
}
#else
#error "raw_init knows the system calls of x86-64 and aarch64 only"
#endif

INLINE void set_mask(const uint64_t *mask, uint64_t *old)
{
	(void)call(__NR_rt_sigprocmask, SIG_SETMASK, (long)mask, (long)old,
		   sizeof(*mask));
}

INLINE __attribute__((noreturn)) void end(int status)
{
	for (;;)
		(void)call(__NR_exit_group, status, 0, 0, 0);
}

/* words: argc, argv, NULL, environment, as execve(2) lays them out. */
__attribute__((noreturn, used)) void run(long *words)
{
	char **argv = (char **)(words + 1);
	char **environment = argv + words[0] + 1;
	const uint64_t all = ~UINT64_C(0);
	uint64_t mask;
	int wstatus = 0;
	long child;

	if (words[0] < 2)
		end(0);
	set_mask(&all, &mask);
	/* A null stack: the child uses the parent's, which waits meanwhile. */
	child = call(__NR_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0, 0);
	if (child == 0) {
		(void)call(__NR_setsid, 0, 0, 0, 0);
		set_mask(&mask, NULL);
		(void)call(__NR_execve, (long)argv[1], (long)(argv + 1),
			   (long)environment, 0);
		end(NOT_RUNNABLE);
	}
	if (child < 0)
		end(NOT_RUNNABLE);
	while (call(__NR_wait4, -1, (long)&wstatus, 0, 0) != child)
		;
	/* As WIFEXITED and the like in wait(2) take it apart. */
	end((wstatus & 0x7f) == 0 ? (wstatus >> 8) & 0xff
				  : SIGNALED + (wstatus & 0x7f));
}
