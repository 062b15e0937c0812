# The beacon: a guest that beats a counter, so that an observer outside sees each life sign of a VM.
# It is a 64 KiB firmware image (`-bios beacon.bin`): no BIOS, no disk and no kernel before it, so
# the first beat comes about 2 ms after the vCPU runs. Assembled by `as --32`, placed by beacon.ld.
#
# A beat is one frame of four bytes, written to the debug port 0xe9, most significant byte first:
#
#     1fffcccc 0ccccccc 0ccccccc 0ccccccc      f: three sticky flags    c: the 25-bit beat counter
#
# Only the first byte of a frame has its top bit set, so a reader finds the next frame after a loss,
# and a frame of which the source wrote one half and the target the other is still one frame.
#
#     flag 1   a page did not hold the sequence number that was written to it one lap ago:
#              memory was lost on the way
#     flag 2   the same for a sector of the disk ring: a write was lost, or two guests write it
#     flag 4   the disk answered with an error
#
# All state is in RAM and in the vCPU, so it travels with a migration; the parameters do too.
# The memory map, in bytes:
#
#     0x00600  parameters, dwords put there by `-device loader` at every reset (0 = off)
#     0x00700  state
#     0x01000  interrupt table, 0x41 gates
#     0x02000  a sector's buffer
#     0x08000  top of the stack
#     0xf0000  this image, read-only
#     0x100000 working set: page N at 1 MiB + N * 4 KiB

        .set    p_hz, 0x600                 # beats per second; 0 stops the guest for ever
        .set    p_pages_per_beat, 0x604     # pages dirtied in each beat
        .set    p_working_set, 0x608        # pages of the working set
        .set    p_disk_step, 0x60c          # one disk step every N beats
        .set    p_disk_ring, 0x610          # sectors of the disk ring, from sector 0

        .set    state, 0x700
        .set    state_size, 0x40
        .set    counter, 0x700              # the last beat's number; the first beat is 1
        .set    flags, 0x704                # sticky
        .set    page_sequence, 0x708        # number of the last page written, counts for ever
        .set    page_cursor, 0x70c          # page that is written next
        .set    page_laps, 0x710            # not 0: every page was written once
        .set    disk_sequence, 0x714        # likewise for the disk ring
        .set    disk_cursor, 0x718
        .set    disk_laps, 0x71c
        .set    disk_wait, 0x720            # beats until the next disk step

        .set    idt, 0x1000
        .set    sector, 0x2000
        .set    stack_top, 0x8000
        .set    working_set, 0x100000

        .set    lapic, 0xFEE00000
        .set    lapic_eoi, lapic + 0x0B0
        .set    lapic_spurious, lapic + 0x0F0
        .set    lapic_timer, lapic + 0x320
        .set    lapic_initial_count, lapic + 0x380
        .set    lapic_divide, lapic + 0x3E0
        .set    lapic_hz, 1000000000        # QEMU's and KVM's APIC bus: 1 tick = 1 ns
        .set    timer_vector, 0x40
        .set    spurious_vector, 0x3F       # its low four bits must be set

        .set    port_beat, 0xE9
        .set    ata_data, 0x1F0             # primary channel, first drive
        .set    ata_count, 0x1F2
        .set    ata_lba_low, 0x1F3
        .set    ata_lba_middle, 0x1F4
        .set    ata_lba_high, 0x1F5
        .set    ata_drive, 0x1F6
        .set    ata_command, 0x1F7          # read: status
        .set    ata_control, 0x3F6
        .set    ata_busy, 0x80
        .set    ata_wants_data, 0x08
        .set    ata_failed, 0x21            # ERR or device fault

# ------------------------------------------------------------------------------------------------
# From reset to 32-bit mode with flat segments.
        .text
        .code16
        .globl  start_16
image:                                      # linked to 0xF0000, which real mode calls F000:0000
start_16:
        cli
        cld
        inb     $0x92, %al                  # The A20 gate must be open to reach 1 MiB and above.
        orb     $2, %al
        andb    $0xFE, %al                  # Bit 0 would reset the machine.
        outb    %al, $0x92
        lgdtl   %cs:(gdt_pointer - image)
        movl    $0x11, %eax                 # Protected mode; also switches the caches on.
        movl    %eax, %cr0
        ljmpl   $0x08, $start_32

        .code32
