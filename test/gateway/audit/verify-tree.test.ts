import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  verifyConsistency,
  verifyInclusion,
  verifySubtreeConsistency,
  verifySubtreeInclusion,
} from '../../../gateway/audit/verify/proofs.ts'
import { partialTiles, type Tile, tileName } from '../../../gateway/audit/verify/layout.ts'
import { consistencyRanges, inclusionRanges, isSubtree, type Range } from '../../../gateway/audit/verify/ranges.ts'
import { proofHashes } from '../../../gateway/audit/verify/tile-proofs.ts'
import { MissingTile, TileTree } from '../../../gateway/audit/verify/tile-tree.ts'
import {
  appended,
  EMPTY,
  emptyRoot,
  type Frontier,
  frontierRoot,
  type Hash,
  leafHash,
  nodeHash,
  rootOf,
  sameHash,
} from '../../../gateway/audit/verify/tree.ts'

const LARGEST = 300
const leaves = Array.from({ length: LARGEST }, (_, index) => leafHash(Uint8Array.of(index % 256, Math.floor(index / 256))))

/** RFC 6962, section 2.1, in its recursive form. Computed roots are kept. */
const known = new Map<string, Hash>()
function rootIn({ start, end }: Range): Hash {
  const key = `${start}-${end}`
  const root = known.get(key) ?? computed(start, end)
  known.set(key, root)
  return root
}
function computed(start: number, end: number): Hash {
  const only = leaves[start]
  if (only === undefined || start === end) return emptyRoot()
  if (end - start === 1) return only
  const middle = start + 2 ** (Math.ceil(Math.log2(end - start)) - 1)
  return nodeHash(rootIn({ start, end: middle }), rootIn({ start: middle, end }))
}

const inclusionProof = (index: number, range: Range): Hash[] => inclusionRanges(index, range).map(rootIn)
const consistencyProof = (range: Range, size: number): Hash[] => consistencyRanges(range, size).map(rootIn)
const flipped = (hash: Hash, bit: number): Hash =>
  hash.map((byte, at) => (at === Math.floor(bit / 8) ? byte ^ (1 << (bit % 8)) : byte))

/** Every proof that differs from the given one by one bit, one hash more or less, or two swapped hashes. */
function* changed(proof: readonly Hash[]): Generator<Hash[]> {
  for (const [at, hash] of proof.entries()) {
    for (let bit = 0; bit < 256; bit++) yield proof.with(at, flipped(hash, bit))
    yield proof.toSpliced(at, 1)
    yield proof.toSpliced(at, 0, hash)
    yield proof.with(at, hash.subarray(1))
    yield proof.with(at, Uint8Array.of(...hash, 0))
    const next = proof[at + 1]
    if (next !== undefined) yield proof.with(at, next).with(at + 1, hash)
  }
  yield [...proof, emptyRoot()]
  yield [emptyRoot(), ...proof]
}

const sizes = fc.integer({ min: 1, max: LARGEST })
const subtrees = fc
  .tuple(fc.integer({ min: 0, max: 8 }), fc.nat(LARGEST), fc.nat(256))
  .map(([level, at, width]) => {
    const start = Math.floor(at / 2 ** level) * 2 ** level
    return { start, end: Math.min(start + Math.max(1, width % (2 ** level + 1)), LARGEST) }
  })
  .filter(({ start, end }) => start < end)

describe('P7: roots', () => {
  it('P7: appending yields the root of RFC 6962 at every size from 0 to 300', () => {
    let frontier: Frontier = EMPTY
    for (let size = 0; size <= LARGEST; size++) {
      expect(sameHash(frontierRoot(frontier), rootIn({ start: 0, end: size })), `size ${size}`).toBe(true)
      const leaf = leaves[size]
      if (leaf !== undefined) frontier = appended(frontier, leaf)
    }
    expect(rootOf(leaves)).toEqual(rootIn({ start: 0, end: LARGEST }))
  })

  it('P7: the empty tree has the known root, and the hashes of leaves and nodes differ', () => {
    const hex = (hash: Hash): string => Buffer.from(hash).toString('hex')
    expect(hex(emptyRoot())).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
    expect(hex(leafHash(new Uint8Array()))).toBe('6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d')
    const [left, right] = [emptyRoot(), emptyRoot()]
    expect(hex(leafHash(Uint8Array.of(...left, ...right)))).not.toBe(hex(nodeHash(left, right)))
  })
})

