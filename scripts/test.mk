# SPDX-License-Identifier: GPL-2.0-or-later
# What tells whether the project is right: tests, stress and style.

commands += check check-all check-quick stress lint
clean_dirs += $(BUILD)/tests $(BUILD)/log

# Components add what their tests need, those that boot nothing and those that are marked
# "boots", and what the checkers of their style need.
needs := needs-quick needs-boots needs-lint
# what a test names with the marker "needs"
needs-marked: $(NEEDS)
targets += $(needs) needs-marked
$(needs) needs-marked: $(VENV)/.installed
	@:

# These are many small programs; what each prints is kept together.
parallel := $(locked) -j$(NPROC) --output-sync=target

# Those whose file, name or marker matches T, or else all but those that need kernels for
# disks; builds what these need.
check: selected := $(if $(T),,-m "not release")
check check-all:
	@$(parallel) needs-quick
	@needs=$$(scripts/check needs "$(T)" $(selected)) && $(locked) needs-marked NEEDS="$$needs"
	@scripts/check run "$(T)" $(selected)

check-quick:
	@$(parallel) needs-quick
	@scripts/check run "$(T)" -m "not boots"

# Ten minutes for each test, instead of 40 s
STRESS_SECONDS ?= 600
stress:
	@$(locked) needs-quick
	@needs=$$(scripts/check needs "$(T)" -m stress) && $(locked) needs-marked NEEDS="$$needs"
	@STRESS_SECONDS=$(STRESS_SECONDS) scripts/check run "$(T)" -m stress -n 0 -s

lint:
	@$(locked) needs-lint
	@scripts/lint $(BUILD)
