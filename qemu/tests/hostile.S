/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bare-metal guests that use the performance counters to harm the emulator, or to
 * read and write memory that they must not. Each is a boot ROM of 64 KiB that
 * runs in place of the firmware. -D chooses one of these:
 *
 *	PAGE_TABLE=ADDR	maps the debug store by a page table at ADDR, which is in a
 *			device's registers, in ROM, or in RAM, and samples EVENT,
 *			a unit mask and event number
 *	SMM		aims a record at locked memory of the system management
 *			mode, whose handler runs while the counter overflows
 *	IDLE		lets a counter of cycles be about to overflow whenever the
 *			processor goes idle, a hundred times for 10 ms
 *	INIT		checks that counters go on after an INIT
 *
 * Each guest prints a line on the first serial port and resets the machine: 'B'
 * when it begins, 'E' when it ends; bench/tests/test_pebs.py has the line that
 * each must print.
 */
#include "rom.inc"

#define SERIAL 0x3f8
#define TABLE 0x1000
#define DS_AREA 0x400000
#define RAM 0x10000 /* of test data */

.macro	set_msr msr, high, low
	movl	$\msr, %ecx
	movl	$\high, %edx
	movl	$\low, %eax
	wrmsr
.endm

.macro	set_pci register, value
	movl	$(0x80000000 + \register), %eax
	movl	$0xcf8, %edx
	outl	%eax, %dx
	movl	$\value, %eax
	movl	$0xcfc, %edx
	outl	%eax, %dx
.endm

.macro	print char
	movl	$SERIAL, %edx
	movb	$\char, %al
	outb	%al, %dx
.endm

.macro	reset
	print	'\n'
	movl	$0xcf9, %edx
	movb	$6, %al
	outb	%al, %dx
9:	hlt
	jmp	9b
.endm

	enter_protected_mode
	print	'B'

#ifdef PAGE_TABLE
	/* map the first 4 MiB to themselves, the next 4 by the page table at ADDR */
	movl	$TABLE, %edi
	xorl	%eax, %eax
	movl	$1024, %ecx
	rep stosl
	movl	$0x83, TABLE
	movl	$(PAGE_TABLE + 0x23), TABLE + 4
	movl	%cr4, %eax
	orl	$0x10, %eax
	movl	%eax, %cr4
	movl	$TABLE, %eax
	movl	%eax, %cr3
	movl	%cr0, %eax
	orl	$0x80000000, %eax
	movl	%eax, %cr0
	set_msr	0x600, 0, DS_AREA
	set_msr	0x4c1, 0xffff, -100
	set_msr	0x186, 0, 0x430000 + EVENT
	set_msr	0x3f1, 0, 1
	set_msr	0x38f, 0, 1
	movl	$100000, %ecx
1:	movl	0x3000, %eax
	nop
	nop
	decl	%ecx
	jnz	1b
	print	'E'
	reset
#endif

#ifdef SMM
	/* copy the handler of the system management mode to its default place */
	movl	$(0xf0000 + handler - _start), %esi
	movl	$0x38000, %edi
	movl	$(handler_end - handler), %ecx
	rep movsb
	/* make writes to port 0xb2 raise an SMI, with power management at 0x600 */
	set_pci	0xf840, 0x601
	set_pci	0xf844, 0x80
	movl	$0x21, %eax
	movl	$0x630, %edx
	outl	%eax, %dx
	/* make the top 1 MiB of 64 locked memory of that mode */
	movl	$0x80000000 + 0x9c, %eax
	movl	$0xcf8, %edx
	outl	%eax, %dx
	movl	$0xcfe, %edx
	movb	$1, %al
	outb	%al, %dx
	movl	$0xcfd, %edx
	movb	$0x1a, %al
	outb	%al, %dx
	movl	$0x3f00000, RAM + 0x20
	movl	$0x3f00000, RAM + 0x28
	movl	$0x3f80000, RAM + 0x30
	movl	$-1, RAM + 0x38
	movl	$-1, RAM + 0x3c
	movl	$-1, RAM + 0x40
	movl	$-1, RAM + 0x44
	set_msr	0x600, 0, RAM
	set_msr	0x4c1, 0xffff, -1
	set_msr	0x186, 0, 0x4381d0
	set_msr	0x3f1, 0, 1
	set_msr	0x38f, 0, 1
	movb	$1, %al
	outb	%al, $0xb2
	nop
	nop
	set_msr	0x38f, 0, 0
	print	'S' /* check that the handler has run ... */
	cmpl	$0x1234, 0x3108
	je	1f
	print	'!'
