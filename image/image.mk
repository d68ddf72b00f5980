# SPDX-License-Identifier: GPL-2.0-or-later
# The guest image: an initramfs with busybox, our init, the workloads, demeterctl and
# the module demeter. It serves every guest kernel; a job is appended to it as a second
# archive. A larger one has perf too.

image_dir := $(BUILD)/image
image := $(image_dir)/initramfs.cpio
image_perf := $(image_dir)/initramfs-perf.cpio
busybox := $(image_dir)/busybox
image_programs := $(workloads_bin) $(demeterctl)
image_modules := $(if $(CONFIG_GUEST_DEMETER),$(linux_dir)/demeter/mm/demeter/demeter.ko)
image_files := $(busybox) image/init image/run-job image/image.mk $(image_programs) \
	$(if $(CONFIG_GUEST_DEMETER),$(linux_dir)/demeter/.built) image/make-initramfs

targets += image
clean_dirs += $(image_dir)

image: $(image) $(if $(CONFIG_IMAGE_PERF),$(image_perf))

$(busybox): image/busybox scripts/debian-source | $(DEPS)
	@$(STAGE) busybox -- image/busybox $@

$(image): $(image_files)
	@$(STAGE) image -- image/make-initramfs $@ image $(busybox) $(image_programs) \
		$(image_modules)

$(image_perf): $(image_files) $(perf)
	@$(STAGE) image-perf -- image/make-initramfs $@ image $(busybox) $(image_programs) \
		$(image_modules) $(perf)
