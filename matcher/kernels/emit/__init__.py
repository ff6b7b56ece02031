"""Emitters of LLVM instructions, which the loops call as intrinsics."""
