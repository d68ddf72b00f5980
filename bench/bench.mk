# SPDX-License-Identifier: GPL-2.0-or-later
# Running things: the benchmark and an interactive VM. Arguments are checked
# before anything long starts; building happens under a lock, so that two runs
# at once share one build.

VM ?= 1
WORKLOADS ?= gups
DESIGN ?= $(or $(GUEST),tpp)
# as they were given, whatever characters they have
export BENCH_COMMAND = $(value COMMAND)
export BENCH_FILES = $(value FILES)
export BENCH_ROI = $(value ROI)
bench := PYTHONPATH=$(TOP)/bench $(PYTHON) -m demeter_bench --build $(BUILD)
bench_args := $(if $(FROM),--from "$(FROM)",--vms "$(VM)" --workloads "$(WORKLOADS)") \
	$(if $(DESIGNS),--designs "$(DESIGNS)") \
	$(if $(value COMMAND),--command="$$BENCH_COMMAND") \
	$(if $(value FILES),--files="$$BENCH_FILES") $(if $(value ROI),--roi="$$BENCH_ROI") \
	$(if $(PLATFORM),--platform "$(PLATFORM)") \
	$(if $(PRESET),--preset "$(PRESET)") $(if $(REPEAT),--repeat "$(REPEAT)") \
	$(if $(JOBS),--jobs "$(JOBS)") $(if $(NAME),--name "$(NAME)") \
	$(if $(FAST_RATIO),--fast-ratio "$(FAST_RATIO)") \
	$(if $(VM_MEMORY),--vm-memory "$(VM_MEMORY)") \
	$(if $(FOOTPRINT),--footprint "$(FOOTPRINT)")

commands += bench bench-emulator run new-design new-workload docs
targets += configured

# also what was edited by hand is checked
configured: $(KCONFIG_CONFIG)
	@$(KCONFIG) olddefconfig

bench:
	@$(locked) configured
	@$(bench) bench --dry-run $(bench_args)
	@$(locked) bench-machines
	@$(bench) bench $(bench_args)

run:
	@$(locked) configured
	@$(bench) run --dry-run --design "$(DESIGN)"
	@$(locked) all
	@$(bench) run --design "$(DESIGN)"

bench-emulator:
	@$(locked) all guest-tests
	@$(bench) emulator $(if $(REPEAT),--repeat "$(REPEAT)")

# A folder that builds, runs and passes its tests as it is; see docs/extending.md.
skeleton := PYTHONPATH=$(TOP)/bench /usr/bin/python3 -m demeter_bench --build $(BUILD)
new-design new-workload:
	@$(skeleton) new "$(@:new-%=%)" "$(NAME)"

# Tables of the manual that follow from what is there
docs:
	@$(skeleton) docs
