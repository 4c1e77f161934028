import fc from 'fast-check'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runImport } from '../../cli/import-run.ts'
import type { ImportReport } from '../../cli/import-report.ts'
import { lockDigest } from '../../directives/compile.ts'
import { openStore } from '../../gateway/admin/open-store.ts'
import type { PatientId, TenantId } from '../../gateway/model/ids.ts'
import { encodeNodeId } from '../../gateway/model/node-id.ts'
import type { TypeName } from '../../directives/coordinates.ts'
import { clinicLock } from '../../schema/clinic.ts'
import { AuditUnavailable } from '../../gateway/model/failures.ts'
import { plainOptions } from '../harness/import-options.ts'
import { type RunningClinic, runClinic } from '../harness/running-clinic.ts'
import { PASS, refuse } from '../hostile/faults.ts'
import { type HostileProxy, startProxy } from '../hostile/proxy.ts'

/** The number of generated change sets. */
const SETS = Number(process.env['CHANGE_SETS'] ?? 2)

const RIVERSIDE = 'riverside' as TenantId
const READERS = ['physician', 'nurse', 'billing', 'frontdesk']
const LISTS = ['observations', 'allergyIntolerances', 'conditions', 'encounters', 'claims', 'coverages', 'careTeam'] as const
const NODES: Readonly<Record<(typeof LISTS)[number], string>> = {
  observations: 'valueString encounter { status }',
  allergyIntolerances: 'code { text }',
  conditions: 'code { text }',
  encounters: 'status',
  claims: 'total',
  coverages: 'payor',
  careTeam: 'userId role',
}
const SELECTION = `familyName ${LISTS.map((list) => `${list} { edges { node { ${NODES[list]} } } }`).join(' ')}`

/** One version of a resource: its patient, its state, and a number that its content shows. */
interface Version {
  readonly subject: 'a' | 'b'
  readonly state: 'held' | 'retracted' | 'unreadable' | 'deleted'
  readonly value: number
  /** How the resource names its patient. */
  readonly by: 'id' | 'identifier'
}

type Content = (version: Version, id: (name: string) => string) => Record<string, unknown>

const SYSTEM = 'urn:example:record-number'
const patientOf = ({ subject, by }: Version, id: (name: string) => string) =>
  by === 'id' ? { reference: `Patient/${id(subject)}` } : { identifier: { system: SYSTEM, value: id(subject) } }
const status = ({ state }: Version, held: string): string => (state === 'retracted' ? 'entered-in-error' : held)
const verification = ({ state }: Version) => ({
  verificationStatus: { coding: [{ code: state === 'retracted' ? 'refuted' : 'confirmed' }] },
})
const team =
  (practitioner: string): Content =>
  (version, id) => ({
    resourceType: 'CareTeam',
    status: status(version, 'active'),
    subject: patientOf(version, id),
    participant: [{ role: [{ text: `role ${version.value}` }], member: { reference: `Practitioner/${practitioner}` } }],
  })
const observed: Content = (version, id) => ({
  resourceType: 'Observation',
  status: status(version, 'final'),
  code: { text: 'note' },
  subject: patientOf(version, id),
  valueString: `value ${version.value}`,
})

const visit: Content = (version, id) => ({
  resourceType: 'Encounter',
  status: status(version, version.value % 2 === 0 ? 'finished' : 'in-progress'),
  class: { code: 'AMB' },
  subject: patientOf(version, id),
})

