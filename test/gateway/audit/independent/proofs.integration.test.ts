import { GetPublicKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execPath } from 'node:process'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openNotary } from '../../../../gateway/open-notary.ts'
import { startWitness, type Witness } from '../../../../infra/local/witness.ts'
import { clinicLock } from '../../../../schema/clinic.ts'
import { runClinic, type RunningClinic } from '../../../harness/running-clinic.ts'
import { checkProof, type ProofVerdict } from './proof-checker.ts'
import { ED25519_COSIGNATURE, keyId, ML_DSA_44_COSIGNATURE } from './trust-policy.ts'

const TENANT = 'riverside'
/** One key of each algorithm, and the length of the key at the end of its SubjectPublicKeyInfo. */
const ALGORITHMS = [
  { setting: 'ed25519', type: ED25519_COSIGNATURE, bytes: 32 },
  { setting: 'mlDsa44', type: ML_DSA_44_COSIGNATURE, bytes: 1_312 },
] as const
const MAX_PROOF_BYTES = 12 * 1_024

const folder = mkdtempSync(join(tmpdir(), 'phi-proofs-'))
let clinic: RunningClinic
let witnesses: Witness[] = []
/** The policy file of an auditor. Its log keys come from KMS, not from the log. */
let policy = ''
let origin = ''

beforeAll(async () => {
  clinic = await runClinic({ riverside: 2, lakeside: 1 })
  const { env } = clinic.stack
  origin = `${env.PHI_LOG_ORIGIN}/audit/${TENANT}`
  const logs = await logKeys()
  witnesses = await Promise.all(['w1.example.org', 'w2.example.net'].map((name) => startWitness({ name, logs })))
  const lines = witnesses.map(({ url, keys }, at) => `witness w${at + 1} ${mlDsaOf(keys)} ${url}/\n`).join('')
  const quorum = 'group both all w1 w2\nquorum both\n'
  policy = `${logs.map((key) => `log ${key}\n`).join('')}${lines}${quorum}`
  writeFileSync(join(folder, 'policy'), policy)
  await seal(`${lines}${quorum}`)
})
afterAll(async () => {
  await Promise.all(witnesses.map((witness) => witness.stop()))
  await clinic.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** The verifier keys of the log, from the public keys that KMS holds. */
async function logKeys(): Promise<string[]> {
  const { PHI_LOG_KEYS: setting, AWS_ENDPOINT_URL_KMS: endpoint } = clinic.stack.env
  const keys = (JSON.parse(setting) as { '*': Record<string, string> })['*']
  const kms = new KMSClient({ endpoint })
  try {
    return await Promise.all(
      ALGORITHMS.map(async ({ setting: name, type, bytes }) => {
        const { PublicKey: spki } = await kms.send(new GetPublicKeyCommand({ KeyId: keys[name] }))
        const key = Buffer.from(spki ?? []).subarray(-bytes)
        return `${origin}+${keyId(origin, type, key)}+${Buffer.concat([Buffer.of(type), key]).toString('base64')}`
      }),
    )
  } finally {
    kms.destroy()
  }
}

const typeOf = (key: string): number | undefined => Buffer.from(key.split('+').slice(2).join('+'), 'base64')[0]
const mlDsaOf = (keys: readonly string[]): string => keys.find((key) => typeOf(key) === ML_DSA_44_COSIGNATURE) ?? ''

let witnessLines = ''
/** One pass of the notary. */
async function seal(lines = witnessLines): Promise<void> {
  witnessLines = lines
  const notary = openNotary({ ...clinic.stack.env, PHI_WITNESS_POLICY: lines }, { lock: clinicLock(), events: () => undefined })
  expect(await notary.run()).toBe(true)
}

async function phi(...words: readonly string[]): Promise<{ code: number; out: string; error: string }> {
  const command = fileURLToPath(new URL('../../../../cli/phi.ts', import.meta.url))
  return await new Promise((resolve) => {
    execFile(execPath, [command, 'audit', ...words], { env: { ...clinic.stack.env, PATH: '' } }, (failure, out, error) =>
      resolve({ code: failure === null ? 0 : Number(failure.code), out, error }),
    )
  })
}

interface Handed {
  readonly name: string
  readonly proof: Buffer
  readonly item: ItemLine
}

interface ItemLine {
  readonly l: string
  readonly n: number
  readonly pv: string
  readonly h: string
  readonly e: string
}

/** The proofs of a request, each with its item, as `phi audit prove` hands them out. */
async function prove(request: string): Promise<Handed[]> {
  const out = join(folder, request)
  mkdirSync(out)
  expect(await phi('prove', request, '--tenant', TENANT, '--out', out)).toMatchObject({ code: 0, error: '' })
  return readdirSync(out)
    .filter((name) => name.endsWith('.tlog-proof'))
    .map((name) => ({
      name: join(out, name),
      proof: readFileSync(join(out, name)),
      item: JSON.parse(readFileSync(join(out, name.replace('.tlog-proof', '.item.json')), 'utf8')) as ItemLine,
    }))
}

/** The entry of an item: its hash, which covers its place, the item before, and its text. `docs/audit-log.md`, section "The chain". */
const entryOf = ({ l, n, pv, e }: ItemLine): Buffer =>
  createHash('sha256').update(Buffer.from(pv, 'hex')).update(`${TENANT}#${l}/${n}\n`).update(e).digest()

const check = (proof: Buffer, item: ItemLine): ProofVerdict =>
  checkProof({ proof, entry: entryOf(item), policy: Buffer.from(policy) })

async function chart(): Promise<string> {
  const answer = await clinic.ask(
    'physician',
    '{ patients(first: 2) { edges { node { familyName birthDate ssn conditions(first: 2) { edges { node { code { text } } } } } } } }',
  )
  expect(answer.status).toBe(200)
  return answer.phi.requestId
}

describe('P7: proofs of a running system, checked from the specifications alone', () => {
  it('P7: an independent checker accepts the proofs of a request, with two witnesses and in less than 12 KB, and no altered item', async () => {
    const request = await chart()
    await seal()
    const handed = await prove(request)
    // one item for each patient
    expect(handed).toHaveLength(2)
    for (const { proof, item } of handed) {
      expect(item.h).toBe(entryOf(item).toString('hex'))
      expect(check(proof, item)).toMatchObject({ accepted: true, origin, witnesses: ['w1', 'w2'] })
      expect(proof.length).toBeLessThan(MAX_PROOF_BYTES)
    }
    const names = handed.map(({ name }) => name)
    expect(await phi('verify-proof', ...names, '--policy', join(folder, 'policy'))).toMatchObject({ code: 0 })

    const [one, other] = handed
    if (one === undefined || other === undefined) throw new Error('not two items')
    const altered = { ...one.item, e: one.item.e.replace('DENIED', 'ABSENT') }
    expect(altered.e).not.toBe(one.item.e)
    for (const item of [altered, other.item]) expect(check(one.proof, item)).toEqual({ accepted: false, reason: 'INCLUSION' })
  })

  it('P7: the log publishes the keys that KMS holds', () => {
    const published = readFileSync(join(clinic.stack.env.PHI_AUDIT_OBJECTS, TENANT, 'policy'), 'utf8')
    expect(published).toBe(policy)
  })
})
