/** Forges one operation in a log on disk, and makes every checksum good again. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Dot } from '../../../crdt/time/dot.ts'
import { memoryFiles } from '../../../src/log/files/memory-files.ts'
import { RECORD_KIND } from '../../../src/log/log.ts'
import { OperationReader } from '../../../src/operation/envelope/operation-reader.ts'
import { ReplicaTable } from '../../../src/operation/replica-table.ts'
import { textOf } from '../../../src/operation/text.ts'
import { forge } from '../../audit/prepared-logs.ts'

/** The `nth` operation of `key` becomes what `edit` makes of it; `undefined`: it never was. Returns its dot. */
export async function forgeFolder(
  folder: string,
  key: string,
  nth: number,
  edit: (body: Uint8Array) => Uint8Array | undefined,
): Promise<Dot> {
  const files = memoryFiles({ persistent: true })
  for (const name of readdirSync(folder)) void files.create(name).write(0, readFileSync(path.join(folder, name)))
  const reader = new OperationReader(new ReplicaTable())
  let count = 0
  let dot: Dot | undefined
  const forged = await forge(files, ({ kind, body }) => {
    if (kind !== RECORD_KIND.operation) return [body]
    const { bytes, keyStart, keyEnd, replica, sequence } = reader.load(body, 0, body.length)
    if (textOf(bytes, keyStart, keyEnd) !== key || ++count !== nth) return [body]
    dot = { replica, sequence }
    const edited = edit(body)
    return edited === undefined ? [] : [edited]
  })
  for (const name of readdirSync(folder)) rmSync(path.join(folder, name))
  for (const name of forged.list()) writeFileSync(path.join(folder, name), forged.bytes(name))
  if (dot === undefined) throw new Error(`${key} has no operation ${nth}`)
  return dot
}
