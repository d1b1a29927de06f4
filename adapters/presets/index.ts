/** `warp-engine/presets`: the options of an engine for production, by one call (docs/presets.md). */
export { memoryPreset } from './memory-preset.ts'
export { meshPreset } from './mesh-preset.ts'
export type { MeshPresetOptions, MeshPreset } from './mesh-preset.ts'
export type { MemoryPreset, MemoryPresetOptions } from './memory-preset.ts'
export type { PresetDefaults, PresetOptions } from './common.ts'
