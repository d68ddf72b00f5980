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
 * memory model must have. AMD APM volume 2, "Secure Virtual Machine".
 */
#include "rom.inc"

#define SERIAL 0x3f8
#define PML4 0x10000
#define PDPT 0x11000
#define PD_SELF 0x12000	/* maps the lowest 16 MiB to themselves */
#define PD_SMALL 0x13000	/* of the pages of 4 KiB */
#define PTS 0x400000	/* 2 page tables */
#define DATA 0x800000
#define PAGES 1024
#define VA_SMALL 0x100000000

#define NESTED_PML4 0x20000	/* map the lowest 16 MiB to themselves */
#define NESTED_PDPT 0x21000
#define NESTED_PD 0x22000
#define NESTED_PTS 0x600000
#define HOST_SAVE 0x30000
#define VMCB 0x31000
#define ASID 1

#ifndef TLB_CTL
#define TLB_CTL 0
#endif
#ifdef GLOBAL
#define ENTRY_BITS 0x103
#else
#define ENTRY_BITS 3
#endif

.macro	set_msr msr, high, low
	movl	$\msr, %ecx
	movl	$\high, %edx
	movl	$\low, %eax
	wrmsr
.endm

/* Fill COUNT entries at TABLE with FIRST, FIRST + STEP and so on. */
.macro	fill table, count, first, step
	movl	$\table, %edi
	movl	$\count, %ecx
	movl	$\first, %eax
1:	movl	%eax, (%edi)
	movl	$0, 4(%edi)
	addl	$8, %edi
	addl	$\step, %eax
	decl	%ecx
	jnz	1b
.endm

/* A segment of the guest: selector, attributes, limit, base. */
.macro	set_segment offset, selector, attributes
	movw	$\selector, (VMCB+\offset)
	movw	$\attributes, (VMCB+\offset+2)
	movl	$0xffffffff, (VMCB+\offset+4)
.endm

	enter_protected_mode

	fill	PML4, 1, (PDPT+3), 0
	fill	PDPT, 1, (PD_SELF+3), 0
	fill	PD_SELF, 8, 0x83, 0x200000
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

	/* VMMCALL and VMRUN exit */
	movl	$3, (VMCB+0x10)
	movl	$1, (VMCB+0x90)
	movl	$NESTED_PML4, (VMCB+0xb0)
	set_segment 0x400, 16, 0xc93
	set_segment 0x410, 24, 0xa9b
	set_segment 0x420, 16, 0xc93
	set_segment 0x430, 16, 0xc93
	movl	$0x1500, (VMCB+0x4d0)
	movl	$0xa0, (VMCB+0x548)
	movl	$PML4, (VMCB+0x550)
	movl	$0x80000011, (VMCB+0x558)
	movl	$0x400, (VMCB+0x560)
	movl	$0xffff0ff0, (VMCB+0x568)
	movl	$2, (VMCB+0x570)
	movl	$0x7000, (VMCB+0x5d8)

	movl	$0xa0, %eax	/* PAE, PGE */
	movl	%eax, %cr4
	movl	$PML4, %eax
	movl	%eax, %cr3
	set_msr	0xc0000080, 0, 0x1100
	movl	%cr0, %eax
	orl	$0x80000000, %eax
	movl	%eax, %cr0
	ljmpl	$24, $(0xf0000 + long_mode - _start)

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
reset:
	movl	$0xcf9, %edx
	movb	$6, %al
	outb	%al, %dx
9:	hlt
	jmp	9b

/* Run the guest of ASID ECX, with BL as TLB control; both are kept. */
run:
	movl	%ecx, VMCB + 0x58
	movb	%bl, VMCB + 0x5c
	movl	$(0xf0000 + guest - _start), %eax
	movq	%rax, VMCB + 0x578
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

	.align	8
gdt:
	.quad	0
	.quad	0x00cf9a000000ffff
	.quad	0x00cf92000000ffff
	.quad	0x00af9a000000ffff
gdt_register:
	.word	31
	.long	0xf0000 + gdt - _start

	.org	0xfff0
	.code16
	ljmp	$0xf000, $0
	.org	0x10000