start_32:
        movw    $0x10, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movl    $stack_top, %esp

        # A reset leaves RAM as it was: the state begins at zero in any case.
        movl    $state, %edi
        movl    $(state_size / 4), %ecx
        xorl    %eax, %eax
        rep stosl

        call    make_interrupt_table
        call    silence_old_timers
        movl    p_hz, %ebx
        testl   %ebx, %ebx
        jz      stopped
        call    start_timer                 # The first beat follows at once, not a period later.

# ------------------------------------------------------------------------------------------------
# The beat. Interrupts are open only inside `hlt`; `sti` takes effect after the next instruction, so
# none is taken before the sleep. The timer's goes on at `beat`, the spurious one at `sleep`; there
# is nothing to return to. Beats that come due while one is at work melt into one: it counts
# what was done, not what the clock asked for.
beat:
        call    dirty_pages
        call    disk_step
        incl    counter
        andl    $0x1FFFFFF, counter
        call    write_frame
sleep:
        sti
        hlt
        jmp     sleep

stopped:
        cli
        hlt
        jmp     stopped

# ------------------------------------------------------------------------------------------------
# Four bytes to the debug port. The work was done before: a frame that is out says that it is.
write_frame:
        movl    counter, %ebx
        movl    %ebx, %eax
        shrl    $21, %eax
        movl    flags, %ecx
        shll    $4, %ecx
        orl     %ecx, %eax
        orb     $0x80, %al
        outb    %al, $port_beat
        movl    %ebx, %eax
        shrl    $14, %eax
        andb    $0x7F, %al
        outb    %al, $port_beat
        movl    %ebx, %eax
        shrl    $7, %eax
        andb    $0x7F, %al
        outb    %al, $port_beat
        movl    %ebx, %eax
        andb    $0x7F, %al
        outb    %al, $port_beat
        ret

# ------------------------------------------------------------------------------------------------
# Writes the next pages of the working set, round and round. Each gets the next sequence number, so
# from the second lap on a page must still hold (sequence - pages of the working set).
dirty_pages:
        movl    p_pages_per_beat, %esi
        movl    p_working_set, %ebp
        testl   %ebp, %ebp
        jz      2f
        movl    page_cursor, %edx
1:      testl   %esi, %esi
        jz      2f
        decl    %esi
        movl    %edx, %edi
        shll    $12, %edi
        addl    $working_set, %edi
        incl    page_sequence
        movl    page_sequence, %eax
        cmpl    $0, page_laps
        je      3f
        movl    %eax, %ecx
        subl    %ebp, %ecx
        cmpl    %ecx, (%edi)
        je      3f
        orl     $1, flags
3:      movl    %eax, (%edi)
        incl    %edx
        cmpl    %ebp, %edx
        jb      4f
        xorl    %edx, %edx
        movl    $1, page_laps
4:      movl    %edx, page_cursor
        jmp     1b
2:      ret

# ------------------------------------------------------------------------------------------------
# Every N beats: reads the next sector of the ring, which must hold in all its dwords what was
# written one lap ago, and writes it anew.
disk_step:
        movl    p_disk_step, %eax
        testl   %eax, %eax
        jz      9f
        movl    p_disk_ring, %ebp
        testl   %ebp, %ebp
        jz      9f
        cmpl    $0, disk_wait
        jne     8f
        movl    %eax, disk_wait
        call    step_ring
8:      decl    disk_wait
9:      ret

step_ring:
        movb    $0x20, %al                  # READ SECTORS
        call    ata_begin
        jc      ata_error
        movl    $sector, %edi
        movl    $128, %ecx
        movl    $ata_data, %edx
        rep insl                            # Each transfer leaves the vCPU: wide ones are fewer.

        incl    disk_sequence
        cmpl    $0, disk_laps
        je      1f
        movl    disk_sequence, %eax
        subl    %ebp, %eax
        movl    $sector, %edi
        movl    $128, %ecx
        repe scasl
        je      1f
        orl     $2, flags
1:      movl    disk_sequence, %eax
        movl    $sector, %edi
        movl    $128, %ecx
        rep stosl

        movb    $0x30, %al                  # WRITE SECTORS
        call    ata_begin
        jc      ata_error
        movl    $sector, %esi
        movl    $128, %ecx
        movl    $ata_data, %edx
        rep outsl
        call    ata_wait
        jc      ata_error
        incl    disk_cursor
        cmpl    %ebp, disk_cursor
        jb      2f
        movl    $0, disk_cursor
        movl    $1, disk_laps
2:      ret

ata_error:
        orl     $4, flags
        ret

