# make            build/dumb-init, static; CC=musl-gcc makes the smallest one
# make help       these lines
# make LDFLAGS=   the same, linked dynamically
# make BUILD=DIR  writes everything to DIR
# make install    into $(DESTDIR)$(PREFIX); install-links: its other names, too
# make demo       shows dumb-init as PID 1
# make test       the tests that need no engine; installs their packages
# make test-quick  20 seconds: most unit tests, a third of the behaviour tests
# make test-busy  make test RUNS=10 times beside stress-ng; STRESS= without it
# make test-packages  packages, completions, static files
# make test-engines  Docker, Podman, containerd and runc, as root
# make test-debians  make demo and make test on bare Debian systems, as root
# make test-kernels  claims on Debian's kernels in qemu, as root; KERNELS="6.1 newest"
# make test-kernels-behaviour  the behaviour tests on these kernels, as root
# make compare    the same tests for Debian's inits: docs/comparison.md
# make bench      the cost beside other inits: docs/benchmarks.md
# make size       the file and the idle memory beside their bounds
# make fuzz       libFuzzer on all inputs; FUZZ_SECONDS=60 each
# make coverage   the lines of src/ that tests reach: docs/reliability.md
# make faults     each system call fails, with each errno: docs/reliability.md
# make soak       storms around PID 1; SOAK_SECONDS=60, SEED=TEXT repeats one
# make privilege  the privileges that dumb-init holds
# make analysis   static analysis, and valgrind
# make mutation   whether a test notices each changed token; MUTATION_SAMPLE=40

VERSION = 2.0.0
# git archive writes its commit into the file COMMIT; in a clone git is asked.
COMMIT := $(shell { grep -x '[0-9a-f]*' COMMIT || git rev-parse \
	--verify HEAD || echo unknown; } 2>/dev/null | cut -c1-7)

BUILD = build
PREFIX = /usr/local
# The directories of completions below PREFIX, as each shell has them.
BASHCOMPDIR = $(PREFIX)/share/bash-completion/completions
ZSHCOMPDIR = $(PREFIX)/share/zsh/site-functions
FISHCOMPDIR = $(PREFIX)/share/fish/vendor_completions.d
# A packager's flags replace these. -Oz: GCC 12 and clang; 0.5 KB less than -Os.
# Measured on the static musl binary, x86-64. These would cost: the stack protector
# 1.7 KB and a page more than the 48 KB that the idle program may take; structs taken
# apart by gcc 0.5 KB (clang has no such flag); jump tables 0.3 KB; code for a PIE,
# which musl-gcc cannot link statically, 1.2 KB; unwind tables, which nothing needs,
# 0.7 KB; RELRO 2 KB and a page, for nothing, as musl does not apply it to a static
# program. _FORTIFY_SOURCE does nothing in musl. -flto makes the program no smaller
# (0.05 KB larger). With glibc a static-pie costs 48 KB.
SMALLEST := $(shell $(CC) -Oz -E -x c /dev/null >/dev/null 2>&1 && \
	echo -Oz || echo -Os)
CFLAGS ?= $(SMALLEST) -fno-stack-protector -fno-jump-tables \
	-fno-asynchronous-unwind-tables \
	$(if $(findstring clang,$(CC)),,-fno-tree-sra)
LDFLAGS ?= -static -s -Wl,-z,norelro

# Where a static program is linked there is no PIE.
NO_PIE = $(if $(filter -static,$(LDFLAGS)),-fno-pie)
# Debian's clang knows that, and says so.
NO_PIE_LINK = $(if $(NO_PIE),-no-pie -Wno-unused-command-line-argument)

# The flags that the source needs, in addition to the user's.
FLAGS = -std=c11 -D_GNU_SOURCE -I$(BUILD) \
	-DVERSION='"$(VERSION)"' -DCOMMIT='"$(COMMIT)"' \
	-Wall -Wextra -Wconversion -Wshadow -Wformat=2 $(WERROR)
