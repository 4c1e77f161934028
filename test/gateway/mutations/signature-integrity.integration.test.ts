import { CreateKeyCommand, GetPublicKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import canonicalize from 'canonicalize'
import { createHash, createPublicKey, randomBytes, verify } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compilePolicy } from '../../../directives/compile.ts'
import type { SchemaPath } from '../../../directives/coordinates.ts'
import { servedClinic } from '../../../functions/served-clinic.ts'
import { newRequestId } from '../../../gateway/audit/request-id.ts'
import { composeGateway, openServices } from '../../../gateway/compose.ts'
import type { Json } from '../../../gateway/model/record.ts'
import type { RecordSignature, SignedStatement } from '../../../gateway/model/signature.ts'
import { RecordChanges } from '../../../gateway/store/record-changes.ts'
import { RecordWriter } from '../../../gateway/store/record-writer.ts'
import { read, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { commit } from '../admitted.ts'
import { at, auditOf, first, patientsOf, RIVERSIDE } from '../asking.ts'
import { clinic as compiled } from '../decide/clinic-policy.ts'
import { DatabaseHand, recordItem, refOf } from '../store/database-hand.ts'
import { codesOf } from './access-desk.ts'
import { APPROVE, NO_RETENTION, requested } from './erasure-desk.ts'
import { auditedVersions, versionsOf } from './record-writing.ts'
import { SIGN, SIGNATURE, signatureOf, writtenNote } from './signing-desk.ts'

let clinic: RunningClinic
let patients: string[]
let patient: string
let changes: RecordChanges

beforeAll(async () => {
  clinic = await runClinic({ riverside: 12, lakeside: 1 })
  patients = await patientsOf(clinic, 'physician')
  patient = first(patients)
  changes = new RecordChanges({ ...clinic.services, history: clinic.services.recordHistory })
})
afterAll(async () => await clinic.stop())

const TEXT = 'DocumentReference.text' as SchemaPath
const AUTHOR = 'DocumentReference.author' as SchemaPath

const signedNote = async (whose = patient, text?: string): Promise<string> => {
  const id = await writtenNote(clinic, whose, 'physician', text)
  const answer = await clinic.ask('physician', SIGN, { id, version: 1 })
  expect(at(answer.data, 'signDocument', 'signature', 'valid')).toBe(true)
  return id
}

/** The test asks for no count of openings. */
const uncounted = () => ({ fields: 0, metadata: 0 })

/** The signature as it is stored. */
async function storedSignature(id: string): Promise<RecordSignature> {
  const signature = (await changes.former(RIVERSIDE, refOf(id), [], uncounted()))?.metadata.signature
  if (signature === undefined) throw new Error('not signed')
  return signature
}

/** Stores another signature in a record, with the keys of the gateway. */
async function plant(id: string, signature: RecordSignature): Promise<void> {
  const ref = refOf(id)
  const patch = { ref, values: new Map(), from: [], metadataOf: (former: object) => ({ ...former, signature }) as never }
  const expected = (await changes.former(RIVERSIDE, ref, [], uncounted()))?.version ?? 0
  const records = [{ kind: 'UPDATE', expected, patch }] as const
  const chart = { patient: ref.patient, isNew: false, records, access: [], references: [] }
  const prepared = await changes.prepare(RIVERSIDE, compiled.policy, chart)
  if (prepared.kind !== 'PREPARED') throw new Error(prepared.kind)
  await commit(clinic.services, prepared.items, ref.patient)
}

describe('C30: what is signed', () => {
  it('is a statement with the digest of the plaintext, which the public key proves; no digest is in the audit log', async () => {
    const text = 'Allergy to penicillin confirmed.'
    const id = await signedNote(patient, text)
    const { statement, signature } = await storedSignature(id)
    const content = { values: { [AUTHOR]: 'Dr. Example', [TEXT]: text }, references: {}, open: {} }
    const { type, patient: whose, id: record } = refOf(id)
    expect(statement).toMatchObject({ tenant: 'riverside', type, patient: whose, id: record, version: 1 })
    expect(statement.digest).toBe(
      createHash('sha256')
        .update(canonicalize(content) ?? '')
        .digest('base64url'),
    )
    const kms = new KMSClient({ endpoint: clinic.stack.kms.endpoint })
    const { PublicKey = new Uint8Array() } = await kms.send(new GetPublicKeyCommand({ KeyId: clinic.stack.env.PHI_SIGNATURE_KEYS }))
    kms.destroy()
    const key = createPublicKey({ key: Buffer.from(PublicKey), format: 'der', type: 'spki' })
    expect(verify(null, Buffer.from(canonicalize(statement) ?? ''), key, Buffer.from(signature, 'base64url'))).toBe(true)
    const entries = JSON.stringify(await clinic.services.history.entriesBy('patient', RIVERSIDE, whose))
    for (const part of [statement.digest, statement.sealedDigest, signature]) expect(entries).not.toContain(part)
  })

  it('keeps the seals of the values, and the former version', async () => {
    const id = await writtenNote(clinic, patient)
    const hand = new DatabaseHand(clinic)
    const before = await hand.read(recordItem(id))
    await clinic.ask('physician', SIGN, { id, version: 1 })
    const after = await hand.read(recordItem(id))
    for (const field of ['f:text', 'f:author']) expect(after[field]).toEqual(before[field])
    expect(await versionsOf(clinic, id)).toEqual([1])
    expect(await auditedVersions(clinic.services, id)).toEqual([1, 2])
  })

  it('P1: showing a signature opens no value', async () => {
    const id = await signedNote()
    const answer = await clinic.ask('physician', SIGNATURE, { id })
    expect(answer.phi.resolved).toBe(0)
    expect((await auditOf(clinic, answer)).map(({ path }) => path)).toEqual(['DocumentReference.id'])
  })
})

describe('P6: a writer of the database cannot make, move or remove a signature', () => {
  it('a removed signature is a damaged record', async () => {
    const id = await writtenNote(clinic, patient)
    const hand = new DatabaseHand(clinic)
    const unsigned = await hand.read(recordItem(id))
    await clinic.ask('physician', SIGN, { id, version: 1 })
    const signed = await hand.read(recordItem(id))
    await hand.put(unsigned)
    const answer = await clinic.ask('physician', SIGNATURE, { id })
    expect(codesOf(answer)).toEqual(['FIELD_UNAVAILABLE'])
    expect(at(answer.data, 'node')).toBeNull()
    expect(codesOf(await clinic.ask('physician', SIGN, { id, version: 1 }))).toEqual(['FIELD_UNAVAILABLE'])
    await hand.put(signed)
    expect(await signatureOf(clinic, id)).toMatchObject({ valid: true })
  })

  it('a moved signature is a damaged record', async () => {
    const [one, two] = [await signedNote(), await signedNote()]
    const hand = new DatabaseHand(clinic)
    const [first, second] = [await hand.read(recordItem(one)), await hand.read(recordItem(two))]
    await hand.put({ ...first, m: second['m'] ?? { NULL: true } })
    expect(codesOf(await clinic.ask('physician', SIGNATURE, { id: one }))).toEqual(['FIELD_UNAVAILABLE'])
    await hand.put(first)
  })

  it.each<readonly [string, (own: RecordSignature, other: RecordSignature) => RecordSignature]>([
    ['of another record', (_own, other) => other],
    ['of another tenant', (own) => altered(own, { tenant: 'lakeside' as SignedStatement['tenant'] })],
    ['with another signer', (own) => altered(own, { signer: 'Practitioner/nurse' })],
    ['with another time', (own) => altered(own, { signedAt: '2020-01-01T00:00:00.000Z' })],
    ['of no bytes', (own) => ({ ...own, signature: '' })],
    ['of other bytes', (own) => ({ ...own, signature: randomBytes(64).toString('base64url') })],
  ])('a signature %s is not valid, even with the keys of the patient', async (_name, make) => {
    const [id, other] = [await signedNote(), await signedNote()]
    await plant(id, make(await storedSignature(id), await storedSignature(other)))
    expect(await signatureOf(clinic, id)).toMatchObject({ valid: false })
    // the author can sign again
    const again = await clinic.ask('physician', SIGN, { id, version: 3 })
    expect(at(again.data, 'signDocument')).toMatchObject({
      version: 4,
      signature: { valid: true, signer: 'Practitioner/physician' },
    })
  })

  const altered = (own: RecordSignature, parts: Partial<SignedStatement>): RecordSignature => ({
    ...own,
    statement: { ...own.statement, ...parts },
  })
})

describe('C30: imports and signatures', () => {
  const imported = async (id: string, values: Record<string, Json>, source: string): Promise<void> => {
    const { services } = clinic
    const ref = refOf(id)
    const writer = new RecordWriter({ ...services, history: services.recordHistory })
    const context = {
      tenant: RIVERSIDE,
      requestId: newRequestId(services.process, Date.now(), randomBytes),
      user: 'os:test',
      roles: [],
      purpose: 'HOPERAT',
      persisted: false,
      policy: '0'.repeat(64),
    } as const
    const given = new Map(Object.entries(values).map(([path, value]) => [path as SchemaPath, value]))
    const metadata = { open: {}, references: {}, source, author: 'Practitioner/physician' }
    await writer.write(context, { patient: ref.patient, records: [{ ref, values: given, metadata }], access: [] })
  }

  it('an import that changes the document breaks the signature, which stays visible; one without a change does not', async () => {
    const id = await writtenNote(clinic, patient)
    await imported(id, { [TEXT]: 'Imported.' }, 'one')
    await clinic.ask('physician', SIGN, { id, version: 2 })
    await imported(id, { [TEXT]: 'Imported.' }, 'one')
    const signature = await signatureOf(clinic, id)
    expect(signature).toMatchObject({ valid: true })
    await imported(id, { [TEXT]: 'Imported again.' }, 'two')
    expect(await signatureOf(clinic, id)).toEqual({ ...(signature as object), valid: false })
  })
})

describe('C30: outages', () => {
  const key = (): string => clinic.stack.env.PHI_SIGNATURE_KEYS

  it('without the key, nothing is signed, and a signature is unavailable to a process that has not read the key', async () => {
    const signed = await signedNote()
    const id = await writtenNote(clinic, patient)
    const cold = await clinic.another()
    clinic.stack.kms.setState(key(), 'Disabled')
    try {
      const answer = await clinic.ask('physician', SIGN, { id, version: 1 })
      expect(codesOf(answer)).toEqual(['FIELD_UNAVAILABLE'])
      expect(at(answer.data, 'signDocument')).toBeNull()
      expect(await versionsOf(clinic, id)).toEqual([])
      expect(await signatureOf(clinic, signed)).toMatchObject({ valid: true })
      const unread = await cold.ask('physician', SIGNATURE, { id: signed })
      expect(codesOf(unread)).toEqual(['FIELD_UNAVAILABLE'])
      expect(at(unread.data, 'node')).toMatchObject({ version: 2, signature: null })
    } finally {
      clinic.stack.kms.setState(key(), 'Enabled')
    }
    expect(await signatureOf(cold, signed)).toMatchObject({ valid: true })
    expect((await clinic.ask('physician', SIGN, { id, version: 1 })).errors).toEqual([])
  })

  it('a deployment without a key signs nothing, and gives no verdict about a signature', async () => {
    const signed = await signedNote()
    const id = await writtenNote(clinic, patient)
    const without = await clinic.another({ env: { PHI_SIGNATURE_KEYS: '' } })
    expect(codesOf(await without.ask('physician', SIGN, { id, version: 1 }))).toEqual(['FIELD_UNAVAILABLE'])
    expect(await signatureOf(without, id)).toBeNull()
    expect(codesOf(await without.ask('physician', SIGNATURE, { id: signed }))).toEqual(['FIELD_UNAVAILABLE'])
  })

  it('a new key signs, and a former key verifies as long as it is in the list', async () => {
    const signed = await signedNote()
    const kms = new KMSClient({ endpoint: clinic.stack.kms.endpoint })
    const { KeyMetadata } = await kms.send(new CreateKeyCommand({ KeySpec: 'ECC_NIST_EDWARDS25519', KeyUsage: 'SIGN_VERIFY' }))
    kms.destroy()
    const fresh = KeyMetadata?.Arn ?? ''
    const changed = await clinic.another({ env: { PHI_SIGNATURE_KEYS: `${fresh},${key()}` } })
    const id = await writtenNote(clinic, patient)
    expect((await changed.ask('physician', SIGN, { id, version: 1 })).errors).toEqual([])
    for (const one of [id, signed]) expect(await signatureOf(changed, one)).toMatchObject({ valid: true })
    expect(await signatureOf(clinic, id)).toMatchObject({ valid: false })
  })

  it('C26: an erased patient has no signature', async () => {
    const whose = patients[1] ?? ''
    const id = await signedNote(whose)
    const open = await clinic.another({ env: { PHI_RETENTION: NO_RETENTION } })
    await open.ask('privacy', APPROVE, { id: await requested(open, whose) })
    const fresh = await clinic.another()
    expect(codesOf(await fresh.ask('physician', SIGN, { id, version: 2 }))).toEqual(['FIELD_ERASED'])
    const shown = await fresh.ask('physician', SIGNATURE, { id })
    expect(codesOf(shown)).toContain('FIELD_ERASED')
    expect(at(shown.data, 'node', 'signature') ?? null).toBeNull()
  })
})

describe('C30: the signer reads each value', () => {
  it('a value that the author may not read refuses the signature, with its coordinate', async () => {
    const served = servedClinic()
    const typeDefs = served.typeDefs.map(({ name, sdl }) => ({
      name,
      sdl: name.endsWith('/document-reference.graphql')
        ? sdl.replace(
            'author: String @phi(category: CARE_TEAM)',
            'author: String @phi(category: CARE_TEAM) @minimumNecessary(roles: [NURSE])',
          )
        : sdl,
    }))
    const { lock } = compilePolicy(typeDefs, { relationships: 'unchecked' })
    const env = { ...clinic.stack.env, PHI_STAGE: 'test' }
    const services = openServices(env, { events: () => undefined })
    const gateway = await composeGateway(services, env, { ...served, typeDefs, lock })
    try {
      const id = await writtenNote(clinic, patient)
      const answer = read(await gateway.handle(await clinic.requestOf('physician', SIGN, { id, version: 1 })))
      expect(codesOf(answer)).toEqual(['UNAUTHORIZED_FIELD_OR_TYPE ROLE'])
      expect(answer.errors[0]?.extensions['coordinate']).toBe(AUTHOR)
      expect(await versionsOf(clinic, id)).toEqual([])
      expect(await signatureOf(clinic, id)).toBeNull()
    } finally {
      await gateway.stop()
      services.close()
    }
  })
})
