"""A PTX interpreter for tests: what kernels do, on a machine without a GPU.

It runs the threads of a kernel as PTX's text says, and reports what hardware
may let pass or show as a wrong number once in a thousand runs. A newcomer reads

    parse.py         the text to instructions
    warp.py          registers and lanes; one instruction after another
    machine.py       clusters and blocks; which warp runs when
    memory.py        global and shared memory, and who may touch what
    races.py         accesses to shared memory that nothing puts in order
    copies.py        asynchronous copies and mbarriers
    instructions.py  what opcodes are known, and loads, stores, barriers
    arithmetic.py    the opcodes that compute
    matrix.py        operands of tensor cores, ldmatrix and mma
    wgmma.py         wgmma

A warp is 32 lanes in numpy arrays. What hardware leaves open is drawn at
random: which warp runs for how long, and when each copy is done.
"""
