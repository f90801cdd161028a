//===- Nibble.td - The nibble dialect --------------------------*- tablegen -*-===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The dialect, its attributes and its types. The operations are in
// NibbleOps.td; README.md walks through a kernel.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_TD
#define NIBBLE_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/OpBase.td"

def Nibble_Dialect : Dialect {
  let name = "nibble";
  let cppNamespace = "::nibble::ir";
  let summary = "Kernels over tiles of matrices with packed integer weights";
  let description = [{
    A kernel of this dialect is parameterised by names: block sizes, bits and
    group size are known when it is compiled, the sizes of its matrices when it
    is launched. Its values are tiles, rectangles of elements whose extents are
    expressions over those names. How a tile lies over threads, registers and
    memory is no part of the dialect; a schedule decides it.
  }];
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

class Nibble_Attr<string name, string attrMnemonic> : AttrDef<Nibble_Dialect, name> {
  let mnemonic = attrMnemonic;
}

def Nibble_ExtentAttr : Nibble_Attr<"Extent", "extent"> {
  let summary = "an expression over named parameters, in normal form";
  let description = [{
    Two extents that are equal for all values of their names are one attribute.
    See Extent.h for the normal form.

    Example: `#nibble.extent<BLOCK_K * BITS / 32>`
  }];
  let parameters = (ins StringRefParameter<"the normal form's text">:$text);
  let builders = [
    AttrBuilder<(ins "const ::nibble::ir::Extent &":$extent), [{
      return $_get($_ctxt, extent.str());
    }]>
  ];
  let extraClassDeclaration = [{
    /// The expression this text stands for.
    ::nibble::ir::Extent getExtent() const;
    /// The number this extent is, if it holds no name.
    std::optional<int64_t> asInteger() const;
  }];
  let hasCustomAssemblyFormat = 1;
}

def Nibble_ParamAttr : Nibble_Attr<"Param", "param"> {
  let summary = "a named whole number with what is known of it";
  let description = [{
    Declares a compile-time parameter or a run-time size. `multipleOf` is a
    product that divides it without rest; `choices`, if any, are the values it
    may take. The product need not be whole itself: with codes of 3 bits,
    `K multiple_of 32 / BITS` says that `K / (32 / 3)` is whole, and K with it,
    which is that 32 divides K.

    Example: `#nibble.param<BITS one_of [2, 3, 4, 8]>`,
    `#nibble.param<K multiple_of 32 / BITS>`
  }];
  let parameters = (ins
    StringRefParameter<"the name">:$name,
    "ExtentAttr":$multipleOf,
    OptionalArrayRefParameter<"int64_t", "the values it may take">:$choices
  );
  let hasCustomAssemblyFormat = 1;
}

def Nibble_TypeParamAttr : Nibble_Attr<"TypeParam", "type_param"> {
  let summary = "a named element type with what it may be";
  let description = [{
    Example: `#nibble.type_param<X one_of [f16, bf16, f32]>`
  }];
  let parameters = (ins
    StringRefParameter<"the name">:$name,
    ArrayRefParameter<"::mlir::Type", "the types it may be">:$choices
  );
  let hasCustomAssemblyFormat = 1;
}

def Nibble_GridDimAttr : Nibble_Attr<"GridDim", "grid_dim"> {
  let summary = "one dimension of a kernel's grid: a size cut into blocks";
  let description = [{
    Example: `#nibble.grid_dim<M by BLOCK_M>`
  }];
  let parameters = (ins
    "ExtentAttr":$size,
    "ExtentAttr":$block
  );
  let hasCustomAssemblyFormat = 1;
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

class Nibble_Type<string name, string typeMnemonic> : TypeDef<Nibble_Dialect, name> {
  let mnemonic = typeMnemonic;
}

def Nibble_TileType : Nibble_Type<"Tile", "tile"> {
  let summary = "a rectangle of elements, the value that kernels compute with";
  let description = [{
    One or two extents over the kernel's compile-time parameters, outermost
    first, then the element type. A tile has no address and no place yet.

    Extents are set apart by ` x ` with spaces, since `0x32` is a hexadecimal
    number and `BLOCK_Mx64` a name.

    Example: `!nibble.tile<BLOCK_M x BLOCK_K x f16>`
  }];
  let parameters = (ins
    ArrayRefParameter<"ExtentAttr", "outermost first">:$shape,
    "::mlir::Type":$elementType
  );
  let genVerifyDecl = 1;
  let hasCustomAssemblyFormat = 1;
  let extraClassDeclaration = [{
    int64_t getRank() const { return getShape().size(); }
    /// The extent of dimension `dim` as a number; the type must be
    /// specialised (isStatic).
    int64_t getDim(int64_t dim) const { return *getShape()[dim].asInteger(); }
    /// True when every extent is a number.
    bool isStatic() const;
    /// This type with another element type.
    TileType withElement(::mlir::Type element) const {
      return get(getContext(), getShape(), element);
    }
  }];
}

def Nibble_MatrixType : Nibble_Type<"Matrix", "matrix"> {
  let summary = "a matrix or vector in memory, an argument of a kernel";
  let description = [{
    One or two extents over the kernel's parameters and sizes, then the element
    type. Elements of a row lie next to each other; rows lie a run-time stride
    apart. `strided` says that elements of a row, too, lie a run-time stride
    apart, unless a configuration knows how rows are aligned (`x@16`).

    Example: `!nibble.matrix<K * BITS / 32 x N x i32>`
  }];
  let parameters = (ins
    ArrayRefParameter<"ExtentAttr", "outermost first">:$shape,
    "::mlir::Type":$elementType,
    "bool":$strided
  );
  let genVerifyDecl = 1;
  let hasCustomAssemblyFormat = 1;
  let extraClassDeclaration = [{
    int64_t getRank() const { return getShape().size(); }
  }];
}

def Nibble_CodeType : Nibble_Type<"Code", "code"> {
  let summary = "an unsigned integer of a few bits";
  let description = [{
    What `nibble.unpack` takes out of a word: a value in [0, 2^width).

    Example: `!nibble.code<BITS>`
  }];
  let parameters = (ins "ExtentAttr":$width);
  let hasCustomAssemblyFormat = 1;
  let extraClassDeclaration = [{
    /// The width in bits as a number; the type must be specialised.
    int64_t getBits() const { return *getWidth().asInteger(); }
    /// How such codes lie in words; the type must be specialised.
    ::nibble::Codec getCodec() const { return {static_cast<int>(getBits())}; }
  }];
}

def Nibble_NamedType : Nibble_Type<"Named", "named"> {
  let summary = "an element type that is a parameter of the kernel";
  let description = [{
    Inside a tile or matrix the name stands on its own.

    Example: `!nibble.tile<BLOCK_M x BLOCK_K x X>`
  }];
  let parameters = (ins StringRefParameter<"the name">:$name);
  let assemblyFormat = "`<` $name `>`";
}

#endif // NIBBLE_TD
