import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import type { TimedAccess } from '../../../gateway/audit/entry.ts'
import type { ItemParts } from '../../../gateway/audit/item.ts'
import { ItemPacker } from '../../../gateway/audit/item-packer.ts'
import { type Checkpoint, checkpointText } from '../../../gateway/audit/verify/checkpoint-text.ts'
import { cosignatureLine, cosignedMessage } from '../../../gateway/audit/verify/cosignature.ts'
import {
  EXPORT_NAME,
  hourName,
  LATEST_NAME,
  lockName,
  noteName,
  POLICY_NAME,
  segmentName,
  tileName,
} from '../../../gateway/audit/verify/layout.ts'
import type { LogSource } from '../../../gateway/audit/verify/log-source.ts'
import { segmentLine } from '../../../gateway/audit/verify/segment-line.ts'
import { TileTree } from '../../../gateway/audit/verify/tile-tree.ts'
import {
  ALGORITHMS,
  parseVerifierKey,
  type SignatureAlgorithm,
  type VerifierKey,
  verifierKeyText,
} from '../../../gateway/audit/verify/verifier-key.ts'
import type { SchemaPath } from '../../../directives/coordinates.ts'
import type { Instant, PatientId, RequestId } from '../../../gateway/model/ids.ts'
import { linked } from './audit-arbitraries.ts'
import { access, context, NOON } from './examples.ts'

export const ORIGIN = 'phi.example.com/audit/riverside'
const PATHS = ['birthDate', 'familyName', 'givenName', 'ssn', 'mrn', 'address', 'gender', 'phone'].map(
  (name) => `Patient.${name}` as SchemaPath,
)
/** A lock under which a physician reads each of the paths. */
const LOCK = Buffer.from(
  [
    'format 1',
    'role PHYSICIAN kind=CLINICIAN mayClaim=TREAT,ETREAT,BTG mfa=yes seesExistence=yes',
    'record Patient patient=id source=dynamodb',
    ...PATHS.toSorted().flatMap((path) => [
      `phi ${path} class=VALUE category=DEMOGRAPHIC identifier=- sensitivity=- at=${path}`,
      `grant ${path} roles=PHYSICIAN purposes=TREAT,ETREAT relationship=CARE_TEAM actions=READ view=FULL breakGlass=yes rule=${path}#1`,
    ]),
    '',
  ].join('\n'),
)
export const LOCK_DIGEST = createHash('sha256').update(LOCK).digest('hex')

interface SigningKey {
  readonly key: VerifierKey
  readonly text: string
  readonly privateKey: KeyObject
}

export function signingKey(name: string, algorithm: SignatureAlgorithm): SigningKey {
  const { publicKey, privateKey } = algorithm === 'ED25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ml-dsa-44')
  const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(-ALGORITHMS[algorithm].keyBytes)
  const text = verifierKeyText(name, algorithm, raw)
  const key = parseVerifierKey(text)
  if (key === undefined) throw new Error('the key cannot be read')
  return { key, text, privateKey }
}

/** The keys of a log and of two witnesses, each with both algorithms, and a policy that requires all of them. */
export class LogKeys {
  readonly log = (['ED25519', 'ML_DSA_44'] as const).map((algorithm) => signingKey(ORIGIN, algorithm))
  readonly witnesses = ['w1', 'w2'].map((name) => signingKey(`${name}.example.org`, 'ML_DSA_44'))

  get policy(): string {
    const [one, two] = this.log
    return [
      ...this.log.map(({ text }) => `log ${text}`),
      `witness log-ed25519 ${one?.text ?? ''}`,
      `witness log-ml-dsa-44 ${two?.text ?? ''}`,
      ...this.witnesses.map(({ text }, at) => `witness w${at + 1} ${text}`),
      'group log all log-ed25519 log-ml-dsa-44',
      'group witnesses all w1 w2',
      'group everybody all log witnesses',
      'quorum everybody\n',
    ].join('\n')
  }

  note(checkpoint: Checkpoint, time: number, witnessTime = time + 1): string {
    const line = ({ key, privateKey }: SigningKey, at: number): string =>
      cosignatureLine(key, at, sign(null, cosignedMessage(key, checkpoint, at), privateKey))
    return [
      `${checkpointText(checkpoint)}\n`,
      ...this.log.map((key) => line(key, time)),
      ...this.witnesses.map((key) => line(key, witnessTime)),
    ].join('')
  }
}

export interface LaneSample {
  readonly lane: string
  readonly items: readonly ItemParts[]
}

