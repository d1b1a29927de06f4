/**
 * docs/cli.md, made from the program itself: what `warp help COMMAND` prints is what the document
 * says.
 */
import type { Command } from 'commander'
import type { AnyCommand } from './command.ts'
import { createProgram } from './program.ts'
import { EXIT } from './exit-codes.ts'

const HELP_COLUMNS = 100

const HEAD = `# The command \`warp\`

Generated from the command itself by \`npm run docs:cli\`. \`npx warp\` runs it where the package is installed; in a clone,
\`npm run build\` and then \`node dist/bin/warp.js\`.

## What it works on

A command works on a folder (\`--data\`, by default the configuration's, else \`./data\`). Where no process holds the folder, it is opened for the
command. Where a process runs on it that serves a control socket, the command goes through that socket, with the same output: \`warp start\`,
\`warp watch\`, and every program that embeds the engine with \`openWarp({ control: true, ... })\`. Such a process knows what its keys mean, so the
command needs neither configuration nor \`--key\`. The socket is \`control.sock\` in the folder (or, where that path is too long for a socket, in a
folder of yours under the system's temporary one), and only its owner may use it. Where another program holds the folder, the command says so and
ends with code 4.

The socket speaks HTTP with JSON, so that any client reaches it:

\`\`\`sh
curl --unix-socket data/control.sock http://warp/v1                      # which questions there are
curl --unix-socket data/control.sock http://warp/v1/stats
curl --unix-socket data/control.sock 'http://warp/v1/log?key=user:1'     # one operation a line
curl --unix-socket data/control.sock http://warp/v1/set --data '{"key":"user:1","value":"Alice"}'
\`\`\`

What changes nothing is asked with GET and a query, what changes something with POST and a body of JSON. Answers of several items are lines of JSON
(\`application/x-ndjson\`). A failure is a status and \`{"error":{"code":"WARP_E_...","message":"..."}}\`; a failure in the middle of an answer is that
line, and the connection then ends before the answer does (curl: code 18).

Opening a folder is like starting a replica that is cut off: what others may lack is kept. A write that is made that way reaches the others once a
replica runs on the folder.

## What the keys mean

A log holds operations; what they amount to is the strategy's to say. The configuration says which: \`--config FILE\`, else \`warp.config.json\` in the current folder, else in the
data's, beside the log that is there. A module is code, so it runs only if \`--config\` names it. It is the same that the program gives to \`openWarp\`, and can be shared with it:

\`\`\`text
// warp.config.mjs
import { counter, custom, register } from 'warp-engine/crdt'

export const data = './data'
export const keys = {
  'user:*': { strategy: register(), ttlMs: 600_000 },
  'visits:*': counter(),
  'cart:*': 'set',
  'notes:*': custom((old, next) => [...old, ...next]),
}
export const mesh = { host: '10.0.0.1', port: 7946, peers: ['10.0.0.2:7946'], clusterKeyFile: './cluster.key' }
\`\`\`

\`\`\`json
{
  "keys": {
    "user:*": { "strategy": "register", "ttlMs": 600000, "retain": { "versions": 10 } },
    "stats:*": { "map": "counter" },
    "profile:*": { "map": { "name": "register", "tags": "set" } },
    "stock:*": { "boundedCounter": { "min": 0 } }
  },
  "mesh": { "port": 7946, "insecure": true }
}
\`\`\`

Names of strategies: \`register\`, \`multiValue\`, \`counter\`, \`boundedCounter\`, \`set\`, \`list\`, \`text\`, \`max\`, \`min\`, \`map\`, \`yjs\`, \`automerge\` (see
[strategies.md](strategies.md)). \`--key 'cart:*=set'\` adds a pattern or replaces one. \`ack\`, \`cache\`, \`clockDriftMsMax\` and \`replication\` go to the engine as they are,
everything in \`mesh\` but \`clusterKeyFile\` to the mesh. Folders and files in a configuration are meant from where it is.
A module runs when it is loaded, so one of another user's is loaded only if \`--config\` names it.

The cluster's key comes from \`--key-file\`, else from the environment variable \`WARP_CLUSTER_KEY\`, else from the configuration; never from the command
line, which every user of the machine can read. \`warp key\` makes one. A file may hold several, one a line: the first is used, all are accepted.

## Values

On the command line a value is JSON if it reads as JSON, otherwise text; \`--text\` makes everything text. What JSON lacks is tagged, and comes back
tagged with \`--json\`: \`{"$bigint":"12"}\`, \`{"$bytes":"aGk="}\` (base64), \`{"$date":"2026-01-01T00:00:00.000Z"}\`, \`{"$number":"NaN"}\`,
\`{"$set":[1,2]}\`. An object that merely looks like that is wrapped in \`{"$plain":{...}}\`.

## Output

Results go to stdout, everything else to stderr: errors as \`warp: CODE: message\`, notes, and progress where something takes longer than a second.
With \`--json\` every result is JSON, one value, or one per line where there may be many, a note is \`{"note"}\`, and an error \`{"error":{"code","message","details"}}\`.
Colour only on a terminal, and not if \`NO_COLOR\` is set. Control characters in keys and values are shown as escapes. A reader that goes away (\`| head\`)
ends a command without a word.
`

/** The whole document. */
export function cliDocument(commands: readonly AnyCommand[]): string {
  const program = createProgram({
    version: '',
    commands,
    run: () => Promise.resolve(EXIT.ok),
    onDone: () => undefined,
  })
  program.configureHelp({ helpWidth: HELP_COLUMNS })
  const chapters = commands.map(({ name }) => chapterOf(program, name))
  return `${HEAD}\n## Commands\n\n${fenced(helpOf(program))}\n${chapters.join('\n')}`
}

function chapterOf(program: Command, name: string): string {
  const command = program.commands.find((candidate) => candidate.name() === name)
  if (command === undefined) throw new Error(`there is no command ${name}`)
  command.configureHelp({ helpWidth: HELP_COLUMNS })
  return `### warp ${name}\n\n${fenced(helpOf(command))}`
}

/** With what was added after it, as `--help` prints it. */
function helpOf(command: Command): string {
  let help = ''
  command.configureOutput({ writeOut: (text) => (help += text), getOutHelpWidth: () => HELP_COLUMNS })
  command.outputHelp()
  return help.trimEnd()
}

function fenced(text: string): string {
  return `\`\`\`text\n${text}\n\`\`\`\n`
}
