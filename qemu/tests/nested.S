/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bare-metal hypervisor, whose guest loads from 1024 pages of 4 KiB, once in
 * each of three runs: a boot ROM of 64 KiB that runs in place of the firmware.
 * Definitions choose what happens:
 *
 *	NESTED_SMALL	nested pages have 4 KiB, else 2 MiB
 *	GLOBAL		the guest's pages are global
 *	TLB_CTL=N	TLB control of the second and third run, else 0
 *	INVLPGA=ASID	the host drops one page before these runs
 *	GUEST_CR3	the guest loads CR3 in the beginning of each run
 *	OTHER		the second run is of another guest, the third of the first
 *
 * It prints 'E' on the first serial port when all runs ended with VMMCALL, and
 * resets the machine; bench/tests/test_translation.py says what the report of the
 * memory model must have.
 */
#include "svm.inc"

#define PD_SMALL 0x13000	/* of the pages of 4 KiB */
#define PTS 0x400000	/* 2 page tables */
#define DATA 0x800000
#define PAGES 1024
#define VA_SMALL 0x100000000

#define NESTED_PML4 0x20000	/* map the lowest 16 MiB to themselves */
#define NESTED_PDPT 0x21000
#define NESTED_PD 0x22000
#define NESTED_PTS 0x600000

#ifndef TLB_CTL
#define TLB_CTL 0
#endif
#ifdef GLOBAL
#define ENTRY_BITS 0x103
#else
#define ENTRY_BITS 3
#endif

	enter_protected_mode

	prepare_guest
	fill	(PDPT+32), 1, (PD_SMALL+3), 0
	fill	PD_SMALL, 2, (PTS+3), 0x1000
	fill	PTS, PAGES, (DATA+ENTRY_BITS), 0
	fill	NESTED_PML4, 1, (NESTED_PDPT+7), 0
	fill	NESTED_PDPT, 1, (NESTED_PD+7), 0
#ifdef NESTED_SMALL
	fill	NESTED_PD, 8, (NESTED_PTS+7), 0x1000
	fill	NESTED_PTS, 4096, 7, 0x1000
#else
	fill	NESTED_PD, 8, 0x87, 0x200000
#endif

	movl	$1, (VMCB+0x90)
	movl	$NESTED_PML4, (VMCB+0xb0)

	enter_long_mode

	.code64
long_mode:
	set_msr	0xc0010117, 0, HOST_SAVE
	movl	$ASID, %ecx
	xorl	%ebx, %ebx
	call	run
	movb	$TLB_CTL, %bl
#ifdef OTHER
	movl	$(ASID + 1), %ecx
#endif
	call	run
	movl	$ASID, %ecx
	call	run

	movl	$SERIAL, %edx
	movb	$'E', %al
	outb	%al, %dx
	jmp	reset

/* Run the guest of ASID ECX, with BL as TLB control; both are kept. */
run:
	movl	%ecx, VMCB + 0x58
	movb	%bl, VMCB + 0x5c
	set_guest_rip guest
	pushq	%rbx
	pushq	%rcx
#ifdef INVLPGA
	movabsq	$(VA_SMALL + 7 * 4096), %rax
	movl	$INVLPGA, %ecx
	invlpga	%rax, %ecx
#endif
	movl	$VMCB, %eax
	vmrun	%rax
	cmpl	$0x81, VMCB + 0x70
	jne	reset
	popq	%rcx
	popq	%rbx
	ret

guest:
#ifdef GUEST_CR3
	movq	%cr3, %rax
	movq	%rax, %cr3
#endif
	movabsq	$VA_SMALL, %rsi
	movl	$PAGES, %ecx
1:	movl	%ecx, %edi
	andl	$63, %edi
	shll	$6, %edi
	movl	(%rsi, %rdi), %eax
	addq	$4096, %rsi
	decl	%ecx
	jnz	1b
	vmmcall

	end_rom
