/** The catalogue of names: the document is fresh, and dashboard and alerts name nothing that is not in it. */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { Registry } from 'prom-client'
import { describe, expect, test } from 'vitest'
import { INSTRUMENTS, OBSERVED, openWarp } from '../../adapters/node/index.ts'
import { prometheusInstruments, prometheusName } from '../../adapters/prometheus/index.ts'
import { register } from '../../crdt/register.ts'
import { EVENT_LEVELS } from '../../src/observability/event-levels.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { seriesOf, withCatalogue } from '../../tools/observability/catalogue.mjs'
import { QUERIES, dashboardJson } from '../../tools/observability/dashboard.mjs'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { ROOT, readFile } from '../support/tidy/source-tree.ts'

const ALERTS = 'docs/monitoring/warp-alerts.yml'
const all = [...Object.values(INSTRUMENTS), ...Object.values(OBSERVED)]
const catalogue = { recorded: INSTRUMENTS, observed: OBSERVED, prometheusName, eventLevels: EVENT_LEVELS }
const known = new Map(all.flatMap((one) => seriesOf(one, prometheusName)).map(({ name, labels }) => [name, labels]))

/** Labels that Prometheus adds by itself. */
const EVERYWHERE = ['job', 'instance']

/** Names and labels in a query that are in no catalogue. */
function strangers(query: string): string[] {
  const plain = query.replaceAll(/"[^"]*"/g, '""').replaceAll('$__rate_interval', '5m')
  const found: string[] = []
  const allowed: string[] = [...EVERYWHERE]
  for (const [, name = '', matchers = ''] of plain.matchAll(/\b(warp_\w+)(?:\{([^}]*)\})?/g)) {
    const labels = known.get(name)
    if (labels === undefined) found.push(name)
    allowed.push(...(labels ?? []))
    const asked = [...matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label = '']) => label)
    found.push(...asked.filter((one) => !allowed.includes(one)).map((one) => `${name}{${one}}`))
  }
  const groups = [...plain.matchAll(/\b(?:by|on)\s*\(([^)]*)\)/g)].flatMap(([, group = '']) => group.split(','))
  return [
    ...found,
    ...groups
      .map((one) => one.trim())
      .filter((one) => !allowed.includes(one))
      .map((one) => `by ${one}`),
  ]
}

/** The expressions of the rules, each on one line; and labels that annotations show. */
function alertExpressions(): string[] {
  return [...readFile(ALERTS).text.matchAll(/^\s+expr: (.*)$/gm)].map(([, expression = '']) => expression)
}

describe('the catalogue', () => {
  test('stands in docs/observability.md as it is in the code (npm run docs:observability)', () => {
    const { text } = readFile('docs/observability.md')
    expect(text).toBe(withCatalogue(text, catalogue))
  })

  test('has no name twice, here or in Prometheus, and says what each is', () => {
    for (const name of [all.map((one) => one.name), all.map(prometheusName)])
      expect(new Set(name).size).toBe(all.length)
    for (const { name, help, labels } of all) {
      expect([name, /^warp(?:\.[a-z]+)+$/.test(name), help.endsWith('.')]).toEqual([name, true, true])
      expect(new Set(labels).size).toBe(labels.length)
    }
  })
})

describe('dashboard and alerts', () => {
  test('the dashboard is made of its list of panels (npm run docs:observability)', () => {
    expect(readFile('docs/monitoring/warp-dashboard.json').text).toBe(dashboardJson())
    expect(JSON.parse(dashboardJson())).toMatchObject({ title: 'Warp', panels: expect.any(Array) })
  })

  test('their queries name only metrics and labels that exist', () => {
    const expressions = alertExpressions()
    expect(expressions.length).toBeGreaterThan(10)
    expect([...QUERIES, ...expressions].flatMap(strangers)).toEqual([])
  })

  test('a kind of event that an alert waits for exists', () => {
    const kinds = alertExpressions().flatMap((expression) =>
      [...expression.matchAll(/kind=~?"([^"]*)"/g)].flatMap(([, list = '']) => list.split('|')),
    )
    expect(kinds.length).toBeGreaterThan(5)
    expect(kinds.filter((kind) => !Object.hasOwn(EVENT_LEVELS, kind))).toEqual([])
  })

  test('what to do when each alert fires stands in docs/deployment.md, and nothing of an alert that there is not', () => {
    const alerts = [...readFile(ALERTS).text.matchAll(/- alert: (\w+)/g)].map(([, name = '']) => name)
    const told = [...readFile('docs/deployment.md').text.matchAll(/^\| `(Warp\w+)` \|/gm)].map(([, name = '']) => name)
    expect(alerts.length).toBeGreaterThan(10)
    expect(told).toEqual(alerts)
  })

  test.each([
    ['warp_nothing_total > 0', 'warp_nothing_total'],
    ['rate(warp_writes{ack="x"}[5m])', 'warp_writes'],
    ['sum by (key) (warp_keys)', 'by key'],
    ['warp_keys{state="up"}', 'warp_keys{state}'],
    ['warp_write_settle_duration_seconds > 1', 'warp_write_settle_duration_seconds'],
  ])('a query that names what does not exist is found: %s', (query, stranger) => {
    expect(strangers(query)).toContain(stranger)
  })
})

