# SPDX-License-Identifier: GPL-2.0-or-later
# Debian packages of the kernels for disks and of the programs: build/packages. Also makes
# the clean Debian that tests install things in.

packages_dir := $(BUILD)/packages
debian_root := $(BUILD)/debian
# what tests run there, and what packages depend on
debian_packages := systemd systemd-boot-tools python3 kmod man-db lintian

targets += packages
clean_dirs += $(packages_dir) $(debian_root)

packages: $(packages_dir)/.programs $(patsubst %,$(packages_dir)/.linux-%,$(filter \
		$(linux_installed),$(linux_variants)))
	@ls $(packages_dir)/*.deb

packages_programs := $(if $(CONFIG_CLOUD_HYPERVISOR_TOOLS),$(ch_dir))
$(packages_dir)/.programs: packaging/build packaging/date-of-build packaging/crates.py \
		$(wildcard packaging/debian/* packaging/*.conf packaging/*.toml packaging/*.bash) \
		linux/tools/mm/demeterctl/demeterctl.8 $(demeterctl) \
		$(packages_programs:%=%/.built) | $(DEPS)
	@$(STAGE) --need-mb 200 packages -- packaging/build $(@D) $(demeterctl) "$(packages_programs)"
	@touch $@

# Staged first: both use what was built, and this links it again
$(linux_installed:%=$(packages_dir)/.linux-%): $(packages_dir)/.linux-%: $(linux_dir)/%/.staged \
		packaging/kernel packaging/date-of-build
	@$(STAGE) --need-mb 1000 package-linux-$* -- packaging/kernel $(@D) $(linux_dir)/$* \
		$(linux_make) O=$(linux_dir)/$* -j$(NPROC)
	@touch $@

$(debian_root)/.made: packaging/debian-root packaging/packaging.mk scripts/debian-source | $(DEPS)
	@$(STAGE) --need-mb 1500 debian -- packaging/debian-root $(@D)/root $(debian_packages)
	@touch $@
