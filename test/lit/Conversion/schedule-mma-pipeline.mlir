// RUN: nibble-opt %kernels/matmul_248.mlir --nibble-specialise="config=BITS=4,ACT_ORDER=0,HAS_BIAS=1,BLOCK_M=16,BLOCK_N=64,BLOCK_K=256,GROUP_SIZE=128,GROUP_M=8,X=f16,T=f16,Y=f16,S=f16,N%64,K%256,x@16,y@4,packed=128" --nibble-schedule-mma-packed="warps=4 stages=4 prefetch=0" | FileCheck %s --check-prefix=MMA
// RUN: nibble-opt %kernels/matmul_248.mlir --nibble-specialise="config=BITS=4,ACT_ORDER=0,HAS_BIAS=0,BLOCK_M=128,BLOCK_N=128,BLOCK_K=128,GROUP_SIZE=128,GROUP_M=8,X=f16,T=f16,Y=f16,S=f16,N%128,K%128,x@16,y@4,packed=128" --nibble-schedule-mma-packed="warps=8 stages=4 wgmma=1 shared-bytes=232448 prefetch=0" | FileCheck %s --check-prefix=WGMMA
// RUN: nibble-opt %kernels/matmul_248.mlir --nibble-specialise="config=BITS=8,ACT_ORDER=0,HAS_BIAS=0,BLOCK_M=64,BLOCK_N=64,BLOCK_K=256,GROUP_SIZE=128,GROUP_M=8,X=bf16,T=bf16,Y=bf16,S=f16,N%64,K%256,x@16,y@4,packed=64" --nibble-schedule-mma-packed="warps=8 stages=4 wgmma=1 prefetch=0" | FileCheck %s --check-prefix=PARTS
// RUN: nibble-opt %kernels/matmul_248.mlir --nibble-specialise="config=BITS=3,ACT_ORDER=0,HAS_BIAS=0,BLOCK_M=32,BLOCK_N=64,BLOCK_K=256,GROUP_SIZE=128,GROUP_M=8,X=f16,T=f16,Y=f16,S=f16,N%8,K%8,x@16,y@4,packed=32" --nibble-schedule-mma-packed="warps=4 stages=4 splits=2 overlap=1 prefetch=0" | FileCheck %s --check-prefix=RAGGED
// RUN: nibble-opt %kernels/matmul_248.mlir --nibble-specialise="config=BITS=8,ACT_ORDER=1,HAS_BIAS=0,BLOCK_M=8,BLOCK_N=64,BLOCK_K=128,GROUP_SIZE=128,GROUP_M=8,X=f16,T=f16,Y=f16,S=f16,N%64,K%128,x@16,y@4,packed=128" --nibble-schedule-mma-packed="warps=4 stages=4 prefetch=0" | FileCheck %s --check-prefix=GATHER
// RUN: nibble-opt %kernels/matmul_248.mlir --nibble-specialise="config=BITS=8,ACT_ORDER=1,HAS_BIAS=0,BLOCK_M=64,BLOCK_N=64,BLOCK_K=128,GROUP_SIZE=128,GROUP_M=8,X=f16,T=f16,Y=f16,S=f16,N%64,K%128,x@16,y@4,packed=128" --nibble-schedule-mma-packed="warps=4 stages=4 wgmma=1 prefetch=0" | FileCheck %s --check-prefix=TURNS
// RUN: nibble-opt %kernels/matmul_248.mlir --nibble-specialise="config=BITS=4,ACT_ORDER=0,HAS_BIAS=0,BLOCK_M=64,BLOCK_N=64,BLOCK_K=128,GROUP_SIZE=128,GROUP_M=8,X=bf16,T=bf16,Y=bf16,S=f16,N%64,K%128,x@16,y@4,packed=128" --nibble-schedule-mma-packed="warps=4 stages=4 wgmma=1 prefetch=0" | FileCheck %s --check-prefix=SCALED
// RUN: nibble-opt %kernels/matmul_248.mlir --nibble-specialise="config=BITS=4,ACT_ORDER=1,HAS_BIAS=0,BLOCK_M=8,BLOCK_N=64,BLOCK_K=256,GROUP_SIZE=128,GROUP_M=8,X=f16,T=f16,Y=f16,S=f16,N%64,K%8,K<=1536,M<=3,x@16,g_idx@16,packed=128" --nibble-schedule-mma-packed="warps=4 stages=4 overlap=1 held=1 prefetch=0" | FileCheck %s --check-prefix=HELD
// Packed weights and x pass through a ring of stages in shared memory.

