/** `warp evict REPLICA`. */
import { EVICT } from '../../../src/control/questions/members.ts'
import { ReplicaNames } from '../output/replica-names.ts'
import { command, type AnyCommand } from '../program/command.ts'
import { DATA_OPTIONS, type DataFlags } from '../settings/shared-options.ts'
import { openTarget } from '../target/open-target.ts'
import { only } from '../target/target.ts'

interface Flags extends DataFlags {
  readonly force?: boolean
}

export const EVICT_COMMAND: AnyCommand = command<Flags, [replica: string]>({
  name: 'evict',
  summary: 'give up a replica that does not come back',
  details:
    'Once it has been silent for ten rounds of digests, nobody waits for it any more, and compaction goes on. For good: if it is ' +
    'there all the same, it goes on under another id, takes over a state if it has to, and issues again what the others lack. ' +
    'warp peers says whom compaction waits for. A replica that is closed in order need not be evicted.',
  arguments: [{ name: '<replica>', about: 'its name, or the first 8 digits of its id or more' }],
  options: [...DATA_OPTIONS, { flags: '--force', about: 'also if it is up at this moment' }],
  examples: ['evict web-3', 'evict 8f3a12c4 --force'],
  async run({ parameters: [replica], options, output, signal }) {
    await using target = await openTarget({ flags: options, output, signal })
    const evicted = await only(target.ask(EVICT, { replica, force: options.force ?? false }, { signal }))
    if (output.isJson) await output.json(evicted)
    else {
      const names = await ReplicaNames.of(target, { fullIds: options.fullIds, signal })
      await output.line(`${names.dot(evicted.dot)} evicts ${replica}`)
    }
    return undefined
  },
})
