import { ItemPacker } from '../../gateway/audit/item-packer.ts'
import { LaneLog } from '../../gateway/audit/log.ts'
import { newProcessId } from '../../gateway/audit/request-id.ts'
import type { Instant, PatientId } from '../../gateway/model/ids.ts'
import { randomBytes } from 'node:crypto'
import { access, context } from '../gateway/audit/examples.ts'
import { NotaryBench, SetClock } from '../gateway/audit/notary/notary-bench.ts'

// `npm run bench:sealing [records]`: how long the notary takes for the records of one minute, 100,000 by default, with the engine and the
// folder of this machine. The requirement is 15 s.

const RECORDS = Number(process.argv[2] ?? 100_000)
/** The mean of the clinic's requests: 1,234,567 records in 154,321 items. */
const RECORDS_PER_ITEM = 8
const PROCESSES = 8

const bench = await NotaryBench.start()
try {
  const clock = new SetClock('2026-11-28T17:10:00Z')
  const tenant = bench.tenant()
  const items = Math.ceil(RECORDS / RECORDS_PER_ITEM)
  let left = items
  const processes = Array.from({ length: PROCESSES }, async () => {
    const log = new LaneLog({
      client: bench.client,
      table: bench.audit,
      process: newProcessId(randomBytes),
      now: clock.now,
      monotonic: clock.monotonic,
      events: () => undefined,
    })
    while (left > 0) {
      const count = Math.min(40, left)
      left -= count
      const drafts = Array.from({ length: count }, () => {
        const patient = randomBytes(16).toString('base64url') as PatientId
        const packer = new ItemPacker(context({ tenant }))
        for (let number = 1; number <= RECORDS_PER_ITEM; number++)
          packer.add(access(number, { at: clock.now() as Instant, patient, recordId: patient }))
        return packer.rest()
      })
      await log.append(drafts.flat(), clock.now() + 60_000)
    }
  })
  await Promise.all(processes)
  clock.pass(60)
  const notary = bench.notary(clock, bench.services, { maxItems: 32_768 })
  const [began, cpu] = [performance.now(), process.cpuUsage()]
  await notary.pass(tenant)
  const seconds = (performance.now() - began) / 1_000
  const { user, system } = process.cpuUsage(cpu)
  const peak = process.resourceUsage().maxRSS / 1_024
  const log = await bench.published(tenant)
  if (log.items.length !== items) throw new Error(`${log.items.length} of ${items} items are published`)
  const texts = log.items.reduce((sum, { e }) => sum + Buffer.byteLength(e), 0)
  let objects = 0
  for (const name of log.names) objects += (await bench.objects.get(name))?.bytes.length ?? 0
  console.log(
    `${RECORDS} records in ${items} items: sealed and published in ${seconds.toFixed(1)} s, ` +
      `${((user + system) / 1e6).toFixed(1)} s of CPU, at most ${peak.toFixed(0)} MB; ` +
      `${(texts / 1e6).toFixed(1)} MB of items, ${(objects / 1e6).toFixed(1)} MB of objects`,
  )
} finally {
  await bench.stop()
}
