import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { samples } from '../../audit/audit-arbitraries.ts'
import { entriesOfRequests, sampledEntries } from './export-arbitraries.ts'
import { DIGESTS, objectsOf, PLAIN } from './export-bench.ts'
import { ocsfMutantsOf } from './ocsf-mutants.ts'
import { OCSF_TABLE } from './ocsf-table.ts'
import { ocsfFaults } from './ocsf-validator.ts'

describe('OCSF events', () => {
  it('C08: are valid events of datastore_activity, with every activity', async () => {
    const activities = new Set<unknown>()
    for (const options of [PLAIN, DIGESTS])
      for (const event of await objectsOf('ocsf', sampledEntries(700, 20_261_128), options)) {
        expect(ocsfFaults(event, OCSF_TABLE)).toEqual([])
        activities.add(event['activity_id'])
      }
    expect([...activities].toSorted((one, other) => Number(one) - Number(other))).toEqual([1, 2, 4, 6, 7, 99])
  })

  it('C08: are valid for any text and any combination that the writer can store', async () => {
    await fc.assert(
      fc.asyncProperty(samples(12), async (sample) => {
        for (const event of await objectsOf('ocsf', entriesOfRequests([sample]))) expect(ocsfFaults(event, OCSF_TABLE)).toEqual([])
      }),
      { numRuns: 50 },
    )
  })

  it('C08: the validator refuses every mutant', async () => {
    const events = await objectsOf('ocsf', sampledEntries(60, 3))
    const changes = new Set<string>()
    const accepted: string[] = []
    for (const event of events)
      for (const { change, event: mutant } of ocsfMutantsOf(event, OCSF_TABLE)) {
        if (ocsfFaults(mutant, OCSF_TABLE).length === 0) accepted.push(change)
        changes.add(change)
      }
    expect(accepted).toEqual([])
    expect(changes.size).toBeGreaterThan(80)
  })
})
