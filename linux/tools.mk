# SPDX-License-Identifier: GPL-2.0-or-later
# Builds the userspace programs that belong to the kernel: demeterctl, which goes into
# guest images, and the selftests that tests run in a guest.

demeterctl := $(BUILD)/tools/demeterctl
demeterctl_files := $(wildcard linux/tools/mm/demeterctl/*.[ch])
selftests := $(addprefix $(BUILD)/tests/,churn crowd kinds)
tools_flags := -std=gnu11 -Wall -Wextra -Werror

targets += tools
clean_dirs += $(BUILD)/tools

tools: $(demeterctl)

needs-quick: $(BUILD)/tests/demeterctl
needs-boots: $(selftests)

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
