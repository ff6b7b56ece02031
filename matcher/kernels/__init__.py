"""The matcher's compiled kernels: everything Numba and llvmlite do here, and nothing else.

Importing this package costs nothing; importing one of its modules that emits code imports Numba.
`matcher.processor` says which kernel this processor runs, `join` matches columns with it, and
`cache` keeps what was compiled.

==================  =========================================================================
`sha256`            constants of SHA-256 and HMAC, in plain Python
`vectors`           a few words for writing LLVM's vectors from Python
`hkdf`              key -> RPIK: SHA instructions, or as many keys at once as a vector is wide
`aes`               RPIK -> round keys -> identifiers, and the filter's probes between them
`aes_table`         the same from tables, for processors without AES instructions
`aarch64`           the same emitters for ARM, as an object file
`scan`              the loop around them, made once for each kernel
`portable`          the same answers from `cryptography` and a dict
`join`              columns in, pairs out
`limit`             what the processor's units allow
==================  =========================================================================
"""
