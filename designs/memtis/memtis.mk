# SPDX-License-Identifier: GPL-2.0-or-later
image_modules += $(if $(CONFIG_DESIGN_MEMTIS),mm/memtis/memtis.ko)
