# SPDX-License-Identifier: GPL-2.0-or-later
# Applications of Debian's for the guest, each a part of its initramfs that is appended for the
# workloads that drive it only: it stays in the guest's memory. Nothing is built unless a
# benchmark, or a test, asks for it.

$(image_dir)/app-%.cpio: image/app/% image/app/make-app image/app/collect scripts/debian-source \
		$(disk_dir)/.suite | $(DEPS)
	@$(STAGE) --need-mb 1500 app-$* -- image/app/make-app $* $@
