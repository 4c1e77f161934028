import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { at, auditOf, first, madeUpId, nodesAt, patientsOf } from '../asking.ts'
import { codesOf } from './access-desk.ts'
import { newKey, SIGN, signatureOf, UPDATE_DOCUMENT, writtenNote } from './signing-desk.ts'

let clinic: RunningClinic
/** A patient of the physician and of the nurse. */
let patient: string

beforeAll(async () => {
  clinic = await runClinic({ riverside: 12, lakeside: 1 })
  patient = first(await patientsOf(clinic, 'nurse'))
})
afterAll(async () => await clinic.stop())

const HISTORY = `query ($id: ID!) { node(id: $id) { ... on DocumentReference {
  history(first: 10) { edges { node { version record { ... on DocumentReference { signature { valid } } } } } }
} } }`
const valid = { valid: true, signer: 'Practitioner/physician' }

describe('C30: a signature of a document', () => {
  it('records signer and time, and is valid for the version that was signed', async () => {
    const id = await writtenNote(clinic, patient)
    expect(await signatureOf(clinic, id)).toBeNull()
    const answer = await clinic.ask('physician', SIGN, { id, version: 1 })
    expect(answer.errors).toEqual([])
    expect(at(answer.data, 'signDocument')).toMatchObject({ id, version: 2, signature: valid })
    const signedAt = String(at(answer.data, 'signDocument', 'signature', 'signedAt'))
    expect(Math.abs(Date.now() - Date.parse(signedAt))).toBeLessThan(60_000)
    for (const process of [clinic, await clinic.another()])
      for (const user of ['physician', 'nurse']) expect(await signatureOf(process, id, user)).toEqual({ ...valid, signedAt })
    const records = await auditOf(clinic, answer)
    expect(records.filter(({ outcome }) => outcome === 'WRITTEN')).toMatchObject([
      { path: 'DocumentReference.signature', action: 'UPDATE', basis: 'AUTHOR', recordVersion: 2 },
    ])
    const read = records.filter(({ outcome }) => outcome === 'DISCLOSED').map(({ path }) => path)
    expect(new Set(read)).toEqual(new Set(['DocumentReference.author', 'DocumentReference.id', 'DocumentReference.text']))
  })

  it('is broken by a later change, stays visible, and is valid again when the document is signed again', async () => {
    const id = await writtenNote(clinic, patient)
    const signed = await clinic.ask('physician', SIGN, { id, version: 1 })
    const before = at(signed.data, 'signDocument', 'signature')
    const patch = { text: 'Worse.' }
    const changed = await clinic.ask('nurse', UPDATE_DOCUMENT, { id, version: 2, patch, key: newKey() })
    expect(at(changed.data, 'updateDocumentReference', 'record', 'signature')).toEqual({ ...(before as object), valid: false })
    expect(await signatureOf(clinic, id)).toEqual({ ...(before as object), valid: false })
    const again = await clinic.ask('physician', SIGN, { id, version: 3 })
    expect(at(again.data, 'signDocument')).toMatchObject({ version: 4, signature: valid })
  })

  it('is valid in the history for the version that has it, and broken for the version after a change', async () => {
    const id = await writtenNote(clinic, patient)
    await clinic.ask('physician', SIGN, { id, version: 1 })
    await clinic.ask('nurse', UPDATE_DOCUMENT, { id, version: 2, patch: { text: 'Worse.' }, key: newKey() })
    const { data } = await clinic.ask('physician', HISTORY, { id })
    const versions = nodesAt(data, 'node', 'history').map((entry) => [at(entry, 'version'), at(entry, 'record', 'signature')])
    expect(versions).toEqual([
      [3, { valid: false }],
      [2, { valid: true }],
      [1, null],
    ])
  })

  it('a repeated call changes nothing and gives the same signature', async () => {
    const id = await writtenNote(clinic, patient)
    const signed = at((await clinic.ask('physician', SIGN, { id, version: 1 })).data, 'signDocument')
    for (const version of [1, 2]) {
      const again = await clinic.ask('physician', SIGN, { id, version })
      expect(at(again.data, 'signDocument')).toEqual(signed)
      expect(await auditOf(clinic, again)).toContainEqual(
        expect.objectContaining({ path: 'Mutation.signDocument', outcome: 'ABSENT' }),
      )
    }
  })

  it('needs the version that the signer read', async () => {
    const id = await writtenNote(clinic, patient)
    const answer = await clinic.ask('physician', SIGN, { id, version: 7 })
    expect(codesOf(answer)).toEqual(['VERSION_CONFLICT'])
    expect(answer.errors[0]?.extensions['currentVersion']).toBe(1)
    expect(await signatureOf(clinic, id)).toBeNull()
  })

  it('needs a recent sign-in', async () => {
    const id = await writtenNote(clinic, patient)
    const later = await clinic.another({ now: () => Date.now() + 6 * 60_000 })
    expect(codesOf(await later.ask('physician', SIGN, { id, version: 1 }))).toEqual(['STEP_UP_REQUIRED'])
    expect(await signatureOf(clinic, id)).toBeNull()
  })

  it('needs the author, and never opens by break-glass', async () => {
    const id = await writtenNote(clinic, patient)
    const other = await clinic.ask('nurse', SIGN, { id, version: 1 })
    expect(codesOf(other)).toEqual(['UNAUTHORIZED_FIELD_OR_TYPE RELATIONSHIP'])
    expect(other.errors[0]?.extensions).toMatchObject({ coordinate: 'Mutation.signDocument', reason: 'RELATIONSHIP' })
    // no value is opened for somebody else
    expect((await auditOf(clinic, other)).map(({ path, outcome }) => [path, outcome])).toEqual([
      ['DocumentReference.id', 'DISCLOSED'],
      ['Mutation.signDocument', 'DENIED'],
    ])
    for (const user of ['billing', 'frontdesk', 'researcher', 'admin'])
      expect((await clinic.ask(user, SIGN, { id, version: 1 })).data?.['signDocument'] ?? null).toBeNull()
    expect(codesOf(await clinic.ask('physician', SIGN, { id, version: 1 }, { 'x-purpose-of-use': 'BTG' }))).toEqual(['NOT_FOUND'])
    const opened = await clinic.ask(
      'physician',
      'mutation ($id: ID!) { breakGlass(patientId: $id, reason: "chest pain, no history") { id } }',
      { id: patient },
    )
    expect(opened.errors).toEqual([])
    const emergency = await clinic.ask('physician', SIGN, { id, version: 1 }, { 'x-purpose-of-use': 'BTG' })
    expect(codesOf(emergency)).toEqual(['UNAUTHORIZED_FIELD_OR_TYPE PURPOSE'])
    expect(await signatureOf(clinic, id)).toBeNull()
  })

  it('P5: answers unknown, hidden and foreign ids alike', async () => {
    const [all, own] = [await patientsOf(clinic, 'physician'), await patientsOf(clinic, 'nurse')]
    const hidden = await writtenNote(clinic, first(all.filter((one) => !own.includes(one))))
    for (const [user, id] of [
      ['physician', madeUpId()],
      ['physician', 'no id'],
      ['nurse', hidden],
    ] as const) {
      const answer = await clinic.ask(user, SIGN, { id, version: 1 })
      expect(codesOf(answer)).toEqual(['NOT_FOUND'])
      expect(at(answer.data, 'signDocument')).toBeNull()
    }
  })
})