# Small: no unused function, no padding between segments.
SECTIONS = -ffunction-sections -fdata-sections
SMALL = -Wl,--gc-sections -Wl,-z,noseparate-code

SOURCES = $(wildcard src/*.c)
OBJECTS = $(SOURCES:src/%.c=$(BUILD)/%.o)
# All except SLOW_UNITS.
UNITS = $(filter-out $(SLOW_UNITS:%=$(BUILD)/unit/%),$(patsubst \
	tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/*.c)))
HELPERS = $(patsubst tests/helpers/%.c,$(BUILD)/helpers/%,\
	$(wildcard tests/helpers/*.c))
C_FILES = $(wildcard src/*.[ch] tests/*/*.[ch] bench/*.[ch])

$(BUILD)/dumb-init: $(OBJECTS)
	$(CC) $(CFLAGS) $(SMALL) $(NO_PIE_LINK) $(LDFLAGS) -o $@ $(OBJECTS)

$(BUILD)/%.o: src/%.c $(wildcard src/*.h) $(BUILD)/license.h Makefile \
		$(BUILD)/flags
	$(CC) $(FLAGS) $(CPPFLAGS) $(CFLAGS) $(COUNTED) $(NO_PIE) $(SECTIONS) -c \
		-o $@ $<

# The file as a string, one line for each line.
$(BUILD)/license.h: LICENSE $(BUILD)/flags
	{ echo '#define LICENSE_TEXT \'; \
	sed 's/["\]/\\&/g; s/.*/"&\\n" \\/' LICENSE; echo; } >$@

# Changes when the compiler, the user's flags or the commit do, and with it all
# the rest.
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) $(COMMIT)' | cmp -s - $@ || \
		echo '$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) $(COMMIT)' >$@
FORCE:

help:
	@sed -n '/^$$/q; s/^# //p' Makefile

install: $(BUILD)/dumb-init
	install -D -m 755 $(BUILD)/dumb-init $(DESTDIR)$(PREFIX)/bin/dumb-init
	install -D -m 644 man/dumb-init.1 \
		$(DESTDIR)$(PREFIX)/share/man/man1/dumb-init.1
	install -D -m 644 completions/dumb-init.bash \
		$(DESTDIR)$(BASHCOMPDIR)/dumb-init
	install -D -m 644 completions/_dumb-init \
		$(DESTDIR)$(ZSHCOMPDIR)/_dumb-init
	install -D -m 644 completions/dumb-init.fish \
		$(DESTDIR)$(FISHCOMPDIR)/dumb-init.fish

# Only when asked: a system may have the real ones. ln leaves those alone.
LINKS = tini docker-init
install-links: install
	@for name in $(LINKS); do \
		link=$(DESTDIR)$(PREFIX)/bin/$$name; \
		test "$$(readlink $$link)" = dumb-init || \
			ln -s dumb-init $$link || exit 1; \
	done

demo:
	@tools/need gcc libc6-dev procps
	@$(MAKE) -s
	@demo/demo $(BUILD)/dumb-init

# The two static builds, whatever CC is, and the helpers of the tests.
GLIBC = $(MAKE) BUILD=$(BUILD)/glibc CC=gcc
MUSL = $(MAKE) BUILD=$(BUILD)/musl CC=musl-gcc
BOTH = glibc=$(BUILD)/glibc/dumb-init musl=$(BUILD)/musl/dumb-init

TEST_NEEDS = gcc libc6-dev musl-tools libcmocka-dev python3-pytest \
	python3-pytest-timeout python3-pytest-xdist python3-psutil \
	python3-pexpect strace procps tini catatonit
# A package of its own after Debian 13; until then a part of tini.
TINI_STATIC = test -e /usr/bin/tini-static || tools/need tini-static

