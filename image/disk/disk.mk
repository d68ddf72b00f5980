# SPDX-License-Identifier: GPL-2.0-or-later
# Disk images: a Debian root with kernels of ours, and what belongs to a host or a guest.
# The root of Debian's packages, which takes minutes, does not depend on anything of ours.

disk_dir := $(BUILD)/images
disk_format := $(if $(CONFIG_IMAGE_QCOW2),qcow2,raw)
disk_images := $(patsubst %,$(disk_dir)/%.$(disk_format),$(if $(CONFIG_IMAGE_HOST_DISK),host) \
	$(if $(CONFIG_IMAGE_GUEST_DISK),guest))
qemu_img := $(qemu_out)/qemu-img

# Of each: its number in UUIDs, its size, options for its kernels, programs, and kernels, of
# which the first is the default. Those of hosts go on the image when they are selected.
host_number := 1
host_mb := $(or $(CONFIG_IMAGE_HOST_MB),4096)
# the root may be on a disk that is found late
host_options := console=tty0 console=ttyS0 rootwait=60
# has HOST_CMDLINE
host_config := $(KCONFIG_CONFIG)
host_kernels := $(call linux_selected,host)
disk_host_programs = $(qemu_bin) $(demeterctl) $(perf) $(addprefix $(ch_dir)/,\
	tiered-balloon tierctl tierd demeter-host)
guest_number := 2
guest_mb := $(or $(CONFIG_IMAGE_GUEST_MB),4096)
guest_options := console=tty0 console=ttyS0 rootwait=60
guest_kernels := demeterguest
disk_guest_programs = $(demeterctl) $(if $(CONFIG_IMAGE_PERF),$(perf))
# a guest with PostgreSQL, for tests
postgresql_number := 3
postgresql_mb := 2048
postgresql_options := $(guest_options)
postgresql_kernels := demeterguest
disk_boot := image/boot/entry.py $(wildcard image/boot/*.options)

targets += images
clean_dirs += $(disk_dir)

images: image $(disk_images)
	@$(if $(disk_images),:,echo "no disk image is selected: make menuconfig, Images")

# Changes with the release of Debian.
$(disk_dir)/.suite: FORCE
	$(call remember,$(DEBIAN_SUITE))

$(disk_dir)/%-root.tar: image/disk/root image/disk/common.packages image/disk/%.packages \
		$(disk_dir)/.suite | $(DEPS)
	@$(STAGE) --need-mb 3000 $*-root -- image/disk/root $@ $(filter %.packages,$^)

$(disk_dir)/host-files/.made: $(qemu_dir)/.built $(qboot) $(tmem) $(image) $(demeterctl) $(perf) \
		$(ch_dir)/.built image/disk/make-files $(KCONFIG_CONFIG) $(disk_dir)/.suite \
		$(shell find bench/demeter_bench designs workloads -name '*.py')
	@$(STAGE) host-files -- image/disk/make-files $(@D) host $(disk_host_programs)
	@touch $@

$(disk_dir)/guest-files/.made: $(disk_guest_programs) image/disk/make-files packaging/demeter.conf \
		packaging/debian/demeterctl.demeter.service $(disk_dir)/.suite
	@$(STAGE) guest-files -- image/disk/make-files $(@D) guest $(disk_guest_programs)
	@touch $@

# Changes with what the configuration says of an image.
$(disk_dir)/.%-settings: FORCE
	$(call remember,$($*_mb) $($*_options) $($*_kernels))

# $(1): image; $(2): whose files it has
define disk_image
$(disk_dir)/$(1).raw: $(disk_dir)/$(1)-root.tar $(disk_dir)/$(2)-files/.made $(disk_dir)/.$(1)-settings \
		image/disk/make-disk $(disk_boot) $($(1)_kernels:%=$(linux_dir)/%/.staged)
	@$$(STAGE) --need-mb 4000 $(1)-disk -- image/disk/make-disk $$@ $($(1)_number) $($(1)_mb) \
		$(disk_dir)/$(1)-root.tar $(disk_dir)/$(2)-files "$$($(1)_config)" "$$($(1)_options)" \
		$($(1)_kernels:%=$(linux_dir)/%/stage)
	@image/disk/show-size $$@
endef
$(eval $(call disk_image,host,host))
$(eval $(call disk_image,guest,guest))
$(eval $(call disk_image,postgresql,guest))

$(disk_dir)/%.qcow2: $(disk_dir)/%.raw $(qemu_dir)/.built
	@$(STAGE) --need-mb 4000 $*-qcow2 -- $(qemu_img) convert -O qcow2 $< $@
	@image/disk/show-size $@

# UEFI firmware, with which tests boot the host image
$(disk_dir)/ovmf/OVMF_CODE_4M.fd: image/disk/ovmf | $(DEPS)
	@$(STAGE) ovmf -- image/disk/ovmf $(@D)
