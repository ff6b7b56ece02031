"""Compiled kernels: everything here that uses Numba and llvmlite.

Importing this package costs nothing; `emit`, `loops`, `cache` and `registry` import Numba.
`matcher.columns.join` and `matcher.many.join` match columns with the kernels.

=============  ==========================================================================
`choice`       the compiled or the portable path, by the size of a job
`processor`    the kernels, and the best one for this processor
`registry`     the parts of each kernel, compiled at first use
`first_run`    the first run of a kernel on a machine, in a process of its own
`cache`        compiled kernels, kept between processes
`layout`       numbers that kernels and their callers share
`emit`         emitters of instructions: HKDF, AES, and the probes of the filter
`loops`        loops around them: joins, sets of values, and parsers of key files and logs
=============  ==========================================================================
"""
