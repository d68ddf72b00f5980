# SPDX-License-Identifier: GPL-2.0-or-later
# Workloads: one folder each, static binaries in $(BUILD)/workloads/. A folder
# may have a .mk file of its own that sets NAME_LIBS.

workloads_dir := $(BUILD)/workloads
workloads_all := gups memlat
workloads := $(if $(CONFIG_WORKLOAD_GUPS),gups) $(if $(CONFIG_WORKLOAD_MEMLAT),memlat)
workloads_bin := $(workloads:%=$(workloads_dir)/%)
WORKLOAD_CFLAGS ?= -O2 -g
workload_flags := -std=gnu11 -Wall -Wextra -Werror -fopenmp -Iworkloads/common
memlat_libs := -lnuma

.PHONY: workloads
workloads: $(workloads_bin)

# $(1): workload
define workload
$(workloads_dir)/$(1): $(wildcard workloads/$(1)/*.[ch] workloads/common/*.[ch]) workloads/workloads.mk | $(DEPS)
	@mkdir -p $$(@D)
	@$(STAGE) workload-$(1) -- gcc $(workload_flags) $(WORKLOAD_CFLAGS) -static \
		$(wildcard workloads/$(1)/*.c workloads/common/*.c) -o $$@ $($(1)_libs) -lm
endef
$(foreach w,$(workloads_all),$(eval $(call workload,$(w))))
