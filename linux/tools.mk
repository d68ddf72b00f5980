# SPDX-License-Identifier: GPL-2.0-or-later
# Builds the userspace programs that belong to the kernel: demeterctl, which goes into
# guest images, the selftests that tests run in a guest, and those of KVM's PMU, for a host.

demeterctl := $(BUILD)/tools/demeterctl
demeterctl_files := $(wildcard linux/tools/mm/demeterctl/*.[ch])
selftests := $(addprefix $(BUILD)/tests/,churn crowd kinds policies shadows spots)
medley_files := $(wildcard linux/tools/testing/selftests/demeter/medley*.[ch])
kvm_selftests := vmx_pebs_test pmu_counters_test pmu_event_filter_test vmx_pmu_caps_test
tools_flags := -std=gnu11 -Wall -Wextra -Werror

targets += tools kvm-selftests
clean_dirs += $(BUILD)/tools

tools: $(demeterctl)

needs-quick: $(BUILD)/tests/demeterctl $(BUILD)/tests/medley-asan
needs-boots: $(selftests) $(BUILD)/tests/medley

$(demeterctl): $(demeterctl_files) linux/tools.mk | $(DEPS)
	@mkdir -p $(@D)
	@$(STAGE) demeterctl -- gcc $(tools_flags) -O2 -g -static $(filter %.c,$^) -o $@

$(BUILD)/tests/demeterctl: $(demeterctl_files) linux/tools.mk | $(DEPS)
	@mkdir -p $(@D)
	@$(STAGE) demeterctl-asan -- gcc $(tools_flags) $(sanitize) -fsanitize=address$(comma)undefined \
		$(filter %.c,$^) -o $@

$(selftests): $(BUILD)/tests/%: linux/tools/testing/selftests/demeter/%.c linux/tools.mk | $(DEPS)
	@mkdir -p $(@D)
	@$(STAGE) $* -- gcc $(tools_flags) -O2 -g -static $< -o $@

$(BUILD)/tests/medley: $(medley_files) linux/tools.mk | $(DEPS)
	@mkdir -p $(@D)
	@$(STAGE) medley -- gcc $(tools_flags) -O2 -g -static $(filter %.c,$^) -o $@

$(BUILD)/tests/medley-asan: $(medley_files) linux/tools.mk | $(DEPS)
	@mkdir -p $(@D)
	@$(STAGE) medley-asan -- gcc $(tools_flags) $(sanitize) -fsanitize=address$(comma)undefined \
		$(filter %.c,$^) -o $@

kvm-selftests: $(BUILD)/tests/kvm/.built

$(BUILD)/tests/kvm/.built: linux/build-kvm-selftests linux/tools.mk \
		$(wildcard linux/tools/testing/selftests/kvm/x86_64/*.c) $(linux_dir)/.unpacked | $(DEPS)
	@$(STAGE) --need-mb 100 kvm-selftests -- env NPROC=$(NPROC) linux/build-kvm-selftests \
		$(linux_src) $(@D) $(kvm_selftests)
	@touch $@