/** A lane of requests with `records` field-level records each. */
export function laneOf(lane: string, items: number, records: number, since: number = NOON, everyMs = 250): LaneSample {
  const drafts = Array.from({ length: items }, (_, number) => {
    const patient = createHash('sha256')
      .update(`${number % 97}`)
      .digest('base64url')
      .slice(0, 22) as PatientId
    const requestId = createHash('sha256').update(`${lane} ${number}`).digest('base64url').slice(0, 20) as RequestId
    const packer = new ItemPacker(context({ policy: LOCK_DIGEST, requestId, operation: 'Chart', sourceIp: '192.0.2.7', mfa: true }))
    const accesses = Array.from({ length: records }, (_unused, at): TimedAccess => {
      const path = PATHS[at % PATHS.length] as SchemaPath
      const denied = path === 'Patient.ssn'
      return access(1 + (number % 3), {
        at: (since + number * everyMs) as Instant,
        patient,
        path,
        ...(denied ? { outcome: 'DENIED', reason: 'ROLE', view: undefined as never } : { rule: `${path}#1` }),
      })
    })
    return packer.ofWrite(accesses)
  })
  return { lane, items: linked(drafts.flat(), lane) }
}

/** Builds the objects of a log as the notary lays them out. */
export class SealedLog {
  readonly files = new Map<string, Uint8Array<ArrayBuffer>>()
  readonly keys: LogKeys
  tree = new TileTree()

  constructor(keys = new LogKeys()) {
    this.keys = keys
    this.#put(POLICY_NAME, keys.policy)
    this.files.set(lockName(LOCK_DIGEST), new Uint8Array(LOCK))
  }

  /** One round: a segment, its tiles, and a checkpoint. @param time seconds since the epoch */
  seal(items: readonly ItemParts[], time: number): void {
    const start = this.tree.size
    for (const { hash } of items)
      for (const { hashes, ...tile } of this.tree.append(Buffer.from(hash, 'hex')))
        this.files.set(tileName(tile), new Uint8Array(hashes))
    for (const { hashes, ...tile } of this.tree.partial()) this.files.set(tileName(tile), new Uint8Array(hashes))
    const end = this.tree.size
    this.files.set(segmentName(start, end), compressed(items.map((item) => segmentLine(item)).join('')))
    const note = this.keys.note({ origin: ORIGIN, size: end, root: this.tree.root() }, time)
    this.#put(noteName(end), note)
    this.#put(LATEST_NAME, note)
    this.#put(EXPORT_NAME, JSON.stringify({ start: 0, end }))
  }

  closeHour(hour: string, lanes: readonly LaneSample[]): void {
    const lines = lanes.map(({ lane, items }) => ({ lane, registered: `${hour}:00:01.000Z`, last: items.at(-1)?.sequence ?? 0 }))
    this.#put(hourName(hour), JSON.stringify({ hour, lanes: lines }))
  }

  #put(name: string, text: string): void {
    this.files.set(name, new TextEncoder().encode(text))
  }
}

export const compressed = (text: string): Uint8Array<ArrayBuffer> => new Uint8Array(gzipSync(text))

/** Seals lanes side by side, in rounds of a minute. */
export function sealedLog(lanes: readonly LaneSample[], rounds: number, keys = new LogKeys()): SealedLog {
  const log = new SealedLog(keys)
  const longest = Math.max(...lanes.map(({ items }) => items.length))
  const each = Math.ceil(longest / rounds)
  for (let round = 0; round < rounds; round++) {
    const items = lanes.flatMap((lane) => lane.items.slice(round * each, (round + 1) * each))
    const last = Math.max(...items.map(({ time }) => time))
    if (items.length > 0) log.seal(items, Math.ceil(last / 1_000) + 30)
  }
  return log
}

/** Seals lanes by the time of their items, one round each `everyMs`. */
export function sealedByTime(lanes: readonly LaneSample[], everyMs: number, keys = new LogKeys()): SealedLog {
  const log = new SealedLog(keys)
  const rounds = Map.groupBy(
    lanes.flatMap(({ items }) => items),
    ({ time }) => Math.floor(time / everyMs),
  )
  for (const [round, items] of [...rounds].sort(([one], [other]) => one - other))
    log.seal(items, ((round + 1) * everyMs) / 1_000 + 20)
  return log
}

/** The objects of a log in memory. */
export function sourceOf(files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>): LogSource {
  return {
    async *names(prefix) {
      for (const name of files.keys()) if (name.startsWith(prefix)) yield await Promise.resolve(name)
    },
    read: async (name) => await Promise.resolve(files.get(name)),
    open: async (name) => {
      const bytes = files.get(name)
      return await Promise.resolve(bytes && new Blob([bytes]).stream())
    },
  }
}
