# SPDX-License-Identifier: GPL-2.0-or-later
# Designs: one folder each, with a design.py. A folder may have a Kconfig with the symbol
# DESIGN_NAME, a linux.config with what the guest kernel needs for it, and a NAME.mk that
# adds to image_modules what has to be in the guest image.

designs_all := $(notdir $(patsubst %/,%,$(dir $(wildcard designs/*/design.py))))
# the symbol of a design that needs nothing built does not exist
designs_selected := $(foreach d,$(designs_all),$(if $(CONFIG_DESIGN_$(call upper,$(d))),$(d)))
designs_fragments := $(wildcard $(designs_selected:%=designs/%/linux.config))

include $(wildcard designs/*/*.mk)
