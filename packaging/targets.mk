# What goes to other people's machines, left in $(DIST). docs/releasing.md says
# in what order.
DIST = dist

# The source, as it is committed.
dist:
	@packaging/dist $(VERSION) $(DIST)

# For pip: the program, static unless CC and LDFLAGS say otherwise, and its source.
wheel:
	@tools/need gcc libc6-dev musl-tools $(WHEEL_NEEDS)
	@packaging/wheel $(VERSION) $(DIST)

WHEEL_NEEDS = python3-build python3-setuptools python3-wheel

# Everything that is made here is tried.
test-packages:
	@tools/need python3-pytest python3-pytest-timeout python3-psutil \
		python3-pexpect gcc libc6-dev musl-tools binutils util-linux \
		bash-completion zsh fish $(WHEEL_NEEDS) python3-pip
	@$(MUSL) -s
	@tests/run-packages tests/packages --init $(BUILD)/musl/dumb-init \
		$(PYTEST_ARGS)

.PHONY: dist wheel test-packages
