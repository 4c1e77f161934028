import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openStore, type SealedStore } from '../../../gateway/admin/open-store.ts'
import type { Instant } from '../../../gateway/model/ids.ts'
import { destroyPatientKeys } from '../../../gateway/store/key-destruction.ts'
import { seenOf, seenOfAll, watchCounts } from '../../harness/compared-work.ts'
import { type CountedProcess, countedProcess } from '../../harness/counted-requests.ts'
import { type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { Admissions, commit } from '../admitted.ts'
import { LAKESIDE, pseudonymOf, RIVERSIDE } from '../asking.ts'
import { clinic as compiled } from '../decide/clinic-policy.ts'
import { RecordShapes } from './record-shapes.ts'

// Ids that a caller may not know of: missing, of another tenant, without a relationship, erased, or of a patient that denies
// everything. Every answer about them is equal, and so is the work, for each type of the schema.

const DIGEST = '0'.repeat(64)
const shapes = new RecordShapes(compiled)

let clinic: RunningClinic
let counted: CountedProcess
let counts: ReturnType<typeof watchCounts>
const stores: SealedStore[] = []
let riverside: Admissions
let lakeside: Admissions

beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 1 })
  for (const tenant of [RIVERSIDE, LAKESIDE]) stores.push(await openStore(tenant, DIGEST, clinic.stack.env))
  const [one, other] = stores.map((store) => new Admissions(store))
  if (one === undefined || other === undefined) throw new Error('a tenant has a store')
  riverside = one
  lakeside = other
  const chart = (ward: Admissions, patient: string) =>
    [shapes.patient, ...shapes.types].map((type) =>
      ward.record(patient, type, 'own', shapes.values(type), { open: shapes.open(type), date: '2024-01-01T00:00:00.000Z' }),
    )
  await riverside.write('stranger', chart(riverside, 'stranger'))
  await riverside.write('erased', chart(riverside, 'erased'))
  await riverside.write('denies', chart(riverside, 'denies'), ['physician'], [{ id: 'all', effect: 'DENY' }])
  await lakeside.write('elsewhere', chart(lakeside, 'elsewhere'))
  const { patient } = riverside.ref('erased')
  await commit(clinic.services, await destroyPatientKeys(clinic.services, RIVERSIDE, patient, Date.now() as Instant), patient)
  counted = await countedProcess(clinic)
  counts = watchCounts()
  for (const user of ['physician', 'patient', 'proxy', 'researcher']) {
    await counted.ask(user, '{ patients(first: 1) { edges { node { id } } } }')
  }
})
afterAll(async () => {
  counts.stop()
  await counted.stop()
  for (const store of stores) await store.close()
  await clinic.stop()
})

type Ids = Readonly<Record<string, string>>

/** The ids of one type: existing records, and made-up ids of the same patients. */
function idsOf(type: string): Ids {
  const isPatient = type === shapes.patient
  const nowhere = riverside.id(`nobody ${randomUUID()}`, type, 'own')
  const record = (ward: Admissions, patient: string): Ids => ({
    [`of ${patient}`]: ward.id(patient, type, 'own'),
    ...(!isPatient && { [`of ${patient}, made up`]: ward.id(patient, type, 'never was') }),
  })
  return {
    missing: nowhere,
    ...record(lakeside, 'elsewhere'),
    ...record(riverside, 'stranger'),
    ...record(riverside, 'erased'),
    ...record(riverside, 'denies'),
  }
}

const queriesOf = (type: string): string[] => [
  `query ($id: ID!) { node(id: $id) { id ... on ${type} { ${shapes.selection(type)} } } }`,
  ...(type === shapes.patient
    ? [
        `query ($id: ID!) { patient(id: $id) { ${shapes.selection(type)} } }`,
        'query ($id: ID!) { explainAccess(query: "{ patients { edges { node { familyName } } } }", patientId: $id) { paths { path outcome } } }',
      ]
    : []),
]

async function expectEqual(user: string, type: string, ids: Ids): Promise<void> {
  for (const query of queriesOf(type)) {
    const asked = Object.entries(ids)
    const all = await seenOfAll(asked, async ([, nodeId]) => {
      const id = user === 'researcher' ? await pseudonymOf(clinic, nodeId) : nodeId
      counts.start()
      const work = await counted.ask(user, query, { id })
      return { work, seen: seenOf(work, counts.counts()) }
    })
    for (const [number, { seen, work }] of all.entries()) {
      const about = `${user} ${asked[number]?.[0] ?? ''} ${query}`
      expect(work.answer.errors, about).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }])
      expect(seen, about).toEqual(all[0]?.seen)
    }
  }
}

const TYPES = [shapes.patient, ...shapes.types]

describe('P5: an id that the caller may not know of', () => {
  it.each([
    ['patient', TYPES],
    ['proxy', TYPES.slice(0, 3)],
    ['researcher', TYPES.slice(0, 3)],
  ])('%s: every kind of id is the same', async (user, types) => {
    for (const type of types) await expectEqual(user, type, idsOf(type))
  })

  // the role may learn of patients, but not of their records
  it.each(['stranger', 'erased', 'denies'])(
    'physician: a record of the patient "%s" and a made-up one are the same',
    async (patient) => {
      for (const type of shapes.types) {
        const own = Object.entries(idsOf(type)).filter(([name]) => name.startsWith(`of ${patient}`))
        expect(own).toHaveLength(2)
        await expectEqual('physician', type, Object.fromEntries(own))
      }
    },
  )

  it('physician: ids of another tenant and of nobody are the same', async () => {
    for (const type of TYPES) {
      const { missing = '', 'of elsewhere': elsewhere = '' } = idsOf(type)
      await expectEqual('physician', type, { missing, elsewhere })
    }
  })
})
