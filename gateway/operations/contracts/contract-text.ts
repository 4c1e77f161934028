import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'
import * as z from 'zod'
import { MAX_TEXT_BYTES } from '../../model/record-size.ts'
import type { Contract, Recipient } from '../../model/contract.ts'
import type { Instant } from '../../model/ids.ts'
import { MAX_PAGE } from '../../model/list.ts'
import type { SchemaPath } from '../../../directives/coordinates.ts'
import type { Category, PolicyTable, PurposeOfUse, RecordLabel, Role } from '../../../directives/policy.ts'
import { type ContractFault, contractFaults, ContractRefused, faultOf } from './contract-faults.ts'
import { isNetwork } from './network.ts'

/** A contract as JSON: in files, in mutations and in the registry. */
export interface ContractJson {
  readonly client: string
  readonly recipient: Recipient
  readonly roles: readonly string[]
  readonly purposes: readonly string[]
  readonly paths: readonly string[]
  readonly categories: readonly string[]
  readonly sensitivities: readonly string[]
  readonly maxPage: number
  readonly valuesPerDay: number
  /** ISO 8601, in UTC with milliseconds. */
  readonly expires: string
  readonly networks: readonly string[]
}

/** The canonical JSON of a contract, in bytes. The entry of the client in the registry needs the rest of a sealed text. */
const MAX_CONTRACT_BYTES = MAX_TEXT_BYTES / 2
const MAX_PATHS = 2_000
const MAX_NETWORKS = 100
/** Entries of any other list. */
const MAX_NAMES = 100

/** Text of one line, without control characters. */
const line = (most: number) => z.string().min(1).max(most).refine(isOneLine)
const names = (most: number) => z.array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_.]{0,199}$/)).max(most)

const Shape = z.strictObject({
  client: line(256),
  recipient: z.strictObject({
    name: line(200),
    address: line(500),
    reference: z
      .string()
      .regex(/^Organization\/[A-Za-z0-9\-.]{1,64}$/)
      .optional(),
  }),
  roles: names(MAX_NAMES).min(1),
  purposes: names(MAX_NAMES).min(1),
  paths: names(MAX_PATHS),
  categories: names(MAX_NAMES),
  sensitivities: names(MAX_NAMES),
  maxPage: z.int().min(1).max(MAX_PAGE),
  valuesPerDay: z.int().nonnegative(),
  expires: z.iso.datetime({ offset: true }).transform((text) => Date.parse(text) as Instant),
  networks: z.array(z.string().refine(isNetwork)).min(1).max(MAX_NETWORKS),
})

/**
 * Parses the text of a contract and checks it against a policy.
 *
 * @throws ContractRefused with all faults of its form, or else with all faults under the policy
 */
export function admitContract(text: string, policy: PolicyTable, now: Instant): Contract {
  const contract = parseContractText(text)
  const faults = contractFaults(contract, policy, now)
  if (faults.length > 0) throw new ContractRefused(faults)
  return contract
}

/** Parses the text of a contract. Its names are not checked against a policy. @throws ContractRefused */
export function parseContractText(text: string): Contract {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // without a cause, because the message of the parser quotes the text
    throw new ContractRefused([faultOf('', 'NOT_JSON')])
  }
  return parseContract(value)
}

/** Parses a contract from JSON. Its names are not checked against a policy. @throws ContractRefused */
export function parseContract(value: unknown): Contract {
  const parsed = Shape.safeParse(value)
  if (!parsed.success) throw new ContractRefused(parsed.error.issues.flatMap((issue) => shapeFaults(issue, value)))
  const { recipient, roles, purposes, paths, categories, sensitivities, expires, networks, ...rest } = parsed.data
  const { reference, ...addressee } = recipient
  const contract = {
    ...rest,
    recipient: { ...addressee, ...(reference !== undefined && { reference }) },
    roles: new Set(roles as Role[]),
    purposes: new Set(purposes as PurposeOfUse[]),
    paths: new Set(paths as SchemaPath[]),
    categories: new Set(categories as Category[]),
    sensitivities: new Set(sensitivities as RecordLabel[]),
    expiresAt: expires,
    networks: [...new Set(networks)],
  }
  const canonical = canonicalContract(contract)
  if (Buffer.byteLength(canonical) > MAX_CONTRACT_BYTES) throw new ContractRefused([faultOf('', 'TOO_LARGE')])
  return { ...contract, digest: createHash('sha256').update(canonical).digest('hex') }
}

/** A contract as JSON, with sorted lists. `parseContract` reads it back with the same digest. */
export function contractJson(contract: Omit<Contract, 'digest'>): ContractJson {
  const { client, recipient, maxPage, valuesPerDay, expiresAt } = contract
  return {
    client,
    recipient,
    roles: sorted(contract.roles),
    purposes: sorted(contract.purposes),
    paths: sorted(contract.paths),
    categories: sorted(contract.categories),
    sensitivities: sorted(contract.sensitivities),
    maxPage,
    valuesPerDay,
    expires: new Date(expiresAt).toISOString(),
    networks: sorted(contract.networks),
  }
}

/** The text of a contract file, for people. Ends with a newline. */
export function contractText(contract: Omit<Contract, 'digest'>): string {
  return `${JSON.stringify(contractJson(contract), null, 2)}\n`
}

/** The text under the digest: RFC 8785. */
export function canonicalContract(contract: Omit<Contract, 'digest'>): string {
  const text = canonicalize(contractJson(contract))
  if (text === undefined) throw new TypeError('A contract has a canonical form.')
  return text
}

const sorted = (of: Iterable<string>): readonly string[] => [...of].toSorted((a, b) => (a < b ? -1 : 1))

function isOneLine(text: string): boolean {
  // \p{C}: control and format characters, and halves of surrogate pairs
  return text.isWellFormed() && text.trim() === text && !/[\p{C}\u2028\u2029]/u.test(text)
}

function shapeFaults(issue: z.core.$ZodIssue, value: unknown): ContractFault | readonly ContractFault[] {
  const member = memberOf(issue.path)
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => faultOf(member, 'UNKNOWN_MEMBER', key))
  if (issue.code === 'too_big' && issue.origin === 'array') return faultOf(member, 'TOO_MANY')
  if (issue.code === 'custom' && issue.path[0] === 'networks') return faultOf(member, 'NOT_A_NETWORK')
  const given = issue.path.reduce<unknown>((within, key) => (within as Record<PropertyKey, unknown> | undefined)?.[key], value)
  return faultOf(member, given === undefined && issue.path.length > 0 ? 'MISSING' : 'INVALID')
}

const memberOf = (path: readonly PropertyKey[]): string =>
  path.reduce<string>(
    (text, key) => (typeof key === 'number' ? `${text}[${key}]` : `${text}${text === '' ? '' : '.'}${String(key)}`),
    '',
  )