# Sends the command in AL for the sector at disk_cursor and waits until its data can move.
# Carry is set when the drive refuses or is not there (an empty channel reads as 0).
ata_begin:
        movb    %al, %bl
        movl    $ata_control, %edx
        movb    $0x02, %al                  # No interrupts: the status is asked.
        outb    %al, %dx
        movl    disk_cursor, %ecx
        movl    %ecx, %eax
        shrl    $24, %eax
        andb    $0x0F, %al
        orb     $0xE0, %al                  # LBA, first drive
        movl    $ata_drive, %edx
        outb    %al, %dx
        call    ata_wait
        movl    $ata_count, %edx
        movb    $1, %al
        outb    %al, %dx
        movl    $ata_lba_low, %edx
        movb    %cl, %al
        outb    %al, %dx
        movl    $ata_lba_middle, %edx
        movb    %ch, %al
        outb    %al, %dx
        movl    $ata_lba_high, %edx
        movl    %ecx, %eax
        shrl    $16, %eax
        outb    %al, %dx
        movl    $ata_command, %edx
        movb    %bl, %al
        outb    %al, %dx
        call    ata_wait
        jc      1f
        testb   $ata_wants_data, %al
        jnz     1f                          # TEST cleared the carry.
        stc
1:      ret

# Waits until the drive is not busy; AL is its status, carry is set when the command failed.
ata_wait:
        movl    $ata_command, %edx
1:      inb     %dx, %al
        testb   $ata_busy, %al
        jnz     1b
        testb   $ata_failed, %al
        jz      2f
        stc
2:      ret

# ------------------------------------------------------------------------------------------------
# One gate for each vector below 0x41. The processor's own exceptions stop the guest, which the
# observer sees as silence.
make_interrupt_table:
        movl    $idt, %edi
        movl    $(timer_vector + 1), %ecx
        movl    $on_exception, %eax
1:      call    make_gate
        loop    1b
        movl    $(idt + 8 * spurious_vector), %edi
        movl    $on_spurious, %eax
        call    make_gate
        movl    $on_timer, %eax
        call    make_gate
        lidt    idt_pointer
        ret

# Writes a 32-bit interrupt gate to the address in EAX at EDI, and moves EDI to the next one.
make_gate:
        movw    %ax, (%edi)
        movw    $0x08, 2(%edi)
        movw    $0x8E00, 4(%edi)
        movl    %eax, %edx
        shrl    $16, %edx
        movw    %dx, 6(%edi)
        addl    $8, %edi
        ret

# An interrupt finds the guest in its sleep only, so its frame (EIP, CS, EFLAGS) is dropped and the
# loop goes on with interrupts closed, as the gate left them. There is no `iret` also because KVM's
# instruction emulator, which runs the guest on hosts that cannot run this mode directly, lacks it.
on_timer:
        addl    $12, %esp
        movl    $0, lapic_eoi
        jmp     beat

on_spurious:
        addl    $12, %esp
        jmp     sleep

on_exception:
        jmp     stopped

# The PIC is masked; the PIT, which runs at 18 Hz from reset and would wake the host for nothing, is
# put into its one-shot mode.
silence_old_timers:
        movb    $0xFF, %al
        outb    %al, $0x21
        outb    %al, $0xA1
        movb    $0x30, %al                  # Channel 0, both bytes, mode 0.
        outb    %al, $0x43
        movb    $1, %al
        outb    %al, $0x40
        xorb    %al, %al
        outb    %al, $0x40
        ret

# Starts the local APIC's timer, periodic, at EBX beats per second.
start_timer:
        movl    $(0x100 + spurious_vector), lapic_spurious
        movl    $0x0B, lapic_divide         # divide by 1
        movl    $(0x20000 + timer_vector), lapic_timer
        movl    $lapic_hz, %eax
        xorl    %edx, %edx
        divl    %ebx
        movl    %eax, lapic_initial_count
        ret

# ------------------------------------------------------------------------------------------------
# Flat code and data segments. Their accessed bits are set here because the processor would
# otherwise write them, and this is read-only memory.
        .balign 8
gdt:
        .quad   0
        .quad   0x00CF9B000000FFFF
        .quad   0x00CF93000000FFFF
gdt_pointer:
        .word   gdt_pointer - gdt - 1
        .long   gdt
idt_pointer:
        .word   8 * (timer_vector + 1) - 1
        .long   idt

# ------------------------------------------------------------------------------------------------
# The reset vector: the processor begins here, 16 bytes below 4 GiB, and jumps to the copy of the
# image below 1 MiB.
        .org    0xFFF0
        .code16
        ljmpw   $0xF000, $(start_16 - image)
        .org    0x10000
