import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { OCSF_VERSION } from '../../gateway/oversight/exports/ocsf.ts'
import {
  AT_LEAST_ONE_MATCH,
  BALP_ALIASES,
  BALP_PROFILES,
  BALP_VALUE_SETS,
  VAL_AUDIT_SOURCE,
} from '../gateway/oversight/exports/balp-rules.ts'
import { linesOf } from '../gateway/oversight/exports/balp-shorthand.ts'
import { BALP_URL, BalpValidator, profilesOf } from '../gateway/oversight/exports/balp-validator.ts'
import { sampledEntries } from '../gateway/oversight/exports/export-arbitraries.ts'
import { DIGESTS, objectsOf, PLAIN } from '../gateway/oversight/exports/export-bench.ts'
import { ocsfMutantsOf } from '../gateway/oversight/exports/ocsf-mutants.ts'
import { OCSF_TABLE } from '../gateway/oversight/exports/ocsf-table.ts'
import { ocsfFaults, type OcsfSchema, type OcsfShape } from '../gateway/oversight/exports/ocsf-validator.ts'
import { readShared } from './folder.ts'
import { entitiesIn, type ShorthandEntity } from './fhir-shorthand.ts'
import { readOcsf } from './ocsf-schema.ts'

// The exports of the audit log beside the published texts: the profiles of IHE BALP and the schema of OCSF. PHI_SHARED names the
// folder with `data/balp` and `data/ocsf`.

/** Of each format, half of them with digests. Of FHIR, as many claim a profile. */
const EVENTS = 10_000

type Events = readonly Readonly<Record<string, unknown>>[]

/** At least `EVENTS` events that count. */
async function* eventsOf(
  format: 'fhir' | 'ocsf',
  counts: (event: Events[number]) => boolean = () => true,
): AsyncGenerator<Events[number]> {
  let count = 0
  for (let seed = 15_000_000; count < EVENTS; seed += 1_000) {
    const entries = sampledEntries(2_000, seed)
    for (const options of [PLAIN, DIGESTS])
      for (const event of await objectsOf(format, entries, options)) {
        if (counts(event)) count++
        yield event
      }
  }
}

describe('FHIR AuditEvents beside IHE BALP', () => {
  let validator: BalpValidator
  let published: readonly ShorthandEntity[]
  beforeAll(() => {
    validator = new BalpValidator()
    const folder = 'data/balp/profiles'
    readShared(join(folder, 'rules.fsh'))
    published = readdirSync(join(process.env['PHI_SHARED'] ?? '', folder))
      .filter((name) => name.endsWith('.fsh'))
      .flatMap((name) => entitiesIn(readShared(join(folder, name))))
  })
  const rulesOf = (kind: string, name: string): readonly string[] | undefined =>
    published.find((one) => one.kind === kind && one.name === name)?.rules

  it('C08: the rules of the validator are exactly those of the profiles', () => {
    for (const [name, { id, parent, rules }] of Object.entries(BALP_PROFILES)) {
      expect([name, linesOf(rules)]).toEqual([name, rulesOf('Profile', name)])
      const found = published.find((one) => one.kind === 'Profile' && one.name === name)
      expect([found?.parent, `IHE.BasicAudit.${id}`]).toEqual([parent ?? 'AuditEvent', found?.id])
    }
    expect(linesOf(AT_LEAST_ONE_MATCH)).toEqual(published.find(({ kind }) => kind === 'RuleSet')?.rules)
    for (const [name, codes] of Object.entries(BALP_VALUE_SETS))
      expect([name, codes]).toEqual([name, rulesOf('ValueSet', name)?.map((rule) => rule.split(' ')[0])])
    const aliases = new Map(published.filter(({ kind }) => kind === 'Alias').map(({ name, value }) => [name, value]))
    expect([BALP_ALIASES['SCT'], BALP_ALIASES['DCM']]).toEqual([aliases.get('SCT'), aliases.get('DCM')])
    expect(published.find(({ name }) => name === 'val-audit-source')?.expression).toBe(VAL_AUDIT_SOURCE)
  })

  it('C08: the folder has no other profiles than the two that no event of the gateway can claim', () => {
    const names = published.filter(({ kind }) => kind === 'Profile').map(({ name }) => name)
    // an authorization server records consents; a recipient records what it imports
    expect(names.filter((name) => BALP_PROFILES[name] === undefined).toSorted()).toEqual([
      'AuditPrivacyDisclosureRecipient',
      'AuthZconsent',
    ])
  })

  it('C08: of the published examples, both creates are valid, and the query breaks two of the rules for its profile', () => {
    const faults = (file: string): readonly unknown[] =>
      (JSON.parse(readShared(join('data/balp', file))) as Events).map((event) => [
        profilesOf(event).map((url) => url.slice(BALP_URL.length)),
        validator.faultsOf(event),
      ])
    expect(faults('observation_audit_events.json')).toEqual([[['PatientCreate'], []]])
    // its user has a network; the record that it found is a second System Object beside the query, and so a second item of that slice
    expect(faults('transaction_bundle_audit_events.json')).toEqual([
      [['PatientCreate'], []],
      [
        ['PatientQuery'],
        [
          'agent[user].network 0..0: 1',
          'entity contains transaction 0..1 and query 1..1 (query): 2',
          'entity[query].role = http://terminology.hl7.org/CodeSystem/object-role#24',
          'entity[query].what 0..0: 1',
          'entity[query].query 1..1: 0',
        ],
      ],
    ])
  })

  it('C08: 10,000 events in the profiles are valid, and those without one in R4', { timeout: 900_000 }, async () => {
    const tally = new Map<string, number>()
    let provenances = 0
    for await (const event of eventsOf('fhir', (one) => profilesOf(one).length > 0)) {
      expect(validator.faultsOf(event)).toEqual([])
      if (event['resourceType'] === 'Provenance') {
        provenances++
        continue
      }
      const profile = profilesOf(event)[0]?.slice(BALP_URL.length) ?? 'no profile'
      tally.set(profile, (tally.get(profile) ?? 0) + 1)
    }
    process.stdout.write(
      `AuditEvents without an error: ${JSON.stringify(Object.fromEntries(tally))}; Provenances: ${provenances}\n`,
    )
    expect(provenances).toBeGreaterThan(0)
    const plain = tally.get('no profile') ?? 0
    expect([...tally.values()].reduce((sum, count) => sum + count, -plain)).toBeGreaterThanOrEqual(EVENTS)
    expect([...tally.keys()].toSorted()).toEqual([...Object.values(BALP_PROFILES).map(({ id }) => id), 'no profile'].toSorted())
  })
})