test:
	@tools/need $(TEST_NEEDS) $(QUICK_NEEDS)
	@$(TINI_STATIC)
	@$(GLIBC) -s
	@$(MUSL) -s
	@$(GLIBC) -s run-units
	@$(GLIBC) -s behaviour INITS="$(BOTH)"
	@$(PACKAGE_TESTS) $(QUICK_TESTS)

# While you work: without the slow tests and the measurements.
test-quick:
	@tools/need $(TEST_NEEDS)
	@$(TINI_STATIC)
	@$(MUSL) -s
	@$(GLIBC) -s run-units SLOW_UNITS=test_lifecycle_paths
	@$(GLIBC) -s behaviour INITS=musl=$(BUILD)/musl/dumb-init \
		PYTEST_ARGS="-m 'not slow and not cost' $(PYTEST_ARGS)"

RUNS = 10
STRESS = --cpu 8 --vm 2 --fork 4
test-busy:
	@$(if $(STRESS),tools/need stress-ng)
	@tests/run-busy $(BUILD)/busy $(RUNS) $(STRESS)

# The musl build, as PID 1 of real containers. Engines that already run on this
# machine are neither used nor touched.
test-engines:
	@tools/need gcc libc6-dev musl-tools python3-pytest \
		python3-pytest-timeout python3-pytest-xdist python3-psutil \
		python3-pexpect podman runc docker.io containerd busybox-static \
		bash-static iproute2 nodejs docker-compose python3-kubernetes \
		python3-botocore python3-yaml
	@$(MUSL) -s
	@$(GLIBC) -s helpers
	@tests/run-engines $(BUILD)/musl/dumb-init $(BUILD)/glibc/helpers \
		$(PYTEST_ARGS)

# Each from nothing but make, as root and as an ordinary user, with git and without.
# With QUICK=1 only one of the three on each runs all tests.
SUITES = bookworm trixie testing
test-debians:
	@tools/need git mmdebstrap util-linux
	@tests/debians/run $(BUILD)/debians $(VERSION) \
		$(if $(QUICK),test-quick,test) $(SUITES)

# Claims, checked on Debian's cloud kernels in qemu; CLAIMS=memory checks a part. MIRROR
# is an archive of Debian, by default that of the machine. PAGE=docs/reliability.md
# writes the results there.
KERNELS = 4.19 5.10 6.1 6.12 newest 6.12-aarch64
KERNEL_NEEDS = gcc libc6-dev musl-tools cpio util-linux qemu-system-x86
AARCH64 = $(filter %-aarch64,$(KERNELS))
AARCH64_NEEDS = qemu-system-arm gcc-aarch64-linux-gnu libc6-dev-arm64-cross python3
IN_KERNELS = $(MAKE) -s BUILD=$(BUILD)/kernels/$(1) CC=$(2) LDFLAGS= \
	$(BUILD)/kernels/$(1)/dumb-init helpers
test-kernels:
	@tools/need $(KERNEL_NEEDS) $(if $(AARCH64),$(AARCH64_NEEDS))
	@$(MUSL) -s
	@$(call IN_KERNELS,x86_64,gcc)
	@$(if $(AARCH64),$(call IN_KERNELS,aarch64,aarch64-linux-gnu-gcc))
	@$(if $(AARCH64),packaging/release-build $(VERSION) $(BUILD) \
		$(BUILD)/kernels/release aarch64)
	@tests/kernels/run $(BUILD)/kernels "$(MIRROR)" $(INIT) \
		$(BUILD)/release/aarch64/dumb-init "$(CLAIMS)" $(KERNELS)
	@$(if $(filter command,$(origin PAGE)),\
		tools/section $(PAGE) kernels <$(BUILD)/kernels/page.md)
test-kernels: INIT = $(BUILD)/musl/dumb-init

