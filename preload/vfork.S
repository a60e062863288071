/* SPDX-License-Identifier: MIT
 *
 * vfork(2), and a note in the thread that its child runs now.
 *
 * The child borrows its parent's memory, this library's too, until it execs or ends; what it closes
 * and duplicates meanwhile are its own descriptors. So everybody who is about to forget or learn
 * something looks at state_vfork_depth. The thread of the parent sleeps meanwhile, and its other
 * threads have a variable of their own.
 *
 * This cannot be written in C: the function returns twice on one stack, so its return address must
 * not be there while the child runs. It is in a register, as in glibc's vfork.
 *
 * On other processors there is no vfork here, and nobody notices such a child where nothing is held.
 */
#if defined(__x86_64__) && defined(__LP64__)

    .text
    .globl vfork, __vfork
    .type vfork, @function
    .type __vfork, @function
vfork:
__vfork:
    .cfi_startproc
    endbr64
    popq %rdi
    .cfi_adjust_cfa_offset -8
    .cfi_register %rip, %rdi
    movl $58, %eax /* SYS_vfork */
    syscall
    pushq %rdi
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rip, 0
    movq state_vfork_depth@gottpoff(%rip), %rcx
    testq %rax, %rax
    js 2f
    jz 1f
    cmpl $0, %fs:(%rcx)
    je 3f /* the child had memory of its own: an emulator's vfork */
    decl %fs:(%rcx)
    ret
1:  incl %fs:(%rcx)
3:  ret
2:  negl %eax
    pushq %rax
    .cfi_adjust_cfa_offset 8
    call __errno_location@PLT
    popq %rcx
    .cfi_adjust_cfa_offset -8
    movl %ecx, (%rax)
    movq $-1, %rax
    ret
    .cfi_endproc
    .size vfork, . - vfork
    .size __vfork, . - __vfork

#elif defined(__i386__)

    .text
    .globl vfork, __vfork
    .type vfork, @function
    .type __vfork, @function
vfork:
__vfork:
    .cfi_startproc
    endbr32
    popl %ecx
    .cfi_adjust_cfa_offset -4
    .cfi_register %eip, %ecx
    movl $190, %eax /* SYS_vfork */
    int $0x80
    pushl %ecx
    .cfi_adjust_cfa_offset 4
    .cfi_rel_offset %eip, 0
    pushl %ebx
    .cfi_adjust_cfa_offset 4
    .cfi_rel_offset %ebx, 0
    call 4f
4:  popl %ebx
    addl $_GLOBAL_OFFSET_TABLE_ + (. - 4b), %ebx
    movl state_vfork_depth@gotntpoff(%ebx), %ecx
    testl %eax, %eax
    js 2f
    jz 1f
    cmpl $0, %gs:(%ecx)
    je 3f
    decl %gs:(%ecx)
    jmp 3f
1:  incl %gs:(%ecx)
3:  popl %ebx
    ret
2:  negl %eax
    pushl %eax
    subl $4, %esp
    call __errno_location@PLT
    addl $4, %esp
    popl %ecx
    movl %ecx, (%eax)
    movl $-1, %eax
    popl %ebx
    ret
    .cfi_endproc
    .size vfork, . - vfork
    .size __vfork, . - __vfork

#endif

    .section .note.GNU-stack, "", %progbits
