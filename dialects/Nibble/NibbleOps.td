//===- NibbleOps.td - The operations of the nibble dialect -----*- tablegen -*-===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The operations, in the order in which a kernel uses them.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_OPS_TD
#define NIBBLE_OPS_TD

include "Nibble/Nibble.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Nibble_Op<string mnemonic, list<Trait> traits = []>
    : Op<Nibble_Dialect, mnemonic, traits>;

/// An op that reads a name which the kernel around it declares.
class Nibble_InKernelOp<string mnemonic, list<Trait> traits = []>
    : Nibble_Op<mnemonic, traits> {
  let hasVerifier = 1;
}

def Nibble_FloatTile : TypeConstraint<
    CPred<"::nibble::ir::isFloatTile($_self)">, "tile of floating-point elements">;
def Nibble_WordTile : TypeConstraint<
    CPred<"::nibble::ir::isTileOf($_self, [](::mlir::Type t) { return t.isInteger(32); })">,
    "tile of i32 words">;
def Nibble_CodeTile : TypeConstraint<
    CPred<"::nibble::ir::isTileOf($_self, [](::mlir::Type t) { return ::mlir::isa<CodeType>(t); })">,
    "tile of codes">;
def Nibble_IndexTile : TypeConstraint<
    CPred<"::nibble::ir::isTileOf($_self, [](::mlir::Type t) { return t.isInteger(32); })">,
    "tile of i32 numbers">;

//===----------------------------------------------------------------------===//
// The kernel and its names
//===----------------------------------------------------------------------===//

def KernelOp : Nibble_Op<"kernel", [
    IsolatedFromAbove, Symbol, NoTerminator, SingleBlock,
    DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmBlockArgumentNames"]>]> {
  let summary = "a kernel: names, a grid, matrices and a body";
  let description = [{
    The body computes one block of the grid; a program is one run of it.

    `params` are whole numbers and `types` element types, both known when the
    kernel is compiled. `sizes` are known when it is launched. Each may say what
    divides it (`multiple_of`) or what it may be (`one_of`); a parameter without
    either may be any positive number. `grid` names, for each dimension, the
    size and the block that cuts it: there are `ceil(size / block)` blocks along
    it, and the number of programs is the product.

    Every extent in the body must be whole for every value that the declarations
    allow.

    The names of the arguments are part of the kernel: a launch passes matrices
    by name. Matrices that a kernel stores to are not read by it, and share no
    memory with those it reads.

    An argument attribute `nibble.align` gives bytes that divide its address
    and the distance of its rows; `nibble-specialise` sets it.

    Example:

    ```mlir
    nibble.kernel @copy params [BLOCK multiple_of 8] types [T one_of [f16, f32]]
        sizes [M, N] grid [M by BLOCK, N by BLOCK]
        (%from: !nibble.matrix<M x N x T>, %to: !nibble.matrix<M x N x T>) {
      %pid = nibble.program_id
      %i, %j = nibble.tile_order %pid
      %tile = nibble.load %from[%i, %j]
          : !nibble.matrix<M x N x T> -> !nibble.tile<BLOCK x BLOCK x T>
      nibble.store %tile, %to[%i, %j]
          : !nibble.tile<BLOCK x BLOCK x T>, !nibble.matrix<M x N x T>
    }
    ```
  }];
  let arguments = (ins
    SymbolNameAttr:$sym_name,
    TypedArrayAttrBase<Nibble_ParamAttr, "parameters">:$params,
    TypedArrayAttrBase<Nibble_TypeParamAttr, "type parameters">:$types,
    TypedArrayAttrBase<Nibble_ParamAttr, "sizes">:$sizes,
    TypedArrayAttrBase<Nibble_GridDimAttr, "grid dimensions">:$grid,
    StrArrayAttr:$arg_names,
    OptionalAttr<DictArrayAttr>:$arg_attrs
  );
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    /// The declaration of compile-time parameter `name`, or null.
    ParamAttr findParam(::llvm::StringRef name);
    /// The declaration of size `name`, or null.
    ParamAttr findSize(::llvm::StringRef name);
    /// The declaration of type parameter `name`, or null.
    TypeParamAttr findType(::llvm::StringRef name);
    /// True when no parameter and no type parameter is left.
    bool isSpecialised() { return getParams().empty() && getTypes().empty(); }
    /// The largest number known to divide `extent` (over sizes), at least 1.
    int64_t knownDivisor(ExtentAttr extent);
    /// The most that `extent`, a number or a size, is known to be.
    std::optional<int64_t> knownMost(ExtentAttr extent);
    /// True if every row of `matrix` is known to be whole pieces of 16 bytes,
    /// which begin at multiples of that.
    bool hasWholePieces(::mlir::BlockArgument matrix);
    /// The name of argument `index`.
    ::llvm::StringRef getArgName(unsigned index) {
      return ::mlir::cast<::mlir::StringAttr>(getArgNames()[index]).getValue();
    }
    /// What is known to divide the byte address and the byte stride of
    /// argument `index`; at least the element's own size.
    int64_t getArgAlignment(unsigned index);
  }];
}

