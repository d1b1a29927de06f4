/** `warp-engine/prometheus`: what an engine measures, as metrics of prom-client. */
export { prometheusInstruments, type PrometheusOptions } from './prometheus-instruments.ts'
export { prometheusName } from './prometheus-name.ts'