# The behaviour tests on these kernels, with a root file system of Debian.
test-kernels-behaviour:
	@tools/need $(KERNEL_NEEDS) mmdebstrap e2fsprogs
	@$(MUSL) -s
	@$(GLIBC) -s helpers
	@tests/kernels/behaviour $(BUILD)/kernels "$(MIRROR)" $(INIT) \
		$(BUILD)/glibc/helpers "$(PYTEST_ARGS)" $(KERNELS)
	@$(if $(filter command,$(origin PAGE)),tools/section $(PAGE) \
		kernels-behaviour <$(BUILD)/kernels/behaviour.md)
test-kernels-behaviour: INIT = $(BUILD)/musl/dumb-init
test-kernels-behaviour: KERNELS = 6.1 newest

units: $(UNITS)

# Linked with all modules but main, and but the one whose source the test includes.
INCLUDING = execute processes spawn supervise
$(BUILD)/unit/%: tests/unit/%.c $(filter-out %/main.o,$(OBJECTS))
	@mkdir -p $(@D)
	$(CC) $(FLAGS) $(CPPFLAGS) $(CFLAGS) -Isrc -o $@ \
		$(filter-out $(addprefix $(BUILD)/,$(addsuffix .o,\
			$(filter $(*:test_%=%),$(INCLUDING)))),$^) \
		$(if $(NO_PIE),-no-pie) $(filter-out -static -s,$(LDFLAGS)) -lcmocka

run-units: units
	@for unit in $(UNITS); do echo "== $$unit"; $$unit || exit 1; done

helpers: $(HELPERS)

$(BUILD)/helpers/%: tests/helpers/%.c
	@mkdir -p $(@D)
	$(CC) $(FLAGS) -O1 -static -o $@ $<

$(BUILD)/helpers/%: bench/%.c
	@mkdir -p $(@D)
	$(CC) $(FLAGS) -O1 -static -o $@ $<

# NAME=PATH for each init that the contract is checked for.
INITS = build=$(BUILD)/dumb-init
PYTEST_ARGS =
behaviour: helpers $(BUILD)/dumb-init
	tests/run-behaviour $(INITS:%=--init %) --helpers $(BUILD)/helpers \
		$(PYTEST_ARGS)

# The same tests for Debian's inits as well. Only a failure of ours is an error.
PAGE = docs/comparison.md
OTHERS = dumb-init-1.2.5=/usr/bin/dumb-init tini=/usr/bin/tini \
	catatonit=/usr/bin/catatonit
compare:
	@tools/need gcc libc6-dev musl-tools python3-pytest \
		python3-pytest-timeout python3-pytest-xdist python3-psutil \
		python3-pexpect strace procps dumb-init tini catatonit
	@$(MUSL) -s
	@$(GLIBC) -s helpers
	@tests/run-behaviour --init ours=$(BUILD)/musl/dumb-init \
		$(OTHERS:%=--init %) --helpers $(BUILD)/glibc/helpers \
		-p compare --compare $(PAGE) --log $(BUILD)/compare.log \
		--tb=short --no-summary $(PYTEST_ARGS)

# Inputs that fail are kept in BUILD.
FUZZ_SECONDS = 60
FUZZ_LIMIT = $(if $(FUZZ_RUNS),FUZZ_RUNS=$(FUZZ_RUNS),\
	FUZZ_SECONDS=$(FUZZ_SECONDS))
FUZZERS = $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_FLAGS = -g -O1 -fsanitize=fuzzer,address,undefined \
	-fno-sanitize-recover=all

# With FUZZ_RUNS so many executions each, however long it takes; with
# PAGE=docs/reliability.md what came of them is there.
fuzz:
	@tools/need clang libclang-rt-dev python3
	@$(MAKE) -j2 $(FUZZERS:%=run-fuzz-%)
	@tests/fuzz/report "$(strip $(FUZZ_LIMIT))" $(FUZZERS:%=$(BUILD)/fuzz/%.log) \
		>$(BUILD)/fuzz/page.md
	@$(if $(filter command,$(origin PAGE)),\
		tools/section $(PAGE) fuzzing <$(BUILD)/fuzz/page.md)

