/** The dashboard for Grafana, docs/monitoring/warp-dashboard.json, from a list of panels. */

/**
 * @typedef {object} Query
 * @property {string} expr In it, `$by` is what tells replicas apart.
 * @property {string} legend
 *
 * @typedef {object} Panel
 * @property {string} title
 * @property {string} unit One of Grafana's.
 * @property {readonly Query[]} queries
 * @property {'timeseries' | 'stat'} [type]
 * @property {string} [about]
 */

const OF = '{job=~"$job",instance=~"$instance"}'
/** @param {string} matchers */
const of = (matchers) => `{job=~"$job",instance=~"$instance",${matchers}}`
const RATE = '[$__rate_interval]'

/**
 * @param {number} share
 * @param {string} histogram
 * @param {string} [by]
 */
const quantile = (share, histogram, by = 'instance') =>
  `histogram_quantile(${share}, sum by (le, ${by}) (rate(${histogram}_bucket${OF}${RATE})))`

/** @type {readonly (readonly [row: string, panels: readonly Panel[]])[]} */
const ROWS = [
  [
    'Health',
    [
      {
        title: 'Ready',
        type: 'stat',
        unit: 'bool_yes_no',
        queries: [{ expr: `warp_health_ready${OF}`, legend: '{{instance}}' }],
      },
      {
        title: 'Alive',
        type: 'stat',
        unit: 'bool_yes_no',
        queries: [{ expr: `warp_health_live${OF}`, legend: '{{instance}}' }],
      },
      {
        title: 'Parts that are not ready',
        unit: 'short',
        queries: [{ expr: `1 - warp_health_part_ready${OF}`, legend: '{{instance}} {{part}}' }],
      },
      {
        title: 'Events',
        unit: 'ops',
        queries: [{ expr: `sum by (kind) (rate(warp_events_total${OF}${RATE}))`, legend: '{{kind}}' }],
      },
    ],
  ],
  [
    'Writes and reads',
    [
      {
        title: 'Writes',
        unit: 'ops',
        queries: [
          { expr: `sum by (instance, ack) (rate(warp_writes_total${OF}${RATE}))`, legend: '{{instance}} {{ack}}' },
        ],
      },
      {
        title: 'Until a write is as safe as asked',
        unit: 's',
        queries: [
          { expr: quantile(0.5, 'warp_write_settle_duration_seconds', 'ack'), legend: '50 % {{ack}}' },
          { expr: quantile(0.99, 'warp_write_settle_duration_seconds', 'ack'), legend: '99 % {{ack}}' },
        ],
      },
      {
        title: 'Writes that did not become as safe as asked',
        unit: 'ops',
        queries: [
          {
            expr: `sum by (instance, ack) (rate(warp_write_settle_duration_seconds_count${of('outcome="failed"')}${RATE}))`,
            legend: '{{instance}} {{ack}}',
          },
        ],
      },
      {
        title: 'Values worked out',
        about: 'Reads that found no value in memory, and how long they took.',
        unit: 's',
        queries: [{ expr: quantile(0.99, 'warp_cache_fold_duration_seconds'), legend: '{{instance}}' }],
      },
      {
        title: 'Values in memory',
        unit: 'short',
        queries: [
          { expr: `warp_cache_entries${OF}`, legend: '{{instance}}' },
          { expr: `warp_cache_entries_limit${OF}`, legend: '{{instance}} limit' },
        ],
      },
      {
        title: 'Misses and evictions',
        unit: 'ops',
        queries: [
          { expr: `rate(warp_cache_misses_total${OF}${RATE})`, legend: '{{instance}} misses' },
          { expr: `rate(warp_cache_evictions_total${OF}${RATE})`, legend: '{{instance}} evictions' },
        ],
      },
    ],
  ],
  [
    'Keys that load',
    [
      {
        title: 'Hits and misses',
        unit: 'ops',
        queries: [
          { expr: `rate(warp_copies_hits_total${OF}${RATE})`, legend: '{{instance}} hits' },
          { expr: `rate(warp_copies_misses_total${OF}${RATE})`, legend: '{{instance}} misses' },
          { expr: `rate(warp_copies_stale_total${OF}${RATE})`, legend: '{{instance}} stale' },
        ],
      },
      {
        title: 'Loads, 99 %',
        unit: 's',
        queries: [{ expr: quantile(0.99, 'warp_load_duration_seconds', 'outcome'), legend: '{{outcome}}' }],
      },
      {
        title: 'Copies in memory',
        unit: 'short',
        queries: [
          { expr: `warp_copies_entries${OF}`, legend: '{{instance}}' },
          { expr: `warp_copies_entries_limit${OF}`, legend: '{{instance}} limit' },
        ],
      },
      {
        title: 'Loads under way',
        unit: 'short',
        queries: [{ expr: `warp_loads_running${OF}`, legend: '{{instance}}' }],
      },
      {
        title: 'Invalidations',
        unit: 'ops',
        queries: [{ expr: `rate(warp_invalidations_total${OF}${RATE})`, legend: '{{instance}}' }],
      },
    ],
  ],
  [
    'Log and compaction',
    [
      {
        title: 'Bytes of the log',
        unit: 'bytes',
        queries: [
          { expr: `warp_log_size_bytes${OF}`, legend: '{{instance}}' },
          { expr: `warp_log_discarded_bytes${OF}`, legend: '{{instance}} garbage' },
        ],
      },
      {
        title: 'Flush and sync, 99 %',
        unit: 's',
        queries: [
          { expr: quantile(0.99, 'warp_log_flush_duration_seconds'), legend: '{{instance}} flush' },
          { expr: quantile(0.99, 'warp_log_sync_duration_seconds'), legend: '{{instance}} sync' },
        ],
      },
      {
        title: 'Behind the disk',
        unit: 'bytes',
        queries: [
          { expr: `warp_log_unlogged_bytes${OF}`, legend: '{{instance}} not logged' },
          { expr: `warp_log_undurable_bytes${OF}`, legend: '{{instance}} not durable' },
        ],
      },
      {
        title: 'Operations folded away',
        unit: 'ops',
        queries: [{ expr: `rate(warp_compaction_operations_total${OF}${RATE})`, legend: '{{instance}}' }],
      },
      {
        title: 'What holds compaction back, since',
        unit: 's',
        queries: [
          { expr: `warp_compaction_hold_age_seconds${OF}`, legend: '{{instance}} oldest hold' },
          { expr: `warp_compaction_lack_age_seconds${OF}`, legend: '{{instance}} slowest replica' },
        ],
      },
    ],
  ],
  [
    'Replication',
    [
      {
        title: 'Peers that are up',
        unit: 'short',
        queries: [{ expr: `warp_replication_peers${of('state="up"')}`, legend: '{{instance}} {{transport}}' }],
      },
      {
        title: 'Bytes sent and received',
        unit: 'Bps',
        queries: [
          {
            expr: `sum by (instance) (rate(warp_replication_sent_bytes_total${OF}${RATE}))`,
            legend: '{{instance}} sent',
          },
          {
            expr: `sum by (instance) (rate(warp_replication_received_bytes_total${OF}${RATE}))`,
            legend: '{{instance}} received',
          },
        ],
      },
      {
        title: 'Operations of others taken in',
        unit: 'ops',
        queries: [{ expr: `rate(warp_replication_operations_applied_total${OF}${RATE})`, legend: '{{instance}}' }],
      },
      {
        title: 'Not taken in',
        unit: 'ops',
        queries: [
          {
            expr: `sum by (instance, reason) (rate(warp_replication_dropped_operations_total${of('reason!="duplicate"')}${RATE}))`,
            legend: '{{instance}} {{reason}}',
          },
        ],
      },
      {
        title: 'Fullness of queues',
        unit: 'percentunit',
        queries: [
          {
            expr: `warp_queue_items${OF} / warp_queue_items_limit${OF}`,
            legend: '{{instance}} {{queue}}',
          },
        ],
      },
    ],
  ],
  [
    'Strong keys',
    [
      {
        title: 'Behind the ordered log by',
        about: 'Records, as far as is known on the replica.',
        unit: 'short',
        queries: [{ expr: `warp_order_lag${OF}`, legend: '{{instance}} {{order}} {{partition}}' }],
      },
      {
        title: 'The ordered log has been away for',
        unit: 's',
        queries: [{ expr: `warp_order_away_seconds${OF}`, legend: '{{instance}} {{order}}' }],
      },
      {
        title: 'Appends',
        unit: 'ops',
        queries: [
          {
            expr: `sum by (instance, outcome) (rate(warp_order_appends_total${OF}${RATE}))`,
            legend: '{{instance}} {{outcome}}',
          },
        ],
      },
      {
        title: 'Strong writes that wait',
        unit: 'short',
        queries: [{ expr: `warp_order_waiting${OF}`, legend: '{{instance}} {{partition}}' }],
      },
    ],
  ],
  [
    'Regions',
    [
      {
        title: 'A region is behind by',
        about: 'Operations that its slowest replica lacks.',
        unit: 'short',
        queries: [{ expr: `warp_region_lag${OF}`, legend: '{{instance}} {{region}}' }],
      },
      {
        title: 'A region has been silent for',
        unit: 's',
        queries: [{ expr: `warp_region_silence_seconds${OF}`, legend: '{{instance}} {{region}}' }],
      },
      {
        title: 'Relays that work',
        about: 'One for each direction. Two for a moment, while one takes over.',
        unit: 'short',
        queries: [{ expr: `sum by (from, to) (warp_relay_works${OF})`, legend: '{{from}} to {{to}}' }],
      },
      {
        title: 'Operations carried between regions',
        unit: 'ops',
        queries: [
          {
            expr: `rate(warp_replication_sent_operations_total${of('reason="relayed"')}${RATE})`,
            legend: '{{instance}}',
          },
        ],
      },
    ],
  ],
  [
    'Channels',
    [
      {
        title: 'Messages',
        unit: 'ops',
        queries: [
          { expr: `rate(warp_channels_published_total${OF}${RATE})`, legend: '{{instance}} published' },
          { expr: `rate(warp_channels_received_total${OF}${RATE})`, legend: '{{instance}} received' },
        ],
      },
      {
        title: 'Messages in gaps',
        unit: 'ops',
        queries: [
          { expr: `rate(warp_channels_missed_total${OF}${RATE})`, legend: '{{instance}} lost' },
          { expr: `rate(warp_channels_dropped_total${OF}${RATE})`, legend: '{{instance}} slow consumers' },
        ],
      },
      {
        title: 'Messages that wait',
        unit: 'short',
        queries: [
          { expr: `warp_channels_pending${OF}`, legend: '{{instance}} for consumers' },
          { expr: `warp_channels_held${OF}`, legend: '{{instance}} for one before them' },
        ],
      },
    ],
  ],
  [
    'Watches and projections',
    [
      { title: 'Watches', unit: 'short', queries: [{ expr: `warp_watches${OF}`, legend: '{{instance}}' }] },
      {
        title: 'The slowest watch is behind by',
        unit: 'bytes',
        queries: [{ expr: `warp_watches_behind_bytes${OF}`, legend: '{{instance}}' }],
      },
      {
        title: 'Projections are behind by',
        unit: 'bytes',
        queries: [{ expr: `warp_projection_behind_bytes${OF}`, legend: '{{instance}} {{projection}}' }],
      },
      {
        title: 'Projections that have failed',
        unit: 'short',
        queries: [{ expr: `warp_projections${of('state="failed"')}`, legend: '{{instance}}' }],
      },
    ],
  ],
]

