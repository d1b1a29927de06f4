/** `warp-engine/opentelemetry`: what an engine measures, as metrics and spans of OpenTelemetry. */
export { openTelemetryInstruments, type OpenTelemetryOptions } from './opentelemetry-instruments.ts'
