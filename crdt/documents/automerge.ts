/**
 * Automerge documents (1) as a strategy: the state is an Automerge document, an operation is an
 * Automerge change. Warp stores, orders, replicates and explains the changes; what they mean is
 * Automerge's.
 *
 *     await warp.key('board:1').change((doc) => { doc.title = 'Plan' })
 *
 * The value is the document, a frozen plain object of the shape that Automerge gives it. A function
 * that throws leaves it as it was. Changes carry no wall-clock time (Warp stamps the operation), so
 * that equal edits make equal bytes.
 *
 * Identity. Automerge names operations by an actor and a counter. The actor is the replica id,
 * which is a valid actor id and stands for one incarnation. A change is sealed by its hash, so
 * changes of a cloned replica cannot be issued again under another identity.
 *
 * A reader's own `Automerge.change`, `merge` or `free` of the value reaches the state: `isIntact` sees
 * that, and the document is folded again. A change that starts from the value belongs into `change`.
 *
 * Deletes are refused: a document does not forget, and changes that survived a delete would wait
 * for dependencies that are gone. Empty the document inside `change` instead.
 *
 * Determinism. What `Automerge.save` writes depends on the order in which changes arrived and on
 * how they were batched; snapshots are therefore saved from a second document that took all changes
 * at once, in causal order, ties by actor.
 *
 * Cost: Automerge's own, some 150 to 400 µs a change and about 50 bytes; see docs/performance.md
 * for lists, which are ten times cheaper. Not for values without inner structure.
 *
 * (1) Kleppmann, Beresford: A Conflict-Free Replicated JSON Datatype, 2017; automerge.org.
 */
import { takesNothing } from '../checked-options.ts'
import * as Automerge from '@automerge/automerge'
import type { Encodable } from '../encoding/encodable.ts'
import type { Prepare, Strategy } from '../strategy.ts'
import { assertFunction, assertSynchronous } from '../synchronous.ts'

/** The actor of documents that only take changes in; it never writes. */
const READER = '0000000000000000'

type Shape = Readonly<Record<string, unknown>>

export interface AutomergeState<T> {
  doc: Automerge.Doc<T>
  /** The newest changes of the document, as it was left here. */
  heads: Automerge.Heads
}

export type AutomergeVerbs<T> = {
  /**
   * Runs the function on a draft; everything that it writes is one operation. Its result is
   * ignored; not async.
   */
  readonly change: (prepare: Prepare<AutomergeState<T>>, run: (draft: T) => unknown) => Uint8Array | undefined
}

/** An Automerge document per key. Needs `@automerge/automerge` 3. */
export function automerge<T extends object = Shape>(): Strategy<
  Automerge.Doc<T>,
  AutomergeState<T>,
  Uint8Array,
  AutomergeVerbs<T>
> {
  // eslint-disable-next-line prefer-rest-params -- a rest parameter would be seen in its type
  takesNothing('automerge', arguments)
  return {
    kind: 'automerge',
    code: 13,
    fold: 'any',
    deletes: 'refused',
    appliesOnPrepare: true,
    initial: () => stateOf(Automerge.init<T>({ actor: READER, freeze: true })),
    apply: (state, operation) => take(state, Automerge.applyChanges(state.doc, [operation.payload])[0]),
    read: (state) => (isEmpty(state) ? undefined : state.doc),
    isIntact,
    isEmpty,
    encodeState: (state) => saveInOrder(state.doc),
    decodeState: (encoded: Encodable) =>
      stateOf(Automerge.load<T>(encoded as Uint8Array, { actor: READER, freeze: true })), // from encodeState
    verbs: { change },
  }
}

function change<T>(prepare: Prepare<AutomergeState<T>>, run: (draft: T) => unknown): Uint8Array | undefined {
  assertFunction(run)
  const state = prepare.state()
  if (Automerge.getActorId(state.doc) !== prepare.replica) {
    take(state, Automerge.clone(state.doc, { actor: prepare.replica, freeze: true }))
  }
  const before = state.doc
  let returned: unknown
  const after = Automerge.change(before, { time: 0 }, (draft) => {
    returned = run(draft)
  })
  assertSynchronous(returned, 'change()')
  if (after === before) return undefined
  take(state, after)
  return Automerge.getLastLocalChange(after)
}

function stateOf<T>(doc: Automerge.Doc<T>): AutomergeState<T> {
  return { doc, heads: Automerge.getHeads(doc) }
}

function take<T>(state: AutomergeState<T>, doc: Automerge.Doc<T>): AutomergeState<T> {
  state.doc = doc
  state.heads = Automerge.getHeads(doc)
  return state
}

/**
 * The value that is handed out and the state are one document: whoever gives the value to
 * `Automerge.change`, `merge` or `free` has the state as well. Then its handle is ahead, or gone.
 */
function isIntact<T>({ doc, heads }: AutomergeState<T>): boolean {
  try {
    const now = Automerge.getBackend(doc).getHeads()
    return now.length === heads.length && now.every((head, i) => head === heads[i])
  } catch {
    return false
  }
}

function isEmpty<T>(state: AutomergeState<T>): boolean {
  return Automerge.getHeads(state.doc).length === 0
}

function saveInOrder<T>(doc: Automerge.Doc<T>): Uint8Array {
  const stamped = Automerge.getAllChanges(doc).map((bytes) => {
    const { startOp, actor } = Automerge.decodeChange(bytes)
    return { bytes, startOp, actor }
  })
  const ordered = stamped.sort(compare).map(({ bytes }) => bytes)
  const inOrder = Automerge.applyChanges(Automerge.init({ actor: READER }), ordered)[0]
  try {
    return Automerge.save(inOrder)
  } finally {
    Automerge.free(inOrder) // or its WebAssembly memory stays until a finalizer gets to it
  }
}

/** A change starts counting above all that it has seen, so this order extends happened-before. */
function compare(a: { startOp: number; actor: string }, b: { startOp: number; actor: string }): number {
  return a.startOp - b.startOp || (a.actor < b.actor ? -1 : 1)
}
