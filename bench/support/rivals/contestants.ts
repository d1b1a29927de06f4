import { BENTOCACHE } from './bentocache.ts'
import { CACHEABLE } from './cacheable.ts'
import type { Contestant } from './contestant.ts'
import { LAYERED_LOADER } from './layered-loader.ts'
import { WARP } from './warp.ts'

export const CONTESTANTS: readonly Contestant[] = [WARP, BENTOCACHE, LAYERED_LOADER, CACHEABLE]
