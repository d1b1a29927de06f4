/** BullMQ: 1,000 jobs, two workers, priorities, delays, tries again, a schedule, and what the queue says of itself. */
import assert from 'node:assert/strict'
import { Queue, QueueEvents, Worker } from 'bullmq'

const JOBS = 1000
const connection = { host: '127.0.0.1', port: Number(process.env['PORT']), maxRetriesPerRequest: null }
const queue = new Queue('check', { connection })
const events = new QueueEvents('check', { connection })
await events.waitUntilReady()

const done = new Map()
let [failures, completed, scheduled] = [0, 0, 0]
let finish
const finished = new Promise((resolve) => (finish = resolve))
const isFinished = () => completed >= JOBS && scheduled >= 2 && failures >= 1
async function work(job) {
  if (job.name === 'tick') {
    scheduled++
    if (isFinished()) finish()
    return undefined
  }
  if (job.name === 'again' && job.attemptsMade === 0) {
    failures++
    throw new Error('the first try fails')
  }
  assert.ok(!done.has(job.data.number), `job ${job.data.number} was done twice`)
  done.set(job.data.number, true)
  return { twice: job.data.number * 2 }
}
const workers = [1, 2].map(() => new Worker('check', work, { connection, concurrency: 10 }))
events.on('completed', ({ returnvalue }) => {
  if (returnvalue?.twice === undefined) return
  completed++
  if (isFinished()) finish()
})
for (const worker of workers) worker.on('error', (error) => assert.fail(String(error)))

await queue.addBulk(
  Array.from({ length: JOBS }, (_, number) => ({
    name: number === 7 ? 'again' : 'plain',
    data: { number },
    opts: {
      ...(number % 10 === 1 ? { priority: 1 + (number % 5) } : {}),
      ...(number % 100 === 2 ? { delay: 50 } : {}),
      ...(number === 7 ? { attempts: 3, backoff: { type: 'fixed', delay: 20 } } : {}),
    },
  })),
)
await queue.upsertJobScheduler('every', { every: 100 }, { name: 'tick' })
await finished
assert.equal(done.size, JOBS)
await queue.removeJobScheduler('every')
const counts = await queue.getJobCounts('completed', 'failed', 'waiting', 'active', 'delayed')
assert.ok(counts.completed >= JOBS, JSON.stringify(counts))
assert.equal(counts.failed, 0)
await Promise.all([...workers, events].map((one) => one.close()))
await queue.obliterate({ force: true })
await queue.close()
