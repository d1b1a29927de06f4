/**
 * The log against an array: whatever is appended, flushed, compacted, saved, closed, killed and opened again in whatever order, the
 * log holds what the array holds, at the same positions.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Env } from '../src/ports/env.ts'
import type { RecordView } from '../src/log/log.ts'
import type { Position } from '../src/operation/position.ts'
import { Log } from '../src/log/log.ts'
import { type MemoryFiles, memoryFiles } from '../src/log/files/memory-files.ts'
import { virtualEnv } from '../testing/world/virtual-env.ts'
import { runs } from './seed.ts'

const env: Env = { ...virtualEnv(), yield: () => Promise.resolve(), defer: queueMicrotask }
const RUNS = 300

type Action =
  | { readonly kind: 'append'; readonly bytes: readonly number[] }
  | { readonly kind: 'settle'; readonly level: 'logged' | 'durable' }
  | { readonly kind: 'kill' | 'discard' | 'rewrite'; readonly pick: number }
  | { readonly kind: 'checkpoint' | 'close' }

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      bytes: fc.array(fc.nat(2000), { minLength: 1, maxLength: 20 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('settle' as const),
      level: fc.constantFrom('logged' as const, 'durable' as const),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constantFrom('discard' as const, 'rewrite' as const), pick: fc.nat(100) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('kill' as const), pick: fc.nat(100) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('checkpoint' as const, 'close' as const) }) },
)

interface Entry {
  readonly number: number
  readonly position: Position
  readonly length: number
  /** Compaction may drop it. */
  dead: boolean
  /** Compaction has dropped it. */
  dropped: boolean
}

/** A body that names itself all over. */
function body(number: number, length: number): Uint8Array {
  return new Uint8Array(length).fill(number & 0xff).fill((number >>> 8) & 0xff, 0, length >>> 1)
}

class Model {
  readonly files: MemoryFiles
  log!: Log
  entries: Entry[] = []
  flushed = 0
  #number = 0

  constructor(persistent: boolean) {
    this.files = memoryFiles({ persistent })
  }

  async open(files: MemoryFiles): Promise<void> {
    const replayed: Position[] = []
    let covered = 0
    const restore = (saved: Uint8Array): void => {
      covered = new DataView(saved.buffer, saved.byteOffset).getFloat64(0)
    }
    const record = (view: RecordView): void => void replayed.push(view.position)
    this.log = await Log.open({ files, env, segmentBytes: 8192, residentSegments: 1 }, { restore, record })
    const expected = this.entries.filter((entry) => !entry.dropped && entry.position >= covered)
    expect(replayed).toEqual(expected.map(({ position }) => position))
  }

  append(length: number): void {
    const number = this.#number++
    this.log.begin().raw(body(number, length))
    const position = this.log.commit(1, this.entries.at(-1)?.position ?? 0)
    this.entries.push({ number, position, length, dead: false, dropped: false })
  }

  check(entry: Entry, view: RecordView): void {
    expect(view.position).toBe(entry.position)
    expect(view.end - view.start).toBe(entry.length)
    const expected = body(entry.number, entry.length)
    for (let i = 0; i < expected.length; i++) if (view.bytes[view.start + i] !== expected[i]) expect.fail(`byte ${i}`)
  }

  checkAll(): void {
    const live = this.entries.filter((entry) => !entry.dropped)
    let i = 0
    this.log.scan(0, (view) => {
      const entry = live[i++]
      if (entry === undefined) expect.fail('a record too many')
      this.check(entry, view)
      return true
    })
    expect(i).toBe(live.length)
    for (const entry of live) this.check(entry, this.log.record(entry.position))
    const middle = this.entries[this.entries.length >> 1]
    if (middle === undefined) return
    const next = live.find((entry) => entry.position >= middle.position)
    let first: Position | undefined
    this.log.scan(middle.position, (view) => {
      first = view.position
      return false
    })
    expect(first).toBe(next?.position)
  }

  async rewrite(pick: number): Promise<void> {
    const sealed = this.log.segments().filter((segment) => segment.sealed)
    const segment = sealed[pick % sealed.length]
    if (segment === undefined) return
    const dead = new Set(this.entries.filter((entry) => entry.dead).map((entry) => entry.position))
    const before = this.log.end
    await this.log.rewrite(segment.number, (record) => !dead.has(record.position))
    expect(this.log.rewrittenSince(before, 0)).toBe(true)
    for (const entry of this.entries) {
      if (entry.dead && Math.floor(entry.position / 2 ** 32) === segment.number) entry.dropped = true
    }
  }
}

async function run(model: Model, actions: readonly Action[], persistent: boolean): Promise<void> {
  let files = model.files
  await model.open(files)
  for (const one of actions) {
    if (one.kind === 'append') for (const length of one.bytes) model.append(length)
    else if (one.kind === 'settle') await model.log.settled(one.level)
    else if (one.kind === 'rewrite') await model.rewrite(one.pick)
    else if (one.kind === 'discard') {
      const entry = model.entries.filter((candidate) => !candidate.dead)[one.pick]
      if (entry === undefined) continue
      model.log.discard(entry.position)
      entry.dead = true
    } else if (!persistent) continue
    else if (one.kind === 'checkpoint') {
      const saved = new Uint8Array(8)
      new DataView(saved.buffer).setFloat64(0, model.log.end)
      await model.log.writeCheckpoint(saved)
    } else if (one.kind === 'close') {
      await model.log.close()
      await model.open(files)
      expect(model.log.recovery.clean).toBe(true)
    } else {
      const { loggedThrough } = model.log
      files = files.copy()
      model.entries = model.entries.filter((entry) => entry.position < loggedThrough)
      await model.open(files)
    }
  }
  model.checkAll()
  for await (const damage of model.log.verify()) expect(damage).toBeUndefined()
  await model.log.close()
}

test.each([
  { place: 'on disk', persistent: true },
  { place: 'in RAM', persistent: false },
])('a log $place holds what an array holds', { timeout: 120_000 }, async ({ persistent }) => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 40, size: 'max' }), (actions) =>
      run(new Model(persistent), actions, persistent),
    ),
    runs(RUNS),
  )
})