def ParamOp : Nibble_InKernelOp<"param", [Pure]> {
  let summary = "the value of a compile-time parameter";
  let description = [{
    As an `index`, or as an `i1` that is true when the parameter is not 0, so
    that `scf.if` can choose between two forms of a kernel. `nibble-specialise`
    replaces it by a constant.

    Example: `%act_order = nibble.param ACT_ORDER : i1`
  }];
  let arguments = (ins StrAttr:$name);
  let results = (outs AnyTypeOf<[I1, Index]>:$result);
  let assemblyFormat = "custom<Name>($name) attr-dict `:` type($result)";
}

def SizeOp : Nibble_InKernelOp<"size", [Pure]> {
  let summary = "the value of a run-time size";
  let description = [{
    Example: `%k = nibble.size K`
  }];
  let arguments = (ins StrAttr:$name);
  let results = (outs Index:$result);
  let assemblyFormat = "custom<Name>($name) attr-dict";
}

def TileCountOp : Nibble_InKernelOp<"tile_count", [Pure]> {
  let summary = "how many blocks cover a size: ceil(size / block)";
  let description = [{
    Example: `%steps = nibble.tile_count K by BLOCK_K`
  }];
  let arguments = (ins Nibble_ExtentAttr:$size, Nibble_ExtentAttr:$block);
  let results = (outs Index:$result);
  let assemblyFormat = "custom<Extent>($size) `by` custom<Extent>($block) attr-dict";
}

def ProgramIdOp : Nibble_InKernelOp<"program_id", [Pure]> {
  let summary = "the number of this program, from 0";
  let description = [{
    Example: `%pid = nibble.program_id`
  }];
  let results = (outs Index:$result);
  let assemblyFormat = "attr-dict";
}

