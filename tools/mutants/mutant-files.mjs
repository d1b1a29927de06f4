/**
 * Mutants as files. One file of `test/mutants/` plants one fault that we fear, and names the tests
 * that have to find it:
 *
 *     plants: what is wrong then
 *     fears: why somebody might write that, or what it costs
 *     belongs to: the rows of pitfalls (P..) and invariants (W..) that it breaks
 *     file: crdt/time/hlc.ts
 *     killed by: test/crdt/register.test.ts › the name of a test
 *     --- find
 *     text that is in the file exactly once
 *     --- put
 *     what stands there instead; may be nothing
 *
 * `killed by` may be repeated; one of these tests has to fail. Text rather than a patch: a reader
 * sees both versions, line numbers may move, and a change of the text itself makes the mutant
 * stale, which fails the run.
 */
import { readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'

/**
 * @typedef {{ readonly file: string, readonly name: string }} Killer
 * @typedef {{
 *   readonly name: string, readonly plants: string, readonly fears: string, readonly belongsTo: readonly string[],
 *   readonly file: string, readonly killers: readonly Killer[], readonly find: string, readonly put: string,
 * }} Mutant
 */

export const MUTANTS_FOLDER = 'test/mutants'
const FIELDS = ['plants', 'fears', 'belongs to', 'file', 'killed by']
const ID = /^(P|W|M)\d{1,2}$/

/**
 * @param {string} root
 * @returns {Mutant[]} sorted by name
 */
export function readMutants(root) {
  const folder = path.join(root, MUTANTS_FOLDER)
  const entries = readdirSync(folder, { withFileTypes: true, recursive: true }).filter((entry) => entry.isFile())
  const other = entries.find((entry) => !entry.name.endsWith('.mutant'))
  if (other !== undefined)
    throw new Error(`${MUTANTS_FOLDER}/**/${other.name} is no mutant; their names end with .mutant`)
  entries.sort((a, b) => (a.name < b.name ? -1 : 1))
  return entries.map((entry) => {
    const text = readFileSync(path.join(entry.parentPath, entry.name), 'utf8')
    return parseMutant(entry.name.replace('.mutant', ''), text)
  })
}

/**
 * @param {string} name
 * @param {string} text
 * @returns {Mutant}
 */
export function parseMutant(name, text) {
  const [head, body = ''] = parted(text, '--- find\n')
  const [find, put] = parted(body, '\n--- put\n')
  if (put === undefined || find === '') throw malformed(name, 'needs a part "--- find" and a part "--- put"')
  const fields = readFields(name, head)
  const belongsTo = first(fields, 'belongs to').split(' ')
  const unknown = belongsTo.find((id) => !ID.test(id))
  if (unknown !== undefined) throw malformed(name, `belongs to ${unknown}, which is no row`)
  return {
    ...{ name, plants: first(fields, 'plants'), fears: first(fields, 'fears'), belongsTo, file: first(fields, 'file') },
    killers: (fields.get('killed by') ?? []).map((line) => parseKiller(name, line)),
    ...{ find, put: put.replace(/\n$/, '') },
  }
}

/**
 * @param {string} name
 * @param {string} head
 * @returns {Map<string, string[]>}
 */
function readFields(name, head) {
  /** @type {Map<string, string[]>} */
  const fields = new Map()
  for (const line of head.split('\n').filter((one) => one !== '')) {
    const [field, value] = parted(line, ': ')
    if (value === undefined || !FIELDS.includes(field)) throw malformed(name, `has a line that is no field: ${line}`)
    fields.set(field, [...(fields.get(field) ?? []), value])
  }
  const missing = FIELDS.find((field) => !fields.has(field))
  if (missing !== undefined) throw malformed(name, `does not say "${missing}"`)
  return fields
}

/**
 * @param {Map<string, string[]>} fields
 * @param {string} field
 */
function first(fields, field) {
  return fields.get(field)?.[0] ?? ''
}

/**
 * @param {string} name
 * @param {string} line
 * @returns {Killer}
 */
function parseKiller(name, line) {
  const [file, test] = parted(line, ' › ')
  if (test === undefined) throw malformed(name, `names no test in "${line}"`)
  return { file, name: test }
}

/**
 * The file with the fault in it. Throws if the text is not there exactly once: the mutant is stale.
 *
 * @param {Mutant} mutant
 * @param {string} source
 */
export function planted(mutant, source) {
  const count = source.split(mutant.find).length - 1
  if (count !== 1) {
    const what = `stale: its text is in ${mutant.file} ${count} times`
    throw malformed(mutant.name, `is ${what}; make it fit the file as it is now, or remove it`)
  }
  // Not `replace` with a text, in which `$&` means something.
  return source.replace(mutant.find, () => mutant.put)
}

/**
 * What the name of a killer stands for in a report: `%i` of `test.each` is anything.
 *
 * @param {Killer} killer
 */
export function titlePattern({ name }) {
  const parts = name.split(/%[sidjfo]/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return `(?:^|\\s)${parts.join('.*')}$`
}

/**
 * docs/mutants.md.
 *
 * @param {readonly Mutant[]} mutants
 */
export function mutantsDocument(mutants) {
  const rows = mutants.map(({ name, plants, fears, belongsTo, file, killers }) => {
    const tests = killers.map((killer) => `\`${killer.file}\` › ${cell(killer.name)}`).join('<br>')
    return `| \`${name}\` | ${belongsTo.join(' ')} | \`${file}\` | ${cell(plants)} | ${cell(fears)} | ${tests} |`
  })
  return `# Mutants

Faults that are planted on purpose, one at a time, in a copy of the tree: what we fear most, and every way in which systems of this kind are
known to have gone wrong (P..) as far as it applies to what there is. \`npm run mutants\` plants them and runs the tests named here; each
has to be found. W.. are the rows of [invariants.md](invariants.md).

CI plants those that a change touches and a sample of the rest: \`npm run mutants -- --touched --most 60 --sample 30\`. A change touches a mutant if
the file in which it is planted, a test that is to find it, or the mutant itself differs from where the branch left \`origin/main\` (or
\`WARP_BASE\`, or 30 commits ago). The sample comes from the commit, so each commit draws another one; the run prints its seed, and
\`--seed\` repeats it.

This table of ${mutants.length} is generated: \`npm run mutants -- --write-docs\`. The mutants themselves are the files of \`mutants/\`;
\`tools/mutants/mutant-files.mjs\` says how they are written.

| name | belongs to | planted in | what is wrong then | why we fear it | killed by |
|---|---|---|---|---|---|
${rows.join('\n')}
`
}

/** @param {string} text */
function cell(text) {
  return text.replaceAll('|', '\\|')
}

/**
 * At the first `mark`.
 *
 * @param {string} text
 * @param {string} mark
 * @returns {[string, string | undefined]}
 */
function parted(text, mark) {
  const at = text.indexOf(mark)
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + mark.length)]
}

/**
 * @param {string} name
 * @param {string} what
 */
function malformed(name, what) {
  return new Error(`${MUTANTS_FOLDER}/${name}.mutant ${what}`)
}
