/** What the commands that write have in common. */
import type { OptionDescription } from '../program/command.ts'
import type { Output } from '../output/output.ts'
import type { Written } from '../../../src/control/questions/writing.ts'
import type { ReplicaNames } from '../output/replica-names.ts'
import { DATA_OPTIONS, type DataFlags } from './shared-options.ts'

export interface WriteFlags extends DataFlags {
  readonly text?: boolean
  readonly durable?: boolean
}

export const DURABLE_OPTION: OptionDescription = {
  flags: '--durable',
  about: 'wait until the write is flushed to the disk',
}

export const WRITE_OPTIONS: readonly OptionDescription[] = [
  ...DATA_OPTIONS,
  { flags: '--text', about: 'values are text, also where they read as JSON' },
  DURABLE_OPTION,
]

export async function printWritten(
  output: Output,
  written: Written,
  names: () => Promise<ReplicaNames>,
): Promise<void> {
  if (output.isJson) await output.json(written)
  else if (written.dot === null) await output.line('nothing to write')
  else await output.line(`${(await names()).dot(written.dot)} version ${written.version}, ${written.ack}`)
}
