import { BadUserInput } from '../model/failures.ts'
import type { ValueFault } from '../model/record-rules.ts'

/** The refusal of values: it names their fields, and on the local stage their rules. It carries no value. */
export function faultyValues(faults: readonly ValueFault[]): BadUserInput {
  const coordinates = [...new Set(faults.map(({ path }) => path))]
  return new BadUserInput({ coordinates, detail: faults.map(({ detail }) => detail).join(' ') })
}
