import { encodeBase64 } from './base64.ts'
import { parseVerifierKey, type VerifierKey } from './verifier-key.ts'

/** The keys of trusted logs and witnesses, and the witnesses that must have signed. */
export interface LogPolicy {
  readonly logs: readonly KnownLog[]
  readonly witnesses: readonly KnownWitness[]
  /** `NONE` requires no witness. */
  readonly quorum: Cosigners | 'NONE'
}

interface KnownLog {
  readonly key: VerifierKey
  readonly url?: string
}

interface KnownWitness extends KnownLog {
  /** The name within the policy file. */
  readonly name: string
}

/** A witness, or a group of which at least `threshold` members signed. */
type Cosigners =
  | { readonly kind: 'WITNESS'; readonly key: VerifierKey }
  | { readonly kind: 'GROUP'; readonly threshold: number; readonly members: readonly Cosigners[] }

/**
 * CHARACTER: a control character. FORM: no line of a policy. KEY: a malformed key, or one of a type that no checkpoint here has.
 * DUPLICATE: a key or name that an earlier line has. UNKNOWN: a name that no earlier line defines. MEMBER: a name that is a member
 * already. THRESHOLD: not between 1 and the number of members. QUORUM: no quorum line, or a second one.
 */
type PolicyFault = 'CHARACTER' | 'FORM' | 'KEY' | 'DUPLICATE' | 'UNKNOWN' | 'MEMBER' | 'THRESHOLD' | 'QUORUM'

export type ReadPolicy =
  | { readonly outcome: 'READ'; readonly policy: LogPolicy }
  | {
      readonly outcome: 'REFUSED'
      /** From 1. The line after the last one, if the quorum is missing. */
      readonly line: number
      readonly reason: PolicyFault
    }

const CONTROL = /[\0-\u0008\u000b-\u001f\u007f]/
const NONE = 'none'

/**
 * Reads a policy file.
 *
 * @source C2SP tlog-policy
 */
export function parseLogPolicy(text: string): ReadPolicy {
  const reader = new PolicyReader()
  const lines = text.split('\n')
  for (const [at, line] of lines.entries()) {
    const reason = CONTROL.test(line) ? 'CHARACTER' : reader.read(line.split(/[ \t]+/).filter((part) => part !== ''))
    if (reason !== undefined) return { outcome: 'REFUSED', line: at + 1, reason }
  }
  const { logs, witnesses, quorum } = reader
  if (quorum === undefined) return { outcome: 'REFUSED', line: lines.length, reason: 'QUORUM' }
  return { outcome: 'READ', policy: { logs, witnesses, quorum } }
}

/** Whether enough keys signed. */
export function isQuorum(quorum: LogPolicy['quorum'], hasSigned: (key: VerifierKey) => boolean): boolean {
  if (quorum === 'NONE') return true
  if (quorum.kind === 'WITNESS') return hasSigned(quorum.key)
  return quorum.members.filter((member) => isQuorum(member, hasSigned)).length >= quorum.threshold
}

class PolicyReader {
  readonly logs: KnownLog[] = []
  readonly witnesses: KnownWitness[] = []
  quorum: LogPolicy['quorum'] | undefined
  readonly #cosigners = new Map<string, Cosigners>()
  readonly #members = new Set<string>()

  /** The fault of a line, given by its parts. */
  read([keyword, ...parts]: readonly string[]): PolicyFault | undefined {
    if (keyword === undefined || keyword.startsWith('#')) return undefined
    switch (keyword) {
      case 'log':
        return this.#log(parts)
      case 'witness':
        return this.#witness(parts)
      case 'group':
        return this.#group(parts)
      case 'quorum':
        return this.#quorum(parts)
      default:
        return 'FORM'
    }
  }

  #log([text, url, ...more]: readonly string[]): PolicyFault | undefined {
    if (text === undefined || more.length > 0) return 'FORM'
    const key = parseVerifierKey(text)
    if (key === undefined) return 'KEY'
    if (this.logs.some((log) => isSameKey(log.key, key))) return 'DUPLICATE'
    this.logs.push({ key, ...(url !== undefined && { url }) })
    return undefined
  }

  #witness([name, text, url, ...more]: readonly string[]): PolicyFault | undefined {
    if (name === undefined || text === undefined || more.length > 0) return 'FORM'
    const key = parseVerifierKey(text)
    if (key === undefined) return 'KEY'
    if (this.witnesses.some((witness) => isSameKey(witness.key, key))) return 'DUPLICATE'
    this.witnesses.push({ name, key, ...(url !== undefined && { url }) })
    return this.#define(name, { kind: 'WITNESS', key })
  }

  #group([name, count, ...names]: readonly string[]): PolicyFault | undefined {
    if (name === undefined || count === undefined || names.length === 0) return 'FORM'
    const members: Cosigners[] = []
    for (const member of names) {
      const cosigners = this.#cosigners.get(member)
      if (cosigners === undefined) return 'UNKNOWN'
      if (this.#members.has(member)) return 'MEMBER'
      this.#members.add(member)
      members.push(cosigners)
    }
    const threshold = count === 'all' ? members.length : count === 'any' ? 1 : /^[1-9]\d*$/.test(count) ? Number(count) : 0
    if (threshold < 1 || threshold > members.length) return 'THRESHOLD'
    return this.#define(name, { kind: 'GROUP', threshold, members })
  }

  #quorum([name, ...more]: readonly string[]): PolicyFault | undefined {
    if (name === undefined || more.length > 0) return 'FORM'
    if (this.quorum !== undefined) return 'QUORUM'
    const cosigners = name === NONE ? 'NONE' : this.#cosigners.get(name)
    if (cosigners === undefined) return 'UNKNOWN'
    this.quorum = cosigners
    return undefined
  }

  #define(name: string, cosigners: Cosigners): PolicyFault | undefined {
    if (name === NONE || this.#cosigners.has(name)) return 'DUPLICATE'
    this.#cosigners.set(name, cosigners)
    return undefined
  }
}

/** Two keys are the same if their bytes are, whatever their names. */
const isSameKey = (one: VerifierKey, other: VerifierKey): boolean =>
  one.algorithm === other.algorithm && encodeBase64(one.publicKey) === encodeBase64(other.publicKey)
