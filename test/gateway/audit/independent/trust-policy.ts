import { createHash } from 'node:crypto'

/**
 * A trust policy of a transparency log, read from the specifications alone: this folder imports nothing of `gateway/audit/verify`.
 *
 * @source C2SP tlog-policy; signed-note, section "Verifier keys"; tlog-cosignature
 */
export interface TrustPolicy {
  readonly logs: readonly PublicKey[]
  /** By the name in the policy file, which is not the name of the key. */
  readonly witnesses: ReadonlyMap<string, PublicKey>
  readonly groups: ReadonlyMap<string, { readonly threshold: number; readonly members: readonly string[] }>
  /** A witness, a group or `none`. */
  readonly quorum: string
}

export interface PublicKey {
  readonly name: string
  /** 8 hex digits. */
  readonly id: string
  readonly type: number
  readonly bytes: Buffer
}

/** The signature types that this folder knows, with the length of their keys. */
export const ED25519 = 0x01
export const ED25519_COSIGNATURE = 0x04
export const ML_DSA_44_COSIGNATURE = 0x06
const KEY_BYTES: ReadonlyMap<number, number> = new Map([
  [ED25519, 32],
  [ED25519_COSIGNATURE, 32],
  [ML_DSA_44_COSIGNATURE, 1_312],
])

const NONE = 'none'
const UNICODE_SPACE = /\p{White_Space}/u

/** The policy file breaks a rule of the specification. */
export class PolicyFault extends Error {
  override readonly name = 'PolicyFault'
}

/** @throws PolicyFault naming the line */
export function readTrustPolicy(file: Uint8Array): TrustPolicy {
  // names are octets: latin1 keeps each octet as one character
  const text = Buffer.from(file).toString('latin1')
  if (/[^\t\n\x20-\x7e\x80-\xff]/.test(text)) throw new PolicyFault('an octet that a policy cannot have')
  if (text !== '' && !text.endsWith('\n')) throw new PolicyFault('the last line has no newline')
  const logs: PublicKey[] = []
  const witnesses = new Map<string, PublicKey>()
  const groups = new Map<string, { threshold: number; members: string[] }>()
  const used = new Set<string>()
  let quorum: string | undefined
  const isDefined = (name: string): boolean => witnesses.has(name) || groups.has(name)
  for (const [at, line] of text.split('\n').entries()) {
    const words = line.split(/[ \t]+/).filter((word) => word !== '')
    const [kind, ...rest] = words
    const refuse = (fault: string): never => {
      throw new PolicyFault(`line ${at + 1}: ${fault}`)
    }
    const fresh = (name: string | undefined): string =>
      name === undefined || name === NONE || isDefined(name) ? refuse('a name that is missing, reserved or defined before') : name
    const key = (word: string | undefined, types: readonly number[], others: Iterable<PublicKey>): PublicKey => {
      const read = readVerifierKey(word ?? '')
      if (read === undefined || !types.includes(read.type)) return refuse('no key of a type for this use')
      for (const other of others) if (other.bytes.equals(read.bytes)) refuse('a duplicate key')
      return read
    }
    if (kind === undefined || kind.startsWith('#')) continue
    if (kind === 'log' && rest.length <= 2) {
      logs.push(key(rest[0], [ED25519, ED25519_COSIGNATURE, ML_DSA_44_COSIGNATURE], logs))
    } else if (kind === 'witness' && rest.length <= 3) {
      const name = fresh(rest[0])
      witnesses.set(name, key(rest[1], [ED25519_COSIGNATURE, ML_DSA_44_COSIGNATURE], witnesses.values()))
    } else if (kind === 'group') {
      const name = fresh(rest[0])
      const members = rest.slice(2)
      for (const member of members) {
        if (!isDefined(member)) refuse('a member that no earlier line defines')
        if (used.has(member)) refuse('a member of two groups')
        used.add(member)
      }
      groups.set(name, { threshold: thresholdOf(rest[1], members.length) ?? refuse('no threshold'), members })
    } else if (kind === 'quorum' && rest.length === 1) {
      if (quorum !== undefined) refuse('a second quorum')
      quorum = rest[0] === NONE || isDefined(rest[0] ?? '') ? rest[0] : refuse('a quorum that no earlier line defines')
    } else refuse('no line of a policy')
  }
  if (quorum === undefined) throw new PolicyFault('no quorum')
  return { logs, witnesses, groups, quorum }
}

function thresholdOf(word: string | undefined, members: number): number | undefined {
  const count = word === 'all' ? members : word === 'any' ? 1 : /^[1-9]\d{0,8}$/.test(word ?? '') ? Number(word) : 0
  return count >= 1 && count <= members ? count : undefined
}

/** `<name>+<id>+<base64 of type and key>`. The key itself may contain `+`. */
function readVerifierKey(word: string): PublicKey | undefined {
  const [latinName = '', id = '', ...rest] = word.split('+')
  const name = Buffer.from(latinName, 'latin1').toString('utf8')
  const typed = readBase64(rest.join('+'))
  const type = typed?.[0]
  if (typed === undefined || type === undefined || name === '' || UNICODE_SPACE.test(name)) return undefined
  const bytes = typed.subarray(1)
  if (bytes.length !== KEY_BYTES.get(type) || id !== keyId(name, type, bytes)) return undefined
  return { name, id, type, bytes }
}

/** The first four bytes of `SHA-256(name | newline | type | key)`, as 8 hex digits. */
export const keyId = (name: string, type: number, key: Uint8Array): string =>
  createHash('sha256').update(name).update(Buffer.of(0x0a, type)).update(key).digest('hex').slice(0, 8)

/** RFC 4648 section 4, with padding and without unused bits. */
export function readBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? bytes : undefined
}

/** Whether the witnesses that signed satisfy the quorum. @param signed names in the policy file */
export function hasQuorum({ witnesses, groups, quorum }: TrustPolicy, signed: ReadonlySet<string>): boolean {
  const isSatisfied = (name: string): boolean => {
    const group = groups.get(name)
    if (group === undefined) return witnesses.has(name) && signed.has(name)
    return group.members.filter(isSatisfied).length >= group.threshold
  }
  return quorum === NONE || isSatisfied(quorum)
}
