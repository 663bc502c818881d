# make            build/dumb-init, static; CC=musl-gcc makes the smallest one,
#                 LDFLAGS= a dynamic one, BUILD=DIR writes everything to DIR
# make install    to $(DESTDIR)$(PREFIX)/bin; install-links: its other names, too;
#                 uninstall removes all that
# make demo       shows dumb-init as PID 1
# make test       the tests that need no container engine; installs their packages
# make test-quick most of them, in 20 seconds
# make check      all checks, as CI runs them, as root: an hour
# make format     clang-format for all C files
# make help       these lines, and those of the three makefiles below

VERSION = 2.0.0
# git archive writes its commit into the file COMMIT; in a clone git is asked.
REVISION := $(shell { grep -x '[0-9a-f]*' COMMIT || git rev-parse \
	--verify HEAD || echo unknown; } 2>/dev/null)
COMMIT := $(shell echo $(REVISION) | cut -c1-7)

BUILD = build
# A space separates the names of targets: a link stands for a directory with spaces.
ifneq ($(words $(BUILD)),1)
override BUILD := $(shell mkdir -p build '$(BUILD)' && \
	link="build/$$(echo '$(BUILD)' | cksum | cut -d ' ' -f 1)" && \
	ln -sfn "$$(realpath '$(BUILD)')" "$$link" && echo "$$link")
endif
PREFIX = /usr/local
# The directories of completions below PREFIX, as each shell has them.
BASHCOMPDIR = $(PREFIX)/share/bash-completion/completions
ZSHCOMPDIR = $(PREFIX)/share/zsh/site-functions
FISHCOMPDIR = $(PREFIX)/share/fish/vendor_completions.d

# A packager's flags replace these. -Oz: GCC 12 and clang; 0.5 KB less than -Os.
# Measured on the static musl binary, x86-64. These would cost: the stack protector
# 1.7 KB and a page more than the 48 KB that the idle program may take; structs and
# parameters that gcc takes apart 0.5 KB, code that it copies to thread jumps 0.2 KB,
# small functions that it inlines 0.1 KB, expressions that it copies 0.1 KB (clang has
# none of these flags); jump tables 0.3 KB; code for a PIE, which musl-gcc cannot link
# statically, 1.2 KB; unwind tables, which nothing needs, 0.7 KB; RELRO 2 KB and a page,
# for nothing, as musl does not apply it to a static program. _FORTIFY_SOURCE does
# nothing in musl. -flto makes the program no smaller (0.05 KB larger). With glibc a
# static-pie costs 48 KB.
SMALLEST := $(shell $(CC) -Oz -E -x c /dev/null >/dev/null 2>&1 && \
	echo -Oz || echo -Os)
CFLAGS ?= $(SMALLEST) -fno-stack-protector -fno-jump-tables \
	-fno-asynchronous-unwind-tables \
	$(if $(findstring clang,$(CC)),,-fno-tree-sra -fno-ipa-sra \
		-fno-thread-jumps -fno-inline-small-functions \
		-fno-forward-propagate)
LDFLAGS ?= -static -s -Wl,-z,norelro

# Where a static program is linked there is no PIE.
NO_PIE = $(if $(filter -static,$(LDFLAGS)),-fno-pie)
# Debian's clang knows that, and says so.
NO_PIE_LINK = $(if $(NO_PIE),-no-pie -Wno-unused-command-line-argument)

# The flags that the source needs, in addition to the user's.
FLAGS = -std=c11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -I$(BUILD) \
	-DVERSION='"$(VERSION)"' -DCOMMIT='"$(COMMIT)"' \
	-Wall -Wextra -Wconversion -Wshadow -Wformat=2 $(WERROR)
# Small: no unused function, no padding between segments.
SECTIONS = -ffunction-sections -fdata-sections
SMALL = -Wl,--gc-sections -Wl,-z,noseparate-code

SOURCES = $(wildcard src/*.c)
OBJECTS = $(SOURCES:src/%.c=$(BUILD)/%.o)

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

# Changes when one of these does, and with it all the rest.
SETTINGS = $(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) $(VERSION) $(COMMIT)
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(SETTINGS)' | cmp -s - $@ || echo '$(SETTINGS)' >$@
FORCE:

ROOT = $(DESTDIR)$(PREFIX)
# Only when asked: a system may have the real ones. ln leaves those alone.
LINKS = tini docker-init

install: $(BUILD)/dumb-init
	install -D -m 755 $(BUILD)/dumb-init "$(ROOT)/bin/dumb-init"
	install -D -m 644 man/dumb-init.1 "$(ROOT)/share/man/man1/dumb-init.1"
	install -D -m 644 completions/dumb-init.bash \
		"$(DESTDIR)$(BASHCOMPDIR)/dumb-init"
	install -D -m 644 completions/_dumb-init \
		"$(DESTDIR)$(ZSHCOMPDIR)/_dumb-init"
	install -D -m 644 completions/dumb-init.fish \
		"$(DESTDIR)$(FISHCOMPDIR)/dumb-init.fish"

install-links: install
	@for name in $(LINKS); do \
		link="$(ROOT)/bin/$$name"; \
		test "$$(readlink "$$link")" = dumb-init || \
			ln -s dumb-init "$$link" || exit 1; \
	done

uninstall:
	@for name in $(LINKS); do \
		link="$(ROOT)/bin/$$name"; \
		test "$$(readlink "$$link")" != dumb-init || rm "$$link"; \
	done
	rm -f "$(ROOT)/bin/dumb-init" "$(ROOT)/share/man/man1/dumb-init.1" \
		"$(DESTDIR)$(BASHCOMPDIR)/dumb-init" \
		"$(DESTDIR)$(ZSHCOMPDIR)/_dumb-init" \
		"$(DESTDIR)$(FISHCOMPDIR)/dumb-init.fish"

demo:
	@tools/need gcc libc6-dev procps
	@$(MAKE) -s
	@demo/demo $(BUILD)/dumb-init

check:
	.ci/run

format:
	clang-format -i $(wildcard src/*.[ch] bench/*.[ch] tests/unit/*.[ch] \
		tests/*/*/*.[ch])

clean:
	rm -rf "$$(readlink -f $(BUILD))" $(BUILD)

help:
	@sed -n '/^$$/q; s/^# //p' Makefile
	@for file in $(filter %.mk,$(MAKEFILE_LIST)); do echo; sed -n '/^$$/q; s/^# //p' $$file; done

.PHONY: install install-links uninstall demo check format clean help

include tests/tests.mk tests/campaigns/campaigns.mk packaging/packaging.mk
