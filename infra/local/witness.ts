import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { decodeBase64 } from '../../gateway/audit/verify/base64.ts'
import { type Checkpoint, parseCheckpointText, parseNumber } from '../../gateway/audit/verify/checkpoint-text.ts'
import { cosignatureLine, cosignedAt, cosignedMessage } from '../../gateway/audit/verify/cosignature.ts'
import { type Note, parseNote } from '../../gateway/audit/verify/note.ts'
import { verifyConsistency } from '../../gateway/audit/verify/proofs.ts'
import { type Hash, sameHash } from '../../gateway/audit/verify/tree.ts'
import { parseVerifierKey, type VerifierKey, verifierKeyText } from '../../gateway/audit/verify/verifier-key.ts'
import { refuseProductionIfNamed } from '../../gateway/model/stage.ts'
import { readBody } from './body.ts'
import { close, listen, LOOPBACK } from './ports.ts'

/**
 * A small witness of logs: `add-checkpoint` of the protocol, with an Ed25519 and an ML-DSA-44 key. It remembers the last checkpoint of
 * each log in memory. A witness of a deployment belongs to another organization and remembers on a disk.
 *
 * @source C2SP tlog-witness
 */
export interface Witness {
  /** The submission prefix. */
  readonly url: string
  /** Its keys as texts, for a policy. */
  readonly keys: readonly string[]
  /** The size that it cosigned last, of the log with this origin. */
  sizeOf(origin: string): number
  stop(): Promise<void>
}

export interface WitnessOptions {
  readonly name: string
  /** The keys of the logs that it accepts, as texts. The name of a key is the origin of its log. */
  readonly logs: readonly string[]
  /** Milliseconds since the epoch. */
  readonly now?: () => number
}

interface OwnKey {
  readonly key: VerifierKey
  readonly secret: KeyObject
}

const BODY_LIMIT = 64 * 1024
const MAX_PROOF = 63
const RAW_BYTES = { ED25519: 32, ML_DSA_44: 1_312 }

/** @throws StageRefused in a production process */
export async function startWitness({ name, logs, now = Date.now }: WitnessOptions): Promise<Witness> {
  refuseProductionIfNamed(process.env)
  const own = [ownKey(name, 'ED25519'), ownKey(name, 'ML_DSA_44')]
  const known = logs.map(requiredKey)
  const latest = new Map<string, Pick<Checkpoint, 'size' | 'root'>>()

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.method !== 'POST' || request.url !== '/add-checkpoint') return void response.writeHead(404).end()
    const submission = parseSubmission((await readBody(request, BODY_LIMIT))?.toString() ?? '')
    if (submission === undefined) return void response.writeHead(400).end()
    const { old, proof, note, checkpoint } = submission
    const { origin, size, root } = checkpoint
    const keys = known.filter((key) => key.name === origin)
    if (keys.length === 0) return void response.writeHead(404).end()
    if (!(await isSigned(note, checkpoint, keys))) return void response.writeHead(403).end()
    if (old > size) return void response.writeHead(400).end()
    // from here to the update nothing waits, so that two requests cannot both follow one checkpoint
    const before = latest.get(origin)
    if (old !== (before?.size ?? 0) || (old === size && before !== undefined && !sameHash(before.root, root)))
      return void response.writeHead(409, { 'content-type': 'text/x.tlog.size' }).end(`${before?.size ?? 0}\n`)
    const consistent =
      old === 0 || old === size
        ? proof.length === 0
        : before !== undefined && verifyConsistency(old, size, before.root, root, proof)
    if (!consistent) return void response.writeHead(422).end()
    latest.set(origin, { size, root })
    const time = Math.floor(now() / 1_000)
    const lines = own.map(({ key, secret }) =>
      cosignatureLine(key, time, sign(null, cosignedMessage(key, checkpoint, time), secret)),
    )
    response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' }).end(lines.join(''))
  }
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy())
  })
  const port = await listen(server, 0)
  return {
    url: `http://${LOOPBACK}:${port}`,
    keys: own.map(({ key }) => verifierKeyText(key.name, key.algorithm, key.publicKey)),
    sizeOf: (origin) => latest.get(origin)?.size ?? 0,
    stop: () => close(server),
  }
}

function ownKey(name: string, algorithm: VerifierKey['algorithm']): OwnKey {
  const pair = algorithm === 'ED25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ml-dsa-44')
  const raw = pair.publicKey.export({ format: 'der', type: 'spki' }).subarray(-RAW_BYTES[algorithm])
  return { key: requiredKey(verifierKeyText(name, algorithm, raw)), secret: pair.privateKey }
}

function requiredKey(text: string): VerifierKey {
  const key = parseVerifierKey(text)
  if (key === undefined) throw new TypeError('not the text of a key')
  return key
}

interface Submission {
  readonly old: number
  readonly proof: readonly Hash[]
  readonly note: Note
  readonly checkpoint: Checkpoint
}

function parseSubmission(body: string): Submission | undefined {
  const blank = body.indexOf('\n\n')
  const [first = '', ...hashes] = body.slice(0, Math.max(0, blank)).split('\n')
  const old = first.startsWith('old ') ? parseNumber(first.slice(4)) : undefined
  const proof = hashes.map((line) => decodeBase64(line))
  const note = parseNote(body.slice(blank + 2))
  const checkpoint = note && parseCheckpointText(note.text)
  if (old === undefined || note === undefined || checkpoint === undefined || proof.length > MAX_PROOF) return undefined
  const known = proof.filter((hash) => hash !== undefined)
  return known.length === proof.length ? { old, proof: known, note, checkpoint } : undefined
}

async function isSigned({ signatures }: Note, checkpoint: Checkpoint, keys: readonly VerifierKey[]): Promise<boolean> {
  for (const { name, keyId, signature } of signatures) {
    const key = keys.find((one) => one.name === name && one.keyId === keyId)
    if (key !== undefined && (await cosignedAt(key, signature, checkpoint)) !== undefined) return true
  }
  return false
}
