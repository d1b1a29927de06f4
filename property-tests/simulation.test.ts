/** See simulated-seeds.ts. */
import { simulatedSeeds } from './simulated-seeds.ts'

simulatedSeeds(0)
