import { generateKeyPairSync, sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { Coordinate, TypeName } from '../../../directives/coordinates.ts'
import { RecordSigner } from '../../../gateway/crypto/record-signer.ts'
import { newDisclosureCounter } from '../../../gateway/disclosure/disclosure-counter.ts'
import { FailureReasons } from '../../../gateway/disclosure/failure-reasons.ts'
import { RecordSignatures } from '../../../gateway/disclosure/record-signatures.ts'
import { RecordView } from '../../../gateway/disclosure/record-view.ts'
import { ResponseErrors } from '../../../gateway/disclosure/response-errors.ts'
import { Deadline } from '../../../gateway/model/deadline.ts'
import type { Caller } from '../../../gateway/model/decision.ts'
import { KeyUnavailable } from '../../../gateway/model/failures.ts'
import type { PatientId, RecordId, RequestId, UserId } from '../../../gateway/model/ids.ts'
import type { SignedStatement } from '../../../gateway/model/signature.ts'
import { RIVERSIDE } from '../asking.ts'
import { callerWith, factsOf } from '../decide/clinic-policy.ts'

const ref = { type: 'DocumentReference' as TypeName, patient: 'p' as PatientId, id: 'd' as RecordId }
const statement: SignedStatement = {
  statement: 'phi-gateway signature v1',
  tenant: RIVERSIDE,
  ...ref,
  version: 1,
  user: 'u' as UserId,
  signer: 'Practitioner/u',
  signedAt: '2026-11-30T10:00:00.000Z',
  digest: 'd',
  sealedDigest: 's',
}

/** An Ed25519 key in memory. */
function keyInMemory() {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const raw = Buffer.from(String(publicKey.export({ format: 'jwk' }).x), 'base64url')
  return {
    publicKey: () => Promise.resolve(raw),
    sign: (message: Uint8Array) => Promise.resolve(sign(null, message, privateKey)),
  }
}

const unreadable = { publicKey: () => Promise.reject(new KeyUnavailable()), sign: () => Promise.reject(new KeyUnavailable()) }

async function shownTo(caller: Caller, signer: RecordSigner, sealedDigest = 's') {
  const key = new RecordSigner([own])
  const signature = await key.sign(statement)
  const record = new RecordView({
    ref,
    version: 2,
    erased: false,
    listed: false,
    metadata: { open: {}, references: {}, signature },
    sealedDigest: () => sealedDigest,
    facts: factsOf(['CARE_TEAM']),
    outcomes: new Map(),
  })
  const errors = new ResponseErrors()
  const failures = new FailureReasons({ requestId: 'r' as RequestId, tenant: RIVERSIDE, events: () => undefined })
  const deadline = new Deadline(Date.now() + 5_000, { now: Date.now, monotonic: () => performance.now() })
  const signatures = new RecordSignatures({ caller, deadline, errors, failures, counter: newDisclosureCounter(), signer })
  const place = { key: 'signature', prev: undefined, typename: undefined }
  const shown = await signatures.shown(record, 'DocumentReference.signature' as Coordinate, place)
  return { shown, codes: errors.errors().map(({ extensions }) => extensions.code) }
}

const own = keyInMemory()
const other = keyInMemory()
const physician = callerWith(['PHYSICIAN'], 'TREAT')

describe('C30: a signature as a reader sees it', () => {
  it('is valid while the content is the signed one, and stays visible after a change', async () => {
    const given = { signer: 'Practitioner/u', signedAt: statement.signedAt }
    expect(await shownTo(physician, new RecordSigner([own]))).toEqual({ shown: { valid: true, ...given }, codes: [] })
    expect(await shownTo(physician, new RecordSigner([own]), 'changed')).toEqual({ shown: { valid: false, ...given }, codes: [] })
    expect((await shownTo({ ...physician, tenant: 'other' as never }, new RecordSigner([own]))).shown?.valid).toBe(false)
  })

  it('is unavailable if only the key that may have signed cannot be read', async () => {
    expect((await shownTo(physician, new RecordSigner([unreadable, own]))).shown?.valid).toBe(true)
    expect(await shownTo(physician, new RecordSigner([other, unreadable]))).toEqual({ shown: null, codes: ['FIELD_UNAVAILABLE'] })
    expect((await shownTo(physician, new RecordSigner([other]))).shown?.valid).toBe(false)
  })

  it('C18: is null for research, because its time is a date of the patient', async () => {
    const researcher = { ...callerWith(['RESEARCHER'], 'HRESCH'), study: 'S' }
    expect(await shownTo(researcher, new RecordSigner([own]))).toEqual({ shown: null, codes: [] })
    expect((await shownTo({ ...researcher, study: null }, new RecordSigner([own]))).shown).toBeNull()
  })

  it('is not stored if the public key does not verify it', async () => {
    const mixed = { publicKey: other.publicKey, sign: own.sign }
    await expect(new RecordSigner([mixed]).sign(statement)).rejects.toThrow(KeyUnavailable)
  })
})
