# SPDX-License-Identifier: GPL-2.0-or-later
# Running things: the benchmark and an interactive VM. Arguments are checked
# before anything long starts; building happens under a lock, so that two runs
# at once share one build.

# What was said on the command line. Variables of the environment that happen to have these names
# say nothing.
said := $(foreach v,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(v)))),$(v)))

# What can be said (bench/demeter_bench/options.py): passed on by the environment as it was
# given, whatever characters it has.
bench_options := VM DESIGNS WORKLOADS COMMAND FILES ROI PLATFORM HYPERVISOR PRESET PROVISION \
	PARAMETERS RECIPE REPEAT JOBS FAST_RATIO VM_MEMORY FOOTPRINT NAME FROM RESUME
run_options := DESIGN GUEST IMAGE KEEP
bench_given := $(foreach o,$(filter $(bench_options) $(run_options),$(said)),$(if $(value $(o)),$(o)))
$(foreach o,$(bench_given),$(eval override export $(o) := $$(value $(o))))
# $(1): options; --fast-ratio="$FAST_RATIO", for the shell to read
bench_args = $(foreach o,$(filter $(1),$(bench_given)),--$(call lower,$(o))="$$$(o)")
bench := PYTHONPATH=$(TOP)/bench $(PYTHON) -m demeter_bench --build $(BUILD)

# Names that only another command knows, or none: they would be ignored.
bench_slips := DESIGN=DESIGNS WORKLOAD=WORKLOADS VMS=VM
run_slips := DESIGNS=DESIGN
refuse_slips = $(foreach s,$($(1)_slips),$(if $(filter command override,$(origin $(firstword $(subst =, ,$(s))))), \
	{ echo "make $(1): $(firstword $(subst =, ,$(s))) is not known here; is \
$(lastword $(subst =, ,$(s))) meant?" >&2; exit 2; };)) \
	$(foreach v,$(filter-out $($(1)_options) $(every_options),$(said)), \
	{ echo "make $(1): $(v) is not known here; 'make help' lists what is" >&2; exit 2; };)
every_options := BUILD V WORKLOAD_CFLAGS

commands += bench bench-emulator bench-balloon run new-design new-workload docs
targets += configured

# also what was edited by hand is checked
configured: $(KCONFIG_CONFIG)
	@$(KCONFIG) olddefconfig

bench:
	@$(call refuse_slips,bench)
	@$(locked) configured
	@needs=$$($(bench) bench --dry-run $(call bench_args,$(bench_options))) && \
		$(locked) bench-machines $$needs \
			$(if $(filter all tiered-balloon,$(PROVISION)),cloud-hypervisor)
	@$(bench) bench $(call bench_args,$(bench_options))

run:
	@$(call refuse_slips,run)
	@$(locked) configured
	@$(bench) run --dry-run $(call bench_args,$(run_options))
	@$(locked) machines $(if $(filter disk,$(value IMAGE)),$(BUILD)/images/guest.raw)
	@$(bench) run $(call bench_args,$(run_options))

bench-emulator:
	@$(locked) machines guest-tests
	@$(bench) emulator $(call bench_args,REPEAT)

bench-balloon:
	@$(locked) machines cloud-hypervisor
	@$(bench) balloon $(call bench_args,REPEAT)

# A folder that builds, runs and passes its tests as it is; see docs/extending.md.
skeleton := PYTHONPATH=$(TOP)/bench /usr/bin/python3 -m demeter_bench --build $(BUILD)
new-design new-workload:
	@$(skeleton) new $(@:new-%=%) --name="$(if $(filter NAME,$(bench_given)),$$NAME)"

# Tables of the manual that follow from what is there
docs:
	@$(skeleton) docs
