import type { ClientCheck } from '../gateway/operations/contracts/check-clients.ts'
import { faultText } from '../gateway/operations/contracts/contract-faults.ts'
import type { BrokenOperation, Evolution } from '../gateway/operations/contracts/evolution.ts'
import { proofFaultText } from '../gateway/operations/contracts/proof-fault-text.ts'
import type { Widening } from '../gateway/operations/contracts/widening.ts'
import { counted } from '../gateway/model/counted.ts'

type Operation = Pick<BrokenOperation, 'client' | 'id' | 'name'>

const nameOf = ({ client, id, name }: Operation): string => `${client}  ${name}  ${id}`
const indented = (lines: readonly string[]): readonly string[] => lines.map((line) => `  ${line}`)

/** A check of clients, for a person. */
export function checkLines({ clients, operations, refused, contracts, policyDigest }: ClientCheck): readonly string[] {
  return [
    ...refused.flatMap((operation) => [
      `refused  ${nameOf(operation)}`,
      ...indented(operation.faults.map(({ message }) => message)),
    ]),
    ...contracts.flatMap(({ client, faults }) => [`contract of ${client}`, ...indented(faults.map(({ message }) => message))]),
    `${counted(operations, 'operation')} of ${counted(clients, 'client')} under policy ${policyDigest.slice(0, 12)}: ${refused.length} refused, ${counted(contracts.length, 'contract')} with faults`,
  ]
}

/** The effect of a changed schema on clients, for a person. */
export function evolutionLines({ operations, broken, widened, refusedBefore, contracts }: Evolution): readonly string[] {
  return [
    ...broken.flatMap((operation) => [
      `breaks   ${nameOf(operation)}`,
      ...indented([
        ...operation.faults.map(proofFaultText),
        ...operation.schemaChanges.map(({ message }) => `schema: ${message}`),
        ...operation.policyChanges.map(({ subject, what, before, after }) => `policy: ${subject}  ${what}: ${before} -> ${after}`),
      ]),
    ]),
    ...widened.flatMap((operation) => [`widens   ${nameOf(operation)}`, ...indented(operation.widenings.map(wideningText))]),
    ...refusedBefore.map((operation) => `refused before  ${nameOf(operation)}`),
    ...contracts.flatMap(({ client, faults }) => [`contract of ${client}`, ...indented(faults.map(faultText))]),
    `${counted(operations, 'operation')}: ${broken.length} would break, ${widened.length} would give more, ${counted(refusedBefore.length, 'is', 'are')} refused already, ${counted(contracts.length, 'contract')} would have faults`,
  ]
}

function wideningText(widening: Widening): string {
  const { path } = widening
  switch (widening.kind) {
    case 'VIEW': {
      const { role, purpose, relationship, action, before, after } = widening
      return `${path}  ${role} for ${purpose} as ${relationship}, ${action}: ${before} -> ${after}`
    }
    case 'SENSITIVITY':
      return `${path}  is no longer protected by ${widening.label}`
    case 'NOT_PHI':
      return `${path}  is given to every caller`
    case 'READ':
      return `${path}  is no longer needed for an argument`
    case 'SELECTED':
      return `${path}  is selected by the same text`
  }
  return widening satisfies never
}
