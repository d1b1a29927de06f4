/** Writes docs/observability.md's catalogue and the dashboard anew: `npm run docs:observability`. */
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { ensureBuilt } from './built.mjs'
import { withCatalogue } from './observability/catalogue.mjs'
import { dashboardJson } from './observability/dashboard.mjs'

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const DOCUMENT = path.join(ROOT, 'docs/observability.md')

ensureBuilt()
/** @param {string} name */
const built = (name) => import(pathToFileURL(path.join(ROOT, 'dist', name)).href)
const [{ INSTRUMENTS: recorded, OBSERVED: observed }, { prometheusName }, { EVENT_LEVELS: eventLevels }] =
  await Promise.all([
    built('src/index.js'),
    built('adapters/prometheus/prometheus-name.js'),
    built('src/observability/event-levels.js'),
  ])
const catalogue = { recorded, observed, prometheusName, eventLevels }
writeFileSync(DOCUMENT, withCatalogue(readFileSync(DOCUMENT, 'utf8'), catalogue))
writeFileSync(path.join(ROOT, 'docs/monitoring/warp-dashboard.json'), dashboardJson())
