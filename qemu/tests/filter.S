/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bare-metal guest whose every access and time is the same in each run: it shows
 * whether the memory model and the performance counters say the same with and
 * without the filter of accesses in translated code. It is a boot ROM of 64 KiB
 * that runs in place of the firmware.
 *
 * It loads and stores at random in 1 MiB, most often in 1 KiB, while three
 * counters count: stores, of which each 97th is sampled by PEBS; stores; loads and
 * stores. Then it prints, on the first serial port, the counters, the number of
 * bytes of samples, a checksum of the samples, which hold their address and time,
 * and the time stamp counter, all in hexadecimal, and resets the machine;
 * bench/tests/test_filter.py compares the lines.
 */
#include "rom.inc"

#define SERIAL 0x3f8
#define DS_AREA 0x10000
#define SAMPLES 0x400000
#define DATA 0x100000
#define ROUNDS 300000
#define PERIOD 97

.macro	set_msr msr, high, low
	movl	$\msr, %ecx
	movl	$\high, %edx
	movl	$\low, %eax
	wrmsr
.endm

.macro	print_msr msr
	movl	$\msr, %ecx
	rdmsr
	call	print
.endm

	enter_protected_mode
	fninit

	movl	$SAMPLES, DS_AREA + 0x20
	movl	$SAMPLES, DS_AREA + 0x28
	movl	$(SAMPLES + 0x1000000), DS_AREA + 0x30
	movl	$(SAMPLES + 0x1000000), DS_AREA + 0x38
	movl	$-PERIOD, DS_AREA + 0x40
	movl	$0xffff, DS_AREA + 0x44
	set_msr	0x600, 0, DS_AREA
	set_msr	0x3f2, 0, 1
	set_msr	0x4c1, 0xffff, -PERIOD
	set_msr	0x186, 4, 0x4382d0
	set_msr	0x187, 0, 0x4282d0
	set_msr	0x4c3, 0xffff, -5000
	set_msr	0x188, 0, 0x4383d0
	set_msr	0x3f1, 0, 1
	set_msr	0x38f, 0, 7

	movl	$ROUNDS, %ebp
	movl	$1, %eax
1:	imull	$1664525, %eax
	addl	$1013904223, %eax
	movl	%eax, %edi
	shrl	$12, %edi
	andl	$0xfffff, %edi
	testl	$0x70000000, %eax
	jz	2f
	andl	$0x3ff, %edi
2:	movl	DATA(%edi), %ebx
	addl	%ebx, %esi
	testl	$0x100000, %eax
	jz	3f
	movl	%esi, DATA(%edi)
	incb	DATA + 1(%edi)
	pushl	%eax
	popl	%eax
3:	testl	$0xff, %ebp
	jnz	4f
	/* accesses that no translated code makes, and a counter read amid others */
	fxsave	0x9000
	movl	%eax, %ebx
	movl	$1, %ecx
	rdpmc
	addl	%eax, %esi
	movl	%ebx, %eax
4:	decl	%ebp
	jnz	1b

	set_msr	0x38f, 0, 0
	print_msr 0x4c1
	print_msr 0x4c2
	print_msr 0x4c3
	print_msr 0x38e
	movl	%esi, %eax
	call	print
	movl	DS_AREA + 0x28, %ecx
	movl	$SAMPLES, %edi
	xorl	%ebx, %ebx
5:	cmpl	%edi, %ecx
	je	6f
	imull	$31, %ebx
	addl	(%edi), %ebx
	addl	$4, %edi
	jmp	5b
6:	leal	-SAMPLES(%ecx), %eax
	call	print
	movl	%ebx, %eax
	call	print
	rdtsc
	call	print
	movl	$SERIAL, %edx
	movb	$'\n', %al
	outb	%al, %dx
	movl	$0xcf9, %edx
	movb	$6, %al
	outb	%al, %dx
9:	hlt
	jmp	9b

/* Print EAX and a space; only EBX, ECX, ESI and EDI keep their values. */
print:
	pushl	%ebx
	pushl	%ecx
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
	popl	%ecx
	popl	%ebx
	ret

	.align	8
gdt:
	.quad	0
	.quad	0x00cf9a000000ffff
	.quad	0x00cf92000000ffff
gdt_register:
	.word	23
	.long	0xf0000 + gdt - _start

	.org	0xfff0
	.code16
	ljmp	$0xf000, $0
	.org	0x10000