// Four warps multiply, four fill stages in turn. Four stages: 128 x 16
// activations in 4096 bytes, two units of codes of 64 columns in 2048 each,
// their scales in 256, to a multiple of 1024; then room to begin at such a
// multiple, and two barriers of 8 bytes a stage.
// MMA-LABEL: llvm.func @matmul_248(
// MMA-SAME: nibble.schedule = "mma_packed", nibble.shared_bytes = 37952
// MMA-SAME: nibble.threads = 256
// MMA: %[[OF_LANE:.*]] = arith.divui %{{.*}}, %c32_i32
// MMA: %[[WARP:.*]] = nvvm.shfl.sync idx %c-1_i32, %[[OF_LANE]], %c0_i32, %c31_i32
// MMA: %[[PART:.*]] = arith.remui %[[WARP]], %c2_i32
// MMA: %[[STAGES:.*]] = llvm.getelementptr %{{.*}}[%{{.*}}]
// MMA: %[[BARRIERS:.*]] = llvm.getelementptr %[[STAGES]][36864]
// Full: one thread of a warp has brought weights and all 32 x. Empty: the two
// warps have read it that share a part of K.
// MMA: nvvm.mbarrier.init %[[BARRIERS]], %c33_i32
// MMA: %[[EMPTY:.*]] = llvm.getelementptr %[[BARRIERS]][8]
// MMA: nvvm.mbarrier.init %[[EMPTY]], %c64_i32
// MMA-COUNT-6: nvvm.mbarrier.init
// MMA-NOT: nvvm.mbarrier.init
// MMA: nvvm.fence.mbarrier.init
// MMA-NEXT: }
// MMA-NEXT: nvvm.barrier0
// MMA: %[[MULTIPLIES:.*]] = arith.cmpi ult, %[[WARP]], %c4_i32
// MMA: scf.if %[[MULTIPLIES]]
// A warp takes every second step and stage, and waits for the first round of it.
// MMA-NOT: setmaxregister
// MMA: scf.for %{{.*}} = %[[PART]] to %[[STEPS:.*]] step %c2_i32 iter_args({{.*}}, %[[STAGE:[^ ]+]] = %[[PART]], %[[PARITY:[^ ]+]] = %c0_i32) ->
// MMA: %[[PLACE:.*]] = arith.muli %[[STAGE]], %c16_i32
// MMA: %[[FULL:.*]] = llvm.getelementptr %[[BARRIERS]][%[[PLACE]]]
// MMA-NEXT: mbarrier.try_wait.parity{{.*}} %[[FULL]], %[[PARITY]] :
// MMA-COUNT-4: llvm.load %{{.*}} : !llvm.ptr<3> -> vector<4xi32>
// MMA-COUNT-2: llvm.load %{{.*}} : !llvm.ptr<3> -> vector<2xi32>
// Eight steps of 16, two tiles of columns, two of rows.
// MMA-COUNT-32: nvvm.mma.sync
// MMA-NOT: nvvm.mma.sync
// MMA: %[[INPLACE:.*]] = arith.addi %{{.*}}, %c8_i32
// MMA: %[[EMPTY:.*]] = llvm.getelementptr %[[BARRIERS]][%[[INPLACE]]]
// MMA-NEXT: nvvm.mbarrier.arrive %[[EMPTY]]
// MMA: %[[NEXT:.*]] = arith.addi %[[STAGE]], %c2_i32
// MMA: %[[INSIDE:.*]] = arith.cmpi ult, %[[NEXT]], %c4_i32
// MMA: %[[OTHER:.*]] = arith.xori %[[PARITY]], %c1_i32
// MMA: arith.select %[[INSIDE]], %[[PARITY]], %[[OTHER]]
// The sums of the two parts of K, where stages were, and the bias. Only threads
// that multiply take part.
// MMA: nvvm.barrier id = %c1_i32 number_of_threads = %c128_i32
// MMA: llvm.store %{{.*}} : f32, !llvm.ptr<3>
// MMA: nvvm.barrier id = %c1_i32 number_of_threads = %c128_i32
// MMA-COUNT-2: llvm.load %{{.*}} !llvm.ptr<3> -> vector<4xf32>
// MMA: llvm.load %{{.*}} !llvm.ptr<1> -> vector<4xf32>
// MMA: llvm.store %{{.*}} !llvm.ptr<1>
// A warp that fills stages takes every fourth. An empty ring is waited for as if
// a round had been read. One thread brings weights, all bring x: two rows of 16
// pieces at a time.
// MMA: %[[TEAM:.*]] = arith.addi %[[WARP]], %c-4_i32
// MMA: scf.for %{{.*}} = %[[TEAM]] to %[[STEPS]] step %c4_i32 iter_args(%[[STAGE:[^ ]+]] = %[[TEAM]], %[[PARITY:[^ ]+]] = %c1_i32) ->
// MMA: %[[PLACE:.*]] = arith.muli %[[STAGE]], %c16_i32
// MMA: %[[INPLACE:.*]] = arith.addi %[[PLACE]], %c8_i32
// MMA: %[[EMPTY:.*]] = llvm.getelementptr %[[BARRIERS]][%[[INPLACE]]]
// MMA-NEXT: mbarrier.try_wait.parity{{.*}} %[[EMPTY]], %[[PARITY]] :
// MMA: nvvm.elect.sync
// MMA: %[[FULL:.*]] = llvm.getelementptr %[[BARRIERS]][%[[PLACE]]]
// MMA: nvvm.mbarrier.arrive.expect_tx %[[FULL]], %c4352_i32
// MMA-COUNT-2: nvvm.cp.async.bulk.shared.cluster.global %{{.*}}, %{{.*}}, %[[FULL]], %c2048_i32
// MMA: nvvm.cp.async.bulk.shared.cluster.global %{{.*}}, %{{.*}}, %[[FULL]], %c256_i32
// MMA-NOT: cp.async.bulk
// MMA-COUNT-8: nvvm.cp.async.shared.global {{.*}}, 16, cache = cg
// MMA-NOT: cp.async.shared
// MMA: nvvm.cp.async.mbarrier.arrive {{.*}} {noinc = true}
// MMA: arith.addi %[[STAGE]], %c4_i32