describe('OCSF events beside the schema', () => {
  let schema: OcsfSchema
  beforeAll(() => {
    schema = readOcsf((file) => JSON.parse(readShared(join('data/ocsf', file))) as unknown)
  })

  it('C08: the table of the project is a part of the schema', () => {
    expect(schema.version).toBe(OCSF_VERSION)
    expect(OCSF_TABLE.version).toBe(OCSF_VERSION)
    const compare = (name: string, part: OcsfShape, whole: OcsfShape | undefined): void => {
      for (const [attribute, rule] of Object.entries(part.attributes))
        expect([name, attribute, rule]).toEqual([name, attribute, whole?.attributes[attribute]])
      expect([name, part.atLeastOne]).toEqual([name, whole?.atLeastOne])
      // what is required is in the table too
      const required = Object.entries(whole?.attributes ?? {}).filter(([, rule]) => rule.required === true)
      for (const [attribute] of required) expect([name, Object.hasOwn(part.attributes, attribute)]).toEqual([name, true])
    }
    compare('event', OCSF_TABLE.event, schema.event)
    for (const [name, part] of Object.entries(OCSF_TABLE.objects)) compare(name, part, schema.objects[name])
    for (const [name, { base, maxLength }] of Object.entries(OCSF_TABLE.types))
      expect([name, base, maxLength]).toEqual([name, schema.types[name]?.base, schema.types[name]?.maxLength])
  })

  it('C08: 10,000 events are valid, and every mutant of the first 50 is refused', { timeout: 900_000 }, async () => {
    let count = 0
    let mutants = 0
    const accepted: string[] = []
    for await (const event of eventsOf('ocsf')) {
      expect(ocsfFaults(event, schema)).toEqual([])
      if (count++ >= 50) continue
      for (const { change, event: mutant } of ocsfMutantsOf(event, schema)) {
        mutants++
        if (ocsfFaults(mutant, schema).length === 0) accepted.push(change)
      }
    }
    process.stdout.write(`OCSF events without an error: ${String(count)}, mutants refused: ${String(mutants)}\n`)
    expect(accepted).toEqual([])
    expect(count).toBeGreaterThanOrEqual(EVENTS)
    expect(mutants).toBeGreaterThan(2_000)
  })
})
