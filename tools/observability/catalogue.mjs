/**
 * The catalogue of everything that is measured, as Markdown, from the code. It stands in
 * docs/observability.md between two marks.
 */

/**
 * @typedef {import('../../src/ports/instruments.ts').Instrument} Instrument
 * @typedef {object} Catalogue
 * @property {Readonly<Record<string, Instrument>>} recorded
 * @property {Readonly<Record<string, Instrument>>} observed
 * @property {(instrument: Instrument) => string} prometheusName
 * @property {Readonly<Record<string, string>>} eventLevels
 */

export const BEGIN = '<!-- catalogue: made by npm run docs:observability -->'
export const END = '<!-- end of the catalogue -->'

/**
 * @param {Catalogue} catalogue
 * @returns {string}
 */
export function catalogueDocument({ recorded, observed, prometheusName, eventLevels }) {
  return [
    BEGIN,
    '',
    '### Recorded as it happens',
    '',
    'A span is a span of OpenTelemetry, and a histogram of how long it took in both.',
    '',
    table(Object.values(recorded), prometheusName),
    '',
    '### Read when somebody asks',
    '',
    table(Object.values(observed), prometheusName),
    '',
    '### Events',
    '',
    'The label `kind` of `warp.events`, and the level at which `logTo` writes each.',
    '',
    '| kind | level |',
    '|---|---|',
    ...Object.entries(eventLevels).map(([kind, level]) => `| \`${kind}\` | ${level} |`),
    '',
    END,
  ].join('\n')
}

/**
 * The document with its catalogue made anew.
 *
 * @param {string} text
 * @param {Catalogue} catalogue
 */
export function withCatalogue(text, catalogue) {
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)]
  if (from < 0 || to < from) throw new Error('docs/observability.md has lost the marks of its catalogue')
  return `${text.slice(0, from)}${catalogueDocument(catalogue)}${text.slice(to + END.length)}`
}

/**
 * The names of the series that Prometheus has of an instrument, with their labels.
 *
 * @param {Instrument} instrument
 * @param {Catalogue['prometheusName']} prometheusName
 * @returns {{ name: string, labels: readonly string[] }[]}
 */
export function seriesOf(instrument, prometheusName) {
  const name = prometheusName(instrument)
  const { kind, labels } = instrument
  if (kind === 'counter' || kind === 'gauge') return [{ name, labels }]
  return [
    { name: `${name}_bucket`, labels: [...labels, 'le'] },
    { name: `${name}_sum`, labels },
    { name: `${name}_count`, labels },
  ]
}

/**
 * @param {readonly Instrument[]} instruments
 * @param {Catalogue['prometheusName']} prometheusName
 */
function table(instruments, prometheusName) {
  const rows = instruments.map((instrument) => {
    const { name, kind, unit, help, labels } = instrument
    const shownLabels = labels.map((label) => `\`${label}\``).join(', ')
    return `| \`${name}\` | ${kind} | \`${unit}\` | ${shownLabels} | \`${prometheusName(instrument)}\` | ${help} |`
  })
  return [
    '| instrument | kind | unit | labels | in Prometheus | what it is |',
    '|---|---|---|---|---|---|',
    ...rows,
  ].join('\n')
}