// Eight warps multiply, four at a time; four bring weights and x, and give them
// registers. Each warp says that it has read a stage.
// WGMMA-LABEL: llvm.func @matmul_248(
// WGMMA-SAME: nibble.shared_bytes = 169024
// WGMMA-SAME: nibble.threads = 384
// WGMMA: nvvm.mbarrier.init %[[BARRIERS:.*]], %c129_i32
// WGMMA: nvvm.mbarrier.init %{{.*}}, %c256_i32
// WGMMA: scf.if
// WGMMA-NEXT: nvvm.setmaxregister increase 232
// The first fragments, then in turn: products of 64 rows of K begin, the next
// fragments are decoded meanwhile, the products are waited for. x has come by
// copies that the tensor cores do not see by themselves.
// WGMMA: mbarrier.try_wait.parity
// WGMMA-NEXT: nvvm.fence.proxy {kind = #nvvm.proxy_kind<async.shared>, space = #nvvm.shared_space<cta>}
// WGMMA: llvm.inline_asm has_side_effects "", "=r,
// WGMMA: scf.for
// WGMMA-NOT: mbarrier
// WGMMA: nvvm.wgmma.fence.aligned
// WGMMA-COUNT-4: wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16 {
// WGMMA-NOT: wgmma.mma_async
// WGMMA: nvvm.wgmma.commit.group.sync.aligned
// WGMMA: llvm.inline_asm has_side_effects "", "=r,
// WGMMA: nvvm.wgmma.wait.group.sync.aligned 0
// WGMMA: nvvm.wgmma.fence.aligned
// WGMMA-COUNT-4: wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16 {
// WGMMA-NOT: wgmma.mma_async
// WGMMA: nvvm.wgmma.commit.group.sync.aligned
// WGMMA: scf.if
// WGMMA: mbarrier.try_wait.parity
// WGMMA-NEXT: nvvm.fence.proxy
// WGMMA: llvm.inline_asm has_side_effects "", "=r,
// WGMMA: nvvm.wgmma.wait.group.sync.aligned 0
// A stage is given back when the tensor cores have read it.
// WGMMA: nvvm.mbarrier.arrive
// WGMMA: nvvm.barrier id = %c1_i32 number_of_threads = %c256_i32
// WGMMA: nvvm.barrier id = %c1_i32 number_of_threads = %c256_i32
// WGMMA: } else {
// WGMMA-NEXT: nvvm.setmaxregister decrease 40
// WGMMA: scf.for
// WGMMA: mbarrier.try_wait.parity
// One thread of the first of these warps brings weights, too; rows of x come 64
// at a time.
// WGMMA: nvvm.elect.sync
// WGMMA: %[[FULL:.*]] = llvm.getelementptr %[[BARRIERS]][%[[PLACE:.*]]]
// WGMMA: nvvm.mbarrier.arrive.expect_tx %[[FULL]], %c8704_i32
// WGMMA-COUNT-2: nvvm.cp.async.bulk.shared.cluster.global %{{.*}}, %{{.*}}, %[[FULL]], %c4096_i32
// WGMMA: nvvm.cp.async.bulk.shared.cluster.global %{{.*}}, %{{.*}}, %[[FULL]], %c512_i32
// WGMMA: scf.for %{{.*}} = %c0_i32 to %{{.*}} step %c64_i32
// WGMMA-COUNT-8: nvvm.cp.async.shared.global {{.*}}, 16, cache = cg
// WGMMA-NOT: cp.async.shared
// WGMMA: %[[FULL:.*]] = llvm.getelementptr %[[BARRIERS]][%[[PLACE]]]
// WGMMA-NEXT: nvvm.cp.async.mbarrier.arrive %[[FULL]] {noinc = true}

// Two times four warps divide K: four of them empty a stage. 64 rows leave
// registers as they are. Two scales a step.
// PARTS: nvvm.mbarrier.init %{{.*}}, %c129_i32
// PARTS: nvvm.mbarrier.init %{{.*}}, %c128_i32
// PARTS-NOT: setmaxregister
// PARTS-COUNT-2: llvm.load %{{.*}} : !llvm.ptr<3> -> vector<2xi32>
// PARTS-NOT: -> vector<2xi32>
// PARTS: scf.for %{{.*}} step %c2_i32 iter_args
// PARTS-COUNT-8: wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {
// PARTS-NOT: wgmma.mma_async
// PARTS: nvvm.mbarrier.arrive.expect_tx %[[FULL:.*]], %c8704_i32
// PARTS-COUNT-4: nvvm.cp.async.bulk.shared.cluster.global %{{.*}}, %{{.*}}, %[[FULL]], %c2048_i32
// PARTS-COUNT-2: nvvm.cp.async.bulk.shared.cluster.global %{{.*}}, %{{.*}}, %[[FULL]], %c256_i32
// PARTS-NOT: {{cp.async.bulk|setmaxregister}}

// Nothing divides: a block has the tiles that are left, and what lies beyond K
// is the last unit and group again, times an x of 0. The kernel before is waited
// for by those that read x, with the weights of a first round on their way, and
// those that write y.
// RAGGED-LABEL: llvm.func @matmul_248(
// RAGGED-SAME: nibble.overlap
// RAGGED-SAME: nibble.splits = 2
// RAGGED-SAME: nibble.threads = 256
// RAGGED-SAME: nvvm.cluster_dim = array<i32: 2, 1, 1>
// RAGGED: nvvm.read.ptx.sreg.ctaid.x
// RAGGED: %[[PART:.*]] = arith.remui %{{.*}}, %c2_i32
// RAGGED: nvvm.griddepcontrol launch_dependents
// RAGGED: %[[STEPS:.*]] = arith.divui %{{.*}}, %c128_i32
// RAGGED: %[[BEFORE:.*]] = arith.muli %[[STEPS]], %[[PART]]
// RAGGED: %[[FIRST:.*]] = arith.divui %[[BEFORE]], %c2_i32
// RAGGED: %[[PARTEND:.*]] = arith.addi %[[PART]], %c1_i32
// RAGGED: %[[UPTO:.*]] = arith.muli %[[STEPS]], %[[PARTEND]]
// RAGGED: %[[END:.*]] = arith.divui %[[UPTO]], %c2_i32
// RAGGED: %[[LEFT:.*]] = arith.subi
// RAGGED: %[[TILES:.*]] = arith.minui %[[LEFT]], %c4_i32
// RAGGED: nvvm.mbarrier.init %{{.*}}, %c65_i32
// RAGGED: nvvm.mbarrier.init %{{.*}}, %c64_i32
// RAGGED: scf.for %{{.*}} to %[[END]] step %c2_i32
// RAGGED-COUNT-64: nvvm.mma.sync
// RAGGED-NOT: nvvm.mma.sync
// RAGGED: llvm.inline_asm {{.*}}"griddepcontrol.wait;", "~{memory}"
// RAGGED: nvvm.barrier id = %c1_i32 number_of_threads = %c128_i32
// RAGGED: nvvm.cluster.arrive
// RAGGED: nvvm.cluster.wait
// RAGGED-COUNT-2: nvvm.mapa
// RAGGED: llvm.store %{{.*}} !llvm.ptr<1>
// RAGGED: nvvm.cluster.arrive
// RAGGED: nvvm.cluster.wait
// RAGGED-NEXT: } else {
// RAGGED: %[[OWN:.*]] = arith.addi %[[FIRST]], %{{.*}}
// RAGGED: %[[ROUND:.*]] = arith.addi %[[FIRST]], %c4_i32
// RAGGED: %[[EARLY:.*]] = arith.minui %[[END]], %[[ROUND]]
// RAGGED: scf.for %[[STEP:.*]] = %[[OWN]] to %[[EARLY]] step %c2_i32
// RAGGED-NOT: try_wait
// RAGGED: %[[BYTES:.*]] = arith.muli %[[TILES]], %c1024_i32
// RAGGED: nvvm.mbarrier.arrive.expect_tx %[[FULL:.*]], %[[BYTES]]
// RAGGED: arith.minui %[[STEP]],
// RAGGED: %[[BYTES:.*]] = arith.muli %[[TILES]], %c768_i32
// RAGGED: nvvm.cp.async.bulk.shared.cluster.global %{{.*}}, %{{.*}}, %[[FULL]], %[[BYTES]]
// RAGGED: arith.minui
// RAGGED: %[[BYTES:.*]] = arith.muli %[[TILES]], %c64_i32
// RAGGED-COUNT-4: nvvm.cp.async.bulk.shared.cluster.global %{{.*}}, %{{.*}}, %[[FULL]], %[[BYTES]]
// RAGGED-NOT: cp.async.bulk
// RAGGED: llvm.inline_asm {{.*}}"griddepcontrol.wait;", "~{memory}"
// RAGGED: scf.for %[[STEP:.*]] = %[[OWN]] to %[[END]] step %c2_i32
// RAGGED: %[[LATER:.*]] = arith.cmpi uge, %[[STEP]], %[[EARLY]]
// RAGGED: scf.if %[[LATER]]
// RAGGED: mbarrier.try_wait.parity
// RAGGED: nvvm.mbarrier.arrive.expect_tx
// RAGGED: %[[SIZE:.*]] = arith.select %{{.*}}, %c16_i32, %c0_i32
// RAGGED: nvvm.cp.async.shared.global {{.*}}, 16, cache = cg, %[[SIZE]]

