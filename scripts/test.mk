# SPDX-License-Identifier: GPL-2.0-or-later
# What tells whether the project is right: tests, stress and style.

commands += check stress lint
targets += check-needs lint-needs
clean_dirs += $(BUILD)/tests $(BUILD)/check $(BUILD)/log

check:
	@$(locked) all check-needs
	@scripts/check $(BUILD)

# Ten minutes for each test on the kernel that finds its own mistakes, instead of one
STRESS_SECONDS ?= 600
stress:
	@$(locked) all linux-debug tools-tests
	@STRESS_SECONDS=$(STRESS_SECONDS) BUILD=$(BUILD) PYTHONPATH=bench $(PYTHON) -m pytest -q -s \
		-p no:cacheprovider bench/tests/test_stress.py

lint:
	@$(locked) lint-needs
	@scripts/lint $(BUILD)

# Components add what their tests and the checkers of their style need.
check-needs lint-needs: $(VENV)/.installed
	@:
