# SPDX-License-Identifier: GPL-2.0-or-later
# Designs: one folder each, with a design.py. A folder may have a Kconfig with the symbol
# DESIGN_NAME, a linux.config with what the guest kernel needs for it, and a NAME.mk that
# adds to image_modules what has to be in the guest image. Without the symbol nobody could
# select the linux.config.

designs_all := $(notdir $(patsubst %/,%,$(dir $(wildcard designs/*/design.py))))
# the symbol of a design that needs nothing built does not exist
designs_selected := $(foreach d,$(designs_all),$(if $(CONFIG_DESIGN_$(call upper,$(d))),$(d)))
designs_fragments := $(wildcard $(designs_selected:%=designs/%/linux.config))

unselectable := $(filter-out $(wildcard designs/*/Kconfig), \
	$(patsubst %/linux.config,%/Kconfig,$(wildcard designs/*/linux.config)))
ifneq ($(unselectable),)
$(error $(firstword $(unselectable)) is missing: nobody can select the linux.config beside it)
endif

include $(wildcard designs/*/*.mk)