// x is gathered by the permutation and written by the threads themselves, which
// then say so.
// GATHER: nvvm.mbarrier.init %{{.*}}, %c33_i32
// GATHER-COUNT-8: nvvm.mma.sync
// GATHER: mbarrier.try_wait.parity
// GATHER: nvvm.mbarrier.arrive.expect_tx %{{.*}}, %c8448_i32
// GATHER: llvm.load %{{.*}} !llvm.ptr<1> -> i32
// GATHER: llvm.load %{{.*}} !llvm.ptr<1> -> f16
// GATHER-NOT: cp.async.shared
// GATHER: llvm.store %{{.*}} : vector<8xf16>, !llvm.ptr<3>
// GATHER: nvvm.mbarrier.arrive %
// GATHER-NOT: cp.async.shared

// TURNS: wgmma.mma_async.sync.aligned.m64n64k16
// TURNS: nvvm.elect.sync
// TURNS: nvvm.mbarrier.arrive.expect_tx
// TURNS: llvm.load %{{.*}} !llvm.ptr<1> -> i32
// TURNS: llvm.store %{{.*}} : vector<8xf16>, !llvm.ptr<3>
// TURNS: nvvm.mbarrier.arrive %

// The sums of a step begin anew, and are scaled once they were waited for.
// SCALED: llvm.mlir.poison : f32
// SCALED: wgmma.mma_async.sync.aligned.m64n64k16{{[^;]*}}x, anew, 1, 1, 0;
// SCALED-SAME: x, adds, 1, 1, 0;
// SCALED-NOT: x, anew
// SCALED: nvvm.wgmma.wait.group.sync.aligned 0
// SCALED: nvvm.mbarrier.arrive
// SCALED: llvm.inline_asm has_side_effects {{.*}}""
// SCALED-COUNT-32: math.fma %{{.*}} : f32
// SCALED-NOT: math.fma %{{.*}} : f32