const RESOURCES: Readonly<Record<string, Content>> = {
  o1: observed,
  o2: (version, id) => ({ ...observed(version, id), encounter: { reference: `Encounter/${id(`e${version.subject}`)}` } }),
  e1: visit,
  ea: (version, id) => visit({ ...version, subject: 'a' }, id),
  eb: (version, id) => visit({ ...version, subject: 'b' }, id),
  a1: (version, id) => ({
    resourceType: 'AllergyIntolerance',
    ...verification(version),
    patient: patientOf(version, id),
    code: { text: `allergen ${version.value}` },
  }),
  c1: (version, id) => ({
    resourceType: 'Condition',
    ...verification(version),
    subject: patientOf(version, id),
    code: { text: `condition ${version.value}` },
  }),
  k1: (version, id) => ({
    resourceType: 'Claim',
    status: status(version, 'active'),
    use: 'claim',
    patient: patientOf(version, id),
    total: { value: version.value, currency: 'USD' },
    contained: covered(version, id),
  }),
  k2: (version, id) => ({
    resourceType: 'ExplanationOfBenefit',
    status: status(version, 'active'),
    use: 'claim',
    patient: patientOf(version, id),
    contained: covered(version, id),
  }),
  t1: team('p1'),
  t2: team('p1'),
  t3: team('n1'),
  x1: (version, id) => ({
    resourceType: 'Consent',
    status: version.state === 'retracted' ? 'entered-in-error' : version.value % 2 === 0 ? 'active' : 'inactive',
    scope: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/consentscope', code: 'patient-privacy' }] },
    category: [{ coding: [{ system: 'http://loinc.org', code: '59284-0' }] }],
    patient: patientOf(version, id),
    policyRule: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'OPTIN' }] },
    provision: { type: 'deny', class: [{ system: 'http://hl7.org/fhir/resource-types', code: 'Condition' }] },
  }),
}

/** The name of the payor is that of a resource. A display counts only if the files have the names of the patient. */
const covered = (version: Version, id: (name: string) => string) => [
  { resourceType: 'Coverage', id: 'held', status: 'active', beneficiary: patientOf(version, id), payor: [{ reference: '#payor' }] },
  { resourceType: 'Organization', id: 'payor', name: `payor ${version.value % 2}` },
]

const version = fc.record({
  subject: fc.constantFrom('a', 'b'),
  state: fc.constantFrom('held', 'held', 'held', 'retracted', 'unreadable', 'deleted'),
  value: fc.nat(5),
  by: fc.constantFrom('id', 'identifier'),
}) as fc.Arbitrary<Version>

const names = Object.keys(RESOURCES)
/**
 * Up to three versions of each resource, and imports that each hold some of them, in any order and with or without their patients. The
 * last import stops once after some transactions, and runs again.
 */
const world = fc.record({
  versions: fc.array(fc.array(version, { minLength: 3, maxLength: 3 }), { minLength: names.length, maxLength: names.length }),
  imports: fc.array(
    fc.record({
      some: fc.array(fc.record({ name: fc.constantFrom(...names), version: fc.nat(2) }), { minLength: 1, maxLength: 14 }),
      /** The patients that the import has. The first import has both. */
      patients: fc.constantFrom(['a', 'b'], ['a'], ['b'], [], []),
    }),
    { minLength: 2, maxLength: 3 },
  ),
  stopsAfter: fc.nat(8),
})

let clinic: RunningClinic
let proxy: HostileProxy
let sets = 0

beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 1 })
  proxy = await startProxy(clinic.stack.env.AWS_ENDPOINT_URL_DYNAMODB, { remember: false })
})
afterAll(async () => {
  await proxy.stop()
  await clinic.stop()
})

/** Runs an import whose transactions are refused after the first ones, and runs it again if it stopped. */
async function importTwice(entry: readonly object[], stopsAfter: number): Promise<void> {
  let transactions = 0
  proxy.play(({ operation }) =>
    operation === 'TransactWriteItems' && transactions++ >= stopsAfter ? refuse('AccessDeniedException') : PASS,
  )
  const env = { ...clinic.stack.env, AWS_ENDPOINT_URL_DYNAMODB: proxy.endpoint }
  try {
    await importEntries(entry, env)
  } catch (error) {
    if (!(error instanceof AuditUnavailable)) throw error
    await importEntries(entry)
  }
}

async function importEntries(entry: readonly object[], env = clinic.stack.env): Promise<ImportReport> {
  const folder = mkdtempSync(join(tmpdir(), 'phi-import-'))
  const importer = await openStore(RIVERSIDE, lockDigest(clinicLock()), env)
  try {
    writeFileSync(join(folder, 'bundle.json'), JSON.stringify({ resourceType: 'Bundle', type: 'history', entry }))
    const assign = new Map([
      ['Practitioner/p1', ['Practitioner/physician']],
      ['Practitioner/n1', ['Practitioner/nurse']],
    ])
    return await runImport({ paths: [folder], tenant: RIVERSIDE, importer, ...plainOptions(), assign })
  } finally {
    await importer.close()
    rmSync(folder, { recursive: true })
  }
}

