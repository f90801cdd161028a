# Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the bench calls of nibble's C ABI (include/nibble/nibble.h), by ctypes.

Arrays are given as their address and shape, so that any library's will do:
host memory for a layer's arrays, and the layer's device's for x and y.
"""

import ctypes
from ctypes import POINTER, byref, c_char_p, c_double, c_int32, c_int64, c_size_t, c_uint32, c_void_p

F16, BF16, F32, I32 = range(4)


class Tensor(ctypes.Structure):
    """A dense array. It keeps its shape, and not the memory at `data`."""
    _fields_ = [("data", c_void_p), ("dtype", c_int32), ("rank", c_int32), ("shape", POINTER(c_int64)),
                ("strides", POINTER(c_int64))]

    def __init__(self, data, dtype, shape):
        super().__init__(data, dtype, len(shape), (c_int64 * len(shape))(*shape), None)


class Options(ctypes.Structure):
    _fields_ = [("size", c_size_t), ("device", c_char_p), ("format", c_char_p), ("config", c_char_p),
                ("schedule", c_char_p), ("tuning", c_int32), ("flags", c_uint32)]


class Kernel(ctypes.Structure):
    _fields_ = [("size", c_size_t), ("name", c_char_p), ("target", c_char_p), ("config", c_char_p),
                ("schedule", c_char_p), ("origin", c_char_p)]


class Candidate(ctypes.Structure):
    _fields_ = [("size", c_size_t), ("config", c_char_p), ("median", c_double), ("p10", c_double),
                ("p90", c_double), ("status", c_int32), ("error", c_char_p)]


Tried = ctypes.CFUNCTYPE(None, POINTER(Candidate), c_void_p)

SIGNATURES = {
    "nibble_layer_create": [c_int32, c_int64, *[POINTER(Tensor)] * 5, POINTER(Options), POINTER(c_void_p)],
    "nibble_layer_forward": [c_void_p, POINTER(Tensor), POINTER(Tensor), c_void_p, c_void_p, c_size_t],
    "nibble_layer_workspace_size_for": [c_void_p, POINTER(Tensor), POINTER(c_size_t)],
    "nibble_layer_prepare": [c_void_p, c_int32, c_int64, POINTER(Kernel)],
    "nibble_layer_tune": [c_void_p, c_int32, c_int64, POINTER(c_char_p), c_size_t, Tried, c_void_p],
    "nibble_layer_destroy": [c_void_p],
    "bench_host_call": [c_void_p, POINTER(Tensor), POINTER(Tensor), c_void_p, c_void_p, c_size_t, c_int32,
                        POINTER(c_double)],
}


class Library:
    """libnibble_bench.so, and through it libnibble.so: `layer_forward` is nibble_layer_forward, and raises
    RuntimeError with the message of an error."""

    def __init__(self, path):
        self.library = ctypes.CDLL(str(path))
        self.library.nibble_last_error.restype = c_char_p
        for name, arguments in SIGNATURES.items():
            function = getattr(self.library, name)
            function.argtypes, function.restype, function.errcheck = arguments, c_int32, self.check
            setattr(self, name.removeprefix("nibble_"), function)

    def check(self, status, function, arguments):
        if status:
            raise RuntimeError(self.library.nibble_last_error().decode())


class Layer:
    """A layer on `device`, of dense Tensors as checkpoints hold them; `g_idx` may be None."""

    def __init__(self, library, bits, group, qweight, qzeros, scales, g_idx, device, config=""):
        self.library, self.handle = library, c_void_p()
        options = Options(ctypes.sizeof(Options), device.encode(), None, config.encode())
        library.layer_create(bits, group, qweight, qzeros, scales, g_idx, None, options, byref(self.handle))

    def workspace_size(self, x):
        needed = c_size_t()
        self.library.layer_workspace_size_for(self.handle, x, byref(needed))
        return needed.value

    def prepare(self, dtype, rows):
        """The schedule and the configuration of the kernel for `rows` rows."""
        kernel = Kernel(ctypes.sizeof(Kernel))
        self.library.layer_prepare(self.handle, dtype, rows, byref(kernel))
        return f"{kernel.schedule.decode()}: {kernel.config.decode()}"

    def tune(self, dtype, rows):
        """What was measured of nibble's own configurations, the fastest first, which runs from then on."""
        tried = []

        def keep(candidate, user):
            if candidate[0].status == 0:
                tried.append({"config": candidate[0].config.decode(), "us": float(f"{candidate[0].median:g}")})

        self.library.layer_tune(self.handle, dtype, rows, None, 0, Tried(keep), None)
        return tried

    def forward(self, x, y, stream=None, workspace=None, workspace_bytes=0):
        self.library.layer_forward(self.handle, x, y, stream, workspace, workspace_bytes)

    def host_call(self, x, y, stream, workspace, workspace_bytes, count):
        """Microseconds of the host for one of `count` calls, which the device is not waited for."""
        us = c_double()
        self.library.bench_host_call(self.handle, x, y, stream, workspace, workspace_bytes, count, byref(us))
        return us.value

    def close(self):
        self.library.layer_destroy(self.handle)