// Act-order with all of x held: 1536 columns, and eight of 0, of 16 bytes each,
// and 4864 bytes a stage to a multiple of 1024. All threads bring x once the
// kernel before has ended, with the weights of a first round on their way.
// Stages have weights and a part of the permutation, which one thread brings.
// HELD-LABEL: llvm.func @matmul_248(
// HELD-SAME: nibble.shared_bytes = 46272
// HELD: nvvm.mbarrier.init %{{.*}}, %c1_i32
// HELD: nvvm.mbarrier.init %{{.*}}, %c64_i32
// HELD: nvvm.barrier0
// HELD: %[[PERMUTATION:.*]] = arith.minui %{{.*}}, %c512_i32
// HELD: %[[ALL:.*]] = arith.addi %[[PERMUTATION]], %c4352_i32
// HELD: nvvm.mbarrier.arrive.expect_tx %[[FULL:.*]], %[[ALL]]
// HELD-COUNT-2: nvvm.cp.async.bulk.shared.cluster.global %{{.*}}, %{{.*}}, %[[FULL]], %c2048_i32
// HELD: nvvm.cp.async.bulk.shared.cluster.global %{{.*}}, %{{.*}}, %[[FULL]], %c256_i32
// HELD: nvvm.cp.async.bulk.shared.cluster.global %{{.*}}, %{{.*}}, %[[FULL]], %[[PERMUTATION]]
// HELD: llvm.inline_asm {{.*}}"griddepcontrol.wait;", "~{memory}"
// Two pieces of three rows at a time, of which each column takes 8 bytes.
// HELD: scf.for %{{.*}} step %c512_i32
// HELD-COUNT-6: llvm.load %{{.*}} !llvm.ptr<1> -> vector<4xi32>
// HELD-COUNT-16: llvm.store %{{.*}} : vector<2xi32>, !llvm.ptr<3>
// HELD-NOT: vector<2xi32>, !llvm.ptr<3>
// HELD: llvm.store %cst, %{{.*}} : vector<4xi32>, !llvm.ptr<3>
// HELD: nvvm.barrier0
// Each of 32 lanes names a column for ldmatrix, one of 0 beyond K.
// HELD: %[[COLUMN:.*]] = llvm.load %{{.*}} !llvm.ptr<3> -> i32
// HELD: %[[THERE:.*]] = arith.select %{{.*}}, %[[COLUMN]], %c1536_i32
// HELD: %[[OF8:.*]] = arith.divui %[[THERE]], %c8_i32
// HELD: %[[TURNED:.*]] = arith.remui %[[OF8]], %c8_i32
// HELD: arith.xori %[[THERE]], %[[TURNED]]
// HELD-COUNT-4: nvvm.ldmatrix {{.*}}layout = #nvvm.mma_layout<col>
// HELD-NOT: nvvm.ldmatrix
// HELD: else
// HELD-NOT: griddepcontrol
// HELD-NOT: mbarrier.arrive %