/** The entries of a bundle with some patients. */
function entriesOf(
  prefix: string,
  chosen: readonly { name: string; number: number; version: Version }[],
  named: readonly string[] = ['a', 'b'],
): readonly object[] {
  const id = (name: string): string => `${prefix}-${name}`
  const patients = named.map((name) => ({
    resource: {
      resourceType: 'Patient',
      id: id(name),
      identifier: [{ system: SYSTEM, value: id(name) }],
      name: [{ family: `Family ${name}` }],
      birthDate: '1980-01-01',
    },
  }))
  const entries = chosen.map(({ name, number, version: one }) => {
    const content = RESOURCES[name]?.(one, id) ?? {}
    const meta = { versionId: String(number + 1), lastUpdated: `2024-01-0${number + 1}T00:00:00Z` }
    if (one.state !== 'deleted') {
      const extension =
        one.state === 'unreadable' ? { modifierExtension: [{ url: 'http://example.org/x', valueBoolean: true }] } : {}
      return { resource: { ...content, id: id(name), meta, ...extension } }
    }
    const request = { method: 'DELETE', url: `${String(content['resourceType'])}/${id(name)}` }
    return { request, response: { etag: `W/"${number + 1}"`, lastModified: meta.lastUpdated } }
  })
  return [...patients, ...entries]
}

/** The answers of all readers about both patients, without the order of lists and without ids. */
async function chartsOf(prefix: string): Promise<unknown> {
  const store = await openStore(RIVERSIDE, lockDigest(clinicLock()), clinic.stack.env)
  const nodeOf = (name: string): string => {
    const id = store.idFor('Patient', `${prefix}-${name}`)
    return encodeNodeId({ type: 'Patient' as TypeName, patient: id as string as PatientId, id })
  }
  await store.close()
  const answers: unknown[] = []
  for (const name of ['a', 'b']) {
    for (const reader of READERS) {
      const { data, errors } = await clinic.ask(reader, `{ patient(id: "${nodeOf(name)}") { ${SELECTION} } }`)
      const chart = (data?.['patient'] ?? {}) as Record<string, { edges?: readonly { node: unknown }[] } | null>
      const lists = LISTS.map((list) => [list, chart[list]?.edges?.map(({ node }) => JSON.stringify(node)).toSorted()])
      const reasons = errors.map(({ path, extensions }) => `${path?.join('.') ?? ''} ${String(extensions['reason'])}`).toSorted()
      answers.push({ name, reader, familyName: chart['familyName'], lists: Object.fromEntries(lists) as unknown, reasons })
    }
  }
  return answers
}

describe('imports of changed sets', () => {
  it(
    'P6: end in the chart that one import of the newest versions gives, for every reader, also if one of them stopped midway',
    async () => {
      const property = fc.asyncProperty(world, async ({ versions, imports, stopsAfter }) => {
        const set = `s${++sets}`
        const newest = new Map<string, { name: string; number: number; version: Version }>()
        for (const [place, { some, patients }] of imports.entries()) {
          const chosen = new Map(
            some.map(({ name, version: number }) => [
              `${name} ${number}`,
              { name, number, version: versions[names.indexOf(name)]?.[number] as Version },
            ]),
          )
          const isLast = place === imports.length - 1
          const entries = entriesOf(set, [...chosen.values()], place === 0 ? ['a', 'b'] : patients)
          await importTwice(entries, isLast ? stopsAfter : Number.POSITIVE_INFINITY)
          for (const one of chosen.values()) {
            if ((newest.get(one.name)?.number ?? -1) < one.number) newest.set(one.name, one)
          }
        }
        await importEntries(entriesOf(`${set}f`, [...newest.values()]))
        expect(await chartsOf(set)).toEqual(await chartsOf(`${set}f`))
      })
      await fc.assert(property, { numRuns: SETS, seed: 20_261_129, endOnFailure: true })
    },
    20_000 + SETS * 5_000,
  )
})