run-fuzz-%: $(BUILD)/fuzz/%
	@mkdir -p $(BUILD)/fuzz/corpus/$*
	@$< $(if $(FUZZ_RUNS),-runs=$(FUZZ_RUNS),-max_total_time=$(FUZZ_SECONDS)) \
		-max_len=2048 -timeout=10 -close_fd_mask=3 -print_final_stats=1 \
		-artifact_prefix=$(BUILD)/fuzz/$*- \
		$(BUILD)/fuzz/corpus/$* tests/fuzz/corpus/$* \
		>$(BUILD)/fuzz/$*.log 2>&1 || { cat $(BUILD)/fuzz/$*.log; exit 1; }
	@sed -n 's/^stat::number_of_executed_units:/$*: runs/p' \
		$(BUILD)/fuzz/$*.log

.PRECIOUS: $(BUILD)/fuzz/%

# Of what was found, what reaches code that nothing in tests/fuzz/corpus does.
keep-fuzz: $(FUZZERS:%=keep-fuzz-%)
keep-fuzz-%: $(BUILD)/fuzz/%
	$< -merge=1 -use_counters=0 -close_fd_mask=3 \
		-artifact_prefix=$(BUILD)/fuzz/$*- \
		tests/fuzz/corpus/$* $(BUILD)/fuzz/corpus/$*