def TileOrderOp : Nibble_InKernelOp<"tile_order", [Pure]> {
  let summary = "the block of the grid that a program computes";
  let description = [{
    Gives a coordinate along each of the grid's two dimensions. Without `group`
    programs go row by row. With `group G` they go through bands of G rows of
    blocks, column by column within a band, so that programs that run at the
    same time share rows and columns in cache. The last band is as high as
    there are rows left.

    For a grid of 3 x 4 blocks and `group 2` the programs come in this order:

    ```
      0  2  4  6
      1  3  5  7
      8  9 10 11
    ```

    Example: `%m, %n = nibble.tile_order %pid group GROUP_M`
  }];
  let arguments = (ins Index:$program, OptionalAttr<Nibble_ExtentAttr>:$group);
  let results = (outs Index:$row, Index:$column);
  let assemblyFormat = "$program (`group` custom<Extent>($group)^)? attr-dict";
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

def LoadOp : Nibble_InKernelOp<"load", [MemoryEffects<[MemRead]>]> {
  let summary = "reads a tile of a matrix";
  let description = [{
    The coordinates count tiles, not elements: coordinate c along a dimension
    names the elements from c times the tile's extent on. Elements outside the
    matrix are not read and have the value `padding`, 0 if none is given.

    Example:
    ```mlir
    %words = nibble.load %qweight[%k, %n] : !nibble.matrix<K * BITS / 32 x N x i32>
        -> !nibble.tile<BLOCK_K * BITS / 32 x BLOCK_N x i32>
    ```
  }];
  let arguments = (ins
    Nibble_MatrixType:$matrix, Variadic<Index>:$coordinates,
    OptionalAttr<I32Attr>:$padding);
  let results = (outs Nibble_TileType:$tile);
  let assemblyFormat = [{
    $matrix `[` $coordinates `]` (`padding` $padding^)? attr-dict
    `:` type($matrix) `->` type($tile)
  }];
}

def GatherOp : Nibble_InKernelOp<"gather", [MemoryEffects<[MemRead]>]> {
  let summary = "reads rows of a matrix by their numbers";
  let description = [{
    Row r of the tile is row `rows[r]` of the matrix, from the column that the
    coordinate names (in tiles, as in `nibble.load`). A row whose number is not
    in the matrix is not read and is 0, and so are elements beyond its end.

    Example:
    ```mlir
    %scale = nibble.gather %scales[%group, %n]
        : !nibble.matrix<G x N x f16>, !nibble.tile<BLOCK_K x i32>
        -> !nibble.tile<BLOCK_K x BLOCK_N x f16>
    ```
  }];
  let arguments = (ins Nibble_MatrixType:$matrix, Nibble_IndexTile:$rows, Index:$column);
  let results = (outs Nibble_TileType:$tile);
  let assemblyFormat = [{
    $matrix `[` $rows `,` $column `]` attr-dict
    `:` type($matrix) `,` type($rows) `->` type($tile)
  }];
}

def GatherColumnsOp : Nibble_InKernelOp<"gather_columns", [MemoryEffects<[MemRead]>]> {
  let summary = "reads columns of a matrix by their numbers";
  let description = [{
    Column c of the tile is column `columns[c]` of the matrix, from the row that
    the coordinate names (in tiles, as in `nibble.load`). A column whose number
    is not in the matrix is not read and is 0, and so are elements beyond its
    end.

    Example:
    ```mlir
    %sorted = nibble.gather_columns %x[%m, %column]
        : !nibble.matrix<M x K x f16>, !nibble.tile<BLOCK_K x i32>
        -> !nibble.tile<BLOCK_M x BLOCK_K x f16>
    ```
  }];
  let arguments = (ins Nibble_MatrixType:$matrix, Index:$row, Nibble_IndexTile:$columns);
  let results = (outs Nibble_TileType:$tile);
  let assemblyFormat = [{
    $matrix `[` $row `,` $columns `]` attr-dict
    `:` type($matrix) `,` type($columns) `->` type($tile)
  }];
}

def StoreOp : Nibble_InKernelOp<"store", [MemoryEffects<[MemWrite]>]> {
  let summary = "writes a tile of a matrix";
  let description = [{
    Coordinates as in `nibble.load`. Elements outside the matrix are not written.

    Example:
    ```mlir
    nibble.store %out, %y[%m, %n]
        : !nibble.tile<BLOCK_M x BLOCK_N x Y>, !nibble.matrix<M x N x Y>
    ```
  }];
  let arguments = (ins Nibble_TileType:$tile, Nibble_MatrixType:$matrix,
                       Variadic<Index>:$coordinates);
  let assemblyFormat = [{
    $tile `,` $matrix `[` $coordinates `]` attr-dict `:` type($tile) `,` type($matrix)
  }];
}

//===----------------------------------------------------------------------===//
// Tiles from nothing
//===----------------------------------------------------------------------===//

def SplatOp : Nibble_Op<"splat", [Pure]> {
  let summary = "a tile of one value";
  let description = [{
    Example: `%zero = nibble.splat 0.0 : !nibble.tile<BLOCK_M x BLOCK_N x f32>`
  }];
  let arguments = (ins F64Attr:$value);
  let results = (outs Nibble_FloatTile:$tile);
  let assemblyFormat = "custom<Number>($value) attr-dict `:` type($tile)";
}

def RowGroupOp : Nibble_InKernelOp<"row_group", [Pure]> {
  let summary = "the groups of a tile's rows where groups are consecutive rows";
  let description = [{
    Element r of the tile is the group of row `c * R + r` of a matrix with
    `rows` rows, where c is the coordinate and R the tile's extent: that row
    divided by the size of a group. Rows beyond the last have group -1.

    Example:
    ```mlir
    %group = nibble.row_group %k of K by GROUP_SIZE : !nibble.tile<BLOCK_K x i32>
    ```
  }];
  let arguments = (ins Index:$coordinate, Nibble_ExtentAttr:$rows, Nibble_ExtentAttr:$group_size);
  let results = (outs Nibble_IndexTile:$tile);
  let assemblyFormat = [{
    $coordinate `of` custom<Extent>($rows) `by` custom<Extent>($group_size)
    attr-dict `:` type($tile)
  }];
}

//===----------------------------------------------------------------------===//
// Packed integers
//===----------------------------------------------------------------------===//

def UnpackOp : Nibble_Op<"unpack", [Pure]> {
  let summary = "takes codes out of words by shifts";
  let description = [{
    A line of words along `axis` is one stream of bits, low bits first: code i
    lies at bits [width * i, width * i + width) of it. Codes of 2, 4 and 8 bits
    lie in one word each; one of 3 bits may lie across two (nibble/Codec.h).

    Example:
    ```mlir
    %q = nibble.unpack %words along 0
        : !nibble.tile<BLOCK_K * BITS / 32 x BLOCK_N x i32>
        -> !nibble.tile<BLOCK_K x BLOCK_N x !nibble.code<BITS>>
    ```
  }];
  let arguments = (ins Nibble_WordTile:$words, I64Attr:$axis);
  let results = (outs Nibble_CodeTile:$codes);
  let assemblyFormat = "$words `along` custom<Axis>($axis) attr-dict `:` type($words) `->` type($codes)";
  let hasVerifier = 1;
}

def PackOp : Nibble_Op<"pack", [Pure]> {
  let summary = "puts codes into words, the inverse of unpack";
  let description = [{
    Example:
    ```mlir
    %words = nibble.pack %q along 1
        : !nibble.tile<BLOCK_K x BLOCK_N x !nibble.code<BITS>>
        -> !nibble.tile<BLOCK_K x BLOCK_N * BITS / 32 x i32>
    ```
  }];
  let arguments = (ins Nibble_CodeTile:$codes, I64Attr:$axis);
  let results = (outs Nibble_WordTile:$words);
  let assemblyFormat = "$codes `along` custom<Axis>($axis) attr-dict `:` type($codes) `->` type($words)";
  let hasVerifier = 1;
}

def PackFragmentsOp : Nibble_InKernelOp<"pack_fragments", [Pure]> {
  let summary = "puts codes into words in the order of tensor cores' fragments";
  let description = [{
    Cuts a tile of codes into units of 16 columns by 128 rows of 2 or 3 bits,
    64 of 4 or 32 of 8. Row u of the result has the units of row u of units, one
    after another, 128 words each, 192 with 3 bits. lib/Layout/PackedOrder.h
    says which code lies in which words and at which bits; a lane's words hold
    its elements of operand A of mma.m16n8k16, with columns of the tile as A's
    rows.

    Example:
    ```mlir
    %packed = nibble.pack_fragments %q
        : !nibble.tile<BLOCK_K x BLOCK_N x !nibble.code<BITS>>
        -> !nibble.tile<1 x BLOCK_N * BLOCK_K * BITS / 32 x i32>
    ```
  }];
  let arguments = (ins Nibble_CodeTile:$codes);
  let results = (outs Nibble_WordTile:$words);
  let assemblyFormat = "$codes attr-dict `:` type($codes) `->` type($words)";
}

def DequantizeOp : Nibble_Op<"dequantize", [Pure]> {
  let summary = "turns codes into numbers with a scale and a zero point each";
  let description = [{
    Each element is `(code - z) * scale`, rounded once to the result's element
    type, where z is the stored zero point, plus one modulo 2^width if
    `stored_minus_one` is given, as GPTQ's first format stores it: a stored 15
    at 4 bits is the zero point 0.

    Example:
    ```mlir
    %w = nibble.dequantize %q, zero %z stored_minus_one, scale %s
        : !nibble.tile<BLOCK_K x BLOCK_N x !nibble.code<BITS>>,
          !nibble.tile<BLOCK_K x BLOCK_N x f16> -> !nibble.tile<BLOCK_K x BLOCK_N x T>
    ```
  }];
  let arguments = (ins Nibble_CodeTile:$codes, Nibble_CodeTile:$zeros,
                       UnitAttr:$stored_minus_one, Nibble_FloatTile:$scales);
  let results = (outs Nibble_FloatTile:$weights);
  let assemblyFormat = [{
    $codes `,` `zero` $zeros (`stored_minus_one` $stored_minus_one^)? `,` `scale` $scales
    attr-dict `:` custom<CodesAndScales>(type($codes), type($zeros), type($scales))
    `->` type($weights)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Arithmetic on tiles
//===----------------------------------------------------------------------===//

def RoundOp : Nibble_Op<"round", [Pure]> {
  let summary = "converts elements to another floating-point type";
  let description = [{
    To the nearest value, to even on a tie; a wider type holds every value.

    Example:
    ```mlir
    %out = nibble.round %acc
        : !nibble.tile<BLOCK_M x BLOCK_N x f32> -> !nibble.tile<BLOCK_M x BLOCK_N x Y>
    ```
  }];
  let arguments = (ins Nibble_FloatTile:$value);
  let results = (outs Nibble_FloatTile:$result);
  let assemblyFormat = "$value attr-dict `:` type($value) `->` type($result)";
  let hasVerifier = 1;
}

def DotOp : Nibble_Op<"dot", [Pure, AllTypesMatch<["acc", "result"]>]> {
  let summary = "acc + lhs * rhs, accumulated in fp32";
  let description = [{
    The products are exact and summed in fp32; the order of the sum belongs to
    the schedule and is the same from run to run.

    Example:
    ```mlir
    %next = nibble.dot %a, %w, %acc
        : !nibble.tile<BLOCK_M x BLOCK_K x T>, !nibble.tile<BLOCK_K x BLOCK_N x T>
        -> !nibble.tile<BLOCK_M x BLOCK_N x f32>
    ```
  }];
  let arguments = (ins Nibble_FloatTile:$lhs, Nibble_FloatTile:$rhs, Nibble_FloatTile:$acc);
  let results = (outs Nibble_FloatTile:$result);
  let assemblyFormat = [{
    $lhs `,` $rhs `,` $acc attr-dict `:` type($lhs) `,` type($rhs) `->` type($result)
  }];
  let hasVerifier = 1;
}

def AddOp : Nibble_Op<"add", [Pure, SameOperandsAndResultType]> {
  let summary = "the sum of two tiles, element by element";
  let description = [{
    Example: `%sum = nibble.add %acc, %bias : !nibble.tile<BLOCK_M x BLOCK_N x f32>`
  }];
  let arguments = (ins Nibble_FloatTile:$lhs, Nibble_FloatTile:$rhs);
  let results = (outs Nibble_FloatTile:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($result)";
}

def BroadcastOp : Nibble_Op<"broadcast", [Pure]> {
  let summary = "repeats a row for every row of a tile";
  let description = [{
    Example:
    ```mlir
    %rows = nibble.broadcast %bias
        : !nibble.tile<BLOCK_N x f32> -> !nibble.tile<BLOCK_M x BLOCK_N x f32>
    ```
  }];
  let arguments = (ins Nibble_FloatTile:$row);
  let results = (outs Nibble_FloatTile:$tile);
  let assemblyFormat = "$row attr-dict `:` type($row) `->` type($tile)";
  let hasVerifier = 1;
}

#endif // NIBBLE_OPS_TD