describe('P7: proofs', () => {
  it('P7: each leaf of each size to 300 is proved at its own place only', () => {
    for (let size = 1; size <= LARGEST; size++) {
      const [root, step] = [rootIn({ start: 0, end: size }), size <= 40 ? 1 : 7]
      for (let index = size % step; index < size; index += step) {
        const proof = inclusionProof(index, { start: 0, end: size })
        const leaf = leaves[index] ?? emptyRoot()
        expect(verifyInclusion(index, size, leaf, proof, root), `${index} of ${size}`).toBe(true)
        expect(verifyInclusion(index + 1, size, leaf, proof, root), `${index} + 1 of ${size}`).toBe(false)
        expect(verifyInclusion(index - 1, size, leaf, proof, root), `${index} - 1 of ${size}`).toBe(false)
      }
    }
  })

  it('P7: each size is proved to be a prefix of each larger size, to 300', () => {
    for (let later = 1; later <= LARGEST; later++) {
      const root = rootIn({ start: 0, end: later })
      const step = later <= 40 ? 1 : 7
      for (let earlier = 1 + (later % step); earlier <= later; earlier += step) {
        const proof = consistencyProof({ start: 0, end: earlier }, later)
        const before = rootIn({ start: 0, end: earlier })
        expect(verifyConsistency(earlier, later, before, root, proof), `${earlier} in ${later}`).toBe(true)
        const other = rootIn({ start: 0, end: earlier - 1 })
        expect(verifyConsistency(earlier, later, other, root, proof), `another root of ${earlier} in ${later}`).toBe(false)
      }
    }
  })

  it('P7: an inclusion proof with one bit, hash or place changed does not verify', () => {
    fc.assert(
      fc.property(sizes, fc.nat(), (size, any) => {
        const [index, root] = [any % size, rootIn({ start: 0, end: size })]
        const leaf = leaves[index] ?? emptyRoot()
        const proof = inclusionProof(index, { start: 0, end: size })
        for (const other of changed(proof)) expect(verifyInclusion(index, size, leaf, other, root)).toBe(false)
        for (let bit = 0; bit < 256; bit++) {
          expect(verifyInclusion(index, size, flipped(leaf, bit), proof, root)).toBe(false)
          expect(verifyInclusion(index, size, leaf, proof, flipped(root, bit))).toBe(false)
        }
      }),
      { numRuns: 12 },
    )
  })

  it('P7: a consistency proof with one bit, hash or place changed does not verify', () => {
    fc.assert(
      fc.property(sizes, fc.nat(), (later, any) => {
        const earlier = 1 + (any % later)
        const proof = consistencyProof({ start: 0, end: earlier }, later)
        const [before, root] = [rootIn({ start: 0, end: earlier }), rootIn({ start: 0, end: later })]
        expect(verifyConsistency(earlier, later, before, root, proof)).toBe(true)
        for (const other of changed(proof)) expect(verifyConsistency(earlier, later, before, root, other)).toBe(false)
        for (let bit = 0; bit < 256; bit++) {
          expect(verifyConsistency(earlier, later, flipped(before, bit), root, proof)).toBe(false)
          expect(verifyConsistency(earlier, later, before, flipped(root, bit), proof)).toBe(false)
        }
      }),
      { numRuns: 12 },
    )
  })

  it('P7: only unchanged proofs verify for leaves in subtrees and for subtrees in larger trees', () => {
    fc.assert(
      fc.property(subtrees, fc.nat(), fc.nat(), fc.nat(), (subtree, anyLeaf, anySize, anyBit) => {
        fc.pre(isSubtree(subtree))
        const { start, end } = subtree
        const [index, size] = [start + (anyLeaf % (end - start)), end + (anySize % (LARGEST - end + 1))]
        const [root, whole] = [rootIn(subtree), rootIn({ start: 0, end: size })]
        const leaf = leaves[index] ?? emptyRoot()
        const [inside, within] = [inclusionProof(index, subtree), consistencyProof(subtree, size)]
        expect(verifySubtreeInclusion(index, subtree, leaf, inside, root)).toBe(true)
        expect(verifySubtreeConsistency(subtree, size, root, whole, within)).toBe(true)
        const bit = anyBit % 256
        expect(verifySubtreeInclusion(index, subtree, flipped(leaf, bit), inside, root)).toBe(false)
        expect(verifySubtreeConsistency(subtree, size, flipped(root, bit), whole, within)).toBe(false)
        expect(verifySubtreeConsistency(subtree, size, root, flipped(whole, bit), within)).toBe(false)
        expect(verifySubtreeConsistency(subtree, size, root, whole, [...within, root])).toBe(false)
        if (within.length > 0) expect(verifySubtreeConsistency(subtree, size, root, whole, within.slice(1))).toBe(false)
      }),
      { numRuns: 400 },
    )
  })

  it('P7: a range is a subtree if its start is a multiple of the power of two that its width needs', () => {
    for (let start = 0; start < 70; start++) {
      for (let end = start; end < 70; end++) {
        const power = [1, 2, 4, 8, 16, 32, 64, 128].find((number) => number >= end - start) ?? 0
        expect(isSubtree({ start, end }), `[${start}, ${end})`).toBe(start % power === 0)
      }
    }
    for (const bad of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
      expect(isSubtree({ start: bad, end: 2 ** 53 })).toBe(false)
      expect(isSubtree({ start: 0, end: bad })).toBe(false)
    }
  })

  it('P7: a leaf that is no hash of 32 bytes is in no tree, not even in a tree of that leaf', () => {
    for (const length of [0, 31, 33]) {
      const leaf = new Uint8Array(length)
      expect(verifyInclusion(0, 1, leaf, [], leaf)).toBe(false)
    }
    expect(verifyInclusion(0, 1, new Uint8Array(32), [], new Uint8Array(32))).toBe(true)
  })

  it('makes no proof for a missing leaf, range or size', () => {
    expect(() => inclusionRanges(3, { start: 0, end: 3 })).toThrow(RangeError)
    expect(() => inclusionRanges(-1, { start: 0, end: 3 })).toThrow(RangeError)
    expect(() => inclusionRanges(2, { start: 1, end: 4 })).toThrow(RangeError)
    expect(() => consistencyRanges({ start: 0, end: 4 }, 3)).toThrow(RangeError)
    expect(() => consistencyRanges({ start: 1, end: 3 }, 8)).toThrow(RangeError)
    expect(() => consistencyRanges({ start: 0, end: 1 }, 1.5)).toThrow(RangeError)
    expect(consistencyRanges({ start: 5, end: 5 }, 8)).toEqual([])
  })
})

