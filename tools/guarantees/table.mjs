/** The table of capabilities in docs/guarantees.md, from what engines say of themselves. */

const BEGIN = '<!-- capabilities: npm run docs:guarantees -->'
const END = '<!-- end of capabilities -->'

/**
 * @typedef {import('../../src/index.ts').Capabilities} Capabilities
 * @typedef {{ readonly name: string, readonly capabilities: Capabilities }} Row
 */

/**
 * The document with the table in its place.
 *
 * @param {string} document
 * @param {readonly Row[]} rows
 */
export function withTable(document, rows) {
  const [before, rest = ''] = document.split(BEGIN)
  const after = rest.slice(rest.indexOf(END) + END.length)
  return `${before}${BEGIN}\n\n${table(rows)}\n\n${END}${after}`
}

/** @param {readonly Row[]} rows */
function table(rows) {
  const head =
    '| opened with | modes | levels of `ack` | compare-and-set | linearizable reads | locks | a strong write survives |'
  const lines = rows.map(({ name, capabilities: { modes, acks, compareAndSet, linearizable, locks, order } }) => {
    const survives = order === undefined ? 'refused' : survival(order)
    return `| ${[name, list(modes), list(acks), list(compareAndSet), list(linearizable), locks, survives].join(' | ')} |`
  })
  return [head, '|---|---|---|---|---|---|---|', ...lines].join('\n')
}

/** @param {NonNullable<Capabilities['order']>} order */
function survival({ acknowledgedBy, survives, copies, accepted }) {
  const what =
    survives === 'nothing'
      ? 'nothing: it is in memory'
      : `the ${survives === 'kill' ? 'end of a server' : 'loss of power'}`
  const unless = accepted.length === 0 ? '' : `; not: ${accepted.join(', ')}`
  return `${what}${copies > 1 ? `, and of any ${Math.floor((copies - 1) / 2)} of ${copies} servers` : ''} (says the ${acknowledgedBy})${unless}`
}

/** @param {readonly string[]} words */
function list(words) {
  return words.map((word) => `\`${word}\``).join(' ')
}
