/**
 * Edits of a text as a writer makes them. Those of a real paper (Kleppmann and Beresford's, 259,778
 * edits; automerge/automerge-perf, CC BY 4.0) where `../shared/data` holds them, else a seeded
 * imitation, which is said wherever it counts.
 */
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { gunzipSync } from 'node:zlib'
import type { BenchContext } from './bench.ts'
import { ROOT } from './results.ts'

export interface Edit {
  readonly at: number
  readonly deleted: number
  readonly inserted: string
}

const LETTERS = Array.from('etaoin shrdlu')
const FILE = path.join(ROOT, '../shared/data/automerge-paper-changes.json.gz')

export function paperEdits(context: BenchContext, count: number): { edits: Edit[]; origin: string } {
  if (existsSync(FILE)) return { edits: readEdits(count), origin: 'a real paper (automerge-perf)' }
  console.warn(`NOT THE REAL HISTORY: ${FILE} is absent, so the edits are made up from a seed`)
  return { edits: imitatedEdits(context, count), origin: 'MADE-UP TYPING (the real history was not there)' }
}

/** One change per line; what we need of it. */
interface PaperChange {
  readonly actor: string
  readonly startOp: number
  readonly ops: readonly {
    readonly action: string
    readonly insert?: boolean
    readonly elemId?: string
    readonly value?: string
  }[]
}

/**
 * The changes in the order of the file, which is a causal one, with elements turned into positions.
 */
function readEdits(count: number): Edit[] {
  const lines = gunzipSync(readFileSync(FILE)).toString().split('\n')
  const elements = new Elements()
  const edits: Edit[] = []
  for (const line of lines) {
    if (edits.length >= count || line === '') break
    const { actor, startOp, ops } = JSON.parse(line) as PaperChange
    ops.forEach(({ action, insert, elemId = '', value = '' }, i) => {
      if (insert === true)
        edits.push({ at: elements.insertAfter(elemId, `${startOp + i}@${actor}`), deleted: 0, inserted: value })
      else if (action === 'del') edits.push({ at: elements.remove(elemId), deleted: 1, inserted: '' })
    })
  }
  return edits
}

/**
 * The elements of a list, deleted ones too, and where they stand. Looks near the last place first,
 * as typing is local.
 */
class Elements {
  readonly #ids: string[] = []
  readonly #visible: boolean[] = []
  /** The last place looked at, and how many visible elements stand before it. */
  #place = 0
  #index = 0

  insertAfter(elemId: string, id: string): number {
    this.#seek(elemId === '_head' ? 0 : this.#placeOf(elemId) + 1)
    this.#ids.splice(this.#place, 0, id)
    this.#visible.splice(this.#place, 0, true)
    return this.#index
  }

  remove(elemId: string): number {
    this.#seek(this.#placeOf(elemId))
    this.#visible[this.#place] = false
    return this.#index
  }

  #placeOf(id: string): number {
    const ids = this.#ids
    for (let distance = 0; distance <= ids.length; distance++) {
      if (ids[this.#place - distance] === id) return this.#place - distance
      if (ids[this.#place + distance] === id) return this.#place + distance
    }
    throw new Error(`the history names an element that it has not made`)
  }

  #seek(place: number): void {
    while (this.#place < place) if (this.#visible[this.#place++] === true) this.#index++
    while (this.#place > place) if (this.#visible[--this.#place] === true) this.#index--
  }
}

/** Bursts of typing with some corrections, at places that jump now and then. */
function imitatedEdits(context: BenchContext, count: number): Edit[] {
  const random = context.random('typing')
  const edits: Edit[] = []
  let length = 0
  let at = 0
  while (edits.length < count) {
    if (random.chance(0.01)) at = random.below(length + 1)
    if (at > 0 && random.chance(0.3)) {
      edits.push({ at: --at, deleted: 1, inserted: '' })
      length--
    } else {
      edits.push({ at: at++, deleted: 0, inserted: random.pick(LETTERS) })
      length++
    }
  }
  return edits
}
