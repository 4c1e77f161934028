import { BatchWriteItemCommand, ScanCommand } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { workforceComparison } from '../../../directives/comparisons.ts'
import { keyAdmin } from '../../../gateway/admin/key-admin.ts'
import { openStore, type SealedStore } from '../../../gateway/admin/open-store.ts'
import { comparisonReindexer } from '../../../gateway/admin/search-admin.ts'
import { ComparisonKeyMissing, workforceAdmin, type WorkforceEntry } from '../../../gateway/admin/workforce-admin.ts'
import { Deadline } from '../../../gateway/model/deadline.ts'
import { StoreUnavailable } from '../../../gateway/model/failures.ts'
import type { TenantId } from '../../../gateway/model/ids.ts'
import type { Json } from '../../../gateway/model/record.ts'
import { MAX_SHARED, TokenRelations } from '../../../gateway/oversight/workforce/token-relations.ts'
import { ComparisonTable } from '../../../gateway/store/comparisons.ts'
import { clinicLock } from '../../../schema/clinic.ts'
import { type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { Admissions } from '../admitted.ts'
import { LAKESIDE, RIVERSIDE } from '../asking.ts'
import { DatabaseHand, type Item } from '../store/database-hand.ts'
import { auditDesk } from './audit-clinic.ts'
import { rowsOf, serveAudit, SPAN, WHO_SAW } from './who-saw.ts'

const DIGEST = 'f'.repeat(64)
const COMPARISON = workforceComparison(clinicLock())
if (COMPARISON === undefined) throw new Error('the clinic compares nothing')

let clinic: RunningClinic
let store: SealedStore
let ward: Admissions
let hand: DatabaseHand

beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 1 })
  store = await openStore(RIVERSIDE, DIGEST, clinic.stack.env, [], 'create', COMPARISON)
  ward = new Admissions(store)
  hand = new DatabaseHand(clinic)
})
afterAll(async () => {
  await store.close()
  await clinic.stop()
})

const values = (mrn: string, familyName: string, line: string, phone = ''): Readonly<Record<string, Json>> => ({
  mrn,
  familyName,
  phone,
  'address.line': [line],
  'address.postalCode': '02139',
})
const admit = async (name: string, ...of: Parameters<typeof values>): Promise<string> =>
  await ward.write(name, [ward.record(name, 'Patient', '', values(...of))], ['physician'])
const patientOf = (name: string) => ward.ref(name).patient
const scan = async (table: 'COMPARISONS' | 'WORKFORCE'): Promise<readonly Item[]> =>
  (await clinic.stack.dynamodb.send(new ScanCommand({ TableName: clinic.stack.env[`PHI_TABLE_${table}`] }))).Items ?? []
/** The tokens of a patient, as `KIND#token`. */
const tokensOf = async (name: string): Promise<readonly string[]> =>
  (await scan('COMPARISONS')).flatMap(({ pk, sk }) =>
    sk?.S === patientOf(name) ? [(pk?.S ?? '').split('#').slice(1).join('#')] : [],
  )
const kindsOf = async (name: string): Promise<readonly string[]> =>
  (await tokensOf(name)).map((one) => one.split('#')[0] ?? '').toSorted()
const deadline = (): Deadline => new Deadline(Date.now() + 10_000, { now: Date.now, monotonic: () => performance.now() })
const relationsOf = async (users: readonly string[], tenant: TenantId = RIVERSIDE) => {
  const { workforceRows, comparisons } = clinic.services
  return await new TokenRelations(workforceRows, comparisons, tenant).of(new Set(users), deadline())
}
const person = (user: string | undefined, of: WorkforceEntry['values'], more: Partial<WorkforceEntry> = {}): WorkforceEntry => ({
  user,
  name: user === undefined ? undefined : `Name of ${user}`,
  vip: false,
  values: of,
  ...more,
})
const put = async (...entries: readonly WorkforceEntry[]) => await workforceAdmin(clinic.services, RIVERSIDE, DIGEST).put(entries)

