/** The other half of the seeds of simulation.test.ts, for the other worker. */
import { simulatedSeeds } from './simulated-seeds.ts'

simulatedSeeds(1)
