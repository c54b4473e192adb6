"""Sixteen float32 side by side in compiled loops: vectors that stay in registers, where an array would go to memory."""

from __future__ import annotations

import math
import operator
import platform
from collections.abc import Callable
from typing import Any

import torch
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel.models import PrimitiveModel
from numba.core.errors import TypingError
from numba.extending import intrinsic, overload, register_model

LANES = 16  # one vector of AVX-512, two of AVX2, four of NEON
FLOATS, INTS = ir.VectorType(ir.FloatType(), LANES), ir.VectorType(ir.IntType(32), LANES)
# Where a processor has such vectors, and multiplies and adds in one go.
FAST = platform.machine() in ("aarch64", "arm64") or torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
FASTMATH = ("contract", "reassoc", "nsz")
built_in: Any = intrinsic  # it is called with other arguments than it is written with

# exp(x) = 2^n exp(r), n the whole number nearest to x / ln 2, which adding WHOLE leaves in the last bits: ln 2 in two
# parts, so that n of the first is exact, and the polynomial of Cephes' expf on |r| < ln 2 / 2. Below LOWEST the result
# would not be a normal number: it is 0.
WHOLE = 1.5 * 2**23
LN2_HIGH, LN2_LOW = 0.693359375, -2.12194440e-4
POLYNOMIAL = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
LOWEST = -87.0


class Lanes(types.Type):
    """The type of sixteen float32."""

    def __init__(self) -> None:
        super().__init__(name="Lanes")


lanes = Lanes()


@register_model(Lanes)
class _Model(PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, FLOATS)


@built_in
def load(typing: Any, array: Any, index: Any) -> Any:
    """The numbers of a float32 ``array`` from ``index``, a tuple, on; the last axis must lie in one piece."""
    _require_float32(array)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(_pointer(context, builder, array, *arguments), align=4)

    return lanes(array, index), code


@built_in
def store(typing: Any, array: Any, index: Any, v: Any) -> Any:
    """Write ``v`` to where :func:`load` would read it."""
    _require_float32(array)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        *place, value = arguments
        builder.store(value, _pointer(context, builder, array, *place), align=4)
        return context.get_dummy_value()

    return types.void(array, index, v), code


@built_in
def splat(typing: Any, a: Any) -> Any:
    """The same float32 in every lane."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        nothing = ir.Constant(FLOATS, ir.Undefined)
        first = builder.insert_element(nothing, arguments[0], ir.IntType(32)(0))
        return builder.shuffle_vector(first, nothing, ir.Constant(INTS, [0] * LANES))

    return lanes(types.float32), code


@built_in
def fma(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """``a b + c``."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _call(builder, "fmuladd", *arguments)

    return lanes(a, b, c), code


@built_in
def maximum(typing: Any, a: Any, b: Any) -> Any:
    """The larger of both in every lane, ``a`` where either is NaN."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _larger(builder, *arguments)

    return lanes(a, b), code


@built_in
def minimum(typing: Any, a: Any, b: Any) -> Any:
    """The smaller of both in every lane, ``b`` where either is NaN."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.select(builder.fcmp_ordered("<", *arguments), *arguments)

    return lanes(a, b), code


@built_in
def where_positive(typing: Any, a: Any, b: Any) -> Any:
    """``b`` where ``a > 0``, else 0."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, b = arguments
        return builder.select(builder.fcmp_ordered(">", a, _constant(0)), b, _constant(0))

    return lanes(a, b), code


@built_in
def total(typing: Any, v: Any) -> Any:
    """The sum of all lanes."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _folded(builder, arguments[0], lambda a, b: builder.fadd(a, b, FASTMATH))

    return types.float32(v), code


@built_in
def highest(typing: Any, v: Any) -> Any:
    """The largest of all lanes."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _folded(builder, arguments[0], lambda a, b: _larger(builder, a, b))

    return types.float32(v), code


@built_in
def exp(typing: Any, v: Any) -> Any:
    """``e^v`` to 2 units in the last place, 0 below ``LOWEST``; ``v`` must be at most 88. Source: Cephes, expf."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (given,) = arguments
        x = _larger(builder, given, _constant(LOWEST))
        shifted = _call(builder, "fmuladd", x, _constant(1 / math.log(2)), _constant(WHOLE))
        n = builder.fsub(shifted, _constant(WHOLE))
        r = _call(builder, "fmuladd", n, _constant(-LN2_HIGH), x)
        r = _call(builder, "fmuladd", n, _constant(-LN2_LOW), r)
        p = _constant(POLYNOMIAL[0])
        for coefficient in POLYNOMIAL[1:]:
            p = _call(builder, "fmuladd", p, r, _constant(coefficient))
        p = _call(builder, "fmuladd", p, builder.fmul(r, r), builder.fadd(r, _constant(1)))
        exponent = builder.shl(builder.bitcast(shifted, INTS), ir.Constant(INTS, [23] * LANES))
        power = builder.bitcast(builder.add(exponent, ir.Constant(INTS, [127 << 23] * LANES)), FLOATS)
        lost = builder.fcmp_ordered("<", given, _constant(LOWEST))
        return builder.select(lost, _constant(0), builder.fmul(p, power))

    return lanes(v), code


def _arithmetic(name: str) -> Any:
    @built_in
    def operation(typing: Any, a: Any, b: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return getattr(builder, name)(*arguments, FASTMATH)

        return lanes(a, b), code

    return operation


def _register(sign: Any, name: str) -> None:
    operation = _arithmetic(name)

    @overload(sign)
    def _(a, b):
        if isinstance(a, Lanes) and isinstance(b, Lanes):
            return lambda a, b: operation(a, b)
        return None


_register(operator.add, "fadd")
_register(operator.sub, "fsub")
_register(operator.mul, "fmul")
_register(operator.truediv, "fdiv")


def _require_float32(array: Any) -> None:
    if not isinstance(array, types.Array) or array.dtype != types.float32:
        raise TypingError(f"lanes are of arrays of float32, not of {array}")


def _pointer(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    at = context.make_array(kind)(context, builder, array)
    first = cgutils.get_item_pointer(context, builder, kind, at, cgutils.unpack_tuple(builder, index, kind.ndim))
    return builder.bitcast(first, FLOATS.as_pointer())


def _constant(a: float) -> Any:
    return ir.Constant(FLOATS, [a] * LANES)


def _call(builder: Any, name: str, *arguments: Any) -> Any:
    """LLVM's own function of that name, of vectors."""
    kind = ir.FunctionType(FLOATS, [FLOATS] * len(arguments))
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v{LANES}f32"), arguments)


def _larger(builder: Any, a: Any, b: Any) -> Any:
    """``a`` where either is NaN."""
    return builder.select(builder.fcmp_unordered(">=", a, b), a, b)


def _folded(builder: Any, v: Any, join: Callable[[Any, Any], Any]) -> Any:
    """The two halves joined, until one number is left."""
    width = LANES
    while width > 1:
        width //= 2
        halves = (ir.Constant(ir.VectorType(ir.IntType(32), width), list(range(at, at + width))) for at in (0, width))
        v = join(*(builder.shuffle_vector(v, ir.Constant(v.type, ir.Undefined), half) for half in halves))
    return builder.extract_element(v, ir.IntType(32)(0))
