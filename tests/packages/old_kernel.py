"""Runs a program with the system calls of Linux 4.19 only: old_kernel.py PROGRAM ARGUMENT… Later ones answer as that kernel would, ENOSYS.

On x86-64 4.19 ends with rseq, 334; the numbers of what came later begin with 424 (pidfd_send_signal, Linux 5.1).
"""

import ctypes
import os
import struct
import sys

FIRST_LATER = 424
LOAD_NUMBER = (0x20, 0, 0, 0)  # BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)
IF_LATER = (0x35, 0, 1, FIRST_LATER)  # BPF_JMP | BPF_JGE | BPF_K
REFUSE = (0x06, 0, 0, 0x00050000 | 38)  # SECCOMP_RET_ERRNO, ENOSYS
ALLOW = (0x06, 0, 0, 0x7FFF0000)
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2


def refuse_later_calls():
    program = b"".join(struct.pack("HBBI", *step) for step in (LOAD_NUMBER, IF_LATER, REFUSE, ALLOW))
    steps = ctypes.create_string_buffer(program)
    filter = struct.pack("HxxxxxxP", 4, ctypes.addressof(steps))
    libc = ctypes.CDLL(None, use_errno=True)
    for call in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.c_char_p(filter), 0, 0)):
        if libc.prctl(*call) != 0:
            raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    refuse_later_calls()
    os.execv(sys.argv[1], sys.argv[1:])
