import { counted } from '../../model/counted.ts'
import type { ProofFault } from './prove.ts'

/** One sentence for a person: `Patient.ssn is not a path of the contract.` */
export function proofFaultText(fault: ProofFault): string {
  switch (fault.kind) {
    case 'DOCUMENT': {
      const places = (fault.locations ?? []).map(({ line, column }) => ` Line ${line}, column ${column}.`)
      return `The text is refused with ${fault.code}.${places.join('')}`
    }
    case 'PATH':
      return `${fault.path} ${pathText(fault)}`
    case 'ROOT':
      return `${fault.root} may not be called by any role of the contract.`
    case 'PAGE':
      return `${fault.coordinate} has a page of ${fault.size}, which is above the page size of the contract.`
    case 'COST': {
      const { cost, limit } = fault
      return `The operation costs ${counted(cost.values, 'value')} and ${counted(cost.places, 'place')}. The limits are ${limit.values} and ${limit.places}.`
    }
  }
  return fault satisfies never
}

function pathText({ reason, lacks = '' }: Extract<ProofFault, { kind: 'PATH' }>): string {
  switch (reason) {
    case 'NOT_IN_CONTRACT':
      return 'is not a path of the contract.'
    case 'CATEGORY':
      return `has the category ${lacks}, which the contract lacks.`
    case 'SENSITIVITY':
      return `has the sensitivity ${lacks}, which the contract lacks.`
    case 'NO_GRANT':
      return 'has no grant for the roles and purposes of the contract.'
    case 'UNKNOWN':
      return 'is not classified by the policy.'
  }
  return reason satisfies never
}
