/**
 * Cuts the beginning of an editing history in the format of josephg/editing-traces, so that a test
 * can carry it. Yjs, not Warp, says how the cut ends.
 *
 *     node tools/cut-trace.mjs FROM.json.gz COUNT TO.json.gz
 *
 * COUNT is a number of transactions. The last of them has to be a merge that has seen all the
 * others, so that the end of the cut is one document.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { gunzipSync, gzipSync } from 'node:zlib'
import * as Y from 'yjs'

const [from, count, to] = process.argv.slice(2)
if (from === undefined || to === undefined || !(Number(count) >= 1)) {
  console.error('node tools/cut-trace.mjs FROM.json.gz COUNT TO.json.gz')
  process.exit(2)
}
const whole = JSON.parse(gunzipSync(readFileSync(from)).toString())
/** @type {{ parents: number[], agent: number, patches: [number, number, string][] }[]} */
const txns = whole.txns
  .slice(0, Number(count))
  .map((/** @type {any} */ { parents, agent, patches }) => ({ parents, agent, patches }))
const heads = new Set(txns.map((_, index) => index))
for (const { parents } of txns) for (const parent of parents) heads.delete(parent)
if (heads.size !== 1) throw new Error(`after ${count} transactions there are ${heads.size} versions side by side`)

const trace = { kind: whole.kind, endContent: endOf(), numAgents: whole.numAgents, txns }
writeFileSync(to, gzipSync(JSON.stringify(trace), { level: 9 }))

/** Each author types into a document of their own, which takes in what their parents had. */
function endOf() {
  const documents = Array.from({ length: whole.numAgents }, (_, agent) => documentOf(agent + 1))
  /** @type {Uint8Array[][]} by author, one for each of their transactions */
  const updates = documents.map(() => [])
  /** @type {number[][]} how many transactions of each author a version contains */
  const versions = []
  const taken = documents.map(() => documents.map(() => 0))
  for (const { parents, agent, patches } of txns) {
    const document = /** @type {Y.Doc} */ (documents[agent])
    const known = documents.map((_, other) => Math.max(0, ...parents.map((parent) => versions[parent]?.[other] ?? 0)))
    const has = taken[agent] ?? []
    for (const [other, upTo] of known.entries()) {
      if (other === agent) continue
      for (const update of (updates[other] ?? []).slice(has[other], upTo)) Y.applyUpdate(document, update)
      has[other] = Math.max(has[other] ?? 0, upTo)
    }
    const before = Y.encodeStateVector(document)
    document.transact(() => patches.forEach((patch) => edit(document.getText('body'), patch)))
    updates[agent]?.push(Y.encodeStateAsUpdate(document, before))
    has[agent] = (has[agent] ?? 0) + 1
    versions.push([...has])
  }
  const last = /** @type {Y.Doc} */ (documents[txns[txns.length - 1]?.agent ?? 0])
  return last.getText('body').toJSON()
}

/** @param {number} clientID */
function documentOf(clientID) {
  const document = new Y.Doc()
  document.clientID = clientID
  return document
}

/**
 * @param {Y.Text} body
 * @param {[number, number, string]} patch positions count characters, Yjs counts units of UTF-16
 */
function edit(body, [position, deleted, inserted]) {
  const characters = Array.from(body.toJSON())
  const at = characters.slice(0, position).join('').length
  if (deleted > 0) body.delete(at, characters.slice(position, position + deleted).join('').length)
  if (inserted !== '') body.insert(at, inserted)
}
