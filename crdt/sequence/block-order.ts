/**
 * The order of a sequence's blocks, with counts: finds the block at a visible index and puts a
 * block beside another one.
 *
 * Two levels: blocks lie in chunks of at most 128, a chunk knows how many of its elements are
 * visible and a block knows its chunk. With n blocks, a look-up by index skips n/64 chunks and then
 * at most 128 blocks; inserting moves at most 128 pointers. At the 10,000 to 30,000 blocks of a
 * long document that is about a microsecond, without the bookkeeping of a balanced tree.
 */
const CHUNK_BLOCKS_MAX = 128

export interface Chunk<Block> {
  readonly blocks: Block[]
  visibleCount: number
  /** What its visible elements read as, kept until something of it changes. */
  shown: unknown
}

export interface Ordered<Block> {
  chunk: Chunk<Block>
  count: number
  deleted: boolean
}

export class BlockOrder<Block extends Ordered<Block>> {
  readonly #chunks: Chunk<Block>[] = [{ blocks: [], visibleCount: 0, shown: undefined }]
  #visibleCount = 0

  /** Costs a look at each chunk. */
  get blockCount(): number {
    return this.#chunks.reduce((count, { blocks }) => count + blocks.length, 0)
  }

  get visibleCount(): number {
    return this.#visibleCount
  }

  get first(): Block | undefined {
    return this.#chunks[0]?.blocks[0]
  }

  /** A chunk for a block that is about to be inserted. */
  get anyChunk(): Chunk<Block> {
    return this.#chunks[0] as Chunk<Block> // there is always one
  }

  insertFirst(block: Block): void {
    this.#insertAt(this.anyChunk, 0, block)
  }

  insertAfter(previous: Block, block: Block): void {
    this.#insertAt(previous.chunk, previous.chunk.blocks.indexOf(previous) + 1, block)
  }

  insertBefore(next: Block, block: Block): void {
    this.#insertAt(next.chunk, next.chunk.blocks.indexOf(next), block)
  }

  insertLast(block: Block): void {
    const chunk = this.#chunks[this.#chunks.length - 1] as Chunk<Block> // there is always one
    this.#insertAt(chunk, chunk.blocks.length, block)
  }

  /** Takes out a block without visible elements. */
  remove(block: Block): void {
    const { chunk } = block
    chunk.blocks.splice(chunk.blocks.indexOf(block), 1)
    if (chunk.blocks.length === 0 && this.#chunks.length > 1) this.#chunks.splice(this.#chunks.indexOf(chunk), 1)
  }

  /** Records that `delta` elements of the block became visible, or invisible if negative. */
  adjust(block: Block, delta: number): void {
    block.chunk.visibleCount += delta
    block.chunk.shown = undefined
    this.#visibleCount += delta
  }

  next(block: Block): Block | undefined {
    const { blocks } = block.chunk
    const at = blocks.indexOf(block) + 1
    if (at < blocks.length) return blocks[at]
    return this.#chunks[this.#chunks.indexOf(block.chunk) + 1]?.blocks[0]
  }

  /**
   * The block that holds the visible element `index`, which exists, and the element's place in it.
   */
  at(index: number): { readonly block: Block; readonly offset: number } {
    let rest = index
    let chunkAt = 0
    let chunk = this.#chunks[chunkAt] as Chunk<Block> // `index` is below the visible count
    while (rest >= chunk.visibleCount) {
      rest -= chunk.visibleCount
      chunk = this.#chunks[++chunkAt] as Chunk<Block>
    }
    let blockAt = 0
    let block = chunk.blocks[blockAt] as Block
    while (block.deleted || rest >= block.count) {
      if (!block.deleted) rest -= block.count
      block = chunk.blocks[++blockAt] as Block
    }
    return { block, offset: rest }
  }

  /** Not to be changed. */
  get chunks(): readonly Chunk<Block>[] {
    return this.#chunks
  }

  *blocks(): IterableIterator<Block> {
    for (const chunk of this.#chunks) yield* chunk.blocks
  }

  #insertAt(chunk: Chunk<Block>, at: number, block: Block): void {
    chunk.blocks.splice(at, 0, block)
    chunk.shown = undefined
    block.chunk = chunk
    if (!block.deleted) this.adjust(block, block.count)
    if (chunk.blocks.length > CHUNK_BLOCKS_MAX) this.#halve(chunk)
  }

  #halve(chunk: Chunk<Block>): void {
    const half: Chunk<Block> = {
      blocks: chunk.blocks.splice(chunk.blocks.length >> 1),
      visibleCount: 0,
      shown: undefined,
    }
    chunk.shown = undefined
    for (const block of half.blocks) {
      block.chunk = half
      if (!block.deleted) half.visibleCount += block.count
    }
    chunk.visibleCount -= half.visibleCount
    this.#chunks.splice(this.#chunks.indexOf(chunk) + 1, 0, half)
  }
}
