# SPDX-License-Identifier: GPL-2.0-or-later
# Workloads: one folder each, known by its bench.py, becomes a static binary in
# $(BUILD)/workloads/. A folder may have a NAME.mk of its own that sets
# workload_NAME_cflags, workload_NAME_libs and, with rules for them, workload_NAME_needs: what has to be there first.

workloads_dir := $(BUILD)/workloads
workloads_all := $(notdir $(patsubst %/,%,$(dir $(wildcard workloads/*/bench.py))))
workloads := $(foreach w,$(workloads_all),$(if $(CONFIG_WORKLOAD_$(call upper,$(w))),$(w)))
workloads_bin := $(workloads:%=$(workloads_dir)/%)
WORKLOAD_CFLAGS ?= -O2 -g
workload_flags := -std=gnu11 -Wall -Wextra -Werror -fopenmp -Iworkloads/common

include $(wildcard workloads/*/*.mk)

targets += workloads
clean_dirs += $(workloads_dir)

workloads: $(workloads_bin)

# $(1): workload; $(2): source files; $(3): flags
compile_workload = gcc $(workload_flags) $(3) $(workload_$(1)_cflags) -Iworkloads/$(1) $(2) -o $$@ $(workload_$(1)_libs) -lm
workload_common := $(wildcard workloads/common/*.c)
workload_shared := $(wildcard workloads/common/*.h) workloads/workloads.mk

# $(1): workload
define workload
workload_$(1)_files := $(wildcard workloads/$(1)/*.c) $(workload_common)
workload_$(1)_needs += $(wildcard workloads/$(1)/*.[ch] workloads/$(1)/*.mk) $(workload_common) $(workload_shared)

$(workloads_dir)/$(1): $$(workload_$(1)_needs) | $(DEPS)
	@mkdir -p $$(@D)
	@$(STAGE) workload-$(1) -- $(call compile_workload,$(1),$$(workload_$(1)_files),$(WORKLOAD_CFLAGS) -static)
endef
$(foreach w,$(workloads_all),$(eval $(call workload,$(w))))

# For tests: with the sanitizers of memory and of undefined behaviour, with that
# of threads where they are POSIX threads (it does not know OpenMP's), and unit
# tests in C, workloads/NAME/tests/NAME_test.c, of all but the program's NAME.c, or
# of what workload_NAME_unit names. What workloads share has a unit test as well.
sanitize := -g -O1 -fno-sanitize-recover=all
asan_dir := $(BUILD)/tests/asan
tsan_dir := $(BUILD)/tests/tsan
unit_dir := $(BUILD)/tests/unit
# $(1): workload; $(2): what one of its files has
has = $(shell grep -lsE "$(2)" workloads/$(1)/*.c)
posix_threads := $(foreach w,$(workloads_all),$(if $(call has,$(w),openmp.h),,$(if $(call has,$(w),pthread_create|pool_start),$(w))))
unit_tested := $(foreach w,common $(workloads_all),$(if $(wildcard workloads/$(w)/tests/$(w)_test.c),$(w)))
workload_common_needs := $(workload_common) $(workload_shared)
workload_common_unit := $(workload_common)

targets += workload-tests

workload-tests: $(workloads_all:%=$(asan_dir)/%) $(posix_threads:%=$(tsan_dir)/%) \
	$(unit_tested:%=$(unit_dir)/%)

needs-quick: workloads workload-tests

# $(1): workload
define workload_test
$(asan_dir)/$(1): $$(workload_$(1)_needs) | $(DEPS)
	@mkdir -p $$(@D)
	@$(STAGE) workload-$(1)-asan -- $(call compile_workload,$(1),$$(workload_$(1)_files),$(sanitize) -fsanitize=address$(comma)undefined)

$(tsan_dir)/$(1): $$(workload_$(1)_needs) | $(DEPS)
	@mkdir -p $$(@D)
	@$(STAGE) workload-$(1)-tsan -- $(call compile_workload,$(1),$$(workload_$(1)_files),$(sanitize) -fsanitize=thread)
endef
$(foreach w,$(workloads_all),$(eval $(call workload_test,$(w))))

# $(1): workload
define workload_unit
$(unit_dir)/$(1): $$(workload_$(1)_needs) workloads/$(1)/tests/$(1)_test.c | $(DEPS)
	@mkdir -p $$(@D)
	@$(STAGE) workload-$(1)-unit -- $(call compile_workload,$(1),$$(or $$(workload_$(1)_unit),$$(filter-out workloads/$(1)/$(1).c,$$(workload_$(1)_files))) workloads/$(1)/tests/$(1)_test.c,$(sanitize) -fsanitize=address$(comma)undefined)
endef
$(foreach w,$(unit_tested),$(eval $(call workload_unit,$(w))))
