# SPDX-License-Identifier: GPL-2.0-or-later
# Debian packages of the kernels for disks and of the programs: build/packages. Also makes
# the clean Debian that tests install things in.

packages_dir := $(BUILD)/packages
debian_root := $(BUILD)/debian
# what tests run there, and what packages depend on
debian_packages := systemd systemd-boot-tools python3 kmod man-db

clean_dirs += $(debian_root)

$(debian_root)/.made: packaging/debian-root packaging/packaging.mk scripts/debian-source | $(DEPS)
	@$(STAGE) --need-mb 1500 debian -- packaging/debian-root $(@D)/root $(debian_packages)
	@touch $@