describe('P7: beyond 32 bits', () => {
  // A tree too large to hold. All leaves but one are equal, so the root of a range beside that leaf follows from its width.
  const [plain, special] = [leafHash(Uint8Array.of(0)), leafHash(Uint8Array.of(1))]
  const byWidth = new Map<number, Hash>()
  const split = (width: number): number => {
    const power = 2 ** Math.floor(Math.log2(width))
    // next to a power of two, the logarithm is rounded to that of the power
    return power < width ? power : power / 2
  }
  function plainRoot(width: number): Hash {
    if (width === 1) return plain
    const left = split(width)
    const root = byWidth.get(width) ?? nodeHash(plainRoot(left), plainRoot(width - left))
    byWidth.set(width, root)
    return root
  }
  const rootWith = (index: number, { start, end }: Range): Hash => {
    if (index < start || index >= end) return plainRoot(end - start)
    if (end - start === 1) return special
    const middle = start + split(end - start)
    return nodeHash(rootWith(index, { start, end: middle }), rootWith(index, { start: middle, end }))
  }

  const large = [2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 40 + 12_345, 2 ** 53 - 1]
  const cases = large.flatMap((size) =>
    [0, 1, 2 ** 31 - 1, 2 ** 32 - 2, 2 ** 32, 2 ** 32 + 7, 2 ** 39 + 5, size - 2, size - 1]
      .filter((index) => index < size)
      .map((index) => ({ size, index })),
  )

  it.each(cases)('P7: leaf $index of $size is proved at its own place only', ({ size, index }) => {
    const root = rootWith(index, { start: 0, end: size })
    const proof = inclusionRanges(index, { start: 0, end: size }).map((range) => rootWith(index, range))
    expect(verifyInclusion(index, size, special, proof, root)).toBe(true)
    for (const other of [index - 1, index + 1, index + 2 ** 32, index - 2 ** 32, index % 2 ** 32].filter((at) => at !== index))
      expect(verifyInclusion(other, size, special, proof, root), String(other)).toBe(false)
    expect(verifyInclusion(index, size, plain, proof, root)).toBe(false)
  })

  it.each(cases)('P7: the first $size - $index leaves are unchanged in $size', ({ size, index }) => {
    const earlier = size - index
    const at = Math.floor(earlier / 3)
    const [before, root] = [rootWith(at, { start: 0, end: earlier }), rootWith(at, { start: 0, end: size })]
    const proof = consistencyRanges({ start: 0, end: earlier }, size).map((range) => rootWith(at, range))
    expect(verifyConsistency(earlier, size, before, root, proof)).toBe(true)
    expect(verifyConsistency(earlier, size, rootWith(-1, { start: 0, end: earlier }), root, proof)).toBe(false)
    expect(verifyConsistency(earlier, size, before, rootWith(-1, { start: 0, end: size }), proof)).toBe(false)
  })

  it('P7: a number that is no safe integer is refused', () => {
    const root = rootWith(-1, { start: 0, end: 2 })
    for (const number of [2 ** 53, 2 ** 63, 2 ** 64, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(verifyInclusion(number, 2, plain, [plain], root)).toBe(false)
      expect(verifyInclusion(0, number, plain, [plain], root)).toBe(false)
      expect(verifyConsistency(number, 2, root, root, [])).toBe(false)
      expect(verifyConsistency(2, number, root, root, [])).toBe(false)
    }
    expect(verifyInclusion(0, 2, plain, [plain], root)).toBe(true)
  })
})

describe('P7: tiles', () => {
  const entry = (index: number): Uint8Array =>
    Uint8Array.of(...new Array<number>(28).fill(0), index >> 24, index >> 16, index >> 8, index)
  const sizes = [1, 2, 255, 256, 257, 300, 511, 512, 513, 1_000, 65_535, 65_536, 65_537, 66_000]
  const tiles = new Map<string, Uint8Array>()
  const roots = new Map<number, Hash>()
  const tree = new TileTree()
  let frontier = EMPTY
  const tileLeaves: Hash[] = []
  for (let index = 0; index < Math.max(...sizes); index++) {
    tileLeaves.push(leafHash(entry(index)))
    frontier = appended(frontier, leafHash(entry(index)))
    for (const { hashes, ...tile } of tree.append(entry(index))) tiles.set(tileName(tile), hashes)
    if (!sizes.includes(tree.size)) continue
    for (const { hashes, ...tile } of tree.partial()) tiles.set(tileName(tile), hashes)
    roots.set(tree.size, frontierRoot(frontier))
    expect(tree.root(), `${tree.size} leaves`).toEqual(frontierRoot(frontier))
  }
  const readTile = (tile: Tile): Promise<Uint8Array | undefined> =>
    Promise.resolve(tiles.get(tileName(tile)) ?? tiles.get(tileName({ ...tile, width: 256 }))?.subarray(0, tile.width * 32))

  it('P7: the tiles of each size give its root, and the tree can grow from there', async () => {
    for (const [at, size] of sizes.entries()) {
      const read = await TileTree.read(size, readTile)
      expect(read.root(), `${size} leaves`).toEqual(roots.get(size))
      const next = sizes[at + 1]
      if (next === undefined || next - size > 1_000) continue
      for (let index = size; index < next; index++)
        for (const { hashes, ...tile } of read.append(entry(index))) expect(hashes).toEqual(tiles.get(tileName(tile)))
      expect(read.root()).toEqual(roots.get(next))
    }
    await expect(TileTree.read(70_000, readTile)).rejects.toBeInstanceOf(MissingTile)
  })

  it('P7: a proof from tiles is that of RFC 6962', async () => {
    for (const size of sizes) {
      for (const index of new Set([0, 1, 254, 255, 256, size >> 1, size - 1].filter((one) => one < size))) {
        const proof = await proofHashes(inclusionRanges(index, { start: 0, end: size }), size, readTile)
        expect(
          verifyInclusion(index, size, tileLeaves[index] ?? emptyRoot(), proof, roots.get(size) ?? emptyRoot()),
          `${index} of ${size}`,
        ).toBe(true)
      }
    }
    for (const [earlier, later] of [
      [1, 66_000],
      [255, 257],
      [256, 1_000],
      [513, 65_537],
      [65_536, 66_000],
    ] as const) {
      const proof = await proofHashes(consistencyRanges({ start: 0, end: earlier }, later), later, readTile)
      const [before, after] = [roots.get(earlier) ?? emptyRoot(), roots.get(later) ?? emptyRoot()]
      expect(verifyConsistency(earlier, later, before, after, proof), `${earlier} of ${later}`).toBe(true)
    }
  })

  it('P7: tiles have the names of C2SP tlog-tiles', () => {
    expect(tileName({ level: 0, index: 1_234_067, width: 256 })).toBe('tile/0/x001/x234/067')
    expect(tileName({ level: 2, index: 0, width: 1 })).toBe('tile/2/000.p/1')
    expect(partialTiles(70_000).map(tileName)).toEqual(['tile/0/273.p/112', 'tile/1/001.p/17', 'tile/2/000.p/1'])
    expect(partialTiles(256).map(tileName)).toEqual(['tile/1/000.p/1'])
  })
})
