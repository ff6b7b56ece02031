"""The matcher's compiled kernels: everything Numba and llvmlite do here, and nothing else.

Importing this package costs nothing; importing one of its modules that emits code imports Numba.
`processor` says which kernel this processor runs, `registry` knows what each is made of, `trial`
has it run first in a process of its own, and `cache` keeps what was compiled.
`matcher.columns.join` and `matcher.many.join` match columns with it.

==================  =========================================================================
`sha256`            constants of SHA-256 and HMAC, in plain Python
`vectors`           a few words for writing LLVM's vectors from Python; `memory`, at addresses
`hkdf`              key -> RPIK: SHA instructions, or as many keys at once as a vector is wide
`hkdf_text`         the sixteen-fold one's inner loop, as text in an order of its own
`aes`               RPIK -> round keys -> identifiers, and the filter's probes between them
`aes_table`         the same from tables, for processors without AES instructions
`aarch64`           the same emitters for ARM, as an object file
`scan`              the loop around them, made once for each kernel
`many_logs`         loops over the sightings of many logs
`layout`            what kernels and those who call them agree on
`values`            sets of 16-byte values
`export_parsing`    key files straight into columns, and `log_parsing` logs
`limit`             what the processor's units allow
==================  =========================================================================
"""
