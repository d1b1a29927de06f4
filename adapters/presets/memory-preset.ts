/** One process by itself, with all it has in memory: no network, and a log on disk only where it is asked for. */
import { requireOptions } from '../../crdt/checked-options.ts'
import type { KeyMap } from '../../src/index.ts'
import { type PresetDefaults, commonOptions, PRESET_OPTIONS, type PresetOptions } from './common.ts'

export type MemoryPresetOptions<K extends KeyMap> = PresetOptions<K>
/** Options of `openWarp`. */
export type MemoryPreset<K extends KeyMap> = PresetDefaults<K>

/**
 * The options of an engine without a network:
 *
 *     const warp = await openWarp(memoryPreset({ keys: { 'page:*': { strategy: register<Page>(), load: 'caller' } } }))
 *
 * What it says otherwise than `openWarp` by itself stands in docs/presets.md. To change one thing, spread
 * it: `{ ...memoryPreset({ keys }), ack: 'durable' }`. Throws `WARP_E_CONFIG`.
 */
export function memoryPreset<const K extends KeyMap>(options: MemoryPresetOptions<K>): MemoryPreset<K> {
  requireOptions('memoryPreset', options, PRESET_OPTIONS, "{ keys: { 'page:*': register() } }")
  return commonOptions<K>('memoryPreset', options)
}