$(BUILD)/fuzz/%: tests/fuzz/fuzz_%.c tests/fuzz/fuzz.h $(SOURCES) \
		$(wildcard src/*.h) $(BUILD)/license.h
	@mkdir -p $(@D)
	clang $(FLAGS) $(FUZZ_FLAGS) -Isrc -o $@ $< \
		$(filter-out src/main.c $(INCLUDED),$(SOURCES))
$(BUILD)/fuzz/environment: INCLUDED = src/execute.c src/spawn.c
$(BUILD)/fuzz/diagnose: INCLUDED = src/diagnose.c src/proc.c

# The lines of src/ that the tests reach. tests/coverage/unreached has the others,
# with reasons. PAGE=docs/reliability.md writes its section there.
coverage:
	@tools/need gcc libc6-dev libcmocka-dev binutils gcovr python3-pytest \
		python3-pytest-timeout python3-pytest-xdist python3-psutil \
		python3-pexpect strace procps tini catatonit
	@$(TINI_STATIC)
	@tests/coverage/run $(BUILD)/coverage \
		$(if $(filter command,$(origin PAGE)),$(PAGE))

size:
	@tools/need gcc libc6-dev musl-tools binutils python3 python3-psutil
	@$(MUSL) -s
	@bench/size $(BUILD)/musl/dumb-init

# With ROUNDS=300 a quick look, whose page is not for docs/.
bench:
	@tools/need gcc libc6-dev musl-tools python3 strace gnuplot-nox \
		dumb-init tini catatonit
	@$(MUSL) -s
	@bench/run $(BUILD) $(ROUNDS)

# Below a PID 1 that reaps the orphans. FAULTS=EPERM chooses the faults whose line
# has this word. PAGE=docs/reliability.md writes its section there, from all faults.
faults:
	@tools/need gcc libc6-dev musl-tools python3 python3-psutil strace
	@$(MUSL) -s
	@$(GLIBC) -s helpers
	@PYTHONPATH=tests PYTHONDONTWRITEBYTECODE=1 \
		tools/in-pid-namespace tests/reaper tests/faults/run \
		$(BUILD)/musl/dumb-init $(BUILD)/glibc/helpers \
		$(BUILD)/faults.md "$(FAULTS)"
	@$(if $(filter command,$(origin PAGE)),$(if $(FAULTS),,tools/section \
		$(PAGE) faults <$(BUILD)/faults.md))

# Below a PID 1 of its own, with which all that is started ends. The names of storms
# in STORMS leave out the others.
SOAK_SECONDS = 60
soak:
	@tools/need gcc libc6-dev musl-tools python3 python3-psutil
	@tools/need user-mode-linux || echo 'The clock will not be set.'
	@$(MUSL) -s
	@$(GLIBC) -s helpers $(BUILD)/glibc/helpers/orphans
	@nice -n 10 tools/in-pid-namespace tests/reaper tests/storms/soak \
		--init $(INIT) --helpers $(BUILD)/glibc/helpers \
		--seconds $(SOAK_SECONDS) $(SEED:%=--seed %) \
		$(if $(filter command,$(origin PAGE)),--page $(PAGE)) $(STORMS)
soak: INIT = $(BUILD)/musl/dumb-init

# PAGE=docs/reliability.md writes its section there.
analysis:
	@tools/need gcc libc6-dev libcmocka-dev clang clang-tidy clang-tools \
		clang-format cppcheck valgrind shellcheck mandoc bsdutils
	@tests/run-analysis $(BUILD)/analysis \
		$(if $(filter command,$(origin PAGE)),$(PAGE))

# The privileges while COMMAND runs, and the effect of giving them up.
privilege:
	@tools/need gcc libc6-dev musl-tools python3 python3-psutil strace gdb \
		libcap2-bin podman runc busybox-static
	@$(GLIBC) -s $(LESS:%=$(BUILD)/glibc/%) $(BUILD)/glibc/dumb-init
	@$(MUSL) -s $(LESS:%=$(BUILD)/musl/%) $(BUILD)/musl/dumb-init
	@PYTHONPATH=tests PYTHONDONTWRITEBYTECODE=1 tools/in-pid-namespace \
		tests/privilege/run $(BUILD) \
		$(if $(filter command,$(origin PAGE)),$(PAGE))

# musl-gcc sees no headers of the kernel.
LESS = less-CAPABILITIES less-CALLS
KERNEL = -idirafter /usr/include -idirafter /usr/include/$(shell $(CC) \
	-print-multiarch)
$(BUILD)/less-%: tests/privilege/give_up.c $(OBJECTS)
	$(CC) $(FLAGS) $(CFLAGS) $(NO_PIE) $(SECTIONS) -c -o $@-main.o \
		-Dsupervise=supervise_with_less src/main.c
	$(CC) $(FLAGS) $(CFLAGS) $(NO_PIE) $(SECTIONS) -c -o $@.o $< \
		-Isrc $(KERNEL) -D$*
	$(CC) $(CFLAGS) $(SMALL) $(NO_PIE_LINK) $(LDFLAGS) -o $@ $@-main.o $@.o \
		$(filter-out %/main.o,$(OBJECTS))

# PAGE=docs/reliability.md writes its section there.
mutation:
	@tools/need gcc binutils libc6-dev libcmocka-dev python3-pytest \
		python3-pytest-timeout python3-pytest-xdist python3-psutil \
		python3-pexpect strace procps
	@mkdir -p $(BUILD)
	@tests/mutation/run $(BUILD) $(MUTATION_SAMPLE:%=--sample %) \
		$(MUTATION_ARGS) >$(BUILD)/mutation.md || \
		{ cat $(BUILD)/mutation.md; exit 1; }
	@cat $(BUILD)/mutation.md
	@$(if $(filter command,$(origin PAGE)),\
		tools/section $(PAGE) mutation <$(BUILD)/mutation.md)

format:
	clang-format -i $(C_FILES)

clean:
	rm -rf $(BUILD)

.PHONY: help install install-links demo test test-quick test-busy test-debians \
	test-engines test-kernels test-kernels-behaviour units run-units helpers \
	behaviour compare size bench fuzz keep-fuzz coverage \
	mutation faults soak analysis privilege format clean

include packaging/targets.mk
