/** `warp do KEY VERB ...`. */
import { command, type AnyCommand } from '../program/command.ts'
import { ReplicaNames } from '../output/replica-names.ts'
import { openTarget } from '../target/open-target.ts'
import { DO } from '../../../src/control/questions/writing.ts'
import { only } from '../target/target.ts'
import { fromJson } from '../../../src/control/tagged-json.ts'
import { parseValue, show } from '../values.ts'
import { WRITE_OPTIONS, printWritten, type WriteFlags } from '../settings/write-options.ts'

export const DO_COMMAND: AnyCommand = command<WriteFlags, [key: string, verb: string, ...values: string[]]>({
  name: 'do',
  summary: "use a verb of the key's strategy",
  details:
    'What the strategy offers beside or instead of set: increment, add, remove, push, update ... A query (has) prints its answer. ' +
    'Values are read as by set; after -- they may begin with a dash.',
  arguments: [
    { name: '<key>', about: 'the key' },
    { name: '<verb>', about: 'a verb or a query of its strategy; a wrong one lists them' },
    { name: '[values...]', about: 'what the verb takes: JSON or text' },
  ],
  options: WRITE_OPTIONS,
  examples: ['do visits:home increment 3', 'do cart:7 add apples pears', 'do doc:1 insert 0 hello'],
  async run({ parameters: [key, verb, ...values], options, output, signal }) {
    const { text = false, durable = false } = options
    const parameters = values.map((value) => parseValue(value, text))
    await using target = await openTarget({ flags: options, output, signal, creates: true })
    const done = await only(target.ask(DO, { key, verb, parameters, durable }, { signal }))
    if ('dot' in done)
      await printWritten(output, done, () => ReplicaNames.of(target, { fullIds: options.fullIds, signal }))
    else if (output.isJson) await output.json(done.value)
    else await output.line(show(fromJson(done.value)))
    return undefined
  },
})