describe('promtool', () => {
  test('has nothing to say about the metrics page', async ({ skip }) => {
    const whyNot = missingPromtool()
    if (whyNot !== undefined) return skip(whyNot)
    expect(promtool(['check', 'metrics'], await metricsPage())).toEqual({ status: 0, said: '' })
    expect(promtool(['check', 'metrics'], '# TYPE warp_bad counter\nwarp_bad 1\n').status).not.toBe(0)
  })

  test('reads the rules, and they fire when they should', ({ skip }) => {
    const whyNot = missingPromtool()
    if (whyNot !== undefined) return skip(whyNot)
    const rules = path.join(ROOT, ALERTS)
    expect(promtool(['check', 'rules', rules])).toMatchObject({ status: 0 })
    const folder = temporaryFolder()
    const tests = path.join(folder, 'tests.yml')
    writeFileSync(tests, RULE_TESTS.replace('RULES', rules))
    expect(promtool(['test', 'rules', tests])).toMatchObject({ status: 0 })
  })
})

async function metricsPage(): Promise<string> {
  const registry = new Registry()
  const keys = { 'r:*': register<string>() }
  await using warp = await openWarp({ keys, env: virtualEnv(), instruments: prometheusInstruments({ registry }) })
  await warp.set('r:1', 'x')
  return await registry.metrics()
}

function promtool(parameters: readonly string[], input?: string): { status: number | null; said: string } {
  const { status, stdout, stderr } = spawnSync('promtool', parameters, { input, encoding: 'utf8' })
  return { status, said: `${stdout}${stderr}` }
}

/** Why promtool cannot be asked; in CI it has to be there. */
function missingPromtool(): string | undefined {
  if (spawnSync('promtool', ['--version']).error === undefined) return undefined
  if (process.env['CI'] !== undefined) throw new Error('CI has no promtool: apt-get install prometheus')
  return 'there is no promtool here: apt-get install prometheus'
}

const RULE_TESTS = `
rule_files: ['RULES']
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - { series: 'warp_health_live{job="w",instance="a"}', values: '1 1 0x10' }
      - { series: 'warp_health_ready{job="w",instance="a"}', values: '1x20' }
      - { series: 'warp_events_total{job="w",instance="b",kind="rejoin:lost"}', values: '0 0 1x20' }
      - { series: 'warp_replication_peers{job="w",instance="a",transport="mesh",state="up"}', values: '1 1 0x20' }
      - { series: 'warp_replication_joined{job="w",instance="a"}', values: '1x20' }
      - { series: 'warp_order_away_seconds{job="w",instance="a",order="kafka"}', values: '0 0 30 90 150x16' }
      - { series: 'warp_region_replicas{job="w",instance="a",region="us"}', values: '2 2 0x20' }
      - { series: 'warp_region_silence_seconds{job="w",instance="a",region="us"}', values: '0 0 60x20' }
      - { series: 'warp_relay_works{job="w",instance="a",from="eu",to="us"}', values: '1 1 0x20' }
      - { series: 'warp_relay_works{job="w",instance="b",from="eu",to="us"}', values: '0x3 1x20' }
      - { series: 'warp_relay_works{job="w",instance="b",from="us",to="eu"}', values: '1 1 0x20' }
      - { series: 'warp_replication_peers{job="w",instance="c",transport="mesh",state="up"}', values: '0x20' }
      - { series: 'warp_replication_joined{job="w",instance="c"}', values: '0x20' }
    alert_rule_test:
      - eval_time: 1m
        alertname: WarpNotAlive
        exp_alerts: []
      - eval_time: 5m
        alertname: WarpNotAlive
        exp_alerts:
          - exp_labels: { severity: critical, job: w, instance: a }
            exp_annotations:
              summary: 'The log of a has failed'
              description: 'Writes are refused until the engine is opened again. Repair the disk and restart the process.'
      - eval_time: 15m
        alertname: WarpNotReady
        exp_alerts: []
      - eval_time: 5m
        alertname: WarpWorkLost
        exp_alerts:
          - exp_labels: { severity: critical, job: w, instance: b, kind: 'rejoin:lost' }
            exp_annotations:
              summary: 'b could not carry everything over into the state of its peers'
              description: 'It was away for too long. The events rejoin:lost name the keys to look at.'
      - eval_time: 2m
        alertname: WarpOrderAway
        exp_alerts: []
      - eval_time: 5m
        alertname: WarpOrderAway
        exp_alerts:
          - exp_labels: { severity: critical, job: w, instance: a, order: kafka }
            exp_annotations:
              summary: 'The ordered log kafka has been away from a for a minute'
              description: 'Strong writes and reads are refused or wait; all others go on. Look at the broker and the way to it.'
      - eval_time: 5m
        alertname: WarpRegionDown
        exp_alerts:
          - exp_labels: { severity: critical, job: w, instance: a, region: us }
            exp_annotations:
              summary: 'The region us is not heard by a'
              description: 'Both sides go on by themselves and merge later. Look at the relays and at the way between the regions.'
      - eval_time: 15m
        alertname: WarpNoRelayWorks
        exp_alerts:
          - exp_labels: { severity: warning, job: w, from: us, to: eu }
            exp_annotations:
              summary: 'No relay carries from us to eu'
              description: 'Operations cross only when they are asked for, a second or so late. Give each region two relays, and look at theirs.'
      - eval_time: 15m
        alertname: WarpAlone
        exp_alerts:
          - exp_labels: { severity: warning, job: w, instance: a }
            exp_annotations:
              summary: 'a hears no other replica'
              description: 'It serves and takes writes; they reach the others when the network does.'
`
