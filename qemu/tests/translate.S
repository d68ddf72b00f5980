/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bare-metal guest that measures the TLB of the processor: a boot ROM of 64 KiB
 * that runs in place of the firmware.
 *
 * It loads from N pages, each once in a pass, in the order of a full-period
 * generator, for N from 16 to 64 Ki, first of 4 KiB, then of 2 MiB. All pages of a
 * size are the same page of memory, so that what a load costs is what translation
 * costs. After two passes it counts, over LOADS loads, time stamps,
 * DTLB_LOAD_MISSES.STLB_HIT and .WALK_COMPLETED. Then it flushes the TLB in several
 * ways and counts the walks of the next pass through FLUSHED pages of 4 KiB.
 *
 * It prints the counts on the first serial port, in hexadecimal, and resets the
 * machine; bench/tests/test_translation.py says what they must be.
 */
#include "rom.inc"

#define SERIAL 0x3f8
#define PML4 0x10000
#define PDPT 0x11000
#define PD_SELF 0x12000	  /* maps the lowest 16 MiB to themselves */
#define PD_SMALL 0x13000  /* of the pages of 4 KiB */
#define PTS 0x400000	  /* 128 page tables */
#define PDS_LARGE 0x500000 /* 128 directories of the pages of 2 MiB */
#define DATA 0x800000
#define PAGES 65536
#define LOADS 131072
#define FLUSHED 1024
#define VA_SMALL 0x100000000
#define VA_LARGE 0x1000000000

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

	enter_protected_mode

	fill	PML4, 1, (PDPT+3), 0
	fill	PDPT, 1, (PD_SELF+3), 0
	fill	PD_SELF, 8, 0x83, 0x200000
	fill	(PDPT+32), 1, (PD_SMALL+3), 0
	fill	PD_SMALL, 128, (PTS+3), 0x1000
	fill	PTS, PAGES, (DATA+3), 0
	fill	(PDPT+512), 128, (PDS_LARGE+3), 0x1000
	fill	PDS_LARGE, PAGES, (DATA+0x83), 0

	movl	%cr4, %eax
	orl	$0xa0, %eax	/* PAE, PGE */
	movl	%eax, %cr4
	movl	$PML4, %eax
	movl	%eax, %cr3
	set_msr	0xc0000080, 0, 0x100
	movl	%cr0, %eax
	orl	$0x80000000, %eax
	movl	%eax, %cr0
	ljmpl	$24, $(0xf0000 + long_mode - _start)

	.code64
long_mode:
	set_msr	0x186, 0, 0x432008
	set_msr	0x187, 0, 0x430e08
	set_msr	0x38f, 0, 3

	movabsq	$VA_SMALL, %rsi
	movb	$12, %cl
	call	reach
	movabsq	$VA_LARGE, %rsi
	movb	$21, %cl
	call	reach

	/* flushes; the pages are live before each */
	movabsq	$VA_SMALL, %rsi
	movb	$12, %cl
	movl	$(FLUSHED - 1), %r8d
	call	live
	call	count_pass	/* none */
	movq	%cr3, %rax
	movq	%rax, %cr3
	call	count_pass	/* MOV to CR3 */
	invlpg	5 * 4096(%rsi)
	call	count_pass	/* INVLPG */
	/* make the pages global */
	movl	$PTS, %edi
	movl	$FLUSHED, %eax
1:	orl	$0x100, (%edi)
	addl	$8, %edi
	decl	%eax
	jnz	1b
	movq	%cr3, %rax
	movq	%rax, %cr3
	call	live
	movq	%cr3, %rax
	movq	%rax, %cr3
	call	count_pass	/* MOV to CR3, global pages */
	invlpg	5 * 4096(%rsi)
	call	count_pass	/* INVLPG, a global page */
	movq	%cr4, %rax
	andb	$0x7f, %al
	movq	%rax, %cr4
	orb	$0x80, %al
	movq	%rax, %cr4
	call	count_pass	/* CR4.PGE */
	call	count_pass	/* nothing */

	movl	$SERIAL, %edx
	movb	$'\n', %al
	outb	%al, %dx
	movl	$0xcf9, %edx
	movb	$6, %al
	outb	%al, %dx
9:	hlt
	jmp	9b

/* Pages at RSI, of 1 << CL bytes: measure 16 to PAGES of them. */
reach:
	movl	$15, %r8d
1:	call	live
	call	counters
	movq	%rax, %r10
	movq	%rbx, %r11
	movq	%rdx, %r12
	movl	$LOADS, %r9d
	call	loads
	call	counters
	subq	%r10, %rax
	subq	%r11, %rbx
	subq	%r12, %rdx
	movq	%rdx, %r12
	call	print
	movl	%ebx, %eax
	call	print
	movl	%r12d, %eax
	call	print
	leal	1(%r8, %r8), %r8d
	cmpl	$PAGES, %r8d
	jb	1b
	ret

/* Two passes through R8 + 1 pages. */
live:
	leal	2(%r8, %r8), %r9d
	jmp	loads

/* One pass through R8 + 1 pages; print how many walks there were. */
count_pass:
	call	counters
	movq	%rdx, %r12
	leal	1(%r8), %r9d
	call	loads
	call	counters
	subq	%r12, %rdx
	movl	%edx, %eax
	jmp	print

/* R9 loads from R8 + 1 pages, which are a power of two. */
loads:
	xorl	%eax, %eax
1:	leal	3(%rax, %rax, 4), %eax
	andl	%r8d, %eax
	movl	%eax, %edi
	shlq	%cl, %rdi
	movl	%eax, %edx
	andl	$63, %edx
	shll	$6, %edx
	addq	%rdx, %rdi
	movl	(%rsi, %rdi), %ebx
	decl	%r9d
	jnz	1b
	ret

/* RAX: time stamp, RBX: hits of the second level, RDX: walks. */
counters:
	movl	%ecx, %edi
	movl	$1, %ecx
	rdpmc
	movl	%eax, %ebp
	xorl	%ecx, %ecx
	rdpmc
	movl	%eax, %ebx
	rdtsc
	shlq	$32, %rdx
	orq	%rdx, %rax
	movl	%ebp, %edx
	movl	%edi, %ecx
	ret

/* Print EAX and a space; RBX, RCX, RSI, RDI and R8 to R15 keep their values. */
print:
	pushq	%rbx
	pushq	%rcx
	movl	%eax, %ebx
	movl	$8, %ecx
	movl	$SERIAL, %edx
1:	roll	$4, %ebx
	movb	%bl, %al
	andb	$15, %al
	addb	$'0', %al
	cmpb	$'9', %al
	jbe	2f
	addb	$('a' - '9' - 1), %al
2:	outb	%al, %dx
	decl	%ecx
	jnz	1b
	movb	$' ', %al
	outb	%al, %dx
	popq	%rcx
	popq	%rbx
	ret

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