describe('comparison tokens of patients', () => {
  it('are written with the own record, follow its changes, and leave with it', async () => {
    await admit('ann', 'MR 1', 'Stone', '12 Main Street', '617-555-0101')
    const first = await tokensOf('ann')
    expect(await kindsOf('ann')).toEqual(['ADDRESS', 'FAMILY_NAME', 'PATIENT', 'PATIENT', 'PHONE', 'STREET'])
    await admit('ann', 'MR 1', 'Stone', '14 Main Street', 'unknown')
    const second = await tokensOf('ann')
    expect(await kindsOf('ann')).toEqual(['ADDRESS', 'FAMILY_NAME', 'PATIENT', 'PATIENT', 'STREET'])
    expect(
      first
        .filter((token) => !second.includes(token))
        .map((token) => token.split('#')[0])
        .toSorted(),
    ).toEqual(['ADDRESS', 'PHONE'])
  })

  it('P8: the table has tokens and patient ids only', async () => {
    for (const row of await scan('COMPARISONS')) {
      expect(Object.keys(row).toSorted()).toEqual(['pk', 'sk'])
      expect(row['pk']?.S).toMatch(/^[a-z0-9-]+#(PATIENT|FAMILY_NAME|ADDRESS|STREET|PHONE)#[\w-]{22}$/)
      expect(row['sk']?.S).toMatch(/^[\w-]{22}$/)
    }
  })

  it('P6: reindexing restores removed tokens, removes planted ones, and audits both', async () => {
    const mend = async () => await comparisonReindexer(clinic.services, DIGEST, COMPARISON).reindex(RIVERSIDE, () => undefined)
    const { sound } = await mend()
    const [row] = (await scan('COMPARISONS')).filter(({ sk }) => sk?.S === patientOf('ann'))
    if (row === undefined) throw new Error('no row')
    await hand.remove(row, 'COMPARISONS')
    await hand.put({ pk: { S: `${RIVERSIDE}#PHONE#planted` }, sk: { S: patientOf('ann') } }, 'COMPARISONS')
    expect(await mend()).toEqual({ sound: sound - 1, written: 1, removed: 1, refused: 0 })
    expect(await mend()).toEqual({ sound, written: 0, removed: 0, refused: 0 })
    const entries = await clinic.services.history.entriesBy('patient', RIVERSIDE, patientOf('ann'))
    expect(
      entries
        .filter(({ path }) => path === '#comparison-token')
        .map(({ action }) => action)
        .toSorted(),
    ).toEqual(['CREATE', 'DELETE'])
  })
})

describe('the workforce of a tenant', () => {
  it('is what the last import says; a repeat changes nothing, and each change is audited', async () => {
    const home = { street: '16 Main St.', postalCode: '02139', familyName: 'STONE' }
    const counts = await put(
      person('u1', home),
      person('u2', { phone: '555' }),
      person(undefined, { patientNumber: 'MR 9' }, { vip: true }),
    )
    expect(counts).toEqual({ added: 3, changed: 0, unchanged: 0, removed: 0, addressesWithoutToken: 0, phonesWithoutToken: 1 })
    expect(
      await put(person('u1', home), person('u2', { phone: '555' }), person(undefined, { patientNumber: 'MR 9' }, { vip: true })),
    ).toMatchObject({ added: 0, changed: 0, unchanged: 3, removed: 0 })
    expect(await put(person('u1', home, { name: 'Other' }))).toMatchObject({ added: 0, changed: 1, unchanged: 0, removed: 2 })
    const { user } = await import('node:os').then(({ userInfo }) => ({ user: `os:${userInfo().username}` }))
    const entries = await clinic.services.history.entriesBy('user', RIVERSIDE, user)
    const made = entries.filter(({ path }) => path === '#workforce').map(({ action, count }) => `${action} ${String(count)}`)
    expect(made.toSorted()).toEqual(['CREATE 3', 'DELETE 2', 'UPDATE 1'])
  })

  it('P8: is stored without a name, an address or a number in plain', async () => {
    await put(person('u1', { street: '16 Main St.', postalCode: '02139', patientNumber: 'MR 1', patient: patientOf('ann') }))
    const stored = JSON.stringify(await scan('WORKFORCE'), (_, value: unknown) =>
      value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value,
    )
    for (const text of ['Name of', 'Main', '02139', 'MR 1', patientOf('ann')]) expect(stored).not.toContain(text)
    expect(stored).toContain('USER#u1')
  })

  it('a tenant that is older than comparisons is refused until it gets the key', async () => {
    const key = { pk: { S: RIVERSIDE }, sk: { S: 'KEY' } }
    const item = await hand.read(key, 'KEYS')
    const uses = (item['uses']?.L ?? []).filter(({ M: use }) => use?.['use']?.S !== 'comparison')
    await hand.put({ ...item, uses: { L: uses } }, 'KEYS')
    const { services } = await clinic.another()
    await expect(workforceAdmin(services, RIVERSIDE, DIGEST).put([person('u9', {})])).rejects.toThrow(ComparisonKeyMissing)
    expect((await scan('WORKFORCE')).map(({ sk }) => sk?.S)).toEqual(['USER#u1'])
    const admin = keyAdmin(DIGEST, clinic.stack.env, [])
    expect(await admin.create(RIVERSIDE)).toEqual(['comparison'])
    expect(await admin.create(RIVERSIDE)).toEqual([])
    admin.close()
    // the tokens of the tenant are under the first key
    await hand.put(item, 'KEYS')
  })
})

describe('relations of the workforce to patients', () => {
  beforeAll(async () => {
    await admit('self', 'MR 20', 'Reed', '1 Oak St')
    await admit('spouse', 'MR 21', 'Reed', '1 Oak Street')
    await admit('child', 'MR 22', 'Other', '7 Far Road', '(617) 555-0199')
    await admit('neighbor', 'MR 23', 'Reed', '5 Oak St')
    await admit('colleague', 'MR 24', 'Hill', '9 Lake Drive')
    await admit('star', 'MR 25', 'Reed', '2 Sun Blvd')
    await put(
      person('worker', {
        patientNumber: 'MR 20',
        familyName: 'reed',
        street: '1 OAK STREET',
        postalCode: '02139',
        phone: '+1 617 555 0199',
      }),
      person('other', { patient: patientOf('colleague') }),
      person(undefined, { patientNumber: 'MR 25' }, { vip: true }),
    )
  })

  it('are the closest ones, with what the two have in common; a name alone is none', async () => {
    const { relations, workers, vips } = await relationsOf(['worker'])
    const found = Object.fromEntries(
      relations.map(({ patient, kind, shared }) => [patient, [kind, ...[...shared].toSorted()].join(' ')]),
    )
    expect(found).toEqual({
      [patientOf('self')]: 'SELF ADDRESS FAMILY_NAME PATIENT STREET',
      [patientOf('spouse')]: 'FAMILY ADDRESS FAMILY_NAME STREET',
      [patientOf('child')]: 'FAMILY PHONE',
      [patientOf('neighbor')]: 'NEIGHBOR FAMILY_NAME STREET',
    })
    expect([...workers].toSorted()).toEqual([patientOf('colleague'), patientOf('self')].toSorted())
    expect([...vips]).toEqual([patientOf('star')])
  })

  it('are empty for a user without a row, beside the persons of public interest', async () => {
    const { relations, vips } = await relationsOf(['nobody'])
    expect(relations).toEqual([])
    expect([...vips]).toEqual([patientOf('star')])
  })

  it('P5: another tenant has none of them', async () => {
    expect(await relationsOf(['worker', 'other'], LAKESIDE)).toEqual({ relations: [], workers: new Set(), vips: new Set() })
  })

  it('leave out a street of too many patients', async () => {
    const street = (await tokensOf('neighbor')).find((token) => token.startsWith('STREET#'))
    const rows = Array.from({ length: MAX_SHARED }, (_, number) => ({
      PutRequest: { Item: { pk: { S: `${RIVERSIDE}#${street ?? ''}` }, sk: { S: `tower-${number}` } } },
    }))
    const TableName = clinic.stack.env.PHI_TABLE_COMPARISONS
    for (let start = 0; start < rows.length; start += 25)
      await clinic.stack.dynamodb.send(new BatchWriteItemCommand({ RequestItems: { [TableName]: rows.slice(start, start + 25) } }))
    const { relations } = await relationsOf(['worker'])
    expect(relations.map(({ kind }) => kind).toSorted()).toEqual(['FAMILY', 'FAMILY', 'SELF'])
  })

  it('a table that cannot be read is no empty list', async () => {
    const { workforceRows } = clinic.services
    const gone = new ComparisonTable(clinic.stack.dynamodb, 'gone')
    await expect(new TokenRelations(workforceRows, gone, RIVERSIDE).of(new Set(['worker']), deadline())).rejects.toThrow(
      StoreUnavailable,
    )
  })
})

describe('C08: names in "who saw my record"', () => {
  it('C08: are those of the workforce; a planted name is shown to nobody', async () => {
    const audit = serveAudit(clinic)
    const id = await admit('seen', 'MR 30', 'Quartz', '3 Elm St')
    await ward.change(ward.membership('seen', 'SELF', 'Patient/riverside-1'))
    await put(person('physician', {}, { name: 'Dr. Jordan Lee' }))
    await clinic.ask('physician', 'query ($id: ID!) { patient(id: $id) { familyName } }', { id })
    await clinic.ask('billing', 'query ($id: ID!) { patient(id: $id) { mrn } }', { id })
    const ask = async () => await clinic.ask('patient', WHO_SAW, { id, ...SPAN, first: 100 })
    const shown = rowsOf(await ask()).map(({ role, who }) => `${role} ${String(who)}`)
    expect(shown).toEqual(expect.arrayContaining(['PHYSICIAN Dr. Jordan Lee', 'BILLING null']))
    const [row] = (await scan('WORKFORCE')).filter(({ sk }) => sk?.S === 'USER#physician')
    await hand.put({ ...row, sk: { S: 'USER#billing' } }, 'WORKFORCE')
    const planted = await ask()
    expect(planted.errors.map(({ extensions }) => extensions['code'])).toEqual(['FIELD_UNAVAILABLE'])
    audit.restore()
  })
})

describe('C22: reads of the own record', () => {
  it('C22: are a finding from the import of the workforce on, without a value of the record', async () => {
    const id = await admit('mirror', 'MR 40', 'Zirkon', '8 Own Way')
    await clinic.ask('physician', 'query ($id: ID!) { patient(id: $id) { familyName mrn } }', { id })
    const desk = auditDesk(clinic)
    const ask = async () =>
      await desk.ask(
        'privacy',
        'query ($from: DateTime!, $to: DateTime!) { anomalies(from: $from, to: $to, kinds: [SELF]) { edges { node { userId patientIds score explanation } } } }',
        { from: new Date(Date.now() - 86_400_000).toISOString().slice(0, 10), to: '2100' },
      )
    expect((await ask()).data).toEqual({ anomalies: { edges: [] } })
    await put(person('physician', { patientNumber: 'MR 40' }, { name: 'Dr. Jordan Lee' }))
    const found = await ask()
    expect(found.errors).toEqual([])
    expect(found.data).toMatchObject({
      anomalies: { edges: [{ node: { userId: 'physician', patientIds: [patientOf('mirror')], score: 0.8 } }] },
    })
    for (const value of ['Zirkon', 'MR 40', 'Own Way', 'Jordan Lee']) expect(found.text).not.toContain(value)
  })
})
