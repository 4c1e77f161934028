import { beforeAll, describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { samples } from '../../audit/audit-arbitraries.ts'
import { BALP_PROFILES } from './balp-rules.ts'
import { mutantsOf } from './balp-mutants.ts'
import { r4Rules, rulesOf } from './balp-shorthand.ts'
import { BALP_URL, BalpValidator, profilesOf } from './balp-validator.ts'
import { entriesOfRequests, sampledEntries } from './export-arbitraries.ts'
import { DIGESTS, objectsOf, PLAIN } from './export-bench.ts'

const EVENTS = Number(process.env['EXPORT_EVENTS'] ?? 300)

let validator: BalpValidator
beforeAll(() => {
  validator = new BalpValidator()
})

/** The profiles that an export claims: those of patients, and of searches and writes that concern none. */
const CLAIMED = Object.values(BALP_PROFILES).map(({ id }) => BALP_URL + id)

describe('FHIR AuditEvents', () => {
  it('C08: are valid in R4 and in every profile that they claim', { timeout: 300_000 }, async () => {
    const claimed = new Map<string, number>()
    let count = 0
    for (let round = 0; round < 5 || count < EVENTS || claimed.size < CLAIMED.length; round++) {
      const entries = sampledEntries(150, 20_261_128 + round * 1_000)
      for (const event of await objectsOf('fhir', entries, round % 2 === 0 ? PLAIN : DIGESTS)) {
        expect(validator.faultsOf(event)).toEqual([])
        for (const profile of profilesOf(event)) claimed.set(profile, (claimed.get(profile) ?? 0) + 1)
        count++
      }
    }
    expect([...claimed.keys()].toSorted()).toEqual(CLAIMED.toSorted())
  })

  it('C08: are valid for any text and any combination that the writer can store', async () => {
    await fc.assert(
      fc.asyncProperty(samples(12), async (sample) => {
        for (const event of await objectsOf('fhir', entriesOfRequests([sample]))) expect(validator.faultsOf(event)).toEqual([])
      }),
      { numRuns: 15 },
    )
  })

  it('C08: the validator refuses every mutant of an event of each profile', { timeout: 120_000 }, async () => {
    const events = await objectsOf('fhir', sampledEntries(800, 1))
    let count = 0
    const accepted: string[] = []
    for (const [name, { id }] of Object.entries(BALP_PROFILES)) {
      const event = events.find((one) => profilesOf(one).includes(BALP_URL + id))
      if (event === undefined) throw new Error(`no event of ${name}`)
      for (const { change, event: mutant } of [...mutantsOf(event, r4Rules()), ...mutantsOf(event, rulesOf(name))]) {
        if (validator.faultsOf(mutant).length === 0) accepted.push(`${name} ${change}`)
        count++
      }
    }
    expect(accepted).toEqual([])
    expect(count).toBeGreaterThan(600)
  })

  it('C08: the validator refuses what R4 forbids anywhere', async () => {
    const [event] = await objectsOf('fhir', sampledEntries(1, 1))
    if (event === undefined) throw new Error('no event')
    const changes: readonly object[] = [
      { id: 'an_id' },
      { recorded: 'yesterday' },
      { unknown: 1 },
      { outcomeDesc: '' },
      { subtype: [] },
      { purposeOfEvent: [{}] },
      { meta: { profile: [`${BALP_URL}Unknown`] } },
      { entity: [{ name: 'a name', query: 'AAAA' }] },
      { resourceType: 'Patient' },
    ]
    for (const change of changes) expect([change, validator.faultsOf({ ...event, ...change }).length > 0]).toEqual([change, true])
  })
})