const COLUMNS = 3
const [WIDTH, HEIGHT] = [24 / COLUMNS, 8]

/** Every query of the dashboard. */
export const QUERIES = ROWS.flatMap(([, panels]) => panels.flatMap(({ queries }) => queries.map(({ expr }) => expr)))

/** @returns {string} the dashboard as JSON */
export function dashboardJson() {
  /** @type {object[]} */
  const panels = []
  let y = 0
  for (const [title, ofRow] of ROWS) {
    panels.push({
      id: panels.length + 1,
      type: 'row',
      title,
      collapsed: false,
      gridPos: { x: 0, y, w: 24, h: 1 },
      panels: [],
    })
    y++
    for (const [i, panel] of ofRow.entries()) {
      const gridPos = { x: (i % COLUMNS) * WIDTH, y: y + Math.floor(i / COLUMNS) * HEIGHT, w: WIDTH, h: HEIGHT }
      panels.push(panelOf(panel, panels.length + 1, gridPos))
    }
    y += Math.ceil(ofRow.length / COLUMNS) * HEIGHT
  }
  return `${JSON.stringify({ ...FRAME, panels }, undefined, 1)}\n`
}

/**
 * @param {Panel} panel
 * @param {number} id
 * @param {object} gridPos
 */
function panelOf({ title, type = 'timeseries', unit, queries, about }, id, gridPos) {
  return {
    ...{ id, type, title, gridPos, datasource: DATASOURCE },
    ...(about === undefined ? {} : { description: about }),
    fieldConfig: { defaults: { unit }, overrides: [] },
    options: {},
    targets: queries.map(({ expr, legend }, i) => ({
      ...{ refId: String.fromCharCode(65 + i), expr, legendFormat: legend, datasource: DATASOURCE },
    })),
  }
}

const DATASOURCE = { type: 'prometheus', uid: '${datasource}' }

/** @param {string} name @param {string} metric @param {string} filter */
const variable = (name, metric, filter) => ({
  ...{ name, type: 'query', datasource: DATASOURCE, refresh: 2, multi: true, includeAll: true, allValue: '.*' },
  query: { query: `label_values(${metric}${filter}, ${name})`, refId: name },
  current: { selected: true, text: ['All'], value: ['$__all'] },
})

const FRAME = {
  title: 'Warp',
  uid: 'warp-engine',
  tags: ['warp'],
  schemaVersion: 39,
  version: 1,
  editable: true,
  refresh: '30s',
  time: { from: 'now-1h', to: 'now' },
  templating: {
    list: [
      { name: 'datasource', type: 'datasource', query: 'prometheus', current: {} },
      variable('job', 'warp_health_ready', ''),
      variable('instance', 'warp_health_ready', '{job=~"$job"}'),
    ],
  },
  annotations: { list: [] },
}
