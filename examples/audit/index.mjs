/**
 * An audit trail that nobody has to write: who changed what and when, what it was at any moment, and a
 * check that the log on disk is whole.
 *
 *     node examples/audit/index.mjs
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { checkLog, openWarp } from 'warp-engine'
import { register } from 'warp-engine/crdt'
import { fileLog } from 'warp-engine/file'

const folder = await mkdtemp(path.join(tmpdir(), 'warp-audit-'))
const log = fileLog({ path: folder })
// `retain: 'all'` is the default; a pattern with `ttlMs` would keep the latest only.
const keys = { 'account:*': { strategy: register(), retain: 'all' } }
const warp = await openWarp({ keys, log, name: 'bank-1' })

await warp.set('account:7', { owner: 'Ada', limit: 1_000, by: 'import' })
await warp.set('account:7', { owner: 'Ada', limit: 5_000, by: 'clerk bob' })
await warp.delete('account:7')
await warp.set('account:7', { owner: 'Ada', limit: 2_000, by: 'clerk cleo' })

console.log('the trail:')
for await (const { version, kind, payload, dot } of warp.log('account:7')) {
  console.log(`  version ${version}: ${kind}`, payload ?? '', `operation ${dot.sequence} of this replica`)
}
console.log('as it was at version 2:', await warp.getAt('account:7', { version: 2 }))
console.log('and at version 3:', await warp.getAt('account:7', { version: 3 }))
const { operations } = await warp.explain('account:7')
console.log('what became of each:', operations.map(({ effect }) => effect).join(', '))
await warp.close()

// From outside, or on a copy: every record is read, every key is folded again and compared.
const report = await checkLog({ logs: [log], keys })
console.log('the log is whole:', report.isSound)
await rm(folder, { recursive: true })
