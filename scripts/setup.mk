# SPDX-License-Identifier: GPL-2.0-or-later
# What every component stands on: packages, the Python environment and the
# configuration.

commands += deps menuconfig olddefconfig savedefconfig %defconfig

deps:
	@rm -f $(DEPS)
	@$(MAKE) $(DEPS)

$(DEPS): scripts/packages.txt scripts/deps
	@scripts/deps scripts/packages.txt
	@touch $@

$(VENV)/.installed: scripts/requirements.txt scripts/constraints.txt | $(DEPS)
	@rm -rf $(VENV)
	@$(STAGE) python-environment -- scripts/venv $(VENV) $^
	@touch $@

menuconfig: $(VENV)/.installed
	@$(KCONFIG) menuconfig

defconfig: emulated_defconfig

%_defconfig: configs/%_defconfig $(VENV)/.installed
	@$(KCONFIG) defconfig $<

%_defconfig:
	@echo "no configs/$@; there are:" $(notdir $(wildcard configs/*_defconfig)) >&2; exit 1

olddefconfig savedefconfig: $(VENV)/.installed
	@$(KCONFIG) $@

# A first `make bench` configures itself; a later one keeps what is there and
# refuses what cannot be.
$(KCONFIG_CONFIG): Kconfig $(wildcard */Kconfig workloads/*/Kconfig designs/*/Kconfig) | $(VENV)/.installed
	@if [ -e $@ ]; then $(KCONFIG) olddefconfig; \
	 else $(KCONFIG) defconfig configs/emulated_defconfig; fi

# $(call remember,VALUE): recipe of a stamp that changes when VALUE does
remember = @mkdir -p $(@D); echo "$(1)" | cmp -s - $@ || echo "$(1)" > $@

# $(call upper,NAME): a name as part of a symbol
upper = $(shell echo $(1) | tr a-z- A-Z_)
# $(call lower,NAME): a name as an option of a command
lower = $(shell echo $(1) | tr A-Z_ a-z-)

# $(call str,SYMBOL): value of a string symbol without its quotes
str = $(patsubst "%",%,$(CONFIG_$(1)))
