/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bare-metal hypervisor that injects one interrupt each time that it runs its guest,
 * whose handler counts it, with interrupts off: a boot ROM of 64 KiB that runs in place of
 * the firmware. A fast timer, to whose interrupts nobody listens, ends the emulator's
 * loop at any of its instructions.
 *
 * It prints 'E' on the first serial port when the guest has counted each interrupt once,
 * else 'D' (delivered twice) or 'L' (lost), or 'X' if a run did not end with VMMCALL, and
 * resets the machine.
 */
#include "svm.inc"

#ifndef RUNS
#define RUNS 2000000
#endif
#define IDT 0x20000
#define VECTOR 0x40
#define COUNT 0x21000
#define PIT_MODE 0x43
#define PIT_COUNT 0x40

	enter_protected_mode

	prepare_guest
	movl	$(0xf0000 + handler - _start), %eax
	movl	$(IDT + 16 * VECTOR), %edi
	movw	%ax, (%edi)
	movw	$24, 2(%edi)
	movw	$0x8e00, 4(%edi)
	shrl	$16, %eax
	movw	%ax, 6(%edi)
	movl	$31, (VMCB+0x464)
	movl	$(0xf0000 + gdt - _start), (VMCB+0x468)
	movl	$0xfff, (VMCB+0x484)
	movl	$IDT, (VMCB+0x488)

	/* channel 0, as a rate generator, every 3 us */
	movb	$0x34, %al
	outb	%al, $PIT_MODE
	movb	$4, %al
	outb	%al, $PIT_COUNT
	xorb	%al, %al
	outb	%al, $PIT_COUNT

	enter_long_mode

	.code64
long_mode:
	set_msr	0xc0010117, 0, HOST_SAVE
	movl	$RUNS, %ebx
run:
	/* so that the timer ends at others of its instructions */
	movl	%ebx, %ecx
	andl	$15, %ecx
1:	decl	%ecx
	jns	1b
	set_guest_rip guest
	movl	$0x7000, VMCB + 0x5d8
	movl	$2, VMCB + 0x570
	movl	$(1 << 31 | VECTOR), VMCB + 0xa8
	movl	$VMCB, %eax
	vmrun	%rax
	movb	$'X', %al
	cmpl	$0x81, VMCB + 0x70
	jne	print
	decl	%ebx
	jnz	run

	movb	$'E', %al
	cmpl	$RUNS, COUNT
	je	print
	movb	$'D', %al
	ja	print
	movb	$'L', %al
print:
	movl	$SERIAL, %edx
	outb	%al, %dx
	jmp	reset

handler:
	incl	COUNT
	vmmcall
guest:
	vmmcall
	hlt

	end_rom
