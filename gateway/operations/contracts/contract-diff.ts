import type { Contract } from '../../model/contract.ts'
import { contractJson, type ContractJson } from './contract-text.ts'

/** One difference between two contracts. `before` or `after` is `none` if that contract has no such entry. */
export interface ContractChange {
  /** `paths`, `maxPage`, `recipient`. */
  readonly member: Exclude<keyof ContractJson, 'client'>
  readonly before: string
  readonly after: string
}

export interface ContractDiff {
  /** Changes that let the client receive more, receive it for longer or from other places, or that name another recipient. */
  readonly widened: readonly ContractChange[]
  readonly narrowed: readonly ContractChange[]
}

const LISTS = ['roles', 'purposes', 'paths', 'categories', 'sensitivities', 'networks'] as const
const LIMITS = ['maxPage', 'valuesPerDay', 'expires'] as const

/**
 * Compares a contract with the former one. Without a former one, every entry widens. A network counts as new if the former contract does
 * not name it, also if it is part of a larger one.
 */
export function diffContracts(former: Contract | undefined, contract: Contract): ContractDiff {
  const after = contractJson(contract)
  const before = former && contractJson(former)
  const [widened, narrowed]: [ContractChange[], ContractChange[]] = [[], []]
  const [was, is] = [before && recipientText(before), recipientText(after)]
  if (was !== is) widened.push({ member: 'recipient', before: was ?? 'none', after: is })
  for (const member of LISTS) {
    const [old, now] = [new Set(before?.[member]), new Set(after[member])]
    for (const name of now) if (!old.has(name)) widened.push({ member, before: 'none', after: name })
    for (const name of old) if (!now.has(name)) narrowed.push({ member, before: name, after: 'none' })
  }
  for (const member of LIMITS) {
    const [old, now] = [before?.[member], after[member]]
    // times in UTC with milliseconds sort as texts
    if (old === now) continue
    const change = { member, before: String(old ?? 'none'), after: String(now) }
    if (old === undefined || old < now) widened.push(change)
    else narrowed.push(change)
  }
  return { widened, narrowed }
}

/** One line for a person: `widened  paths: none -> Patient.ssn`. */
export const contractChangeText = ({ member, before, after }: ContractChange): string => `${member}: ${before} -> ${after}`

const recipientText = ({ recipient: { name, address, reference } }: ContractJson): string =>
  [name, address, ...(reference === undefined ? [] : [reference])].join(', ')
