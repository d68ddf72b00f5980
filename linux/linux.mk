# SPDX-License-Identifier: GPL-2.0-or-later
# Linux: one patched source tree, one build folder per variant, so that
# comparisons never mix kernel bases and ccache serves all variants.

linux_dir := $(BUILD)/linux
linux_src := $(linux_dir)/src
linux_version := 6.12
linux_tarball := $(or $(LINUX_TARBALL),$(call str,LINUX_TARBALL))
linux_patches := $(sort $(wildcard linux/patches/*.patch))
linux_files := $(shell find linux -mindepth 2 -type f -not -path 'linux/patches/*' \
	-not -path 'linux/tools/*')
# Every configs/linux/NAME.config with a line "# include:" is a variant; the others are
# what they share. The guest kernel serves all designs; other variants are built when they
# are selected, or by name.
linux_all := $(basename $(notdir $(shell grep -l '^\# include: ' configs/linux/*.config)))
# $(1): guest or host; its selected variants
linux_selected = $(foreach v,$(linux_all),$(if $(CONFIG_$(call upper,$(1)_$(v))),$(v)))
linux_variants := guest $(call linux_selected,guest) $(call linux_selected,host)
# What the line of a variant names comes before it: configs/linux/NAME.config, or "designs",
# the fragments of all designs that are selected.
# $(1): variant
linux_included = $(shell sed -n 's/^\# include: //p' configs/linux/$(1).config)
# Those for systems on disks are installed; the others boot from where they are built.
linux_installed := $(foreach v,$(linux_all),$(if $(filter disk,$(call linux_included,$(v))),$(v)))
linux_debian := $(linux_dir)/debian.config
perf := $(linux_dir)/perf/perf
linux_llvm := $(if $(CONFIG_LINUX_LLVM),LLVM=1)
linux_make := $(MAKE) -C $(linux_src) $(linux_llvm) \
	KBUILD_BUILD_TIMESTAMP=@0 KBUILD_BUILD_VERSION=1 KBUILD_BUILD_USER=demeter \
	KBUILD_BUILD_HOST=demeter

targets += linux linux-machines
clean_dirs += $(linux_dir)

linux: $(linux_variants:%=linux-%)

# those that emulated machines boot by themselves: neither hosts nor guests on disks
linux-machines: $(patsubst %,linux-%,$(filter-out $(linux_installed),$(linux_variants)))

# for its checkpatch
needs-lint: $(linux_dir)/.unpacked

$(linux_dir)/.unpacked: linux/unpack \
		$(linux_patches) $(linux_dir)/.tarball | $(DEPS)
	@$(STAGE) --need-mb 6000 linux-source -- linux/unpack $(linux_dir) \
		$(linux_version) "$(linux_tarball)" $(linux_patches)
	@touch $@

# Changes when another tarball is named, or none any more.
$(linux_dir)/.tarball: FORCE
	$(call remember,$(linux_tarball))

# Changes with what the kernels are built with, and with the designs that they are for.
$(linux_dir)/.inputs: FORCE
	$(call remember,$(linux_llvm) $(designs_fragments) $(if $(CONFIG_HOST_CONFIG_DEBIAN),debian))

$(linux_debian): linux/debian-config scripts/debian-source | $(DEPS)
	@$(STAGE) linux-debian-config -- linux/debian-config $@ $(linux_version)

# Our own files lie at the path that they have in the kernel. Those that differ become
# new there, also if they were changed while an object was made of what was there before.
$(linux_dir)/.overlaid: $(linux_dir)/.unpacked $(linux_files)
	@for f in $(linux_files:linux/%=%); do \
		cmp -s linux/$$f $(linux_src)/$$f || \
		install -D -m 644 linux/$$f $(linux_src)/$$f || exit 1; done
	@touch $@

# $(1): variant; what is configured over Debian's configuration, if anything is
linux_over = $(if $(CONFIG_HOST_CONFIG_DEBIAN),$(if $(filter host,$(call linux_included,$(1))),$(linux_debian)))
# $(1): variant; Debian's configuration takes the place of what is neither a disk's nor a host's
linux_fragments = $(foreach i,$(if $(call linux_over,$(1)),disk host,$(call linux_included,$(1))),$(if \
	$(filter designs,$(i)),$(designs_fragments),configs/linux/$(i).config)) configs/linux/$(1).config

# $(1): variant
define linux_variant
targets += linux-$(1)
linux-$(1): $(linux_dir)/$(1)/.built

$(linux_dir)/$(1)/.configured: $(linux_over) $(linux_fragments) linux/configure $(linux_dir)/.overlaid $(linux_dir)/.inputs
	@$$(STAGE) linux-$(1)-config -- env $(linux_llvm) linux/configure $(linux_src) \
		$(linux_dir)/$(1) $(addprefix --over ,$(linux_over)) $(linux_fragments)
	@touch $$@

$(linux_dir)/$(1)/.built: $(linux_dir)/$(1)/.configured
	@$$(STAGE) --need-mb 2000 linux-$(1) -- $(linux_make) O=$(linux_dir)/$(1) \
		-j$(NPROC) vmlinux modules $(if $(filter $(1),$(linux_installed)),bzImage)
	@touch $$@
endef
$(foreach v,$(linux_all),$(eval $(call linux_variant,$(v))))

# What is put onto a disk of a kernel, as a folder; images and make install take it from there.
$(linux_installed:%=$(linux_dir)/%/.staged): $(linux_dir)/%/.staged: $(linux_dir)/%/.built linux/stage
	@$(STAGE) --need-mb 500 linux-$*-stage -- linux/stage $(linux_dir)/$* $(linux_make) \
		O=$(linux_dir)/$*
	@touch $@

install: $(patsubst %,$(linux_dir)/%/.staged,$(call linux_selected,host))

# perf for the guest; one for all variants
$(perf): linux/build-perf $(linux_dir)/.unpacked | $(VENV)/.installed
	@$(STAGE) --need-mb 200 perf -- linux/build-perf $(linux_src) $(@D) $(PYTHON)

.PHONY: FORCE
FORCE:
