# SPDX-License-Identifier: GPL-2.0-or-later
# Running things: the benchmark and an interactive VM. Arguments are checked
# before anything long starts; building happens under a lock, so that two runs
# at once share one build.

VM ?= 1
DESIGNS ?= all-fast all-slow first-touch tpp demeter
WORKLOADS ?= gups
GUEST ?= tpp
bench := PYTHONPATH=$(TOP)/bench $(PYTHON) -m demeter_bench --build $(BUILD)
bench_args := $(if $(FROM),--from "$(FROM)",--vms "$(VM)" --designs "$(DESIGNS)" \
		--workloads "$(WORKLOADS)") \
	$(if $(PRESET),--preset "$(PRESET)") $(if $(REPEAT),--repeat "$(REPEAT)") \
	$(if $(JOBS),--jobs "$(JOBS)") $(if $(NAME),--name "$(NAME)") \
	$(if $(FAST_RATIO),--fast-ratio "$(FAST_RATIO)") \
	$(if $(VM_MEMORY),--vm-memory "$(VM_MEMORY)") \
	$(if $(FOOTPRINT),--footprint "$(FOOTPRINT)")

commands += bench bench-emulator run
targets += configured

# also what was edited by hand is checked
configured: $(KCONFIG_CONFIG)
	@$(KCONFIG) olddefconfig

bench:
	@mkdir -p $(BUILD)
	@$(locked) configured
	@$(bench) bench --dry-run $(bench_args)
	@$(locked) all
	@$(bench) bench $(bench_args)

run:
	@mkdir -p $(BUILD)
	@$(locked) configured
	@$(bench) run --dry-run --guest "$(GUEST)"
	@$(locked) all
	@$(bench) run --guest "$(GUEST)"

bench-emulator:
	@mkdir -p $(BUILD)
	@$(locked) all guest-tests
	@$(bench) emulator $(if $(REPEAT),--repeat "$(REPEAT)")
