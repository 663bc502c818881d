# make compare    the behaviour tests for Debian's inits, too: docs/comparison.md
# make bench      the cost beside other inits: docs/benchmarks.md
# make size       the file and the idle memory beside their bounds
# make fuzz       libFuzzer on all inputs; FUZZ_SECONDS=60 each
# make coverage   the lines of src/ that tests reach
# make faults     each system call fails, with each errno
# make soak       storms around PID 1; SOAK_SECONDS=60, SEED=TEXT repeats one
# make privilege  the privileges that dumb-init holds
# make analysis   static analysis, and valgrind
# make mutation   whether a test notices each changed token; MUTATION_SAMPLE=40
# PAGE=docs/reliability.md: fuzz and those after it write their results there

# PAGE only from the command line: $(call WRITE,SECTION,FILE) replaces its section.
PAGE_ASKED_FOR = $(if $(filter command,$(origin PAGE)),$(PAGE))
WRITE = $(if $(PAGE_ASKED_FOR),tools/section $(PAGE) $(1) <$(2))
IN_NAMESPACE = PYTHONPATH=tests/support PYTHONDONTWRITEBYTECODE=1 \
	tools/in-pid-namespace

# The same tests for Debian's inits as well. Only a failure of ours is an error.
PAGE = docs/comparison.md
OTHERS = dumb-init-1.2.5=/usr/bin/dumb-init tini=/usr/bin/tini \
	catatonit=/usr/bin/catatonit
compare:
	@tools/need $(COMPILERS) $(BEHAVIOUR_NEEDS) dumb-init
	@$(MUSL) -s
	@$(GLIBC) -s helpers
	@tests/behaviour/run --init ours=$(BUILD)/musl/dumb-init \
		$(OTHERS:%=--init %) --helpers $(BUILD)/glibc/helpers \
		-p compare --compare $(PAGE) --log $(BUILD)/compare.log \
		--tb=short --no-summary $(PYTEST_ARGS)

# With ROUNDS=300 a quick look, whose page is not for docs/.
bench: OTHERS += tini-static=/usr/bin/tini-static
bench:
	@tools/need $(COMPILERS) binutils python3 strace gnuplot-nox dumb-init tini \
		catatonit
	@$(TINI_STATIC)
	@$(MUSL) -s
	@bench/run $(ROUNDS:%=--rounds %) $(BUILD) $(OTHERS)

$(BUILD)/helpers/%: bench/%.c
	@mkdir -p $(@D)
	$(CC) $(FLAGS) -O1 -static -o $@ $<

size:
	@tools/need $(COMPILERS) binutils python3 python3-psutil
	@$(MUSL) -s
	@bench/size $(BUILD)/musl/dumb-init

# Inputs that fail are kept in BUILD. With FUZZ_RUNS so many executions each, however
# long it takes.
FUZZ_SECONDS = 60
FUZZ_LIMIT = $(if $(FUZZ_RUNS),FUZZ_RUNS=$(FUZZ_RUNS),\
	FUZZ_SECONDS=$(FUZZ_SECONDS))
CORPUS = tests/campaigns/fuzz/corpus
FUZZERS = $(patsubst tests/campaigns/fuzz/fuzz_%.c,%,\
	$(wildcard tests/campaigns/fuzz/fuzz_*.c))
FUZZ_FLAGS = -g -O1 -fsanitize=fuzzer,address,undefined \
	-fno-sanitize-recover=all
fuzz:
	@tools/need clang libclang-rt-dev python3
	@$(MAKE) -j2 $(FUZZERS:%=run-fuzz-%)
	@tests/campaigns/fuzz/report "$(strip $(FUZZ_LIMIT))" \
		$(FUZZERS:%=$(BUILD)/fuzz/%.log) >$(BUILD)/fuzz/page.md
	@$(call WRITE,fuzzing,$(BUILD)/fuzz/page.md)

run-fuzz-%: $(BUILD)/fuzz/%
	@mkdir -p $(BUILD)/fuzz/corpus/$*
	@$< $(if $(FUZZ_RUNS),-runs=$(FUZZ_RUNS),-max_total_time=$(FUZZ_SECONDS)) \
		-max_len=2048 -timeout=10 -close_fd_mask=3 -print_final_stats=1 \
		-artifact_prefix=$(BUILD)/fuzz/$*- \
		$(BUILD)/fuzz/corpus/$* $(CORPUS)/$* \
		>$(BUILD)/fuzz/$*.log 2>&1 || { cat $(BUILD)/fuzz/$*.log; exit 1; }
	@sed -n 's/^stat::number_of_executed_units:/$*: runs/p' \
		$(BUILD)/fuzz/$*.log

.PRECIOUS: $(BUILD)/fuzz/%

# Adds to the corpus the found inputs that reach code which no input in it reaches.
keep-fuzz: $(FUZZERS:%=keep-fuzz-%)
keep-fuzz-%: $(BUILD)/fuzz/%
	$< -merge=1 -use_counters=0 -close_fd_mask=3 \
		-artifact_prefix=$(BUILD)/fuzz/$*- $(CORPUS)/$* $(BUILD)/fuzz/corpus/$*

$(BUILD)/fuzz/%: tests/campaigns/fuzz/fuzz_%.c tests/campaigns/fuzz/fuzz.h \
		$(SOURCES) $(wildcard src/*.h) $(BUILD)/license.h
	@mkdir -p $(@D)
	clang $(FLAGS) $(FUZZ_FLAGS) -Isrc -o $@ $< \
		$(filter-out src/main.c $(INCLUDED),$(SOURCES))
$(BUILD)/fuzz/environment: INCLUDED = src/execute.c src/spawn.c
$(BUILD)/fuzz/diagnose: INCLUDED = src/diagnose.c src/proc.c

# tests/campaigns/coverage/unreached has the lines that no test reaches, with reasons.
coverage:
	@tools/need $(TEST_NEEDS) binutils gcovr
	@$(TINI_STATIC)
	@tests/campaigns/coverage/run $(BUILD)/coverage $(PAGE_ASKED_FOR)

# Below a PID 1 that reaps the orphans. FAULTS=EPERM chooses the faults whose line
# has this word; the page is only for all of them.
faults:
	@tools/need $(COMPILERS) python3 python3-psutil strace
	@$(MUSL) -s
	@$(GLIBC) -s helpers
	@$(IN_NAMESPACE) tests/support/reaper tests/campaigns/faults/run \
		$(BUILD)/musl/dumb-init $(BUILD)/glibc/helpers \
		$(BUILD)/faults.md "$(FAULTS)"
	@$(if $(FAULTS),,$(call WRITE,faults,$(BUILD)/faults.md))

# Below a PID 1 of its own, with which all that is started ends. The names of storms
# in STORMS leave out the others.
SOAK_SECONDS = 60
soak:
	@tools/need $(COMPILERS) python3 python3-psutil
	@tools/need user-mode-linux || echo 'The clock will not be set.'
	@$(MUSL) -s
	@$(GLIBC) -s helpers $(BUILD)/glibc/helpers/orphans
	@nice -n 10 tools/in-pid-namespace tests/support/reaper \
		tests/campaigns/storms/soak \
		--init $(INIT) --helpers $(BUILD)/glibc/helpers \
		--seconds $(SOAK_SECONDS) $(SEED:%=--seed %) \
		$(PAGE_ASKED_FOR:%=--page %) $(STORMS)
soak: INIT = $(BUILD)/musl/dumb-init

analysis:
	@tools/need gcc libc6-dev libcmocka-dev clang clang-tidy clang-tools \
		clang-format cppcheck valgrind shellcheck mandoc bsdutils
	@tests/campaigns/analysis $(BUILD)/analysis $(PAGE_ASKED_FOR)

# The privileges while COMMAND runs, and the effect of giving them up.
privilege:
	@tools/need $(COMPILERS) python3 python3-psutil strace gdb libcap2-bin \
		podman runc busybox-static
	@$(GLIBC) -s $(LESS:%=$(BUILD)/glibc/%) $(BUILD)/glibc/dumb-init
	@$(MUSL) -s $(LESS:%=$(BUILD)/musl/%) $(BUILD)/musl/dumb-init
	@$(IN_NAMESPACE) tests/campaigns/privilege/run $(BUILD) $(PAGE_ASKED_FOR)

# musl-gcc sees no headers of the kernel.
LESS = less-CAPABILITIES less-CALLS
KERNEL_HEADERS = -idirafter /usr/include -idirafter /usr/include/$(shell $(CC) \
	-print-multiarch)
$(BUILD)/less-%: tests/campaigns/privilege/give_up.c $(OBJECTS)
	$(CC) $(FLAGS) $(CFLAGS) $(NO_PIE) $(SECTIONS) -c -o $@-main.o \
		-Dsupervise=supervise_with_less src/main.c
	$(CC) $(FLAGS) $(CFLAGS) $(NO_PIE) $(SECTIONS) -c -o $@.o $< \
		-Isrc $(KERNEL_HEADERS) -D$*
	$(CC) $(CFLAGS) $(SMALL) $(NO_PIE_LINK) $(LDFLAGS) -o $@ $@-main.o $@.o \
		$(filter-out %/main.o,$(OBJECTS))

mutation:
	@tools/need $(TEST_NEEDS) binutils
	@mkdir -p $(BUILD)
	@tests/campaigns/mutation/run $(BUILD) $(MUTATION_SAMPLE:%=--sample %) \
		$(MUTATION_ARGS) >$(BUILD)/mutation.md || \
		{ cat $(BUILD)/mutation.md; exit 1; }
	@cat $(BUILD)/mutation.md
	@$(call WRITE,mutation,$(BUILD)/mutation.md)

.PHONY: compare bench size fuzz keep-fuzz coverage faults soak analysis privilege \
	mutation
