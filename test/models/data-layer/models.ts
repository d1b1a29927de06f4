/** All models of the data layer. */
import { type Explorer } from './explorer.ts'
import { leases } from './leases/model.ts'
import { lives } from './lives/model.ts'
import { loadOnly } from './load-only/model.ts'
import { primaryStore } from './store/model.ts'

export const MODELS: readonly Explorer[] = [primaryStore, loadOnly, leases, lives]