1:	cmpl	$0, 0x3104 /* ... and found no record */
	je	1f
	print	'W'
1:	print	'E'
	reset

	.code16
handler:
	addr32 movl 0x3000, %eax
	addr32 movl 0x3f00004, %eax
	addr32 movl %eax, 0x3104
	addr32 movl $0x1234, 0x3108
	rsm
handler_end:
#endif

#ifdef IDLE
	/* take the timer's interrupt as number 8 of the old interrupt controller */
	movl	$0x4040, %edi
	movl	$(0xf0000 + tick - _start), %eax
	movw	%ax, (%edi)
	movw	$8, 2(%edi)
	movw	$0x8e00, 4(%edi)
	shrl	$16, %eax
	movw	%ax, 6(%edi)
	lidtl	0xf0000 + idt_register - _start
	movb	$0x11, %al
	outb	%al, $0x20
	movb	$8, %al
	outb	%al, $0x21
	movb	$4, %al
	outb	%al, $0x21
	movb	$1, %al
	outb	%al, $0x21
	movb	$0xfe, %al
	outb	%al, $0x21
	movl	$0x700, 0xfee00350
	movl	$0x1ff, 0xfee000f0
	set_msr	0x38f, 0, 1
	set_msr	0x186, 0, 0x43003c
	movl	$100, %esi
1:	movb	$0x30, %al
	outb	%al, $0x43
	movb	$(11932 & 0xff), %al
	outb	%al, $0x40
	movb	$(11932 >> 8), %al
	outb	%al, $0x40
	set_msr	0x4c1, 0xffff, -3000
	sti
	hlt
	cli
	decl	%esi
	jnz	1b
	print	'E'
	reset

tick:
	pushl	%eax
	movb	$0x20, %al
	outb	%al, $0x20
	popl	%eax
	iret
#endif

#ifdef INIT
	/* RAM has kept the mark if an INIT brought us here */
	cmpl	$0x1234, RAM
	je	again
	movl	$0x38f, %ecx
	rdmsr
	cmpl	$0xff, %eax /* after a reset all general counters may count */
	je	1f
	print	'!'
1:	set_msr	0x187, 0, 0x4300c4
	set_msr	0x186, 0, 0x4381d0
	movl	$0x1234, RAM
	movl	$0x4500, 0xfee00300 /* INIT to itself */
9:	hlt
	jmp	9b
again:
	/* check that a thousand loads and branches are counted, as before INIT */
	movl	$0xc1, %ecx
	rdmsr
	movl	%eax, %esi
	movl	$0xc2, %ecx
	rdmsr
	movl	%eax, %edi
	movl	$1000, %ebp
1:	movl	0x5000, %eax
	decl	%ebp
	jnz	1b
	movl	$0xc1, %ecx
	rdmsr
	subl	%esi, %eax
	cmpl	$1000, %eax
	je	1f
	print	'l'
1:	movl	$0xc2, %ecx
	rdmsr
	subl	%edi, %eax
	cmpl	$1000, %eax
	jae	1f
	print	'b'
1:	print	'E'
	reset
#endif

	.align	8
gdt:
	.quad	0
	.quad	0x00cf9a000000ffff
	.quad	0x00cf92000000ffff
gdt_register:
	.word	23
	.long	0xf0000 + gdt - _start
idt_register:
	.word	0x1ff
	.long	0x4000

	.org	0x8000
	.long	0x00002003 /* a page table in ROM */
	.org	0xfff0
	.code16
	ljmp	$0xf000, $0
	.org	0x10000
