# SPDX-License-Identifier: GPL-2.0-or-later
# The guest image: an initramfs with busybox, our init and the workloads. It
# serves every guest kernel; a job is appended to it as a second archive.

image_dir := $(BUILD)/image
image := $(image_dir)/initramfs.cpio
busybox := $(image_dir)/busybox

.PHONY: image images
image images: $(image)

$(busybox): scripts/debian-source | $(DEPS)
	@$(STAGE) busybox -- scripts/busybox $@

$(image): $(busybox) image/init image/run-job image/image.mk $(workloads_bin) scripts/make-initramfs
	@$(STAGE) image -- scripts/make-initramfs $@ image $(busybox) $(workloads_bin)
